import { assert } from "@std/assert";
import { generateIdentity } from "../../lib/foolscap/certificate.ts";
import { Tub } from "../../lib/foolscap/tub.ts";
import { type Gatherer, startGatherer } from "../../lib/gatherer/gatherer.ts";
import type { GathererOptions } from "../../lib/gatherer/options.ts";
import { decodeSnapshot } from "../../lib/snapshot/codec.ts";
import { openPortion } from "../../lib/spool/portion.ts";
import { FakeClock } from "../fake_clock.ts";

/** From one round to the next, in milliseconds. */
export const INTERVAL_MS = 60_000;

/** A gatherer whose rounds a test closes. */
export interface World extends AsyncDisposable {
  readonly gatherer: Gatherer;
  readonly clock: FakeClock;
  /** Closes a round, and waits until every plugin has dealt with it. */
  round(): Promise<void>;
  /** When the gatherer's own figures in the snapshot are from, in milliseconds since the epoch. */
  inSnapshot(name?: string): Promise<number>;
  /** The same of all that are in the spool. */
  inSpool(): Promise<number[]>;
  /** Makes sure that the gatherer takes in a node that comes now. */
  attaches(): Promise<void>;
}

/** Starts a gatherer on a clock of its own. */
export async function startWorld(
  basedir: string,
  options: Partial<GathererOptions> = {},
  clock = new FakeClock(),
): Promise<World> {
  const gatherer = await startGatherer({
    basedir,
    clock,
    host: "127.0.0.1",
    hostname: "127.0.0.1",
    intervalMs: INTERVAL_MS,
    ...options,
  });
  const calls = () => gatherer.status().plugins.map(({ calls }) => calls);
  return {
    gatherer,
    clock,
    async round() {
      const before = calls();
      await clock.advance(INTERVAL_MS);
      while (calls().some((count, i) => count <= before[i])) {
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
    },
    async inSnapshot(name = "stats.msgpack") {
      const nodes = decodeSnapshot(await Deno.readFile(`${basedir}/${name}`));
      const self = nodes.find(({ key }) => key === gatherer.tubid);
      assert(self);
      return self.timestamp * 1000;
    },
    async inSpool() {
      const complaints: string[] = [];
      const portion = await openPortion(`${basedir}/spool`, {
        from: 0,
        complaints,
      });
      assert(complaints.length === 0, complaints.join("\n"));
      const samples = portion.series("counters", "gatherer.polls")
        .get(gatherer.tubid) ?? [];
      return samples.map(({ time }) => time * 1000);
    },
    async attaches() {
      const tub = new Tub({ identity: await generateIdentity() });
      await tub.getReference(gatherer.furl!);
      await tub.close();
    },
    [Symbol.asyncDispose]: () => gatherer.stop(),
  };
}
