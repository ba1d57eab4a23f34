import { assertEquals, assertThrows } from "@std/assert";
import { configure, type LogRecord, reset } from "@logtape/logtape";
import type { Timer } from "../../lib/clock.ts";
import {
  FAULTS_STAT,
  type Stats,
  StatsProvider,
} from "../../lib/stats/provider.ts";
import type { StatsProducer } from "../../lib/stats/provider.ts";
import { FakeClock, settle } from "../fake_clock.ts";

/** Plain objects, in their order, for comparing. */
function plain({ counters, stats }: Stats): unknown {
  return { counters: Object.entries(counters), stats: Object.entries(stats) };
}

/** A producer whose answer is given later, by the test. */
function slow(): {
  producer: StatsProducer;
  calls: PromiseWithResolvers<Record<string, number>>[];
} {
  const calls: PromiseWithResolvers<Record<string, number>>[] = [];
  const getStats = () => {
    const call = Promise.withResolvers<Record<string, number>>();
    calls.push(call);
    return call.promise;
  };
  return { producer: { name: "slow", getStats }, calls };
}

/** Runs `body` with all that is logged gathered as lines. */
async function logged(body: (lines: string[]) => Promise<void>): Promise<void> {
  const lines: string[] = [];
  const sink = (record: LogRecord) => {
    const { producer, reason } = record.properties;
    lines.push(
      `${record.category.join("·")} ${record.level} ${producer}: ${reason}`,
    );
  };
  await configure({
    sinks: { lines: sink },
    loggers: [
      { category: [], sinks: ["lines"], lowestLevel: "debug" },
      { category: ["logtape", "meta"], lowestLevel: "error" },
    ],
  });
  try {
    await body(lines);
  } finally {
    await reset();
  }
}

// What only a program without types can register.
// deno-lint-ignore no-explicit-any
const untyped = (getStats: () => any, name = "odd"): StatsProducer => ({
  name,
  getStats,
});

Deno.test("StatsProvider without counters and producers reports two empty groups", async () => {
  const stats = await new StatsProvider().getStats();
  assertEquals(plain(stats), { counters: [], stats: [] });
  assertEquals(Object.keys(stats), ["counters", "stats"]);
  assertEquals(Object.getPrototypeOf(stats.counters), null);
  assertEquals(Object.getPrototypeOf(stats.stats), null);
});

Deno.test("StatsProvider.count() adds 1, or what it is told", async () => {
  const provider = new StatsProvider();
  provider.count("a.files");
  provider.count("a.files");
  provider.count("a.bytes", 2 ** 40);
  provider.count("a.bytes", 2n ** 60n);
  provider.count("a.none", 0);
  assertThrows(() => provider.count("a.files", -1), RangeError);
  assertEquals(plain(await provider.getStats()), {
    counters: [["a.files", 2], ["a.bytes", 2n ** 40n + 2n ** 60n], [
      "a.none",
      0,
    ]],
    stats: [],
  });
});

Deno.test("StatsProvider gives each caller objects of its own", async () => {
  const provider = new StatsProvider();
  provider.count("c");
  const first = await provider.getStats();
  first.counters.c = 99;
  first.stats.s = 99;
  assertEquals(plain(await provider.getStats()), {
    counters: [["c", 1]],
    stats: [],
  });
});

Deno.test("StatsProvider asks every producer at that moment, sync or async, object or Map", async () => {
  const provider = new StatsProvider();
  let asked = 0;
  provider.registerProducer({
    getStats: () => ({ now: ++asked, huge: 2n ** 70n }),
  });
  provider.registerProducer({
    getStats: () => Promise.resolve({ later: asked, unknown: null }),
  });
  provider.registerProducer({ getStats: () => new Map([["mapped", 0.5]]) });
  provider.registerProducer(untyped(() => ({ yes: true, no: false, then: 5 })));
  for (const now of [1, 2]) {
    assertEquals(plain(await provider.getStats()), {
      counters: [],
      stats: [
        ["now", now],
        ["huge", 2n ** 70n],
        ["later", now],
        ["unknown", null],
        ["mapped", 0.5],
        ["yes", 1],
        ["no", 0],
        ["then", 5],
      ],
    });
  }
});

