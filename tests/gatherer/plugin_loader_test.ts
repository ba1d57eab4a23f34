import { assert, assertEquals, assertMatch } from "@std/assert";
import { join } from "@std/path";
import { loadPlugins } from "../../lib/gatherer/plugin_loader.ts";
import type { Plugins } from "../../lib/gatherer/plugins.ts";
import type { ConfigEntry } from "../../lib/plugins/author.ts";
import type { Observation } from "../../lib/tree/metric.ts";
import type { Plugin } from "../../lib/plugins/plugin.ts";
import { Tree } from "../../lib/tree/tree.ts";
import { FakeClock } from "../fake_clock.ts";
import { captureLog } from "../log_capture.ts";
import { runPlugins } from "./plugin_runner.ts";

/** A directory with files, plugins loaded from it under a runner, and a tree to tell them of. */
class World implements AsyncDisposable {
  readonly clock = new FakeClock();
  readonly tree = new Tree("grid");
  directory = "";
  #runner: Plugins | undefined;
  #log: { lines: string[] } & AsyncDisposable;

  private constructor(log: { lines: string[] } & AsyncDisposable) {
    this.#log = log;
  }

  static async make(files: Record<string, string>): Promise<World> {
    const world = new World(await captureLog());
    world.directory = await Deno.makeTempDir();
    for (const [name, text] of Object.entries(files)) {
      await Deno.writeTextFile(join(world.directory, name), text);
    }
    return world;
  }

  /** What was logged since the last time, the directory left out of it. */
  said(): string[] {
    return this.#log.lines.splice(0)
      .map((line) => line.replaceAll(`${this.directory}/`, ""));
  }

  /** What is not well with the plugins, the directory left out of it. */
  troubles(): string[] {
    return this.#runner!.status.flatMap(({ troubles = [] }) => troubles)
      .map((line) => line.replaceAll(`${this.directory}/`, ""));
  }

  async start(
    sections: Record<string, ConfigEntry[]> = {},
    builtIn: Plugin[] = [],
  ): Promise<void> {
    const loaded = await loadPlugins({
      directory: this.directory,
      configured: true,
      sections: new Map(Object.entries(sections)),
      clock: this.clock,
    });
    this.#runner = await runPlugins(this.tree, [
      ...builtIn,
      ...(loaded ? [loaded] : []),
    ]);
  }

  /** A cluster with one host that has these figures. */
  async commit(figures: Record<string, bigint | number>): Promise<void> {
    this.tree.update("c", "k", {
      nickname: "n",
      observation: observation(figures),
    });
    this.tree.commit("c");
    await this.#runner!.flush();
  }

  /** Once a plugin has said that it hangs, lets so much time pass. */
  async pass(ms: number, done: Promise<unknown>): Promise<void> {
    const lines = this.#log.lines;
    let found;
    while ((found = lines.findIndex((line) => line.endsWith(": hangs"))) < 0) {
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    lines.splice(found, 1);
    await this.clock.advance(ms);
    await done;
  }

  stop(): Promise<void> {
    return this.#runner!.stop();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#runner?.stop();
    await Deno.remove(this.directory, { recursive: true });
    await this.#log[Symbol.asyncDispose]();
  }
}

function observation(figures: Record<string, bigint | number>): Observation {
  return {
    incarnation: "",
    sequence: 1,
    measuredAt: 1_700_000_000_000,
    receivedAt: 1_700_000_000_500,
    metrics: Object.entries(figures).map(([name, value]) => ({
      name,
      value,
      slope: "both",
    })),
  };
}

/** A method that says so and does not end. */
const never = "() { console.log('hangs'); return new Promise(() => {}); }";

/** A plugin that logs its calls; `extra` are further methods, or others in their place. */
const teller = (extra = "") =>
  `export const getPlugin = (id) => ({
  parseConfig(entries) { console.log("parseConfig", JSON.stringify(entries)); },
  start() { console.log("start"); },
  notify(cluster) { console.log("notify", cluster.name, ...cluster.hosts.flatMap((host) =>
    host.metrics.map((metric) => metric.name + "=" + metric.text))); },
  stop() { console.log("stop"); },
  ${extra}
});\n`;

