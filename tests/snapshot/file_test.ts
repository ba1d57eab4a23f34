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
  decodeSnapshot,
  encodeNode,
  encodeSnapshot,
  snapshotParts,
} from "../../lib/snapshot/codec.ts";
import {
  loadSnapshot,
  readSnapshotFile,
  writeSnapshot,
} from "../../lib/snapshot/file.ts";
import { FakeClock, settle } from "../fake_clock.ts";
import { node } from "./nodes.ts";

const mode = 0o644;
const isRoot = Deno.build.os !== "windows" && Deno.uid() === 0;
const library = new URL("../../lib/snapshot/file.ts", import.meta.url).href;
const canMount = await mountsTmpfs();

/** A snapshot of one node, by whose key a test knows it again. */
function one(key: string, padding = 0): Uint8Array[] {
  return snapshotParts([encodeNode(node(key, {}, 1, "x".repeat(padding)))]);
}

function bytesOf(key: string): Uint8Array<ArrayBuffer> {
  return encodeSnapshot([encodeNode(node(key, {}, 1, ""))]);
}

/** Runs a test with a directory of its own. */
async function inDirectory(
  fn: (directory: string, path: string) => Promise<void>,
): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    await fn(directory, join(directory, "stats.msgpack"));
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

/** The files of a directory, and the key of the node in each that is a snapshot. */
function list(directory: string): Record<string, string> {
  const files: Record<string, string> = {};
  for (const { name, isFile } of Deno.readDirSync(directory)) {
    if (!isFile) {
      files[name] = "directory";
      continue;
    }
    const bytes = Deno.readFileSync(join(directory, name));
    try {
      files[name] = decodeSnapshot(bytes)[0].key;
    } catch {
      files[name] = `${bytes.length} bytes`;
    }
  }
  return files;
}

Deno.test("writeSnapshot() keeps the one before, and leaves nothing else", () =>
  inDirectory(async (directory, path) => {
    await writeSnapshot(path, one("a"), { mode });
    assertEquals(list(directory), { "stats.msgpack": "a" });
    await writeSnapshot(path, one("b"), { mode });
    assertEquals(list(directory), {
      "stats.msgpack": "b",
      "stats.msgpack.bak": "a",
    });
    await writeSnapshot(path, one("c"), { mode });
    assertEquals(list(directory), {
      "stats.msgpack": "c",
      "stats.msgpack.bak": "b",
    });
  }));

Deno.test("writeSnapshot() writes parts of every size as they are", () =>
  inDirectory(async (_, path) => {
    for (
      const sizes of [[], [0], [3, 0, 5], [2 ** 20], [2 ** 20 + 1, 1], [
        7,
        3 * 2 ** 20 + 5,
        2 ** 20 - 12,
        9,
      ]]
    ) {
      const parts = sizes.map((size, i) => new Uint8Array(size).fill(i + 1));
      await writeSnapshot(path, parts, { mode });
      const expected = new Uint8Array(await new Blob(parts).arrayBuffer());
      assertEquals(await Deno.readFile(path), expected);
    }
  }));

Deno.test({
  name: "writeSnapshot() gives the mode that is asked for, whatever the umask",
  ignore: Deno.build.os === "windows",
  fn: () =>
    inDirectory(async (_, path) => {
      const modes = [0o600, 0o640, 0o644];
      const program = `
        import { writeSnapshot } from ${JSON.stringify(library)};
        for (const mode of ${JSON.stringify(modes)}) {
          await writeSnapshot(Deno.args[0] + mode, [], { mode });
        }`;
      for (const umask of ["000", "022", "177"]) {
        // In a process of its own: the umask is the whole process's.
        await run(
          "sh",
          "-c",
          `umask ${umask}; exec "$0" "$@"`,
          Deno.execPath(),
          "eval",
          "--no-config",
          program,
          `${path}-${umask}-`,
        );
        for (const mode of modes) {
          const { mode: given } = await Deno.stat(`${path}-${umask}-${mode}`);
          assertEquals(given! & 0o777, mode);
        }
      }
    }),
});

Deno.test("writeSnapshot() does away with what an interrupted write has left", () =>
  inDirectory(async (directory, path) => {
    await Deno.writeFile(path, bytesOf("a"));
    await Deno.writeTextFile(`${path}.tmp`, "half");
    // Second names of one file: to rename one over the other does nothing at all.
    await Deno.link(path, `${path}.bak`);
    await Deno.link(path, `${path}.bak.tmp`);
    await writeSnapshot(path, one("b"), { mode });
    assertEquals(list(directory), {
      "stats.msgpack": "b",
      "stats.msgpack.bak": "a",
    });
  }));

