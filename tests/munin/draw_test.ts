import { assertEquals } from "@std/assert";
import {
  builtInGraphs,
  findGraph,
  graphsWithData,
  withoutRepeats,
} from "../../lib/munin/catalog.ts";
import { drawFields, hasData } from "../../lib/munin/draw.ts";
import { ownGraphName } from "../../lib/munin/families.ts";
import type { Field } from "../../lib/munin/field.ts";
import type { Graph, PatternLines } from "../../lib/munin/graph.ts";
import { Held, type HeldOptions } from "../../lib/munin/held.ts";
import { dated, plainly } from "../../lib/munin/sampling.ts";
import { configText, valueText } from "../../lib/munin/text.ts";
import { thresholds } from "../../lib/munin/thresholds.ts";
import type { SnapshotNode } from "../../lib/snapshot/codec.ts";
import {
  type Earlier,
  noEarlier,
  type Sample,
} from "../../lib/spool/sample.ts";
import type { Value } from "../../lib/value.ts";

const now = 1_700_000_000;

function node(
  nickname: string,
  figures: {
    counters?: Record<string, Value>;
    stats?: Record<string, Value>;
    age?: number;
    incarnation?: string;
  },
): SnapshotNode {
  return {
    key: `${nickname.replace(/[^a-z]/g, "").slice(0, 4)}`.padEnd(32, "z"),
    nickname,
    timestamp: now - (figures.age ?? 10),
    incarnation: figures.incarnation,
    counters: new Map(Object.entries(figures.counters ?? {})),
    stats: new Map(Object.entries(figures.stats ?? {})),
  };
}

/** Figures of the past: `[age in seconds, value]` by statistic and nickname's letters. */
function past(
  series: Record<
    string,
    Record<string, [age: number, value: Value, incarnation?: string][]>
  >,
  rounds: readonly number[] = [],
  before: Record<string, [age: number, incarnation: string]> = {},
): Earlier {
  return {
    before: (key) => {
      const mark = before[key.replace(/z+$/, "")];
      return mark && { time: now - mark[0], incarnation: mark[1] };
    },
    rounds: rounds.map((age) => now - age),
    reports: () =>
      new Map(
        Object.values(series).flatMap((nodes) =>
          Object.entries(nodes).map(([name, samples]) => [
            name.padEnd(32, "z"),
            samples.map(([age]) => now - age),
          ])
        ),
      ),
    names: (group) =>
      Object.keys(series).filter((id) => id.startsWith(`${group} `)).map((id) =>
        id.slice(group.length + 1)
      ),
    series: (group, stat) =>
      new Map(
        Object.entries(series[`${group} ${stat}`] ?? {}).map((
          [name, samples],
        ): [string, Sample[]] => [
          name.padEnd(32, "z"),
          samples.map(([age, value, incarnation]) => ({
            time: now - age,
            value,
            incarnation,
          })),
        ]),
      ),
  };
}

/** Plain values, or with `dated` those of the past, too. */
function hold(
  nodes: SnapshotNode[],
  { dated: earlier, ...options }: HeldOptions & { dated?: Earlier } = {},
): Held {
  return new Held(
    nodes,
    earlier ? dated(now, earlier) : plainly(now),
    options,
  );
}

function draw(name: string, held: Held): Field[] {
  return [...drawFields(findGraph(name)!, held)];
}

const get = "tahoe_storage_operations_get";

/** Dated values, as seconds from now. */
function ages(values: readonly string[]): string[] {
  return values.map((value) =>
    value.replace(/^\d+/, (time) => `${Number(time) - now}`)
  );
}

