import { assertEquals, assertStrictEquals } from "@std/assert";
import type { ReadHost } from "../../lib/ganglia/xml/document.ts";
import { mergeCluster } from "../../lib/sources/gmond_cluster.ts";
import { statusOf } from "../../lib/tree/state.ts";
import { type Metric, withHeld } from "../../lib/tree/metric.ts";
import type { Cluster } from "../../lib/tree/tree.ts";
import { gmondMetric } from "../ganglia/captures.ts";

const EPOCH = 1_700_000_000_000;
const DETAIL = { owner: "o", latlong: "l", url: "u", localtime: 1000 };

/** A cluster that is told answers, each some seconds after the first. */
class Told {
  cluster: Cluster | undefined;
  readonly limits = {
    forgetSeconds: 1000,
    hosts: 100,
    hostMetrics: 100,
    metrics: 1000,
  };

  answer(seconds: number, ...hosts: ReadHost[]): Cluster {
    const monotonic = 5000 + seconds * 1000;
    return this.cluster = mergeCluster(
      { name: "c", detail: DETAIL, hosts },
      this.cluster,
      { name: "s", answeredAt: monotonic, interval: 15, failure: undefined },
      { now: EPOCH + seconds * 1000, monotonic },
      (key) => `${key} is missing`,
      this.limits,
    );
  }

  host(name: string) {
    return this.cluster!.hosts.get(`c/${name}`);
  }

  /** TN of each of its metrics, those that were sent first. */
  ages(name: string): Record<string, number> {
    const metrics = withHeld(this.host(name)!.observation!);
    return Object.fromEntries(metrics.map(({ name, tn }) => [name, tn!]));
  }

  state(name: string, seconds: number) {
    const { life } = this.host(name)!;
    const limits = { lateMs: 80_000, silentMs: 300_000 };
    const { state, reason } = statusOf(life, limits, 5000 + seconds * 1000);
    return { state, reason };
  }
}

function sent(
  name: string,
  metrics: readonly Metric[] | undefined,
  detail: Partial<ReadHost["detail"]> = {},
): ReadHost {
  return {
    name,
    metrics: metrics && [...metrics],
    detail: {
      ip: "192.0.2.1",
      reported: 990,
      tn: 4,
      tmax: 20,
      dmax: 0,
      location: "x",
      gmondStarted: 900,
      tags: "",
      ...detail,
    },
  };
}

const M = gmondMetric("m", "1", {}, 3);
const N = gmondMetric("n", "2", {}, 5);
const SHORT = gmondMetric("short", "3", { dmax: 30 }, 10);

Deno.test("mergeCluster() makes a host of what was sent, to the last field", () => {
  const told = new Told();
  const cluster = told.answer(0, sent("h", [M]));
  assertEquals(cluster, {
    name: "c",
    detail: DETAIL,
    source: { name: "s", answeredAt: 5000, interval: 15, failure: undefined },
    hosts: new Map([["c/h", {
      key: "c/h",
      nickname: "h",
      observation: {
        incarnation: "900",
        sequence: 1,
        measuredAt: EPOCH - 4000,
        receivedAt: EPOCH,
        metrics: [M],
      },
      life: {
        attachedAt: 1000,
        answeredAt: 1000,
        failure: undefined,
        detachReason: undefined,
        retireReason: undefined,
      },
      detail: sent("h", []).detail,
    }]]),
  });
});

Deno.test("mergeCluster(): what was reported once was measured once", () => {
  const told = new Told();
  told.answer(0, sent("h", [M]));
  told.answer(15, sent("h", [M], { tn: 19 }));
  const { sequence, measuredAt, receivedAt } = told.host("h")!.observation!;
  assertEquals([sequence, measuredAt, receivedAt], [
    2,
    EPOCH - 4000,
    EPOCH + 15_000,
  ]);
  told.answer(30, sent("h", [M], { reported: 1020, tn: 2 }));
  assertEquals(told.host("h")!.observation!.measuredAt, EPOCH + 28_000);
  // The same second, but another process.
  told.answer(
    31,
    sent("h", [M], { reported: 1020, gmondStarted: 1021, tn: 1 }),
  );
  const { incarnation, measuredAt: again } = told.host("h")!.observation!;
  assertEquals([incarnation, again], ["1021", EPOCH + 30_000]);
});

