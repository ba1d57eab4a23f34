/** Sources and readers that misbehave in every way cost only themselves. */

import { assert, assertEquals } from "@std/assert";
import { publicTempDir } from "../executable.ts";
import {
  type Behaviour,
  behaviours,
  hostName,
  SimulatedGmond,
} from "../ganglia_sim.ts";
import { attribute, elements, named } from "../ganglia/xml_tree.ts";
import { captureLog } from "../log_capture.ts";
import { askXml, eventually, startOurs } from "./ganglia_lab.ts";

/** Seconds from one poll to the next; polls come a third of it early or late. */
const INTERVAL = 1;
/** The longest from one poll of a source that is well to the next, in milliseconds. */
const LONGEST = INTERVAL * 1000 * (1 + 2 / 3) + 400;
/** The longest that an answer may take, in milliseconds, the simulated gmonds' own work included. */
const PATIENCE = 1000;

/** Ours over a source that is well, and one that is not always. */
async function startLab(hosts: number) {
  await using stack = new AsyncDisposableStack();
  const dir = await publicTempDir();
  stack.defer(() => Deno.remove(dir, { recursive: true }));
  const well = stack.use(new SimulatedGmond({ name: "well", hosts: 5 }));
  const ill = stack.use(new SimulatedGmond({ name: "ill", hosts }));
  const ours = stack.use(
    await startOurs(dir, {
      sources: [
        `data_source "well" ${INTERVAL} 127.0.0.1:${well.port}`,
        `data_source "ill" ${INTERVAL} 127.0.0.1:${ill.port}`,
      ],
      more: ["write_rrds off"],
    }),
  );
  const running = stack.move();
  return {
    well,
    ill,
    ours,
    dir,
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

/** Asks all the time while something goes on. @returns The longest wait, in milliseconds. */
async function longestWait(
  question: () => Promise<unknown>,
  until: Promise<unknown>,
): Promise<number> {
  let isOver = false;
  const over = until.finally(() => isOver = true);
  let longest = 0;
  while (!isOver) {
    const began = performance.now();
    await question();
    longest = Math.max(longest, performance.now() - began);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await over;
  return longest;
}

/** The longest from one poll to the next since some time, in milliseconds. */
function longestGap({ asked }: SimulatedGmond, since: number): number {
  const times = asked.filter((time) => time >= since);
  assert(times.length >= 3);
  return Math.max(...times.slice(1).map((time, at) => time - times[at]));
}

Deno.test("a source that fails in any way does not delay the others, and is back when it is well", async (t) => {
  await using log = await captureLog();
  await using lab = await startLab(40);
  const { well, ill, ours } = lab;
  const isWell = () =>
    eventually(async () => {
      const times = ill.asked.length;
      const root = await askXml(ours.xmlPort);
      const cluster = named(root, "CLUSTER", "ill");
      assertEquals(elements(cluster, "HOST").length, 40);
      const summary = await askXml(
        ours.interactivePort,
        "/ill?filter=summary\n",
      );
      const sum = named(summary, "METRICS", "load_one");
      // It is of the newest answer, if none has come meanwhile.
      assertEquals(times, ill.asked.length);
      assertEquals(attribute(sum, "NUM"), "40");
      const expected = ill.answers.sum("load_one");
      assert(Math.abs(Number(attribute(sum, "SUM")) - expected) < 0.001);
    });
  await isWell();
  for (const [name, behaviour] of Object.entries<Behaviour>(behaviours)) {
    await t.step(name, async () => {
      const began = performance.now();
      ill.behaviour = behaviour;
      await ill.asks(1);
      const wait = await longestWait(async () => {
        await askXml(ours.interactivePort, `/well/${hostName(2)}\n`);
        await askXml(ours.xmlPort);
      }, well.asks(4));
      assert(wait < PATIENCE, `answers took ${wait} ms`);
      const gap = longestGap(well, began);
      assert(gap < LONGEST, `the other source waited ${gap} ms`);
      const cluster = named(await askXml(ours.xmlPort), "CLUSTER", "ill");
      const hosts = elements(cluster, "HOST");
      assert(hosts.length >= 40);
      if (name === "damagedHost") {
        // All others are of the newest answer, this one is of the one before it was damaged.
        assertEquals(hosts.length, 40);
        assert(log.lines.some((line) => line.includes("damaged")));
      }
      // A connection that would hang on is cut.
      await ill.die();
      ill.behaviour = behaviours.whole;
      ill.revive();
      await isWell();
    });
  }
});

Deno.test("a source that dies keeps its hosts, marked, and goes on when it is back", async () => {
  await using log = await captureLog();
  await using lab = await startLab(10);
  const { well, ill, ours } = lab;
  const summary = async () => {
    const root = await askXml(ours.interactivePort, "/ill?filter=summary\n");
    return elements(root, "HOSTS")[0].attributes;
  };
  await eventually(async () => assertEquals((await summary()).get("UP"), "10"));
  await ill.die();
  await well.asks(3);
  const root = await askXml(ours.xmlPort);
  assertEquals(elements(named(root, "CLUSTER", "ill"), "HOST").length, 10);
  assert(log.lines.some((line) => line.includes("source ill does not answer")));
  ill.revive();
  await ill.asks(2);
  await eventually(async () => assertEquals((await summary()).get("UP"), "10"));
});

Deno.test("readers that never read delay nobody", async () => {
  // More than sockets take by themselves.
  await using lab = await startLab(1000);
  const { well, ours } = lab;
  await eventually(async () => {
    const root = await askXml(ours.interactivePort, "/ill?filter=summary\n");
    assertEquals(elements(root, "HOSTS")[0].attributes.get("UP"), "1000");
  });
  using stack = new DisposableStack();
  for (let i = 0; i < 8; i++) {
    stack.use(
      await Deno.connect({ hostname: "127.0.0.1", port: ours.xmlPort }),
    );
    const asks = stack.use(
      await Deno.connect({ hostname: "127.0.0.1", port: ours.interactivePort }),
    );
    // Half of them never even ask.
    if (i % 2) await asks.write(new TextEncoder().encode("/\n"));
  }
  const began = performance.now();
  const wait = await longestWait(
    () =>
      askXml(
        ours.interactivePort,
        `/ill/${hostName(500)}
`,
      ),
    well.asks(4),
  );
  assert(wait < PATIENCE, `answers took ${wait} ms`);
  const gap = longestGap(well, began);
  assert(gap < LONGEST, `a source waited ${gap} ms`);
});