Deno.test("dated: every figure since two intervals ago, once, oldest first, at its own second", () => {
  const nodes = [
    node("aaaa", { counters: { "storage_server.get": 7n }, age: 10.75 }),
  ];
  const cases: [string, [number, Value][], string[]][] = [
    ["nothing earlier", [], ["-11:7"]],
    ["one a minute", [[130.2, 5n], [70.5, 6n]], ["-131:5", "-71:6", "-11:7"]],
    ["the latest is in it, too", [[70, 6n], [10.75, 7n]], ["-70:6", "-11:7"]],
    ["two in one second: the later", [[10.9, 6n]], ["-11:7"]],
    ["600 s and older", [[601, 1n], [600, 2n]], ["-600:2", "-11:7"]],
    ["newer than the snapshot", [[70, 6n], [5, 8n]], ["-70:6", "-5:8"]],
    ["not known for a while", [[70, null], [40, NaN]], ["-11:7"]],
    ["from the future", [[-500, 9n]], ["0:9"]],
  ];
  for (const [what, samples, expected] of cases) {
    const earlier = past({
      "counters storage_server.get": { aaaa: samples },
    });
    const [field] = draw(get, hold(nodes, { dated: earlier }));
    assertEquals(
      field.values.map((value) => {
        const [time, number] = value.split(":");
        return `${Number(time) - now}:${number}`;
      }),
      expected,
      what,
    );
    assertEquals(draw(get, hold(nodes))[0].values, ["7"], what);
  }
});

Deno.test("dated: between two incarnations of a node a counter is not known", () => {
  const f = (
    what: string,
    samples: [age: number, value: Value, incarnation?: string][],
    latest: string,
    expected: string[],
    before: Record<string, [age: number, incarnation: string]> = {},
  ) => {
    const figures = { "storage_server.get": 7n };
    const nodes = [
      node("aaaa", { counters: figures, stats: figures, incarnation: latest }),
    ];
    const series = {
      "counters storage_server.get": { aaaa: samples },
      "stats storage_server.get": { aaaa: samples },
    };
    const held = hold(nodes, { dated: past(series, [], before) });
    assertEquals(ages(draw(get, held)[0].values), expected, what);
    // Of a figure that is drawn as it is, nothing is left out.
    const [{ values }] = draw("gatherer_stat_storage_server_get", held);
    assertEquals(values.some((value) => value.endsWith("U")), false, what);
  };
  f("it goes on", [[130, 5n, "a"], [70, 6n, "a"]], "a", [
    "-130:5",
    "-70:6",
    "-10:7",
  ]);
  f("it overtakes its former value", [[130, 5n, "a"], [70, 6n, "b"]], "b", [
    "-130:5",
    "-71:U",
    "-70:6",
    "-10:7",
  ]);
  f("with the very latest figure", [[130, 5n, "a"], [70, 6n, "a"]], "b", [
    "-130:5",
    "-70:6",
    "-11:U",
    "-10:7",
  ]);
  f("twice", [[130, 5n, "a"], [70, 6n, "b"]], "c", [
    "-130:5",
    "-71:U",
    "-70:6",
    "-11:U",
    "-10:7",
  ]);
  f("not known which it is", [[130, 5n, ""], [70, 6n]], "b", [
    "-130:5",
    "-70:6",
    "-10:7",
  ]);
  f("not known in between", [[130, 5n, "a"], [70, 6n]], "b", [
    "-130:5",
    "-70:6",
    "-11:U",
    "-10:7",
  ]);
  f("its first figure cannot be told", [[130, 5n, "a"], [70, null, "b"]], "b", [
    "-130:5",
    "-11:U",
    "-10:7",
  ]);
  f("before what is handed on", [[650, 5n, "a"], [500, 6n, "b"]], "b", [
    "-501:U",
    "-500:6",
    "-10:7",
  ]);
  f("long before that", [[800, 5n, "a"], [650, 6n, "b"]], "b", ["-10:7"]);
  f(
    "before all that is known of the figure",
    [[70, 6n, "b"]],
    "b",
    ["-71:U", "-70:6", "-10:7"],
    { aaaa: [700, "a"] },
  );
  f("not at all", [[70, 6n, "b"]], "b", ["-70:6", "-10:7"], {
    aaaa: [700, "b"],
  });
});

Deno.test("dated: where there is no second between two incarnations, the first figure is given up", () => {
  const f = (old: number, first: number, expected: string[]) => {
    const nodes = [
      node("aaaa", {
        counters: { "storage_server.get": 9n },
        incarnation: "b",
      }),
    ];
    const earlier = past({
      "counters storage_server.get": {
        aaaa: [[200, 4n, "a"], [old, 5n, "a"], [first, 6n, "b"]],
      },
    });
    const [{ values }] = draw(get, hold(nodes, { dated: earlier }));
    assertEquals(ages(values), expected);
  };
  f(72, 70, ["-200:4", "-72:5", "-71:U", "-70:6", "-10:9"]);
  f(71, 70, ["-200:4", "-71:5", "-70:U", "-10:9"]);
  // In one second only the later would count, and there is no time before it either.
  f(69.9, 69.1, ["-200:4", "-70:U", "-10:9"]);
});

