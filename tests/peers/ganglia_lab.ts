/**
 * What tests against the real gmetad have in common: our own beside it, sources for both, and the
 * comparison of what they answer.
 *
 * @module
 */
import { systemClock } from "../../lib/clock.ts";
import { type Gatherer, startGatherer } from "../../lib/gatherer/gatherer.ts";
import { loadGmetadConf } from "../../lib/ganglia/conf/load.ts";
import { readCapture } from "../ganglia/captures.ts";
import { type Element, latin1, parseXml } from "../ganglia/xml_tree.ts";
import {
  ask,
  gmetadConf,
  type GmetadPlaces,
  type GmetadSetup,
} from "./gmetad.ts";

/** Our own gmetad, in this process. */
export interface OurGmetad extends AsyncDisposable, GmetadPlaces {
  readonly gatherer: Gatherer;
  /** Its directory, which outlives it. */
  readonly dir: string;
}

/**
 * Starts our own gmetad, in this process, on 127.0.0.1.
 *
 * @param dir Where its files go.
 * @param foolscap Whether nodes may attach.
 */
export async function startOurs(
  dir: string,
  setup: GmetadSetup,
  { foolscap = false }: { foolscap?: boolean } = {},
): Promise<OurGmetad> {
  const rrdRootdir = `${dir}/rrds`;
  const path = `${dir}/gmetad.conf`;
  await Deno.writeTextFile(
    path,
    gmetadConf(setup, { xmlPort: 0, interactivePort: 0, rrdRootdir }),
  );
  const gatherer = await startGatherer({
    basedir: `${dir}/gatherer`,
    clock: systemClock,
    host: "127.0.0.1",
    hostname: "127.0.0.1",
    intervalMs: 60_000,
    foolscap,
    ganglia: {
      conf: loadGmetadConf(path),
      host: "127.0.0.1",
    },
  });
  const { xml, interactive } = gatherer.ganglia!;
  return {
    gatherer,
    dir,
    rrdRootdir,
    xmlPort: xml.port,
    interactivePort: interactive.port,
    [Symbol.asyncDispose]: () => gatherer.stop(),
  };
}

/** A port of 127.0.0.1 that serves a capture of a gmond, its times moved to the present. */
export function serveCapture(name: string): AsyncDisposable & { port: number } {
  const text = latin1(readCapture(name));
  const then = Number(/ LOCALTIME="(\d+)"/.exec(text)![1]);
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const running = (async () => {
    for await (const connection of listener) {
      const moved = Math.floor(Date.now() / 1000) - then;
      const now = text.replace(
        / (LOCALTIME|REPORTED)="(\d+)"/g,
        (_, name, time) => ` ${name}="${Number(time) + moved}"`,
      );
      const bytes = Uint8Array.from(now, (char) => char.charCodeAt(0));
      try {
        for (let done = 0; done < bytes.length;) {
          done += await connection.write(bytes.subarray(done));
        }
      } finally {
        connection.close();
      }
    }
  })().catch(() => {
    // It was closed while it waited.
  });
  return {
    port: listener.addr.port,
    async [Symbol.asyncDispose]() {
      listener.close();
      await running;
    },
  };
}

/** Asks, and reads the answer as XML; of an answer over HTTP what comes after its head. */
export async function askXml(port: number, line?: string): Promise<Element> {
  const bytes = await ask(port, line);
  const text = latin1(bytes.subarray(0, 2000));
  const head = text.startsWith("HTTP/") ? text.indexOf("\r\n\r\n") + 4 : 0;
  return parseXml(bytes.subarray(head)).root;
}

/** Seconds that times of day and ages may differ by: two daemons poll at different times. */
const TOLERANCE = 15;

/** How two elements are compared. */
export interface Comparison {
  /** Metrics, by cluster and name, whose values change from one poll to the next. */
  readonly isLive: (cluster: string, metric: string) => boolean;
}

/** Everything that differs between two elements, a line each. */
export function differences(
  real: Element,
  ours: Element,
  comparison: Comparison = { isLive: () => false },
): string[] {
  return [...differ(real, ours, "", { ...comparison, cluster: "" })];
}

