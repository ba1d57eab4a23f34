import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { UserError } from "../../lib/errors.ts";
import type { GathererStatus, NodeReport } from "../../lib/status.ts";
import { readJson, writeJson } from "../../lib/snapshot/json.ts";
import type { Host } from "../../lib/tree/host.ts";
import {
  type Handler,
  HttpPlugin,
  type HttpPluginOptions,
} from "../../lib/web/http.ts";
import { FakeClock } from "../fake_clock.ts";
import {
  clusterOf,
  counter,
  gauge,
  nodeWith,
  NOW,
  statusWith,
} from "../openmetrics/world.ts";
import { snapshotJson } from "../../lib/web/json_pages.ts";
import { readStrictly } from "../openmetrics/strict.ts";

const LIFE: Host["life"] = {
  attachedAt: 0,
  answeredAt: 0,
  failure: undefined,
  detachReason: undefined,
  retireReason: undefined,
};

/** A plugin that listens, and what it is told. */
async function start(
  change: Partial<HttpPluginOptions> & { status?: () => GathererStatus } = {},
) {
  const clock = new FakeClock(NOW);
  const plugin = new HttpPlugin({
    host: "127.0.0.1",
    port: 0,
    allow: "127.0.0.1",
    clock,
    status: () => ({ ...statusWith(), nodes: [] }),
    ...change,
  });
  await plugin.start();
  const base = `http://${plugin.addresses.HTTP}`;
  return {
    plugin,
    clock,
    async ask(path: string, init?: RequestInit) {
      const response = await fetch(base + path, init);
      return { response, text: await response.text() };
    },
    [Symbol.asyncDispose]: () => plugin.stop(),
  };
}

function node(
  key: string,
  ...metrics: Parameters<typeof nodeWith>[1][number][]
) {
  return nodeWith(key, metrics, { nickname: `node-${key}`, life: LIFE });
}

Deno.test("the pages are named by the first, and nothing else is there", async () => {
  await using world = await start({
    routes: new Map([[
      "POST /v1/metrics",
      () => Promise.resolve(new Response("taken")),
    ]]),
  });
  const { text } = await world.ask("/");
  const paths = text.match(/^\/\w+/gm) ?? [];
  assertEquals(paths, [
    "/healthz",
    "/readyz",
    "/metrics",
    "/nodes",
    "/snapshot",
  ]);
  assertMatch(text, /^POST \/v1\/metrics: /m);
  for (const path of ["/", ...paths]) {
    const { response } = await world.ask(path);
    assertEquals(response.status, 200, path);
    const head = await world.ask(path, { method: "HEAD" });
    assertEquals([head.response.status, head.text], [200, ""]);
    assertEquals(
      head.response.headers.get("content-type"),
      response.headers.get("content-type"),
    );
    const put = await world.ask(path, { method: "PUT", body: "x" });
    assertEquals(put.response.status, 405);
    assertEquals(put.response.headers.get("allow"), "GET, HEAD");
  }
  const missing = await world.ask("/metrics/");
  assertEquals(missing.response.status, 404);
  const wrong = await world.ask("/v1/metrics");
  assertEquals(wrong.response.status, 405);
  assertEquals(wrong.response.headers.get("allow"), "POST");
});

Deno.test("/healthz is about the process, /readyz about its work", async () => {
  const table: [Partial<GathererStatus>, number, string, unknown][] = [
    [{ state: "starting" }, 503, "starting\n", {
      ready: false,
      state: "starting",
      degraded: [],
    }],
    [{ state: "ready" }, 200, "ready\n", {
      ready: true,
      state: "ready",
      degraded: [],
    }],
    [{ state: "reloading" }, 200, "reloading\n", {
      ready: true,
      state: "reloading",
      degraded: [],
    }],
    [
      { state: "ready", degraded: ["source a: refused", "plugin rrd: full"] },
      200,
      "degraded\n- source a: refused\n- plugin rrd: full\n",
      {
        ready: true,
        state: "ready",
        degraded: ["source a: refused", "plugin rrd: full"],
      },
    ],
    [
      { state: "stopping", degraded: ["plugin rrd: full"] },
      503,
      "stopping\n- plugin rrd: full\n",
      { ready: false, state: "stopping", degraded: ["plugin rrd: full"] },
    ],
  ];
  let now: Partial<GathererStatus> = {};
  await using world = await start({
    status: () => ({ ...statusWith(now), nodes: [], ...now }),
  });
  for (const [status, code, plain, json] of table) {
    now = status;
    const { response, text } = await world.ask("/readyz");
    assertEquals([response.status, text], [code, plain]);
    const asJson = await world.ask("/readyz", {
      headers: { accept: "application/json" },
    });
    assertEquals(asJson.response.status, code);
    assertEquals(JSON.parse(asJson.text), json);
    const health = await world.ask("/healthz");
    assertEquals([health.response.status, health.text], [200, "ok\n"]);
  }
});