Deno.test("dated: a node that is away keeps its field, and says nothing once all is older than 600 s", () => {
  const nodes = [
    node("aaaa", { counters: { "storage_server.get": 7n }, age: 601 }),
  ];
  assertEquals(draw(get, hold(nodes, { dated: noEarlier })), [{
    name: "aaaa_aaaa",
    label: "aaaa_aaaa",
    draw: "LINE1",
    type: "DERIVE",
    min: 0,
    values: [],
  }]);
});

Deno.test("the families draw what Tahoe-LAFS's plugins of these names draw, for every node", () => {
  const nodes = [
    node("storage 1", {
      counters: { "storage_server.add-lease": 4n },
      stats: {
        "storage_server.latencies.add-lease.99_9_percentile": 0.25,
        "storage_server.latencies.add-lease.mean": null,
      },
    }),
    node("other", {}),
  ];
  const held = hold(nodes);
  for (
    const name of [
      "tahoe_server_operations_add-lease",
      "tahoe_server_operations_add_lease",
    ]
  ) {
    const graph = findGraph(name)!;
    const fields = [...drawFields(graph, held)];
    assertEquals(
      configText(graph, fields) + valueText(fields),
      `\
graph_title Tahoe Server 'add-lease' Operations
graph_vlabel ops per second
graph_category tahoe
graph_info This graph shows how many 'add-lease' operations take place on the storage server
storage_1_stor.label storage 1
storage_1_stor.type DERIVE
storage_1_stor.min 0
storage_1_stor.draw LINE2
storage_1_stor.value 4
`,
    );
  }
  const graph = findGraph("tahoe_server_latency_add-lease_99_9")!;
  const fields = [...drawFields(graph, held)];
  assertEquals(
    configText(graph, fields) + valueText(fields),
    `\
graph_title Tahoe Server 'add-lease' Latency (99.9th percentile)
graph_vlabel seconds
graph_category tahoe
graph_info This graph shows how long 'add-lease' operations took on the storage server, the 99.9th percentile delay between message receipt and response generation, calculated over the last thousand operations.
storage_1_stor.label storage 1
storage_1_stor.draw LINE2
storage_1_stor.value 0.25
`,
  );
  assertEquals(
    findGraph("tahoe_server_latency_read_mean")!.title,
    "Tahoe Server 'read' Latency (mean)",
  );
  assertEquals(
    findGraph("tahoe_server_latency_read_01_0")!.title,
    "Tahoe Server 'read' Latency (01.0th percentile)",
  );
  // Too few samples for a mean: there is nothing to draw.
  assertEquals(draw("tahoe_server_latency_add-lease_mean", held), []);
  for (
    const name of [
      "tahoe_server_latency_",
      "tahoe_server_latency_read",
      "tahoe_server_latency_read_12_0",
      "tahoe_server_latency_nosuch_mean",
      "tahoe_server_operations_",
      "tahoe_server_operations_bytes_added",
      "gatherer_stat_",
      "gatherer_counter_",
      `gatherer_stat_${"x".repeat(81)}`,
    ]
  ) assertEquals(findGraph(name), undefined, name);
});

Deno.test("any program's own numbers, dots and dashes written as underscores", () => {
  const nodes = [
    node("mail", {
      counters: { "mailer.sent-ok": 12n, "mailer.sent.ok": 99n },
      stats: { "mailer.queue.length": 3.5 },
    }),
    node("web", { stats: { "mailer.queue_length": 4n } }),
  ];
  const held = hold(nodes);
  const names = graphsWithData(held).map(({ name }) => name);
  assertEquals(names, [
    "gatherer_nodes",
    "gatherer_counter_mailer_sent_ok",
    "gatherer_stat_mailer_queue_length",
  ]);
  assertEquals(draw("gatherer_stat_mailer_queue_length", held), [
    { name: "mail_mail", label: "mail", draw: "LINE1", values: ["3.5"] },
    { name: "web_webz", label: "web", draw: "LINE1", values: ["4"] },
  ]);
  // Two that are written alike: the first in order of the alphabet.
  const [field] = draw("gatherer_counter_mailer_sent_ok", held);
  assertEquals([field.type, field.min, field.values], ["DERIVE", 0, ["12"]]);
  const graph = graphsWithData(held)[1];
  assertEquals(
    [graph.title, graph.category, graph.vlabel],
    ["mailer.sent-ok", "mailer", "per ${graph_period}"],
  );
  assertEquals(findGraph("gatherer_stat_mailer.queue"), undefined);
});