Deno.test("mergeCluster() keeps the order of hosts, whatever the order of an answer", () => {
  const told = new Told();
  told.answer(0, sent("a", [M]), sent("b", [M]));
  told.answer(15, sent("c", [M]), sent("b", [M]), sent("a", [M]));
  assertEquals([...told.cluster!.hosts.keys()], ["c/a", "c/b", "c/c"]);
  assertEquals([...told.cluster!.hosts.values()].map(({ key }) => key), [
    "c/a",
    "c/b",
    "c/c",
  ]);
});

Deno.test("mergeCluster(): of a host that is down the last figures stay, and age", () => {
  const told = new Told();
  told.answer(0, sent("h", [M, SHORT]));
  assertEquals(told.state("h", 0), { state: "attached", reason: "answers" });
  told.answer(15, sent("h", undefined, { tn: 80 }));
  assertEquals(told.ages("h"), { m: 18, short: 25 });
  const { sequence, measuredAt, receivedAt } = told.host("h")!.observation!;
  assertEquals([sequence, measuredAt, receivedAt], [1, EPOCH - 4000, EPOCH]);
  assertEquals(told.host("h")!.detail!.tn, 80);
  assertEquals(told.state("h", 15), {
    state: "late",
    reason: "it was last heard of 80 s ago",
  });
  told.answer(30, sent("h", undefined, { tn: 95 }));
  // Past its DMAX of 30 s.
  assertEquals(told.ages("h"), { m: 33 });
  told.answer(300, sent("h", undefined, { tn: 365 }));
  assertEquals(told.state("h", 300).state, "silent");
  told.answer(315, sent("h", [M], { tn: 1, reported: 1314 }));
  assertEquals(told.ages("h"), { m: 3 });
  assertEquals(told.state("h", 315).state, "attached");
});

Deno.test("mergeCluster(): a host that was down from the first has no figures", () => {
  const told = new Told();
  told.answer(0, sent("h", undefined, { tn: 500 }));
  assertEquals(told.host("h")!.observation, undefined);
  assertEquals(told.state("h", 0).state, "silent");
  told.answer(15, sent("h", [M], { tn: 1 }));
  assertEquals(told.host("h")!.observation!.sequence, 1);
});

Deno.test("mergeCluster(): a host that is sent no more ages, and goes with its DMAX", () => {
  const told = new Told();
  told.answer(0, sent("a", [M, SHORT], { dmax: 60 }), sent("b", [M]));
  told.answer(15, sent("b", [M]));
  assertEquals(told.host("a")!.detail!.tn, 19);
  assertEquals(told.ages("a"), { m: 18, short: 25 });
  assertEquals(told.state("a", 15), {
    state: "gone",
    reason: "c/a is missing",
  });
  told.answer(30, sent("b", [M]));
  assertEquals(told.ages("a"), { m: 33 });
  told.answer(56, sent("b", [M]));
  assertEquals(told.host("a")!.detail!.tn, 60);
  told.answer(57, sent("b", [M]));
  assertEquals([...told.cluster!.hosts.keys()], ["c/b"]);
  // One that comes back in time is as it was.
  told.answer(60, sent("a", [M]), sent("b", [M]));
  told.answer(75, sent("b", [M]));
  told.answer(90, sent("a", [N]), sent("b", [M]));
  assertEquals(told.state("a", 90).state, "attached");
  assertEquals(told.ages("a"), { n: 5, m: 33 });
});

Deno.test("mergeCluster(): without a DMAX the local limit counts", () => {
  const told = new Told();
  told.answer(0, sent("a", [M]), sent("b", [M]));
  told.answer(990, sent("b", [M]));
  assertEquals(told.host("a")!.detail!.tn, 994);
  told.answer(1005, sent("b", [M]));
  assertEquals([...told.cluster!.hosts.keys()], ["c/b"]);
});

