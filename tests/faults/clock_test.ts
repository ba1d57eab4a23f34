/** A wall clock that is put forward or back, by an administrator or by NTP. */

import { assertEquals } from "@std/assert";
import { builtScript } from "../executable.ts";
import { captureLog } from "../log_capture.ts";
import { ask } from "../munin_node/node_client.ts";
import { preload } from "../peers/fake_time.ts";
import { tempDirectory } from "../spool/segments.ts";
import { about, startProgram } from "./process.ts";
import { INTERVAL_MS, startWorld } from "./world.ts";

const DAY_MS = 24 * 3600_000;

const MUNIN = {
  all: { host: "127.0.0.1", port: 0 },
  hostName: "grid.example",
  allow: "127.0.0.1",
  operators: { graphs: [], limits: new Map() },
  select: "",
  drilldown: "no" as const,
};

for (
  const [name, jump] of [["back", -DAY_MS], ["forward", DAY_MS]] as const
) {
  Deno.test(`a clock that is put a day ${name}: rounds, snapshot, spool and Munin go on`, async () => {
    await using directory = await tempDirectory();
    await using log = await captureLog();
    await using world = await startWorld(directory.path, { munin: MUNIN });
    const { clock, gatherer } = world;
    for (let i = 0; i < 3; i++) await world.round();
    const lines = log.lines.length;
    const { rounds } = gatherer.status();
    clock.jump(jump);
    const times: number[] = [];
    for (let i = 0; i < 12; i++) {
      await world.round();
      const now = clock.now();
      times.push(now);
      // At its pace: one round an interval.
      assertEquals(gatherer.status().rounds, rounds + i + 1);
      assertEquals(gatherer.status().lastRound, now);
      assertEquals(await world.inSnapshot(), now);
      assertEquals((await world.inSpool()).slice(-times.length), times);
      const answer = await ask(
        gatherer.munin.all!.port,
        "fetch gatherer_nodes\n",
      );
      // The last ten minutes, of the time that it is now.
      const recent = times.filter((time) => time >= now - 600_000);
      const series = (field: string, value: number) =>
        recent.map((time) => `${field}.value ${time / 1000}:${value}\n`).join(
          "",
        );
      assertEquals(
        answer,
        `# munin node at grid.example\n${series("heard", 1)}${
          series("silent", 0)
        }.\n`,
      );
    }
    assertEquals(log.lines.slice(lines), []);
    // And back again.
    clock.jump(-jump);
    await world.round();
    assertEquals(await world.inSnapshot(), clock.now());
    assertEquals((await world.inSpool()).at(-1), clock.now());
    assertEquals(log.lines.slice(lines), []);
    await gatherer.stop();
    // Who starts then finds the figures of a time that has yet to come, or is long past.
    await using again = await startWorld(directory.path, {}, clock);
    clock.jump(jump);
    await again.round();
    assertEquals(await again.inSnapshot(), clock.now());
    assertEquals(clock.now() % 1000, times[0] % 1000);
    assertEquals(INTERVAL_MS, times[1] - times[0]);
  });
}

/** Makes a process's wall clock follow a file: what is in there, in ms, is added. */
function following(path: string): string {
  return `
const { now } = Date;
let offset = 0;
setInterval(() => {
  try { offset = Number(Deno.readTextFileSync(${
    JSON.stringify(path)
  })); } catch {}
}, 20).unref?.();
Date.now = () => now() + offset;
`;
}

Deno.test({
  name:
    "a real gatherer whose clock is put back and forward writes on, and has nothing to say",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    await using executable = await builtScript();
    const offset = `${executable.dir}/offset`;
    await preload(executable, following(offset));
    const basedir = `${executable.dir}/base`;
    await using gatherer = startProgram(executable.path, {
      args: [
        ...["serve", "--basedir", basedir, "--interval", "1"],
        ...["--hostname", "127.0.0.1"],
      ],
    });
    await gatherer.until(() => gatherer.stdout.length > 0);
    const snapshot = `${basedir}/stats.msgpack`;
    for (const jump of [-DAY_MS, DAY_MS, 0]) {
      await Deno.writeTextFile(offset, String(jump));
      for (let round = 0; round < 2; round++) {
        const { ino } = await Deno.stat(snapshot);
        while ((await Deno.stat(snapshot)).ino === ino) {
          await new Promise((resolve) => setTimeout(resolve, 10));
        }
      }
    }
    assertEquals(about(gatherer.stderr, /^(warning|error) /), []);
    assertEquals((await gatherer.end()).code, 0);
  },
});
