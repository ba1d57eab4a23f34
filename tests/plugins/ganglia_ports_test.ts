/** gmetad's ports on real sockets: the captured queries again, and clients of every kind. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { systemClock } from "../../lib/clock.ts";
import { UserError } from "../../lib/errors.ts";
import { parseAccess } from "../../lib/net/access.ts";
import {
  type GangliaPortsOptions,
  GangliaPortsPlugin,
} from "../../lib/plugins/ganglia_ports.ts";
import type { Cluster } from "../../lib/tree/tree.ts";
import {
  clusterOf,
  gmondHost,
  gmondMetric,
  plainHost,
  readCapture,
  readGmond,
  source,
} from "../ganglia/captures.ts";
import {
  attribute,
  countTags,
  type Element,
  elements,
  latin1,
  named,
  parseXml,
} from "../ganglia/xml_tree.ts";
import { FakeClock } from "../fake_clock.ts";
import { captureLog } from "../log_capture.ts";

/** The ports on 127.0.0.1, with some clusters. */
async function startPorts(
  clusters: readonly Cluster[],
  options: Partial<GangliaPortsOptions> = {},
) {
  const plugin = new GangliaPortsPlugin({
    gridName: "LabGrid",
    authority: "http://lab.example.test/ganglia/",
    xmlPort: 0,
    interactivePort: 0,
    host: "127.0.0.1",
    trusted: parseAccess("127.0.0.0/8, ::1", "test"),
    clock: new FakeClock(1_795_246_961_000),
    version: "9.8.7",
    ...options,
  });
  await plugin.start();
  for (const cluster of clusters) plugin.notify(cluster);
  const { xml, interactive } = plugin.listening!;
  return {
    plugin,
    xml: xml.port,
    interactive: interactive.port,
    counts: () => plugin.counts!,
    [Symbol.asyncDispose]: () => plugin.stop(),
  };
}

function connect(port: number, hostname = "127.0.0.1"): Promise<Deno.TcpConn> {
  return Deno.connect({ hostname, port });
}

async function send(connection: Deno.TcpConn, text: string): Promise<void> {
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length;) {
    at += await connection.write(bytes.subarray(at));
  }
}

/** Everything up to the end of the connection, which may be a reset. */
async function receive(connection: Deno.TcpConn): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  const buffer = new Uint8Array(256 * 1024);
  try {
    let count: number | null;
    while ((count = await connection.read(buffer)) !== null) {
      parts.push(buffer.slice(0, count));
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.ConnectionReset)) throw error;
  }
  return new Uint8Array(await new Blob(parts as BlobPart[]).arrayBuffer());
}

/** Sends a query as it is, and gets the answer; the client goes on listening. */
async function ask(
  port: number,
  query: string,
  half = false,
): Promise<Uint8Array> {
  using connection = await connect(port);
  await send(connection, query);
  if (half) await connection.closeWrite();
  return await receive(connection);
}

/** Waits for something that will come true. */
async function eventually(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1));
}

interface Captured {
  readonly query: string;
  readonly query_len: number;
  readonly elements: Record<string, number>;
  readonly trimmed: boolean;
  readonly answer: string;
}

function readQueries(file: string): { dtd: string; answers: Captured[] } {
  return JSON.parse(new TextDecoder().decode(readCapture(file)));
}

/** What was sent: the captures write long texts and ends shorter. */
function sentOf(
  { query, query_len }: Captured,
): { text: string; half: boolean } {
  if (query.endsWith("@REPEATED@")) {
    return { text: `/${"a".repeat(query_len - 2)}\n`, half: false };
  }
  const half = query.endsWith("<EOF>");
  return { text: half ? query.slice(0, -"<EOF>".length) : query, half };
}

const TAGS = [
  "GANGLIA_XML",
  "GRID",
  "CLUSTER",
  "HOST",
  "METRIC",
  "HOSTS",
  "METRICS",
];

/** The tags in an answer, without its HTTP header. */
function tagsOf(answer: Uint8Array): Record<string, number> {
  const begin = latin1(answer).indexOf("<?xml");
  return begin < 0
    ? {}
    : countTags(parseXml(answer.subarray(begin)).root, TAGS);
}

