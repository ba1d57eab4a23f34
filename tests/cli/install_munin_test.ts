import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import fc from "fast-check";
import { installMunin, installMuninHelp } from "../../lib/cli/install_munin.ts";
import { UserError } from "../../lib/errors.ts";
import { type Files, systemFiles } from "../../lib/munin_install/carry_out.ts";
import type { Sources } from "../../lib/munin_install/snippet.ts";
import { publicTempDir } from "../executable.ts";

/** What a directory holds, by path: a symlink's target, or a file's mode and text. */
type Content = Readonly<Record<string, string>>;

const GRAPHS = ["tahoe_a", "tahoe_b", "gatherer_c", "mailer", "tahoe_empty"];
const WITH_DATA = GRAPHS.slice(0, 4);

/** Munin's two directories, an executable and a base directory; all in a temporary one. */
class Machine implements AsyncDisposable {
  private constructor(readonly dir: string) {}

  static async make(content: Content = {}): Promise<Machine> {
    const machine = new Machine(await publicTempDir());
    for (const dir of ["plugins", "conf", "exe", "base"]) {
      await Deno.mkdir(`${machine.dir}/${dir}`, { mode: 0o755 });
    }
    await machine.put({
      "exe/gatherer": "0755 #!/bin/sh\n",
      "exe/newer": "0755 #!/bin/sh\n",
      "exe/foreign": "0755 #!/bin/sh\n",
      "base/stats.msgpack": "0644 ",
      "base/graphs.json": "0644 {}",
      ...content,
    });
    return machine;
  }

  /** Makes files and symlinks, those that are there replaced; an empty text removes one. */
  async put(content: Content): Promise<void> {
    for (const [name, what] of Object.entries(content)) {
      const path = `${this.dir}/${name}`;
      await Deno.remove(path).catch(() => {});
      const file = /^(0\d{3}) (.*)$/s.exec(what);
      if (file) {
        await Deno.writeTextFile(path, file[2].replaceAll("DIR", this.dir));
        await Deno.chmod(path, Number.parseInt(file[1], 8));
      } else if (what !== "") {
        await Deno.symlink(what.replace("DIR", this.dir), path);
      }
    }
  }

  /** What is in Munin's two directories. */
  async content(): Promise<Content> {
    const content: Record<string, string> = {};
    for (const dir of ["plugins", "conf"]) {
      for await (const { name } of Deno.readDir(`${this.dir}/${dir}`)) {
        const path = `${this.dir}/${dir}/${name}`;
        const { isSymlink, mode } = await Deno.lstat(path);
        content[`${dir}/${name}`] = this.short(
          isSymlink
            ? await Deno.readLink(path)
            : `0${(mode! & 0o777).toString(8)} ${await Deno.readTextFile(
              path,
            )}`,
        );
      }
    }
    return Object.fromEntries(Object.entries(content).sort());
  }

  /** Runs the command. */
  async run(
    args: readonly string[],
    { executable = "gatherer", withData = WITH_DATA, files }: {
      executable?: string;
      withData?: readonly string[];
      files?: Files;
    } = {},
  ): Promise<Run> {
    const run: Run = { code: -1, stdout: "", stderr: [], sources: [] };
    run.code = await installMunin(
      [
        ...["--plugins", `${this.dir}/plugins`],
        ...["--plugin-conf", `${this.dir}/conf`],
        ...args.map((arg) => arg.replace("DIR", this.dir)),
      ],
      {
        stdout: (text) => void (run.stdout += this.short(text)),
        stderr: (line) => {
          // A temporary directory is where munin-node usually cannot see it.
          if (!line.includes(" lies under ")) run.stderr.push(this.short(line));
        },
        executable: () => Promise.resolve(`${this.dir}/exe/${executable}`),
        graphs: (sources) => {
          run.sources.push(sources);
          return Promise.resolve({
            withData,
            exists: (name) => GRAPHS.includes(name),
          });
        },
        files,
      },
    );
    return run;
  }

  short(text: string): string {
    return text.replaceAll(this.dir, "DIR");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.dir, { recursive: true });
  }
}

interface Run {
  code: number;
  stdout: string;
  stderr: string[];
  sources: Sources[];
}

const BASE = ["--statsfile", "DIR/base"];
const EACH = [...BASE, "--each"];

const next = (plugin: string) =>
  `\
Next, restart munin-node, which looks at its plugins only when it starts, and see what it gets:
  service munin-node restart
  munin-run --servicedir DIR/plugins --sconfdir DIR/conf ${plugin}
`;
const nothing = "Nothing had to be done.\n";
const obstructed =
  "What is left alone is in the way: see to it and run this again.\n";
const service = (plugins: string) =>
  `Munin's master would report a "Service collision" and drop the data of one of them: remove ` +
  `what this names, or ${plugins}`;

const snippetEnd = `\
[tahoe_*]
env.statsfile DIR/base

[gatherer]
env.statsfile DIR/base

[gatherer_*]
env.statsfile DIR/base
`;
const foreignSnippet = "0600 [tahoe_*]\nenv.statsfile /old\n";

interface Case {
  readonly name: string;
  /** What there is before, besides what is always there. */
  readonly before?: Content;
  /** Earlier runs of the command. */
  readonly earlier?: readonly (readonly string[])[];
  /** What is changed by hand after these. */
  readonly byHand?: Content;
  readonly args: readonly string[];
  readonly executable?: string;
  readonly withData?: readonly string[];
  readonly code?: number;
  readonly stdout: string;
  readonly stderr?: readonly string[];
  /** The links in the plugins directory at the end. */
  readonly plugins: Content;
  /** What a second run prints on stdout, when it is not the same with "keep". */
  readonly again: string;
}

