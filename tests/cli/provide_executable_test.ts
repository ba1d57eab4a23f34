import { assert, assertEquals, assertMatch } from "@std/assert";
import { join } from "@std/path";
import { systemClock } from "../../lib/clock.ts";
import { startGatherer } from "../../lib/gatherer/gatherer.ts";
import type { Host } from "../../lib/tree/host.ts";
import { builtScript, run } from "../executable.ts";
import { answers, FakeNode, until } from "../tahoe_statistics/fake_node.ts";
import { figuresOf, readCapture } from "../tahoe_statistics/pages.ts";

/** The real `gatherer provide`, as a process, at a real gatherer. */

const script = await builtScript();

Deno.test.afterAll(async () => {
  await script[Symbol.asyncDispose]();
});

/** A `gatherer provide` that runs; it is killed at the end if it still does. */
class Child implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #stdout: Promise<string>;
  readonly #stderr: Promise<void>;
  /** What it has written to stderr so far. */
  stderr = "";

  constructor(args: readonly string[]) {
    this.#child = new Deno.Command(script.path, {
      args: ["provide", ...args],
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#stdout = new Response(this.#child.stdout).text();
    this.#stderr = this.#read();
  }

  async #read(): Promise<void> {
    const stream = this.#child.stderr.pipeThrough(new TextDecoderStream());
    for await (const text of stream) this.stderr += text;
  }

  /** Sends a signal, and waits for its end. */
  async end(signal?: Deno.Signal): Promise<{ code: number; stdout: string }> {
    if (signal) this.#child.kill(signal);
    const { code } = await this.#child.status;
    await this.#stderr;
    return { code, stdout: await this.#stdout };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It has ended.
    }
    await this.end();
  }
}

async function place(port = 0) {
  await using cleanup = new AsyncDisposableStack();
  const root = await Deno.makeTempDir();
  cleanup.defer(() => Deno.remove(root, { recursive: true }));
  const start = (port: number) =>
    startGatherer({
      basedir: join(root, "gatherer"),
      clock: systemClock,
      host: "127.0.0.1",
      hostname: "127.0.0.1",
      port,
      intervalMs: 1000,
    });
  let gatherer = cleanup.use(await start(port));
  const owned = cleanup.move();
  return {
    root,
    basedir: join(root, "node"),
    furl: join(root, "gatherer", "stats_gatherer.furl"),
    /** Ends the gatherer and starts it again. */
    async restart() {
      const { port } = gatherer;
      await gatherer.stop();
      gatherer = owned.use(await start(port!));
    },
    host(nickname: string): Host | undefined {
      const { hosts } = gatherer.tree.cluster("foolscap");
      return [...hosts.values()].find((host) => host.nickname === nickname);
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

const KINDS = [
  "machine.cpu.user_ms",
  "machine.cpu.count",
  "machine.disk.root.available",
  "machine.load.15",
  "machine.memory.available",
  "machine.swap.total",
  "machine.uptime",
  "node.uptime",
];

Deno.test({
  name: "gatherer provide: the machine is a node, until a signal",
  ignore: Deno.build.os !== "linux",
  async fn() {
    await using there = await place();
    const args = ["--furl", there.furl, "--basedir", there.basedir];
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      await using child = new Child([...args, "--nickname", signal]);
      await until(() => there.host(signal)?.observation !== undefined, signal);
      const { metrics } = there.host(signal)!.observation!;
      const names = new Map(metrics.map(({ name, value }) => [name, value]));
      for (const name of KINDS) {
        assert(
          typeof names.get(name) === "bigint" || Number(names.get(name)) >= 0,
          `${name}: ${names.get(name)}`,
        );
      }
      assert(!names.has("stats_provider.producer_faults"), child.stderr);
      const uptime = Number(names.get("machine.uptime"));
      const [boot] = (await run(["cat", "/proc/uptime"])).stdout.split(" ");
      assert(Math.abs(uptime - Number(boot)) < 30, `${uptime}, ${boot}`);
      const status = await run([
        script.path,
        "status",
        "--basedir",
        there.basedir,
      ]);
      assertEquals([status.code, status.stderr], [0, ""]);
      assertMatch(status.stdout, /^well {11}yes$/m);
      assertEquals(await child.end(signal), { code: 0, stdout: "" });
      assertMatch(child.stderr, /attached to the gatherer [a-z2-7]{32}\n/);
      assertMatch(child.stderr, /stopped\n$/);
    }
    const keys = ["SIGTERM", "SIGINT"].map((name) => there.host(name)?.key);
    // One node: it has changed its name.
    assertEquals(keys[0], undefined);
    assertMatch(keys[1]!, /^[a-z2-7]{32}$/);
  },
});

Deno.test("gatherer provide --statistics: stands in for a node, and finds its gatherer again", async () => {
  await using there = await place();
  const bytes = readCapture("storage-1-3-busy");
  await using node = FakeNode.listen([answers(bytes)]);
  await using child = new Child([
    `--furl=${there.furl}`,
    `--basedir=${there.basedir}`,
    `--statistics=storage-1=${node.url}`,
  ]);
  const counters = figuresOf(bytes).counters.sort(([a], [b]) => a < b ? -1 : 1);
  for (let life = 0; life < 2; life++) {
    await until(
      () => (there.host("storage-1")?.observation?.sequence ?? 0) > 0,
      `figures, ${child.stderr}`,
    );
    const { metrics } = there.host("storage-1")!.observation!;
    assertEquals(
      metrics.filter(({ slope }) => slope === "positive")
        .map(({ name, value }) => [name, value]),
      counters,
    );
    if (life === 0) await there.restart();
  }
  const stopped = await run([
    script.path,
    "stop",
    "--basedir",
    there.basedir,
  ]);
  assertEquals([stopped.code, stopped.stderr], [0, ""]);
  assertEquals(await child.end(), { code: 0, stdout: "" });
});

Deno.test("gatherer provide: what keeps it from starting is one line", async () => {
  await using there = await place();
  const { basedir, furl } = there;
  const missing = await run([script.path, "provide"]);
  assertEquals([missing.code, missing.stdout], [2, ""]);
  assertMatch(missing.stderr, /^gatherer: --furl is missing: .*\n$/);
  const none = await run([
    script.path,
    "provide",
    `--furl=${furl}x`,
    `--basedir=${basedir}`,
  ]);
  assertEquals([none.code, none.stdout], [1, ""]);
  assertMatch(none.stderr, /^gatherer: --furl: there is no file .*\n$/);
  await using child = new Child([`--furl=${furl}`, `--basedir=${basedir}`]);
  await until(() => child.stderr.includes("attached"), "a node");
  const second = await run([
    script.path,
    "provide",
    `--furl=${furl}`,
    `--basedir=${basedir}`,
  ]);
  assertEquals([second.code, second.stdout], [1, ""]);
  assertMatch(second.stderr, /^gatherer: a gatherer runs on .* already/);
  const help = await run([script.path, "provide", "--help"]);
  assertEquals([help.code, help.stderr], [0, ""]);
  assertMatch(help.stdout, /^Usage: gatherer provide --furl/);
});