Deno.test("writeSnapshot() does not write through a link that lies in its way", () =>
  inDirectory(async (directory, path) => {
    const victim = join(directory, "victim");
    await Deno.writeTextFile(victim, "precious");
    await Deno.symlink(victim, `${path}.tmp`);
    await writeSnapshot(path, one("a"), { mode });
    assertEquals(await Deno.readTextFile(victim), "precious");
    assertEquals(list(directory), { victim: "8 bytes", "stats.msgpack": "a" });
  }));

Deno.test("whoever reads while snapshots are written finds a whole one at every moment", () =>
  inDirectory(async (_, path) => {
    await writeSnapshot(path, one("0"), { mode });
    let writing = true;
    const writes = (async () => {
      for (let round = 1; round <= 100; round++) {
        await writeSnapshot(path, one(`${round}`, round * 5000), { mode });
      }
      writing = false;
    })();
    let reads = 0;
    let last = 0;
    while (writing) {
      const [{ key }] = decodeSnapshot(await Deno.readFile(path));
      assert(Number(key) >= last, `${key} after ${last}`);
      last = Number(key);
      reads++;
    }
    await writes;
    assert(reads > 20, `only ${reads} reads`);
  }));

Deno.test("writeSnapshot() says why it cannot write, and touches nothing", async () => {
  await inDirectory(async (directory, path) => {
    const error = await assertRejects(
      () => writeSnapshot(join(directory, "no", "s"), one("a"), { mode }),
      UserError,
    );
    assertEquals(
      error.message,
      `cannot write the snapshot ${
        JSON.stringify(join(directory, "no", "s"))
      }: ` +
        "its directory does not exist; create it or give another",
    );
    await Deno.mkdir(path);
    await assertRejects(
      () => writeSnapshot(path, one("a"), { mode }),
      UserError,
      `cannot write the snapshot ${JSON.stringify(path)}: `,
    );
    assertEquals(list(directory), { "stats.msgpack": "directory" });
  });
  await inDirectory(async (directory, path) => {
    await writeSnapshot(path, one("a"), { mode });
    await Deno.mkdir(`${path}.bak`);
    await assertRejects(
      () => writeSnapshot(path, one("b"), { mode }),
      UserError,
      "is written, but has no new backup: ",
    );
    assertEquals(list(directory), {
      "stats.msgpack": "b",
      "stats.msgpack.bak": "directory",
    });
  });
});

Deno.test({
  name: "writeSnapshot() says that a directory is not writable" +
    (isRoot ? " (skipped: root may write everywhere)" : ""),
  ignore: isRoot || Deno.build.os === "windows",
  fn: () =>
    inDirectory(async (directory, path) => {
      await writeSnapshot(path, one("a"), { mode });
      await Deno.chmod(directory, 0o555);
      try {
        await assertRejects(
          () => writeSnapshot(path, one("b"), { mode }),
          UserError,
          "permission denied; its directory must be writable for this user",
        );
        assertEquals(list(directory), { "stats.msgpack": "a" });
      } finally {
        await Deno.chmod(directory, 0o755);
      }
    }),
});

Deno.test({
  name: "a full disk and a read-only one cost neither snapshot nor backup" +
    (canMount ? "" : " (skipped: no tmpfs can be mounted)"),
  ignore: !canMount,
  fn: () =>
    inDirectory(async (directory) => {
      await run("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", directory);
      try {
        const path = join(directory, "stats.msgpack");
        await writeSnapshot(path, one("a"), { mode });
        await writeSnapshot(path, one("b"), { mode });
        const good = { "stats.msgpack": "b", "stats.msgpack.bak": "a" };
        for (const padding of [70_000, 10_000_000]) {
          const error = await assertRejects(
            () => writeSnapshot(path, one("c", padding), { mode }),
            UserError,
          );
          assertStringIncludes(error.message, JSON.stringify(path));
          assertStringIncludes(error.message, "no space is left");
          assertEquals(list(directory), good);
        }
        await writeSnapshot(path, one("d"), { mode });
        await run("mount", "-o", "remount,ro", directory);
        await assertRejects(
          () => writeSnapshot(path, one("e"), { mode }),
          UserError,
          "the file system is read-only",
        );
        assertEquals(list(directory), {
          "stats.msgpack": "d",
          "stats.msgpack.bak": "b",
        });
      } finally {
        await run("umount", directory);
      }
    }),
});

