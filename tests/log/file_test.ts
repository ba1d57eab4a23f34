import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { UserError } from "../../lib/errors.ts";
import { LogFile, type LogFileOptions } from "../../lib/log/file.ts";
import { FakeClock } from "../fake_clock.ts";
import { line } from "./records.ts";

/** A directory with a log file whose lines are their texts only. */
async function setUp(options: Partial<LogFileOptions> = {}) {
  const directory = await Deno.makeTempDir();
  const path = `${directory}/gatherer.log`;
  const clock = new FakeClock();
  const complaints: string[] = [];
  const open = (changed: Partial<LogFileOptions> = {}) =>
    new LogFile({
      path,
      format: ({ text }) => text,
      maxBytes: 0,
      keep: 3,
      clock,
      complain: (text) => complaints.push(text),
      ...options,
      ...changed,
    });
  return {
    directory,
    path,
    clock,
    open,
    /** What was complained of, with the file's name as FILE. */
    complaints: () =>
      complaints.splice(0).map((text) =>
        text.replaceAll(JSON.stringify(path), "FILE")
      ),
    read: (suffix = "") => Deno.readTextFileSync(path + suffix),
    names: () =>
      [...Deno.readDirSync(directory)].map(({ name }) => name).sort(),
    [Symbol.asyncDispose]: () => Deno.remove(directory, { recursive: true }),
  };
}

Deno.test("lines are appended, to a file that its group may read", async () => {
  await using it = await setUp();
  const file = it.open();
  file.write(line("a"));
  await file.close();
  // The umask may take more away.
  const mode = Deno.statSync(it.path).mode!;
  assertEquals([mode & 0o137, mode & 0o600], [0, 0o600]);
  const again = it.open();
  again.write(line("ä"));
  assertEquals(it.read(), "a\nä\n");
  assertEquals(again.trouble, undefined);
  await again.close();
});

Deno.test("a file that cannot be opened is explained", async () => {
  await using it = await setUp();
  const { directory } = it;
  await Deno.writeTextFile(`${directory}/file`, "");
  const { success } = await new Deno.Command("mkfifo", {
    args: [`${directory}/pipe`],
  }).output();
  assert(success);
  for (
    const [path, reason] of [
      [
        `${directory}/no/x.log`,
        `there is no directory "${directory}/no"; make it, or name another file`,
      ],
      [directory, "it is a directory"],
      [`${directory}/file/x.log`, "not a directory"],
      [`${directory}/pipe`, "it is neither a file nor a device"],
      [
        "/dev/tty0",
        "the runtime does not let a program use devices, other than /dev/null",
      ],
    ]
  ) {
    const error = assertThrows(() => it.open({ path }), UserError);
    assertEquals(
      error.message,
      `cannot write the log file "${path}": ${reason}`,
    );
  }
});

Deno.test("a file is set aside before it grows too long", async () => {
  await using it = await setUp({ maxBytes: 10 });
  const file = it.open();
  const steps: [string, Record<string, string>][] = [
    ["1234", { "": "1234\n" }],
    // To the byte.
    ["5678", { "": "1234\n5678\n" }],
    ["9", { "": "9\n", ".1": "1234\n5678\n" }],
    // A line that is too long by itself is written all the same.
    ["123456789012", { "": "123456789012\n", ".1": "9\n" }],
    ["a", { "": "a\n", ".1": "123456789012\n", ".2": "9\n" }],
    ["b2345678", { "": "b2345678\n", ".1": "a\n", ".3": "9\n" }],
    // The oldest goes.
    ["c2345678", {
      "": "c2345678\n",
      ".1": "b2345678\n",
      ".2": "a\n",
      ".3": "123456789012\n",
    }],
  ];
  for (const [text, expected] of steps) {
    file.write(line(text));
    for (const [suffix, content] of Object.entries(expected)) {
      assertEquals(it.read(suffix), content, `${text} ${suffix}`);
    }
  }
  assertEquals(it.names(), [
    "gatherer.log",
    "gatherer.log.1",
    "gatherer.log.2",
    "gatherer.log.3",
  ]);
  assertEquals(it.complaints(), []);
  await file.close();
});

Deno.test("the size of a file that is there counts; without a limit it grows", async () => {
  await using it = await setUp();
  await Deno.writeTextFile(it.path, "12345678\n");
  const endless = it.open();
  endless.write(line("x"));
  await endless.close();
  assertEquals(it.read(), "12345678\nx\n");
  const file = it.open({ maxBytes: 12 });
  file.write(line("y"));
  assertEquals(it.read(), "y\n");
  await file.close();
});

