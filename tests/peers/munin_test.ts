import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { graphs } from "../../lib/munin/graphs.ts";
import {
  builtScript,
  type Executable,
  type Outcome,
  run,
  writeFreshStats,
} from "../executable.ts";
import { requirePeer } from "./peer.ts";

const ignore = !requirePeer("munin-node");

/**
 * A Munin of the test's own. Munin's programs take their configuration from one directory and keep
 * state in another, both built in as variables of a Perl package.
 */
interface Munin {
  /** The directory with the links. */
  readonly plugins: string;
  readonly port: number;
  /** The command of a Munin program, its own configuration set. */
  command(program: "munin-node" | "munin-run", ...args: string[]): string[];
}

async function installMunin(
  { dir, path }: Executable,
  name: string,
  statsfile: string,
): Promise<Munin> {
  const etc = `${dir}/${name}`;
  const plugins = `${etc}/plugins`;
  await Deno.mkdir(`${etc}/plugin-conf.d`, { recursive: true });
  await Deno.mkdir(`${etc}/state`);
  await Deno.mkdir(plugins);
  for (const { name } of graphs) await Deno.symlink(path, `${plugins}/${name}`);

  const example = await Deno.readTextFile(
    new URL("../../plugins-conf.d/gatherer", import.meta.url),
  );
  const lines = example.split("\n");
  const index = lines.findIndex((line) => line.startsWith("env.statsfile "));
  assertEquals(lines[index], "env.statsfile /var/lib/gatherer/stats.msgpack");
  lines[index] = `env.statsfile ${statsfile}`;
  await Deno.writeTextFile(`${etc}/plugin-conf.d/gatherer`, lines.join("\n"));

  // Munin has no way to say "any free port".
  using probe = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = probe.addr;
  await Deno.writeTextFile(
    `${etc}/munin-node.conf`,
    `\
host 127.0.0.1
port ${port}
allow ^127\\.0\\.0\\.1$
host_name test.example
background 0
setsid 0
user ${Deno.uid()}
group ${Deno.gid()}
log_file ${etc}/munin-node.log
pid_file ${etc}/munin-node.pid
`,
  );
  await Deno.writeTextFile(
    `${etc}/wrapper.pl`,
    `\
use strict; use warnings;
use Munin::Common::Defaults;
BEGIN {
    no warnings "once";
    $Munin::Common::Defaults::MUNIN_CONFDIR = "${etc}";
    $Munin::Common::Defaults::MUNIN_PLUGSTATE = "${etc}/state";
}
my ($program) = shift(@ARGV) =~ /^(munin-\\w+)$/ or die;
do "/usr/sbin/$program";
die $@ if $@;
exit main();
`,
  );
  return {
    plugins,
    port,
    command: (program, ...args) => [
      ...["perl", "-T", `${etc}/wrapper.pl`, program],
      ...args,
    ],
  };
}

/** A connection to a munin-node, which is asked one thing after another. */
class MuninClient implements Disposable {
  #connection: Deno.TcpConn;
  #reader: ReadableStreamDefaultReader<string>;
  #buffer = "";

  constructor(connection: Deno.TcpConn) {
    this.#connection = connection;
    this.#reader = connection.readable.pipeThrough(new TextDecoderStream())
      .getReader();
  }