const cases: readonly Case[] = [
  {
    name: "the one link for all graphs",
    args: BASE,
    stdout: `\
write DIR/conf/.gatherer-links
write DIR/conf/gatherer
link DIR/plugins/gatherer -> DIR/exe/gatherer
${next("gatherer")}`,
    plugins: { gatherer: "DIR/exe/gatherer" },
    again: `\
keep DIR/conf/.gatherer-links (already so)
keep DIR/conf/gatherer (already so)
keep DIR/plugins/gatherer (already so)
${nothing}`,
  },
  {
    name: "a link for each graph with data",
    args: EACH,
    stdout: `\
write DIR/conf/.gatherer-links
write DIR/conf/gatherer
link DIR/plugins/tahoe_a -> DIR/exe/gatherer
link DIR/plugins/tahoe_b -> DIR/exe/gatherer
link DIR/plugins/gatherer_c -> DIR/exe/gatherer
link DIR/plugins/mailer -> DIR/exe/gatherer
${next("tahoe_a")}`,
    plugins: {
      gatherer_c: "DIR/exe/gatherer",
      mailer: "DIR/exe/gatherer",
      tahoe_a: "DIR/exe/gatherer",
      tahoe_b: "DIR/exe/gatherer",
    },
    again: `\
keep DIR/conf/.gatherer-links (already so)
keep DIR/conf/gatherer (already so)
keep DIR/plugins/tahoe_a (already so)
keep DIR/plugins/tahoe_b (already so)
keep DIR/plugins/gatherer_c (already so)
keep DIR/plugins/mailer (already so)
${nothing}`,
  },
  {
    name: "patterns narrow them; a full name will do without data",
    args: [...EACH, "*_b", "tahoe_empty"],
    stdout: `\
write DIR/conf/.gatherer-links
write DIR/conf/gatherer
link DIR/plugins/tahoe_b -> DIR/exe/gatherer
link DIR/plugins/tahoe_empty -> DIR/exe/gatherer
${next("tahoe_b")}`,
    plugins: {
      tahoe_b: "DIR/exe/gatherer",
      tahoe_empty: "DIR/exe/gatherer",
    },
    again: `\
keep DIR/conf/.gatherer-links (already so)
keep DIR/conf/gatherer (already so)
keep DIR/plugins/tahoe_b (already so)
keep DIR/plugins/tahoe_empty (already so)
${nothing}`,
  },
  {
    name: "other patterns: links that match none of them go",
    earlier: [[...EACH, "tahoe_*"]],
    args: [...EACH, "*_b"],
    stdout: `\
keep DIR/conf/gatherer (already so)
remove DIR/plugins/tahoe_a
keep DIR/plugins/tahoe_b (already so)
write DIR/conf/.gatherer-links
${next("tahoe_b")}`,
    plugins: { tahoe_b: "DIR/exe/gatherer" },
    again: `\
keep DIR/conf/.gatherer-links (already so)
keep DIR/conf/gatherer (already so)
keep DIR/plugins/tahoe_b (already so)
${nothing}`,
  },
  {
    name: "a graph that has lost its data keeps its link",
    earlier: [[...EACH, "tahoe_*"]],
    args: [...EACH, "tahoe_*"],
    withData: ["tahoe_b"],
    stdout: `\
keep DIR/conf/.gatherer-links (already so)
keep DIR/conf/gatherer (already so)
keep DIR/plugins/tahoe_b (already so)
keep DIR/plugins/tahoe_a (already so)
${nothing}`,
    plugins: { tahoe_a: "DIR/exe/gatherer", tahoe_b: "DIR/exe/gatherer" },
    again: `\
keep DIR/conf/.gatherer-links (already so)
keep DIR/conf/gatherer (already so)
keep DIR/plugins/tahoe_b (already so)
keep DIR/plugins/tahoe_a (already so)
${nothing}`,
  },
  {
    name: "from single links to the one: its own go, others are named",
    before: {
      "plugins/tahoe_b": "DIR/exe/foreign",
      "plugins/cpu": "DIR/exe/foreign",
    },
    earlier: [[...EACH, "tahoe_a", "mailer"]],
    args: BASE,
    stdout: `\
write DIR/conf/.gatherer-links
write DIR/conf/gatherer
remove DIR/plugins/mailer
remove DIR/plugins/tahoe_a
link DIR/plugins/gatherer -> DIR/exe/gatherer
${next("gatherer")}`,
    stderr: [
      "gatherer: warning: DIR/plugins/tahoe_b (a symlink to DIR/exe/foreign): not made by this " +
      `command, and shows the same graphs as gatherer; ${
        service("install a link for each graph, with --each")
      }`,
    ],
    plugins: {
      cpu: "DIR/exe/foreign",
      gatherer: "DIR/exe/gatherer",
      tahoe_b: "DIR/exe/foreign",
    },
    again: `\
keep DIR/conf/.gatherer-links (already so)
keep DIR/conf/gatherer (already so)
keep DIR/plugins/gatherer (already so)
${nothing}`,
  },
  {
    name: "from the one link to single ones",
    earlier: [BASE],
    args: [...EACH, "tahoe_a"],
    stdout: `\
write DIR/conf/.gatherer-links
keep DIR/conf/gatherer (already so)
remove DIR/plugins/gatherer
link DIR/plugins/tahoe_a -> DIR/exe/gatherer
${next("tahoe_a")}`,
    plugins: { tahoe_a: "DIR/exe/gatherer" },
    again: `\
keep DIR/conf/.gatherer-links (already so)
keep DIR/conf/gatherer (already so)
keep DIR/plugins/tahoe_a (already so)
${nothing}`,
  },
  {
    name: "single links beside the one link, made by hand",
    before: { "plugins/gatherer": "DIR/exe/gatherer" },
    args: [...EACH, "tahoe_a"],
    stdout: `\
write DIR/conf/.gatherer-links
write DIR/conf/gatherer
link DIR/plugins/tahoe_a -> DIR/exe/gatherer
${next("tahoe_a")}`,
    stderr: [
      "gatherer: warning: DIR/plugins/gatherer (a symlink to DIR/exe/gatherer): not made by this " +
      `command, and shows the same graphs as tahoe_a; ${
        service("install the one link for all graphs, without --each")
      }`,
    ],
    plugins: {
      gatherer: "DIR/exe/gatherer",
      tahoe_a: "DIR/exe/gatherer",
    },
    again: `\
keep DIR/conf/.gatherer-links (already so)
keep DIR/conf/gatherer (already so)
keep DIR/plugins/tahoe_a (already so)
${nothing}`,
  },
  {
    name:
      "what was made by hand as it should be is kept, by way of another link as well",
    before: {
      "exe/bin": "DIR/exe/gatherer",
      "plugins/tahoe_a": "DIR/exe/gatherer",
      "plugins/tahoe_b": "DIR/exe/bin",
    },
    args: [...EACH, "tahoe_*"],
    stdout: `\
write DIR/conf/gatherer
keep DIR/plugins/tahoe_a (already so; not made by this command)
keep DIR/plugins/tahoe_b (already so, by way of DIR/exe/bin; not made by this command)
${next("tahoe_a")}`,
    plugins: { tahoe_a: "DIR/exe/gatherer", tahoe_b: "DIR/exe/bin" },
    again: `\
keep DIR/conf/gatherer (already so)
keep DIR/plugins/tahoe_a (already so; not made by this command)
keep DIR/plugins/tahoe_b (already so, by way of DIR/exe/bin; not made by this command)
${nothing}`,
  },
  {
    name: "other things in the way are left alone, the rest is done",
    before: {
      "plugins/tahoe_a": "DIR/exe/foreign",
      "plugins/tahoe_b": "0755 #!/bin/sh\n",
      "plugins/mailer": "/nowhere",
    },
    args: EACH,
    code: 1,
    stdout: `\
write DIR/conf/.gatherer-links
write DIR/conf/gatherer
leave DIR/plugins/tahoe_a: not made by this command (a symlink to DIR/exe/foreign; remove it yourself if gatherer is to have the name)
leave DIR/plugins/tahoe_b: not made by this command (a file; remove it yourself if gatherer is to have the name)
link DIR/plugins/gatherer_c -> DIR/exe/gatherer
leave DIR/plugins/mailer: not made by this command (a symlink to /nowhere; remove it yourself if gatherer is to have the name)
${next("gatherer_c")}${obstructed}`,
    plugins: {
      gatherer_c: "DIR/exe/gatherer",
      mailer: "/nowhere",
      tahoe_a: "DIR/exe/foreign",
      tahoe_b: "0755 #!/bin/sh\n",
    },
    again: `\
keep DIR/conf/.gatherer-links (already so)
keep DIR/conf/gatherer (already so)
leave DIR/plugins/tahoe_a: not made by this command (a symlink to DIR/exe/foreign; remove it yourself if gatherer is to have the name)
leave DIR/plugins/tahoe_b: not made by this command (a file; remove it yourself if gatherer is to have the name)
keep DIR/plugins/gatherer_c (already so)
leave DIR/plugins/mailer: not made by this command (a symlink to /nowhere; remove it yourself if gatherer is to have the name)
${nothing}${obstructed}`,
  },
  {
    name: "links follow the executable",
    earlier: [[...EACH, "tahoe_*"]],
    byHand: { "exe/gatherer": "" },
    args: [...EACH, "tahoe_*"],
    executable: "newer",
    stdout: `\
write DIR/conf/.gatherer-links
keep DIR/conf/gatherer (already so)
link DIR/plugins/tahoe_a -> DIR/exe/newer (instead of DIR/exe/gatherer)
link DIR/plugins/tahoe_b -> DIR/exe/newer (instead of DIR/exe/gatherer)
${next("tahoe_a")}`,
    plugins: { tahoe_a: "DIR/exe/newer", tahoe_b: "DIR/exe/newer" },
    again: `\
keep DIR/conf/.gatherer-links (already so)
keep DIR/conf/gatherer (already so)
keep DIR/plugins/tahoe_a (already so)
keep DIR/plugins/tahoe_b (already so)
${nothing}`,
  },
  {
    name: "a link of its own that somebody has changed is theirs",
    earlier: [[...EACH, "tahoe_*"]],
    byHand: {
      "plugins/tahoe_a": "DIR/exe/foreign",
      "plugins/tahoe_b": "0644 x",
    },
    args: [...EACH, "tahoe_a", "mailer"],
    code: 1,
    stdout: `\
write DIR/conf/.gatherer-links
write DIR/conf/gatherer
leave DIR/plugins/tahoe_b: changed since this command made it (a file; remove it yourself if it is not wanted)
leave DIR/plugins/tahoe_a: not made by this command (a symlink to DIR/exe/foreign; remove it yourself if gatherer is to have the name)
link DIR/plugins/mailer -> DIR/exe/gatherer
${next("mailer")}${obstructed}`,
    plugins: {
      mailer: "DIR/exe/gatherer",
      tahoe_a: "DIR/exe/foreign",
      tahoe_b: "0644 x",
    },
    again: `\
keep DIR/conf/.gatherer-links (already so)
keep DIR/conf/gatherer (already so)
leave DIR/plugins/tahoe_a: not made by this command (a symlink to DIR/exe/foreign; remove it yourself if gatherer is to have the name)
keep DIR/plugins/mailer (already so)
${nothing}${obstructed}`,
  },
  {
    name: "a link of its own that somebody has removed is made again",
    earlier: [BASE],
    byHand: { "plugins/gatherer": "" },
    args: [],
    stdout: `\
keep DIR/conf/.gatherer-links (already so)
keep DIR/conf/gatherer (already so)
link DIR/plugins/gatherer -> DIR/exe/gatherer
${next("gatherer")}`,
    plugins: { gatherer: "DIR/exe/gatherer" },
    again: `\
keep DIR/conf/.gatherer-links (already so)
keep DIR/conf/gatherer (already so)
keep DIR/plugins/gatherer (already so)
${nothing}`,
  },
  {
    name: "another snapshot: the configuration is made anew",
    before: { "exe/elsewhere": "0644 " },
    earlier: [BASE],
    args: ["--statsfile", "DIR/exe/elsewhere"],
    stdout: `\
keep DIR/conf/.gatherer-links (already so)
write DIR/conf/gatherer
keep DIR/plugins/gatherer (already so)
${next("gatherer")}`,
    plugins: { gatherer: "DIR/exe/gatherer" },
    again: `\
keep DIR/conf/.gatherer-links (already so)
keep DIR/conf/gatherer (already so)
keep DIR/plugins/gatherer (already so)
${nothing}`,
  },
  {
    name: "a configuration that somebody else has written is left alone",
    before: { "conf/gatherer": foreignSnippet },
    args: BASE,
    code: 1,
    stdout: `\
write DIR/conf/.gatherer-links
leave DIR/conf/gatherer: not made by this command (a file); these lines are needed in that directory:
    [gatherer]
    env.statsfile DIR/base
link DIR/plugins/gatherer -> DIR/exe/gatherer
${next("gatherer")}${obstructed}`,
    plugins: { gatherer: "DIR/exe/gatherer" },
    again: `\
keep DIR/conf/.gatherer-links (already so)
leave DIR/conf/gatherer: not made by this command (a file); these lines are needed in that directory:
    [gatherer]
    env.statsfile DIR/base
keep DIR/plugins/gatherer (already so)
${nothing}${obstructed}`,
  },
  {
    name: "… unless it has what is needed",
    before: { "conf/gatherer": "0644 [tahoe_*]\nenv.statsfile DIR/base\n" },
    args: ["--each", "tahoe_a"],
    stdout: `\
write DIR/conf/.gatherer-links
keep DIR/conf/gatherer (not made by this command (a file); it has what is needed)
link DIR/plugins/tahoe_a -> DIR/exe/gatherer
${next("tahoe_a")}`,
    plugins: { tahoe_a: "DIR/exe/gatherer" },
    again: `\
keep DIR/conf/.gatherer-links (already so)
keep DIR/conf/gatherer (not made by this command (a file); it has what is needed)
keep DIR/plugins/tahoe_a (already so)
${nothing}`,
  },
  {
    name: "another file of the configuration that has precedence is named",
    before: {
      "conf/tahoe": "0644 [tahoe_a]\nenv.statsfile /old\n",
      "conf/tahoe.bak": "0644 [tahoe_b]\nenv.statsfile /older\n",
    },
    args: [...EACH, "tahoe_*"],
    stdout: `\
write DIR/conf/.gatherer-links
write DIR/conf/gatherer
link DIR/plugins/tahoe_a -> DIR/exe/gatherer
link DIR/plugins/tahoe_b -> DIR/exe/gatherer
${next("tahoe_a")}`,
    stderr: [
      "gatherer: warning: another file in DIR/conf has env.statsfile /old for tahoe_a, which has " +
      "precedence over DIR/conf/gatherer",
    ],
    plugins: { tahoe_a: "DIR/exe/gatherer", tahoe_b: "DIR/exe/gatherer" },
    again: `\
keep DIR/conf/.gatherer-links (already so)
keep DIR/conf/gatherer (already so)
keep DIR/plugins/tahoe_a (already so)
keep DIR/plugins/tahoe_b (already so)
${nothing}`,
  },
];

