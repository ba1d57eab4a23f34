/**
 * Debian's Prometheus scrapes a gatherer, and promtool reads what it is given. Needs
 * --allow-net=127.0.0.1, --allow-read, --allow-write, --allow-run and --allow-env.
 */
import { assert, assertEquals } from "@std/assert";
import { type Clock, systemClock } from "../../lib/clock.ts";
import { dump } from "../../lib/cli/dump.ts";
import { loadGmetadConf } from "../../lib/ganglia/conf/load.ts";
import { type Gatherer, startGatherer } from "../../lib/gatherer/gatherer.ts";
import {
  familyName,
  sampleName,
  splitName,
} from "../../lib/openmetrics/names.ts";
import { readJson } from "../../lib/snapshot/json.ts";
import type { SnapshotNode } from "../../lib/snapshot/codec.ts";
import type { Host } from "../../lib/tree/host.ts";
import { connect, StatsProvider } from "../../mod.ts";
import { readGmond } from "../ganglia/captures.ts";
import {
  clusterOf,
  counter,
  expose,
  gauge,
  MONOTONIC,
  nodeWith,
} from "../openmetrics/world.ts";
import { eventually, serveCapture } from "./ganglia_lab.ts";
import { Daemon, freePorts } from "./gmetad.ts";
import { requirePeer } from "./peer.ts";

const ignore = !requirePeer("prometheus");

/** How much faster than ours the gatherer's time goes: a round of 60 s is 3 s. */
const SPEED = 20;

const quickClock: Clock = {
  now: () => systemClock.now(),
  monotonic: () => systemClock.monotonic() * SPEED,
  setTimer: (fn, ms, options) => systemClock.setTimer(fn, ms / SPEED, options),
};

/** A sample as Prometheus has it. */
interface Sample {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: readonly [time: number, value: string];
}

/** A Prometheus that scrapes one address each second. */
class Prometheus implements AsyncDisposable {
  readonly #daemon: Daemon;
  readonly #base: string;

  static async start(dir: string, target: string): Promise<Prometheus> {
    const config = `${dir}/prometheus.yml`;
    await Deno.writeTextFile(
      config,
      `\
global:
  scrape_interval: 1s
  scrape_timeout: 1s
scrape_configs:
  - job_name: gatherer
    static_configs:
      - targets: ["${target}"]
`,
    );
    const [port] = freePorts(1);
    const address = `127.0.0.1:${port}`;
    const daemon = Daemon.start("prometheus", [
      `--config.file=${config}`,
      `--storage.tsdb.path=${dir}/prometheus`,
      `--web.listen-address=${address}`,
    ], { asSelf: true });
    const prometheus = new Prometheus(daemon, `http://${address}/api/v1/`);
    await eventually(async () => {
      const response = await fetch(`http://${address}/-/ready`);
      assertEquals((await response.text(), response.status), 200);
    });
    return prometheus;
  }

  private constructor(daemon: Daemon, base: string) {
    this.#daemon = daemon;
    this.#base = base;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#daemon[Symbol.asyncDispose]();
  }

  /** What it says to a request of its HTTP API. */
  async get<T>(what: string, query: Record<string, string> = {}): Promise<T> {
    const response = await fetch(
      `${this.#base}${what}?${new URLSearchParams(query)}`,
    );
    const { status, data, error } = await response.json();
    assertEquals(status, "success", error);
    return data;
  }

  /** The result of an expression now. */
  async query(expression: string): Promise<readonly Sample[]> {
    const { result } = await this.get<{ result: Sample[] }>("query", {
      query: expression,
    });
    return result;
  }

  /** The only value of an expression; `undefined`: there is none. */
  async value(expression: string): Promise<number | undefined> {
    const samples = await this.query(expression);
    assert(samples.length <= 1, `${expression}: ${samples.length} values`);
    return samples[0] && Number(samples[0].value[1]);
  }
}

/** What `gatherer dump` prints, of nodes but the gatherer itself. */
async function dumped(
  basedir: string,
  gatherer: Gatherer,
): Promise<SnapshotNode[]> {
  let text = "";
  await dump(["--basedir", basedir, "--format", "json"], {
    stdout: (some) => void (text += some),
    clock: systemClock,
    color: false,
  });
  return readJson(new TextEncoder().encode(text)).filter(({ key }) =>
    key !== gatherer.tubid
  );
}

