/**
 * Writes one snapshot after the other, as fast as it can, and says on stdout which round has been
 * finished. The kill test starts it, and ends it at a random moment.
 *
 * Arguments: path, number of the first round.
 */
import { encodeNode, snapshotParts } from "../../lib/snapshot/codec.ts";
import { writeSnapshot } from "../../lib/snapshot/file.ts";

const [path, first] = Deno.args;
const encoder = new TextEncoder();

// From a few bytes to megabytes, so that every step of a write takes its turn in being the long
// one; made beforehand, so that the process spends its life in writing.
const paddings = [0, 1, 16, 256, 1024, 4096].map((kilobytes) =>
  encodeNode({
    key: "padding",
    timestamp: 0,
    nickname: "x".repeat(kilobytes * 1024),
    counters: [],
    stats: [],
  })
);

for (let round = Number(first);; round++) {
  const [head, tail] = ["head", "tail"].map((key) =>
    encodeNode({
      key,
      timestamp: round,
      nickname: key,
      counters: [["round", BigInt(round)]],
      stats: [],
    })
  );
  const padding = paddings[round % paddings.length];
  await writeSnapshot(path, snapshotParts([head, padding, tail]), {
    mode: 0o644,
  });
  Deno.stdout.writeSync(encoder.encode(`${round}\n`));
}
