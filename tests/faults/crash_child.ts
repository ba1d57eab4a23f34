/**
 * A gatherer's life for the crash tests: it starts on a base directory, closes some rounds on a
 * clock of its own, is told to stop, and begins again, under another host name.
 *
 * Arguments: JSON of {@linkcode ChildTask}. On stdout are {@linkcode ChildEvent}s, a JSON line each.
 */
import { Buffer } from "node:buffer";
import type { Gatherer } from "../../lib/gatherer/gatherer.ts";
import { decodeSnapshot } from "../../lib/snapshot/codec.ts";
import { openPortion } from "../../lib/spool/portion.ts";
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
/** Whether the snapshot's new name is on the disk, and whether it is so for good. */
let isRenamed = false;
let isSafe = false;
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
    if (operation.kind === "rename" && operation.to === "stats.msgpack") {
      isRenamed = true;
    }
    if (operation.kind === "sync-directory") isSafe = isRenamed;
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
  beginRound();
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
  await untilWritten(gatherer.tubid);
  for (let round = 0; round < task.rounds; round++) {
    beginRound();
    await clock.advance(INTERVAL_MS);
    await untilWritten(gatherer.tubid);
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
  await gatherer.retire(RETIRED_KEY, isRetired);
  say({ retired: !isRetired });
}

function beginRound(): void {
  isRenamed = isSafe = false;
}

/** Waits until the round of this moment is in the snapshot and in the spool, and says so. */
async function untilWritten(tubid: string): Promise<void> {
  const now = clock.now();
  for (let look = 0;; look++) {
    if (look > 5000) throw new Error(`the round of ${now} is not written`);
    const nodes = decodeSnapshot(
      await Deno.readFile(`${basedir}/stats.msgpack`),
    );
    const self = nodes.find(({ key }) => key === tubid);
    const portion = await openPortion(`${basedir}/spool`, {
      from: Math.floor(now / 1000),
    });
    const isInSpool = portion.series("counters", "gatherer.polls")
      .get(tubid)?.some(({ time }) => time === now / 1000);
    const isInSnapshot = self?.timestamp === now / 1000;
    if (isInSpool && isInSnapshot && isSafe) break;
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  say({ round: now });
}