Deno.test("/metrics is of the moment, in the format that is asked for", async () => {
  await using world = await start();
  world.plugin.notify(clusterOf("c", node("a", counter("a.b", 5n))));
  const open = await world.ask("/metrics", {
    headers: { accept: "application/openmetrics-text; version=1.0.0" },
  });
  assertEquals(
    open.response.headers.get("content-type"),
    "application/openmetrics-text; version=1.0.0; charset=utf-8",
  );
  readStrictly(open.text, true);
  assertMatch(open.text, /^a__b_total\{.*node="node-a".*\} 5$/m);
  const plain = await world.ask("/metrics");
  assertEquals(
    plain.response.headers.get("content-type"),
    "text/plain; version=0.0.4; charset=utf-8",
  );
  assertMatch(plain.response.headers.get("vary") ?? "", /accept/);
  readStrictly(plain.text, false);
  // Nobody has told the plugin anything.
  await world.clock.advance(300_000);
  const later = await world.ask("/metrics");
  assert(!later.text.includes("a__b_total{"));
  assertMatch(later.text, /gatherer_node_state\{.*state="silent"\} 1$/m);
  // A cluster that is no more.
  world.plugin.notify(clusterOf("c"));
  const none = await world.ask("/metrics");
  assert(!none.text.includes("gatherer_node_state{"));
});

Deno.test("/metrics has a grid below while its summary is a present one", async () => {
  await using world = await start();
  const shown = async () =>
    (await world.ask("/metrics")).text.includes('{grid="below"');
  const tell = () =>
    world.plugin.notifyGrid({
      name: "below",
      authority: "http://below/",
      localtime: 0,
      source: {
        name: "below",
        answeredAt: world.clock.monotonic(),
        interval: 15,
        failure: undefined,
      },
      summary: { up: 1, down: 0, metrics: new Map() },
    });
  tell();
  await world.clock.advance(314_999);
  assertEquals(await shown(), true);
  await world.clock.advance(1);
  assertEquals(await shown(), false);
  tell();
  assertEquals(await shown(), true);
  // Nobody configures it any more.
  world.plugin.forgetGrid("below");
  assertEquals(await shown(), false);
});

Deno.test("/snapshot is what dump prints, exactly", async () => {
  await using world = await start();
  const metrics = [
    counter("bytes", 2n ** 64n + 1n),
    gauge("whole", 5.0),
    gauge("tiny", 1e-7),
    gauge("unknown", null),
    gauge('a "name"\n', 1n),
  ];
  world.plugin.notify(clusterOf(
    "c",
    node("a", ...metrics),
    node("b", gauge("whole", 1n)),
    nodeWith("c", [], { observation: undefined }),
  ));
  const { response, text } = await world.ask("/snapshot");
  assertEquals(response.headers.get("content-type"), "application/json");
  assertMatch(text, /"bytes": 18446744073709551617\}/);
  assertMatch(text, /"whole": 5\.0,/);
  const nodes = readJson(new TextEncoder().encode(text));
  assertEquals(`${writeJson(nodes)}\n`, text);
  assertEquals(nodes.map(({ key }) => key), ["a", "b"]);
  assertEquals(nodes[0].counters.get("bytes"), 2n ** 64n + 1n);
  assertEquals([...nodes[0].stats.keys()], [
    "whole",
    "tiny",
    "unknown",
    'a "name"\n',
  ]);

  const some = async (query: string) => {
    const { text } = await world.ask(`/snapshot?${query}`);
    return readJson(new TextEncoder().encode(text)).map((
      { key, counters, stats },
    ) => [key, ...counters.keys(), ...stats.keys()]);
  };
  assertEquals(await some("node=node-b&node=zz"), [["b", "whole"]]);
  assertEquals(await some("stat=byt*&stat=t*"), [["a", "bytes", "tiny"]]);
  assertEquals(await some("node=a&stat=whole"), [["a", "whole"]]);
  assertEquals(await some("stat=none"), []);
  const bad = await world.ask("/snapshot?stat=[z-a]");
  assertEquals(bad.response.status, 400);
});

