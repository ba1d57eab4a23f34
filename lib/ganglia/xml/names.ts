/**
 * Finds a name's number by its bytes, without making a string: the names of elements and attributes
 * come a hundred thousand times in a document.
 */
export class NameTable {
  readonly #names: readonly Uint8Array[];
  readonly #slots = new Int8Array(256).fill(-1);

  /** @param names Their places in the list are their numbers; at most 127, ASCII. */
  constructor(names: readonly string[]) {
    this.#names = names.map((name) => new TextEncoder().encode(name));
    this.#names.forEach((name, number) => {
      let slot = slotOf(name, 0, name.length);
      while (this.#slots[slot] >= 0) slot = (slot + 1) & 0xff;
      this.#slots[slot] = number;
    });
  }

  /** The number of the name from `start` to `end`; -1 if it is not in the table. */
  find(bytes: Uint8Array, start: number, end: number): number {
    const length = end - start;
    for (let slot = slotOf(bytes, start, end);; slot = (slot + 1) & 0xff) {
      const number = this.#slots[slot];
      if (number < 0) return -1;
      const name = this.#names[number];
      if (name.length !== length) continue;
      let i = 0;
      while (i < length && name[i] === bytes[start + i]) i++;
      if (i === length) return number;
    }
  }
}

function slotOf(bytes: Uint8Array, start: number, end: number): number {
  return ((end - start) * 29 + bytes[start] * 7 + bytes[end - 1]) & 0xff;
}

/** The elements of a Ganglia document; `unknown` stands for any other. */
export const Element = {
  unknown: -1,
  ganglia: 0,
  grid: 1,
  cluster: 2,
  host: 3,
  metric: 4,
  extraData: 5,
  extraElement: 6,
  hosts: 7,
  metrics: 8,
} as const;

/** What the elements are called, by number. */
export const ELEMENT_NAMES = [
  "GANGLIA_XML",
  "GRID",
  "CLUSTER",
  "HOST",
  "METRIC",
  "EXTRA_DATA",
  "EXTRA_ELEMENT",
  "HOSTS",
  "METRICS",
] as const;

/** Finds {@linkcode Element}s. */
export const elementTable = new NameTable(ELEMENT_NAMES);

/** The attributes that mean something, by number; what else an element has is ignored. */
export const ATTRIBUTE_NAMES = [
  "NAME",
  "VAL",
  "TYPE",
  "UNITS",
  "TN",
  "TMAX",
  "DMAX",
  "SLOPE",
  "SOURCE",
  "IP",
  "LOCATION",
  "TAGS",
  "REPORTED",
  "GMOND_STARTED",
  "LOCALTIME",
  "OWNER",
  "LATLONG",
  "URL",
  "AUTHORITY",
  "UP",
  "DOWN",
  "SUM",
  "NUM",
] as const;

/** The number of each attribute that means something. */
export const Attribute = Object.fromEntries(
  ATTRIBUTE_NAMES.map((name, number) => [name, number]),
) as Readonly<Record<typeof ATTRIBUTE_NAMES[number], number>>;

/** Finds {@linkcode Attribute}s. */
export const attributeTable = new NameTable(ATTRIBUTE_NAMES);
