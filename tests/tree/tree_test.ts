import { assertEquals, assertStrictEquals } from "@std/assert";
import type { Observation } from "../../lib/tree/metric.ts";
import { type Cluster, momentOf, Tree } from "../../lib/tree/tree.ts";

const observation: Observation = {
  incarnation: "a",
  sequence: 1,
  measuredAt: 1,
  receivedAt: 2,
  metrics: [{ name: "x", value: 1n, slope: "positive" }],
};

Deno.test("update() keeps what a change does not name", () => {
  const tree = new Tree();
  tree.update("c", "k", { nickname: "n", life: { attachedAt: 5 } });
  tree.update("c", "k", { observation });
  tree.update("c", "k", { life: { failure: "late" } });
  const host = tree.host("c", "k")!;
  assertEquals(host.nickname, "n");
  assertStrictEquals(host.observation, observation);
  assertEquals(host.life, {
    attachedAt: 5,
    answeredAt: undefined,
    failure: "late",
    detachReason: undefined,
    retireReason: undefined,
  });
});

Deno.test("hosts keep their order of arrival, whatever is updated later", () => {
  const tree = new Tree();
  for (const key of ["b", "a", "c"]) tree.update("c", key, {});
  tree.update("c", "a", { nickname: "again" });
  assertEquals([...tree.cluster("c").hosts.keys()], ["b", "a", "c"]);
  assertEquals([...tree.grid.clusters.keys()], ["c"]);
});

Deno.test("whoever holds a host reads a moment that does not change", () => {
  const tree = new Tree();
  const before = tree.update("c", "k", { nickname: "old" });
  tree.update("c", "k", { nickname: "new" });
  assertEquals(before.nickname, "old");
});

Deno.test("commit() tells every listener until it unsubscribes", () => {
  const tree = new Tree();
  const seen: Cluster[] = [];
  const end = tree.onCommit((cluster) => seen.push(cluster));
  tree.update("c", "k", {});
  assertEquals(seen.length, 0);
  tree.commit("c");
  tree.commit("empty");
  end();
  tree.commit("c");
  assertEquals(seen.map(({ name, hosts }) => [name, hosts.size]), [["c", 1], [
    "empty",
    0,
  ]]);
});

Deno.test("momentOf() is a moment that does not change, without those that are retired", () => {
  const tree = new Tree();
  for (const key of ["a", "b", "c"]) tree.update("c", key, { observation });
  const before = momentOf(tree.cluster("c"));
  tree.retire("c", "b", "sold");
  tree.retire("c", "d", "sold");
  tree.retire("other", "a", "sold");
  tree.update("c", "d", { nickname: "later", observation });
  assertEquals([...before.hosts.keys()], ["a", "b", "c"]);
  assertEquals([...momentOf(tree.cluster("c")).hosts.keys()], ["a", "c"]);
  assertEquals([...tree.cluster("c").hosts.keys()], ["a", "b", "c", "d"]);
  assertEquals(tree.host("c", "d")!.life.retireReason, "sold");
  // Nothing else than being brought back ends it.
  tree.update("c", "b", { observation, life: { attachedAt: 5 } });
  assertEquals(tree.host("c", "b")!.life.retireReason, "sold");
  tree.retire("c", "b", undefined);
  const back = momentOf(tree.cluster("c")).hosts;
  assertEquals([...back.keys()], ["a", "b", "c"]);
  // Nothing is lost, but what it reported before is no new report.
  assertEquals(back.get("b")!.observation, { ...observation, sequence: 0 });
});

Deno.test("a cluster that is replaced has the same nodes retired", () => {
  const tree = new Tree();
  const host = tree.update("c", "a", { observation });
  const other = tree.update("c", "b", { observation });
  tree.retire("c", "a", "sold");
  tree.replace({ name: "c", hosts: new Map([["a", host], ["b", other]]) });
  assertEquals([...momentOf(tree.cluster("c")).hosts.keys()], ["b"]);
  tree.remove("c");
  tree.replace({ name: "c", hosts: new Map([["a", host]]) });
  assertEquals(momentOf(tree.cluster("c")).hosts.size, 0);
  tree.retire("c", "a", undefined);
  assertEquals(momentOf(tree.cluster("c")).hosts.size, 1);
});
