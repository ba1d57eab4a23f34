import { assert, assertEquals } from "@std/assert";
import { createSocket } from "node:dgram";
import { type Clock, systemClock } from "../../lib/clock.ts";
import { CarbonPlugin } from "../../lib/plugins/carbon.ts";
import { CarbonNames, type CarbonNaming } from "../../lib/rrd/carbon_lines.ts";
import { FakeClock } from "../fake_clock.ts";
import { captureLog } from "../log_capture.ts";
import {
  gmondCluster,
  gmondHost,
  gmondMetric,
  node,
  nodes,
  TIME,
} from "../rrd/clusters.ts";

/** The lines that the C gmetad sent, in each of its two ways. */
async function sample(protocol: "tcp" | "udp"): Promise<string[]> {
  const text = await Deno.readTextFile(
    new URL("../testdata/ganglia/carbon-sample.txt", import.meta.url),
  );
  const lines = text.split("\n");
  const start = lines.findIndex((line) =>
    line.startsWith(`# carbon_protocol ${protocol}`)
  );
  return lines.slice(start + 1, start + 3)
    .map((line) => line.replace(/\\n(\\x00)?$/, "\n"));
}

/** What a carbon does with a connection. */
type Behaviour = (connection: Deno.Conn) => Promise<void>;

/** Something in carbon's place. */
class FakeCarbon implements AsyncDisposable {
  text = "";
  connections = 0;
  behaviour: Behaviour = (connection) => this.read(connection);
  readonly #listener: Deno.TcpListener;
  readonly #open = new Set<Deno.Conn>();
  readonly #running: Promise<void>;
  #changed = Promise.withResolvers<void>();

  constructor(port = 0) {
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port });
    this.#running = this.#accept();
  }

  get port(): number {
    return this.#listener.addr.port;
  }

  get lines(): string[] {
    return this.text.split("\n").slice(0, -1);
  }

  /** Waits until something is true; looks whenever something has come. */
  async until(isTrue: () => boolean): Promise<void> {
    while (!isTrue()) await this.#changed.promise;
  }

  async read(connection: Deno.Conn): Promise<void> {
    const buffer = new Uint8Array(65_536);
    const decoder = new TextDecoder();
    for (;;) {
      const length = await connection.read(buffer);
      if (length === null) break;
      this.text += decoder.decode(buffer.subarray(0, length), { stream: true });
      this.#tell();
    }
    connection.close();
  }

  #tell(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers<void>();
  }

  async #accept(): Promise<void> {
    for await (const connection of this.#listener) {
      this.connections++;
      this.#open.add(connection);
      this.behaviour(connection).catch(() => {});
      this.#tell();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const connection of this.#open) {
      try {
        connection.close();
      } catch {
        // It is closed.
      }
    }
    await this.#running;
  }
}

function plugin(
  port: number,
  options: Partial<ConstructorParameters<typeof CarbonPlugin>[0]> = {},
): CarbonPlugin {
  return new CarbonPlugin({
    server: "127.0.0.1",
    port,
    protocol: "tcp",
    timeoutMs: 500,
    // Delays of a hundredth.
    clock: quick,
    ...options,
  });
}

/** The time of the tests' clusters; what is to wait for a second does so for 10 ms. */
const quick: Clock = {
  now: () => TIME * 1000,
  monotonic: () => 0,
  setTimer: (fn, ms, options) =>
    systemClock.setTimer(fn, ms === 500 ? ms : ms / 100, options),
};

function simulated(metrics: Record<string, string>, time = TIME) {
  return gmondCluster("sim one", [
    gmondHost(
      "node00000.sim.test",
      Object.entries(metrics).map(([name, value]) => gmondMetric(name, value)),
    ),
  ], { time });
}

Deno.test("lines are as the C gmetad sends them over TCP, without the NUL", async () => {
  await using carbon = new FakeCarbon();
  const sender = plugin(carbon.port, { graphitePrefix: "lab.one" });
  const expected = await sample("tcp");
  sender.notify(
    simulated({ load_one: "22.86", load_five: "27.46" }, 1_795_250_376),
  );
  await carbon.until(() => carbon.lines.length === 2);
  assertEquals(carbon.text, expected.join(""));
  assertEquals(sender.counts, {
    lines: 2,
    failures: 0,
    dropped: 0,
    queued: 0,
  });
  await sender.stop();
});

