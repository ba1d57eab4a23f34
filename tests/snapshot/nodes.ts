import fc from "fast-check";
import type { SnapshotNode } from "../../lib/snapshot/codec.ts";
import type { Value } from "../../lib/value.ts";

/** A node for a test. */
export function node(
  key: string,
  halves: { counters?: Record<string, Value>; stats?: Record<string, Value> } =
    {},
  timestamp = 1_700_000_000.25,
  nickname = `nick of ${key}`,
): SnapshotNode {
  return {
    key,
    timestamp,
    nickname,
    counters: new Map(Object.entries(halves.counters ?? {})),
    stats: new Map(Object.entries(halves.stats ?? {})),
  };
}

/** A handful of nodes with every kind of value in it. */
export const sampleNodes: readonly SnapshotNode[] = [
  node("m32izoh3ur3puwxgqaitnygpof7bwlnd", {
    counters: { "storage_server.get": 12n, huge: 2n ** 64n, low: -(2n ** 70n) },
    stats: { "load_monitor.avg_load": 0.25, "node.uptime": 5, unknown: null },
  }),
  {
    ...node(
      "hvfys5kpzh2at6owh5hiozb4uroyu7zb",
      {},
      NaN,
      "Zoë's 😀 node\n\u0001",
    ),
    incarnation: "5f3e9a",
    began: 1_699_999_000.5,
  },
  node("", { counters: { "": -1n, "ключ": 300n }, stats: { x: -0 } }, 5, ""),
];

/** Values of every kind, the edges of MessagePack's forms more often than not. */
export const anyValue: fc.Arbitrary<Value> = fc.oneof(
  fc.constant(null),
  fc.double(),
  fc.constantFrom(5, -0, 1e22, 1e16, 1e-5, 0.1, NaN, Infinity, 5e-324),
  fc.bigInt({ min: -(2n ** 80n), max: 2n ** 80n }),
  fc.tuple(
    fc.constantFrom(5n, 7n, 8n, 15n, 16n, 31n, 32n, 53n, 63n, 64n, 127n, 2100n),
    fc.constantFrom(-1n, 0n, 1n),
    fc.boolean(),
  ).map(([bits, by, negative]) => (2n ** bits + by) * (negative ? -1n : 1n)),
);

const anyText = fc.oneof(
  fc.string({ unit: "binary", maxLength: 40 }),
  fc.string({ unit: "grapheme", maxLength: 40 }),
  fc.nat(400).map((length) => "n".repeat(length)),
);

const anyHalf = fc.uniqueArray(fc.tuple(anyText, anyValue), {
  selector: ([name]) => name,
  maxLength: 20,
}).map((entries) => new Map(entries));

/** Nodes as they may stand in a snapshot. */
export const anyNodes: fc.Arbitrary<SnapshotNode[]> = fc.uniqueArray(
  fc.record({
    key: anyText,
    timestamp: fc.oneof(
      fc.double({ noDefaultInfinity: true }),
      fc.constant(NaN),
    ),
    nickname: anyText,
    incarnation: anyText.filter((text) => text !== ""),
    began: fc.double({ noDefaultInfinity: true, noNaN: true }),
    counters: anyHalf,
    stats: anyHalf,
  }, {
    requiredKeys: ["key", "timestamp", "nickname", "counters", "stats"],
  }),
  { selector: ({ key }) => key, maxLength: 20 },
);
