/**
 * A gatherer's life for the crash tests: it starts on a base directory, closes some rounds on a
 * clock of its own, is told to stop, and begins again, under another host name.
 *
 * Arguments: JSON of {@linkcode ChildTask}. On stdout are {@linkcode ChildEvent}s, a JSON line each.
 */
import { Buffer } from "node:buffer";
import type { Gatherer } from "../../lib/gatherer/gatherer.ts";
import { FakeClock } from "../fake_clock.ts";
import { type Operation, watchFiles } from "./file_layer.ts";

/** What the child is to do. */
export interface ChildTask {
  readonly basedir: string;
  /** When it begins, in milliseconds since the epoch. */
  readonly time: number;
  readonly lives: number;
  /** Of each life. */
  readonly rounds: number;
  /** Before which operation it kills itself; a write is done by half. Left out: it does not. */
  readonly killAt?: number;
  /** Whether operations are told. */
  readonly tells?: boolean;
}

/** What the child says. */
export type ChildEvent =
  | { did: Operation & { bytes?: string } }
  | { furl: string; port: number }
  | { round: number }
  /** A node is about to be retired or to be brought back. */
  | { retiring: true }
  | { retired: boolean };

/** The node that is retired now and then. */
const RETIRED_KEY = "m32izoh3ur3puwxgqaitnygpof7bwlnd";

/** From one round to the next, in milliseconds: a segment of the spool has five of them. */
const INTERVAL_MS = 120_000;

const task: ChildTask = JSON.parse(Deno.args[0]);
const { basedir } = task;
const encoder = new TextEncoder();

function say(event: unknown): void {
  const bytes = encoder.encode(`${JSON.stringify(event)}\n`);
  for (let done = 0; done < bytes.length;) {
    done += Deno.stdout.writeSync(bytes.subarray(done));
  }
}

let count = 0;
let isLast = false;

function die(): never {
  Deno.kill(Deno.pid, "SIGKILL");
  // The system needs a moment; nothing more must be done in it.
  while (true);
}

watchFiles(basedir, {
  before(operation) {
    if (isLast) die();
    if (++count !== task.killAt) return;
    if (operation.kind !== "write" || operation.bytes.length < 2) die();
    isLast = true;
    return operation.bytes.length >> 1;
  },
  after(operation, isDone) {
    if (isLast) die();
    if (!task.tells || !isDone) return;
    const bytes = "bytes" in operation
      ? Buffer.from(operation.bytes).toString("base64")
      : undefined;
    say({ did: { ...operation, bytes } });
  },
});

// Only now: nothing of the program may have kept the functions that are not watched.
const { startGatherer } = await import("../../lib/gatherer/gatherer.ts");

const { BaseDirLock } = await import("../../lib/life/lock.ts");

const clock = new FakeClock(task.time);
for (let life = 0; life < task.lives; life++) {
  const lock = await BaseDirLock.take(basedir, { clock });
  const gatherer = await startGatherer({
    basedir,
    clock,
    host: "127.0.0.1",
    hostname: life % 2 === 0 ? "127.0.0.1" : "localhost",
    intervalMs: INTERVAL_MS,
    // Little enough that old segments are removed.
    spoolBytes: 20_000,
  });
  gatherer.tree.update("foolscap", RETIRED_KEY, { nickname: "old" });
  say({ furl: gatherer.furl, port: gatherer.port });
  say({ round: clock.now() });
  for (let round = 0; round < task.rounds; round++) {
    await written(gatherer, () => clock.advance(INTERVAL_MS));
    say({ round: clock.now() });
    if (round % 3 === 0) await retire(gatherer);
  }
  await gatherer.stop();
  await lock.release();
  await clock.advance(1000);
}

/** Retires a node, or brings it back when it is retired. */
async function retire(gatherer: Gatherer): Promise<void> {
  say({ retiring: true });
  const { life } = gatherer.tree.host("foolscap", RETIRED_KEY)!;
  const isRetired = life.retireReason !== undefined;
  await written(gatherer, () => gatherer.retire(RETIRED_KEY, isRetired));
  say({ retired: !isRetired });
}

/** Does something that is written, and waits until all have written it. */
async function written(
  gatherer: Gatherer,
  act: () => Promise<unknown>,
): Promise<void> {
  const calls = () => gatherer.status().plugins.map(({ calls }) => calls);
  const before = calls();
  await act();
  while (calls().some((count, i) => count <= before[i])) {
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}
