/** Real Deno programs that send OTLP, as nodes. */
import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { systemClock } from "../../lib/clock.ts";
import { SnapshotPlugin } from "../../lib/plugins/snapshot.ts";
import { loadSnapshot } from "../../lib/snapshot/file.ts";
import { OtlpSource } from "../../lib/sources/otlp.ts";
import type { Metric, Observation } from "../../lib/tree/metric.ts";
import { momentOf, Tree } from "../../lib/tree/tree.ts";

/** A gatherer's part of it, in small: the source behind an HTTP port. */
class Gatherer implements AsyncDisposable {
  readonly tree = new Tree();
  readonly requests: string[] = [];
  readonly #source = new OtlpSource({
    tree: this.tree,
    clock: systemClock,
    intervalMs: 300,
  });
  readonly #server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen() {} },
    async (request, { remoteAddr }) => {
      const route = `${request.method} ${new URL(request.url).pathname}`;
      const handler = this.#source.routes.get(route);
      const response = handler
        ? await handler(request, (remoteAddr as Deno.NetAddr).hostname)
        : new Response("no", { status: 404 });
      this.requests.push(`${route} ${response.status}`);
      return response;
    },
  );

  constructor() {
    this.#source.start();
  }

  get endpoint(): string {
    return `http://127.0.0.1:${this.#server.addr.port}`;
  }

  /** Waits for an observation that is as it should be, as long as the program runs. */
  async observation(
    program: Program,
    key: string,
    isWanted: (figures: Map<string, Metric>) => boolean,
  ): Promise<[Observation, Map<string, Metric>]> {
    const { promise, resolve } = Promise.withResolvers<
      [Observation, Map<string, Metric>]
    >();
    const look = () => {
      const observation = this.tree.host("otlp", key)?.observation;
      if (!observation) return;
      const figures = new Map(
        observation.metrics.map((metric) => [metric.name, metric]),
      );
      if (isWanted(figures)) resolve([observation, figures]);
    };
    const end = this.tree.onCommit(look);
    look();
    const found = await Promise.race([promise, program.ended]);
    end();
    return found;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
    await this.#source.stop();
  }
}

interface Program {
  /** Rejects when it ends before it is told to. */
  readonly ended: Promise<never>;
  /** Lets it end; gives what it has complained about. */
  end(): Promise<string>;
}

/** Runs a program as an operator would; it ends with its input. */
function run(
  program: string,
  endpoint: string,
  env: Record<string, string> = {},
): Program {
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--quiet",
      "--no-lock",
      "--allow-net=127.0.0.1",
      new URL(`otlp_programs/${program}`, import.meta.url).pathname,
    ],
    env: {
      OTEL_DENO: "true",
      OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
      OTEL_METRIC_EXPORT_INTERVAL: "200",
      ...env,
    },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const output = child.output();
  let isTold = false;
  const ended = output.then(({ stderr }): Promise<never> =>
    isTold
      ? new Promise(() => {})
      : Promise.reject(new Error(new TextDecoder().decode(stderr)))
  );
  ended.catch(() => {});
  return {
    ended,
    async end() {
      isTold = true;
      await child.stdin.close();
      const { success, stderr } = await output;
      const text = new TextDecoder().decode(stderr);
      assert(success, text);
      return text;
    },
  };
}

const JSON_PROTOCOL = { OTEL_EXPORTER_OTLP_PROTOCOL: "http/json" };

for (
  const [protocol, env] of [["http/json", JSON_PROTOCOL], [
    "its default, http/protobuf",
    {},
  ]] as const
) {
  Deno.test(`a Deno.serve program is a node without a line of its own, by ${protocol}`, async () => {
    await using gatherer = new Gatherer();
    const program = run("serve.ts", gatherer.endpoint, {
      OTEL_SERVICE_NAME: "web",
      ...env,
    });
    const fine =
      "{http.request.method=GET,http.response.status_code=200,network.protocol.version=1.1,url.scheme=http}";
    const broken = fine.replace("200", "500");
    const name = "http.server.request.duration";
    const [observation, figures] = await gatherer.observation(
      program,
      "otlp/web",
      (figures) => figures.get(`${name}.count${broken}`)?.value === 1n,
    );
    const count = figures.get(`${name}.count${fine}`)!;
    assertEquals(
      [count.value, count.slope, count.detail!.units],
      [5n, "positive", ""],
    );
    const sum = figures.get(`${name}.sum${fine}`)!;
    assert(typeof sum.value === "number" && sum.value > 0);
    assertEquals([sum.slope, sum.detail!.units], ["positive", "s"]);
    assertEquals(
      figures.get(
        `${name}.bucket${fine.replace("network", "le=+Inf,network")}`,
      )?.value,
      5n,
    );
    const heap = figures.get(
      "v8js.memory.heap.size{v8js.heap.space.name=old_space}",
    )!;
    assert(typeof heap.value === "bigint" && heap.value > 100_000n);
    assertEquals([heap.slope, heap.detail!.units], ["both", "By"]);
    const age = observation.receivedAt - observation.began!;
    assert(age > 0 && age < 60_000, `${age}`);
    assertEquals(await program.end(), "");
    // It says its last, and its spans, before it ends; all of that was taken.
    assert(gatherer.requests.includes("POST /v1/traces 200"));
    assertEquals(
      gatherer.requests.filter((request) => !request.endsWith(" 200")),
      [],
    );
  });
}