/** Every figure of a dump, by the series that it is to be. */
function expectedSeries(nodes: readonly SnapshotNode[]): Map<string, number> {
  const series = new Map<string, number>();
  for (const { key, nickname, counters, stats } of nodes) {
    for (
      const [kind, figures] of [["counter", counters], [
        "gauge",
        stats,
      ]] as const
    ) {
      for (const [name, value] of figures) {
        if (value === null) continue;
        const { family, labels } = splitName(name, kind);
        const id = [
          sampleName(family, kind),
          nickname,
          key,
          [...labels].sort(),
        ];
        series.set(JSON.stringify(id), Number(value));
      }
    }
  }
  return series;
}

/** Every gathered figure that Prometheus has now, of nodes but the gatherer itself. */
async function scrapedSeries(
  prometheus: Prometheus,
  gatherer: Gatherer,
): Promise<Map<string, number>> {
  const samples = await prometheus.query(
    `{job="gatherer",key!="",key!="${gatherer.tubid}",__name__!~"gatherer_[^_].*|.*_(created|info)"}`,
  );
  return new Map(samples.map(({ metric, value }) => {
    const { __name__, node, key, cluster: _, job: __, instance: ___, ...rest } =
      metric;
    const id = [__name__, node, key, Object.entries(rest).sort()];
    return [JSON.stringify(id), Number(value[1])];
  }));
}

function sorted(series: Map<string, number>): [string, number][] {
  return [...series].sort(([a], [b]) => a < b ? -1 : 1);
}

