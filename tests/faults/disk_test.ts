/** Disks that are full or broken, and a base directory that is lost. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { UserError } from "../../lib/errors.ts";
import { BaseDir } from "../../lib/gatherer/basedir.ts";
import { snapshotParts } from "../../lib/snapshot/codec.ts";
import { writeSnapshot } from "../../lib/snapshot/file.ts";
import { SegmentStore } from "../../lib/spool/store.ts";
import { captureLog } from "../log_capture.ts";
import { tempDirectory } from "../spool/segments.ts";
import { type Operation, systemError, watchFiles } from "./file_layer.ts";
import { builtScript } from "../executable.ts";
import { about, startProgram } from "./process.ts";
import { startWorld, type World } from "./world.ts";

/** A disk that can be made to fail, under the files of a directory. */
class Disk implements Disposable {
  /** What the system says to every attempt to change something; `undefined`: the disk is well. */
  fault: string | undefined;
  readonly #layer: Disposable;
  #half = false;

  constructor(root: string) {
    this.#layer = watchFiles(root, { before: (did) => this.#before(did) });
  }

  [Symbol.dispose](): void {
    this.#layer[Symbol.dispose]();
  }

  #before(operation: Operation): number | void {
    if (this.fault === undefined) return;
    const { kind } = operation;
    if (this.fault !== "ENOSPC") {
      // Names can be looked up, and a file that is not there be found missing.
      if (kind === "remove" || kind === "sync-directory") return;
      throw systemError(this.fault);
    }
    // Of what is written some may still fit.
    if (kind !== "write") return;
    this.#half = !this.#half;
    if (this.#half) return operation.bytes.length >> 1;
    throw systemError(this.fault);
  }
}

const isOfPlugin = /^(error|info) the plugin /;

/** What the directory has, by name and size. */
async function contents(path: string): Promise<Record<string, number>> {
  const found: Record<string, number> = {};
  for await (const { name, isDirectory } of Deno.readDir(path)) {
    if (isDirectory) {
      const inside = await contents(`${path}/${name}`);
      for (const [file, size] of Object.entries(inside)) {
        found[`${name}/${file}`] = size;
      }
    } else {
      found[name] = (await Deno.stat(`${path}/${name}`)).size;
    }
  }
  return found;
}

/** Rounds with a fault in between: what is kept, what is said, and that it goes on afterwards. */
async function throughFault(
  world: World,
  lines: readonly string[],
  begin: () => void | Promise<void>,
  end: () => void | Promise<void>,
): Promise<void> {
  const { clock } = world;
  const good = clock.now();
  await begin();
  for (let i = 0; i < 3; i++) await world.round();
  await world.attaches();
  assertEquals(about(lines, isOfPlugin).length, 2, lines.join("\n"));
  await end();
  const back: number[] = [];
  for (let i = 0; i < 3; i++) {
    await world.round();
    assertEquals(await world.inSnapshot(), clock.now());
    back.push(clock.now());
  }
  assertEquals(about(lines, isOfPlugin).length, 4, lines.join("\n"));
  assertEquals((await world.inSpool()).slice(-4), [good, ...back]);
  assertEquals(
    world.gatherer.status().plugins.filter(({ failing }) => failing),
    [],
  );
}

const FULL = {
  snapshot: "no space is left on the device; the one before is kept, make room",
  spool: "no space is left for it; what is there can still be read, make room",
};

const faults: Record<string, { snapshot: string; spool: string }> = {
  ENOSPC: FULL,
  EROFS: {
    snapshot: "the file system is read-only",
    spool: "read-only file system",
  },
  EIO: { snapshot: "Input/output error", spool: "input/output error" },
};

for (const [fault, says] of Object.entries(faults)) {
  Deno.test(`a disk with ${fault} in mid-life costs the rounds that it lasts, in one line each way for each thing`, async () => {
    await using directory = await tempDirectory();
    const basedir = `${directory.path}/base`;
    using disk = new Disk(basedir);
    await using log = await captureLog();
    await using world = await startWorld(basedir);
    await world.round();
    await world.round();
    const good = world.clock.now();
    await throughFault(
      world,
      log.lines,
      () => void (disk.fault = fault),
      async () => {
        assertEquals(await world.inSnapshot(), good);
        assertEquals(
          await world.inSnapshot("stats.msgpack.bak"),
          good - 60_000,
        );
        assertEquals((await world.inSpool()).at(-1), good);
        disk.fault = undefined;
      },
    );
    assertEquals(about(log.lines, isOfPlugin).sort(), [
      `error the plugin snapshot failed: cannot write the snapshot "${basedir}/stats.msgpack": ${says.snapshot}`,
      `error the plugin spool failed: cannot write the spool "${basedir}/spool": ${says.spool}`,
      "info the plugin snapshot works again",
      "info the plugin spool works again",
    ]);
    const left = Object.keys(await contents(basedir));
    assertEquals(left.filter((name) => name.endsWith(".tmp")), []);
  });
}