const STAMP = "20231114T221320Z";

Deno.test("loadSnapshot() recovers from every kind of damage, and overwrites none of it", async () => {
  type Files = Record<string, Uint8Array | string>;
  const f = (
    files: Files,
    expected: {
      source: "snapshot" | "backup" | "none";
      key?: string;
      left: Record<string, string>;
      notes?: string[];
    },
  ) =>
    inDirectory(async (directory, path) => {
      for (const [suffix, content] of Object.entries(files)) {
        if (typeof content === "string") {
          await Deno.writeTextFile(path + suffix, content);
        } else {
          await Deno.writeFile(path + suffix, content);
        }
      }
      const loaded = await loadSnapshot(path, new FakeClock());
      assertEquals(loaded.source, expected.source);
      assertEquals(
        loaded.nodes.map(({ key }) => key),
        expected.key ? [expected.key] : [],
      );
      assertEquals(
        list(directory),
        Object.fromEntries(
          Object.entries(expected.left).map((
            [suffix, content],
          ) => [`stats.msgpack${suffix}`, content]),
        ),
      );
      assertEquals(
        loaded.notes.map((note) => note.replaceAll(path, "S")),
        expected.notes ?? [],
      );
    });
  const aside = `.unreadable-${STAMP}`;
  const neither = (name: string, reason: string, suffix = "") =>
    `"S${name}" cannot be read as a snapshot: ${reason}; set aside as "S${name}${aside}${suffix}"`;
  const cut = bytesOf("a").subarray(0, -1);
  const cutShort =
    `the file ends in the middle of the snapshot (byte ${cut.length})`;
  const foreign = "expected a map, found an integer (byte 0)";

  await f({}, { source: "none", left: {} });
  await f({ "": bytesOf("a") }, {
    source: "snapshot",
    key: "a",
    left: { "": "a" },
  });
  await f({ "": bytesOf("a"), ".bak": "rubbish" }, {
    source: "snapshot",
    key: "a",
    left: { "": "a", ".bak": "7 bytes" },
  });
  await f({ ".bak": bytesOf("b") }, {
    source: "backup",
    key: "b",
    left: { ".bak": "b" },
    notes: ['using the backup "S.bak"'],
  });
  await f({ "": "", ".bak": bytesOf("b") }, {
    source: "backup",
    key: "b",
    left: { ".bak": "b", [aside]: "0 bytes" },
    notes: [
      neither("", "the file is empty (byte 0)"),
      'using the backup "S.bak"',
    ],
  });
  await f({ "": cut, ".bak": bytesOf("b") }, {
    source: "backup",
    key: "b",
    left: { ".bak": "b", [aside]: `${cut.length} bytes` },
    notes: [neither("", cutShort), 'using the backup "S.bak"'],
  });
  await f({ "": "foreign" }, {
    source: "none",
    left: { [aside]: "7 bytes" },
    notes: [neither("", foreign)],
  });
  // A stats.json may hold what we would leave out: it is kept, not replaced.
  await f({ "": "{}" }, {
    source: "none",
    left: { [aside]: "2 bytes" },
    notes: [neither("", foreign)],
  });
  await f({ "": "foreign", ".bak": cut }, {
    source: "none",
    left: { [aside]: "7 bytes", [`.bak${aside}`]: `${cut.length} bytes` },
    notes: [neither("", foreign), neither(".bak", cutShort)],
  });
  await f({ "": "foreign", [aside]: "older", [`${aside}-2`]: "oldest" }, {
    source: "none",
    left: {
      [aside]: "5 bytes",
      [`${aside}-2`]: "6 bytes",
      [`${aside}-3`]: "7 bytes",
    },
    notes: [neither("", foreign, "-3")],
  });
  await f({ "": bytesOf("a"), ".tmp": "half", ".bak.tmp": bytesOf("z") }, {
    source: "snapshot",
    key: "a",
    left: { "": "a" },
    notes: [
      'removed "S.tmp", left by a write that was cut short',
      'removed "S.bak.tmp", left by a write that was cut short',
    ],
  });
});

Deno.test("what was used as backup survives the next write", () =>
  inDirectory(async (directory, path) => {
    await Deno.writeTextFile(path, "foreign");
    await Deno.writeFile(`${path}.bak`, bytesOf("b"));
    await loadSnapshot(path, new FakeClock());
    await writeSnapshot(path, one("c"), { mode });
    assertEquals(list(directory), {
      "stats.msgpack": "c",
      "stats.msgpack.bak": "b",
      [`stats.msgpack.unreadable-${STAMP}`]: "7 bytes",
    });
  }));

