import { assert, assertEquals } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { systemClock } from "../../lib/clock.ts";
import { loadSnapshot } from "../../lib/snapshot/file.ts";

const KILLS = 200;
const writer = fromFileUrl(new URL("./kill_writer.ts", import.meta.url));

Deno.test(`kill -9 at ${KILLS} random moments of writing never costs a finished round`, async () => {
  const directory = await Deno.makeTempDir();
  try {
    const path = join(directory, "stats.msgpack");
    let next = 1;
    let inTheMiddle = 0;
    for (let kill = 0; kill < KILLS; kill++) {
      const finished = await writeUntilKilled(directory, path, next);
      assert(finished >= next, `no round was finished from ${next} on`);
      if (await isThere(`${path}.tmp`)) inTheMiddle++;
      const { nodes, source, notes } = await loadSnapshot(path, systemClock);
      // The backup is for disks that break: a process that dies must not even need it.
      assertEquals(source, "snapshot", notes.join("; "));
      const [head, padding, tail] = nodes;
      const round = Number(head.counters.get("round"));
      assert(
        round === finished || round === finished + 1,
        `round ${round} is on disk, ${finished} was finished`,
      );
      assertEquals(tail.counters, head.counters);
      assert(/^x*$/.test(padding.nickname));
      next = round + 1;
    }
    Deno.stdout.writeSync(new TextEncoder().encode(
      `${KILLS} kills over ${next - 1} rounds, ` +
        `${inTheMiddle} of them with a temporary file half way\n`,
    ));
    assert(inTheMiddle >= KILLS / 10, "too few kills in the middle of a write");
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

/** @returns The last round that the writer said it had finished. */
async function writeUntilKilled(
  directory: string,
  path: string,
  first: number,
): Promise<number> {
  await using child = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--quiet",
      "--no-prompt",
      `--allow-read=${directory}`,
      `--allow-write=${directory}`,
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
    setTimeout(() => child.kill("SIGKILL"), Math.random() * 30);
  }
  const { signal } = await child.status;
  assertEquals(signal, "SIGKILL");
  return Number(output.trimEnd().split("\n").at(-1));
}

async function isThere(path: string): Promise<boolean> {
  try {
    await Deno.lstat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
