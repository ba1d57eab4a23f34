import type { Furl } from "./furl.ts";
import type {
  Argument,
  CallOptions,
  Peer,
  Referenceable,
  RemoteReference,
} from "./references.ts";
import type { BananaValue } from "./slicers.ts";

/** An object of the peer's, as the broker that holds it knows it. */
export class RemoteObject implements RemoteReference {
  /** How often the peer has sent it, since it was last released. */
  count = 0;

  constructor(
    readonly peer: Peer,
    readonly clid: number,
    readonly interfaceName: string,
    readonly furl: Furl | undefined,
    readonly disconnected: AbortSignal,
    readonly broker: {
      call(
        method: string,
        args: readonly (BananaValue | Referenceable)[],
        options: CallOptions,
      ): Promise<Argument>;
      callOnly(
        method: string,
        args: readonly (BananaValue | Referenceable)[],
      ): void;
      release(count: number): void;
    },
  ) {}

  call(
    method: string,
    args: readonly (BananaValue | Referenceable)[],
    options: CallOptions,
  ): Promise<Argument> {
    return this.broker.call(method, args, options);
  }

  callOnly(
    method: string,
    args: readonly (BananaValue | Referenceable)[],
  ): void {
    this.broker.callOnly(method, args);
  }

  /** @param times How many of the times that the peer has sent it; all by default. */
  release(times = this.count): void {
    if (times === 0) return;
    this.count -= times;
    this.broker.release(times);
  }
}
