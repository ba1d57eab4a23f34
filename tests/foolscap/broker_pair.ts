/** Two brokers that are wired back to back in memory, and one that a test feeds by hand. */

import { vocabTables } from "../../lib/foolscap/banana.ts";
import { Broker, type BrokerOptions } from "../../lib/foolscap/broker.ts";
import { ConnectionLost } from "../../lib/foolscap/errors.ts";
import { formatFurl } from "../../lib/foolscap/furl.ts";
import { defaultLimits, type Limits } from "../../lib/foolscap/limits.ts";
import {
  type Peer,
  Referenceable,
  type RemoteMethod,
} from "../../lib/foolscap/references.ts";
import { FakeClock, settle } from "../fake_clock.ts";
import { concat, HIGH, LOW } from "./wire_cases.ts";

/** One broker, what it has sent since the last look, and why it gave up. */
export interface Side {
  readonly broker: Broker;
  readonly clock: FakeClock;
  dropped: Error | undefined;
  /** Bytes sent since the last call. */
  sent(): Uint8Array;
}

/** How a {@linkcode Side} is set up. */
export interface SideOptions {
  readonly tubid?: string;
  readonly peer?: Partial<Peer>;
  readonly vocab?: number;
  readonly limits?: Partial<Limits>;
  readonly clock?: FakeClock;
  /** Objects by their swissnum. */
  readonly objects?: Readonly<Record<string, Referenceable>>;
  /** The FURL of every object that has a swissnum; the default names the Tub and no hint. */
  readonly furl?: string;
  readonly send?: (bytes: Uint8Array) => void;
}

/** Makes a broker that collects what it sends, unless `send` takes it. */
export function makeSide(options: SideOptions = {}): Side {
  const clock = options.clock ?? new FakeClock();
  const { objects = {}, tubid = HIGH } = options;
  let out: Uint8Array[] = [];
  const brokerOptions: BrokerOptions = {
    peer: {
      tubid: LOW,
      incarnation: "003eb735830789f0",
      address: "192.0.2.1:4321",
      ...options.peer,
    },
    vocab: vocabTables[options.vocab ?? 1],
    limits: { ...defaultLimits, ...options.limits },
    clock,
    send: options.send ?? ((bytes) => void out.push(bytes)),
    drop(reason) {
      side.dropped ??= reason;
      broker.finish(new ConnectionLost("dropped"));
    },
    lookUp(swissnum) {
      const name = String.fromCharCode(...swissnum);
      return Object.hasOwn(objects, name) ? objects[name] : undefined;
    },
    furlOf(object) {
      const entry = Object.entries(objects).find(([, one]) => one === object);
      if (!entry) return undefined;
      return options.furl ?? formatFurl({ tubid, hints: [], name: entry[0] });
    },
  };
  const broker = new Broker(brokerOptions);
  const side: Side = {
    broker,
    clock,
    dropped: undefined,
    sent() {
      const all = concat(out);
      out = [];
      return all;
    },
  };
  return side;
}

/** Two brokers, each of which receives what the other sends, in chunks of the size that is given. */
export function makePair(
  options: {
    readonly here?: SideOptions;
    readonly there?: SideOptions;
    readonly chunk?: number;
  } = {},
): { here: Side; there: Side; bytes: Uint8Array[] } {
  const clock = new FakeClock();
  /** All that was sent, in either direction. */
  const bytes: Uint8Array[] = [];
  const carry = (to: () => Side) => (sent: Uint8Array) => {
    bytes.push(sent);
    // As over a network: never from within the call that sends.
    queueMicrotask(() => {
      const size = options.chunk ?? sent.length;
      for (let at = 0; at < sent.length; at += size) {
        to().broker.receive(sent.subarray(at, at + size));
      }
    });
  };
  const here = makeSide({
    clock,
    tubid: HIGH,
    peer: { tubid: LOW },
    ...options.here,
    send: carry(() => there),
  });
  const there = makeSide({
    clock,
    tubid: LOW,
    peer: { tubid: HIGH },
    ...options.there,
    send: carry(() => here),
  });
  return { here, there, bytes };
}

/** Lets everything that is under way between two brokers arrive. */
export async function quiet(): Promise<void> {
  for (let i = 0; i < 5; i++) await settle();
}

/** Long enough for anything in memory. */
export const TIMEOUT = { timeoutMs: 1000 };

/** An object with one method, `go`. */
export function object(
  call: RemoteMethod["call"],
  parameters: string[] = [],
  interfaceName = "RITest",
): Referenceable {
  return new Referenceable(interfaceName, { go: { parameters, call } });
}

/** Two sides, and a reference that the first has to an object of the second. */
export async function connected(
  target: Referenceable,
  options: { here?: SideOptions; there?: SideOptions; chunk?: number } = {},
) {
  const pair = makePair({
    ...options,
    there: { ...options.there, objects: { secret: target } },
  });
  const reference = await pair.here.broker.getReferenceByName("secret", 1000);
  return { ...pair, reference };
}
