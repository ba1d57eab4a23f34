import { assertEquals, assertThrows } from "@std/assert";
import type { Timer } from "../../lib/clock.ts";
import { CpuMonitor } from "../../lib/stats/cpu_monitor.ts";
import { LoadMonitor } from "../../lib/stats/load_monitor.ts";
import { StatsProvider } from "../../lib/stats/provider.ts";
import { Uptime } from "../../lib/stats/uptime.ts";
import { FakeClock } from "../fake_clock.ts";

/** A clock whose timers fire late, by the next of `delays` in milliseconds. */
class LateClock extends FakeClock {
  keepAlive: unknown[] = [];

  constructor(readonly delays: number[] = []) {
    super();
  }

  override setTimer(
    fn: () => void,
    ms: number,
    options?: { keepAlive?: boolean },
  ): Timer {
    this.keepAlive.push(options?.keepAlive);
    return super.setTimer(fn, ms + (this.delays.shift() ?? 0));
  }
}

const load = (avg: number, max: number) => ({
  "load_monitor.avg_load": avg,
  "load_monitor.max_load": max,
});

Deno.test("LoadMonitor reports nothing before its first sample", async () => {
  const clock = new FakeClock();
  using monitor = new LoadMonitor({ clock });
  assertEquals(monitor.getStats(), {});
  monitor.start();
  await clock.advance(999);
  assertEquals(monitor.getStats(), {});
  await clock.advance(1);
  assertEquals(monitor.getStats(), load(0, 0));
});

Deno.test("LoadMonitor reports mean and greatest delay in seconds", async () => {
  const clock = new LateClock([250, 0, 500, 1250]);
  using monitor = new LoadMonitor({ clock });
  monitor.start();
  const seen: unknown[] = [];
  for (const ms of [1250, 1000, 1500, 2250]) {
    await clock.advance(ms);
    seen.push(monitor.getStats());
  }
  assertEquals(seen, [
    load(0.25, 0.25),
    load(0.125, 0.25),
    load(0.25, 0.5),
    load(0.5, 1.25),
  ]);
});

Deno.test("LoadMonitor counts a timer that is early as not late", async () => {
  const clock = new LateClock([-0.5]);
  using monitor = new LoadMonitor({ clock });
  monitor.start();
  await clock.advance(999.5);
  assertEquals(monitor.getStats(), load(0, 0));
});

Deno.test("LoadMonitor keeps 60 samples", async () => {
  const clock = new LateClock([6000, ...Array(59).fill(0), 30]);
  using monitor = new LoadMonitor({ clock });
  monitor.start();
  await clock.advance(6000 + 60 * 1000);
  assertEquals(monitor.getStats(), load(0.1, 6));
  await clock.advance(1030);
  assertEquals(monitor.getStats(), load(0.0005, 0.03));
});

Deno.test("LoadMonitor is not misled when the wall clock jumps", async () => {
  const clock = new FakeClock();
  using monitor = new LoadMonitor({ clock });
  monitor.start();
  await clock.advance(500);
  clock.jump(3_600_000);
  await clock.advance(500);
  assertEquals(monitor.getStats(), load(0, 0));
});

Deno.test("LoadMonitor starts once, forgets when it stops, and starts anew", async () => {
  const clock = new LateClock([500, 0, 250]);
  const monitor = new LoadMonitor({ clock });
  monitor.start();
  monitor.start();
  assertEquals(clock.pending, 1);
  await clock.advance(1500);
  assertEquals(monitor.getStats(), load(0.5, 0.5));
  monitor.stop();
  monitor.stop();
  assertEquals(clock.pending, 0);
  assertEquals(monitor.getStats(), {});
  monitor.start();
  await clock.advance(1250);
  assertEquals(monitor.getStats(), load(0.25, 0.25));
  monitor[Symbol.dispose]();
  assertEquals(clock.pending, 0);
  assertEquals(new Set(clock.keepAlive), new Set([false]));
});

/** The averages of 1, 5 and 15 minutes, and the total; null where the key is absent. */
function cpu(monitor: CpuMonitor): unknown[] {
  const stats = monitor.getStats();
  const names = ["1min_avg", "5min_avg", "15min_avg", "total"].map((name) =>
    `cpu_monitor.${name}`
  );
  for (const name of Object.keys(stats)) {
    assertEquals(names.includes(name), true, name);
  }
  return names.map((name) => name in stats ? stats[name] : null);
}

Deno.test("CpuMonitor reports an average when there are samples enough, as Tahoe nodes do", async () => {
  const clock = new FakeClock();
  let seconds = 100;
  using monitor = new CpuMonitor({ clock, cpuSeconds: () => seconds });
  assertEquals(cpu(monitor), [null, null, null, 0]);
  monitor.start();
  assertEquals(cpu(monitor), [null, null, null, 0]);
  // Which averages are there after so many minutes of a quarter of one core.
  const table: [number, unknown[]][] = [
    [0.5, [null, null, null, 7.5]],
    [1, [0.25, null, null, 15]],
    [4.5, [0.25, null, null, 67.5]],
    [5, [0.25, 0.25, null, 75]],
    [14.5, [0.25, 0.25, null, 217.5]],
    [15, [0.25, 0.25, 0.25, 225]],
    [100, [0.25, 0.25, 0.25, 1500]],
  ];
  let at = 0;
  for (const [minutes, expected] of table) {
    for (; at < minutes; at += 0.5) {
      seconds += 7.5;
      await clock.advance(30_000);
    }
    assertEquals(cpu(monitor), expected, `after ${minutes} minutes`);
  }
});

