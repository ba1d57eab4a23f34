import { assertEquals, assertThrows } from "@std/assert";
import { UserError } from "../../lib/errors.ts";
import { readOptions, readSeconds } from "../../lib/cli/options.ts";

const spec = {
  value: ["port", "basedir"],
  repeat: ["node"],
  flag: ["private"],
  positional: 1,
};

Deno.test("readOptions() takes values, lists, flags and arguments", () => {
  assertEquals(
    readOptions(
      "x",
      ["a", "--port=1", "--node", "n1", "--private", "--node", "n2"],
      spec,
    ),
    {
      values: { port: "1" },
      lists: { node: ["n1", "n2"] },
      flags: { private: true },
      positional: ["a"],
    },
  );
  assertEquals(readOptions("x", [], spec), {
    values: {},
    lists: { node: [] },
    flags: { private: false },
    positional: [],
  });
  // Digits stay text: a name may be 007.
  assertEquals(readOptions("x", ["007"], spec).positional, ["007"]);
});

const wrong: [args: string[], message: string][] = [
  [["--prot", "1"], "unknown option --prot"],
  [["--private-dir"], "unknown option --private-dir, did you mean --private?"],
  [["-p"], "unknown option -p, did you mean --port?"],
  [["--port"], "--port needs a value"],
  [["--port="], "--port needs a value"],
  [["--port", "1", "--port", "2"], "--port is given more than once"],
  [["a", "b"], 'unexpected argument "b"'],
];

Deno.test("readOptions() says what is wrong and where to read on, exit code 2", () => {
  for (const [args, message] of wrong) {
    const error = assertThrows(() => readOptions("x", args, spec), UserError);
    assertEquals(
      [error.message, error.exitCode],
      [`${message}; see gatherer x --help`, 2],
    );
  }
});

Deno.test("readSeconds() takes seconds and nothing else", () => {
  assertEquals(readSeconds("timeout", "1.5", 1), 1500);
  for (const text of ["", "0", "0.9", "-1", "1e3", "60s", "86401", "NaN"]) {
    const error = assertThrows(
      () => readSeconds("timeout", text, 1),
      UserError,
      `--timeout: "${text}" is not a number of seconds from 1 to 86400`,
    );
    assertEquals(error.exitCode, 2);
  }
});
