/**
 * Reads the XML of gmond and gmetad while it arrives: GANGLIA_XML → GRID → CLUSTER → HOST → METRIC
 * → EXTRA_DATA → EXTRA_ELEMENT. What is damaged costs as little as possible: reading goes on at
 * the next host.
 *
 * Source of the format: the DTD that gmond and gmetad 3.7.2 send with each document, and what they
 * and gmetad-python were seen to send.
 *
 * @module
 */
import { oneLine } from "../../text.ts";
import { Attributes } from "./attributes.ts";
import { Builder, type BuilderOptions, type Refusal } from "./builder.ts";
import {
  type Damage,
  type GangliaDocument,
  NotGangliaError,
} from "./document.ts";
import { defaultXmlLimits, type XmlLimits } from "./limits.ts";
import { Element, ELEMENT_NAMES, elementTable } from "./names.ts";
import { findMarker } from "./resync.ts";
import { Salvage } from "./salvage.ts";
import { latin1 } from "./text.ts";
import { Token, Tokenizer } from "./tokenizer.ts";

export { ReaderMemory } from "./builder.ts";

/** Bytes that are read at a time, so that the window stays small. */
const PORTION = 256 * 1024;
/** Bytes of something else that are quoted. */
const QUOTED = 40;
const NEWLINE = 0x0a;

/** How a {@linkcode GangliaReader} is set up. */
export interface ReaderOptions extends BuilderOptions {
  readonly limits?: Partial<XmlLimits>;
  /** Is given the bytes of each damaged place, up to a limit, to be kept for inspection. */
  readonly keep?: (bytes: Uint8Array, damage: Damage) => void;
}

/** What is lost with an element. */
const COSTS: ReadonlyMap<number, Damage["cost"]> = new Map([
  [Element.host, "host"],
  [Element.cluster, "cluster"],
  [Element.grid, "cluster"],
  [Element.metric, "metric"],
  [Element.hosts, "summary"],
  [Element.metrics, "summary"],
]);

/**
 * Reads one document, in portions of any size.
 *
 * Metrics take the short way through `MetricTemplates` where they can, everything else the one
 * through the tokenizer. Which way something took cannot be told from the result.
 */
export class GangliaReader {
  readonly #limits: XmlLimits;
  readonly #options: ReaderOptions;
  readonly #tokenizer: Tokenizer;
  readonly #attributes: Attributes;
  readonly #builder: Builder;
  readonly #salvage: Salvage;
  /** The elements that are open, from the outermost. */
  readonly #open: number[] = [];
  /** So many of them are known; what is inside the next one means nothing. */
  #known = Infinity;
  #bytes = 0;
  #isComplete = false;
  #cut: string | undefined;