  /** The next line, without its end. */
  async line(): Promise<string> {
    while (!this.#buffer.includes("\n")) {
      const { value, done } = await this.#reader.read();
      if (done) throw new Error("munin-node has closed the connection");
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

/** Runs a munin-node while `use` does. */
async function withNode(
  munin: Munin,
  use: (client: MuninClient) => Promise<void>,
): Promise<void> {
  const [program, ...args] = munin.command("munin-node", "--foreground");
  const node = new Deno.Command(program, {
    args,
    clearEnv: true,
    // As an init system starts it.
    env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", LANG: "C.UTF-8" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const said = Promise.all(
    [node.stdout, node.stderr].map((stream) => new Response(stream).text()),
  );
  let ended = false;
  const status = node.status.finally(() => ended = true);
  try {
    let connection: Deno.TcpConn | undefined;
    while (connection === undefined) {
      if (ended) throw new Error(`munin-node: ${(await said).join("\n")}`);
      connection = await connectOnce(munin.port);
    }
    using client = new MuninClient(connection);
    await use(client);
  } finally {
    if (!ended) node.kill("SIGTERM");
    await status;
    await said;
  }
}

/** It listens as soon as it has asked every plugin for its configuration. */
async function connectOnce(port: number): Promise<Deno.TcpConn | undefined> {
  try {
    return await Deno.connect({ hostname: "127.0.0.1", port });
  } catch (error) {
    if (!(error instanceof Deno.errors.ConnectionRefused)) throw error;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** What a plugin says when nobody is in between. */
async function direct(
  munin: Munin,
  name: string,
  statsfile: string,
  phase?: string,
): Promise<string> {
  const command = [`${munin.plugins}/${name}`, ...(phase ? [phase] : [])];
  const { code, stdout, stderr } = await run(command, {
    clearEnv: true,
    env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", statsfile },
    cwd: "/",
  });
  assertEquals({ code, stderr }, { code: 0, stderr: "" });
  return stdout;
}

function runByMunin(munin: Munin, ...args: string[]): Promise<Outcome> {
  return run(
    munin.command("munin-run", "--ignore-systemd-properties", ...args),
  );
}

for (const kind of ["msgpack", "json"] as const) {
  Deno.test({
    name: `munin-node and munin-run hand on what the plugins say, from ${kind}`,
    ignore,
    async fn() {
      await using executable = await builtScript();
      const statsfile = (await writeFreshStats(executable.dir))[kind];
      const munin = await installMunin(executable, `munin-${kind}`, statsfile);
      let values = 0;
      await withNode(munin, async (client) => {
        assertEquals(await client.line(), "# munin node at test.example");
        assertMatch(
          await client.ask("cap multigraph dirtyconfig"),
          /^cap .*dirtyconfig/,
        );
        assertEquals(
          (await client.ask("list")).split(" ").sort(),
          graphs.map(({ name }) => name).sort(),
        );
        for (const { name, title } of graphs) {
          const config = await direct(munin, name, statsfile, "config");
          assertStringIncludes(config, `graph_title ${title}\n`);
          assertEquals(await client.askLines(`config ${name}`), config);
          const fetched = await direct(munin, name, statsfile);
          assertEquals(await client.askLines(`fetch ${name}`), fetched);
          if (fetched !== "") values++;

          for (
            const [args, stdout] of [[[], fetched], [
              ["config"],
              config,
            ]] as const
          ) {
            assertEquals(await runByMunin(munin, name, ...args), {
              code: 0,
              stdout,
              stderr: "",
            });
          }
        }
      });
      // The other eleven draw what the captured nodes did not have.
      assertEquals(values, 15);
    },
  });
}

Deno.test({
  name:
    "a plugin that fails costs its own answer, and its reason is in munin-node's log",
  ignore,
  async fn() {
    await using executable = await builtScript();
    const statsfile = `${executable.dir}/stats.msgpack`;
    await writeFreshStats(executable.dir);
    const munin = await installMunin(executable, "munin", statsfile);
    const [{ name }] = graphs;
    await withNode(munin, async (client) => {
      await client.line();
      await Deno.writeTextFile(statsfile, "no snapshot");
      assertEquals(await client.askLines(`fetch ${name}`), "# Bad exit\n");
      await writeFreshStats(executable.dir);
      assertMatch(await client.askLines(`config ${name}`), /^graph_title /);
    });
    const log = await Deno.readTextFile(
      `${executable.dir}/munin/munin-node.log`,
    );
    assertStringIncludes(log, `cannot use the snapshot "${statsfile}"`);
    assertEquals((await runByMunin(munin, name)).code, 0);
    await Deno.remove(statsfile);
    const outcome = await runByMunin(munin, name);
    assertEquals([outcome.code, outcome.stdout], [1, ""]);
    assertMatch(outcome.stderr, /^[^\n]*stats\.msgpack[^\n]*\n$/);
  },
});
