import { assertEquals, assertThrows } from "@std/assert";
import { encode } from "@std/msgpack";
import fc from "fast-check";
import {
  decodeSnapshot,
  encodeNode,
  encodeSnapshot,
  SnapshotError,
  type SnapshotNode,
} from "../../lib/snapshot/codec.ts";
import { readJson, writeJson } from "../../lib/snapshot/json.ts";
import {
  readAny,
  scanStat,
  type StatGroup,
  type StatSample,
  StatScanner,
} from "../../lib/snapshot/scan.ts";
import type { Value } from "../../lib/value.ts";
import { anyNodes, sampleNodes } from "./nodes.ts";

const encoder = new TextEncoder();

/** What a scan must find in these nodes. */
function expected(
  nodes: readonly SnapshotNode[],
  group: StatGroup,
  name: string,
): StatSample[] {
  return nodes.map((one) => ({
    key: one.key,
    nickname: one.nickname,
    timestamp: Number.isNaN(one.timestamp) ? 0 : one.timestamp,
    ...(one.incarnation ? { incarnation: one.incarnation } : {}),
    value: one[group].get(name),
  }));
}

Deno.test("scanStat() finds in a capture what reading all of it gives", () => {
  const bytes = Deno.readFileSync(
    new URL("../testdata/tahoe/gatherer-stats-3-busy.json", import.meta.url),
  );
  const nodes = readJson(bytes);
  const snapshot = encodeSnapshot(nodes.map(encodeNode));
  const names = new Set(
    nodes.flatMap((one) => [...one.counters.keys(), ...one.stats.keys()]),
  );
  assertEquals(names.size > 50, true);
  for (const name of [...names, "no.such", ""]) {
    for (const group of ["counters", "stats"] as const) {
      const samples = expected(nodes, group, name);
      assertEquals(scanStat(bytes, group, name), samples);
      assertEquals(scanStat(snapshot, group, name), samples);
    }
  }
  assertEquals(
    scanStat(bytes, "counters", "storage_server.get").filter(({ value }) =>
      value !== undefined
    )
      .map(({ nickname }) => nickname),
    ["storage-3", "storage-1", "storage-2"],
  );
});

Deno.test("scanStat() equals decoding everything, in both formats", () => {
  fc.assert(fc.property(anyNodes, fc.nat(), (nodes, pick) => {
    const names = nodes.flatMap((
      one,
    ) => [...one.counters.keys(), ...one.stats.keys()]);
    const name = names.length ? names[pick % names.length] : "x";
    const snapshot = encodeSnapshot(nodes.map(encodeNode));
    const json = encoder.encode(writeJson(nodes));
    for (const group of ["counters", "stats"] as const) {
      assertEquals(
        scanStat(snapshot, group, name),
        expected(nodes, group, name),
      );
      assertEquals(
        scanStat(json, group, name),
        expected(readJson(json), group, name),
      );
    }
  }));
});

Deno.test("scanStat() compares whole names, escaped or not", () => {
  const json = '{"k": {"nickname": "n", "stats": {"stats": ' +
    '{"ab": 1, "b": 2, "\\u0061bc": 3, "abcd": 4, "é": 5, "\\u00e9\\"": 6}}}}';
  const f = (name: string, value: bigint | undefined) => {
    assertEquals(
      scanStat(encoder.encode(json), "stats", name)[0].value,
      value,
      name,
    );
    const snapshot = encodeSnapshot(
      readJson(encoder.encode(json)).map(encodeNode),
    );
    assertEquals(scanStat(snapshot, "stats", name)[0].value, value, name);
  };
  f("ab", 1n);
  f("b", 2n);
  f("abc", 3n);
  f("abcd", 4n);
  f("é", 5n);
  f('é"', 6n);
  f("a", undefined);
  f("c", undefined);
  f("", undefined);
});

Deno.test("scanStat() skips what is no node and knows no value of a wrong kind, in both formats", () => {
  const good = { nickname: "n", timestamp: 5, stats: { stats: { x: 1 } } };
  const f = (
    value: unknown,
    samples: [string, number, Value | undefined][],
  ) => {
    for (
      const bytes of [encode(value), encoder.encode(JSON.stringify(value))]
    ) {
      assertEquals(
        scanStat(bytes, "stats", "x").map((
          one,
        ) => [one.key, one.timestamp, one.value]),
        samples,
      );
    }
  };
  f({ a: 5, b: null, c: [], d: "text", k: good }, [["k", 5, 1n]]);
  f({ a: { stats: {} }, b: { nickname: "n" }, k: good }, [["k", 5, 1n]]);
  f({ a: { ...good, nickname: 5 }, b: { ...good, stats: [] }, k: good }, [[
    "k",
    5,
    1n,
  ]]);
  f({ k: { ...good, timestamp: null } }, [["k", 0, 1n]]);
  f({ k: { ...good, timestamp: "now" } }, [["k", 0, 1n]]);
  f({ k: { nickname: "n", stats: {} } }, [["k", 0, undefined]]);
  f({ k: { ...good, stats: { stats: 5 } } }, [["k", 5, undefined]]);
  f({ k: { ...good, stats: { counters: { x: 1 } } } }, [["k", 5, undefined]]);
  for (const x of [true, "1", [1], { x: 1 }]) {
    f({ k: { ...good, stats: { stats: { x } } } }, [["k", 5, undefined]]);
  }
  f({ k: { ...good, stats: { stats: { x: null } } } }, [["k", 5, null]]);
  f({ k: { stats: { stats: { x: 2 } }, more: [{}], nickname: "n" } }, [[
    "k",
    0,
    2n,
  ]]);
});