Deno.test("plugins are loaded in order, get their sections, and are told and stopped", async () => {
  await using world = await World.make({
    "b.js": teller(),
    "A.js": teller("parseConfig: undefined"),
    "c.ts": `import type { GetPlugin } from "./nowhere.ts";
      class Counting {
        #calls: number = 0;
        constructor(readonly id: string) {}
        async notify(cluster: { name: string }): Promise<void> {
          await Promise.resolve();
          console.log(this.id, ++this.#calls);
        }
      }
      export const getPlugin: GetPlugin = async (id: string) => new Counting(id);`,
    ".hidden.js": "throw new Error()",
    "_shared.js": "throw new Error()",
    "types.d.ts": "throw new Error()",
    "notes.txt": "",
    "with # and %20?.js": teller("start: undefined, stop: undefined"),
  });
  await Deno.mkdir(join(world.directory, "directory.js"));
  await world.start({
    a: [{ directive: "x", text: "y" }],
    b: [
      { directive: "url", text: '"http://x"  # y' },
      { directive: "url", text: "" },
    ],
  });
  assertEquals(world.said(), [
    'info b: parseConfig [{"directive":"url","text":"\\"http://x\\"  # y"},{"directive":"url","text":""}]',
    "info with # and %20?: parseConfig []",
    "info a: start",
    "info b: start",
  ]);
  await world.commit({ load: 1.5, big: 2n ** 60n });
  await world.commit({});
  assertEquals(world.said(), [
    "info a: notify c load=1.5 big=1152921504606846976",
    "info b: notify c load=1.5 big=1152921504606846976",
    "info c: c 1",
    "info with # and %20?: notify c load=1.5 big=1152921504606846976",
    "info a: notify c",
    "info b: notify c",
    "info c: c 2",
    "info with # and %20?: notify c",
  ]);
  await world.stop();
  assertEquals(world.said().toSorted(), ["info a: stop", "info b: stop"]);
});

Deno.test("a plugin that does not load is named with the reason, and the others load", async (t) => {
  const cases: [name: string, text: string, reason: string][] = [
    [
      "throws at import",
      "\nthrow new Error('boom');",
      "import failed: boom (bad.js:2:7)",
    ],
    [
      "is no JavaScript",
      "export const = 1;",
      "import failed: TypeError: SyntaxError: Unexpected token `=`. " +
      "Expected yield, an identifier, [ or { (bad.js:1:14)",
    ],
    [
      "imports what is not there",
      "import './missing.js';",
      'import failed: TypeError: Module not found "file://missing.js". (bad.js:1:8)',
    ],
    [
      "exports nothing",
      "",
      "import failed: TypeError: it exports no function getPlugin",
    ],
    [
      "exports something else",
      "export const getPlugin = { notify() {} };",
      "import failed: TypeError: it exports no function getPlugin",
    ],
    [
      "throws at construction",
      `class P { constructor() { throw new RangeError("no\\nport"); } }
export const getPlugin = () => new P();`,
      "getPlugin failed: RangeError: no port (bad.js:1:33)",
    ],
    [
      "throws what is no error",
      "export const getPlugin = () => { throw 7; };",
      "getPlugin failed: 7",
    ],
    [
      "gives nothing",
      "export const getPlugin = () => undefined;",
      "getPlugin failed: TypeError: it gave no object that has a method notify",
    ],
    [
      "gives no notify",
      "export const getPlugin = async () => ({ start() {} });",
      "getPlugin failed: TypeError: it gave no object that has a method notify",
    ],
    [
      "cannot read its section",
      teller("parseConfig() { throw new Error('which url?'); }"),
      "parseConfig failed: which url? (bad.js:7:25)",
    ],
    [
      "does not start",
      teller("start() { return Promise.reject(new Error('no')); }"),
      "start failed: no (bad.js:7:35)",
    ],
    [
      "ends its thread",
      teller("start() { Deno.exit(3); }"),
      "it has ended its thread",
    ],
  ];
  for (const [name, text, reason] of cases) {
    await t.step(name, async () => {
      await using world = await World.make({
        "bad.js": text,
        "good.js": teller("parseConfig: undefined"),
      });
      await world.start();
      const said = world.said().filter((line) => !line.startsWith("info bad:"));
      assertEquals(said, [
        `error the plugin bad.js is switched off: ${reason}`,
        "info good: start",
      ]);
      assertEquals(world.troubles(), [`bad.js is switched off: ${reason}`]);
      await world.commit({ load: 1 });
      assertEquals(world.said(), ["info good: notify c load=1"]);
    });
  }
});