Deno.test({
  name:
    "Prometheus has what dump prints, over restarts, and forgets a node that is silent",
  ignore,
  async fn() {
    const dir = await Deno.makeTempDir();
    await using cleanup = new AsyncDisposableStack();
    cleanup.defer(() => Deno.remove(dir, { recursive: true }));
    const gmond = cleanup.use(serveCapture("gmond-multi.xml"));
    await Deno.writeTextFile(
      `${dir}/gmetad.conf`,
      `data_source "lab" 15 127.0.0.1:${gmond.port}
xml_port 0
interactive_port 0
write_rrds off
`,
    );
    const basedir = `${dir}/gatherer`;
    const gatherer = cleanup.use(
      await startGatherer({
        basedir,
        clock: quickClock,
        host: "127.0.0.1",
        hostname: "127.0.0.1",
        intervalMs: 60_000,
        spoolBytes: 0,
        ganglia: {
          conf: loadGmetadConf(`${dir}/gmetad.conf`),
          host: "127.0.0.1",
        },
        http: { host: "127.0.0.1", port: 0, allow: "127.0.0.1", otlp: false },
      }),
    );
    const node = (nickname: string, sent: number, stats: object = {}) => {
      const provider = new StatsProvider();
      provider.count("mailer.messages_sent", sent);
      provider.registerProducer({ getStats: () => ({ ...stats }) });
      const attachment = connect(provider, {
        furl: gatherer.furl!,
        nickname,
        identityFile: `${dir}/${familyName(nickname, "gauge")}.pem`,
        loadMonitor: false,
      });
      cleanup.use(attachment);
      return { provider, attachment };
    };
    const mailer = node("mailer", 10, {
      "latencies.get.99_9_percentile": 0.25,
      "cpu-user": 1e-7,
      "mem_total": 2 ** 40,
      "up": 1,
      "99th": -5,
      "gatherer_node_up": 0,
      "größe 😀": 1.5,
      "requests{http.route=/a,key=1}": 3,
      "requests{http.route=/b}": 4,
    });
    node('odd "nick"\\\n\r\0name', 3, { "cpu-user": 2, "latencies": 1 });
    const leaver = node("leaver", 7);

    const prometheus = cleanup.use(
      await Prometheus.start(
        dir,
        `127.0.0.1:${gatherer.http!.port}`,
      ),
    );
    const assertSame = () =>
      eventually(async () => {
        const nodes = await dumped(basedir, gatherer);
        assertEquals(
          nodes.filter(({ key }) => key.includes("/")).length > 0,
          true,
        );
        assertEquals(nodes.length, 3 + ganglia);
        const expected = expectedSeries(nodes.map((node) => ({
          ...node,
          nickname: node.nickname.replace("\0", "\ufffd"),
        })));
        assertEquals(
          sorted(await scrapedSeries(prometheus, gatherer)),
          sorted(expected),
        );
      });
    const ganglia = readGmond("gmond-multi.xml").hosts.size;
    await assertSame();

    // It asks for OpenMetrics, and finds nothing to complain about.
    const { activeTargets } = await prometheus.get<
      { activeTargets: { lastError: string; health: string }[] }
    >("targets");
    assertEquals(
      activeTargets.map(({ health, lastError }) => [
        health,
        lastError,
      ]),
      [["up", ""]],
    );
    const metadata = await prometheus.get<
      Record<string, { type: string; help: string }[]>
    >("metadata");
    assertEquals(
      ["mailer__messages_sent", "cpu_dash_user", "os_name"].map((name) => [
        metadata[name]?.[0].type,
        metadata[name]?.[0].help,
      ]),
      [
        ["counter", "mailer.messages_sent"],
        ["gauge", "cpu-user"],
        ["info", "os_name: Operating system name"],
      ],
    );

    // Rounds go on.
    mailer.provider.count("mailer.messages_sent", 5);
    const sent = 'mailer__messages_sent_total{node="mailer"}';
    await eventually(async () =>
      assertEquals(await prometheus.value(sent), 15)
    );
    assertEquals(await prometheus.value(`resets(${sent}[5m])`), 0);
    await assertSame();

    // A restart: counters begin anew, and overtake nobody unseen.
    const created = 'mailer__messages_sent_created{node="mailer"}';
    const started = 'gatherer_node_start_time_seconds{node="mailer"}';
    const before = await prometheus.value(created);
    assertEquals(await prometheus.value(started), before);
    await mailer.attachment.close();
    node("mailer", 2);
    await eventually(async () => assertEquals(await prometheus.value(sent), 2));
    assertEquals(await prometheus.value(`resets(${sent}[5m])`), 1);
    const after = await prometheus.value(created);
    assert(before !== undefined && after !== undefined && after > before);
    assertEquals(await prometheus.value(`changes(${started}[5m])`), 1);

    // One that goes: its state at once, its figures when nobody can take them for present ones.
    await leaver.attachment.close();
    const state = (state: string) =>
      prometheus.value(
        `gatherer_node_state{node="leaver",state="${state}"}`,
      );
    await eventually(async () => assertEquals(await state("gone"), 1), 5);
    const figure = 'mailer__messages_sent_total{node="leaver"}';
    assertEquals(await prometheus.value(figure), 7);
    await eventually(async () =>
      assertEquals(await prometheus.value(figure), undefined)
    );
    assertEquals(
      await prometheus.value('gatherer_node_up{node="leaver"}'),
      0,
    );
    assertEquals(await state("attached"), 0);
    // Stale, and not forgotten.
    assertEquals(await prometheus.value(`max_over_time(${figure}[5m])`), 7);
    assertEquals(await prometheus.value(sent), 2);

    // Retired: there is nothing at all of it any more.
    await gatherer.retire("leaver");
    await eventually(async () =>
      assertEquals(await prometheus.query('{node="leaver"}'), [])
    );
    const rounds = await prometheus.value("count_over_time(up[5m])");
    assert(rounds! > 15, `${rounds} scrapes`);
    assertEquals(await prometheus.value("min_over_time(up[5m])"), 1);
  },
});

