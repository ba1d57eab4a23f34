import { assert, assertThrows } from "@std/assert";
import { decodeHex } from "@std/encoding";
import {
  decodeSnapshot,
  encodeNode,
  encodeSnapshot,
  SnapshotError,
} from "../../lib/snapshot/codec.ts";
import { readJson, writeJson } from "../../lib/snapshot/json.ts";
import { readAny, scanStat } from "../../lib/snapshot/scan.ts";
import { sampleNodes } from "./nodes.ts";

const snapshot = encodeSnapshot(sampleNodes.map(encodeNode));
const json = new TextEncoder().encode(
  writeJson(sampleNodes).replace(
    "12,",
    'NaN, "deep": [true, {"a": false}, []],',
  ),
);

type Read = (bytes: Uint8Array) => unknown;

const scans: Read[] = [
  (bytes) => scanStat(bytes, "stats", "node.uptime"),
  (bytes) => scanStat(bytes, "counters", "ключ"),
];

Deno.test("a file that is cut anywhere is refused", () => {
  const f = (bytes: Uint8Array, reads: Read[]) => {
    for (let length = 0; length < bytes.length; length++) {
      for (const read of reads) {
        assertThrows(() => read(bytes.slice(0, length)), SnapshotError);
        assertThrows(() => read(bytes.subarray(0, length)), SnapshotError);
      }
    }
    for (const read of reads) read(bytes);
  };
  f(snapshot, [decodeSnapshot, readAny, ...scans]);
  f(json, [readJson, readAny, ...scans]);
});

Deno.test("a hundred thousand damaged files give SnapshotError or nodes, never another error", () => {
  const random = generator(20_081_231);
  let refused = 0;
  for (let round = 0; round < 100_000; round++) {
    const bytes = damage(round % 2 ? snapshot : json, random);
    for (const read of [readAny, scans[round % scans.length]]) {
      try {
        read(bytes);
      } catch (error) {
        if (!(error instanceof SnapshotError)) throw error;
        assert(error.offset >= 0 && error.offset <= bytes.length);
        refused++;
      }
    }
  }
  // Most damage hits a text or a figure and goes unseen, yet much must be noticed.
  assert(refused > 50_000, `only ${refused} of 200,000 were refused`);
});

Deno.test("random bytes give SnapshotError, never another error", () => {
  const random = generator(1_206_633_600);
  for (let round = 0; round < 20_000; round++) {
    const bytes = new Uint8Array(random(64)).map(() => random(256));
    // A map or an object to begin with, or hardly any would get further than that.
    bytes[0] = round % 2 ? 0x80 | random(16) : 0x7b;
    for (const read of [readAny, ...scans]) {
      try {
        read(bytes);
      } catch (error) {
        if (!(error instanceof SnapshotError)) throw error;
      }
    }
  }
});

Deno.test("promises of gigabytes in a small file are refused before anything is made", () => {
  const inStats = "81a16b82a86e69636b6e616d65a16ea5737461747381a57374617473";
  const cases = [
    "dfffffffff",
    "dfffffffffa16bc0",
    "deffffa16bc0",
    "81dbffffffff6b",
    "81daffff6b",
    "81a16bdfffffffff",
    "81a16b82a86e69636b6e616d65dbfffffffe6e",
    "81a16b81a16bddffffffff00",
    "81a16b81a16bdcffff00",
    "81a16b81a16bc6ffffffff00",
    "81a16b81a16bc9ffffffff0100",
    "81a16b81a16b" + "ddfffffff0".repeat(100),
    inStats + "dfffffffff",
    inStats + "81dbffffffff78",
    inStats + "81a178c9ffffffff01",
    inStats + "81a178dfffffffff",
  ].map(decodeHex);
  const before = Deno.memoryUsage().rss;
  const start = performance.now();
  for (let round = 0; round < 1000; round++) {
    for (const bytes of cases) {
      assertThrows(() => decodeSnapshot(bytes), SnapshotError);
      assertThrows(() => scanStat(bytes, "stats", "x"), SnapshotError);
    }
  }
  const grown = Deno.memoryUsage().rss - before;
  assert(grown < 200 * 2 ** 20, `memory grew by ${grown} bytes`);
  assert(performance.now() - start < 10_000);
});

Deno.test("deep nesting costs nothing", () => {
  const depth = 1_000_000;
  const bytes = new Uint8Array(depth + 8).fill(0x91);
  bytes.set(decodeHex("81a16b81a178"));
  bytes[depth + 7] = 0xc0;
  for (const read of scans) read(bytes);
  assertThrows(() => decodeSnapshot(bytes), SnapshotError, "no nickname");
  const text = new TextEncoder().encode(`{"k": ${"[".repeat(depth)}`);
  assertThrows(() => readAny(text), SnapshotError, "nested more than 100 deep");
});

/** A copy with one to four bytes changed, taken out or put in, or with a piece doubled. */
function damage(
  bytes: Uint8Array,
  random: (below: number) => number,
): Uint8Array {
  let copy = bytes.slice();
  for (let count = 1 + random(4); count > 0; count--) {
    const at = random(copy.length);
    switch (random(5)) {
      case 0:
        copy[at] = random(256);
        break;
      case 1:
        copy[at] ^= 1 << random(8);
        break;
      case 2:
        copy = join(copy.subarray(0, at), copy.subarray(at + 1 + random(4)));
        break;
      case 3:
        copy = join(
          copy.subarray(0, at),
          new Uint8Array([random(256)]),
          copy.subarray(at),
        );
        break;
      case 4:
        copy = join(copy.subarray(0, at), copy.subarray(random(at + 1)));
    }
  }
  return copy;
}

function join(...parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  return new Uint8Array(parts.flatMap((part) => [...part]));
}

/** Whole numbers below a bound, the same ones at every run (mulberry32). */
function generator(seed: number): (below: number) => number {
  return (below) => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}