for (const one of cases) {
  Deno.test(`install-munin: ${one.name}`, async () => {
    await using machine = await Machine.make(one.before);
    const initial = await machine.content();
    for (const args of one.earlier ?? []) await machine.run(args);
    await machine.put(one.byHand ?? {});
    const before = await machine.content();

    const dry = await machine.run([...one.args, "--dry-run"], one);
    assertEquals(await machine.content(), before);
    const run = await machine.run(one.args, one);
    assertEquals(dry, run);
    assertEquals(run.stdout, one.stdout);
    assertEquals(run.stderr, one.stderr ?? []);
    assertEquals(run.code, one.code ?? 0);
    const after = await machine.content();
    assertEquals(under("plugins/", after), one.plugins);

    const again = await machine.run(one.args, one);
    assertEquals(
      [again.stdout, again.stderr, again.code],
      [one.again, one.stderr ?? [], one.code ?? 0],
    );
    assertEquals(await machine.content(), after);

    await machine.run(["--remove"]);
    assertEquals(await machine.content(), {
      ...initial,
      ...Object.fromEntries(
        Object.entries(one.byHand ?? {}).filter(([name, what]) =>
          name.startsWith("plugins/") && what !== ""
        ),
      ),
    });
  });
}

function under(start: string, content: Content): Content {
  return Object.fromEntries(
    Object.entries(content).filter(([name]) => name.startsWith(start))
      .map(([name, what]) => [name.slice(start.length), what]),
  );
}

