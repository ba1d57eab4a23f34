import { systemClock } from "../clock.ts";
import { messageOf, UserError } from "../errors.ts";
import { tellFailure } from "../life/starter.ts";
import { wantsColor, writeStderr, writeStdout } from "./terminal.ts";
import { VERSION } from "../version.ts";

const help = `\
gatherer ${VERSION}: collects statistics from many nodes and serves them to Munin, Prometheus, Ganglia.

Usage: gatherer COMMAND [options]

  serve          run a gatherer: nodes attach to it and are polled
  start          run one in the background; returns when it is ready, or has failed
  stop           end one
  restart        end one and start it again
  status         how it is: its state, sources, plugins and nodes
  reload         make it read its configuration again
  retire NODE    take a node out that will not come back
  provide        be a node: this machine, or a Tahoe-LAFS node beside it
  dump           print the snapshot: the latest figures of every node
  graphs         list the graphs, and which of them have data
  install-munin  put the graphs into Munin's node, and take them out
  munin GRAPH    be a Munin plugin, as a symlink named after a graph is
  check FILE     explain a configuration file, gatherer's own or a gmetad.conf
  gmetad         be gmetad, as a link of that name is
  demo           see it work: a gatherer, two nodes, the dump, a graph

Each command has --help with examples. Called by a graph's name, through a symlink in Munin's
plugins directory, this program is that graph's plugin; called as gmetad, it takes gmetad's options.

Example:
  gatherer start --basedir /var/lib/gatherer --munin 4949
  gatherer status --basedir /var/lib/gatherer
  gatherer dump --basedir /var/lib/gatherer
`;

type Command = (args: readonly string[]) => Promise<number>;

/** Each command loads only what it needs: a Munin plugin runs thousands of times a day. */
const commands: Readonly<
  Record<string, { help(): Promise<string>; run: Command }>
> = {
  serve: {
    help: async () => (await import("./serve.ts")).serveHelp,
    run: async (args) => (await import("./serve.ts")).serve(args),
  },
  start: {
    help: async () => (await import("./start.ts")).startHelp,
    run: async (args) => (await import("./start.ts")).start(args),
  },
  stop: {
    help: async () => (await import("./stop.ts")).stopHelp,
    run: async (args) => (await import("./stop.ts")).stop(args),
  },
  restart: {
    help: async () => (await import("./restart.ts")).restartHelp,
    run: async (args) => (await import("./restart.ts")).restart(args),
  },
  status: {
    help: async () => (await import("./status.ts")).statusHelp,
    run: async (args) => (await import("./status.ts")).status(args),
  },
  reload: {
    help: async () => (await import("./reload.ts")).reloadHelp,
    run: async (args) => (await import("./reload.ts")).reload(args),
  },
  retire: {
    help: async () => (await import("./retire.ts")).retireHelp,
    run: async (args) => (await import("./retire.ts")).retire(args),
  },
  dump: {
    help: async () => (await import("./dump.ts")).dumpHelp,
    run: async (args) => {
      const { dump } = await import("./dump.ts");
      return await dump(args, {
        stdout: writeStdout,
        clock: systemClock,
        color: wantsColor(),
      });
    },
  },
  munin: {
    help: async () => (await import("./munin.ts")).muninHelp,
    run: async ([graph, ...args]) => {
      const { muninPlugin } = await import("./munin.ts");
      if (graph === undefined) {
        throw new UserError(
          "which graph? gatherer graphs lists them; see gatherer munin --help",
          2,
        );
      }
      return await muninPlugin(graph, args, pluginIo());
    },
  },
  graphs: {
    help: async () => (await import("./graphs.ts")).graphsHelp,
    run: async (args) => {
      const { graphsCommand } = await import("./graphs.ts");
      return await graphsCommand(args, {
        stdout: writeStdout,
        clock: systemClock,
      });
    },
  },
  "install-munin": {
    help: async () => (await import("./install_munin.ts")).installMuninHelp,
    run: async (args) => {
      const { installMunin } = await import("./install_munin.ts");
      const { installableGraphs } = await import("./graphs.ts");
      const { executablePath } = await import("../munin_install/executable.ts");
      return await installMunin(args, {
        stdout: writeStdout,
        stderr: writeStderr,
        executable: executablePath,
        graphs: (sources) => installableGraphs(sources, systemClock),
      });
    },
  },
  check: {
    help: async () => (await import("./check.ts")).checkHelp,
    run: async (args) => {
      const { check } = await import("./check.ts");
      return await check(args, { stdout: writeStdout, color: wantsColor() });
    },
  },
  gmetad: {
    help: async () => (await import("./gmetad.ts")).gmetadHelp,
    run: async (args) => (await import("./gmetad_run.ts")).gmetad(args),
  },
  provide: {
    help: async () => (await import("./provide.ts")).provideHelp,
    run: async (args) => (await import("./provide.ts")).provide(args),
  },
  demo: {
    help: async () => (await import("./demo.ts")).demoHelp,
    run: async (args) => (await import("./demo.ts")).demo(args),
  },
};

/** What a Munin plugin needs of this process. */
export function pluginIo(): {
  env: Record<string, string>;
  clock: typeof systemClock;
  stdout: typeof writeStdout;
  stderr: typeof writeStderr;
} {
  return {
    env: Deno.env.toObject(),
    clock: systemClock,
    stdout: writeStdout,
    stderr: writeStderr,
  };
}

/**
 * Runs the command line and explains what goes wrong: one line for what a person can mend.
 * @returns The exit code: 0 done, 1 failed, 2 wrong usage.
 */
export async function cli(args: readonly string[]): Promise<number> {
  const [name, ...rest] = args;
  return await explain("gatherer", async () => {
    if (name === undefined) {
      writeStderr(help);
      return 2;
    }
    if (
      name === "--help" || name === "-h" ||
      (name === "help" && rest.length === 0)
    ) {
      await writeStdout(help);
      return 0;
    }
    if (name === "--version" || name === "-V") {
      await writeStdout(`gatherer ${VERSION}\n`);
      return 0;
    }
    const wanted = name === "help" ? rest[0] : name;
    if (!Object.hasOwn(commands, wanted)) {
      throw new UserError(
        `unknown command "${wanted}"; commands: ${
          Object.keys(commands).join(", ")
        }; ` +
          "see gatherer --help",
        2,
      );
    }
    const command = commands[wanted];
    if (name === "help" || rest.includes("--help") || rest.includes("-h")) {
      await writeStdout(await command.help());
      return 0;
    }
    return await command.run(rest);
  });
}

/**
 * Runs something, and says on stderr what went wrong; to `gatherer start`, too, if that waits.
 * @param who The first word of the message: the program's name, or the graph's.
 */
export async function explain(
  who: string,
  run: () => Promise<number>,
): Promise<number> {
  try {
    return await run();
  } catch (error) {
    if (error instanceof UserError) {
      writeStderr(`${who}: ${error.message}`);
      await tellFailure(error.message);
      return error.exitCode;
    }
    const message = `internal error: ${messageOf(error)}`;
    writeStderr(`${who}: ${message}`);
    if (error instanceof Error && error.stack) writeStderr(error.stack);
    await tellFailure(message);
    return 1;
  }
}
