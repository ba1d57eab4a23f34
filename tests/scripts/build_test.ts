import { assertEquals, assertMatch } from "@std/assert";
import { whyNoBaseRuntime } from "../../scripts/build.ts";
import { publicTempDir, run } from "../executable.ts";

const root = new URL("../..", import.meta.url);

Deno.test("a base runtime that cannot be had is told from other failures", () => {
  const download =
    "error sending request for url (https://dl.example/rt.zip): " +
    "client error (Connect): dns error";
  const cases: [string, string | undefined][] = [
    [
      "error: Writing deno compile executable to temporary file 'gatherer.tmp-1'\n\n" +
      "Caused by:\n    0: Setting up base binary.\n" +
      `    1: ${download}\n    2: client error (Connect)\n\nStack backtrace:\n`,
      download,
    ],
    [
      "error: Writing deno compile executable to temporary file 'gatherer.tmp-1'\n\n" +
      "Caused by:\n    0: Could not find denort at '/none'\n" +
      "    1: No such file or directory (os error 2)\n",
      undefined,
    ],
    [
      'error: Relative import path "x" not prefixed with / or ./ or ../\n',
      undefined,
    ],
    ["", undefined],
  ];
  for (const [stderr, reason] of cases) {
    assertEquals(whyNoBaseRuntime(stderr), reason);
  }
});

Deno.test("the build says in a line what it has made", async () => {
  const dir = await publicTempDir();
  try {
    const task = [
      "run",
      "--quiet",
      "-P=build",
      "--no-prompt",
      "scripts/build.ts",
    ];
    const built = await run(
      [Deno.execPath(), ...task, "--script", `${dir}/new/dist`],
      { cwd: root },
    );
    assertEquals(built, {
      code: 0,
      stdout: "",
      stderr:
        `${dir}/new/dist/gatherer: a script, with its command line and its runtime beside it\n`,
    });
    const wrong = await run([Deno.execPath(), ...task, "--fast"], {
      cwd: root,
    });
    assertEquals([wrong.code, wrong.stdout], [2, ""]);
    assertMatch(wrong.stderr, /^usage: [^\n]+\n$/);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