Deno.test("what a run that was cut short has left is removed, if there is nothing else to do as well", async () => {
  const leftovers = {
    "plugins/.gatherer-install.tmp": "DIR/exe/gatherer",
    "conf/.gatherer-install.tmp": "0600 half a fi",
  };
  const said = `\
remove DIR/conf/.gatherer-install.tmp (left by a run that was cut short)
remove DIR/plugins/.gatherer-install.tmp (left by a run that was cut short)
`;
  await using machine = await Machine.make();
  await machine.run(BASE);
  const before = await machine.content();
  await machine.put(leftovers);
  const run = await machine.run(BASE);
  assert(run.stdout.startsWith(said), run.stdout);
  assertEquals(await machine.content(), before);

  await machine.run(["--remove"]);
  await machine.put(leftovers);
  assert((await machine.run(["--remove"])).stdout.startsWith(said));
  assertEquals(await machine.content(), {});
});

Deno.test("the configuration: three sections, one for each graph of other names, and a list of the links", async () => {
  await using machine = await Machine.make();
  const run = await machine.run([
    ...[...EACH, "--graphs", "DIR/base/graphs.json", "mailer", "tahoe_a"],
  ]);
  assertEquals(run.sources.map((sources) => JSON.stringify(sources)), [
    `{"statsfile":"${machine.dir}/base","graphs":"${machine.dir}/base/graphs.json"}`,
  ]);
  const content = under("conf/", await machine.content());
  const [mark, ...lines] = content.gatherer.split("\n");
  assertMatch(
    mark,
    /^0644 # Made by "gatherer install-munin", checksum [0-9a-f]{16}\.$/,
  );
  assertEquals(
    lines.filter((line) => !line.startsWith("#")).join("\n"),
    ["tahoe_*", "gatherer", "gatherer_*", "mailer"].map((section) =>
      `\n[${section}]\nenv.statsfile DIR/base\nenv.graphs DIR/base/graphs.json\n`
    ).join(""),
  );
  assertEquals(
    content[".gatherer-links"],
    `\
0644 {
  "about": "The links that \\"gatherer install-munin\\" made. It changes and removes no others.",
  "version": 1,
  "plugins": "DIR/plugins",
  "links": [
    "mailer",
    "tahoe_a"
  ],
  "targets": [
    "DIR/exe/gatherer"
  ]
}
`,
  );
  // What was said once holds until something else is said.
  const later = await machine.run([]);
  assertEquals(later.sources, run.sources);
  const one = (await machine.content())["conf/gatherer"];
  assertEquals(
    one.slice(one.indexOf("\n[tahoe_*]")),
    `\n${
      snippetEnd.replaceAll(
        "DIR/base\n",
        "DIR/base\nenv.graphs DIR/base/graphs.json\n",
      )
    }`,
  );
});