Deno.test("a full disk at the first start is one line, and leaves nothing half written", async () => {
  await using directory = await tempDirectory();
  const basedir = `${directory.path}/base`;
  using disk = new Disk(basedir);
  await using log = await captureLog();
  disk.fault = "ENOSPC";
  await assertRejects(
    () => startWorld(basedir),
    UserError,
    `cannot write ${basedir}/stats_gatherer.pem: no space left on device`,
  );
  assertEquals([await contents(basedir), log.lines], [{}, []]);
  disk.fault = undefined;
  await using world = await startWorld(basedir);
  assertEquals(await world.inSnapshot(), world.clock.now());
});

Deno.test("a full disk at a later start costs neither snapshot nor identity", async () => {
  await using directory = await tempDirectory();
  const basedir = `${directory.path}/base`;
  using disk = new Disk(basedir);
  const first = await startWorld(basedir);
  await first.round();
  const { furl } = first.gatherer;
  const good = first.clock.now();
  await first.gatherer.stop();
  const before = await contents(basedir);
  disk.fault = "ENOSPC";
  await using log = await captureLog();
  await assertRejects(() => startWorld(basedir), UserError, basedir);
  assertEquals(about(log.lines, / failed: /).sort(), [
    `error the plugin snapshot failed: cannot write the snapshot "${basedir}/stats.msgpack": ${FULL.snapshot}`,
    `error the plugin spool failed: cannot write the spool "${basedir}/spool": ${FULL.spool}`,
  ]);
  assertEquals(await contents(basedir), before);
  assertEquals(await first.inSnapshot(), good);
  disk.fault = undefined;
  await using second = await startWorld(basedir);
  assertEquals(second.gatherer.furl, furl);
});

Deno.test("a base directory that is moved away is not made anew; when it is back, all goes on", async () => {
  await using directory = await tempDirectory();
  const basedir = `${directory.path}/base`;
  const away = `${directory.path}/away`;
  await using log = await captureLog();
  await using world = await startWorld(basedir);
  await world.round();
  let before: Record<string, number> | undefined;
  await throughFault(
    world,
    log.lines,
    async () => {
      before = await contents(basedir);
      await Deno.rename(basedir, away);
    },
    async () => {
      assertEquals(
        [...Deno.readDirSync(directory.path)].map(({ name }) => name),
        ["away"],
      );
      assertEquals(await contents(away), before);
      await Deno.rename(away, basedir);
    },
  );
  const lines = about(log.lines, isOfPlugin);
  assert(lines.some((line) => line.includes("the plugin snapshot failed")));
  assert(lines.some((line) => line.includes("the plugin spool failed")));
});

Deno.test({
  name:
    "a base directory that becomes read-only costs the snapshots of that time; a start on it is one line",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    await using executable = await builtScript();
    const basedir = `${executable.dir}/base`;
    await Deno.mkdir(basedir);
    // For root there is no such thing.
    const user = Deno.uid() === 0 ? { uid: 65534, gid: 65534 } : {};
    if (user.uid) await Deno.chown(basedir, user.uid, user.gid);
    const serve = () =>
      startProgram(executable.path, {
        args: [
          ...["serve", "--basedir", basedir, "--interval", "1"],
          ...["--hostname", "127.0.0.1"],
        ],
        ...user,
      });
    await using gatherer = serve();
    const plugin = () => about(gatherer.stderr, isOfPlugin);
    await gatherer.until(() => gatherer.stdout.length > 0);
    await Deno.chmod(basedir, 0o555);
    await gatherer.until(() => plugin().length > 0);
    await Deno.chmod(basedir, 0o755);
    await gatherer.until(() => plugin().length > 1);
    assertEquals(plugin(), [
      `error the plugin snapshot failed: cannot write the snapshot "${basedir}/stats.msgpack": ` +
      "permission denied; its directory must be writable for this user",
      "info the plugin snapshot works again",
    ]);
    assertEquals((await gatherer.end()).code, 0);
    // Nobody runs there now.
    await Deno.chmod(basedir, 0o555);
    await using next = serve();
    assertEquals((await next.ended()).code, 1);
    assertEquals(next.stdout, []);
    assertEquals(next.stderr, [
      `gatherer: cannot write ${basedir}/gatherer.pid: permission denied`,
    ]);
    await Deno.chmod(basedir, 0o755);
  },
});

Deno.test("a spool that is removed is begun anew", async () => {
  await using directory = await tempDirectory();
  const basedir = `${directory.path}/base`;
  await using log = await captureLog();
  await using world = await startWorld(basedir);
  await world.round();
  await Deno.remove(`${basedir}/spool`, { recursive: true });
  await world.round();
  await world.round();
  assertEquals(await world.inSpool(), [
    world.clock.now() - 60_000,
    world.clock.now(),
  ]);
  assertEquals(about(log.lines, isOfPlugin), []);
});

