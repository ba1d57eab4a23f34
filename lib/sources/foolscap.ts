import { getLogger } from "@logtape/logtape";
import { textOf } from "../foolscap/broker.ts";
import { Violation } from "../foolscap/errors.ts";
import { isRemoteReference, Referenceable } from "../foolscap/references.ts";
import {
  readStats,
  RI_STATS_GATHERER,
  RI_STATS_PROVIDER,
} from "../foolscap/stats_protocol.ts";
import type { PolledNode, Poller } from "./poller.ts";

const logger = getLogger(["gatherer", "nodes"]);

/** Bytes of a nickname; a longer one is refused. */
const NICKNAME_BYTES = 1000;

/**
 * The gatherer as nodes see it: the object that the FURL names. A provider that calls `provide`
 * is polled until its connection ends. Its key is the tubid that the connection has proven,
 * whatever FURL it sends along. Source: Tahoe-LAFS's `stats.py`, StatsGatherer; `foolscap-wire.md`, 11.
 */
export function makeStatsGatherer(poller: Poller): Referenceable {
  return new Referenceable(RI_STATS_GATHERER, {
    provide: {
      parameters: ["provider", "nickname"],
      call([provider, nickname], peer) {
        const refuse = (reason: string): never => {
          // Real nodes ask for no answer, so only our log ever tells.
          logger.warn("refused the provider {tubid} at {address}: {reason}", {
            tubid: peer.tubid,
            address: peer.address,
            reason,
          });
          throw new Violation(reason);
        };
        if (!isRemoteReference(provider)) {
          return refuse("the argument 'provider' is not a reference");
        }
        if (provider.interfaceName !== RI_STATS_PROVIDER) {
          return refuse(`the provider does not provide ${RI_STATS_PROVIDER}`);
        }
        const name = nickname instanceof Uint8Array
          ? textOf(nickname.subarray(0, NICKNAME_BYTES + 1))
          : nickname;
        if (typeof name !== "string") {
          return refuse("the argument 'nickname' is not a byte string");
        }
        if (new TextEncoder().encode(name).length > NICKNAME_BYTES) {
          return refuse(`the nickname is longer than ${NICKNAME_BYTES} bytes`);
        }
        const node: PolledNode = {
          key: peer.tubid,
          nickname: name,
          incarnation: peer.incarnation,
          address: peer.address,
          async poll(timeoutMs) {
            return readStats(
              await provider.call("get_stats", [], { timeoutMs }),
            );
          },
        };
        poller.attach(node);
        const { disconnected } = provider;
        const onLost = () =>
          poller.detach(node, String(disconnected.reason.message));
        disconnected.addEventListener("abort", onLost, { once: true });
        return null;
      },
    },
  });
}