function* differ(
  real: Element,
  ours: Element,
  path: string,
  within: Comparison & { cluster: string },
): Generator<string> {
  const name = real.attributes.get("NAME");
  const here = `${path}/${real.tag}${name === undefined ? "" : ` ${name}`}`;
  const cluster = real.tag === "CLUSTER" ? name! : within.cluster;
  const names = (element: Element) => [...element.attributes.keys()].join(" ");
  if (real.tag !== ours.tag || names(real) !== names(ours)) {
    yield `${here}: <${real.tag} ${names(real)}>, ours <${ours.tag} ${
      names(ours)
    }>`;
    return;
  }
  for (const [attribute, value] of real.attributes) {
    const own = ours.attributes.get(attribute)!;
    const isLive = within.isLive(cluster, name ?? "");
    if (!isAlike(real.tag, attribute, value, own, isLive)) {
      yield `${here}: ${attribute} is ${JSON.stringify(value)}, ours ${
        JSON.stringify(own)
      }`;
    }
  }
  // The real gmetad does not say what the metrics of its grid are about; ours does.
  const isOfGrid = /\/GRID [^/]*\/METRICS [^/]*$/.test(path);
  if (isOfGrid && real.tag === "EXTRA_DATA" && real.children.length === 0) {
    return;
  }
  const left = new Map(ours.children.map((child) => [keyOf(child), child]));
  if (left.size !== ours.children.length) yield `${here}: ours twice the same`;
  for (const child of real.children) {
    const own = left.get(keyOf(child));
    left.delete(keyOf(child));
    if (own) yield* differ(child, own, here, { ...within, cluster });
    else yield `${here}: ours lacks ${keyOf(child)}`;
  }
  for (const key of left.keys()) yield `${here}: only ours has ${key}`;
}

function keyOf({ tag, attributes }: Element): string {
  const name = attributes.get("NAME") ?? "";
  // A metric may be in several groups, each an element.
  return tag === "EXTRA_ELEMENT"
    ? `${tag} ${name}=${attributes.get("VAL")}`
    : `${tag} ${name}`;
}

/**
 * What ours answers without the gatherer itself, which is a host of a cluster of its own, with
 * metrics of its own.
 */
export function withoutSelf(root: Element): Element {
  const children = root.children.map(withoutSelf).filter((
    { tag, attributes },
  ) =>
    !(tag === "CLUSTER" && attributes.get("NAME") === "foolscap") &&
    !(tag === "METRICS" && attributes.get("NAME")!.startsWith("gatherer."))
  );
  const self = children.length < root.children.length && root.tag === "GRID";
  return {
    ...root,
    children: children.map((child) =>
      self && child.tag === "HOSTS"
        ? {
          ...child,
          attributes: new Map(child.attributes).set(
            "UP",
            String(Number(child.attributes.get("UP")) - 1),
          ),
        }
        : child
    ),
  };
}

function isAlike(
  tag: string,
  attribute: string,
  real: string,
  ours: string,
  isLive: boolean,
): boolean {
  if (real === ours) return true;
  const apart = Math.abs(Number(real) - Number(ours));
  switch (attribute) {
    case "TN":
    case "REPORTED":
    case "LOCALTIME":
      return apart <= TOLERANCE;
    case "VAL":
      return isLive && tag === "METRIC";
    case "VERSION":
      return true;
    case "SUM":
      // gmetad prints as many decimals as the first value that it saw has.
      return isLive || apart <= 10 ** -decimals(real);
    default:
      return false;
  }
}

function decimals(text: string): number {
  return /\.(\d*)$/.exec(text)?.[1].length ?? 0;
}

/**
 * Tries until it succeeds, for as long as it may take two daemons to poll everything a few times.
 *
 * @throws What it throws at last.
 */
export async function eventually<T>(
  attempt: () => T | Promise<T>,
  seconds = 30,
): Promise<T> {
  const end = performance.now() + 1000 * seconds;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (performance.now() > end) throw error;
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
  }
}

/** @throws Error with all lines, if there are any. */
export function assertNone(lines: readonly string[], what: string): void {
  if (lines.length === 0) return;
  const shown = lines.slice(0, 40).join("\n");
  throw new Error(`${what}: ${lines.length} differences:\n${shown}`);
}