  constructor(options: ReaderOptions) {
    this.#options = options;
    this.#limits = { ...defaultXmlLimits, ...options.limits };
    this.#tokenizer = new Tokenizer(this.#limits);
    this.#attributes = new Attributes(this.#tokenizer);
    this.#builder = new Builder(
      options,
      this.#limits,
      this.#tokenizer,
      this.#attributes,
    );
    this.#salvage = new Salvage(this.#limits, options.keep);
  }

  /** Whether the document is whole, or was given up: more bytes would change nothing. */
  get done(): boolean {
    return this.#isComplete || this.#cut !== undefined;
  }

  /**
   * Reads on.
   * @throws NotGangliaError if it is something else altogether.
   */
  push(chunk: Uint8Array): void {
    const { documentBytes } = this.#limits;
    for (let at = 0; at < chunk.length && !this.done;) {
      const room = documentBytes - this.#bytes;
      if (room === 0) {
        this.#cut = `the answer is larger than ${documentBytes} bytes`;
        return;
      }
      const portion = chunk.subarray(at, at + Math.min(PORTION, room));
      at += portion.length;
      this.#bytes += portion.length;
      this.#tokenizer.window.append(portion, this.#keepFrom());
      this.#run();
    }
  }

  /**
   * Says that there are no more bytes.
   * @throws NotGangliaError if it was something else altogether.
   */
  end(): GangliaDocument {
    this.#tokenizer.final = true;
    if (!this.done) this.#run();
    while (!this.done && this.#hidesMarker()) {
      this.#damaged("a tag that does not end");
      this.#run();
    }
    if (!this.done) this.#endsEarly();
    const builder = this.#builder;
    builder.dropHost();
    // The hosts that came are good, but of a grid only the whole is.
    builder.closeCluster();
    return {
      clusters: builder.clusters,
      grids: builder.grids,
      damages: this.#salvage.damages,
      damageCount: this.#salvage.count,
      cut: this.#cut,
      bytes: this.#isComplete ? this.#tokenizer.offset : this.#bytes,
      unknownTypes: builder.unknownTypes,
    };
  }

  /** Whether the last tag, which has no end, seems to have swallowed others. */
  #hidesMarker(): boolean {
    const { offset, window: { base, bytes, end } } = this.#tokenizer;
    return this.#open.length > 0 &&
      findMarker(bytes, offset - base + 1, end, true) >= 0;
  }

  #endsEarly(): void {
    if (this.#bytes === 0) throw new NotGangliaError("the answer is empty");
    const what = `the answer ends after ${this.#bytes} bytes`;
    if (this.#open.length === 0) {
      throw new NotGangliaError(`${what}, before any cluster`);
    }
    const { host, clusterName } = this.#builder;
    const where = host
      ? `, in the host ${host.name}`
      : clusterName !== undefined
      ? `, in the cluster ${clusterName}`
      : "";
    this.#cut = oneLine(what + where);
  }

  /** The offset of the first byte that is still needed. */
  #keepFrom(): number {
    if (this.#salvage.isSkipping) return this.#salvage.keepFrom;
    const { host, hostOffset } = this.#builder;
    return host ? hostOffset : this.#tokenizer.offset;
  }

  #run(): void {
    const tokenizer = this.#tokenizer;
    const builder = this.#builder;
    while (!this.done) {
      if (this.#salvage.isSkipping && !this.#skipOn()) return;
      if (builder.host && this.#open.at(-1) === Element.host) {
        this.#readMetrics();
        if (this.done || this.#salvage.isSkipping) continue;
      }
      const token = tokenizer.next();
      if (builder.host && this.#isTooLong(token)) continue;
      switch (token) {
        case Token.more:
          return;
        case Token.start:
        case Token.empty:
          this.#start(this.#element(), token === Token.empty);
          break;
        case Token.end:
          this.#close(this.#element());
          break;
        case Token.text:
          if (this.#isKnown()) this.#damaged("text between the tags");
          break;
        case Token.damage:
          this.#damaged(tokenizer.problem, this.#element());
      }
    }
  }

  /** Whether the open host is over its limit; it is damaged then. */
  #isTooLong(token: number): boolean {
    const { offset, window } = this.#tokenizer;
    const { hostBytes } = this.#limits;
    const stop = this.#builder.hostOffset + hostBytes;
    // Of a tag that is not whole, all that is there belongs to the host.
    if ((token === Token.more ? window.endOffset : offset) <= stop) {
      return false;
    }
    this.#tokenizer.tokenOffset = stop;
    this.#damaged(`longer than ${hostBytes} bytes`);
    return true;
  }

  /** Reads METRIC elements the short way, as far as it goes. */
  #readMetrics(): void {
    const tokenizer = this.#tokenizer;
    const builder = this.#builder;
    const host = builder.host!;
    const { templates } = this.#options.memory;
    const { bytes, base, end } = tokenizer.window;
    const { attributeBytes, hostBytes } = this.#limits;
    const stop = builder.hostOffset + hostBytes - base;
    let at = tokenizer.offset - base;
    while (at < stop && builder.tooMuch === undefined) {
      while (at < end && bytes[at] === NEWLINE) at++;
      const behind = templates.read(bytes, at, end);
      const { template, valueStart, valueEnd, tn } = templates;
      if (behind === 0 || valueEnd - valueStart > attributeBytes) break;
      const tooMany = builder.countMetric();
      if (tooMany) {
        tokenizer.tokenOffset = base + at;
        return this.#damaged(tooMany.damaged);
      }
      if (template.kind === undefined) builder.unknownTypes++;
      host.add(template, bytes, valueStart, valueEnd, tn);
      at = behind;
    }
    tokenizer.offset = base + at;
    this.#cutIfTooMuch();
  }

  /** The element that the tag found last is of. */
  #element(): number {
    const { window, nameStart, nameEnd } = this.#tokenizer;
    return elementTable.find(window.bytes, nameStart, nameEnd);
  }

  #isKnown(): boolean {
    return this.#open.length <= this.#known;
  }

  #start(element: number, isEmpty: boolean): void {
    const open = this.#open;
    if (open.length === 0 && element !== Element.ganglia) this.#notGanglia();
    if (!this.#makeWay(element)) return;
    if (open.length >= this.#limits.depth) {
      return this.#damaged(`elements more than ${this.#limits.depth} deep`);
    }
    const isKnown = this.#isKnown();
    open.push(element);
    if (isKnown) {
      const twice = this.#attributes.take();
      const refusal = twice ? { damaged: twice } : this.#opened(element);
      this.#cutIfTooMuch();
      if (refusal) {
        if ("damaged" in refusal) {
          open.pop();
          return this.#damaged(refusal.damaged, element);
        }
        const what = `${ELEMENT_NAMES[element]} left out: ${refusal.leftOut}`;
        this.#note(what, COSTS.get(element) ?? "bytes");
        this.#ignore();
      }
    }
    if (isEmpty) this.#close(element);
  }

  /**
   * Ends what an element cannot be in: an end tag was lost.
   * @returns Whether the element may stand here then.
   */
  #makeWay(element: number): boolean {
    const isOuter = isContainer(element) || element === Element.host;
    if (this.#builder.host) {
      const what = isOuter
        ? "the host does not end"
        : element === Element.metric && this.#builder.isInMetric
        ? "a metric does not end"
        : undefined;
      if (what !== undefined) this.#damaged(what);
      return what === undefined;
    }
    if (!isOuter || this.#open.length === 0) return true;
    const mayHold = element === Element.host
      ? isContainer
      : (outer: number) => isContainer(outer) && outer !== Element.cluster;
    if (!mayHold(this.#open.at(-1)!)) {
      this.#note(`${this.#innermost()} does not end`, "bytes");
      while (!mayHold(this.#open.at(-1)!)) this.#close(this.#open.at(-1)!);
    }
    return true;
  }

  #innermost(): string {
    return ELEMENT_NAMES[this.#open.at(-1)!] ?? "an unknown element";
  }

  /** Sees to an element that was opened. */
  #opened(element: number): Refusal | undefined {
    const builder = this.#builder;
    const parent = this.#open.at(-2);
    const isInGrid = parent === Element.ganglia || parent === Element.grid;
    switch (element) {
      case Element.ganglia:
        this.#tokenizer.doctypeAllowed = false;
        if (parent === undefined) return;
        break;
      case Element.grid:
        if (isInGrid) return builder.openGrid();
        break;
      case Element.cluster:
        if (isInGrid) return builder.openCluster();
        break;
      case Element.host:
        if (parent === Element.cluster) return builder.openHost();
        break;
      case Element.metric:
        if (parent === Element.host) return builder.openMetric();
        break;
      case Element.hosts:
        if (isContainer(parent)) return builder.takeHosts();
        break;
      case Element.metrics:
        if (isContainer(parent)) return builder.openSum();
        break;
      case Element.extraData:
        if (builder.isInMetric) return;
        break;
      case Element.extraElement:
        if (builder.isInMetric) return builder.takeExtra();
    }
    // Whatever else it is, it means nothing here.
    this.#ignore();
  }

  /** The element opened last means nothing, nor does what is in it. */
  #ignore(): void {
    this.#known = this.#open.length - 1;
  }

  #close(element: number): void {
    const open = this.#open;
    if (open.length === 0) this.#notGanglia();
    if (open.at(-1) !== element) return this.#closeWrongly(element);
    open.pop();
    if (open.length >= this.#known) {
      if (open.length === this.#known) this.#known = Infinity;
      return;
    }
    const builder = this.#builder;
    switch (element) {
      case Element.ganglia:
        this.#isComplete = true;
        break;
      case Element.grid:
        builder.closeGrid();
        break;
      case Element.cluster:
        builder.closeCluster();
        break;
      case Element.host:
        builder.closeHost();
        break;
      case Element.metric:
        builder.closeMetric();
        break;
      case Element.metrics:
        builder.closeSum();
    }
  }

  /** An end tag that is not that of the innermost element. */
  #closeWrongly(element: number): void {
    const name = ELEMENT_NAMES[element] ?? "an unknown element";
    const what = `the end of ${name} in ${this.#innermost()}`;
    if (this.#builder.host) return this.#damaged(what);
    this.#note(what, "bytes");
    // The end of something further out: what is inside ends with it.
    const depth = this.#open.lastIndexOf(element);
    while (depth >= 0 && this.#open.length > depth) {
      this.#close(this.#open.at(-1)!);
    }
  }

  /** Something is lost, but reading goes on right here. */
  #note(what: string, cost: Damage["cost"]): void {
    this.#salvage.note(this.#describe(what, cost));
    this.#cut ??= this.#salvage.hopeless;
  }

  /**
   * The bytes here make no sense. The host that they are in is lost, or whatever `element` is, and
   * reading goes on at the next place that makes sense.
   */
  #damaged(what: string, element: number = Element.unknown): void {
    if (this.#open.length === 0) this.#notGanglia();
    const cost = this.#builder.host ? "host" : COSTS.get(element) ?? "bytes";
    this.#salvage.begin(this.#describe(what, cost));
    this.#builder.dropHost();
    this.#known = Infinity;
    while (!isContainer(this.#open.at(-1))) this.#open.pop();
    this.#cut ??= this.#salvage.hopeless;
  }

  #describe(what: string, cost: Damage["cost"]): Damage {
    const { tokenOffset } = this.#tokenizer;
    const { clusterName, host, hostOffset } = this.#builder;
    return {
      offset: host && cost === "host" ? hostOffset : tokenOffset,
      at: tokenOffset,
      what,
      cost,
      ...(clusterName !== undefined ? { cluster: clusterName } : {}),
      ...(host ? { host: host.name } : {}),
    };
  }

  /** @returns Whether reading can go on. */
  #skipOn(): boolean {
    const tokenizer = this.#tokenizer;
    const { final, offset, window } = tokenizer;
    const next = this.#salvage.skipOn(window, final, offset);
    if (next < 0) return false;
    tokenizer.offset = next;
    this.#cut ??= this.#salvage.hopeless;
    return true;
  }

  #cutIfTooMuch(): void {
    const { tooMuch } = this.#builder;
    if (tooMuch !== undefined) this.#cut ??= `the answer has ${tooMuch}`;
  }

  /** @throws NotGangliaError */
  #notGanglia(): never {
    const { tokenOffset, window: { bytes, base, end } } = this.#tokenizer;
    const start = tokenOffset - base;
    const text = latin1(bytes, start, Math.min(end, start + QUOTED));
    throw new NotGangliaError(
      `the answer is no XML of Ganglia: it begins with ${
        JSON.stringify(oneLine(text))
      }`,
    );
  }
}

function isContainer(element: number | undefined): boolean {
  return element === Element.ganglia || element === Element.grid ||
    element === Element.cluster;
}
