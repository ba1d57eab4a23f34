/**
 * Writes one round after the other into a spool, as fast as it can, and says on stdout which one
 * has been finished. The kill test starts it, and ends it at a random moment.
 *
 * Arguments: directory, number of the first round. Round N is of minute N.
 */
import { SegmentEncoder } from "../../lib/spool/encoder.ts";
import { SegmentStore } from "../../lib/spool/store.ts";
import { hostOf, report } from "./hosts.ts";

const [directory, first] = Deno.args;
const output = new TextEncoder();
const maxBytes = 512 * 1024 * 1024;
const store = new SegmentStore({
  directory,
  mode: 0o644,
  maxBytes,
  maxAgeMs: Infinity,
});
let encoder = new SegmentEncoder();
await store.open();

// From a few bytes to megabytes, so that much of the time is spent in writing.
const paddings = [0, 1, 64, 1024, 4096].map((kilobytes) =>
  "x".repeat(kilobytes * 1024)
);

for (let round = Number(first);; round++) {
  const time = round * 60_000;
  if (store.endIfDue(time)) encoder = new SegmentEncoder();
  encoder.begin(time);
  for (const key of ["head", "padding", "tail"]) {
    const padding = key === "padding" ? paddings[round % paddings.length] : "";
    const host = hostOf({
      ...report(key, time, { round: BigInt(round) }),
      nickname: `${padding}${key === "padding" ? round : ""}`,
    });
    encoder.add("c", host, host.observation);
  }
  await store.append(encoder.finish(), time);
  Deno.stdout.writeSync(output.encode(`${round}\n`));
}