Deno.test("buckets of histograms are no graphs by themselves, but for who names one", () => {
  const held = hold([
    node("shop", {
      counters: {
        "t.count{method=GET}": 3n,
        "t.bucket{le=0.5}": 1n,
        "t.bucket{a=b,le=+Inf,method=GET}": 3n,
        "t.scale{angle=5}": 1n,
      },
    }),
  ]);
  assertEquals(graphsWithData(held).map(({ name }) => name), [
    "gatherer_nodes",
    "gatherer_counter_t_count_method_GET_",
    "gatherer_counter_t_scale_angle_5_",
  ]);
  assertEquals(
    draw("gatherer_counter_t_bucket_le_0_5_", held).map(({ values }) => values),
    [["1"]],
  );
});

Deno.test("names that nodes give their statistics cannot become lines or markup", () => {
  const evil = "a.b\n.\n<script># timeout";
  const held = hold([node("n", { stats: { [evil]: 1n } })]);
  const [, graph] = graphsWithData(held);
  const text = configText(graph, [...drawFields(graph, held)]);
  assertEquals(text.split("\n").slice(0, 4), [
    "graph_title a.b_._<script>_ timeout".replace(/[<>]/g, "_"),
    "graph_vlabel value",
    "graph_category a",
    "graph_info The statistic a.b_.__script__ timeout, a line for each node.",
  ]);
  assertEquals(graph.name, "gatherer_stat_a_b____script___timeout");
});

Deno.test("names of statistics that are too long for a file's name have no graph", () => {
  assertEquals(ownGraphName("stats", "x".repeat(81)), undefined);
  assertEquals(ownGraphName("stats", ""), undefined);
  assertEquals(ownGraphName("stats", "é.b"), "gatherer_stat___b");
});

Deno.test("sums are over the nodes that were heard from, and none is not nought", () => {
  const used = (value: Value, age = 10) => ({
    stats: { "storage_server.disk_used": value },
    age,
  });
  const cases: [string, SnapshotNode[], string[]][] = [
    ["nobody", [], []],
    ["nobody with it", [node("aaaa", {})], []],
    ["integers", [node("aaaa", used(5n)), node("bbbb", used(6n))], ["11"]],
    ["with a double", [node("aaaa", used(5n)), node("bbbb", used(.5))], [
      "5.5",
    ]],
    ["not known of one", [node("aaaa", used(5n)), node("bbbb", used(null))], [
      "5",
    ]],
    ["one silent", [node("aaaa", used(5n)), node("bbbb", used(6n, 301))], [
      "5",
    ]],
    ["all silent", [node("aaaa", used(5n, 301))], []],
    ["infinite", [node("aaaa", used(Infinity))], []],
  ];
  for (const [what, nodes, values] of cases) {
    assertEquals(draw("tahoe_diskused", hold(nodes)), [
      { name: "disk_used", label: "disk used", draw: "LINE1", values },
    ], what);
  }
});

Deno.test("sums of the past: once a round, of all that had reported by its end", () => {
  const stat = "storage_server.disk_used";
  const nodes = [
    node("aaaa", { stats: { [stat]: 30n }, age: 12 }),
    node("bbbb", { stats: { [stat]: 300n }, age: 10 }),
    node("gone", { stats: { [stat]: 9000n }, age: 420 }),
    node("late", { stats: { [stat]: 1_000_000n }, age: 5 }),
  ];
  const earlier = past({
    [`stats ${stat}`]: {
      aaaa: [[192, 8n], [132, 10n], [72, 20n], [12, 30n]],
      bbbb: [[190, 80n], [130, 100n], [70, 200n], [10, 300n]],
      gone: [[420, 9000n]],
    },
  }, [189, 129, 69, 9]);
  assertEquals(
    draw("tahoe_diskused", hold(nodes, { dated: earlier }))[0].values,
    [
      // 291 s before the second of these, the third was heard from for the last time.
      `${now - 189}:9088`,
      `${now - 129}:9110`,
      `${now - 69}:220`,
      `${now - 9}:330`,
      // The newcomer's round is not in the spool yet.
      `${now - 5}:1000330`,
    ],
  );
});