Deno.test("StatsProvider reports counters as they are when the last producer has answered", async () => {
  const provider = new StatsProvider({ clock: new FakeClock() });
  const { producer, calls } = slow();
  provider.registerProducer(producer);
  const stats = provider.getStats();
  provider.count("c");
  calls[0].resolve({});
  assertEquals(plain(await stats), { counters: [["c", 1]], stats: [] });
});

Deno.test("StatsProvider.registerProducer() refuses what has no getStats()", () => {
  const provider = new StatsProvider();
  const wrong: unknown[] = [null, undefined, 5, "x", {}, { getStats: 5 }];
  for (const producer of wrong) {
    assertThrows(
      () => provider.registerProducer(producer as StatsProducer),
      TypeError,
      "getStats() method, not ",
    );
  }
});

Deno.test("StatsProvider asks a producer that was registered twice once, in its first place", async () => {
  const provider = new StatsProvider();
  let asked = 0;
  const first = { getStats: () => ({ asked: ++asked, who: 1 }) };
  provider.registerProducer(first);
  provider.registerProducer({ getStats: () => ({ who: 2 }) });
  provider.registerProducer(first);
  assertEquals(plain(await provider.getStats()), {
    counters: [],
    stats: [["asked", 1], ["who", 2]],
  });
});

Deno.test("StatsProvider lets the producer registered later win a name, whoever answers first", async () => {
  const provider = new StatsProvider({ clock: new FakeClock() });
  const { producer, calls } = slow();
  provider.registerProducer(producer);
  provider.registerProducer({ getStats: () => ({ who: 2 }) });
  const stats = provider.getStats();
  calls[0].resolve({ who: 1, first: 1 });
  assertEquals(plain(await stats), {
    counters: [],
    stats: [["who", 2], ["first", 1]],
  });
});

Deno.test("StatsProvider takes names of Object's own properties from producers", async () => {
  const provider = new StatsProvider();
  provider.count("__proto__", 1);
  provider.registerProducer({
    getStats: () =>
      JSON.parse('{"__proto__": 2, "constructor": 3, "toString": 4}'),
  });
  assertEquals(plain(await provider.getStats()), {
    counters: [["__proto__", 1]],
    stats: [["__proto__", 2], ["constructor", 3], ["toString", 4]],
  });
});

const faults: [string, () => unknown, string][] = [
  ["throws", () => {
    throw new Error("disk is gone");
  }, "getStats() failed: disk is gone"],
  [
    "throws what is no error",
    () => {
      throw Object.create(null);
    },
    "getStats() failed: an object",
  ],
  [
    "rejects",
    () => Promise.reject(new Error("disk is gone")),
    "getStats() failed: disk is gone",
  ],
  [
    "rejects with nothing",
    () => Promise.reject(),
    "getStats() failed: undefined",
  ],
  [
    "gives nothing",
    () => {},
    "getStats() gave undefined instead of an object of numbers",
  ],
  [
    "promises a text",
    () => Promise.resolve("x"),
    "getStats() gave a string instead of an object of numbers",
  ],
  [
    "gives a thenable that throws",
    () => ({
      then() {
        throw new Error("no");
      },
    }),
    "getStats() failed: no",
  ],
  [
    "has a then that cannot be read",
    () => ({
      get then() {
        throw new Error("no");
      },
    }),
    "getStats() failed: no",
  ],
];
for (const [does, getStats, reason] of faults) {
  Deno.test(`StatsProvider loses only the numbers of a producer that ${does}`, () =>
    logged(async (lines) => {
      const clock = new FakeClock();
      const provider = new StatsProvider({ clock });
      provider.count("c");
      provider.registerProducer({ getStats: () => ({ before: 1 }) });
      provider.registerProducer(untyped(getStats));
      provider.registerProducer({
        getStats: () => Promise.resolve({ after: 2 }),
      });
      for (const count of [1, 2, 3]) {
        assertEquals(plain(await provider.getStats()), {
          counters: [["c", 1]],
          stats: [["before", 1], ["after", 2], [FAULTS_STAT, count]],
        });
      }
      assertEquals(lines, [`gatherer·stats warning odd: ${reason}`]);
      assertEquals(clock.pending, 0);
    }));
}