Deno.test("an edited configuration is kept: by install when it has what is needed, by --remove always", async () => {
  await using machine = await Machine.make();
  await machine.run(BASE);
  const made = (await machine.content())["conf/gatherer"];
  const edited = made.replace("[gatherer]\n", "[gatherer]\nuser nobody\n");
  const put = (text: string) => machine.put({ "conf/gatherer": text });
  const keepLinks = "keep DIR/conf/.gatherer-links (already so)\n";
  const keepLink = "keep DIR/plugins/gatherer (already so)\n";
  const change =
    "edited since this command made it; these lines are needed in that directory:\n";

  await put(edited);
  const kept = await machine.run(BASE);
  assertEquals(
    [kept.stdout, kept.code],
    [
      `${keepLinks}keep DIR/conf/gatherer (edited since this command made it; it has what is needed)\n` +
      keepLink + nothing,
      0,
    ],
  );

  const left = await machine.run(["--statsfile", "DIR/exe/gatherer"]);
  assertEquals(
    [left.stdout, left.code],
    [
      `${keepLinks}leave DIR/conf/gatherer: ${change}    [gatherer]\n` +
      `    env.statsfile DIR/exe/gatherer\n${keepLink}${nothing}${obstructed}`,
      1,
    ],
  );

  // Elsewhere in the directory these lines do as well.
  await machine.put({
    "conf/other": "0644 [gatherer]\nenv.statsfile DIR/exe/gatherer\n",
  });
  assertEquals(
    (await machine.run(["--statsfile", "DIR/exe/gatherer"])).code,
    0,
  );
  await machine.put({ "conf/other": "" });

  const removed = await machine.run(["--remove"]);
  assertEquals(
    [removed.stdout, removed.code],
    [
      `\
remove DIR/plugins/gatherer
leave DIR/conf/gatherer: edited since this command made it; remove it yourself if it is not wanted
remove DIR/conf/.gatherer-links
Next, restart munin-node, which looks at its plugins only when it starts:
  service munin-node restart
`,
      0,
    ],
  );
  assertEquals(await machine.content(), { "conf/gatherer": edited });
  assertEquals(
    (await machine.run(["--remove"])).stdout,
    `leave DIR/conf/gatherer: edited since this command made it; remove it yourself if it is not wanted\n${nothing}`,
  );
});