Deno.test("a program's own instruments are in the tree and in the snapshot, exactly", async () => {
  const expected = {
    counters: {
      "shop.orders": 2.5,
      "shop.orders{country=de,payment.method=card}": 3,
      "shop.orders{country=fr,items=7,vip=true}": 4,
      "shop.bytes": 9007199254740991,
      "shop.latency.count{op=read}": 4n,
      "shop.latency.sum{op=read}": 4.0625,
      "shop.latency.bucket{le=0.125,op=read}": 1n,
      "shop.latency.bucket{le=0.5,op=read}": 2n,
      "shop.latency.bucket{le=1,op=read}": 3n,
      "shop.latency.bucket{le=+Inf,op=read}": 4n,
      "shop.visits": 1000,
    },
    stats: {
      "shop.queue": 3,
      "shop.latency.min{op=read}": 0.0625,
      "shop.latency.max{op=read}": 3,
      "shop.temperature{room=a}": 21.5,
      "shop.stock{shelf=1}": 42,
    },
  };
  const key = "otlp/demo/shop@one";
  const attributes = "service.namespace=demo,service.instance.id=one";
  const directory = await Deno.makeTempDir();
  try {
    for (const temporality of ["cumulative", "delta"]) {
      await using gatherer = new Gatherer();
      const program = run("own.ts", gatherer.endpoint, {
        ...JSON_PROTOCOL,
        OTEL_SERVICE_NAME: "shop",
        OTEL_RESOURCE_ATTRIBUTES: attributes,
        OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE: temporality,
      });
      const [{ incarnation }] = await gatherer.observation(
        program,
        key,
        (figures) =>
          figures.has("shop.visits") &&
          figures.get("shop.latency.min{op=read}")?.value === 0.0625,
      );
      const path = join(directory, `${temporality}.msgpack`);
      const cluster = momentOf(gatherer.tree.cluster("otlp"));
      await new SnapshotPlugin(path, 0o600).notify(cluster);
      await program.end();
      const { nodes } = await loadSnapshot(path, systemClock);
      assertEquals(nodes.map(({ key, nickname }) => [key, nickname]), [
        [key, "demo/shop@one"],
      ]);
      assertEquals(nodes[0].incarnation, incarnation);
      const shop = (figures: Iterable<readonly [string, unknown]>) =>
        Object.fromEntries(
          [...figures].filter(([name]) => name.startsWith("shop.")),
        );
      assertEquals(shop(nodes[0].counters), expected.counters);
      const stats = shop(nodes[0].stats);
      // With deltas these two are sent once, and are of that interval.
      for (const name of ["shop.temperature{room=a}", "shop.queue"]) {
        if (temporality === "delta" && !(name in stats)) {
          stats[name] = expected.stats[name as "shop.queue"];
        }
      }
      assertEquals(stats, expected.stats);
    }
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("a program that is started anew is a new incarnation of its node", async () => {
  await using gatherer = new Gatherer();
  const incarnations = [];
  for (let i = 0; i < 2; i++) {
    const program = run("own.ts", gatherer.endpoint, {
      OTEL_SERVICE_NAME: "shop",
    });
    const before = incarnations.at(-1);
    const [{ incarnation }] = await gatherer.observation(
      program,
      "otlp/shop",
      (figures) =>
        figures.get("shop.orders")?.value === 2.5 &&
        gatherer.tree.host("otlp", "otlp/shop")!.observation!.incarnation !==
          before,
    );
    incarnations.push(incarnation);
    await program.end();
  }
  assertEquals(new Set(incarnations).size, 2);
});
