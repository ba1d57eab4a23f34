import { assert, assertEquals, assertMatch } from "@std/assert";
import { globsMatcher } from "../../lib/glob.ts";
import { GridContent } from "../../lib/munin_node/grid_content.ts";
import { SpoolPlugin } from "../../lib/plugins/spool.ts";
import { Tree } from "../../lib/tree/tree.ts";
import type { Metric } from "../../lib/tree/metric.ts";
import { FakeClock } from "../fake_clock.ts";

const CLUSTER = "foolscap";
const ALL = { multigraph: true, dirtyconfig: true };
const PLAIN = { multigraph: false, dirtyconfig: false };

interface Grid extends AsyncDisposable {
  readonly content: GridContent;
  /** Each node as a host. */
  readonly nodes: GridContent;
  readonly clock: FakeClock;
  /** A minute goes by; the nodes named report what they have counted so far. */
  round(...keys: string[]): Promise<void>;
  /** A node begins anew, and counts so much at once that nobody can tell from the number. */
  restart(key: string): void;
}

/** Nodes of which each counts 60 things a minute, and holds as many files as rounds it was in. */
async function makeGrid(
  select = "",
  portionValues?: number,
): Promise<Grid> {
  const directory = await Deno.makeTempDir();
  const clock = new FakeClock();
  const spool = new SpoolPlugin({ directory, clock, mode: 0o600 });
  await spool.start();
  const tree = new Tree();
  const options = {
    hostName: "grid.example",
    spool: directory,
    operators: {
      graphs: [],
      limits: new Map([["tahoe_storage_operations_get", { warning: ":9" }]]),
    },
    selects: globsMatcher(select),
    drilldown: "no" as const,
    clock,
    portionValues,
  };
  const content = new GridContent({ ...options, nodesAsHosts: false });
  const nodes = new GridContent({ ...options, nodesAsHosts: true });
  const rounds = new Map<string, number>();
  const restarts = new Map<string, number>();
  return {
    restart(key) {
      restarts.set(key, (restarts.get(key) ?? 0) + 1);
    },
    content,
    nodes,
    clock,
    async round(...keys) {
      for (const key of keys) {
        await clock.advance(2000);
        const sequence = (rounds.get(key) ?? 0) + 1;
        rounds.set(key, sequence);
        const metrics: Metric[] = [
          {
            name: "storage_server.get",
            value: BigInt(sequence * 60),
            slope: "positive",
          },
          { name: "files", value: BigInt(sequence), slope: "both" },
        ];
        tree.update(CLUSTER, key, {
          nickname: key,
          observation: {
            incarnation: String(restarts.get(key) ?? 0),
            sequence,
            measuredAt: clock.now(),
            receivedAt: clock.now(),
            metrics,
          },
        });
      }
      for (const plugin of [content, nodes]) {
        await plugin.update(tree.cluster(CLUSTER));
      }
      await spool.notify(tree.cluster(CLUSTER));
      await clock.advance(60_000 - keys.length * 2000);
    },
    async [Symbol.asyncDispose]() {
      spool.stop();
      await Deno.remove(directory, { recursive: true });
    },
  };
}

async function text(
  pieces: AsyncIterable<string> | undefined,
): Promise<string> {
  assert(pieces !== undefined);
  let all = "";
  for await (const piece of pieces) {
    assert(piece === "" || piece.endsWith("\n"));
    all += piece;
  }
  return all;
}

/** The values of a field in an answer, of a graph if it is of several: `[time, value]`. */
function valuesOf(
  answer: string,
  field: string,
  graph?: string,
): [number, number][] {
  const block = graph === undefined
    ? answer
    : answer.split(/^multigraph /m).find((block) =>
      block.startsWith(`${graph}\n`)
    ) ?? "";
  return [...block.matchAll(new RegExp(`^${field}\\.value (\\d+):(.+)$`, "gm"))]
    .map(([, time, value]) => [Number(time), Number(value)]);
}

const get = "tahoe_storage_operations_get";

