/**
 * A Munin master of the test's own: the real programs, in a directory of its own, at times of the
 * test's choice.
 *
 * @module
 */
import { type Outcome, publicTempDir, run } from "../executable.ts";

/** A Munin node as the master is told of it. */
export interface MuninHost {
  /** The name in the master's pages and files. */
  readonly name: string;
  readonly address: string;
  readonly port: number;
  /**
   * Whether the master asks for the graphs of the host that the node calls itself; otherwise for
   * those of the host `name`.
   */
  readonly useNodeName: boolean;
}

/** What RRD keeps of an interval: the moment where it ends, and its average; null: not known. */
export type Row = readonly [end: number, average: number | null];

/** The group of all hosts, which is the name of a directory. */
const group = "grid";

/** The user and group "nobody": none of the master's programs runs as root. */
const nobody = 65534;

/** Lines of munin-update's log that tell of trouble. */
const trouble = /\[(?:PERL )?(?:WARNING|Warning|WARN|ERROR|FATAL)\]/;

/** Said of each series when a directory of figures is new, and without meaning. */
const harmless = /\[ERROR\] Tuning \w+ of '.*' to '.*' failed/;

/** munin-update at another time than the clock's. */
const updateProgram = `\
use strict; use warnings;
my $at;
BEGIN {
    $0 = "munin-update";
    $at = shift @ARGV;
    *CORE::GLOBAL::time = sub () { $at };
}
use RRDs;
{
    # A series whose first value has no date begins shortly before now, by the machine's clock.
    no warnings "redefine";
    my $create = \\&RRDs::create;
    *RRDs::create = sub {
        my @args = @_;
        for (1 .. $#args) {
            $args[$_] += $at if $args[$_ - 1] eq "--start" and $args[$_] < 0;
        }
        $create->(@args);
    };
}
do "/usr/share/munin/munin-update";
die $@ if $@;
exit main();
`;

/** Unlike rrdtool fetch it prints all digits. */
const fetchProgram = `\
use strict; use warnings;
use RRDs;
my ($file, $start, $end) = @ARGV;
my ($time, $step, undef, $rows) = RRDs::fetch($file, "AVERAGE",
    "--resolution", 300, "--start", $start, "--end", $end);
die RRDs::error() . "\\n" if RRDs::error();
for (@$rows) {
    print $time, " ", defined $_->[0] ? sprintf("%.17g", $_->[0]) : "U", "\\n";
    $time += $step;
}
`;

/** A Munin master: its configuration, its figures, its pages. */
export class MuninMaster implements AsyncDisposable {
  readonly #dir: string;

  private constructor(dir: string) {
    this.#dir = dir;
  }

  /** A master that has never asked its nodes. */
  static async create(hosts: readonly MuninHost[]): Promise<MuninMaster> {
    const dir = await publicTempDir();
    for (const name of ["db", "html", "log", "run", "home"]) {
      await Deno.mkdir(`${dir}/${name}`);
      if (Deno.uid() === 0) await Deno.chown(`${dir}/${name}`, nobody, nobody);
    }
    await Deno.writeTextFile(`${dir}/update.pl`, updateProgram);
    await Deno.writeTextFile(`${dir}/fetch.pl`, fetchProgram);
    await Deno.writeTextFile(
      `${dir}/munin.conf`,
      `\
dbdir ${dir}/db
htmldir ${dir}/html
logdir ${dir}/log
rundir ${dir}/run
tmpldir /etc/munin/templates
staticdir /etc/munin/static
graph_strategy cron
html_strategy cron
` +
        hosts.map(({ name, address, port, useNodeName }) => `
[${group};${name}]
address ${address}
port ${port}
use_node_name ${useNodeName ? "yes" : "no"}
`).join(""),
    );
    return new MuninMaster(dir);
  }

  /** The directory with the pages of a host. */
  htmlDir(host: string): string {
    return `${this.#dir}/html/${group}/${host}`;
  }

