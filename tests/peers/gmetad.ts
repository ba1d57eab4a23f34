/**
 * The real gmetad and gmond, with configuration and ports of the test's own.
 *
 * @module
 */
import { publicTempDir } from "../executable.ts";

/** The user nobody, of Debian. */
const nobody = 65534;

/** What both a real gmetad and ours are told. */
export interface GmetadSetup {
  /** The lines `data_source …`. */
  readonly sources: readonly string[];
  /** NAME of the grid (default: Lab). */
  readonly gridname?: string;
  /** Further lines. */
  readonly more?: readonly string[];
}

/** Where a gmetad answers and keeps its files. */
export interface GmetadPlaces {
  readonly xmlPort: number;
  readonly interactivePort: number;
  readonly rrdRootdir: string;
}

/** The text of a gmetad.conf. */
export function gmetadConf(
  { sources, gridname = "Lab", more = [] }: GmetadSetup,
  { xmlPort, interactivePort, rrdRootdir }: GmetadPlaces,
): string {
  return [
    ...sources,
    `gridname "${gridname}"`,
    `authority "http://${gridname.toLowerCase()}.example/ganglia/"`,
    "setuid off",
    `xml_port ${xmlPort}`,
    `interactive_port ${interactivePort}`,
    `rrd_rootdir "${rrdRootdir}"`,
    ...more,
    "",
  ].join("\n");
}

/** Ports that are free at the moment: gmond and gmetad have no way to say "any". */
export function freePorts(count: number): number[] {
  using stack = new DisposableStack();
  return Array.from({ length: count }, () => {
    const listener = stack.use(Deno.listen({ hostname: "127.0.0.1", port: 0 }));
    return listener.addr.port;
  });
}

/** A process that is killed when it is disposed of, with all that it says. */
export class Daemon implements AsyncDisposable {
  readonly pid: number;
  /** What it has said so far, on both streams. */
  output = "";
  readonly #process: Deno.ChildProcess;
  readonly #name: string;
  readonly #reading: Promise<void>;
  #ended = false;

  private constructor(name: string, process: Deno.ChildProcess) {
    this.#name = name;
    this.#process = process;
    this.pid = process.pid;
    process.status.then(() => this.#ended = true);
    this.#reading = Promise.all(
      [process.stdout, process.stderr].map((stream) => this.#read(stream)),
    ).then(() => {});
  }

  /**
   * Starts a program.
   *
   * @param asSelf As the user that the test is; else root becomes nobody.
   */
  static start(
    program: string,
    args: readonly string[],
    { asSelf = false }: { asSelf?: boolean } = {},
  ): Daemon {
    const command = [
      ...(!asSelf && Deno.uid() === 0
        ? [
          "setpriv",
          `--reuid=${nobody}`,
          `--regid=${nobody}`,
          "--clear-groups",
        ]
        : []),
      program,
      ...args,
    ];
    return new Daemon(
      program,
      new Deno.Command(command[0], {
        args: command.slice(1),
        ...(asSelf ? {} : {
          clearEnv: true,
          env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", LANG: "C.UTF-8" },
        }),
        cwd: "/",
        stdin: "null",
        stdout: "piped",
        stderr: "piped",
      }).spawn(),
    );
  }

  /** @throws Error when the process has ended. */
  assertAlive(): void {
    if (this.#ended) throw new Error(`${this.#name} ended:\n${this.output}`);
  }

  /** Waits until a port of 127.0.0.1 takes connections. */
  async listensOn(port: number): Promise<void> {
    for (;;) {
      this.assertAlive();
      try {
        (await Deno.connect({ hostname: "127.0.0.1", port })).close();
        return;
      } catch (error) {
        if (!(error instanceof Deno.errors.ConnectionRefused)) throw error;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      // gmetad has nothing to finish; with many hosts it takes its time over SIGTERM.
      this.#process.kill("SIGKILL");
    } catch {
      // It has ended by itself.
    }
    await this.#process.status;
    await this.#reading;
  }

  async #read(stream: ReadableStream<Uint8Array>): Promise<void> {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      this.output += text;
      // The newest is what a failure is explained with.
      if (this.output.length > 200_000) {
        this.output = this.output.slice(-100_000);
      }
    }
  }
}

/** A real gmetad that runs. */
export class RealGmetad implements AsyncDisposable, GmetadPlaces {
  readonly xmlPort: number;
  readonly interactivePort: number;
  readonly rrdRootdir: string;
  readonly daemon: Daemon;
  readonly #dir: string;

  private constructor(dir: string, places: GmetadPlaces, daemon: Daemon) {
    this.#dir = dir;
    this.daemon = daemon;
    ({
      xmlPort: this.xmlPort,
      interactivePort: this.interactivePort,
      rrdRootdir: this.rrdRootdir,
    } = places);
  }

