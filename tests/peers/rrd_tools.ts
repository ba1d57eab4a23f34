/**
 * The real rrdtool and rrdcached, for tests.
 *
 * @module
 */

/**
 * What an RRD is like, as `rrdtool info` says: `step`, `ds[sum].type` and so on. The file's name is
 * left out.
 */
export async function info(path: string): Promise<Map<string, string>> {
  const lines = (await rrdtool("info", path)).split("\n");
  return new Map(
    lines.filter((line) => / = /.test(line) && !line.startsWith("filename"))
      .map((line) => line.split(" = ") as [string, string]),
  );
}

/** What of {@linkcode info} depends on what an RRD was made as, not on what was written since. */
export function madeAs(all: Map<string, string>): Record<string, string> {
  return Object.fromEntries(
    [...all].filter(([key]) =>
      /^(rrd_version|step|header_size)$|\.(index|type|minimal_heartbeat|min|max|cf|rows|pdp_per_row|xff)$/
        .test(key)
    ),
  );
}

/** The values of an RRD's finest archive from one time to another, by time; unknown ones left out. */
export async function fetchValues(
  path: string,
  from: number,
  to: number,
): Promise<Map<number, number[]>> {
  const text = await rrdtool(
    "fetch",
    path,
    "AVERAGE",
    "--start",
    `${from}`,
    "--end",
    `${to}`,
  );
  const values = new Map<number, number[]>();
  for (const line of text.split("\n")) {
    const [time, rest] = line.split(": ");
    if (!/^\d+$/.test(time) || /nan/i.test(rest)) continue;
    values.set(Number(time), rest.split(" ").map(Number));
  }
  return values;
}

/** The last value that was written, as `TIME:VALUE`. */
export async function lastUpdate(path: string): Promise<string> {
  return (await rrdtool("lastupdate", path)).trim().split("\n").at(-1)!
    .replace(": ", ":").replaceAll(" ", ":");
}

async function rrdtool(...args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command("rrdtool", {
    args,
    clearEnv: true,
    env: { LC_ALL: "C" },
  }).output();
  const decoder = new TextDecoder();
  if (!success) throw new Error(decoder.decode(stderr));
  return decoder.decode(stdout);
}

/** An rrdcached on this machine, in a directory of its own. It can be killed and started again. */
export class Rrdcached implements AsyncDisposable {
  readonly socket: string;
  readonly port: number;
  readonly #dir: string;
  readonly #options: readonly string[];
  #process: Deno.ChildProcess | undefined;

  /** @param options More of rrdcached's options. */
  static async start(
    dir: string,
    ...options: string[]
  ): Promise<Rrdcached> {
    // It has no way to say "any free port".
    using probe = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = probe.addr;
    probe.close();
    const daemon = new Rrdcached(dir, port, options);
    await Deno.mkdir(`${dir}/journal`, { recursive: true });
    await daemon.start();
    return daemon;
  }

  private constructor(dir: string, port: number, options: readonly string[]) {
    this.#dir = dir;
    this.#options = options;
    this.socket = `${dir}/rrdcached.sock`;
    this.port = port;
  }

  /** Starts it; resolves when it listens. */
  async start(): Promise<void> {
    this.#process = new Deno.Command("rrdcached", {
      args: [
        "-g",
        // At its end it writes everything, although it has a journal.
        "-F",
        ...this.#options,
        ...["-l", `unix:${this.socket}`],
        ...["-l", `127.0.0.1:${this.port}`],
        ...["-p", `${this.#dir}/rrdcached.pid`],
        ...["-j", `${this.#dir}/journal`],
      ],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    let isEnded = false;
    void this.#process.status.then(() => isEnded = true);
    for (;;) {
      try {
        (await Deno.connect({ hostname: "127.0.0.1", port: this.port }))
          .close();
        return;
      } catch (error) {
        if (!(error instanceof Deno.errors.ConnectionRefused)) throw error;
        if (isEnded) throw new Error("rrdcached has ended");
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    }
  }

  /** Ends it at once. */
  async kill(): Promise<void> {
    this.#process?.kill("SIGKILL");
    await this.#process?.status;
    this.#process = undefined;
    await Deno.remove(`${this.#dir}/rrdcached.pid`);
  }

  /** Stops it for a while, or goes on. */
  signal(signal: "SIGSTOP" | "SIGCONT"): void {
    this.#process?.kill(signal);
  }

  /** Ends it in order, everything written. */
  async end(): Promise<void> {
    this.#process?.kill("SIGTERM");
    await this.#process?.status;
    this.#process = undefined;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.end();
  }
}