Deno.test("an empty file is not set aside for a line that is too long", async () => {
  await using it = await setUp({ maxBytes: 3 });
  const file = it.open();
  file.write(line("long"));
  assertEquals(it.names(), ["gatherer.log"]);
  await file.close();
});

Deno.test("where none is to be kept, the file is emptied", async () => {
  await using it = await setUp({ maxBytes: 4, keep: 0 });
  const file = it.open();
  for (const text of ["a", "b", "c"]) file.write(line(text));
  assertEquals(it.read(), "c\n");
  assertEquals(it.names(), ["gatherer.log"]);
  await file.close();
});

Deno.test("a gap takes up the shift", async () => {
  await using it = await setUp({ maxBytes: 2 });
  for (const [suffix, text] of [["", "0"], [".1", "1"], [".3", "3"]]) {
    await Deno.writeTextFile(it.path + suffix, text.padEnd(2));
  }
  const file = it.open();
  file.write(line("x"));
  assertEquals(["", ".1", ".2", ".3"].map((suffix) => it.read(suffix)), [
    "x\n",
    "0 ",
    "1 ",
    "3 ",
  ]);
  await file.close();
});

Deno.test("no line is lost or doubled by rotation, and no file is too long", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.string({ unit: "grapheme", maxLength: 30 }), {
        maxLength: 60,
      }),
      fc.integer({ min: 1, max: 60 }),
      fc.boolean(),
      async (texts, maxBytes, restarts) => {
        await using it = await setUp({ maxBytes, keep: 100 });
        texts = texts.map((text, i) => `${i}:${text.replace(/\s/g, "_")}`);
        let file = it.open();
        for (const text of texts) {
          file.write(line(text));
          if (restarts) {
            await file.close();
            file = it.open();
          }
        }
        await file.close();
        const files = it.names()
          .map((name) => Number(/\.(\d+)$/.exec(name)?.[1] ?? 0))
          .sort((a, b) => b - a)
          .map((number) => it.read(number === 0 ? "" : `.${number}`));
        const all = texts.map((text) => `${text}\n`).join("");
        assertEquals(files.join(""), all);
        for (const content of files) {
          const bytes = new TextEncoder().encode(content).length;
          assert(
            bytes <= maxBytes || content.indexOf("\n") === content.length - 1,
          );
        }
      },
    ),
    { numRuns: 30 },
  );
});

Deno.test("a rotation that fails is complained of once; the file grows on, and it is tried again", async () => {
  await using it = await setUp({ maxBytes: 4, keep: 1 });
  await Deno.mkdir(`${it.path}.1`);
  const file = it.open();
  for (const text of ["a", "b", "c", "d"]) file.write(line(text));
  assertEquals(it.read(), "a\nb\nc\nd\n");
  assertEquals(it.complaints(), [
    "the log file FILE cannot be rotated: it is a directory; it has 4 bytes and grows on",
  ]);
  await it.clock.advance(60_000);
  file.write(line("e"));
  assertEquals(it.complaints(), []);
  await Deno.remove(`${it.path}.1`);
  file.write(line("f"));
  assertEquals(it.read(), "a\nb\nc\nd\ne\nf\n");
  await it.clock.advance(60_000);
  file.write(line("g"));
  assertEquals(it.read(), "g\n");
  assertEquals(it.read(".1"), "a\nb\nc\nd\ne\nf\n");
  assertEquals(file.trouble, undefined);
  await file.close();
});

Deno.test("a file that was moved, emptied or deleted by others is begun anew", async () => {
  await using it = await setUp();
  const file = it.open();
  file.write(line("a"));
  await Deno.rename(it.path, `${it.path}.old`);
  file.write(line("b"));
  assertEquals([it.read(".old"), it.read()], ["a\n", "b\n"]);
  // logrotate's copytruncate
  await Deno.truncate(it.path);
  file.write(line("c"));
  assertEquals(it.read(), "c\n");
  await Deno.remove(it.path);
  file.write(line("d"));
  assertEquals(it.read(), "d\n");
  // logrotate's create
  await Deno.rename(it.path, `${it.path}.old`);
  await Deno.writeTextFile(it.path, "");
  file.write(line("e"));
  assertEquals([it.read(".old"), it.read()], ["d\n", "e\n"]);
  assertEquals(it.complaints(), []);
  await file.close();
});

Deno.test("reopen makes the file at once", async () => {
  await using it = await setUp();
  const file = it.open();
  await Deno.rename(it.path, `${it.path}.1`);
  file.reopen();
  assertEquals(it.read(), "");
  file.write(line("a"));
  assertEquals([it.read(), it.read(".1")], ["a\n", ""]);
  await Deno.remove(it.directory, { recursive: true });
  file.reopen();
  await Deno.mkdir(it.directory);
  await file.close();
});