Deno.test("StatsProvider leaves out one bad value, says so once and counts it", () =>
  logged(async (lines) => {
    const provider = new StatsProvider();
    provider.registerProducer({
      getStats: () => ({ a: 1, ratio: 0 / 0, b: 2 }),
    });
    for (const count of [1, 2]) {
      assertEquals(plain(await provider.getStats()), {
        counters: [],
        stats: [["a", 1], ["b", 2], [FAULTS_STAT, count]],
      });
    }
    assertEquals(lines, [
      'gatherer·stats warning Object: not a number that can be sent: "ratio" is the number NaN',
    ]);
  }));

Deno.test("StatsProvider logs a fault anew after the producer had recovered", () =>
  logged(async (lines) => {
    const provider = new StatsProvider();
    let answer: unknown = "x";
    provider.registerProducer(untyped(() => answer, "disks"));
    const all: unknown[] = [];
    for (answer of ["x", 5, { a: 1 }, { a: 2 }, null, null, { a: 3 }]) {
      all.push(Object.entries((await provider.getStats()).stats));
    }
    assertEquals(all, [
      [[FAULTS_STAT, 1]],
      [[FAULTS_STAT, 2]],
      [["a", 1], [FAULTS_STAT, 2]],
      [["a", 2], [FAULTS_STAT, 2]],
      [[FAULTS_STAT, 3]],
      [[FAULTS_STAT, 4]],
      [["a", 3], [FAULTS_STAT, 4]],
    ]);
    assertEquals(lines, [
      "gatherer·stats warning disks: getStats() gave a string instead of an object of numbers",
      "gatherer·stats info disks: undefined",
      "gatherer·stats warning disks: getStats() gave null instead of an object of numbers",
      "gatherer·stats info disks: undefined",
    ]);
  }));

Deno.test("StatsProvider gives a producer 5 s, and does not ask it again while it hangs", () =>
  logged(async (lines) => {
    const clock = new FakeClock();
    const provider = new StatsProvider({ clock });
    const { producer, calls } = slow();
    provider.registerProducer({ getStats: () => ({ quick: 1 }) });
    provider.registerProducer(producer);

    let first: Stats | undefined;
    provider.getStats().then((stats) => first = stats);
    await clock.advance(4999);
    assertEquals(first, undefined);
    await clock.advance(1);
    assertEquals(plain(first!), {
      counters: [],
      stats: [["quick", 1], [FAULTS_STAT, 1]],
    });

    // Asked again a minute later it still hangs: the answer comes at once, without a second call.
    await clock.advance(60_000);
    assertEquals(plain(await provider.getStats()), {
      counters: [],
      stats: [["quick", 1], [FAULTS_STAT, 2]],
    });
    assertEquals(calls.length, 1);
    assertEquals(clock.pending, 0);

    // What it says late is ignored; then it is asked anew.
    calls[0].resolve({ slow: 1 });
    await settle();
    const next = provider.getStats();
    assertEquals(calls.length, 2);
    calls[1].resolve({ slow: 2 });
    assertEquals(plain(await next), {
      counters: [],
      stats: [["quick", 1], ["slow", 2], [FAULTS_STAT, 2]],
    });
    assertEquals(clock.pending, 0);
    assertEquals(lines, [
      "gatherer·stats warning slow: getStats() has not answered within 5 s",
      "gatherer·stats info slow: undefined",
    ]);
  }));

Deno.test("StatsProvider ignores a late failure of a producer that hung", async () => {
  const clock = new FakeClock();
  const provider = new StatsProvider({ clock });
  const { producer, calls } = slow();
  provider.registerProducer(producer);
  const stats = provider.getStats();
  await clock.advance(5000);
  assertEquals(plain(await stats), { counters: [], stats: [[FAULTS_STAT, 1]] });
  calls[0].reject(new Error("too late"));
  await settle();
});

