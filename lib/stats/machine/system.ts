import { stat, statfs } from "node:fs/promises";
import { type Clock, sleep } from "../../clock.ts";
import { PROC_FILES } from "./proc.ts";

/** What a file system has, in bytes and in files. */
export interface DiskSpace {
  readonly total: bigint;
  readonly free: bigint;
  /** Of what is free, what others than root may take. */
  readonly available: bigint;
  /** Files that there can be; 0: as many as there is space for. */
  readonly files: bigint;
  readonly freeFiles: bigint;
}

/** A machine, as far as a program is told of it. Everything may throw. */
export interface MachineSystem {
  /** Over 1, 5 and 15 minutes. */
  loadAverages(): readonly number[];
  memory(): Pick<
    Deno.SystemMemoryInfo,
    "total" | "free" | "available" | "swapTotal" | "swapFree"
  >;
  /** Seconds since the boot. */
  uptime(): number;
  /** The text of {@linkcode PROC_FILES}; `undefined` where there are none. */
  proc: (() => Promise<string>) | undefined;
  /** The file system that a directory is on. */
  diskSpace(path: string): Promise<DiskSpace>;
  isDirectory(path: string): Promise<boolean>;
}

/** How long the program that reads `/proc` may take, in milliseconds. It takes three. */
const PROC_MS = 2000;
/** Characters of `/proc` that are taken: a machine with ten thousand mounts has a tenth of it. */
const PROC_BYTES = 8 * 1024 * 1024;

/**
 * This machine. The runtime tells of load, memory, uptime and disks (`--allow-sys=loadavg,
 * systemMemoryInfo,osUptime,statfs`); files of `/proc` it lets nobody read who has not all
 * permissions, so that one `cat` reads them for us at each poll (`--allow-run`).
 */
export function thisMachine(clock: Clock): MachineSystem {
  return {
    loadAverages: () => Deno.loadavg(),
    memory: () => Deno.systemMemoryInfo(),
    uptime: () => Deno.osUptime(),
    proc: Deno.build.os === "linux" ? () => catProc(clock) : undefined,
    async diskSpace(path) {
      const { bsize, blocks, bfree, bavail, files, ffree, ...more } =
        await statfs(path, { bigint: true });
      // The size that blocks are counted in; others call the best size to write by "bsize".
      const { frsize = bsize } = more as { frsize?: bigint };
      return {
        total: blocks * frsize,
        free: bfree * frsize,
        available: bavail * frsize,
        files,
        freeFiles: ffree,
      };
    },
    async isDirectory(path) {
      return (await stat(path)).isDirectory();
    },
  };
}

async function catProc(clock: Clock): Promise<string> {
  const child = new Deno.Command("cat", {
    args: [...PROC_FILES],
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const over = new AbortController();
  const late = sleep(clock, PROC_MS, over.signal).then(
    () => {
      throw new Error(`/proc was not read within ${PROC_MS / 1000} s`);
    },
    () => {},
  );
  try {
    return await Promise.race([textOf(child.stdout), late]) as string;
  } finally {
    over.abort();
    try {
      child.kill("SIGKILL");
    } catch {
      // It has ended, as it should.
    }
    await child.status;
  }
}

async function textOf(stream: ReadableStream<Uint8Array>): Promise<string> {
  let text = "";
  for await (const part of stream.pipeThrough(new TextDecoderStream())) {
    text += part;
    if (text.length > PROC_BYTES) throw new Error("/proc has too much to say");
  }
  return text;
}