/** Captures of Tahoe-LAFS and Ganglia, and metrics of other programs, of two kinds on two nodes. */
function everything() {
  const tahoe = readJson(
    Deno.readFileSync(
      new URL(
        "../testdata/tahoe/gatherer-stats-0-attached.json",
        import.meta.url,
      ),
    ),
  ).map(({ key, nickname, counters, stats }) =>
    nodeWith(
      key,
      [
        ...counters.entries().map(([name, value]) => counter(name, value)),
        ...stats.entries().map(([name, value]) => gauge(name, value)),
      ],
      { nickname, began: 1_600_000_000_000 },
    )
  );
  const more = [
    nodeWith("a", [
      counter("http.requests", 3n),
      gauge("queue length", 5n),
      gauge("mixed", 1n),
      { ...gauge("mixed_text", null), text: 'a "text"\\' },
    ]),
    nodeWith("b", [counter("mixed", 4n), gauge("mixed_text", 1.5)]),
  ];
  const lab = readGmond("gmond-multi.xml");
  const hosts = new Map<string, Host>();
  for (const [key, host] of lab.hosts) {
    const observation = host.observation && {
      ...host.observation,
      // promtool does not like types in names. Whoever chose that name may.
      metrics: host.observation.metrics.filter(({ name }) =>
        name !== "neg_gauge"
      ),
    };
    hosts.set(key, { ...host, observation });
  }
  const source = { ...lab.source, answeredAt: MONOTONIC };
  return [clusterOf("foolscap", ...tahoe, ...more), { ...lab, hosts, source }];
}

async function promtool(
  args: readonly string[],
  input: string,
): Promise<{ code: number; output: string }> {
  const process = new Deno.Command("promtool", {
    args: [...args],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = process.stdin.getWriter();
  await writer.write(new TextEncoder().encode(input));
  await writer.close();
  const { code, stdout, stderr } = await process.output();
  const decoder = new TextDecoder();
  return { code, output: decoder.decode(stdout) + decoder.decode(stderr) };
}

Deno.test({
  name: "promtool has nothing to say against either format",
  ignore,
  async fn() {
    const clusters = everything();
    const plain = expose(clusters, "prometheus");
    assertEquals(await promtool(["check", "metrics"], plain), {
      code: 0,
      output: "",
    });

    // "check metrics" reads the older format only. What reads OpenMetrics wants times.
    const open = expose(clusters, "openmetrics");
    const timed = open.replace(/^[^#].*$/gm, (line) => `${line} 1700000000`);
    const dir = await Deno.makeTempDir();
    try {
      await Deno.writeTextFile(`${dir}/metrics.txt`, timed);
      const { code, output } = await promtool([
        "tsdb",
        "create-blocks-from",
        "openmetrics",
        `${dir}/metrics.txt`,
        `${dir}/blocks`,
      ], "");
      assertEquals(code, 0, output);
      const listed = await promtool(["tsdb", "list", `${dir}/blocks`], "");
      // Of one block: …, samples, chunks, series and size.
      const [samples] = listed.output.trim().split(/\s+/).slice(-4);
      const lines = open.split("\n").filter((line) => /^[^#]/.test(line));
      assertEquals(Number(samples), lines.length);
    } finally {
      await Deno.remove(dir, { recursive: true });
    }
  },
});

Deno.test({
  name:
    "promtool takes the configuration, rules and expressions of the documentation",
  ignore,
  async fn() {
    const text = await Deno.readTextFile(
      new URL("../../docs/openmetrics.md", import.meta.url),
    );
    const dir = await Deno.makeTempDir();
    try {
      const blocks = [...text.matchAll(/^```(yaml|promql)\n([^]*?)^```$/gm)];
      const expressions: string[] = [];
      for (const [, kind, block] of blocks) {
        const name = /^# (\S+\.yml)$/m.exec(block)?.[1];
        if (kind === "yaml") await Deno.writeTextFile(`${dir}/${name}`, block);
        else expressions.push(...block.trim().split("\n"));
      }
      const rules = expressions.filter((line) => !line.startsWith("#")).map((
        line,
        index,
      ) => `      - { record: "r${index}", expr: '${line}' }\n`);
      assertEquals(rules.length, 10);
      await Deno.writeTextFile(
        `${dir}/expressions.yml`,
        `groups:\n  - name: g\n    rules:\n${rules.join("")}`,
      );
      for (
        const [args, found] of [
          [["config", `${dir}/prometheus.yml`], "4 rules found"],
          [["rules", `${dir}/expressions.yml`], "10 rules found"],
        ] as const
      ) {
        const { code, output } = await promtool(["check", ...args], "");
        assertEquals(code, 0, output);
        assert(output.includes(found), output);
      }
    } finally {
      await Deno.remove(dir, { recursive: true });
    }
  },
});