Deno.test("config and fetch: figures of the last ten minutes, each at its time, limits from the file", async () => {
  await using grid = await makeGrid();
  for (let i = 0; i < 15; i++) await grid.round("aaaa", "bbbb");
  const { content } = grid;
  assertEquals(content.hosts(), ["grid.example"]);
  assertEquals(content.services("grid.example"), [
    "gatherer_nodes",
    get,
    "gatherer_stat_files",
  ]);
  const config = await text(content.config("grid.example", get, PLAIN));
  assertEquals(config.split("\n").slice(4), [
    "aaaa_aaaa.label aaaa_aaaa",
    "aaaa_aaaa.type DERIVE",
    "aaaa_aaaa.min 0",
    "aaaa_aaaa.draw LINE1",
    "aaaa_aaaa.warning :9",
    "bbbb_bbbb.label bbbb_bbbb",
    "bbbb_bbbb.type DERIVE",
    "bbbb_bbbb.min 0",
    "bbbb_bbbb.draw LINE1",
    "bbbb_bbbb.warning :9",
    "",
  ]);
  const fetched = await text(content.fetch("grid.example", get));
  assertEquals(
    await text(content.config("grid.example", get, ALL)),
    config + fetched,
  );
  // 15 minutes after the start at 1,700,000,000; a report is at the second second of its minute.
  const expected = Array.from({ length: 10 }, (_, i): [number, number] => [
    1_700_000_002 + (i + 5) * 60,
    (i + 6) * 60,
  ]);
  assertEquals(valuesOf(fetched, "aaaa_aaaa"), expected);
  assertEquals(
    valuesOf(fetched, "bbbb_bbbb"),
    expected.map(([time, value]) => [time + 2, value]),
  );
  assertEquals(content.config("grid.example", "nosuch", ALL), undefined);
  assertEquals(content.fetch("elsewhere", get), undefined);
  assertEquals(content.services("elsewhere"), undefined);
  // Known but without data here: a description without lines.
  const empty = content.config("grid.example", "tahoe_storage_consumed", ALL);
  assertMatch(await text(empty), /^graph_title .*\n(graph_.*\n){4}$/);
});

Deno.test("all graphs at once say what each says alone", async () => {
  await using grid = await makeGrid();
  for (let i = 0; i < 3; i++) await grid.round("aaaa", "bbbb");
  const { content } = grid;
  let expected = "";
  for (const service of content.services("grid.example")!) {
    const alone = await text(content.config("grid.example", service, ALL));
    expected += `multigraph ${service}\n${alone}`;
  }
  const all = await text(content.config("grid.example", "gatherer", ALL));
  assertEquals(all, expected);
});

Deno.test("only the graphs that were selected are listed; the others are answered when asked for", async () => {
  await using grid = await makeGrid("tahoe_*");
  await grid.round("aaaa");
  const { content } = grid;
  assertEquals(content.services("grid.example"), [get]);
  const other = content.fetch("grid.example", "gatherer_stat_files");
  assertEquals(valuesOf(await text(other), "aaaa_aaaa"), [[1_700_000_002, 1]]);
});

Deno.test("a master that was away for a day gets every figure of it, in portions, each once in order", async () => {
  await using grid = await makeGrid("", 3000);
  const minutes = 25 * 60;
  for (let i = 0; i < minutes; i++) {
    // One node is away for the first ten hours, another all but the first hour.
    await grid.round(
      "aaaa",
      ...(i >= 600 ? ["bbbb"] : []),
      ...(i < 60 ? ["cccc"] : []),
    );
  }
  const seen = new Map<string, [number, number][]>();
  let epoch = 0;
  let portions = 0;
  for (;; portions++) {
    assert(portions < 10);
    const answer = await text(grid.content.spoolfetch!(epoch));
    const blocks = answer.split(/^multigraph /m);
    assertEquals(blocks.length, 4);
    for (const block of blocks.slice(1)) {
      // The description comes first, always, and names no field twice.
      assertMatch(block, /^\w+\ngraph_title /);
      assertEquals(
        block.includes(".value") && /value.*\n.*label/.test(block),
        false,
      );
    }
    let end = epoch;
    for (const field of ["aaaa_aaaa", "bbbb_bbbb", "cccc_cccc"]) {
      const values = valuesOf(answer, field, get);
      const known = seen.get(field) ?? [];
      // As Munin does: what is not newer is passed over.
      known.push(...values.filter(([time]) => time > (known.at(-1)?.[0] ?? 0)));
      seen.set(field, known);
      end = Math.max(end, ...values.map(([time]) => time));
    }
    for (
      const [time] of valuesOf(answer, "(?:heard|silent)", "gatherer_nodes")
    ) {
      end = Math.max(end, time);
    }
    if (end === epoch) break;
    epoch = end;
  }
  assertEquals(portions, 3);
  const start = 1_700_000_000;
  assertEquals(
    seen.get("aaaa_aaaa"),
    Array.from({ length: minutes }, (_, i) => [
      start + i * 60 + 2,
      (i + 1) * 60,
    ]),
  );
  assertEquals(
    seen.get("bbbb_bbbb"),
    Array.from({ length: minutes - 600 }, (_, i) => [
      start + (i + 600) * 60 + 4,
      (i + 1) * 60,
    ]),
  );
  assertEquals(
    seen.get("cccc_cccc"),
    Array.from({ length: 60 }, (_, i) => [start + i * 60 + 4, (i + 1) * 60]),
  );
});

