import { getLogger } from "@logtape/logtape";
import type { Clock, Timer } from "../clock.ts";
import type { Peer } from "./references.ts";

const logger = getLogger(["gatherer", "foolscap"]);

/** Programs of one identity that are remembered: the one that is connected, and those before it. */
const PLACES = 4;
/**
 * How long one program must have had the connection to itself, in milliseconds, before it counts as
 * the only one: twice the longest time that our own nodes wait before they connect again.
 */
const QUIET_MS = 600_000;

/** One identity that two programs use at the same time. */
export interface Double {
  readonly tubid: string;
  /** `HOST:PORT` of each of them, the one that is connected first. */
  readonly addresses: readonly string[];
}

/** A program, as its incarnation tells it from others, and where it connected from last. */
interface Place {
  readonly incarnation: string;
  readonly address: string;
  /** When it was connected last, on the monotonic clock. */
  at: number;
}

interface Identity {
  /** The one that connected last comes first. */
  places: Place[];
  /** Set while it is in two places: when a program that had been displaced was last back. */
  doubledAt: number | undefined;
}

/**
 * Notices when an identity is used by two programs at once: a certificate that was copied along
 * with a directory or a whole machine. Each throws the other out, since a new incarnation takes an
 * old one's place. A program that starts again does the same once; what tells the two apart is that
 * an incarnation that had been displaced comes back, which that of a program that has ended cannot.
 */
export class Doubles {
  readonly #clock: Clock;
  readonly #most: number;
  readonly #identities = new Map<string, Identity>();
  #timer: Timer | undefined;

  /** @param most Identities that are remembered at most; the oldest are forgotten beyond. */
  constructor(clock: Clock, most: number) {
    this.#clock = clock;
    this.#most = most;
  }

  /** Notes that a peer has connected. One that does not tell its incarnation says nothing. */
  seen({ tubid, incarnation, address }: Peer): void {
    if (incarnation === "") return;
    const now = this.#clock.monotonic();
    const identity: Identity = this.#identities.get(tubid) ??
      { places: [], doubledAt: undefined };
    this.#identities.delete(tubid);
    this.#identities.set(tubid, identity);
    if (this.#identities.size > this.#most) {
      this.#identities.delete(this.#identities.keys().next().value!);
    }
    const { places } = identity;
    const displaced = places[0];
    const isBack =
      places.findIndex((place) => place.incarnation === incarnation) > 0;
    if (displaced) displaced.at = now;
    identity.places = [
      { incarnation, address, at: now },
      ...places.filter((place) => place.incarnation !== incarnation),
    ].slice(0, PLACES);
    if (!isBack) return;
    const isNew = identity.doubledAt === undefined;
    identity.doubledAt = now;
    if (!isNew) return;
    logger.warn(
      "the identity {tubid} is in two places at once, {addresses}: each throws the other out; " +
        "give one of them a key of its own",
      { tubid, addresses: addressesOf(identity, now).join(" and ") },
    );
    this.#timer ??= this.#watch();
  }

  /** The identities that are in two places at present. */
  list(): Double[] {
    const now = this.#clock.monotonic();
    return [...this.#identities]
      .filter(([, { doubledAt }]) => doubledAt !== undefined)
      .map(([tubid, identity]) => ({
        tubid,
        addresses: addressesOf(identity, now),
      }));
  }

  /** Whether an identity is in two places at present. */
  has(tubid: string): boolean {
    return this.#identities.get(tubid)?.doubledAt !== undefined;
  }

  /** Stops its timer. */
  close(): void {
    this.#timer?.cancel();
  }

  /** Looks now and then which of them are over, for as long as there are any. */
  #watch(): Timer {
    return this.#clock.setTimer(
      () => {
        const now = this.#clock.monotonic();
        let left = 0;
        for (const [tubid, identity] of this.#identities) {
          if (identity.doubledAt === undefined) continue;
          if (now - identity.doubledAt < QUIET_MS) {
            left++;
            continue;
          }
          identity.doubledAt = undefined;
          identity.places.length = 1;
          logger.info("the identity {tubid} is in one place again, {address}", {
            tubid,
            address: identity.places[0].address,
          });
        }
        this.#timer = left > 0 ? this.#watch() : undefined;
      },
      QUIET_MS / 10,
      { keepAlive: false },
    );
  }
}

/** Where an identity is: those that have been connected within the time that counts. */
function addressesOf({ places }: Identity, now: number): string[] {
  return places.filter(({ at }, index) => index < 2 || now - at < QUIET_MS)
    .map(({ address }) => address);
}