Deno.test("a call that hangs switches its plugin off, and the others go on", async (t) => {
  const late = "was not over within 10 s. If it is busy and does not wait, " +
    "it takes a processor until the gatherer is restarted";
  const cases: [call: string, text: string][] = [
    ["import", "console.log('hangs'); await new Promise(() => {});"],
    ["getPlugin", `export function getPlugin${never}`],
    ["parseConfig", teller(`parseConfig${never}`)],
    ["start", teller(`start${never}`)],
  ];
  for (const [call, text] of cases) {
    await t.step(call, async () => {
      await using world = await World.make({
        "bad.js": text,
        "good.js": teller("parseConfig: undefined"),
      });
      await world.pass(10_000, world.start());
      assertEquals(
        world.said().filter((line) => !line.startsWith("info bad:")),
        [
          `error the plugin bad.js is switched off: ${call} ${late}`,
          "info good: start",
        ],
      );
    });
  }
  await t.step("notify", async () => {
    await using world = await World.make({
      "bad.js": teller(`notify${never}, start: undefined, stop: undefined`),
      "good.js": teller("parseConfig: undefined, start: undefined"),
    });
    await world.start();
    world.said();
    await world.pass(10_000, world.commit({ load: 1 }));
    assertEquals(world.said(), [
      `error the plugin bad.js is switched off: notify ${late}`,
      "info good: notify c load=1",
    ]);
    await world.commit({ load: 2 });
    await world.stop();
    assertEquals(world.said(), [
      "info good: notify c load=2",
      "info good: stop",
    ]);
  });
});

Deno.test("a call that is under way at the end has two seconds, and so has stop", async () => {
  await using world = await World.make({
    "a.js": teller(`notify${never}, parseConfig: undefined`),
    "b.js": teller(`stop${never}, parseConfig: undefined`),
  });
  await world.start();
  world.said();
  const told = world.commit({ load: 1 });
  await world.pass(0, Promise.resolve());
  const stopped = world.stop();
  await world.clock.advance(2000);
  await told;
  await world.pass(2000, stopped);
  assertEquals(
    world.said().map((line) => line.replace(/ If .*/, "")),
    [
      "error the plugin a.js is switched off: notify was not over within 2 s.",
      "error the plugin b.js is switched off: stop was not over within 2 s.",
    ],
  );
});

Deno.test("what goes wrong outside of calls switches a plugin off, too", async (t) => {
  const cases: [string, string, string][] = [
    [
      "thrown",
      "setTimeout(() => { throw new Error('later'); })",
      "later (bad.js:7:38)",
    ],
    ["rejected", "Promise.reject(new Error('never caught'))", "never caught"],
  ];
  for (const [name, code, reason] of cases) {
    await t.step(name, async () => {
      await using world = await World.make({
        "bad.js": teller(`start() { ${code}; return new Promise(() => {}); }`),
        "good.js": teller("parseConfig: undefined"),
      });
      await world.start();
      const [, line, ...others] = world.said();
      assert(
        line.startsWith(
          `error the plugin bad.js is switched off: outside of any call: ${reason}`,
        ),
        line,
      );
      assertEquals(others, ["info good: start"]);
    });
  }
});