Deno.test("how many were heard from, once a round", () => {
  const stat = "x";
  const nodes = [
    node("aaaa", { stats: { [stat]: 1n }, age: 12 }),
    node("gone", { stats: { [stat]: 1n }, age: 420 }),
  ];
  const earlier = past({
    [`stats ${stat}`]: {
      aaaa: [[132, 1n], [72, 1n], [12, 1n]],
      gone: [[420, 1n]],
    },
  }, [129, 69, 9]);
  assertEquals(draw("gatherer_nodes", hold(nodes, { dated: earlier })), [
    {
      name: "heard",
      label: "heard from",
      draw: "AREA",
      values: [`${now - 129}:2`, `${now - 69}:1`, `${now - 9}:1`],
    },
    {
      name: "silent",
      label: "silent",
      draw: "STACK",
      values: [`${now - 129}:0`, `${now - 69}:1`, `${now - 9}:1`],
    },
  ]);
  assertEquals(
    draw("gatherer_nodes", hold(nodes)).map(({ values }) => values),
    [["1"], ["1"]],
  );
});

Deno.test("what a node reported a while ago and no longer does is still drawn", () => {
  const stat = "storage_server.latencies.read.mean";
  const nodes = [
    node("aaaa", { stats: { [stat]: null } }),
    node("bbbb", {}),
    node("cccc", {}),
  ];
  const earlier = past({
    [`stats ${stat}`]: { aaaa: [[70, 0.5]], bbbb: [[70, 0.25]] },
  });
  const fields = draw(
    "tahoe_server_latency_read_mean",
    hold(nodes, { dated: earlier }),
  );
  assertEquals(fields.map(({ name, values }) => [name, values]), [
    ["aaaa_aaaa", [`${now - 70}:0.5`]],
    ["bbbb_bbbb", [`${now - 70}:0.25`]],
  ]);
});

Deno.test("growth over a span needs a figure of now and one of then; time is left only while it grows", () => {
  const at = (used: bigint, left: bigint, age = 10) => ({
    stats: {
      "storage_server.disk_used": used,
      "storage_server.disk_avail": left,
    },
    age,
  });
  const hour = past({
    "stats storage_server.disk_used": {
      aaaa: [[3710, 900n], [3610, 1000n], [3590, 5000n]],
      gone: [[3610, 0n]],
    },
  });
  const nodes = [
    node("aaaa", at(4600n, 86_400n)),
    node("bbbb", at(77n, 86_400n)),
    node("gone", at(99_999n, 1n, 301)),
  ];
  const held = hold(nodes, { past: new Map([[3600, hour]]) });
  assertEquals(
    draw("tahoe_diskusage", held).map(({ name, values }) => [name, values]),
    [["rate_1hr", ["1.0"]], ["rate_1day", []]],
  );
  assertEquals(
    draw("tahoe_doomsday", held).map(({ name, values }) => [name, values]),
    [["days_1hr", ["2.0"]], ["days_1day", []]],
  );
  const shrinking = hold([node("aaaa", at(1n, 5n))], {
    past: new Map([[3600, hour]]),
  });
  assertEquals(draw("tahoe_doomsday", shrinking)[0].values, []);
  assertEquals(draw("tahoe_diskusage", shrinking)[0].values.length, 1);
});

Deno.test("the CPU of each node is a percentage with two decimals", () => {
  const nodes = [
    node("aaaa", { stats: { "cpu_monitor.5min_avg": 0.12345 } }),
    node("bbbb", { stats: { "cpu_monitor.5min_avg": null } }),
    node("cccc", { stats: { "cpu_monitor.5min_avg": NaN } }),
  ];
  assertEquals(draw("tahoe_cpu_watcher", hold(nodes)), [
    { name: "aaaa_aaaa", label: "aaaa", draw: "LINE2", values: ["12.35"] },
    { name: "cccc_cccc", label: "cccc", draw: "LINE2", values: [] },
  ]);
});

