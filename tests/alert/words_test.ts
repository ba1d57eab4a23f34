import { assertEquals, assertThrows } from "@std/assert";
import { parseDuration, splitWords } from "../../lib/alert/words.ts";

Deno.test("words are parted by blanks; quotes keep them together", () => {
  const cases: [string, string[]][] = [
    ["", []],
    ["  a\tb  ", ["a", "b"]],
    [`"a b" 'c "d"'`, ["a b", 'c "d"']],
    [`a"b c"d ''`, ["ab cd", ""]],
    [String.raw`\n $HOME *`, [String.raw`\n`, "$HOME", "*"]],
  ];
  for (const [text, words] of cases) assertEquals(splitWords(text), words);
  assertThrows(() => splitWords(`a "b`), Error, 'the quote " is not closed');
});

Deno.test("durations", () => {
  const cases: [string, number][] = [
    ["0", 0],
    ["90", 90_000],
    ["30s", 30_000],
    ["5m", 300_000],
    ["1h30m", 5_400_000],
    ["365d", 365 * 86_400_000],
  ];
  for (const [text, ms] of cases) assertEquals(parseDuration(text), ms);
  for (const text of ["", "-5", "5 m", "1.5h", "m", "5M", "5ms", "1e3"]) {
    assertThrows(
      () => parseDuration(text),
      Error,
      `"${text}" is no duration; expected such as 30s, 5m, 1h30m or 2d`,
    );
  }
  assertThrows(
    () => parseDuration("366d"),
    Error,
    '"366d" is more than 365 days',
  );
});