/** The elements around what was found, and whether that is whole: without what changes. */
function outline({ tag, attributes, children }: Element): unknown {
  const of = attributes.get("NAME");
  const values = ["UP", "DOWN", "NUM", "TYPE", "SLOPE", "UNITS", "VAL"].map((
    name,
  ) => attributes.get(name));
  const inside = children.map(outline).map((child) => JSON.stringify(child));
  return [tag, of, ...values, inside.sort()];
}

const EVERYTHING = {
  GANGLIA_XML: 1,
  GRID: 1,
  CLUSTER: 2,
  HOST: 7,
  METRIC: 149,
};
const ALPHA = { GANGLIA_XML: 1, GRID: 1, CLUSTER: 1, HOST: 6, METRIC: 116 };
const ONE_HOST = { GANGLIA_XML: 1, GRID: 1, CLUSTER: 1, HOST: 1, METRIC: 46 };
const ONE_METRIC = { GANGLIA_XML: 1, GRID: 1, CLUSTER: 1, HOST: 1, METRIC: 1 };
const ALPHA_SUM = {
  GANGLIA_XML: 1,
  GRID: 1,
  CLUSTER: 1,
  HOSTS: 1,
  METRICS: 42,
};
const SUMS = { GANGLIA_XML: 1, GRID: 1, CLUSTER: 2, HOSTS: 3, METRICS: 113 };

/** Where our answers are not C's, and why. */
const notAsC: Record<string, [Record<string, number>, why: string]> = {
  "\n": [EVERYTHING, "as gmetad-python, and as its consistency test asks"],
  "/LabGrid/alpha/localhost/load_one\n": [
    ONE_METRIC,
    "the grid's name is optional",
  ],
  "//alpha/localhost/load_one\n": [ONE_METRIC, "slashes in front say nothing"],
  "/alpha?summary\n": [ALPHA, "what is no filter is ignored"],
  "/alpha?\n": [ALPHA, "what is no filter is ignored"],
  "/alpha?filter=summary&x=y\n": [ALPHA_SUM, "other arguments are ignored"],
  "/?filter=SUMMARY\n": [SUMS, "case does not count"],
  "/beta%20cluster/localhost/load_one\n": [
    ONE_METRIC,
    "escapes are understood",
  ],
  "GET /beta%20cluster HTTP/1.0\r\n\r\n": [
    { GANGLIA_XML: 1, GRID: 1, CLUSTER: 1, HOST: 1, METRIC: 33 },
    "escapes are understood",
  ],
  "alpha/localhost\n": [ONE_HOST, "the slash in front is optional"],
  "/alpha/localhost/'x\n": [ONE_HOST, "names may have any characters"],
  "/alpha/<b>\n": [ALPHA, "names may have any characters"],
};

Deno.test("every captured query to the C gmetad has C's answer, or one that is better", async () => {
  await using log = await captureLog();
  const clusters = ["gmond-multi.xml", "gmond-beta.xml"].map(readGmond);
  await using ports = await startPorts(clusters);
  const { dtd, answers } = readQueries("queries-c.json");
  const odd = new Set(Object.keys(notAsC));
  let whole = 0;
  for (const captured of answers) {
    // Without a query C waits for ever; see below for what we do.
    if (captured.query === "") continue;
    const { text, half } = sentOf(captured);
    const answer = await ask(ports.interactive, text, half);
    const { elements: theirs, answer: their, trimmed } = captured;
    const [expected] = notAsC[captured.query] ?? [theirs];
    assertEquals(tagsOf(answer), expected, captured.query);
    if (odd.delete(captured.query)) continue;
    if (/^(GET )?\/status/.test(text)) {
      const [header, body] = latin1(answer).split("\r\n\r\n");
      assert(
        header.startsWith("HTTP/1.0 200 OK\r\nServer: gatherer/9.8.7\r\n"),
      );
      const json = text.includes("callback")
        ? /^cb\((.*)\)\r\n$/.exec(body)![1]
        : body;
      assertEquals(JSON.parse(json).gridname, "LabGrid");
    } else if (!trimmed && their.includes("@DTD@")) {
      const xml = (text: string) => text.slice(text.indexOf("<?xml"));
      const bytes = new TextEncoder().encode(xml(their.replace("@DTD@", dtd)));
      const ours = new TextEncoder().encode(xml(latin1(answer)));
      assertEquals(
        outline(parseXml(ours).root),
        outline(parseXml(bytes).root),
        text,
      );
      whole++;
    }
  }
  assertEquals([...odd], []);
  assert(whole >= 12, `${whole}`);
  // Two were too long or of an unknown protocol.
  assertEquals(log.lines.slice(1), [
    "warning Ganglia client 127.0.0.1: malformed query: HTTP/2",
    "warning Ganglia client 127.0.0.1: cut off: a query of more than 2048 bytes",
  ]);
});