Deno.test("CpuMonitor averages between the newest sample and the one that many minutes before", async () => {
  const clock = new FakeClock();
  let seconds = 0;
  using monitor = new CpuMonitor({ clock, cpuSeconds: () => seconds });
  monitor.start();
  // CPU seconds in each of twenty minutes.
  const minutes = [
    60,
    0,
    0,
    30,
    0,
    0,
    15,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    45,
  ];
  const seen: unknown[] = [];
  for (const spent of minutes) {
    seconds += spent;
    await clock.advance(60_000);
    seen.push(cpu(monitor));
  }
  assertEquals(seen[0], [1, null, null, 60]);
  assertEquals(seen[3], [0.5, null, null, 90]);
  assertEquals(seen[4], [0, 90 / 300, null, 90]);
  assertEquals(seen[5], [0, 30 / 300, null, 90]);
  assertEquals(seen[13], [0, 0, null, 105]);
  assertEquals(seen[14], [0, 0, 105 / 900, 105]);
  assertEquals(seen[15], [0, 0, 45 / 900, 105]);
  assertEquals(seen[19], [0.75, 45 / 300, 60 / 900, 150]);
  // Between samples the averages stand, the total goes on.
  seconds += 5;
  await clock.advance(59_999);
  assertEquals(cpu(monitor), [0.75, 45 / 300, 60 / 900, 155]);
});

Deno.test("CpuMonitor divides by the time that really passed, whatever the wall clock says", async () => {
  const clock = new LateClock([60_000]);
  let seconds = 0;
  using monitor = new CpuMonitor({ clock, cpuSeconds: () => seconds });
  monitor.start();
  clock.jump(-86_400_000);
  seconds = 30;
  await clock.advance(120_000);
  assertEquals(cpu(monitor), [0.25, null, null, 30]);
});

Deno.test("CpuMonitor starts once, forgets its samples when it stops, and starts anew", async () => {
  const clock = new LateClock();
  let seconds = 0;
  const monitor = new CpuMonitor({ clock, cpuSeconds: () => seconds });
  monitor.start();
  monitor.start();
  assertEquals(clock.pending, 1);
  seconds = 6;
  await clock.advance(60_000);
  assertEquals(cpu(monitor), [0.1, null, null, 6]);
  monitor.stop();
  monitor.stop();
  assertEquals(clock.pending, 0);
  assertEquals(cpu(monitor), [null, null, null, 6]);
  monitor.start();
  seconds = 36;
  await clock.advance(60_000);
  assertEquals(cpu(monitor), [0.5, null, null, 36]);
  monitor[Symbol.dispose]();
  assertEquals(clock.pending, 0);
  assertEquals(new Set(clock.keepAlive), new Set([false]));
});

Deno.test("CpuMonitor survives a source that fails now and then", async () => {
  const clock = new FakeClock();
  let seconds = 0;
  let fails = false;
  const cpuSeconds = () => {
    if (fails) throw new Error("no figures");
    return seconds;
  };
  using monitor = new CpuMonitor({ clock, cpuSeconds });
  monitor.start();
  await clock.advance(60_000);
  assertEquals(cpu(monitor), [0, null, null, 0]);
  fails = true;
  await clock.advance(60_000);
  assertThrows(() => monitor.getStats(), Error, "no figures");
  fails = false;
  await clock.advance(60_000);
  assertEquals(cpu(monitor), [null, null, null, 0]);
  seconds = 6;
  await clock.advance(60_000);
  assertEquals(cpu(monitor), [0.1, null, null, 6]);
});

Deno.test({
  name: "CpuMonitor measures this process and needs no permission for it",
  permissions: "none",
  fn() {
    using monitor = new CpuMonitor({ clock: new FakeClock() });
    const total = () => monitor.getStats()["cpu_monitor.total"] as number;
    const before = total();
    while (total() < before + 0.02) Math.sqrt(total());
  },
});

Deno.test("Uptime is in seconds, from when it was made, and does not follow the wall clock", async () => {
  const clock = new FakeClock();
  await clock.advance(12_345);
  const uptime = new Uptime({ clock });
  assertEquals(uptime.getStats(), { "node.uptime": 0 });
  await clock.advance(1500);
  assertEquals(uptime.getStats(), { "node.uptime": 1.5 });
  clock.jump(-86_400_000);
  await clock.advance(86_400_000);
  assertEquals(uptime.getStats(), { "node.uptime": 86_401.5 });
});

Deno.test("The monitors register with a provider like any producer", async () => {
  const clock = new FakeClock();
  using load = new LoadMonitor({ clock });
  using cpu = new CpuMonitor({
    clock,
    cpuSeconds: () => clock.monotonic() / 2000,
  });
  const provider = new StatsProvider({ clock });
  for (const producer of [load, cpu, new Uptime({ clock })]) {
    provider.registerProducer(producer);
  }
  load.start();
  cpu.start();
  await clock.advance(15 * 60_000);
  const { stats } = await provider.getStats();
  assertEquals(Object.entries(stats), [
    ["load_monitor.avg_load", 0],
    ["load_monitor.max_load", 0],
    ["cpu_monitor.1min_avg", 0.5],
    ["cpu_monitor.5min_avg", 0.5],
    ["cpu_monitor.15min_avg", 0.5],
    ["cpu_monitor.total", 450],
    ["node.uptime", 900],
  ]);
});