Deno.test("loadSnapshot() stops at a file that the system does not let it read", () =>
  inDirectory(async (directory, path) => {
    await Deno.writeFile(`${path}.bak`, bytesOf("b"));
    await Deno.mkdir(path);
    const error = await assertRejects(
      () => loadSnapshot(path, systemClock),
      UserError,
    );
    assertEquals(
      error.message,
      `cannot read the snapshot ${
        JSON.stringify(path)
      }: it is a directory, not a file; ` +
        "it is not overwritten: mend this, or move it away, and start again",
    );
    assertEquals(list(directory), {
      "stats.msgpack": "directory",
      "stats.msgpack.bak": "b",
    });
  }));

Deno.test({
  name:
    "a file without permission is an error with a hint, and is not set aside" +
    (isRoot ? " (skipped: root may read everything)" : ""),
  ignore: isRoot || Deno.build.os === "windows",
  fn: () =>
    inDirectory(async (directory, path) => {
      await Deno.writeFile(path, bytesOf("a"), { mode: 0o000 });
      await Deno.writeFile(`${path}.bak`, bytesOf("b"));
      for (const read of [loadSnapshot, readSnapshotFile]) {
        const error = await assertRejects<Error>(
          () => read(path, systemClock),
          UserError,
        );
        assertStringIncludes(error.message, JSON.stringify(path));
        assertStringIncludes(
          error.message,
          "permission denied; the file must be readable",
        );
        assertStringIncludes(error.message, '"user" in plugin-conf.d');
      }
      await Deno.chmod(path, 0o644);
      assertEquals(list(directory), {
        "stats.msgpack": "a",
        "stats.msgpack.bak": "b",
      });
    }),
});

Deno.test("readSnapshotFile() reads a file, or a base directory's snapshot", () =>
  inDirectory(async (directory, path) => {
    await Deno.writeFile(path, bytesOf("a"));
    assertEquals(await readSnapshotFile(path, systemClock), bytesOf("a"));
    assertEquals(await readSnapshotFile(directory, systemClock), bytesOf("a"));
  }));

Deno.test("readSnapshotFile() looks once more after 100 ms for a file that is missing", () =>
  inDirectory(async (_, path) => {
    const clock = new FakeClock();
    const found = readSnapshotFile(path, clock);
    while (clock.pending === 0) await settleIo();
    await clock.advance(99);
    assertEquals(clock.pending, 1);
    await Deno.writeFile(path, bytesOf("a"));
    await clock.advance(1);
    assertEquals(await found, bytesOf("a"));

    const missing = assertRejects(
      () => readSnapshotFile(`${path}2`, clock),
      UserError,
    );
    while (clock.pending === 0) await settleIo();
    await clock.advance(100);
    assertStringIncludes(
      (await missing).message,
      `cannot read the snapshot ${JSON.stringify(`${path}2`)}: no such file`,
    );
    assertEquals(clock.pending, 0);
  }));

Deno.test("readSnapshotFile() names file and reason for whatever else is wrong", () =>
  inDirectory(async (directory, path) => {
    await Deno.mkdir(path);
    await assertRejects(
      () => readSnapshotFile(directory, systemClock),
      UserError,
      `cannot read the snapshot ${
        JSON.stringify(path)
      }: it is a directory, not a file`,
    );
    await Deno.writeTextFile(join(directory, "file"), "");
    await assertRejects(
      () => readSnapshotFile(join(directory, "file", "x"), systemClock),
      UserError,
      `cannot read the snapshot ${
        JSON.stringify(join(directory, "file", "x"))
      }: Not a directory`,
    );
  }));

/** Lets what the system has to do get done. */
async function settleIo(): Promise<void> {
  await settle();
  await new Promise((resolve) => setTimeout(resolve, 0));
}

async function run(...command: string[]): Promise<void> {
  const [program, ...args] = command;
  const { success } = await new Deno.Command(program, {
    args,
    stdout: "null",
    stderr: "null",
  }).output();
  if (!success) throw new Error(`${command.join(" ")} failed`);
}

/** Whether this machine lets us make a small disk of our own. */
async function mountsTmpfs(): Promise<boolean> {
  const directory = await Deno.makeTempDir();
  try {
    await run("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", directory);
    await run("umount", directory);
    return true;
  } catch {
    return false;
  } finally {
    await Deno.remove(directory);
  }
}
