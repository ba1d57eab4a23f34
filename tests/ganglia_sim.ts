/**
 * A simulated gmond: serves a cluster of any size as gmond does, and fails on demand.
 *
 * @module
 */

/** What a simulated cluster is made of. */
export interface SimulatedCluster {
  readonly name: string;
  readonly hosts: number;
  /** Of each host (default 30). */
  readonly metrics?: number;
}

/** A metric that all hosts have. */
interface Kind {
  readonly name: string;
  readonly type: "float" | "double" | "uint32" | "string";
  readonly slope: "both" | "zero" | "positive";
  readonly units: string;
  readonly group: string;
}

/** Metrics of the kinds that a gmond has without further modules. */
const kinds: readonly Kind[] = [
  ...["one", "five", "fifteen"].map((name) =>
    gauge(`load_${name}`, "float", " ", "load")
  ),
  ...["user", "system", "idle", "nice", "wio", "steal"].map((name) =>
    gauge(`cpu_${name}`, "float", "%", "cpu")
  ),
  ...["free", "cached", "buffers", "shared"].map((name) =>
    gauge(`mem_${name}`, "float", "KB", "memory")
  ),
  gauge("swap_free", "float", "KB", "memory"),
  ...["bytes_in", "bytes_out"].map((name) =>
    gauge(name, "float", "bytes/sec", "network")
  ),
  ...["pkts_in", "pkts_out"].map((name) =>
    gauge(name, "float", "packets/sec", "network")
  ),
  gauge("disk_free", "double", "GB", "disk"),
  gauge("disk_total", "double", "GB", "disk"),
  gauge("part_max_used", "float", "%", "disk"),
  gauge("proc_run", "uint32", " ", "process"),
  gauge("proc_total", "uint32", " ", "process"),
  { ...gauge("cpu_num", "uint32", "CPUs", "cpu"), slope: "zero" },
  { ...gauge("requests", "uint32", "req", "app"), slope: "positive" },
  { ...gauge("errors", "uint32", "err", "app"), slope: "positive" },
  gauge("sessions", "uint32", " ", "app"),
  ...["os_name", "os_release", "machine_type"].map((name): Kind => ({
    ...gauge(name, "string", "", "system"),
    slope: "zero",
  })),
];

function gauge(
  name: string,
  type: Kind["type"],
  units: string,
  group: string,
): Kind {
  return { name, type, units, group, slope: "both" };
}

/** The value of a metric, by its number, of a host, by its number, in the answer of a number. */
function valueOf(kind: Kind, metric: number, host: number, tick: number) {
  const seed = (tick * 997 + host * 31 + metric * 7919) % 10_007;
  if (kind.type === "string") return "text";
  if (kind.slope === "zero") return "16";
  if (kind.slope === "positive") return String(tick * 137 + host * 1000);
  return kind.type === "uint32" ? String(seed) : (seed / 100).toFixed(2);
}

/** The name of a host by its number. */
export function hostName(host: number): string {
  return `node${String(host).padStart(5, "0")}.sim.example`;
}

/** The answers of one cluster: each has other values than the one before. */
export class SimulatedAnswers {
  readonly #cluster: SimulatedCluster;
  readonly #kinds: readonly Kind[];
  /** What stands around the values of a host. */
  readonly #around: readonly string[];
  #tick = 0;

