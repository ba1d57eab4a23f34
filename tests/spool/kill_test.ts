import { assert, assertEquals, assertMatch } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { openPortion } from "../../lib/spool/portion.ts";
import { tempDirectory } from "./segments.ts";

/** As many as it takes to have some within a frame, up to ten times as many. */
const KILLS = 40;
const WITHIN = 3;
const writer = fromFileUrl(new URL("./kill_writer.ts", import.meta.url));

Deno.test("kill -9 at random moments of writing costs no finished round", async () => {
  await using directory = await tempDirectory();
  const { path } = directory;
  const torn = new Set<string>();
  let before = 1;
  let next = 1;
  let kills = 0;
  while (kills < KILLS || (torn.size < WITHIN && kills < 10 * KILLS)) {
    kills++;
    const finished = await writeUntilKilled(path, next);
    assert(finished >= next, `no round was finished from ${next} on`);
    // From the run before on: what it left is damage only when there is another segment.
    const last = await checkRounds(path, before, torn);
    assert(
      last === finished || last === finished + 1,
      `round ${last} is in the spool, ${finished} was finished`,
    );
    before = next;
    next = last + 1;
  }
  Deno.stdout.writeSync(
    new TextEncoder().encode(
      `${kills} kills over ${
        next - 1
      } rounds, ${torn.size} of them within a frame\n`,
    ),
  );
  assert(torn.size >= WITHIN, "too few kills in the middle of a frame");
});

/**
 * Reads the rounds from one on.
 * @returns The last one; those before it are all there.
 */
async function checkRounds(
  path: string,
  first: number,
  torn: Set<string>,
): Promise<number> {
  let round = first;
  let from = first * 60;
  while (true) {
    const complaints: string[] = [];
    const maxBytes = 16 * 1024 * 1024;
    const portion = await openPortion(path, { from, maxBytes, complaints });
    for (const line of complaints) {
      assertMatch(line, /is damaged at byte \d+.*it ends within a frame$/);
      torn.add(line);
    }
    const series = portion.series("counters", "round");
    assertEquals(series.get("head"), series.get("tail"));
    assertEquals(series.get("head"), series.get("padding"));
    for (const { time, value } of series.get("head")!) {
      assertEquals([time, value], [round * 60, BigInt(round)]);
      round++;
    }
    if (portion.complete) return round - 1;
    // The portions overlap by the second from which one asks again.
    from = portion.end;
    round--;
  }
}

/** @returns The last round that the writer said it had finished. */
async function writeUntilKilled(path: string, first: number): Promise<number> {
  await using child = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--quiet",
      "--no-prompt",
      `--allow-read=${path}`,
      `--allow-write=${path}`,
      writer,
      path,
      String(first),
    ],
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  let output = "";
  let isDue = false;
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    output += text;
    if (isDue) continue;
    isDue = true;
    // The random moment itself, counted from the first round that is finished.
    setTimeout(() => child.kill("SIGKILL"), Math.random() * 60);
  }
  const { signal } = await child.status;
  assertEquals(signal, "SIGKILL");
  return Number(output.trimEnd().split("\n").at(-1));
}