function pattern(lines: Partial<PatternLines>): Graph {
  return {
    name: "mine",
    title: "Mine",
    vlabel: "",
    category: "mine",
    info: "",
    lines: {
      kind: "pattern",
      statistics: [{ glob: "q.*" }],
      per: "node",
      labels: new Map(),
      draw: "AREA",
      ...lines,
    },
  };
}

Deno.test("an operator's own graph: which lines, their names, labels and types", () => {
  const nodes = [
    node("mail-1", {
      counters: { "q.done": 5n },
      stats: { "q.length": 2n, "q-length": 9n, other: 1n },
    }),
    node("web", { stats: { "q.length": 3n } }),
  ];
  const cases: [string, Partial<PatternLines>, string[]][] = [
    ["all that matches", {}, [
      "mail_1_mail_q_done [mail-1 q.done] DERIVE 0 5",
      "mail_1_mail_q_length [mail-1 q.length] - - 2",
      "web_webz_q_length [web q.length] - - 3",
    ]],
    ["one statistic", { statistics: [{ group: "stats", glob: "q.length" }] }, [
      "mail_1_mail [mail-1] - - 2",
      "web_webz [web] - - 3",
    ]],
    ["some nodes", { nodes: "mail-*" }, [
      "mail_1_mail_q_done [mail-1 q.done] DERIVE 0 5",
      "mail_1_mail_q_length [mail-1 q.length] - - 2",
    ]],
    ["a group", { statistics: [{ group: "counters", glob: "*" }] }, [
      "mail_1_mail_q_done [mail-1 q.done] DERIVE 0 5",
    ]],
    ["words", {
      label: "{stat} on {node}",
      labels: new Map([["q.length", "waiting $&"]]),
      statistics: [{ glob: "q.length" }],
    }, [
      "mail_1_mail_q_length [waiting $& on mail-1] - - 2",
      "web_webz_q_length [waiting $& on web] - - 3",
    ]],
    ["names that are written alike", {
      statistics: [{ group: "stats", glob: "q?length" }],
    }, [
      "mail_1_mail_q_length_HASH [mail-1 q-length] - - 9",
      "mail_1_mail_q_length [mail-1 q.length] - - 2",
      "web_webz_q_length [web q.length] - - 3",
    ]],
    ["totals", { per: "total" }, [
      "total_q_done [q.done] - - ",
      "total_q_length [q.length] - - 5",
    ]],
    ["type and bounds", { type: "GAUGE", min: -1, max: 9, nodes: "mail*" }, [
      "mail_1_mail_q_done [mail-1 q.done] - -1 5",
      "mail_1_mail_q_length [mail-1 q.length] - -1 2",
    ]],
  ];
  for (const [what, lines, expected] of cases) {
    assertEquals(
      [...drawFields(pattern(lines), hold(nodes))].map((field) =>
        `${field.name.replace(/_[0-9a-f]{8}$/, "_HASH")} [${field.label}] ${
          field.type ?? "-"
        } ${field.min ?? "-"} ${field.values.join(" ")}`
      ),
      expected,
      what,
    );
  }
});

Deno.test("a total of counters is how fast they grow, whatever nodes come, go or begin anew", () => {
  const nodes = ["aaaa", "bbbb", "gone"].map((name) =>
    node(name, { counters: { "q.done": 0n }, age: 700 })
  );
  const earlier = past({
    "counters q.done": {
      aaaa: [[190, 0n], [130, 60n], [70, 180n], [10, 180n]],
      // Begins anew, then comes back from a restart.
      bbbb: [[130, 5_000_000n], [70, 0n], [10, 600n]],
      gone: [[490, 7n], [430, 67n]],
    },
  }, [429, 189, 129, 69, 9]);
  const [field] = drawFields(
    pattern({ per: "total", statistics: [{ glob: "q.done" }] }),
    hold(nodes, { dated: earlier }),
  );
  assertEquals([field.type, field.values], [undefined, [
    `${now - 429}:1.0`,
    `${now - 189}:1.0`,
    `${now - 129}:1.0`,
    `${now - 69}:2.0`,
    `${now - 9}:10.0`,
  ]]);
});