/** Where our answers are not those of gmetad-python, and why. */
const notAsPython: typeof notAsC = {
  "/nosuch?filter=summary\n": [
    { GANGLIA_XML: 1, GRID: 1, CLUSTER: 3, HOSTS: 4, METRICS: 113 },
    "as C: the summary of the last level that was found",
  ],
  "/LabGrid/alpha/localhost?filter=summary\n": [
    { GANGLIA_XML: 1, GRID: 1, CLUSTER: 1, HOST: 1 },
    "as C: of a host, itself alone",
  ],
  "/alpha?\n": [ALPHA, "what is no filter is ignored, the path is not"],
  "/alpha?a=b?c=d\n": [ALPHA, "what is no filter is ignored, the path is not"],
  "GET /alpha HTTP/1.0\r\n\r\n": [ALPHA, "HTTP is understood"],
};

Deno.test("every captured query to gmetad-python has its answer, or one that is better", async () => {
  // It has a cluster for a source that never answered.
  const never = clusterOf("downsrc", [], {
    source: source({ failure: "refused" }),
  });
  const clusters = ["gmond-multi.xml", "gmond-beta.xml"].map(readGmond);
  await using ports = await startPorts([...clusters, never]);
  const odd = new Set(Object.keys(notAsPython));
  for (const captured of readQueries("queries-python.json").answers) {
    const { text, half } = sentOf(captured);
    const answer = await ask(ports.interactive, text, half);
    const [expected] = notAsPython[captured.query] ?? [captured.elements];
    assertEquals(tagsOf(answer), expected, captured.query);
    odd.delete(captured.query);
  }
  assertEquals([...odd], []);
});

/** A cluster of one metric, whose value tells the moments apart. */
function moment(name: string, value: string, hosts = 1): Cluster {
  const made = Array.from(
    { length: hosts },
    (_, i) => gmondHost(`h${i}`, [gmondMetric("m", value)]),
  );
  return clusterOf(name, made, {
    source: source({ name: `source of ${name}` }),
    detail: { owner: "", latlong: "", url: "", localtime: 0 },
  });
}

Deno.test("the XML port sends everything, and takes no notice of what it is sent", async () => {
  await using ports = await startPorts([
    moment("a", "1"),
    clusterOf("foolscap", [
      plainHost("node", "abcdef", [{
        name: "c",
        value: 7n,
        slope: "positive",
      }]),
    ]),
  ]);
  for (const sent of ["", "/a\n"]) {
    const { root } = parseXml(await ask(ports.xml, sent));
    assertEquals(
      elements(root, "METRIC").map((metric) => attribute(metric, "VAL")),
      ["1", "7"],
    );
  }
  const { xml, interactive } = ports.counts();
  assertEquals([xml.connections, xml.answers, interactive.connections], [
    2,
    2,
    0,
  ]);
});

Deno.test("answers are of the newest moment, and of one moment", async () => {
  const clock = new FakeClock();
  await using ports = await startPorts([], { clock });
  const { plugin } = ports;
  const shown = async (query: string) =>
    elements(parseXml(await ask(ports.interactive, query)).root, "METRIC")
      .map((metric) => attribute(metric, "VAL") + attribute(metric, "TN"));
  assertEquals(await shown("/\n"), []);
  plugin.notify(moment("a", "1"));
  assertEquals(await shown("/\n"), ["10"]);
  await clock.advance(5_000);
  assertEquals(await shown("/\n"), ["15"]);
  plugin.notify(moment("a", "2"));
  plugin.notify(moment("b", "3"));
  assertEquals(await shown("/\n"), ["25", "35"]);
  // Told of an empty cluster, it is gone.
  plugin.notify(clusterOf("a", []));
  assertEquals(await shown("/\n"), ["35"]);
});

