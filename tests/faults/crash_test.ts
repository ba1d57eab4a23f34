/** What a gatherer keeps in its base directory outlives a crash at any moment. */

import { Buffer } from "node:buffer";
import { assert, assertEquals } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { tempDirectory } from "../spool/segments.ts";
import { checkAfterCrash, type Told } from "./crash_check.ts";
import type { ChildEvent, ChildTask } from "./crash_child.ts";
import { DiskModel, everything, type Survival } from "./disk_model.ts";
import type { Operation } from "./file_layer.ts";

const child = fromFileUrl(new URL("./crash_child.ts", import.meta.url));
const START = 1_700_000_000_000;

function say(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}

/** Runs a gatherer in a process of its own until it is done or dead. */
async function run(
  task: ChildTask,
  told: Told,
): Promise<{ events: ChildEvent[]; signal: Deno.Signal | null }> {
  const { stdout, stderr, signal, success } = await new Deno.Command(
    Deno.execPath(),
    {
      args: ["run", "--quiet", "-P=test", child, JSON.stringify(task)],
      stdin: "null",
    },
  ).output();
  assert(
    success || signal === "SIGKILL",
    new TextDecoder().decode(stderr),
  );
  const lines = new TextDecoder().decode(stdout).split("\n").slice(0, -1);
  const events: ChildEvent[] = lines.map((line) => JSON.parse(line));
  for (const event of events) note(event, told);
  return { events, signal };
}

function nothingTold(): Told {
  return { rounds: [], retired: false };
}

function note(event: ChildEvent, told: Told): void {
  if ("furl" in event) Object.assign(told, event);
  if ("round" in event) told.rounds.push(event.round);
  if ("retiring" in event) told.retired = undefined;
  if ("retired" in event) told.retired = event.retired;
}

/** Numbers from [0, 1) that are the same in each run (mulberry32). */
function numbers(seed: number): () => number {
  return () => {
    seed = seed + 0x6d2b79f5 | 0;
    let t = Math.imul(seed ^ seed >>> 15, 1 | seed);
    t = t + Math.imul(t ^ t >>> 7, 61 | t) ^ t;
    return ((t ^ t >>> 14) >>> 0) / 2 ** 32;
  };
}

/** The ways in which a power failure may leave what was not flushed. */
function powerFailures(random: () => number): Record<string, Survival> {
  return {
    "no content": {
      names: (_path, versions) => versions - 1,
      content: (_path, safe) => safe,
    },
    "content of noughts": {
      names: (_path, versions) => versions - 1,
      content(_path, safe, bytes) {
        const noughts = new Uint8Array(bytes.length);
        noughts.set(safe.subarray(0, bytes.length));
        return noughts;
      },
    },
    "no names": {
      names: () => 0,
      content: (_path, _safe, bytes) => bytes,
    },
    "names of the base directory, not of the spool": {
      names: (path, versions) => path === "" ? versions - 1 : 0,
      content: (_path, _safe, bytes) => bytes,
    },
    "names of the spool, not of the base directory": {
      names: (path, versions) => path === "" ? 0 : versions - 1,
      content: (_path, safe) => safe,
    },
    "some names and some of the content": {
      names: (_path, versions) => Math.floor(random() * versions),
      content(_path, safe, bytes) {
        const length = Math.floor(random() * (bytes.length + 1));
        return bytes.subarray(0, Math.max(length, safe.length));
      },
    },
  };
}

/** Writes what a crash has left into a directory. */
async function lay(
  path: string,
  left: ReadonlyMap<string, Uint8Array | undefined>,
): Promise<void> {
  for (const [name, bytes] of left) {
    if (bytes === undefined) await Deno.mkdir(`${path}/${name}`);
    else await Deno.writeFile(`${path}/${name}`, bytes, { mode: 0o600 });
  }
}

/** The operation with half of its bytes; `undefined` when it is no write. */
function halved(operation: Operation): Operation | undefined {
  if (operation.kind !== "write" || operation.bytes.length < 2) return;
  const { bytes } = operation;
  return { ...operation, bytes: bytes.subarray(0, bytes.length >> 1) };
}