  /**
   * Asks all nodes, as munin-update does.
   *
   * @param options.at When, in seconds since the epoch; later than the last time.
   * @returns What it had to complain of in its log, a line each.
   */
  async update(
    { at = Math.floor(Date.now() / 1000) }: { at?: number } = {},
  ): Promise<string[]> {
    const before = (await this.#log("munin-update.log")).length;
    await this.#run(
      ...["perl", `${this.#dir}/update.pl`, String(at)],
      `--config_file=${this.#dir}/munin.conf`,
    );
    const said = (await this.#log("munin-update.log")).slice(before);
    if (!said.includes("Munin-update finished (")) {
      throw new Error(`munin-update has not come to its end:\n${said}`);
    }
    return said.split("\n").filter((line) =>
      trouble.test(line) && !harmless.test(line)
    );
  }

  /** Compares figures with their limits, as munin-limits does; needed by {@linkcode html}. */
  async limits(): Promise<void> {
    await this.#run(
      "/usr/share/munin/munin-limits",
      `--config=${this.#dir}/munin.conf`,
    );
  }

  /** Writes the pages, as munin-html does; needed by {@linkcode graph}. */
  async html(): Promise<void> {
    await this.#run(
      "/usr/share/munin/munin-html",
      `--config=${this.#dir}/munin.conf`,
    );
  }

  /** Draws the pictures, as munin-graph does, of the time before now. */
  async graph(): Promise<void> {
    await this.#run(
      "/usr/share/munin/munin-graph",
      `--config=${this.#dir}/munin.conf`,
      "--cron",
    );
  }

  /**
   * What RRD has kept of a series, in intervals of 300 seconds.
   *
   * @param range Seconds since the epoch: intervals that end after `start`, up to the one that
   *   `end` is in.
   * @throws Error when there is no such series, or more than one (of several types).
   */
  async rrdFetch(
    host: string,
    service: string,
    field: string,
    range: { start: number; end: number },
  ): Promise<Row[]> {
    const name = `${host}-${service.replaceAll(".", "-")}-${field}-`;
    const files = (await this.rrdFiles()).filter((file) =>
      file.startsWith(name) && /^[gdca]\.rrd$/.test(file.slice(name.length))
    );
    if (files.length !== 1) {
      throw new Error(
        `${files.length} files of ${name}*.rrd:\n${await this.logs()}`,
      );
    }
    const { stdout } = await this.#run(
      ...["perl", `${this.#dir}/fetch.pl`],
      `${this.#dir}/db/${group}/${files[0]}`,
      String(range.start),
      // RRD adds the interval after a whole one.
      String(range.end - 1),
    );
    return stdout.trimEnd().split("\n").map((line) => {
      const [time, value] = line.split(" ");
      return [Number(time), value === "U" ? null : Number(value)];
    });
  }

  /** The names of the files of all series, in order. */
  async rrdFiles(): Promise<string[]> {
    const names: string[] = [];
    try {
      for await (const { name } of Deno.readDir(`${this.#dir}/db/${group}`)) {
        names.push(name);
      }
    } catch (error) {
      // It is made with the first of them.
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
    return names.sort();
  }

  /** Everything that the master's programs have logged. */
  async logs(): Promise<string> {
    let text = "";
    for await (const { name } of Deno.readDir(`${this.#dir}/log`)) {
      text += `${name}:\n${await this.#log(name)}\n`;
    }
    return text;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!Deno.env.get("KEEP")) {
      await Deno.remove(this.#dir, { recursive: true });
    }
  }

  async #log(name: string): Promise<string> {
    try {
      return await Deno.readTextFile(`${this.#dir}/log/${name}`);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return "";
      throw error;
    }
  }

  async #run(...command: string[]): Promise<Outcome> {
    const asNobody = Deno.uid() === 0
      ? [
        "setpriv",
        `--reuid=${nobody}`,
        `--regid=${nobody}`,
        "--clear-groups",
      ]
      : [];
    const outcome = await run([...asNobody, ...command], {
      clearEnv: true,
      env: {
        PATH: "/usr/sbin:/usr/bin:/sbin:/bin",
        // Fonts are looked for, and remembered there.
        HOME: `${this.#dir}/home`,
        TZ: "UTC",
      },
      cwd: "/",
    });
    if (outcome.code !== 0) {
      throw new Error(
        `${command.join(" ")} ended with ${outcome.code}:\n` +
          `${outcome.stdout}${outcome.stderr}${await this.logs()}`,
      );
    }
    return outcome;
  }
}