  constructor(cluster: SimulatedCluster) {
    this.#cluster = cluster;
    const count = cluster.metrics ?? 30;
    this.#kinds = Array.from({ length: count }, (_, at) =>
      kinds[at] ??
        gauge(`more_${String(at).padStart(4, "0")}`, "float", "x", "more"));
    const around = [""];
    for (
      const [at, { name, type, slope, units, group }] of this.#kinds.entries()
    ) {
      around[at] += `<METRIC NAME="${name}" VAL="`;
      around.push(
        `" TYPE="${type}" UNITS="${units}" TN="${
          at % 12
        }" TMAX="60" DMAX="0" SLOPE="${slope}">\n` +
          `<EXTRA_DATA>\n<EXTRA_ELEMENT NAME="GROUP" VAL="${group}"/>\n` +
          `<EXTRA_ELEMENT NAME="DESC" VAL="The simulated value of ${name}"/>\n` +
          `<EXTRA_ELEMENT NAME="TITLE" VAL="Title of ${name}"/>\n</EXTRA_DATA>\n</METRIC>\n`,
      );
    }
    this.#around = around;
  }

  /** What all hosts together have of a metric in the newest answer. */
  sum(name: string): number {
    const metric = this.#kinds.findIndex((kind) => kind.name === name);
    let sum = 0;
    for (let host = 0; host < this.#cluster.hosts; host++) {
      sum += Number(valueOf(this.#kinds[metric], metric, host, this.#tick));
    }
    return sum;
  }

  /** What comes before the first host. */
  head(): string {
    const localtime = Math.floor(Date.now() / 1000);
    return '<?xml version="1.0" encoding="ISO-8859-1" standalone="yes"?>\n' +
      '<!DOCTYPE GANGLIA_XML [\n<!ATTLIST METRIC SOURCE (gmond) "gmond">\n]>\n' +
      '<GANGLIA_XML VERSION="3.7.2" SOURCE="gmond">\n' +
      `<CLUSTER NAME="${this.#cluster.name}" LOCALTIME="${localtime}" OWNER="test" ` +
      'LATLONG="unspecified" URL="unspecified">\n';
  }

  /** What comes after the last host. */
  readonly tail = "</CLUSTER>\n</GANGLIA_XML>\n";

  /** All hosts in the newest answer. */
  hosts(): string {
    let text = "";
    for (let host = 0; host < this.#cluster.hosts; host++) {
      text += this.host(host);
    }
    return text;
  }

  /** One host in the newest answer. */
  host(number: number): string {
    const now = Math.floor(Date.now() / 1000);
    const tn = number % 17;
    let text = `<HOST NAME="${hostName(number)}" ` +
      `IP="10.${number >> 16}.${number >> 8 & 255}.${number & 255}" TAGS="" ` +
      `REPORTED="${now - tn}" TN="${tn}" TMAX="20" DMAX="86400" ` +
      `LOCATION="rack${number % 40}" GMOND_STARTED="1700000000">\n`;
    for (const [at, kind] of this.#kinds.entries()) {
      text += this.#around[at] + valueOf(kind, at, number, this.#tick);
    }
    return text + this.#around.at(-1) + "</HOST>\n";
  }

  /** A new answer. */
  next(): Uint8Array<ArrayBuffer> {
    this.#tick++;
    const encoder = new TextEncoder();
    const { hosts } = this.#cluster;
    const first = encoder.encode(this.head());
    const room = hosts === 0 ? 0 : 256 + this.host(0).length;
    const bytes = new Uint8Array(first.length + hosts * room + 100);
    bytes.set(first);
    let at = first.length;
    for (let host = 0; host < hosts; host++) {
      at += encoder.encodeInto(this.host(host), bytes.subarray(at)).written;
    }
    at += encoder.encodeInto(this.tail, bytes.subarray(at)).written;
    return bytes.subarray(0, at);
  }
}

/** What a simulated gmond does with a connection; it is closed afterwards. */
export type Behaviour = (
  connection: Deno.Conn,
  answers: SimulatedAnswers,
) => Promise<void>;

/** What a simulated gmond may do. */
export const behaviours = {
  /** Sends its answer. */
  whole: (connection, answers) => write(connection, answers.next()),
  /** Sends nothing, and waits to be left. */
  silent: untilLeft,
  /** Sends half of its answer, and waits to be left. */
  async stalled(connection, answers) {
    const bytes = answers.next();
    await write(connection, bytes.subarray(0, bytes.length >> 1));
    await untilLeft(connection);
  },
  /** Sends half of its answer. */
  async half(connection, answers) {
    const bytes = answers.next();
    await write(connection, bytes.subarray(0, bytes.length >> 1));
  },
  /** Sends bytes that are no XML at all. */
  async garbage(connection) {
    await write(connection, crypto.getRandomValues(new Uint8Array(60_000)));
  },
  /** The element of host 1 is damaged in its middle. */
  async damagedHost(connection, answers) {
    const text = new TextDecoder().decode(answers.next());
    const from = text.indexOf(hostName(1));
    const at = text.indexOf("<METRIC", from);
    await write(
      connection,
      new TextEncoder().encode(
        `${text.slice(0, at)}<<\0 "&&${text.slice(at + 40)}`,
      ),
    );
  },
  /** Sends its hosts again and again, until it is left. */
  async endless(connection, answers) {
    const encoder = new TextEncoder();
    await write(connection, encoder.encode(answers.head()));
    const hosts = encoder.encode(answers.hosts());
    for (;;) await write(connection, hosts);
  },
} as const satisfies Record<string, Behaviour>;

async function write(connection: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    done += await connection.write(bytes.subarray(done));
  }
}

async function untilLeft(connection: Deno.Conn): Promise<void> {
  const buffer = new Uint8Array(1);
  while (await connection.read(buffer) !== null);
}

/** A simulated gmond on a port of 127.0.0.1. */
export class SimulatedGmond implements AsyncDisposable {
  readonly answers: SimulatedAnswers;
  readonly port: number;
  /** What it does with connections from now on. */
  behaviour: Behaviour = behaviours.whole;
  /** When it was asked, in milliseconds since the process began. */
  readonly asked: number[] = [];
  readonly #connections = new Set<Deno.Conn>();
  #listener: Deno.TcpListener | undefined;
  #running: Promise<void>;
  #waiting: (() => void)[] = [];

  constructor(cluster: SimulatedCluster) {
    this.answers = new SimulatedAnswers(cluster);
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    this.port = this.#listener.addr.port;
    this.#running = this.#serve(this.#listener);
  }

  /** Resolves when it has been asked so many times more. */
  async asks(times = 1): Promise<void> {
    const end = this.asked.length + times;
    while (this.asked.length < end) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  /** Ends: its port is closed, and every connection. */
  async die(): Promise<void> {
    this.#listener?.close();
    this.#listener = undefined;
    for (const connection of this.#connections) close(connection);
    await this.#running;
  }

  /** Begins again, on the same port. */
  revive(): void {
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: this.port });
    this.#running = this.#serve(this.#listener);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.die();
  }

  async #serve(listener: Deno.TcpListener): Promise<void> {
    const all = new Set<Promise<void>>();
    try {
      for await (const connection of listener) {
        const one = this.#answer(connection).finally(() => all.delete(one));
        all.add(one);
      }
    } catch (error) {
      // One that is closed while it waits says so.
      if (!(error instanceof Deno.errors.BadResource)) throw error;
    }
    await Promise.all(all);
  }

  async #answer(connection: Deno.Conn): Promise<void> {
    this.#connections.add(connection);
    this.asked.push(performance.now());
    for (const resolve of this.#waiting.splice(0)) resolve();
    try {
      await this.behaviour(connection, this.answers);
    } catch {
      // Whoever asked has gone away.
    } finally {
      close(connection);
      this.#connections.delete(connection);
    }
  }
}

function close(connection: Deno.Conn): void {
  try {
    connection.close();
  } catch {
    // It is closed already.
  }
}