Deno.test("a total of counters leaves out what a node counted across a restart", () => {
  const nodes = ["aaaa", "bbbb"].map((name) =>
    node(name, { counters: { "q.done": 0n }, age: 700 })
  );
  const earlier = past({
    "counters q.done": {
      aaaa: [[190, 0n, "a"], [130, 60n, "a"], [70, 120n, "a"]],
      // It has overtaken its former value within a minute.
      bbbb: [[190, 10n, "a"], [130, 6010n, "b"], [70, 6070n, "b"]],
    },
  }, [189, 129, 69]);
  const [field] = drawFields(
    pattern({ per: "total", statistics: [{ glob: "q.done" }] }),
    hold(nodes, { dated: earlier }),
  );
  assertEquals(field.values, [`${now - 129}:1.0`, `${now - 69}:2.0`]);
});

Deno.test("labels are nicknames, where these are clear and different", () => {
  const stat = { stats: { "cpu_monitor.5min_avg": 1n } };
  const held = hold([
    node("a #1\\", stat),
    node("same", stat),
    { ...node("same", stat), key: "other".padEnd(32, "z") },
    node("", stat),
    node("x".repeat(100), stat),
    node("größe", stat),
  ]);
  assertEquals(draw("tahoe_cpu_watcher", held).map(({ label }) => label), [
    "a _1_",
    "same_same",
    "same_othe",
    "_zzzz",
    "x".repeat(60),
    "gr__e",
  ]);
});

Deno.test("limits: the configuration's before the file's before the graph's own", () => {
  const complaints: string[] = [];
  const env = {
    warning: "5",
    mine_warning: "6",
    web_webz_warning: "1:7",
    mine_critical: "much",
    PATH: "/usr/bin",
    critical: "9e1",
  };
  const options = {
    file: new Map([["mine", { warning: "100", critical: "200" }]]),
    complain: (line: string) => void complaints.push(line),
  };
  const single = thresholds(env, { ...options, single: true });
  assertEquals(single("mine", "web_webz"), { warning: "1:7", critical: "90" });
  assertEquals(single("mine", "x"), { warning: "6", critical: "90" });
  assertEquals(single("other", "x"), { warning: "5", critical: "90" });
  const all = thresholds(env, { ...options, single: false });
  assertEquals(all("mine", "x"), { warning: "6", critical: "200" });
  assertEquals(all("other", "x"), {});
  assertEquals(complaints.length, 2);
  assertEquals(
    complaints[0].startsWith('env.mine_critical "much" is no range'),
    true,
  );
  const graph = { ...pattern({ nodes: "web" }), limits: { warning: "3" } };
  const held = hold([node("web", { stats: { "q.x": 1n } })]);
  const fields = [...drawFields(graph, held)];
  assertEquals(configText(graph, fields).split("\n").slice(6), [
    "web_webz_q_x.warning 3",
    "",
  ]);
  assertEquals(
    configText(graph, fields, () => ({ warning: "4", critical: ":8" }))
      .split("\n").slice(6),
    ["web_webz_q_x.warning 4", "web_webz_q_x.critical :8", ""],
  );
});

Deno.test("all at once: what has data, each statistic once, and hasData agrees", () => {
  const held = hold([
    node("aaaa", {
      counters: { "storage_server.get": 1n, mine: 2n },
      stats: { "storage_server.disk_used": 5n, idle: null },
    }),
  ]);
  const graphs = graphsWithData(held);
  const expected = [
    "gatherer_nodes",
    "tahoe_storage_operations_get",
    "tahoe_disktotal",
    "tahoe_diskused",
    "tahoe_diskusage",
    "tahoe_doomsday",
    "tahoe_server_operations_get",
    "gatherer_counter_mine",
    "gatherer_stat_storage_server_disk_used",
  ];
  assertEquals(graphs.map(({ name }) => name), expected);
  assertEquals(
    withoutRepeats(graphs).map(({ name }) => name),
    expected.filter((name) => name !== "tahoe_server_operations_get"),
  );
  for (const graph of builtInGraphs) {
    assertEquals(
      hasData(graph, held),
      expected.includes(graph.name),
      graph.name,
    );
  }
});

Deno.test("a node alone on its page: one line of one name, whatever the node calls itself", () => {
  const held = hold(
    [node("9 lives", { counters: { "storage_server.get": 1n } })],
    { alone: true },
  );
  assertEquals(draw(get, held), [{
    name: "value",
    label: "storage_server_get",
    draw: "LINE1",
    type: "DERIVE",
    min: 0,
    values: ["1"],
  }]);
});