Deno.test("a moment that comes while another is being sent does not mix with it", async () => {
  await using ports = await startPorts([moment("a", "1", 20_000)]);
  using connection = await connect(ports.xml);
  const buffer = new Uint8Array(1000);
  const begin = buffer.slice(0, (await connection.read(buffer))!);
  ports.plugin.notify(moment("a", "2", 20_000));
  ports.plugin.notify(moment("b", "2"));
  const rest = await receive(connection);
  const whole = new Uint8Array(begin.length + rest.length);
  whole.set(begin);
  whole.set(rest, begin.length);
  const values = elements(parseXml(whole).root, "METRIC").map((metric) =>
    attribute(metric, "VAL")
  );
  assertEquals([values.length, ...new Set(values)], [20_000, "1"]);
});

Deno.test("summaries of clusters and grids below are summed up", async () => {
  await using ports = await startPorts([
    moment("a", "1.25"),
    moment("b", "2", 2),
  ]);
  const child = {
    name: "Lower",
    authority: "http://lower/",
    localtime: 5,
    source: source({ name: "below" }),
    summary: {
      up: 3,
      down: 1,
      metrics: new Map([["m", { sum: 10, num: 3, slope: "both" as const }]]),
    },
  };
  const total = async () => {
    const { root } = parseXml(
      await ask(ports.interactive, "/?filter=summary\n"),
    );
    const [hosts, metrics] = root.children[0].children;
    return [attribute(hosts, "UP"), attribute(hosts, "DOWN")].concat(
      attribute(metrics, "SUM"),
      attribute(metrics, "NUM"),
    ).join(" ");
  };
  assertEquals(await total(), "3 0 5.25 3");
  ports.plugin.notifyGrid(child);
  assertEquals(await total(), "6 1 15.25 6");
  ports.plugin.notifyGrid({ ...child, source: source({ failure: "gone" }) });
  assertEquals(await total(), "3 4 5.25 3");
});

Deno.test("the status tells of the sources, and counts", async () => {
  const clock = new FakeClock();
  await using ports = await startPorts([], {
    clock,
    sent: () => ({ rrdtool: { num: 7 } }),
  });
  await clock.advance(1_000);
  ports.plugin.notify(moment("a", "1", 3));
  // Nothing has been polled in between.
  ports.plugin.notify(moment("a", "1", 3));
  ports.plugin.notify({
    ...moment("b", "1"),
    source: source({ name: "bad", failure: "refused", answeredAt: 500 }),
  });
  await clock.advance(4_000);
  await ask(ports.xml, "");
  const answer = latin1(await ask(ports.interactive, "/status\n"));
  const { host, metrics, sources, uptime, version } = JSON.parse(
    answer.split("\r\n\r\n")[1],
  );
  assertEquals([host, version, uptime], ["lab.example.test", "9.8.7", 5]);
  assertEquals(sources, [
    {
      name: "source of a",
      delivers: "a",
      age: 5,
      interval: 15,
      hosts_up: 3,
      hosts_down: 0,
      failure: null,
    },
    {
      name: "bad",
      delivers: "b",
      age: 4,
      interval: 15,
      hosts_up: 0,
      hosts_down: 1,
      failure: "refused",
    },
  ]);
  assertEquals(metrics.received.all, 7);
  assertEquals(metrics.sent.rrdtool.num, 7);
  assertEquals(metrics.requests.xml.num, 1);
  assertEquals([metrics.polls.ok.num, metrics.polls.failed.num], [1, 1]);
});

Deno.test("HTTP: a header, then XML, and the whole request is taken", async () => {
  await using ports = await startPorts([moment("a", "1")]);
  const response = await fetch(`http://127.0.0.1:${ports.interactive}/a/*/m`);
  assertEquals(response.status, 200);
  assertEquals(response.headers.get("content-type"), "application/xml");
  assertEquals(response.headers.get("access-control-allow-origin"), "*");
  const xml = new Uint8Array(await response.arrayBuffer());
  assertEquals(elements(parseXml(xml).root, "METRIC").length, 1);
  const bad = await fetch(`http://127.0.0.1:${ports.interactive}/~(`);
  assertEquals([bad.status, await bad.text()], [
    400,
    "a pattern with a ( without a )\n",
  ]);
  const head = await fetch(`http://127.0.0.1:${ports.interactive}/`, {
    method: "HEAD",
  });
  assertEquals([head.status, await head.text()], [200, ""]);
  const status = await fetch(`http://127.0.0.1:${ports.interactive}/status`);
  assertEquals((await status.json()).gridname, "LabGrid");
});

