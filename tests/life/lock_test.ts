import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { join } from "@std/path";
import { systemClock } from "../../lib/clock.ts";
import { UserError } from "../../lib/errors.ts";
import {
  AlreadyRunning,
  BaseDirLock,
  findRunning,
  isAlive,
  type LockFile,
  type LockOptions,
} from "../../lib/life/lock.ts";

const options = { clock: systemClock };

async function inTempDir(
  test: (dir: string) => Promise<void>,
): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "gatherer-lock-" });
  try {
    await test(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

/** A process that lives as long as it is wanted. */
function living(): Deno.ChildProcess {
  return new Deno.Command("sleep", { args: ["3600"] }).spawn();
}

Deno.test("a lock is taken once, also by those who only look meanwhile", async () => {
  await inTempDir(async (dir) => {
    assertEquals(await findRunning(dir), undefined);
    using lock = await BaseDirLock.take(dir, options);
    assertEquals(lock.warning, undefined);
    const error = await assertRejects(
      () => BaseDirLock.take(dir, options),
      AlreadyRunning,
    );
    assertEquals([error.pid, error.exitCode], [Deno.pid, 1]);
    using running = await findRunning(dir);
    assertEquals(running?.pid, Deno.pid);
    assertEquals(await running?.isThere(), true);
    await lock.release();
    // Until the process has ended, it is there.
    assertEquals(await running?.isThere(), true);
    assertEquals([...Deno.readDirSync(dir)], []);
  });
});

Deno.test("whoever looks does not keep a gatherer from starting", async () => {
  await inTempDir(async (dir) => {
    const path = join(dir, "gatherer.pid");
    await Deno.writeTextFile(path, "1\n");
    const looker = await Deno.open(path);
    assertEquals(await looker.tryLock(false), true);
    const taken = BaseDirLock.take(dir, options);
    // It waits for the looker, and no longer.
    looker.close();
    (await taken)[Symbol.dispose]();
  });
});

Deno.test("a pid file that somebody holds for long is said to be locked", async () => {
  await inTempDir(async (dir) => {
    const path = join(dir, "gatherer.pid");
    using looker = await Deno.open(path, { write: true, create: true });
    await looker.lock(false);
    const error = await assertRejects(
      () => BaseDirLock.take(dir, options),
      UserError,
    );
    assertEquals(error.message, `${path} is locked by another program`);
  });
});

Deno.test("a directory that is missing is made, and one that cannot be written is said", async () => {
  await inTempDir(async (dir) => {
    const made = join(dir, "made");
    (await BaseDirLock.take(made, { ...options, private: true }))
      [Symbol.dispose]();
    assertEquals((await Deno.stat(made)).mode! & 0o777, 0o700);
    const file = join(dir, "file");
    await Deno.writeTextFile(file, "");
    for (const path of [file, join(dir, "no", "such")]) {
      const error = await assertRejects(
        () => BaseDirLock.take(path, options),
        UserError,
      );
      assertStringIncludes(error.message, path);
    }
    await assertRejects(() => findRunning(join(dir, "none")), UserError);
  });
});

Deno.test("a pid file that was removed is made again, and not a new one's taken", async () => {
  await inTempDir(async (dir) => {
    const path = join(dir, "gatherer.pid");
    using first = await BaseDirLock.take(dir, options);
    assertEquals(await first.check(), undefined);
    await Deno.remove(path);
    assertEquals(
      await first.check(),
      `${path} had been removed, and is there again`,
    );
    assertEquals(await first.check(), undefined);
    assertEquals(await Deno.readTextFile(path), `${Deno.pid}\n`);
    await assertRejects(() => BaseDirLock.take(dir, options), AlreadyRunning);

    await Deno.remove(path);
    using second = await BaseDirLock.take(dir, options);
    await assertRejects(() => first.check(), AlreadyRunning);
    await first.release();
    assertEquals(await second.check(), undefined);
  });
});

/** Opens files of a file system that has no locks. */
const withoutLocks: NonNullable<LockOptions["open"]> = async (path, write) => {
  const file = await Deno.open(path, {
    read: true,
    write,
    create: write,
  });
  const refuse = () =>
    Promise.reject(new Error("Operation not supported (os error 95)"));
  return new Proxy<LockFile>(file, {
    get(target, name) {
      if (name === "tryLock") return refuse;
      const value = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
};

Deno.test("without locks the number decides, and how to go on is said", async () => {
  await inTempDir(async (dir) => {
    const path = join(dir, "gatherer.pid");
    const unlocked = { ...options, open: withoutLocks };
    const other = living();
    await Deno.writeTextFile(path, `${other.pid}\n`);
    assertEquals((await findRunning(dir, withoutLocks))?.pid, other.pid);
    const error = await assertRejects(
      () => BaseDirLock.take(dir, unlocked),
      UserError,
    );
    assertStringIncludes(error.message, `process ${other.pid} seems to be`);
    assertStringIncludes(error.message, `remove ${path}`);
    other.kill("SIGKILL");
    await other.status;
    assertEquals(isAlive(other.pid), false);
    assertEquals(await findRunning(dir, withoutLocks), undefined);
    using lock = await BaseDirLock.take(dir, unlocked);
    assertStringIncludes(lock.warning ?? "", "has no locks");
    assertEquals(await Deno.readTextFile(path), `${Deno.pid}\n`);
    assert(isAlive(Deno.pid));
  });
});
