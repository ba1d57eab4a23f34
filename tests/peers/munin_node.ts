/**
 * A munin-node of the test's own, the real program, on a port of its own.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { type Outcome, run } from "../executable.ts";

/** What a munin-node is made of. */
export interface NodeSetup {
  /** Where its files go, made here; everybody may read it. */
  readonly dir: string;
  /** What it calls itself. */
  readonly hostName: string;
  /** The plugins: names of links, and what they lead to. */
  readonly links: Readonly<Record<string, string>>;
  /** The text of a file in plugin-conf.d. */
  readonly pluginConf: string;
}

/**
 * Munin's programs take their configuration from one directory and keep state in another, both
 * built in as variables of a Perl package.
 */
export class MuninNode {
  /** The directory with the links. */
  readonly plugins: string;
  readonly hostName: string;
  readonly port: number;
  readonly #dir: string;

  private constructor({ dir, hostName }: NodeSetup, port: number) {
    this.plugins = `${dir}/plugins`;
    this.hostName = hostName;
    this.port = port;
    this.#dir = dir;
  }

  /** Writes a munin-node's files; it is not started. */
  static async install(setup: NodeSetup): Promise<MuninNode> {
    const { dir, hostName, links, pluginConf } = setup;
    // Munin has no way to say "any free port".
    using probe = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const node = new MuninNode(setup, probe.addr.port);
    await Deno.mkdir(`${dir}/plugin-conf.d`, { recursive: true });
    await Deno.mkdir(`${dir}/state`);
    await Deno.mkdir(node.plugins);
    for (const [name, target] of Object.entries(links)) {
      await Deno.symlink(target, `${node.plugins}/${name}`);
    }
    await Deno.writeTextFile(`${dir}/plugin-conf.d/test`, pluginConf);
    await Deno.writeTextFile(
      `${dir}/munin-node.conf`,
      `\
host 127.0.0.1
port ${node.port}
allow ^127\\.0\\.0\\.1$
host_name ${hostName}
background 0
setsid 0
user ${Deno.uid()}
group ${Deno.gid()}
log_file ${dir}/munin-node.log
pid_file ${dir}/munin-node.pid
`,
    );
    await Deno.writeTextFile(
      `${dir}/wrapper.pl`,
      `\
use strict; use warnings;
use Munin::Common::Defaults;
BEGIN {
    no warnings "once";
    $Munin::Common::Defaults::MUNIN_CONFDIR = "${dir}";
    $Munin::Common::Defaults::MUNIN_PLUGSTATE = "${dir}/state";
}
my ($program) = shift(@ARGV) =~ /^(munin-\\w+)$/ or die;
do "/usr/sbin/$program";
die $@ if $@;
exit main();
`,
    );
    return node;
  }

  /** Runs a plugin as munin-run does. */
  run(...args: string[]): Promise<Outcome> {
    return run(
      this.#command("munin-run", "--ignore-systemd-properties", ...args),
    );
  }

  /** Starts the node. It is stopped when what this returns is disposed of. */
  async start(): Promise<RunningNode> {
    const [program, ...args] = this.#command("munin-node", "--foreground");
    const process = new Deno.Command(program, {
      args,
      clearEnv: true,
      // As an init system starts it.
      env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", LANG: "C.UTF-8" },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const running = new RunningNode(process);
    try {
      // It listens as soon as it has asked every plugin for its configuration.
      while (!await isListening(this.port)) running.assertAlive();
    } catch (error) {
      await running[Symbol.asyncDispose]();
      throw error;
    }
    return running;
  }

  /** Everything that the node has logged. */
  log(): Promise<string> {
    return Deno.readTextFile(`${this.#dir}/munin-node.log`);
  }

  #command(program: "munin-node" | "munin-run", ...args: string[]): string[] {
    return ["perl", "-T", `${this.#dir}/wrapper.pl`, program, ...args];
  }
}

/** A process of munin-node. */
export class RunningNode implements AsyncDisposable {
  readonly pid: number;
  #process: Deno.ChildProcess;
  #said: Promise<string[]>;
  #ended = false;
  #status: Promise<unknown>;

  constructor(process: Deno.ChildProcess) {
    this.pid = process.pid;
    this.#process = process;
    this.#said = Promise.all(
      [process.stdout, process.stderr].map((stream) =>
        new Response(stream).text()
      ),
    );
    this.#status = process.status.finally(() => this.#ended = true);
  }

  /** @throws Error when the process has ended. */
  assertAlive(): void {
    if (this.#ended) throw new Error("munin-node has ended");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#ended) this.#process.kill("SIGTERM");
    await this.#status;
    await this.#said;
  }
}

async function isListening(port: number): Promise<boolean> {
  try {
    (await Deno.connect({ hostname: "127.0.0.1", port })).close();
    return true;
  } catch (error) {
    if (!(error instanceof Deno.errors.ConnectionRefused)) throw error;
    await new Promise((resolve) => setTimeout(resolve, 50));
    return false;
  }
}

/** A connection to a Munin node, which is asked one thing after another. */
export class MuninClient implements Disposable {
  #connection: Deno.TcpConn;
  #reader: ReadableStreamDefaultReader<string>;
  #buffer = "";

  private constructor(connection: Deno.TcpConn) {
    this.#connection = connection;
    this.#reader = connection.readable.pipeThrough(new TextDecoderStream())
      .getReader();
  }

  /** Connects to a node on this machine. */
  static async connect(port: number): Promise<MuninClient> {
    return new MuninClient(await Deno.connect({ hostname: "127.0.0.1", port }));
  }

  /** The next line, without its end. */
  async line(): Promise<string> {
    while (!this.#buffer.includes("\n")) {
      const { value, done } = await this.#reader.read();
      if (done) throw new Error("the node has closed the connection");
      this.#buffer += value;
    }
    const end = this.#buffer.indexOf("\n");
    const line = this.#buffer.slice(0, end);
    this.#buffer = this.#buffer.slice(end + 1);
    return line;
  }

  /** Sends a command that is answered with a line. */
  async ask(command: string): Promise<string> {
    const bytes = new TextEncoder().encode(`${command}\n`);
    await this.#connection.write(bytes);
    return await this.line();
  }

  /** Sends a command that is answered with lines up to a lone dot; the lines before that. */
  async askLines(command: string): Promise<string> {
    let text = "";
    let line = await this.ask(command);
    while (line !== ".") {
      text += `${line}\n`;
      line = await this.line();
    }
    return text;
  }

  [Symbol.dispose](): void {
    this.#connection.close();
  }
}

/** The text of the example for plugin-conf.d in the project, with the path of a real snapshot. */
export async function examplePluginConf(statsfile: string): Promise<string> {
  const example = await Deno.readTextFile(
    new URL("../../plugins-conf.d/gatherer", import.meta.url),
  );
  const line = /^env\.statsfile \/var\/lib\/gatherer$/gm;
  assertEquals(example.match(line)?.length, 3);
  return example.replaceAll(line, `env.statsfile ${statsfile}`);
}