Deno.test("and over UDP", async () => {
  const received: string[] = [];
  const changed = { tell: () => {} };
  const socket = createSocket("udp4");
  socket.on("message", (message) => {
    received.push(message.toString());
    changed.tell();
  });
  await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
  const sender = plugin(socket.address().port, {
    protocol: "udp",
    server: "localhost",
    graphitePath: "dc.%s.%h.%m",
  });
  const arrived = (count: number) =>
    new Promise<void>((resolve) => {
      changed.tell = () => {
        if (received.length >= count) resolve();
      };
      changed.tell();
    });
  const expected = await sample("udp");
  sender.notify(
    simulated({ load_one: "1.90", load_five: "18.02" }, 1_795_250_406),
  );
  await arrived(1);
  assertEquals(received, [expected.join("")]);
  // A datagram has 1400 bytes at most, and whole lines.
  const many = Object.fromEntries(
    Array.from({ length: 100 }, (_, i) => [`metric_${i}`, `${i}.5`]),
  );
  sender.notify(simulated(many, 1_795_250_420));
  await arrived(5);
  const rest = received.slice(1);
  assert(rest.every((text) => text.length <= 1400 && text.endsWith("\n")));
  assertEquals(rest.join("").split("\n").length, 101);
  await sender.stop();
  await new Promise<void>((resolve) => socket.close(() => resolve()));
});

Deno.test("names are gmetad's, and never more than one word", () => {
  const cases: [CarbonNaming, [string, string, string], string][] = [
    [{}, ["beta cluster", "a.b.c", "load_one"], "beta_cluster.a_b_c.load_one"],
    [{}, ["a.b", "H.X", "app.vm1.vcpu"], "a.b.H_X.app.vm1.vcpu"],
    [{ caseSensitiveHostnames: false }, ["A", "H.X", "M"], "A.h_x.M"],
    [{ graphitePrefix: "p.q" }, ["c", "h", "m"], "p.q.c.h.m"],
    [{ graphitePrefix: "" }, ["c", "h", "m"], "c.h.m"],
    [{ graphitePath: "%m.%h.%h" }, ["c", "h", "m"], "m.h.h"],
    [
      { graphitePath: "x.%s%m%%", graphitePrefix: "p" },
      ["c", "h", "m"],
      "p.x.cm%%",
    ],
    [{ graphitePath: "a b" }, ["c", "h", "m"], "a_b"],
    [{}, ["c\n", "h\t", "m 1 2\n"], "c_.h_.m_1_2_"],
    [{}, ["%h", "%m", "%s"], "%h.%m.%s"],
    [{}, ["$&", "$1", "$$"], "$&.$1.$$"],
  ];
  for (const [naming, [cluster, host, metric], expected] of cases) {
    assertEquals(
      new CarbonNames(naming).ofHost(cluster, host)(metric),
      expected,
    );
  }
});

Deno.test("only what is new, up and a number is sent, over one connection", async () => {
  await using carbon = new FakeCarbon();
  const sender = plugin(carbon.port);
  const poll = (time: number, failure?: string) =>
    sender.notify(gmondCluster("c", [
      gmondHost("h", [
        gmondMetric("x", "1"),
        gmondMetric("s", "text", { type: "string" }),
        gmondMetric("t", "1795240000", { type: "timestamp" }),
        gmondMetric("i", "42", { type: "uint32", slope: "zero" }),
      ]),
      gmondHost("down", [gmondMetric("x", "1")], { tn: 80 }),
    ], { time, failure }));
  poll(TIME);
  poll(TIME);
  poll(TIME + 10, "refused");
  poll(TIME + 20);
  sender.notify(nodes([
    node("abcdefgh", "Store", [{ name: "n", value: 5n, slope: "positive" }]),
    node("ijklmnop", "old", [{ name: "n", value: 5n, slope: "positive" }], {
      sequence: 0,
    }),
  ]));
  await carbon.until(() => carbon.lines.length >= 5);
  await sender.stop();
  await carbon.until(() => carbon.connections === 1);
  assertEquals(carbon.lines, [
    `c.h.x 1 ${TIME}`,
    `c.h.i 42 ${TIME}`,
    `c.h.x 1 ${TIME + 20}`,
    `c.h.i 42 ${TIME + 20}`,
    `foolscap.store-abcd_foolscap.n 5 ${TIME}`,
  ]);
});

