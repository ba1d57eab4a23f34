import { assertEquals, assertMatch } from "@std/assert";
import {
  builtInGraphs,
  closestGraphs,
  findGraph,
} from "../../lib/munin/catalog.ts";
import { modelGraphs } from "./model.ts";
import { statGraphs as graphs } from "./sampled.ts";

Deno.test("the table has the original's 26 graphs in its order, with its texts", () => {
  assertEquals(
    graphs.map((graph) => ({
      name: graph.name,
      category: graph.lines.group,
      stat: graph.lines.stat,
      title: graph.title,
      vlabel: graph.vlabel,
      graph_category: graph.category,
      info: graph.info,
      ...(graph.args === undefined ? {} : { args: graph.args }),
      field: graph.lines.type === "DERIVE"
        ? { draw: "LINE1", type: "DERIVE", min: 0 }
        : { draw: "LINE1" },
    })),
    modelGraphs() as unknown[] as never,
  );
  assertEquals(graphs.length, 26);
  assertEquals(
    graphs.filter(({ lines }) => lines.type === "DERIVE").length,
    13,
  );
  assertEquals(
    graphs.filter(({ lines }) => lines.group === "stats").length,
    11,
  );
});

Deno.test("every graph's name is a legal service name of one wildcard plugin, and not too long", () => {
  for (const { name } of graphs) {
    assertMatch(name, /^tahoe_[a-z_]+$/);
    assertEquals(name.length <= 35, true, name);
  }
  assertEquals(new Set(graphs.map(({ name }) => name)).size, 26);
});

Deno.test("findGraph wants the exact name and ignores one .py", () => {
  const cases: [string, string | undefined][] = [
    ["tahoe_storage_consumed", "tahoe_storage_consumed"],
    ["tahoe_storage_consumed.py", "tahoe_storage_consumed"],
    ["tahoe_storage_consumed.py.py", undefined],
    ["tahoe_storage_consumed.", undefined],
    ["Tahoe_storage_consumed", undefined],
    ["tahoe_storage_consumed_", undefined],
    ["tahoe_", undefined],
    [".py", undefined],
    ["", undefined],
    ["__proto__", undefined],
  ];
  for (const [name, expected] of cases) {
    assertEquals(findGraph(name)?.name, expected, name);
  }
  for (const graph of builtInGraphs) {
    assertEquals(findGraph(graph.name), graph);
  }
});

Deno.test("closestGraphs finds what was meant", () => {
  const cases: [string, string[]][] = [
    ["tahoe_storage_consumd", ["tahoe_storage_consumed"]],
    ["storage_consumed", ["tahoe_storage_consumed"]],
    ["tahoe-storage-consumed.py", ["tahoe_storage_consumed"]],
    ["TAHOE_STORAGE_CONSUMED", ["tahoe_storage_consumed"]],
    ["tahoe_runtime_load", [
      "tahoe_runtime_load_avg",
      "tahoe_runtime_load_peak",
    ]],
    ["tahoe_storage_operations_red", [
      "tahoe_storage_operations_get",
      "tahoe_storage_operations_readv",
      "tahoe_storage_operations_writev",
    ]],
    ["tahoe_", []],
    ["df", []],
    ["", []],
    ["x".repeat(100_000), []],
  ];
  for (const [name, expected] of cases) {
    assertEquals(closestGraphs(name), expected, name.slice(0, 50));
  }
});
