import { assertEquals, assertThrows } from "@std/assert";
import { join } from "@std/path";
import { UserError } from "../../../lib/errors.ts";
import { loadGmetadConf } from "../../../lib/ganglia/conf/load.ts";

async function withDirectory(
  files: Readonly<Record<string, string | Uint8Array<ArrayBuffer>>>,
  run: (path: (name: string) => string) => void,
): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    const path = (name: string) => join(directory, name);
    for (const [name, content] of Object.entries(files)) {
      if (name.includes("/")) await Deno.mkdir(path(name.split("/")[0]));
      if (typeof content === "string") {
        await Deno.writeTextFile(path(name), content);
      } else await Deno.writeFile(path(name), content);
    }
    run(path);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

function fault(path: string): string {
  const error = assertThrows(() => loadGmetadConf(path), UserError);
  assertEquals(error.exitCode, 1);
  return error.message;
}

const latin1 = (text: string) =>
  Uint8Array.from(text, (character) => character.charCodeAt(0));

Deno.test("a file of this machine, with its environment and files that it includes", async () => {
  await withDirectory({
    "m.conf": 'gridname "${HOME:-none}"\ndata_source "${=}${}é" h\nInclude d/*',
    "d/x.conf": latin1('data_source "Düsseldorf" h\n'),
  }, (path) => {
    Deno.mkdirSync(path("d/directory"));
    const { gridname, dataSources } = loadGmetadConf(path("m.conf"));
    assertEquals(gridname, Deno.env.get("HOME") ?? "none");
    assertEquals(dataSources.map(({ name }) => name), ["é", "Düsseldorf"]);
    assertEquals(dataSources[1].place.path, path("d/x.conf"));
  });
});

Deno.test("a file that cannot be read", async () => {
  await withDirectory({
    "long": new Uint8Array(1024 * 1024 + 1).fill(0x23),
    "limit": new Uint8Array(1024 * 1024).fill(0x23),
    "binary": "a\0b",
    "m.conf": "data_source a h\nInclude long",
  }, (path) => {
    const cannot = (name: string, why: string) =>
      assertEquals(fault(path(name)), `cannot read "${path(name)}": ${why}`);
    cannot("nosuch", "no such file");
    cannot(".", "it is a directory, not a file");
    cannot("long", "it has more than 1048576 bytes; make it shorter");
    cannot("binary", "it is no text: it has NUL bytes");
    assertEquals(loadGmetadConf(path("limit")).dataSources, []);
    assertEquals(
      fault(path("m.conf")),
      `${path("m.conf")}:2:1: Include: cannot read "${path("long")}": ` +
        "it has more than 1048576 bytes; make it shorter",
    );
  });
});