Deno.test("a crash at any operation, of the program or of the machine, loses nothing that was promised", async () => {
  await using directory = await tempDirectory();
  const task = {
    basedir: `${directory.path}/recorded`,
    time: START,
    lives: 2,
    rounds: 9,
    tells: true,
  };
  const { events } = await run(task, nothingTold());
  const random = numbers(1);
  const failures = Object.entries(powerFailures(random));
  const told = nothingTold();
  const before: Operation[] = [];
  /** Every figure that was ever in the spool. */
  const figures = new Map<number, unknown>();
  let points = 0;

  const crash = async (
    what: string,
    disk: DiskModel,
    survival: Survival,
    isPowerFailure: boolean,
  ) => {
    points++;
    const path = `${directory.path}/${points}`;
    await Deno.mkdir(path);
    await lay(path, disk.after(survival));
    try {
      const found = await checkAfterCrash(path, told, isPowerFailure);
      for (const [time, value] of found.figures) {
        if (!isPowerFailure) figures.set(time, value);
        assertEquals(value, figures.get(time), `the figure of ${time}`);
      }
    } catch (error) {
      const last = JSON.stringify(before.at(-1));
      throw new Error(`${what}, after ${before.length} operations: ${last}`, {
        cause: error,
      });
    }
    await Deno.remove(path, { recursive: true });
  };

  const disk = new DiskModel();
  for (const event of events) {
    note(event, told);
    if (!("did" in event)) continue;
    const { did } = event;
    const bytes = Buffer.from(did.bytes ?? "", "base64");
    const operation = { ...did, bytes } as Operation;
    const half = halved(operation);
    if (half) {
      const torn = new DiskModel();
      for (const operation of before) torn.apply(operation);
      torn.apply(half);
      await crash("killed in a write", torn, everything, false);
    }
    before.push(operation);
    disk.apply(operation);
    await crash("killed", disk, everything, false);
    for (const [what, survival] of failures) {
      await crash(what, disk, survival, true);
    }
  }
  say(`${points} crash points of ${before.length} operations`);
  assertEquals(told.rounds.length, 2 * 10);
  assert(points >= 1000, `${points}`);
});

/** Lives of a gatherer on one directory, each ended by kill -9 before one of its operations. */
const KILLED_LIVES = 10;
const DIRECTORIES = 10;

Deno.test(`kill -9 before or within ${DIRECTORIES * KILLED_LIVES} operations, and the gatherer starts again each time`, async () => {
  await using directory = await tempDirectory();
  let killed = 0;
  for (let place = 0; place < DIRECTORIES; place++) {
    const basedir = `${directory.path}/${place}`;
    const told = nothingTold();
    for (let life = 0; life < KILLED_LIVES; life++) {
      const task = {
        basedir,
        time: START + life * 3600_000,
        lives: 2,
        rounds: 3,
        // Each of the first operations of a first life, then all over the later ones.
        killAt: life === 0
          ? 1 + place * 4
          : 1 + (place + life * DIRECTORIES) % 90,
      };
      const { signal } = await run(task, told);
      if (signal === "SIGKILL") killed++;
      const copy = `${basedir}-copy`;
      await copyDirectory(basedir, copy);
      await checkAfterCrash(copy, told);
      await Deno.remove(copy, { recursive: true });
    }
  }
  say(`${killed} of ${DIRECTORIES * KILLED_LIVES} were killed`);
  assertEquals(killed, DIRECTORIES * KILLED_LIVES);
});

async function copyDirectory(from: string, to: string): Promise<void> {
  await Deno.mkdir(to);
  const entries = await Array.fromAsync(Deno.readDir(from)).catch(() => []);
  for (const { name, isDirectory } of entries) {
    if (isDirectory) await copyDirectory(`${from}/${name}`, `${to}/${name}`);
    else await Deno.copyFile(`${from}/${name}`, `${to}/${name}`);
  }
}