Deno.test("/snapshot looks at what is not wanted in steps, and at few patterns", async () => {
  const metrics = Array.from({ length: 1000 }, (_, i) => gauge(`g${i}`, 1n));
  const hosts = clusterOf("c", node("a", ...metrics), node("b", ...metrics));
  let looked = 0;
  let most = 0;
  const stat = () => {
    looked++;
    return false;
  };
  let before = 0;
  const selection = { node: () => true, stat, hasStats: true };
  let text = "";
  for (const piece of snapshotJson([hosts], selection)) {
    most = Math.max(most, looked - before);
    before = looked;
    text += piece;
  }
  assertEquals([looked, text], [2000, "{}\n"]);
  assert(most <= 100, `${most}`);
  await using world = await start();
  for (
    const query of [`stat=${"a".repeat(201)}`, "node=a&".repeat(21)]
  ) {
    const { response, text } = await world.ask(`/snapshot?${query}`);
    assertEquals(response.status, 400);
    assertMatch(text, /20 patterns of 200 characters/);
  }
});

Deno.test("/nodes tells how each node is, and whether its figures count", async () => {
  const report = (
    change: Partial<NodeReport>,
  ): NodeReport => ({
    cluster: "c",
    key: "a",
    nickname: "node-a",
    state: "attached",
    reason: "answers",
    since: NOW - 5000,
    lastSuccess: NOW,
    lastError: null,
    failing: false,
    usedMs: 3,
    ...change,
  });
  const nodes = [
    report({}),
    report({ key: "old", nickname: "old", state: "retired", since: null }),
  ];
  await using world = await start({
    status: () => ({ ...statusWith(), nodes }),
  });
  world.plugin.notify(
    clusterOf("c", node("a", gauge("x", 1n), gauge("y", 2n))),
  );
  const { text } = await world.ask("/nodes");
  assertEquals(JSON.parse(text), {
    time: NOW,
    nodes: [
      {
        ...nodes[0],
        isPresent: true,
        measuredAt: NOW - 1000,
        metrics: 2,
        incarnation: "one",
        began: null,
      },
      {
        ...nodes[1],
        isPresent: false,
        measuredAt: null,
        metrics: 0,
        incarnation: "",
        began: null,
      },
    ],
  });
  const some = await world.ask("/nodes?node=o*");
  assertEquals(JSON.parse(some.text).nodes.length, 1);
  assertEquals((await world.ask("/nodes?node=[z-a]")).response.status, 400);
});

Deno.test("a route gets the request as it was sent, and answers as it likes", async () => {
  const handler: Handler = async (request, from) => {
    const bytes = new Uint8Array(await request.arrayBuffer());
    if (bytes.length === 0) throw new Error("nothing");
    return new Response(
      JSON.stringify({
        from,
        path: new URL(request.url).pathname,
        search: new URL(request.url).search,
        type: request.headers.get("content-type"),
        encoding: request.headers.get("content-encoding"),
        bytes: [...bytes],
      }),
      {
        status: 202,
        headers: { "content-type": "application/json", "x-a": "b" },
      },
    );
  };
  await using world = await start({
    routes: new Map([["POST /v1/metrics", handler]]),
  });
  const { response, text } = await world.ask("/v1/metrics?x=1", {
    method: "POST",
    headers: { "content-type": "application/json", "content-encoding": "gzip" },
    body: new Uint8Array([0, 255, 1]),
  });
  assertEquals(response.status, 202);
  assertEquals(response.headers.get("x-a"), "b");
  assertEquals(JSON.parse(text), {
    from: "127.0.0.1",
    path: "/v1/metrics",
    search: "?x=1",
    type: "application/json",
    encoding: "gzip",
    bytes: [0, 255, 1],
  });
  const failed = await world.ask("/v1/metrics", { method: "POST" });
  assertEquals(failed.response.status, 500);
});

Deno.test("rules that cannot be are a mistake to mend", () => {
  assertThrows(
    () =>
      new HttpPlugin({
        host: "127.0.0.1",
        port: 0,
        allow: "nobody",
        clock: new FakeClock(),
        status: () => ({ ...statusWith(), nodes: [] }),
      }),
    UserError,
    "who may ask over HTTP",
  );
});
