import { assert, assertEquals, assertMatch } from "@std/assert";
import fc from "fast-check";
import type { StatSample } from "../../lib/snapshot/scan.ts";
import { anyNode } from "./arbitrary.ts";
import {
  captures,
  modelGraphs,
  modelOutput,
  modelSamples,
  parseStats,
} from "./model.ts";
import {
  configLines,
  fetchLines,
  type StatGraph,
  statGraphs as graphs,
} from "./sampled.ts";

const now = 1_700_000_000;
const gauge = graphs.find(({ lines }) => lines.type === "GAUGE")!;
const derive = graphs.find(({ lines }) => lines.type === "DERIVE")!;

for (const path of captures) {
  const stats = parseStats(Deno.readTextFileSync(path));
  const times = Object.values(stats).map(({ timestamp }) => Number(timestamp));
  const [first, last] = [Math.min(...times), Math.max(...times)];
  const clocks: [string, number][] = [
    ["all fresh", first + 1],
    ["the oldest just valid", first + 300],
    ["after the last answer", last + 1],
    ["all stale", last + 301],
  ];

  Deno.test(`all graphs are the original's on ${path.split("/").at(-1)}`, () => {
    let values = 0;
    for (const [index, model] of modelGraphs().entries()) {
      const samples = modelSamples(model, stats);
      for (const [when, seconds] of clocks) {
        const what = `${model.name}, ${when}`;
        const fetched = fetchLines(graphs[index], samples, seconds);
        assertEquals(
          configLines(graphs[index], samples),
          modelOutput(model, stats, "config", seconds),
          what,
        );
        assertEquals(
          fetched,
          modelOutput(model, stats, "fetch", seconds),
          what,
        );
        values += fetched.split("\n").length - 1;
        if (when === "all stale") assertEquals(fetched, "", what);
      }
    }
    assert(values > 50, `only ${values} values were compared`);
  });
}

function sample(change: Partial<StatSample>): StatSample {
  return {
    key: "abcdefghijklmnopqrstuvwxyz234567",
    nickname: "n",
    timestamp: now,
    value: 1n,
    ...change,
  };
}

Deno.test("config and fetch, spelled out", () => {
  const samples = [
    sample({ nickname: "storage-1", value: 12n }),
    sample({ nickname: "9 lives", value: 2.5 }),
  ];
  assertEquals(
    configLines(graphs.find(({ args }) => args)!, samples),
    `graph_title Tahoe Storage Server Space Consumed
graph_vlabel bytes
graph_category tahoe_storage_server
graph_info This graph shows space consumed
graph_args --base 1024
storage_1_abcd.label storage_1_abcd
storage_1_abcd.draw LINE1
_9_lives_abcd.label _9_lives_abcd
_9_lives_abcd.draw LINE1
`,
  );
  assertEquals(
    configLines(derive, samples.slice(0, 1)).split("\n").slice(4),
    [
      "storage_1_abcd.label storage_1_abcd",
      "storage_1_abcd.type DERIVE",
      "storage_1_abcd.min 0",
      "storage_1_abcd.draw LINE1",
      "",
    ],
  );
  assertEquals(
    fetchLines(gauge, samples, now),
    "storage_1_abcd.value 12\n_9_lives_abcd.value 2.5\n",
  );
  assertEquals(
    fetchLines(derive, samples, now),
    "storage_1_abcd.value 12\n_9_lives_abcd.value 2\n",
  );
});

Deno.test("no node at all: config has the header alone, fetch is empty", () => {
  assertEquals(configLines(gauge, []).split("\n").length, 5);
  assertEquals(fetchLines(gauge, [], now), "");
});

Deno.test("which nodes appear where", () => {
  const cases: [string, Partial<StatSample>, boolean, boolean][] = [
    // what, the node, in config, in fetch
    ["fresh", {}, true, true],
    ["exactly 300 s old", { timestamp: now - 300 }, true, true],
    ["300.1 s old", { timestamp: now - 300.1 }, true, false],
    ["301 s old", { timestamp: now - 301 }, true, false],
    ["from the future", { timestamp: now + 86_400 }, true, true],
    ["never heard from", { timestamp: 0 }, true, false],
    ["of no time", { timestamp: NaN }, true, false],
    ["without the statistic", { value: undefined }, false, false],
    ["None", { value: null }, false, false],
    ["NaN", { value: NaN }, true, false],
    ["infinite", { value: -Infinity }, true, false],
    ["nought", { value: 0n }, true, true],
  ];
  for (const [what, change, inConfig, inFetch] of cases) {
    for (const graph of [gauge, derive]) {
      const samples = [sample(change)];
      assertEquals(
        /^n_abcd\./m.test(configLines(graph, samples)),
        inConfig,
        what,
      );
      assertEquals(
        /^n_abcd\./m.test(fetchLines(graph, samples, now)),
        inFetch,
        what,
      );
    }
  }
});

Deno.test("a name does not depend on which of the nodes have the statistic or are fresh", () => {
  const older = sample({
    key: "abcdz".padEnd(32, "z"),
    timestamp: 0,
    value: undefined,
  });
  const newer = sample({ key: "abcda".padEnd(32, "a") });
  assertEquals(fetchLines(gauge, [older, newer], now), "n_abcda.value 1\n");
  assertEquals(
    fetchLines(gauge, [{ ...older, timestamp: now, value: 7n }, newer], now),
    "n_abcd.value 7\nn_abcda.value 1\n",
  );
});

const fieldName = "([A-Za-z_][A-Za-z0-9_]{0,139})";
const grammar = {
  global: /^graph_(title|vlabel|category|info|args) [!-~][ -~]*$/,
  field: new RegExp(`^${fieldName}\\.(label|draw|type|min) ([A-Za-z0-9_]+)$`),
  GAUGE: new RegExp(`^${fieldName}\\.value (-?\\d+(?:\\.\\d+)?)$`),
  DERIVE: new RegExp(`^${fieldName}\\.value (-?\\d{1,29})$`),
};

/** The lines of a text that must be empty or end in a newline. */
function linesOf(text: string): string[] {
  if (text === "") return [];
  assert(text.endsWith("\n"));
  return text.slice(0, -1).split("\n");
}

function checkOutput(graph: StatGraph, samples: StatSample[]): void {
  const config = linesOf(configLines(graph, samples));
  const globals = config.findIndex((line) => grammar.field.test(line));
  const labels: string[] = [];
  for (const [index, line] of config.entries()) {
    if (globals === -1 || index < globals) {
      assertMatch(line, grammar.global);
      continue;
    }
    assertMatch(line, grammar.field);
    const [, field, attribute, value] = grammar.field.exec(line)!;
    if (attribute !== "label") {
      assertEquals(field, labels.at(-1)!);
      continue;
    }
    assertEquals(value, field);
    labels.push(field);
  }
  assertEquals(new Set(labels).size, labels.length);
  const fetched = linesOf(fetchLines(graph, samples, now)).map((line) => {
    assertMatch(line, grammar[graph.lines.type]);
    const [, field, value] = grammar[graph.lines.type].exec(line)!;
    assert(Number.isFinite(Number(value)));
    return field;
  });
  // Fetch names fields that config announced, each once, in the same order.
  assertEquals(fetched, labels.filter((label) => fetched.includes(label)));
}

Deno.test("property: every line is one that Munin reads, whatever nodes call themselves and say", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...graphs),
      fc.array(anyNode(), { maxLength: 12 }),
      checkOutput,
    ),
    { numRuns: 1_000 },
  );
});
