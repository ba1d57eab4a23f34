import type { ByteWindow } from "./byte_window.ts";
import type { Damage } from "./document.ts";
import type { XmlLimits } from "./limits.ts";
import { findMarker, MARKER_BYTES } from "./resync.ts";

/** Damages that are described; others are counted. */
const MOST_DESCRIBED = 100;

/** A damaged place whose end is being looked for. */
interface Skip {
  readonly damage: Damage;
  /** The offset from which on to look. */
  scan: number;
  /** Its bytes, once they are too many to be held in the window. */
  excerpt: Uint8Array | undefined;
}

/** Keeps account of what is damaged in a document, and finds the places where it goes on. */
export class Salvage {
  /** The first of what is damaged. */
  readonly damages: Damage[] = [];
  /** All that is damaged. */
  count = 0;
  readonly #limits: XmlLimits;
  readonly #keep: (bytes: Uint8Array, damage: Damage) => void;
  #skip: Skip | undefined;
  #reread = 0;

  constructor(
    limits: XmlLimits,
    keep: (bytes: Uint8Array, damage: Damage) => void = () => {},
  ) {
    this.#limits = limits;
    this.#keep = keep;
  }

  /** Why the rest of the document is not worth reading; `undefined` if it is. */
  get hopeless(): string | undefined {
    if (this.count >= this.#limits.damages) {
      return `the answer has ${this.count} damaged places`;
    }
    return this.#reread > this.#limits.rereadBytes
      ? "the damaged places of the answer are too large"
      : undefined;
  }

  /** Whether the end of a damaged place is being looked for. */
  get isSkipping(): boolean {
    return this.#skip !== undefined;
  }

  /** Takes down something that is lost. */
  note(damage: Damage): void {
    if (this.damages.length < MOST_DESCRIBED) this.damages.push(damage);
    this.count++;
  }

  /** Takes down a damaged place whose end is not known. */
  begin(damage: Damage): void {
    this.note(damage);
    // Behind its first byte, since what comes next may begin right inside it.
    const scan = damage.offset + 1;
    this.#skip = { damage, scan, excerpt: undefined };
  }

  /** The offset of the first byte that is still needed, while skipping. */
  get keepFrom(): number {
    const { damage, excerpt, scan } = this.#skip!;
    return excerpt ? scan : damage.offset;
  }

  /**
   * Looks for the end of the damaged place in the bytes that are there.
   * @param readTo How far the document had been read, as an offset.
   * @returns The offset at which to go on, or -1: not yet found.
   */
  skipOn(window: ByteWindow, final: boolean, readTo: number): number {
    const skip = this.#skip!;
    const { bytes, base, end } = window;
    const found = findMarker(bytes, skip.scan - base, end, final);
    if (found < 0 && !final) {
      skip.scan = Math.max(skip.scan, base + end - MARKER_BYTES + 1);
      if (skip.scan - skip.damage.offset > this.#limits.excerptBytes) {
        skip.excerpt ??= this.#excerpt(window, skip.scan);
      }
      return -1;
    }
    const stop = base + (found < 0 ? end : found);
    this.#keep(skip.excerpt ?? this.#excerpt(window, stop), skip.damage);
    this.#skip = undefined;
    this.#reread += Math.max(0, readTo - stop);
    return stop;
  }

  #excerpt({ bytes, base }: ByteWindow, stop: number): Uint8Array {
    const { offset } = this.#skip!.damage;
    const most = offset + this.#limits.excerptBytes;
    return bytes.slice(offset - base, Math.min(stop, most) - base);
  }
}