Deno.test("what comes while carbon is away is sent when it is back", async () => {
  await using log = await captureLog();
  const gone = new FakeCarbon();
  const { port } = gone;
  await gone[Symbol.asyncDispose]();
  const sender = plugin(port);
  for (let i = 0; i < 5; i++) sender.notify(simulated({ x: `${i}` }, TIME + i));
  while (sender.counts.failures === 0) {
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await using carbon = new FakeCarbon(port);
  await carbon.until(() => carbon.lines.length === 5);
  for (let i = 5; i < 8; i++) {
    sender.notify(simulated({ x: `${i}` }, TIME + i));
    await carbon.until(() => carbon.lines.length === i + 1);
  }
  await sender.stop();
  assertEquals(
    carbon.lines.map((line) => line.split(" ")[1]),
    ["0", "1", "2", "3", "4", "5", "6", "7"],
  );
  assertEquals(log.lines, [
    `warning carbon on 127.0.0.1, port ${port}: connection refused; what is not sent waits`,
    `info carbon on 127.0.0.1, port ${port} takes metrics again`,
  ]);
});

Deno.test("one that ends the connection in order between polls is connected to again, without a word", async () => {
  await using log = await captureLog();
  await using carbon = new FakeCarbon();
  const sender = plugin(carbon.port);
  carbon.behaviour = async (connection) => {
    const buffer = new Uint8Array(1024);
    const length = await connection.read(buffer);
    carbon.text += new TextDecoder().decode(buffer.subarray(0, length!));
    connection.close();
  };
  for (let i = 0; i < 3; i++) {
    sender.notify(simulated({ x: `${i}` }, TIME + i));
    await carbon.until(() => carbon.connections === i + 1);
    while (carbon.lines.length < i + 1) {
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    // The end has to arrive as well.
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await sender.stop();
  assertEquals(carbon.lines.length, 3);
  assertEquals(log.lines, []);
});

Deno.test("one that breaks the connection each time keeps nobody busy, and the log short", async () => {
  await using log = await captureLog();
  await using carbon = new FakeCarbon();
  carbon.behaviour = (connection) => {
    // What was not read makes it a reset.
    setTimeout(() => connection.close(), 5);
    return Promise.resolve();
  };
  const sender = plugin(carbon.port);
  for (let i = 0; i < 20; i++) {
    sender.notify(simulated({ x: `${i}` }, TIME + i));
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  await sender.stop();
  assert(carbon.connections <= 21, `${carbon.connections} connections`);
  assert(log.lines.length <= 3, log.lines.join("\n"));
});

Deno.test("one that never reads is given up after the time-out, and what waits is bounded", async () => {
  await using log = await captureLog();
  await using carbon = new FakeCarbon();
  carbon.behaviour = () => new Promise(() => {});
  const sender = plugin(carbon.port, {
    timeoutMs: 300,
    maxCount: 50_000,
    clock: { ...quick, setTimer: systemClock.setTimer },
  });
  const metrics = Array.from(
    { length: 10_000 },
    (_, i) => gmondMetric(`metric_${"x".repeat(80)}_${i}`, "1.5"),
  );
  const host = gmondHost("h", metrics);
  for (let i = 0; i < 20 || sender.counts.failures === 0; i++) {
    sender.notify(gmondCluster("c", [host], { time: TIME + i }));
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  const { queued, dropped, lines } = sender.counts;
  // What is in hand is a host's at most, and the rest of a batch.
  assert(queued <= 50_000 + 10_000 + 1000, `${queued} wait`);
  assert(dropped + queued + lines >= 200_000);
  const where = `carbon on 127.0.0.1, port ${carbon.port}`;
  assertEquals(log.lines.filter((line) => line.includes(where)), [
    `warning ${where}: it takes nothing for 0.3 s; what is not sent waits`,
  ]);
  await sender.stop();
});

Deno.test("at the end nobody waits for it for long", async () => {
  await using carbon = new FakeCarbon();
  carbon.behaviour = () => new Promise(() => {});
  const clock = new FakeClock();
  const sender = plugin(carbon.port, { clock, timeoutMs: 3_600_000 });
  const metrics = Object.fromEntries(
    Array.from({ length: 100_000 }, (_, i) => [`${"x".repeat(100)}${i}`, "1"]),
  );
  sender.notify(simulated(metrics));
  await carbon.until(() => carbon.connections === 1);
  let isStopped = false;
  const stopped = sender.stop().then(() => isStopped = true);
  await clock.advance(2499);
  assertEquals(isStopped, false);
  await clock.advance(1);
  await stopped;
  assertEquals(clock.pending, 0);
  assertEquals(sender.counts.queued, 0);
  assert(sender.counts.dropped > 0);
});