Deno.test("where no new file can be begun, lines go on to the one that was moved", async () => {
  await using it = await setUp({ maxBytes: 4 });
  const file = it.open();
  file.write(line("a"));
  await Deno.rename(it.path, `${it.path}.moved`);
  await Deno.mkdir(it.path);
  for (const text of ["b", "c", "d"]) file.write(line(text));
  file.reopen();
  assertEquals(it.read(".moved"), "a\nb\nc\nd\n");
  assertEquals(it.complaints(), [
    "the log file FILE cannot be begun anew: it is a directory; lines go to where it was moved",
  ]);
  await Deno.remove(it.path);
  file.write(line("e"));
  assertEquals(it.read(), "e\n");
  await file.close();
});

Deno.test("who may not look at the name may still write to what is open", async () => {
  await using it = await setUp();
  const below = `${it.directory}/below`;
  await Deno.mkdir(below);
  const file = it.open({ path: `${below}/a.log`, maxBytes: 1 });
  await Deno.rename(below, `${below}2`);
  // Looking fails for another reason than that there is nothing.
  await Deno.writeTextFile(below, "");
  file.write(line("a"));
  assertEquals(file.trouble, undefined);
  assertEquals(Deno.readTextFileSync(`${below}2/a.log`), "a\n");
  assertEquals(it.complaints(), []);
  await file.close();
});

Deno.test("a lost directory costs lines, which are counted and said when it is back", async () => {
  await using it = await setUp();
  const file = it.open();
  await Deno.remove(it.directory, { recursive: true });
  for (const text of ["a", "b", "c"]) file.write(line(text));
  assertEquals(
    file.trouble?.replace(JSON.stringify(it.path), "FILE"),
    "lines cannot be written to the log file FILE: no such file or directory",
  );
  assertEquals(it.complaints(), [
    "lines cannot be written to the log file FILE: no such file or directory; " +
    "it is tried again with each line",
  ]);
  await Deno.mkdir(it.directory);
  file.write(line("d"));
  assertEquals(
    it.read(),
    "3 lines could not be written: no such file or directory\nd\n",
  );
  assertEquals(file.trouble, undefined);
  // What comes and goes is not complained of each time.
  for (const after of [0, 59_999, 1]) {
    await it.clock.advance(after);
    await Deno.remove(it.directory, { recursive: true });
    file.write(line("e"));
    await Deno.mkdir(it.directory);
    file.write(line("f"));
  }
  assertEquals(
    it.read(),
    "1 line could not be written: no such file or directory\nf\n",
  );
  assertEquals(it.complaints().length, 1);
  await file.close();
});

/** Whether the test may mount file systems. */
function canMount(): boolean {
  const { success } = new Deno.Command("unshare", {
    args: ["--mount", "true"],
    stderr: "null",
  }).outputSync();
  return success;
}

Deno.test({
  name: "a disk that becomes full within a line, and has room again later",
  ignore: !canMount(),
  async fn() {
    await using it = await setUp();
    const { success } = await new Deno.Command("mount", {
      args: ["-t", "tmpfs", "-o", "size=8k", "tmpfs", it.directory],
    }).output();
    assert(success);
    try {
      const ballast = `${it.directory}/ballast`;
      await Deno.writeFile(ballast, new Uint8Array(4096));
      const file = it.open();
      const long = "x".repeat(3000);
      for (let i = 0; i < 4; i++) file.write(line(long));
      assertEquals(it.complaints(), [
        "lines cannot be written to the log file FILE: no space left on device; " +
        "it is tried again with each line",
      ]);
      await Deno.remove(ballast);
      file.write(line("y"));
      assertEquals(
        it.read(),
        `${long}\n${"x".repeat(1095)}\n` +
          "3 lines could not be written: no space left on device\ny\n",
      );
      // Full again, and emptied by somebody.
      for (let i = 0; i < 3; i++) file.write(line(long));
      await Deno.truncate(it.path);
      file.write(line("z"));
      assertEquals(
        it.read(),
        "2 lines could not be written: no space left on device\nz\n",
      );
      // Full at the end.
      for (let i = 0; i < 4; i++) file.write(line(long));
      await file.close();
      assertEquals(it.complaints(), [
        "the log file FILE: 2 lines could not be written: no space left on device",
      ]);
    } finally {
      await new Deno.Command("umount", { args: ["-l", it.directory] }).output();
    }
  },
});

Deno.test("devices are written to, and never moved", async () => {
  await using it = await setUp();
  const file = it.open({ path: "/dev/null", maxBytes: 1 });
  for (const text of ["a", "b"]) file.write(line(text));
  file.reopen();
  assert(Deno.statSync("/dev/null").isCharDevice);
  assertEquals(file.trouble, undefined);
  await file.close();
});