  /** Starts one; it answers on its ports when this resolves. */
  static async start(setup: GmetadSetup): Promise<RealGmetad> {
    const dir = await publicTempDir();
    const [xmlPort, interactivePort] = freePorts(2);
    const places = { xmlPort, interactivePort, rrdRootdir: `${dir}/rrds` };
    await Deno.mkdir(places.rrdRootdir);
    if (Deno.uid() === 0) await Deno.chown(places.rrdRootdir, nobody, nobody);
    await Deno.writeTextFile(`${dir}/gmetad.conf`, gmetadConf(setup, places));
    // From level 1 on it stays in the foreground.
    const daemon = Daemon.start("gmetad", [
      ...["-c", `${dir}/gmetad.conf`, "-d", "1"],
    ]);
    const gmetad = new RealGmetad(dir, places, daemon);
    try {
      await daemon.listensOn(interactivePort);
      await daemon.listensOn(xmlPort);
    } catch (error) {
      await gmetad[Symbol.asyncDispose]();
      throw error;
    }
    return gmetad;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.daemon[Symbol.asyncDispose]();
    await Deno.remove(this.#dir, { recursive: true });
  }
}

/** Where Debian puts gmond's modules; gmond itself looks for them elsewhere. */
function moduleDirectory(): string {
  for (const { name } of Deno.readDirSync("/usr/lib")) {
    const directory = `/usr/lib/${name}/ganglia`;
    try {
      Deno.statSync(`${directory}/modcpu.so`);
      return directory;
    } catch (error) {
      if (
        !(error instanceof Deno.errors.NotFound ||
          error instanceof Deno.errors.NotADirectory)
      ) throw error;
    }
  }
  throw new Error("gmond's modules are not under /usr/lib");
}

/** A real gmond, alone in a cluster of a name. */
export class RealGmond implements AsyncDisposable {
  readonly port: number;
  readonly #dir: string;
  readonly #daemon: Daemon;

  private constructor(dir: string, port: number, daemon: Daemon) {
    this.#dir = dir;
    this.port = port;
    this.#daemon = daemon;
  }

  /**
   * Starts one with the modules and metrics that it has by itself; it answers when this resolves.
   *
   * @param host What it calls its own host.
   */
  static async start(cluster: string, host: string): Promise<RealGmond> {
    const dir = await publicTempDir();
    const [port] = freePorts(1);
    const { stdout } = await new Deno.Command("gmond", { args: ["-t"] })
      .output();
    const text = new TextDecoder().decode(stdout);
    // The modules and what they collect; what comes before is about the network.
    const modules = text.slice(text.search(/^modules \{/m))
      .replaceAll(/path = "(\w+\.so)"/g, `path = "${moduleDirectory()}/$1"`);
    await Deno.writeTextFile(
      `${dir}/gmond.conf`,
      `\
globals {
  daemonize = no
  setuid = no
  host_dmax = 86400
  host_tmax = 20
  cleanup_threshold = 300
  send_metadata_interval = 5
  override_hostname = "${host}"
  override_ip = "127.0.0.1"
}
cluster {
  name = "${cluster}"
  owner = "Test Lab"
  latlong = "N48.2 E16.37"
  url = "http://${host}/"
}
host { location = "rack1,2,3" }
udp_send_channel {
  host = 127.0.0.1
  port = ${port}
}
udp_recv_channel {
  port = ${port}
  bind = 127.0.0.1
}
tcp_accept_channel {
  port = ${port}
  bind = 127.0.0.1
}
${modules}`,
    );
    const daemon = Daemon.start("gmond", [
      ...["-c", `${dir}/gmond.conf`, "-f"],
    ]);
    const gmond = new RealGmond(dir, port, daemon);
    try {
      await daemon.listensOn(port);
    } catch (error) {
      await gmond[Symbol.asyncDispose]();
      throw error;
    }
    return gmond;
  }

  /** Announces a metric of any kind, as a user's script does. */
  async announce(metric: {
    name: string;
    value: string;
    type: string;
    slope?: string;
    units?: string;
    group?: string;
  }): Promise<void> {
    const args = ["--conf", `${this.#dir}/gmond.conf`];
    for (const [name, value] of Object.entries(metric)) {
      args.push(`--${name}`, value);
    }
    const { success, stderr } = await new Deno.Command("gmetric", { args })
      .output();
    if (!success) throw new Error(new TextDecoder().decode(stderr));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#daemon[Symbol.asyncDispose]();
    await Deno.remove(this.#dir, { recursive: true });
  }
}

/** Asks a port of 127.0.0.1 something, or nothing, and reads all that comes. */
export async function ask(port: number, line?: string): Promise<Uint8Array> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  if (line !== undefined) {
    await connection.write(new TextEncoder().encode(line));
  }
  return new Uint8Array(await new Response(connection.readable).arrayBuffer());
}
