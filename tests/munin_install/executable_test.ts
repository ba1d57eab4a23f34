import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { UserError } from "../../lib/errors.ts";
import { executablePath } from "../../lib/munin_install/executable.ts";

Deno.test("the executable is the file behind all links", async () => {
  const dir = await Deno.realPath(await Deno.makeTempDir());
  await using cleanup = new AsyncDisposableStack();
  cleanup.defer(() => Deno.remove(dir, { recursive: true }));
  const path = `${dir}/a #1%41`;
  await Deno.writeTextFile(path, "#!/bin/sh\n");
  await Deno.chmod(path, 0o755);
  await Deno.symlink(path, `${dir}/link`);
  assertEquals(await executablePath(`file://${dir}/link`), path);
  assertEquals(await executablePath(`file://${dir}/a%20%231%2541`), path);
});

Deno.test("source code is no executable, wherever it is from", async () => {
  const dir = await Deno.makeTempDir();
  await using cleanup = new AsyncDisposableStack();
  cleanup.defer(() => Deno.remove(dir, { recursive: true }));
  const files: [string, string, number][] = [
    ["main.ts", "// x\n", 0o644],
    ["everything-has-x.ts", "// x\n", 0o777],
    ["no-x", "#!/bin/sh\n", 0o644],
    ["empty", "", 0o755],
  ];
  for (const [name, text, mode] of files) {
    await Deno.writeTextFile(`${dir}/${name}`, text);
    await Deno.chmod(`${dir}/${name}`, mode);
  }
  for (
    const main of [
      ...files.map(([name]) => `file://${dir}/${name}`),
      new URL("../../main.ts", import.meta.url).href,
      "https://example.org/main.ts",
      "data:text/javascript,",
    ]
  ) {
    const error = await assertRejects(() => executablePath(main), UserError);
    assertMatch(error.message, /runs from source code: build one first/);
  }
});