Deno.test("strangers are closed without a byte, and are one line in the log", async () => {
  await using log = await captureLog();
  await using ports = await startPorts([moment("a", "1")], {
    trusted: parseAccess("10.0.0.0/8", "test"),
  });
  const { xml, interactive } = ports;
  log.lines.length = 0;
  for (let i = 0; i < 20; i++) {
    for (const port of [xml, interactive]) {
      using connection = await connect(port);
      assertEquals(await receive(connection), new Uint8Array());
    }
  }
  assertEquals(log.lines, [
    "warning Ganglia client 127.0.0.1: refused: no rule allows it (10.0.0.0/8)",
  ]);
  assertEquals(ports.counts().xml.refused, 20);
  assertEquals(ports.counts().interactive.refused, 20);
});

Deno.test("it listens on every address unless it is told which", async () => {
  await using ports = await startPorts([moment("a", "1")], { host: undefined });
  assertEquals(tagsOf(await ask(ports.interactive, "/\n")).METRIC, 1);
  using connection = await connect(ports.interactive, "::1");
  await send(connection, "/\n");
  assertEquals(tagsOf(await receive(connection)).METRIC, 1);
});

Deno.test("a port in use is the user's to mend, and leaves nothing open", async () => {
  await using ports = await startPorts([]);
  const free = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const xmlPort = free.addr.port;
  free.close();
  const error = await assertRejects(
    () => startPorts([], { xmlPort, interactivePort: ports.xml }),
    UserError,
  );
  await assertRejects(() => connect(xmlPort), Deno.errors.ConnectionRefused);
  assertEquals(
    error.message,
    `cannot listen for Ganglia's interactive port on 127.0.0.1, port ${ports.xml}: ` +
      `port ${ports.xml} is in use, perhaps by a gmetad; stop that, or choose another port`,
  );
  const elsewhere = await assertRejects(
    () => startPorts([], { host: "192.0.2.1" }),
    UserError,
  );
  assertEquals(
    elsewhere.message,
    "cannot listen for Ganglia's XML port on 192.0.2.1, port 0: " +
      "this machine does not have that address; choose one of its own",
  );
});

Deno.test("clients that ask half a query, or nothing, keep nobody waiting", async () => {
  await using log = await captureLog();
  const clock = new FakeClock();
  await using ports = await startPorts([moment("a", "1")], { clock });
  log.lines.length = 0;
  const silent = await Promise.all(
    Array.from({ length: 50 }, () => connect(ports.interactive)),
  );
  await Promise.all(silent.slice(25).map((client) => send(client, "/a")));
  await eventually(() => ports.counts().interactive.connections === 50);
  assertEquals(tagsOf(await ask(ports.interactive, "/a\n")).METRIC, 1);
  await clock.advance(5_000);
  for (const client of silent) {
    assertEquals(await receive(client), new Uint8Array());
    client.close();
  }
  assertEquals(log.lines, [
    "warning Ganglia client 127.0.0.1: cut off: no query within 5 s",
  ]);
  assertEquals(ports.counts().interactive.aborted, 50);
});

/** Some 12 MB, more than the system's buffers hold. */
const LARGE = moment("a", "1".repeat(2000), 5000);