Deno.test("a configuration that is a symlink is not written through", async () => {
  await using machine = await Machine.make();
  await machine.run(BASE);
  const made = (await machine.content())["conf/gatherer"];
  await machine.put({ "exe/mine": made, "conf/gatherer": "DIR/exe/mine" });
  const run = await machine.run(["--statsfile", "DIR/exe/gatherer"]);
  assertEquals(run.code, 1);
  assertMatch(
    run.stdout,
    /^leave DIR\/conf\/gatherer: not made by this command \(a symlink to DIR\/exe\/mine\); /m,
  );
  await machine.run(["--remove"]);
  assertEquals(await machine.content(), { "conf/gatherer": "DIR/exe/mine" });
});

Deno.test("--remove says what it does, and a dry run of it does nothing", async () => {
  await using machine = await Machine.make();
  await machine.run([...EACH, "tahoe_*"]);
  await machine.put({ "plugins/tahoe_b": "DIR/exe/foreign" });
  const before = await machine.content();
  const dry = await machine.run(["--remove", "--dry-run"]);
  assertEquals(await machine.content(), before);
  const run = await machine.run(["--remove"]);
  assertEquals(dry, run);
  assertEquals(
    run.stdout,
    `\
remove DIR/plugins/tahoe_a
leave DIR/plugins/tahoe_b: changed since this command made it (a symlink to DIR/exe/foreign; remove it yourself if it is not wanted)
remove DIR/conf/gatherer
remove DIR/conf/.gatherer-links
Next, restart munin-node, which looks at its plugins only when it starts:
  service munin-node restart
`,
  );
  assertEquals((await machine.run(["--remove"])).stdout, nothing);
});

Deno.test("--remove works without the plugins directory, and knows by itself where that is", async () => {
  await using machine = await Machine.make();
  await machine.run(BASE);
  const io = {
    stdout: () => {},
    stderr: () => {},
    executable: () => Promise.reject(new Error("not needed")),
    graphs: () => Promise.reject(new Error("not needed")),
  };
  const conf = ["--plugin-conf", `${machine.dir}/conf`];
  const other = await assertRejects(
    () => installMunin(["--remove", ...conf, "--plugins", machine.dir], io),
    UserError,
  );
  assertEquals(
    machine.short(other.message),
    "the links that were made with this configuration are in DIR/plugins, not in DIR: remove " +
      "them first, with gatherer install-munin --remove --plugin-conf DIR/conf",
  );
  await Deno.rename(`${machine.dir}/plugins`, `${machine.dir}/gone`);
  assertEquals(await installMunin(["--remove", ...conf], io), 0);
  await Deno.mkdir(`${machine.dir}/plugins`);
  assertEquals(await machine.content(), {});
});

/** The system's files, which fail for good after a number of changes. */
function filesDyingAfter(changes: number): Files {
  const dying =
    <A extends unknown[]>(change: (...args: A) => Promise<void>) =>
    async (...args: A) => {
      if (changes-- <= 0) throw new Error("killed");
      await change(...args);
    };
  return {
    symlink: dying(systemFiles.symlink),
    create: dying(systemFiles.create),
    rename: dying(systemFiles.rename),
    remove: dying(systemFiles.remove),
  };
}

Deno.test("cut short after any change, another run does the rest, and --remove leaves nothing", async () => {
  const ways: {
    earlier: readonly string[][];
    args: string[];
    executable?: string;
  }[] = [
    { earlier: [], args: BASE },
    { earlier: [EACH], args: BASE },
    { earlier: [BASE], args: EACH, executable: "newer" },
    { earlier: [EACH], args: [...EACH, "tahoe_*"], executable: "newer" },
    { earlier: [EACH], args: ["--remove"] },
  ];
  for (const { earlier, args, executable } of ways) {
    await using whole = await Machine.make();
    for (const earlierArgs of earlier) await whole.run(earlierArgs);
    await whole.run(args, { executable });
    const expected = withoutChecksum(await whole.content());
    for (let changes = 0, survived = false; !survived; changes++) {
      for (const then of [args, ["--remove"]]) {
        await using machine = await Machine.make();
        for (const earlierArgs of earlier) await machine.run(earlierArgs);
        const before = await machine.content();
        let message = "";
        try {
          const files = filesDyingAfter(changes);
          await machine.run(args, { executable, files });
          survived = true;
        } catch (error) {
          assert(error instanceof UserError);
          message = error.message;
        }
        const made = /; (\d+) of \d+ changes were made: /.exec(message);
        if (/; nothing has been changed$/.test(message) || made?.[1] === "0") {
          const left = await machine.content();
          assertEquals(withoutTemporary(left), before);
        } else assert(survived || made !== null, message);
        await machine.run(then, { executable });
        if (then === args) {
          assertEquals(withoutChecksum(await machine.content()), expected);
        }
        await machine.run(["--remove"], { executable });
        assertEquals(await machine.content(), {});
      }
    }
  }
});