Deno.test("what a plugin posts by itself reaches nothing, and switches it off", async (t) => {
  const messages = [
    "'x'",
    "null",
    "7",
    "{ level: 'constructor', text: 'x' }",
    "{ level: undefined, call: 1, value: 1 }",
    "{ level: 'info', text: 7 }",
    "{ fault: 7 }",
    "{ call: 3, reason: 7 }",
  ];
  for (const message of messages) {
    await t.step(message, async () => {
      await using world = await World.make({
        "bad.js": teller(
          `start() { postMessage(${message}); return new Promise(() => {}); }`,
        ),
        "good.js": teller("parseConfig: undefined"),
      });
      await world.start();
      const [, ...others] = world.said();
      assertEquals(others, [
        "error the plugin bad.js is switched off: it posted a message, which nobody here reads",
        "info good: start",
      ]);
    });
  }
  await t.step("in the place of an answer", async () => {
    await using world = await World.make({
      "bad.js": `export const getPlugin = () => {
        postMessage({ call: 1, value: 7 });
        return new Promise(() => {});
      };`,
      "good.js": teller("parseConfig: undefined"),
    });
    await world.start();
    assertEquals(world.said(), [
      "error the plugin bad.js is switched off: it posted a message in the place of an answer",
      "info good: start",
    ]);
  });
});

const changer = (change: string) =>
  `export const getPlugin = () => ({ notify(cluster) { ${change} } });`;

Deno.test("a change is seen by later plugins, not by built-in ones nor the tree", async () => {
  await using world = await World.make({
    "1.js": changer(`
      cluster.name = "changed";
      cluster.hosts[0].metrics[0].text = "11";
      cluster.hosts[0].metrics.push({ name: "own", text: "new" });
      cluster.hosts.push({ ...cluster.hosts[0] });`),
    "2.js": teller("parseConfig: undefined, start: undefined"),
    "3.js": changer("cluster.hosts.length = 0;"),
    "4.js": teller("parseConfig: undefined, start: undefined"),
  });
  const seen: unknown[] = [];
  await world.start({}, [{
    id: "built-in",
    notify: ({ name, hosts }) => void seen.push(name, hosts.size),
  }]);
  await world.commit({ load: 1 });
  await world.commit({ load: 2 });
  assertEquals(world.said(), [
    "info 2: notify changed load=11 own=new load=11 own=new",
    "info 4: notify changed",
    "info 2: notify changed load=11 own=new load=11 own=new",
    "info 4: notify changed",
  ]);
  assertEquals(seen, ["c", 1, "c", 1]);
  assertEquals(world.tree.grid.clusters.has("changed"), false);
  assertEquals(world.tree.host("c", "k")?.observation?.metrics, [
    { name: "load", value: 2, slope: "both" },
  ]);
});