Deno.test("where the base directory was there is another one: nothing is written into it", async () => {
  await using directory = await tempDirectory();
  const path = `${directory.path}/base`;
  const basedir = await BaseDir.open(path, 0o755);
  await basedir.identity();
  const guard = () => basedir.check();
  const store = new SegmentStore({
    directory: `${path}/spool`,
    mode: 0o644,
    maxBytes: 1e6,
    maxAgeMs: 1e9,
    guard,
  });
  await store.open();
  const write = async (time: number) => {
    store.endIfDue(time);
    await store.append(Uint8Array.of(1, 2, 3), time);
    await writeSnapshot(`${path}/stats.msgpack`, snapshotParts([]), {
      mode: 0o644,
      guard,
    });
  };
  await write(0);
  await Deno.rename(path, `${directory.path}/away`);
  const gone = `the base directory ${path} is gone; put it back`;
  await assertRejects(() => write(1), UserError, gone);
  assertEquals([...Deno.readDirSync(directory.path)].length, 1);
  // As where a file system was mounted.
  await Deno.mkdir(path);
  const other =
    `the base directory ${path} is another one than at the start, without this gatherer's key: ` +
    "nothing is written into it; put back the one that was there, or start the gatherer again";
  await assertRejects(
    () => write(2),
    UserError,
    `cannot write the spool "${path}/spool": ${other}`,
  );
  await assertRejects(
    () =>
      writeSnapshot(`${path}/stats.msgpack`, snapshotParts([]), {
        mode: 0o644,
        guard,
      }),
    UserError,
    `cannot write the snapshot "${path}/stats.msgpack": ${other}`,
  );
  // Nor into one that is another gatherer's.
  await (await BaseDir.open(path, 0o755)).identity();
  await assertRejects(() => write(3), UserError, other);
  assertEquals(Object.keys(await contents(path)), ["stats_gatherer.pem"]);
  // One that was put back from a copy has the key.
  await Deno.remove(path, { recursive: true });
  await Deno.mkdir(path);
  await Deno.copyFile(
    `${directory.path}/away/stats_gatherer.pem`,
    `${path}/stats_gatherer.pem`,
  );
  await write(4);
  assertEquals(Object.keys(await contents(path)).sort(), [
    "spool/0000000002-0.spool",
    "stats.msgpack",
    "stats_gatherer.pem",
  ]);
  store.end();
});

Deno.test({
  name: "a real disk that is full" +
    (canMount() ? "" : " (skipped: no tmpfs can be mounted)"),
  ignore: !canMount(),
  fn: async () => {
    await using directory = await tempDirectory();
    await mount("-t", "tmpfs", "-o", "size=256k", "tmpfs", directory.path);
    try {
      const basedir = `${directory.path}/base`;
      const filler = `${directory.path}/filler`;
      await using log = await captureLog();
      await using world = await startWorld(basedir);
      await world.round();
      const good = world.clock.now();
      await fill(filler);
      // Some rounds still fit into the last page of the spool's file.
      for (let i = 0; i < 50; i++) await world.round();
      await world.attaches();
      assertEquals(about(log.lines, isOfPlugin).length, 2);
      assertEquals(await world.inSnapshot(), good);
      await Deno.remove(filler);
      for (let i = 0; i < 3; i++) {
        await world.round();
        assertEquals(await world.inSnapshot(), world.clock.now());
        assertEquals((await world.inSpool()).at(-1), world.clock.now());
      }
      assertEquals(about(log.lines, isOfPlugin).sort(), [
        `error the plugin snapshot failed: cannot write the snapshot "${basedir}/stats.msgpack": ${FULL.snapshot}`,
        `error the plugin spool failed: cannot write the spool "${basedir}/spool": ${FULL.spool}`,
        "info the plugin snapshot works again",
        "info the plugin spool works again",
      ]);
    } finally {
      await run("umount", directory.path);
    }
  },
});

/** Writes a file until the disk is full. */
async function fill(path: string): Promise<void> {
  using file = await Deno.open(path, { append: true, create: true });
  const bytes = new Uint8Array(1024);
  try {
    while (true) await file.write(bytes);
  } catch (error) {
    assertEquals((error as { code?: string }).code, "ENOSPC");
  }
}

function canMount(): boolean {
  if (Deno.build.os !== "linux" || Deno.uid() !== 0) return false;
  const { success } = new Deno.Command("unshare", {
    args: ["--mount", "sh", "-c", "mount -t tmpfs tmpfs /mnt"],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).outputSync();
  return success;
}

const mount = (...args: string[]) => run("mount", ...args);

async function run(command: string, ...args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(command, { args })
    .output();
  assert(success, new TextDecoder().decode(stderr));
}
