import { assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { systemClock } from "../../lib/clock.ts";
import { RrdtoolWriter } from "../../lib/rrd/rrdtool.ts";
import { Shapes } from "../../lib/rrd/shape.ts";
import {
  type RrdUpdate,
  WriterDown,
  WriterLost,
} from "../../lib/rrd/writer.ts";

const shape = new Shapes(["RRA:AVERAGE:0.5:1:10"]).of({
  slope: "positive",
  restarts: true,
  summary: true,
  step: 15,
});

function update(path: string, time = 100): RrdUpdate {
  return { path, time, values: "1:2", shape };
}

/** A program in place of rrdtool. */
interface Program extends AsyncDisposable {
  readonly dir: string;
  readonly path: string;
}

async function program(script: string): Promise<Program> {
  const dir = await Deno.makeTempDir();
  const path = `${dir}/rrdtool`;
  await Deno.writeTextFile(path, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  return {
    dir,
    path,
    [Symbol.asyncDispose]: () => Deno.remove(dir, { recursive: true }),
  };
}

Deno.test("commands are lines, and each is answered", async () => {
  await using fake = await program(`
echo "$@ $LC_ALL $RRDCACHED_ADDRESS" > $0.args
while read -r line; do
  printf '%s\\n' "$line" >> $0.in
  case $line in
    *missing*) echo "ERROR: opening '/missing': No such file or directory";;
    *usage*) echo "RRDtool 1.7.2"; echo "Usage: rrdtool"; echo "OK u:0.00 s:0.00 r:0.00";;
    *) echo "OK u:0.00 s:0.00 r:0.00";;
  esac
done
echo end >> $0.in`);
  const writer = new RrdtoolWriter({ clock: systemClock, program: fake.path });
  const tricky = `${fake.dir}/my cluster/it's "x" \\`;
  assertEquals(
    await writer.update([
      update("/a.rrd"),
      update("/missing"),
      update("/usage"),
      update(tricky),
    ]),
    [
      undefined,
      { kind: "missing", reason: "opening it: No such file or directory" },
      undefined,
      undefined,
    ],
  );
  assertEquals(await writer.create([update(tricky)]), [undefined]);
  await writer.close();
  assertEquals(await Deno.readTextFile(`${fake.path}.args`), "- C \n");
  const quoted = `'${fake.dir}/my cluster/it'"'"'s "x" \\'`;
  assertEquals((await Deno.readTextFile(`${fake.path}.in`)).split("\n"), [
    "update /a.rrd 100:1:2",
    "update /missing 100:1:2",
    "update /usage 100:1:2",
    `update ${quoted} 100:1:2`,
    `create ${quoted} --start 99 --step 15 --no-overwrite ` +
    "DS:sum:DERIVE:120:0:U DS:num:GAUGE:120:U:U RRA:AVERAGE:0.5:1:10",
    "end",
    "",
  ]);
  assertEquals((await Deno.stat(`${fake.dir}/my cluster`)).isDirectory, true);
  await assertRejects(() => writer.update([update("/a")]), WriterDown, "stop");
});

Deno.test("a directory that cannot be made costs its files only", async () => {
  await using fake = await program(
    'while read -r line; do echo "OK $line"; echo "$line" >> $0.in; done',
  );
  await Deno.writeTextFile(`${fake.dir}/file`, "");
  const writer = new RrdtoolWriter({ clock: systemClock, program: fake.path });
  const answers = await writer.create([
    update(`${fake.dir}/file/h/m.rrd`),
    update(`${fake.dir}/c/h/m.rrd`),
    update(`${fake.dir}/nowhere/far/c/h/m.rrd`),
    update(`${fake.dir}/c/h/n.rrd`),
  ]);
  assertEquals(answers.map((answer) => answer?.kind), [
    "other",
    undefined,
    "other",
    undefined,
  ]);
  assertEquals(
    answers[2]?.reason,
    "cannot make its directory: no such file or directory",
  );
  const lines = (await Deno.readTextFile(`${fake.path}.in`)).trim().split("\n");
  assertEquals(lines.length, 2);
  await writer.close();
});

Deno.test("one that ends in the middle is lost with what it had not answered", async () => {
  await using fake = await program(`
read -r line; echo "OK 1"; read -r line; echo "ERROR: no"; read -r line
echo "librrd is broken" >&2; exit 3`);
  const writer = new RrdtoolWriter({ clock: systemClock, program: fake.path });
  const updates = ["/a", "/b", "/c", "/d"].map((path) => update(path));
  const error = await assertRejects(
    () => writer.update(updates),
    WriterLost,
    "ended with code 3: librrd is broken",
  );
  assertEquals(error.answers, [undefined, { kind: "other", reason: "no" }]);
  // The next call starts another.
  await assertRejects(() => writer.update(updates), WriterLost);
  await writer.close();
});

Deno.test("one that hangs is killed, and what comes next starts another", async () => {
  await using fake = await program(
    'echo $$ >> $0.pids; echo "OK 1"; exec sleep 1000',
  );
  const writer = new RrdtoolWriter({
    clock: systemClock,
    program: fake.path,
    silenceMs: 50,
  });
  const updates = [update("/a"), update("/b")];
  const losses: unknown[] = [];
  while (losses.length < 3) {
    try {
      await writer.update(updates);
    } catch (error) {
      if (error instanceof WriterLost) {
        losses.push(error.message);
      } else {
        // Until it has ended, it is in the way.
        assertInstanceOf(error, WriterDown);
        assertEquals(
          error.message,
          "it does not end: does the disk hang?",
        );
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
    }
  }
  const loss = "it does not answer for 0.05 s";
  assertEquals(losses, [loss, loss, loss]);
  await writer.close();
  const pids = (await Deno.readTextFile(`${fake.path}.pids`)).trim().split(
    "\n",
  );
  for (const pid of pids) {
    // A signal 0 is none: it says whether there is such a process.
    const { success } = await new Deno.Command("sh", {
      args: ["-c", `kill -0 ${pid}`],
      stderr: "null",
    }).output();
    assertEquals(success, false);
  }
});

Deno.test("one that says more than it was asked for does no harm", async () => {
  await using fake = await program(
    'while read -r line; do for i in 1 2 3; do echo "ERROR: $i"; done; done',
  );
  const writer = new RrdtoolWriter({ clock: systemClock, program: fake.path });
  for (let round = 0; round < 5; round++) {
    const answers = await writer.update([update("/a"), update("/b")]);
    assertEquals(answers.map((answer) => answer?.kind), ["other", "other"]);
  }
  await writer.close();
});

Deno.test("one that does not end when its input does is killed", async () => {
  await using fake = await program(
    'read -r line; echo "OK 1"; exec sleep 1000',
  );
  const writer = new RrdtoolWriter({ clock: systemClock, program: fake.path });
  await writer.update([update("/a")]);
  await writer.close();
});

Deno.test("a program that is not there is absent, not down", async () => {
  const writer = new RrdtoolWriter({
    clock: systemClock,
    program: "no-such-rrdtool",
  });
  const error = await assertRejects(
    () => writer.update([update("/a")]),
    WriterDown,
    "no-such-rrdtool is not installed",
  );
  assertEquals(error.isAbsent, true);
  await writer.close();
});