Deno.test("the changes of one that fails are lost, those of the others stay", async (t) => {
  const cases: [name: string, code: string, reason: RegExp][] = [
    [
      "throws half-way",
      "cluster.hosts[0].metrics[0].text = 'half'; throw new Error('oh')",
      /^notify failed: oh \(2\.js:1:/,
    ],
    [
      "leaves what cannot be copied",
      "cluster.hosts[0].metrics[0].text = () => {}",
      /^hand on failed: DataCloneError: /,
    ],
    [
      "leaves no list",
      "cluster.hosts = new Map()",
      /^hand on failed: TypeError: hosts and metrics are no longer lists$/,
    ],
    [
      "leaves a host without a list",
      "cluster.hosts.push({})",
      /^hand on failed: TypeError: hosts and metrics are no longer lists$/,
    ],
  ];
  for (const [name, code, reason] of cases) {
    await t.step(name, async () => {
      await using world = await World.make({
        "1.js": changer("cluster.hosts[0].metrics[0].text = 'one';"),
        "2.js": changer(code),
        "3.js": teller("parseConfig: undefined, start: undefined"),
      });
      await world.start();
      await world.commit({ load: 1 });
      const [off, ...others] = world.said();
      const prefix = "error the plugin 2.js is switched off: ";
      assert(off.startsWith(prefix), off);
      assertMatch(off.slice(prefix.length), reason);
      assertEquals(others, ["info 3: notify c load=one"]);
    });
  }
});

Deno.test("grids below ours are told to those who want to know", async () => {
  await using world = await World.make({
    "1.js": `export const getPlugin = () => ({
      notify() {},
      notifyGrid(grid) { console.log(JSON.stringify(grid)); grid.name = "other"; },
    });`,
    "2.js": teller("parseConfig: undefined, start: undefined"),
    "3.js": `export const getPlugin = () => ({
      notify() {},
      notifyGrid(grid) { console.log(grid.name, Object.isFrozen(grid.summary.metrics[0].extra)); },
    });`,
  });
  await world.start();
  await world.clock.advance(30_000);
  world.tree.setGrid({
    name: "lab",
    authority: "http://lab/",
    localtime: 1_700_000_000,
    source: {
      name: "labs",
      answeredAt: 20_000,
      interval: 15,
      failure: "timed out",
    },
    summary: {
      up: 3,
      down: 1,
      metrics: new Map([["load_one", {
        sum: 2.5,
        num: 3,
        slope: "both",
        detail: {
          type: "float",
          units: "%",
          tmax: 70,
          dmax: 0,
          source: "gmond",
          extra: [["GROUP", "load"]],
        },
      }]]),
    },
  });
  await world.stop();
  assertEquals(world.said(), [
    'info 1: {"kind":"grid","name":"lab","authority":"http://lab/","localtime":1700000000,' +
    '"source":{"name":"labs","interval":15,"age":10,"failure":"timed out"},' +
    '"summary":{"up":3,"down":1,"metrics":[{"name":"load_one","sum":2.5,"num":3,' +
    '"slope":"both","type":"float","units":"%","tmax":70,"dmax":0,"source":"gmond",' +
    '"extra":[{"name":"GROUP","value":"load"}]}]}}',
    "info 3: other true",
    "info 2: stop",
  ]);
});

Deno.test("what a plugin writes to the console is logged, up to a limit", async () => {
  await using world = await World.make({
    "chatty.js": teller(`start() {
      console.debug("not shown"); console.warn("a\\nb", { c: 1n }); console.error(new Map());
      console.info("x".repeat(3000));
      for (let i = 0; i < 200; i++) console.log(i);
    }`),
  });
  await world.start();
  const said = world.said();
  assertEquals(said.slice(0, 5), [
    "info chatty: parseConfig []",
    "warning chatty: a b { c: 1n }",
    "error chatty: Map(0) {}",
    `info chatty: ${"x".repeat(2000)}`,
    "info chatty: 0",
  ]);
  assertEquals(
    said.at(-1),
    "warning chatty: more lines in this minute are left out",
  );
  assertEquals(said.length, 100);
});

Deno.test("plugins that cannot be loaded at all are named", async (t) => {
  await t.step("two of one id", async () => {
    await using world = await World.make({
      "Same.js": teller("parseConfig: undefined"),
      "same.js": teller(),
      "same.ts": teller(),
    });
    await world.start();
    assertEquals(world.said(), [
      "error the plugin same.js is not loaded: Same.js has its id, same",
      "error the plugin same.ts is not loaded: Same.js has its id, same",
      "info same: start",
    ]);
  });
  await t.step("more than 32", async () => {
    await using world = await World.make(Object.fromEntries(
      Array.from({ length: 34 }, (_, i) => [`${String(i).padStart(2)}.js`, ""]),
    ));
    const found = await loadPlugins({
      directory: world.directory,
      configured: true,
      sections: new Map(),
      clock: world.clock,
    });
    assertEquals(found?.id, "plugins_dir");
    assertEquals(world.said(), [
      "error the plugin 32.js and those after it are not loaded: more than 32 plugins",
    ]);
  });
  await t.step("of gmetad-python", async () => {
    await using world = await World.make({ "rrd_plugin.py": "", "x.py": "" });
    await world.start();
    assertEquals(world.said(), [
      `warning 2 plugins of gmetad-python in ${world.directory} cannot be run here; ` +
      "docs/plugins.md says how to write them anew",
    ]);
  });
});

Deno.test("a directory that is missing is worth a warning only if it was named", async () => {
  await using log = await captureLog();
  const clock = new FakeClock();
  const sections = new Map();
  for (const configured of [false, true]) {
    const directory = "/nonexistent/plugins";
    const options = { directory, configured, sections, clock };
    assertEquals(await loadPlugins(options), undefined);
  }
  const directory = new URL(import.meta.url).pathname;
  await loadPlugins({ directory, configured: false, sections, clock });
  assertEquals(log.lines, [
    "warning no plugins are loaded from /nonexistent/plugins: no such file or directory",
    `warning no plugins are loaded from ${directory}: not a directory`,
  ]);
});

Deno.test("a plugin that blocks its thread holds up neither the others nor the end of the program", async () => {
  // In a process of its own: the runtime cannot end such a thread while the process lives.
  const directory = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(
      join(directory, "busy.js"),
      changer("for (;;) ;"),
    );
    await Deno.writeTextFile(
      join(directory, "good.js"),
      teller("parseConfig: undefined"),
    );
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "--quiet",
        "--no-remote",
        "--no-prompt",
        "--allow-read",
        "--allow-env",
        new URL("busy_plugin_child.ts", import.meta.url).pathname,
        directory,
      ],
      env: { NO_COLOR: "1" },
    }).output();
    const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    assertEquals(text(stderr), "");
    assertEquals(JSON.parse(text(stdout)), {
      lines: [
        "info good: start",
        `error the plugin ${directory}/busy.js is switched off: notify was not over within 0.5 s. ` +
        "If it is busy and does not wait, it takes a processor until the gatherer is restarted",
        "info good: notify c",
        "info good: notify c",
        "info good: stop",
      ],
      timersKeptTime: true,
    });
    assertEquals(code, 0);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("the example of the guide does what it says", async () => {
  const example = await Deno.readTextFile(
    new URL("../../docs/examples/down_hosts.js", import.meta.url),
  );
  await using world = await World.make({ "down_hosts.js": example });
  const file = join(world.directory, "down-hosts");
  await world.start({ down_hosts: [{ directive: "file", text: file }] });
  assertEquals(await Deno.readTextFile(file), "");
  world.tree.update("c", "k", { life: { attachedAt: 0, answeredAt: 0 } });
  await world.commit({ load: 1 });
  await world.clock.advance(301_000);
  await world.commit({ load: 1 });
  assertEquals(await Deno.readTextFile(file), "n\n");
  world.tree.update("c", "k", { life: { answeredAt: 301_000 } });
  await world.commit({ load: 1 });
  assertEquals(await Deno.readTextFile(file), "");
  assertEquals(world.said(), [
    "info down_hosts: c: 1 of 1 hosts are down",
    "info down_hosts: c: 0 of 1 hosts are down",
  ]);
  await world.stop();
  const gone = await Deno.stat(file).then(() => false, () => true);
  assert(gone);
});

Deno.test("the example says what is wrong with its section", async () => {
  const example = await Deno.readTextFile(
    new URL("../../docs/examples/down_hosts.js", import.meta.url),
  );
  const cases: [ConfigEntry[], RegExp][] = [
    [[], /parseConfig failed: expected "file PATH" in the section down_hosts /],
    [
      [{ directive: "path", text: "x" }],
      /parseConfig failed: path is unknown; expected file PATH /,
    ],
    [
      [{ directive: "file", text: "/nonexistent/file" }],
      /start failed: NotFound: .*\/nonexistent\/file/,
    ],
  ];
  for (const [section, expected] of cases) {
    await using world = await World.make({ "down_hosts.js": example });
    await world.start({ down_hosts: section });
    const [line, ...others] = world.said();
    assertMatch(line, expected);
    assertEquals(others, []);
  }
});