Deno.test("spoolfetch has nothing new to say twice, and describes all the same", async () => {
  await using grid = await makeGrid();
  for (let i = 0; i < 3; i++) await grid.round("aaaa");
  const last = 1_700_000_000 + 2 * 60 + 2;
  const answer = await text(grid.content.spoolfetch!(last));
  assertEquals(valuesOf(answer, "aaaa_aaaa", get), [[last, 180]]);
  const later = await text(grid.content.spoolfetch!(last + 1));
  assertEquals(valuesOf(later, "aaaa_aaaa", get), []);
  assertMatch(later, /^aaaa_aaaa\.label aaaa_aaaa$/m);
});

Deno.test("each node as a host: its own graphs, one line each, and no spool to mix them up", async () => {
  await using grid = await makeGrid();
  await grid.round("aaaa", "Bb b");
  const { nodes } = grid;
  assertEquals(nodes.spoolfetch, undefined);
  assertEquals(nodes.hosts(), [
    "grid.example",
    "aaaa-aaaa.grid.example",
    "bb-b-bbb.grid.example",
  ]);
  assertEquals(nodes.services("bb-b-bbb.grid.example"), [
    "gatherer_nodes",
    get,
    "gatherer_stat_files",
  ]);
  const answer = nodes.config("bb-b-bbb.grid.example", get, ALL);
  assertEquals((await text(answer)).split("\n").slice(4), [
    "value.label storage_server_get",
    "value.type DERIVE",
    "value.min 0",
    "value.draw LINE1",
    "value.warning :9",
    "value.value 1700000004:60",
    "",
  ]);
  assertEquals(
    (await text(nodes.fetch("grid.example", get))).split("\n").length,
    3,
  );
});

Deno.test("between two incarnations of a node there is a U, also where Munin asks for what comes after", async () => {
  await using grid = await makeGrid();
  const { content, nodes, clock } = grid;
  const start = clock.now() / 1000;
  const marks = (answer: string, field: string) =>
    [...answer.matchAll(new RegExp(`^${field}.value (\\d+):(.+)$`, "gm"))]
      .map(([, time, value]) => [Number(time) - start, value]);
  const spoolfetch = (from: number) => text(content.spoolfetch!(start + from));
  await grid.round("aaaa", "bbbb");
  await grid.round("aaaa", "bbbb");
  for (let i = 0; i < 3; i++) await grid.round("bbbb");
  grid.restart("aaaa");
  await grid.round("aaaa", "bbbb");
  const whole = [[2, "60"], [62, "120"], [301, "U"], [302, "180"]];
  const graph = [
    await text(content.fetch("grid.example", get)),
    (await spoolfetch(0)).split(/^multigraph /m)
      .find((block) => block.startsWith(`${get}\n`))!,
  ];
  for (const answer of graph) {
    assertEquals(marks(answer, "aaaa_aaaa"), whole);
    assertEquals(
      marks(answer, "bbbb_bbbb").some(([, value]) => value === "U"),
      false,
    );
  }
  const [, host] = nodes.hosts();
  assertEquals(marks(await text(nodes.fetch(host, get)), "value"), whole);
  // Munin has figures of the other node that are newer than the last of this one.
  const later = (await spoolfetch(242)).split(/^multigraph /m);
  const ofCounter = later.find((block) => block.startsWith(`${get}\n`))!;
  assertEquals(marks(ofCounter, "aaaa_aaaa"), [[301, "U"], [302, "180"]]);
  const ofFiles = later.find((block) =>
    block.startsWith("gatherer_stat_files\n")
  )!;
  assertEquals(marks(ofFiles, "aaaa_aaaa"), [[302, "3"]]);
});