Deno.test("mergeCluster(): a host that is sent, but past its DMAX, is not there", () => {
  const told = new Told();
  told.answer(0, sent("a", undefined, { dmax: 60, tn: 60 }));
  assertEquals(told.cluster!.hosts.size, 1);
  told.answer(15, sent("a", undefined, { dmax: 60, tn: 61 }));
  assertEquals(told.cluster!.hosts.size, 0);
});

Deno.test("mergeCluster(): a metric that is sent no more stays until its DMAX", () => {
  const told = new Told();
  told.answer(0, sent("h", [M, SHORT, N]));
  told.answer(15, sent("h", [N]));
  assertEquals(told.ages("h"), { n: 5, m: 18, short: 25 });
  const { metrics, held } = told.host("h")!.observation!;
  // It is no figure of this moment.
  assertEquals(metrics, [N]);
  const [kept] = held!;
  assertEquals(kept, { ...M, tn: 18 });
  assertStrictEquals(kept.detail, M.detail);
  told.answer(20, sent("h", [N]));
  assertEquals(told.ages("h"), { n: 5, m: 23, short: 30 });
  told.answer(21, sent("h", [N]));
  assertEquals(told.ages("h"), { n: 5, m: 24 });
  told.answer(25, sent("h", [M, N]));
  assertEquals(told.host("h")!.observation!.held, undefined);
  told.answer(30, sent("h", [N]));
  // Of a host that is down, or not sent, they age as well.
  told.answer(35, sent("h", undefined, { tn: 100 }));
  assertEquals(told.ages("h"), { n: 10, m: 13 });
  told.answer(40);
  assertEquals(told.ages("h"), { n: 15, m: 18 });
  told.answer(45, sent("h", [N]));
  assertEquals(told.ages("h"), { n: 5, m: 23 });
  told.answer(1100, sent("h", [N]));
  assertEquals(told.ages("h"), { n: 5 });
});

Deno.test("mergeCluster(): what is sent no more goes first when there is too much", () => {
  const told = new Told();
  Object.assign(told.limits, { hosts: 3, hostMetrics: 2 });
  told.answer(0, sent("a", [M]), sent("b", [M]));
  told.answer(15, sent("b", [M]), sent("c", [M]));
  told.answer(30, sent("d", [M]), sent("c", [M]));
  // The one that has been missing for longest has gone.
  assertEquals([...told.cluster!.hosts.keys()], ["c/b", "c/c", "c/d"]);
  told.answer(45, sent("c", [N, SHORT]));
  assertEquals(told.ages("c"), { n: 5, short: 10 });
});

Deno.test("mergeCluster(): of what is sent no more there is a bound for all hosts together", () => {
  const told = new Told();
  Object.assign(told.limits, { metrics: 3 });
  told.answer(0, sent("a", [M, N]), sent("b", [M, N]), sent("c", [M, N]));
  told.answer(15, sent("b", [M, N]), sent("c", [M, N]));
  told.answer(30, sent("c", [M, N]));
  assertEquals([...told.cluster!.hosts.keys()], ["c/b", "c/c"]);
  told.answer(45, sent("c", [SHORT]));
  assertEquals(told.ages("c"), { short: 10, m: 18 });
  assertEquals([...told.cluster!.hosts.keys()], ["c/b", "c/c"]);
});

Deno.test("mergeCluster(): hosts of a snapshot stay for a while", () => {
  const told = new Told();
  told.answer(0, sent("a", [M]));
  const { detail: _, ...host } = told.host("a")!;
  const life = { ...host.life, attachedAt: undefined, answeredAt: undefined };
  told.cluster = { name: "c", hosts: new Map([["c/a", { ...host, life }]]) };
  told.answer(10, sent("b", [M]));
  assertEquals(told.state("a", 10).state, "gone");
  told.answer(1000, sent("b", [M]));
  assertEquals(told.cluster!.hosts.size, 2);
  told.answer(1011, sent("b", [M]));
  assertEquals(told.cluster!.hosts.size, 1);
});