/** It depends on the name of the temporary directory. */
function withoutChecksum(content: Content): Content {
  return Object.fromEntries(
    Object.entries(content).map(([name, what]) => [
      name,
      what.replace(/checksum [0-9a-f]{16}/, "checksum"),
    ]),
  );
}

function withoutTemporary(content: Content): Content {
  return Object.fromEntries(
    Object.entries(content).filter(([name]) =>
      !name.endsWith("/.gatherer-install.tmp")
    ),
  );
}

Deno.test("whatever is run one after the other: others' files stay, and --remove restores everything", async () => {
  const command = fc.record({
    args: fc.constantFrom(
      BASE,
      EACH,
      [...EACH, "tahoe_*"],
      [...EACH, "mailer", "--graphs", "DIR/base/graphs.json"],
      ["--remove"],
      ["--dry-run", ...EACH],
    ),
    executable: fc.constantFrom("gatherer", "newer"),
  });
  const before = fc.dictionary(
    fc.constantFrom(
      ...[...GRAPHS, "gatherer", "cpu"].map((name) => `plugins/${name}`),
      ...["conf/gatherer", "conf/other"],
    ),
    fc.constantFrom(
      ...["DIR/exe/gatherer", "DIR/exe/foreign", "/nowhere", foreignSnippet],
    ),
  );
  await fc.assert(
    fc.asyncProperty(
      before,
      fc.array(command, { minLength: 1, maxLength: 5 }),
      async (before, commands) => {
        await using machine = await Machine.make(before);
        const initial = await machine.content();
        for (const { args, executable } of commands) {
          await machine.run(args, { executable });
          const content = await machine.content();
          assertEquals({ ...content, ...initial }, content);
        }
        await machine.run(["--remove"]);
        assertEquals(await machine.content(), initial);
      },
    ),
    { numRuns: 60 },
  );
});

Deno.test("what the system refuses: one line, and nothing changed when that can be foreseen", async () => {
  await using machine = await Machine.make();
  const before = await machine.content();
  const refuse = (dir: string): Files => ({
    ...systemFiles,
    create: (path, text) =>
      path.startsWith(`${machine.dir}/${dir}/`)
        ? Promise.reject(new Deno.errors.PermissionDenied("no"))
        : systemFiles.create(path, text),
  });
  for (const dir of ["plugins", "conf"]) {
    const error = await assertRejects(
      () => machine.run(BASE, { files: refuse(dir) }),
      UserError,
    );
    assertEquals(
      machine.short(error.message),
      `cannot write in DIR/${dir}: permission denied; run this as root; nothing has been changed`,
    );
    assertEquals(await machine.content(), before);
  }
  const error = await assertRejects(
    () =>
      machine.run(BASE, {
        files: {
          ...systemFiles,
          symlink: () => Promise.reject(new Error("No space left on device")),
        },
      }),
    UserError,
  );
  assertEquals(
    machine.short(error.message),
    "cannot make the link DIR/plugins/gatherer: no space left on device; 2 of 3 changes were " +
      "made: mend this and run it again",
  );
});

Deno.test("what somebody changes while it runs is not overwritten and not removed", async () => {
  await using machine = await Machine.make();
  await machine.run([...EACH, "tahoe_a"]);
  const foreign = {
    "plugins/tahoe_a": "DIR/exe/foreign",
    "plugins/gatherer": "DIR/exe/foreign",
    "conf/gatherer": "0644 mine\n",
  };
  for (
    const [name, args, problem] of [
      ["plugins/tahoe_a", BASE, /cannot remove .*tahoe_a: somebody has/],
      ["plugins/gatherer", BASE, /cannot make the link .*gatherer: .*exists/],
      [
        "conf/gatherer",
        ["--statsfile", "DIR/exe/gatherer"],
        /cannot write .*conf\/gatherer: somebody has/,
      ],
      [
        "plugins/tahoe_a",
        ["--remove"],
        /cannot remove .*tahoe_a: somebody has/,
      ],
    ] as const
  ) {
    const before = await machine.content();
    let intruded = false;
    const error = await assertRejects(
      () =>
        machine.run(args, {
          files: {
            ...systemFiles,
            // The first change is one of a probe, after everything has been looked at.
            async create(path, text) {
              if (!intruded) {
                await machine.put({ [name]: foreign[name] });
              }
              intruded = true;
              return await systemFiles.create(path, text);
            },
          },
        }),
      UserError,
    );
    assertMatch(error.message, problem);
    assertEquals((await machine.content())[name], foreign[name]);
    await machine.put({ "plugins/gatherer": "", ...before });
  }
});

Deno.test("a list of links that cannot be read stops it", async () => {
  for (
    const text of [
      "",
      "{}",
      '{"version":2,"plugins":"","links":[],"targets":[]}',
    ]
  ) {
    await using machine = await Machine.make({
      "conf/.gatherer-links": `0644 ${text}`,
    });
    const before = await machine.content();
    for (const args of [BASE, ["--remove"]]) {
      const error = await assertRejects(() => machine.run(args), UserError);
      assertMatch(
        machine.short(error.message),
        /^"DIR\/conf\/\.gatherer-links" is not as this version of gatherer writes it: move it away/,
      );
    }
    assertEquals(await machine.content(), before);
  }
});

Deno.test("names in a list of links lead nowhere else", async () => {
  await using machine = await Machine.make({
    "exe/link": "DIR/exe/gatherer",
    "conf/.gatherer-links":
      '0644 {"version":1,"plugins":"DIR/plugins","links":["../exe/link"],"targets":["DIR/exe/gatherer"]}',
  });
  await machine.run(["--remove"]);
  assertEquals(await machine.content(), {});
  assertEquals(
    await Deno.readLink(`${machine.dir}/exe/link`),
    `${machine.dir}/exe/gatherer`,
  );
});

