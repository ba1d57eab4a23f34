import { assertEquals, assertRejects } from "@std/assert";
import { UserError } from "../../lib/errors.ts";
import { type Part, Parts } from "../../lib/gatherer/parts.ts";
import { makePlan } from "../../lib/gatherer/plan.ts";
import type { Source } from "../../lib/sources/source.ts";
import { Tree } from "../../lib/tree/tree.ts";
import { captureLog } from "../log_capture.ts";
import { runPlugins } from "./plugin_runner.ts";

/** Parts that say what happens to them. */
class World {
  readonly events: string[] = [];
  readonly tree = new Tree();
  /** Ports that are in use. */
  readonly #ports = new Set<string>();
  /** What is to go wrong: `build NAME` or `start NAME`, once or for ever. */
  readonly fails = new Set<string>();

  plugin(name: string, settings: unknown, claim?: string): Part {
    const say = (what: string) => {
      this.events.push(`${what} ${name} ${settings}`);
      if (this.fails.has(`${what} ${name} ${settings}`)) {
        throw new UserError(`cannot ${what} ${name}`);
      }
    };
    return {
      name,
      kind: "plugin",
      settings,
      claims: claim === undefined ? [] : [claim],
      build: () => {
        say("build");
        return {
          plugin: {
            id: name,
            start: () => {
              say("start");
              if (claim === undefined) return;
              if (this.#ports.has(claim)) throw new Error(`${claim} is taken`);
              this.#ports.add(claim);
            },
            notify: ({ name: cluster }) =>
              void this.events.push(`tell ${name} ${settings} of ${cluster}`),
            stop: () => {
              this.events.push(`stop ${name} ${settings}`);
              if (claim !== undefined) this.#ports.delete(claim);
            },
          },
        };
      },
    };
  }

  source(name: string, settings: unknown): Part {
    const say = (what: string) =>
      void this.events.push(`${what} ${name} ${settings}`);
    const source: Source = {
      status: {
        name,
        kind: "gmond",
        host: "",
        polls: 0,
        failures: 0,
        lastSuccess: null,
        lastError: null,
        failing: false,
        usedMs: 0,
      },
      start: () => say("start"),
      stop: () => Promise.resolve(say("stop")),
      retract: () => say("retract"),
    };
    return { name, kind: "source", settings, build: () => ({ source }) };
  }

  /** What has happened since the last time. */
  said(): string[] {
    return this.events.splice(0);
  }
}

async function run(world: World, wanted: readonly Part[]) {
  const plugins = await runPlugins(world.tree, []);
  const parts = new Parts(plugins);
  const apply = (wanted: readonly Part[]) =>
    parts.apply(makePlan(parts.specs, wanted));
  await apply(wanted);
  const names = () =>
    parts.specs.map(({ name, settings }) => `${name} ${settings}`);
  return { parts, plugins, apply, names };
}

Deno.test("what stays the same is not touched; what comes is told what is known", async () => {
  const world = new World();
  const { apply, names, plugins } = await run(world, [
    world.plugin("a", 1),
    world.plugin("b", 1),
    world.source("s", 1),
    world.source("t", 1),
  ]);
  world.tree.update("c", "k", {});
  world.tree.commit("c");
  await plugins.flush();
  world.said();
  await apply([
    world.plugin("a", 1),
    world.plugin("d", 1),
    world.source("s", 2),
  ]);
  await plugins.flush();
  assertEquals(world.said(), [
    "build d 1",
    "start d 1",
    "tell d 1 of c",
    "stop b 1",
    "stop t 1",
    "stop s 1",
    "start s 2",
    // A source that goes on with other settings keeps what it has brought.
    "retract t 1",
  ]);
  assertEquals(names(), ["a 1", "d 1", "s 2"]);
});

Deno.test("who wants a port that another leaves waits for it", async () => {
  const world = new World();
  const { apply, names } = await run(world, [world.plugin("a", 1, "port 1")]);
  world.said();
  await apply([world.plugin("b", 1, "port 1"), world.plugin("c", 1, "port 2")]);
  assertEquals(world.said(), [
    "build b 1",
    "build c 1",
    "start c 1",
    "stop a 1",
    "start b 1",
  ]);
  assertEquals(names(), ["c 1", "b 1"]);
});

Deno.test("what cannot be built or started changes nothing", async () => {
  const world = new World();
  const { apply, names } = await run(world, [
    world.plugin("a", 1, "port 1"),
    world.plugin("b", 1),
    world.source("s", 1),
  ]);
  world.said();
  const wanted = [
    world.plugin("a", 2, "port 1"),
    world.plugin("new", 1),
    world.source("s", 1),
  ];
  const before = ["a 1", "b 1", "s 1"];
  for (
    const [fault, events] of [
      ["build new 1", ["build a 2", "build new 1"]],
      ["start new 1", ["build a 2", "build new 1", "start new 1"]],
      ["start a 2", [
        "build a 2",
        "build new 1",
        "start new 1",
        "stop b 1",
        "stop a 1",
        "start a 2",
        // And all the way back.
        "build a 1",
        "start a 1",
        "build b 1",
        "start b 1",
        "stop new 1",
      ]],
    ] as const
  ) {
    world.fails.add(fault);
    await assertRejects(() => apply(wanted), UserError, "cannot ");
    world.fails.clear();
    assertEquals(world.said(), [...events]);
    assertEquals(names().sort(), before);
  }
  await apply(wanted);
  assertEquals(names().sort(), ["a 2", "new 1", "s 1"]);
});

Deno.test("what a source that was only tried has brought is taken out again", async () => {
  const world = new World();
  const { apply, names } = await run(world, [
    world.plugin("a", 1),
    world.source("s", 1),
  ]);
  world.said();
  world.fails.add("start a 2");
  await assertRejects(
    () =>
      apply([
        world.source("s", 2),
        world.source("new", 1),
        world.plugin("a", 2),
      ]),
    UserError,
    "cannot start a",
  );
  const said = world.said();
  assertEquals(said.filter((event) => event.startsWith("retract")), [
    "retract new 1",
  ]);
  assertEquals(
    said.indexOf("stop new 1") < said.indexOf("retract new 1"),
    true,
  );
  assertEquals(names().sort(), ["a 1", "s 1"]);
});

Deno.test("a source that does not stop well keeps nothing from changing", async () => {
  await using log = await captureLog();
  const world = new World();
  const bad = world.source("s", 1);
  const { apply, names } = await run(world, [{
    ...bad,
    build: () => {
      const { source } = bad.build() as { source: Source };
      return {
        source: { ...source, stop: () => Promise.reject(new Error("broken")) },
      };
    },
  }, world.plugin("a", 1)]);
  await apply([world.source("s", 2), world.plugin("b", 1)]);
  assertEquals(names(), ["b 1", "s 2"]);
  assertEquals(log.lines, ["error s did not stop well: broken"]);
});

Deno.test("one that does not come back is told of, and the others run", async () => {
  await using log = await captureLog();
  const world = new World();
  const { apply, names } = await run(world, [
    world.plugin("a", 1, "port 1"),
    world.plugin("b", 1),
  ]);
  world.fails.add("start a 2").add("start a 1");
  await assertRejects(
    () => apply([world.plugin("a", 2, "port 1"), world.plugin("b", 1)]),
    UserError,
    "cannot start a",
  );
  assertEquals(names(), ["b 1"]);
  assertEquals(log.lines, [
    "error a could not be started again: cannot start a",
  ]);
});
