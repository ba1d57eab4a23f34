/**
 * A Tub whose process runs out of files when it is told to, on a clock that is fast: for the test
 * of what becomes of its port. Commands come as lines on stdin, the log goes to stdout.
 */
import { configure } from "@logtape/logtape";
import { type Clock, systemClock } from "../../lib/clock.ts";
import { generateIdentity } from "../../lib/foolscap/certificate.ts";
import { Referenceable } from "../../lib/foolscap/references.ts";
import { Tub } from "../../lib/foolscap/tub.ts";
import { formatRecord } from "../../lib/log/line.ts";

const SPEED = 50;

const clock: Clock = {
  now: () => systemClock.now(),
  monotonic: () => systemClock.monotonic() * SPEED,
  setTimer: (fn, ms, options) => systemClock.setTimer(fn, ms / SPEED, options),
};

const encoder = new TextEncoder();

function say(line: string): void {
  Deno.stdout.writeSync(encoder.encode(`${line}\n`));
}

await configure({
  sinks: { stdout: (record) => say(formatRecord(record)) },
  loggers: [{ category: "gatherer", sinks: ["stdout"] }],
});

const tub = new Tub({ identity: await generateIdentity(), clock });
const port = await tub.listen(0, "127.0.0.1");
tub.setLocation([`tcp:127.0.0.1:${port}`]);
say(tub.registerReference(
  new Referenceable("RIService", {
    echo: { parameters: ["value"], call: ([value]) => value as bigint },
  }),
));

const files: Deno.FsFile[] = [];
const input = Deno.stdin.readable.pipeThrough(new TextDecoderStream());
for await (const text of input) {
  for (const command of text.trim().split("\n")) {
    if (command === "fill") {
      try {
        while (true) files.push(Deno.openSync("/dev/null"));
      } catch {
        // A few are left for those who come first.
        for (const file of files.splice(-3)) file.close();
      }
    } else {
      for (const file of files.splice(0)) file.close();
    }
    say(command);
  }
}
await tub.close();