Deno.test("directories that are missing are named, with package and option", async () => {
  await using machine = await Machine.make();
  for (
    const [dir, option] of [["plugins", "--plugins"], ["conf", "--plugin-conf"]]
  ) {
    await Deno.rename(`${machine.dir}/${dir}`, `${machine.dir}/gone`);
    const error = await assertRejects(() => machine.run(BASE), UserError);
    assertEquals(
      machine.short(error.message),
      `there is no directory DIR/${dir}: install Munin's node (Debian package munin-node), or ` +
        `name another directory with ${option}`,
    );
    await Deno.rename(`${machine.dir}/gone`, `${machine.dir}/${dir}`);
  }
});

Deno.test("graphs that cannot be linked: one line", async () => {
  await using machine = await Machine.make();
  for (
    const [args, withData, message] of [
      [
        EACH,
        [],
        "no graph has data in DIR/base yet: run the gatherer, or name graphs in full",
      ],
      [
        [...EACH, "tahoe_*", "nosuch*"],
        WITH_DATA,
        'no graph with data in DIR/base matches "nosuch*"; "gatherer graphs" lists all',
      ],
      [EACH, ["a b"], '"a b" is not a name that Munin takes for a plugin'],
      [EACH, [".x"], '".x" is not a name that Munin takes for a plugin'],
      [
        EACH,
        ["x.conf"],
        '"x.conf" is not a name that Munin takes for a plugin',
      ],
    ] as const
  ) {
    const error = await assertRejects(
      () => machine.run(args, { withData }),
      UserError,
    );
    assertEquals(
      [machine.short(error.message), error.exitCode],
      [message, 1],
    );
  }
  assertEquals(await machine.content(), {});
});

Deno.test("wrong usage of install-munin is exit code 2", async () => {
  await using machine = await Machine.make();
  for (
    const [args, message] of [
      [
        ["tahoe_*"],
        /^unexpected argument "tahoe_\*": patterns need --each; see /,
      ],
      [["--remove", "--each"], /^--remove and --each do not go together; /],
      [["--remove", ...BASE], /^--remove and --statsfile do not go together; /],
      [["--stats"], /^unknown option --stats, did you mean --statsfile\?; /],
      [["--statsfile", "/a\n[x]"], /^--statsfile: the path has a control /],
      [["--graphs", "/a "], /^--graphs: the path has a control /],
    ] as const
  ) {
    const error = await assertRejects(() => machine.run(args), UserError);
    assertEquals(error.exitCode, 2);
    assertMatch(error.message, message);
    assertMatch(error.message, /; see gatherer install-munin --help$/);
  }
  assertEquals(await machine.content(), {});
});

Deno.test("files that Munin's plugins cannot get at are warned of, and installed all the same", async () => {
  await using machine = await Machine.make();
  const owner = Deno.uid() === 0 ? undefined : Deno.uid();
  const chmod = (path: string, mode: number) =>
    Deno.chmod(`${machine.dir}/${path}`, mode);
  await chmod("base", 0o700);
  const closed = await machine.run(BASE);
  assertEquals([closed.code, closed.stderr.length], [0, 1]);
  assertMatch(
    closed.stderr[0],
    /^gatherer: warning: user nobody, whom Munin's plugins run as, cannot use DIR\/base\/stats\.msgpack: DIR\/base lacks x for others \(mode 0700, owner \w+\): chmod o\+x DIR\/base/,
  );
  assertEquals(
    / or put "user \w+" under the sections of DIR\/conf\/gatherer into /
      .test(closed.stderr[0]),
    owner !== undefined,
  );

  // With a user of their own that is no matter.
  await machine.put({ "conf/mine": "0644 [gatherer]\nuser root\n" });
  assertEquals((await machine.run(BASE)).stderr, []);
  await machine.put({ "conf/mine": "" });

  await chmod("base", 0o755);
  await chmod("base/stats.msgpack", 0o640);
  await chmod("exe/gatherer", 0o744);
  const lacking = await machine.run(BASE);
  assertEquals(
    lacking.stderr.map((line) => line.replace(/ for others.*/, "")),
    [
      "gatherer: warning: user nobody, whom Munin's plugins run as, cannot use DIR/exe/gatherer: " +
      "DIR/exe/gatherer lacks x",
      "gatherer: warning: user nobody, whom Munin's plugins run as, cannot use " +
      "DIR/base/stats.msgpack: DIR/base/stats.msgpack lacks r",
    ],
  );
  await chmod("exe/gatherer", 0o755);

  for (
    const [statsfile, advice] of [
      ["DIR/none", 'run "gatherer serve --basedir DIR/none", or give another'],
      [
        "DIR/none/stats.msgpack",
        'run "gatherer serve --basedir DIR/none", or give another',
      ],
      ["DIR/none/stats.json", "give another"],
    ]
  ) {
    const { stderr } = await machine.run(["--statsfile", statsfile]);
    assertEquals(stderr, [
      `gatherer: warning: there is no ${statsfile} yet: ${advice} path with --statsfile`,
    ]);
  }
});

Deno.test("the help of install-munin fits a terminal", () => {
  for (const line of installMuninHelp.split("\n")) {
    assert(line.length <= 100, line);
  }
});