Deno.test("readAny() and scanStat() go by the content", () => {
  const snapshot = encodeSnapshot(sampleNodes.map(encodeNode));
  assertEquals(readAny(snapshot), decodeSnapshot(snapshot));
  const json = writeJson(sampleNodes);
  for (const text of [json, ` \n${json}`, `\ufeff${json}`]) {
    assertEquals(readAny(encoder.encode(text)).length, sampleNodes.length);
    assertEquals(
      scanStat(encoder.encode(text), "counters", "huge")[0].value,
      2n ** 64n,
    );
  }
  assertEquals(readAny(encoder.encode("{}")), []);
  assertEquals(scanStat(encode({}), "stats", "x"), []);
});

Deno.test("readAny() and scanStat() refuse what is neither format", () => {
  const f = (content: string | Uint8Array, message: string) => {
    const bytes = typeof content === "string"
      ? encoder.encode(content)
      : content;
    for (
      const read of [
        readAny,
        (bytes: Uint8Array) => scanStat(bytes, "stats", "x"),
      ]
    ) {
      assertEquals(
        assertThrows(() => read(bytes), SnapshotError).message,
        message,
      );
    }
  };
  const snapshot = encodeSnapshot(sampleNodes.map(encodeNode));
  const neither =
    "the file is neither a snapshot (a MessagePack map) nor a stats.json (a JSON object)";
  f("", "the file is empty (byte 0)");
  f("hello", `${neither} (byte 0)`);
  f("  [1]", `${neither} (byte 2)`);
  f(" \n", `${neither} (byte 0)`);
  f(new Uint8Array(10), `${neither} (byte 0)`);
  f("(dp0\nS'timestamp'", `${neither} (byte 0)`);
  f(
    new Uint8Array([0x80, 0x02, 0x7d]),
    "more follows after the end of the snapshot (byte 1)",
  );
  f(
    snapshot.subarray(0, 9),
    "the file ends in the middle of the snapshot (byte 9)",
  );
});

Deno.test("StatScanner gives the same from chunks of any size, and takes whole entries only", () => {
  const bytes = encodeSnapshot(
    Array.from({ length: 30 }, (_, i) =>
      encodeNode({
        key: `key-${i}`,
        timestamp: i,
        nickname: "n".repeat(i),
        counters: [["a", BigInt(i)], ["b", 2n]],
        stats: [["a", i / 2]],
      })),
  );
  const whole = scanStat(bytes, "stats", "a");
  assertEquals(whole.length, 30);
  for (const size of [1, 2, 7, 64, 1000, bytes.length]) {
    const scanner = new StatScanner("stats", "a");
    let rest = new Uint8Array(0);
    for (let at = 0; at < bytes.length; at += size) {
      rest = new Uint8Array([...rest, ...bytes.subarray(at, at + size)]);
      rest = rest.slice(scanner.take(rest));
    }
    assertEquals(scanner.end(rest), whole, `chunks of ${size}`);
  }
});

Deno.test("StatScanner names the place in the whole file, and refuses what is cut short", () => {
  const good = encodeNode({
    key: "k",
    timestamp: 1,
    nickname: "n",
    counters: [],
    stats: [],
  });
  const bytes = encodeSnapshot([good, good]);
  const bad = bytes.slice();
  // The second entry's key becomes a byte that MessagePack never uses.
  bad[1 + good.length] = 0xc1;
  const error = assertThrows(
    () => {
      const scanner = new StatScanner("stats", "a");
      const taken = scanner.take(bad.subarray(0, 1 + good.length));
      scanner.take(bad.subarray(taken));
    },
    SnapshotError,
  );
  assertEquals(error.offset, 1 + good.length);
  for (let length = 1; length < bytes.length; length++) {
    const scanner = new StatScanner("stats", "a");
    const taken = scanner.take(bytes.subarray(0, length));
    assertThrows(
      () => scanner.end(bytes.subarray(taken, length)),
      SnapshotError,
    );
  }
  const scanner = new StatScanner("stats", "a");
  const trailing = new Uint8Array([...bytes, 0xc0]);
  const taken = scanner.take(trailing);
  assertThrows(
    () => scanner.end(trailing.subarray(taken)),
    SnapshotError,
    "more follows",
  );
});
