import { assertEquals, assertThrows } from "@std/assert";
import { UserError } from "../../lib/errors.ts";
import {
  levelOfNumber,
  lineLevelOf,
  lowestRecordLevel,
  parseLogLevel,
  priorityOf,
} from "../../lib/log/level.ts";

Deno.test("a level's number is gmetad-python's", () => {
  const levels = [-3, -1, 0, 1, 2, 3, 4, 5, 6, 99, NaN].map(levelOfNumber);
  assertEquals(levels, [
    "fatal",
    "fatal",
    "fatal",
    "critical",
    "error",
    "warning",
    "info",
    "debug",
    "debug",
    "debug",
    "fatal",
  ]);
});

Deno.test("a level is read by its name or number", () => {
  for (
    const [text, level] of [
      ["fatal", "fatal"],
      ["critical", "critical"],
      [" Error ", "error"],
      ["WARNING", "warning"],
      ["info", "info"],
      ["debug", "debug"],
      ["3", "warning"],
      ["-1", "fatal"],
      ["17", "debug"],
    ] as const
  ) assertEquals(parseLogLevel(text, "x"), level);
});

Deno.test("what is no level is refused, and it is said where", () => {
  for (const text of ["", "warn", "verbose", "2.5", "0x1", "1e9"]) {
    const error = assertThrows(
      () => parseLogLevel(text, "--log-level"),
      UserError,
    );
    assertEquals(
      error.message,
      `--log-level: "${text}" is not a log level; expected fatal, critical, error, warning, ` +
        "info, debug or 0 to 5",
    );
    assertEquals(error.exitCode, 2);
  }
  const inFile = assertThrows(() => parseLogLevel("x", "f.json"), UserError);
  assertEquals(inFile.exitCode, 1);
});

Deno.test("levels map to LogTape's and to syslog's", () => {
  assertEquals(
    (["fatal", "critical", "error", "warning", "info", "debug"] as const)
      .map(lowestRecordLevel),
    ["fatal", "fatal", "error", "warning", "info", "trace"],
  );
  assertEquals(
    (["fatal", "error", "warning", "info", "debug", "trace"] as const)
      .map(lineLevelOf).map(priorityOf),
    [2, 3, 4, 6, 7, 7],
  );
});
