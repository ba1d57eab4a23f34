import { getLogger } from "@logtape/logtape";
import { messageOf } from "../errors.ts";
import { textOf } from "../text.ts";
import { Violation } from "../foolscap/errors.ts";
import { defaultLimits } from "../foolscap/limits.ts";
import {
  type Argument,
  isRemoteReference,
  type Peer,
  Referenceable,
  type RemoteReference,
} from "../foolscap/references.ts";
import {
  readStats,
  RI_STATS_GATHERER,
  RI_STATS_PROVIDER,
} from "../foolscap/stats_protocol.ts";
import type { PolledNode, Poller } from "./poller.ts";

const logger = getLogger(["gatherer", "nodes"]);

const TOO_MANY =
  `provide was called more than ${defaultLimits.provides} times over one connection`;

/**
 * The gatherer as nodes see it: the object that the FURL names. A provider that calls `provide`
 * is polled until its connection ends. Its key is the tubid that the connection has proven,
 * whatever FURL it sends along. Source: Tahoe-LAFS's `stats.py`, StatsGatherer.
 */
export function makeStatsGatherer(poller: Poller): Referenceable {
  /** What each connection has provided last; a second `provide` over it takes the place. */
  const present = new Map<
    AbortSignal,
    { node: PolledNode; provider: RemoteReference }
  >();
  const calls = new WeakMap<Peer, number>();
  return new Referenceable(RI_STATS_GATHERER, {
    provide: {
      parameters: ["provider", "nickname"],
      call([provider, nickname], peer) {
        const count = (calls.get(peer) ?? 0) + 1;
        calls.set(peer, count);
        // Each is a poll and a line in the log: a flood of them must be neither.
        const tooMany = count - defaultLimits.provides;
        if (tooMany > 1) throw new Violation(TOO_MANY);
        const refuse = (reason: string): never => {
          // Real nodes ask for no answer, so only our log ever tells.
          logger.warn("refused the provider {tubid} at {address}: {reason}", {
            tubid: peer.tubid,
            address: peer.address,
            reason,
          });
          throw new Violation(reason);
        };
        if (tooMany === 1) return refuse(TOO_MANY);
        if (!isRemoteReference(provider)) {
          return refuse("the argument 'provider' is not a reference");
        }
        if (provider.interfaceName !== RI_STATS_PROVIDER) {
          return refuse(`the provider does not provide ${RI_STATS_PROVIDER}`);
        }
        const bytes = bytesOf(nickname);
        if (!bytes) {
          return refuse("the argument 'nickname' is not a byte string");
        }
        if (bytes.length > defaultLimits.textBytes) {
          return refuse(
            `the nickname is longer than ${defaultLimits.textBytes} bytes`,
          );
        }
        const node: PolledNode = {
          key: peer.tubid,
          nickname: textOf(bytes),
          incarnation: peer.incarnation,
          address: peer.address,
          async poll(timeoutMs) {
            return readStats(
              await provider.call("get_stats", [], { timeoutMs }),
            );
          },
        };
        const { disconnected } = provider;
        const before = present.get(disconnected);
        present.set(disconnected, { node, provider });
        poller.attach(node);
        if (!before) {
          disconnected.addEventListener("abort", () => {
            const last = present.get(disconnected)!.node;
            present.delete(disconnected);
            poller.detach(last, messageOf(disconnected.reason));
          }, { once: true });
        } else if (before.provider !== provider) {
          before.provider.release();
        }
        return null;
      },
    },
  });
}

/** A byte string, or the UTF-8 of a text, which the original would refuse. */
function bytesOf(value: Argument): Uint8Array | undefined {
  if (typeof value === "string") return new TextEncoder().encode(value);
  return value instanceof Uint8Array ? value : undefined;
}