Deno.test("readers that never read are cut off, and delay nobody", async () => {
  await using log = await captureLog();
  const clock = new FakeClock();
  await using ports = await startPorts([LARGE], { clock });
  log.lines.length = 0;
  const deaf = await Promise.all(
    Array.from({ length: 20 }, () => connect(ports.xml)),
  );
  let before = -1;
  await eventually(() => ports.counts().xml.answers === 20);
  while (ports.counts().xml.bytes !== before) {
    before = ports.counts().xml.bytes;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assertEquals(tagsOf(await ask(ports.interactive, "/a/h7\n")).METRIC, 1);
  assertEquals((await ask(ports.xml, "")).length > 10_000_000, true);
  await clock.advance(10_000);
  await eventually(() => ports.counts().xml.aborted === 20);
  assertEquals(log.lines, [
    "warning Ganglia client 127.0.0.1: cut off: it has taken nothing of its answer for 10 s",
  ]);
  for (const client of deaf) client.close();
});

Deno.test("a client that goes away in mid-answer is no trouble", async () => {
  await using log = await captureLog();
  await using ports = await startPorts([LARGE]);
  log.lines.length = 0;
  const connection = await connect(ports.xml);
  await connection.read(new Uint8Array(100));
  connection.close();
  await eventually(() => ports.counts().xml.aborted === 1);
  assertEquals(log.lines, [
    "warning Ganglia client 127.0.0.1: cut off: it closed the connection before its answer",
  ]);
});

Deno.test("1000 clients at once: as many are served as may be, and the others closed", async () => {
  await using log = await captureLog();
  await using ports = await startPorts([moment("a", "1")]);
  log.lines.length = 0;
  const clients = await Promise.all(
    Array.from({ length: 1000 }, () => connect(ports.interactive)),
  );
  const counts = () => ports.counts().interactive;
  await eventually(() => counts().connections + counts().refused === 1000);
  assertEquals(counts().connections, 128);
  let served = 0;
  await Promise.all(clients.map(async (client) => {
    using _ = client;
    try {
      await send(client, "/a/h0/m\n");
    } catch {
      // It was closed already.
      return;
    }
    const answer = await receive(client);
    if (answer.length > 0) served++;
    assertEquals(tagsOf(answer).METRIC, answer.length > 0 ? 1 : undefined);
  }));
  assertEquals(served, 128);
  assertEquals(log.lines, [
    "warning Ganglia client 127.0.0.1: refused: 128 connections from there are open already",
  ]);
  assertEquals(tagsOf(await ask(ports.interactive, "/\n")).METRIC, 1);
});

Deno.test("no pattern holds up others", async () => {
  const names = Array.from({ length: 2000 }, (_, i) => `${"a".repeat(60)}${i}`);
  const cluster = clusterOf(
    "a",
    names.map((name) => gmondHost(name, [gmondMetric("m", "1")])),
  );
  await using ports = await startPorts([cluster], { clock: systemClock });
  const pattern = `/a/~${"(a|a)*".repeat(20)}z\n`;
  let done = false;
  const slow = ask(ports.interactive, pattern).finally(() => done = true);
  let waits = 0;
  let longest = 0;
  while (!done) {
    const begun = performance.now();
    await new Promise((resolve) => setTimeout(resolve, 0));
    longest = Math.max(longest, performance.now() - begun);
    waits++;
  }
  // Nothing fits, so it is the whole cluster.
  assertEquals(tagsOf(await slow).HOST, 2000);
  assert(waits > 10, `${waits}`);
  // A machine with much else to do may take its time; all at once it would take seconds.
  assert(longest < 500, `${longest}`);
});

Deno.test("a stop ends every connection, and the ports are free again", async () => {
  const clock = new FakeClock();
  const ports = await startPorts([LARGE], { clock });
  using silent = await connect(ports.interactive);
  using deaf = await connect(ports.xml);
  await eventually(() => ports.counts().xml.answers === 1);
  await eventually(() => ports.counts().interactive.connections === 1);
  await ports.plugin.stop();
  await ports.plugin.stop();
  assertEquals(await receive(silent), new Uint8Array());
  assertEquals(latin1(await receive(deaf)).includes("</GANGLIA_XML>"), false);
  assertEquals(clock.pending, 0);
  await assertRejects(() => connect(ports.xml), Deno.errors.ConnectionRefused);
  await using _next = await startPorts([], { xmlPort: ports.xml });
});

Deno.test("a plugin that was never started can be stopped", async () => {
  const plugin = new GangliaPortsPlugin({
    gridName: "g",
    authority: "",
    xmlPort: 0,
    interactivePort: 0,
    trusted: parseAccess("127.0.0.1", "test"),
    clock: new FakeClock(),
    version: "1",
  });
  plugin.notify(moment("a", "1"));
  await plugin.stop();
  assertEquals([plugin.listening, plugin.counts], [undefined, undefined]);
});

Deno.test("the captured clusters have the names that were asked for", async () => {
  await using ports = await startPorts([readGmond("gmond-beta.xml")]);
  const { root } = parseXml(
    await ask(ports.interactive, "/beta cluster/localhost\n"),
  );
  assertEquals(named(root, "CLUSTER", "beta cluster").children.length, 1);
});