Deno.test("StatsProvider takes an answer that comes in the last millisecond", async () => {
  const clock = new FakeClock();
  const provider = new StatsProvider({ clock });
  const { producer, calls } = slow();
  provider.registerProducer(producer);
  const stats = provider.getStats();
  await clock.advance(4999);
  calls[0].resolve({ slow: 1 });
  assertEquals(plain(await stats), { counters: [], stats: [["slow", 1]] });
  assertEquals(clock.pending, 0);
});

Deno.test("StatsProvider waits for slow producers together, not one after the other", async () => {
  const clock = new FakeClock();
  const provider = new StatsProvider({ clock });
  for (let i = 0; i < 20; i++) provider.registerProducer(slow().producer);
  let stats: Stats | undefined;
  provider.getStats().then((result) => stats = result);
  await clock.advance(5000);
  assertEquals(plain(stats!), { counters: [], stats: [[FAULTS_STAT, 20]] });
});

Deno.test("StatsProvider shares a call under way between two that ask", () =>
  logged(async (lines) => {
    const clock = new FakeClock();
    const provider = new StatsProvider({ clock });
    const { producer, calls } = slow();
    provider.registerProducer(producer);
    const asked = [provider.getStats(), provider.getStats()];
    assertEquals(calls.length, 1);
    calls[0].reject(new Error("busy"));
    // Each answer that lacks the numbers counts; the log says it once.
    assertEquals((await Promise.all(asked)).map(plain), [
      { counters: [], stats: [[FAULTS_STAT, 1]] },
      { counters: [], stats: [[FAULTS_STAT, 2]] },
    ]);
    assertEquals(lines, [
      "gatherer·stats warning slow: getStats() failed: busy",
    ]);
  }));

Deno.test("StatsProvider gives a producer that asks it all but that producer's own numbers", () =>
  logged(async (lines) => {
    const provider = new StatsProvider({ clock: new FakeClock() });
    provider.count("c", 5);
    provider.registerProducer({ getStats: () => ({ other: 1 }) });
    provider.registerProducer({
      getStats: async () => {
        const { counters, stats } = await provider.getStats();
        return {
          "mirror.c": counters.c,
          "mirror.stats": Object.keys(stats).length,
        };
      },
    });
    assertEquals(plain(await provider.getStats()), {
      counters: [["c", 5]],
      stats: [["other", 1], ["mirror.c", 5], ["mirror.stats", 1]],
    });
    assertEquals(lines, []);
  }));

Deno.test("StatsProvider survives being registered with itself", () =>
  logged(async (lines) => {
    const provider = new StatsProvider({ clock: new FakeClock() });
    provider.count("c");
    provider.registerProducer(untyped(() => provider.getStats(), "itself"));
    for (const count of [1, 2]) {
      assertEquals(plain(await provider.getStats()), {
        counters: [["c", 1]],
        stats: [[FAULTS_STAT, count]],
      });
    }
    assertEquals(lines, [
      'gatherer·stats warning itself: not a number that can be sent: "counters" is an object (and 1 more)',
    ]);
  }));

Deno.test("StatsProvider has its timers not keep the process running", async () => {
  const keepAlive: unknown[] = [];
  class Recording extends FakeClock {
    override setTimer(
      fn: () => void,
      ms: number,
      options?: { keepAlive?: boolean },
    ): Timer {
      keepAlive.push(options?.keepAlive);
      return super.setTimer(fn, ms);
    }
  }
  const provider = new StatsProvider({ clock: new Recording() });
  provider.registerProducer({ getStats: () => ({ sync: 1 }) });
  provider.registerProducer({ getStats: () => Promise.resolve({ async: 1 }) });
  await provider.getStats();
  assertEquals(keepAlive, [false]);
});

Deno.test("StatsProvider keeps its own name for the faults", async () => {
  const provider = new StatsProvider();
  provider.registerProducer({ getStats: () => ({ [FAULTS_STAT]: -5 }) });
  assertEquals(plain(await provider.getStats()), {
    counters: [],
    stats: [[FAULTS_STAT, -5]],
  });
  provider.registerProducer(untyped(() => null));
  assertEquals(plain(await provider.getStats()), {
    counters: [],
    stats: [[FAULTS_STAT, 1]],
  });
});
