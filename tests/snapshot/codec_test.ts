import { assert, assertEquals, assertThrows } from "@std/assert";
import { decodeHex, encodeHex } from "@std/encoding";
import { decode, encode } from "@std/msgpack";
import fc from "fast-check";
import {
  decodeSnapshot,
  encodeNode,
  encodeSnapshot,
  SnapshotError,
  snapshotParts,
} from "../../lib/snapshot/codec.ts";
import type { Value } from "../../lib/value.ts";
import { anyNodes, node, sampleNodes } from "./nodes.ts";

Deno.test("encodeNode() gives every value its smallest form and keeps its kind", () => {
  const f = (value: Value, hex: string) => {
    const entry = encodeNode(node("k", { stats: { x: value } }, 0, ""));
    const tail = encodeHex(entry).split("a57374617473" + "81" + "a178")[1];
    assertEquals(tail, hex, String(value));
    const [{ stats }] = decodeSnapshot(encodeSnapshot([entry]));
    const back = stats.get("x");
    assert(Object.is(back, value) || back === value, `${value} gave ${back}`);
  };
  f(null, "c0");
  f(0n, "00");
  f(127n, "7f");
  f(128n, "cc80");
  f(255n, "ccff");
  f(256n, "cd0100");
  f(65535n, "cdffff");
  f(65536n, "ce00010000");
  f(2n ** 32n - 1n, "ceffffffff");
  f(2n ** 32n, "cf0000000100000000");
  f(2n ** 53n + 1n, "cf0020000000000001");
  f(2n ** 63n, "cf8000000000000000");
  f(2n ** 64n - 1n, "cfffffffffffffffff");
  f(2n ** 64n, "c70901010000000000000000");
  f(2n ** 71n - 1n, "c709017fffffffffffffffff");
  f(2n ** 71n, "c70a0100800000000000000000");
  f(2n ** 127n - 1n, "d8017fffffffffffffffffffffffffffffff");
  f(-1n, "ff");
  f(-32n, "e0");
  f(-33n, "d0df");
  f(-128n, "d080");
  f(-129n, "d1ff7f");
  f(-32768n, "d18000");
  f(-32769n, "d2ffff7fff");
  f(-(2n ** 31n), "d280000000");
  f(-(2n ** 31n) - 1n, "d3ffffffff7fffffff");
  f(-(2n ** 63n), "d38000000000000000");
  f(-(2n ** 63n) - 1n, "c70901ff7fffffffffffffff");
  f(-(2n ** 71n), "c70901800000000000000000");
  f(-(2n ** 71n) - 1n, "c70a01ff7fffffffffffffffff");
  f(5, "cb4014000000000000");
  f(-0, "cb8000000000000000");
  f(0.1, "cb3fb999999999999a");
  f(NaN, "cb7ff8000000000000");
  f(-Infinity, "cbfff0000000000000");
});

Deno.test("a snapshot is the map of the design, byte for byte", () => {
  const entry = encodeNode(
    node("ab", { counters: { c: 1n }, stats: { s: null } }, 1.5, "é"),
  );
  assertEquals(
    encodeHex(encodeSnapshot([entry])),
    "81" + "a26162" + "83" +
      "a974696d657374616d70" + "cb3ff8000000000000" +
      "a86e69636b6e616d65" + "a2c3a9" +
      "a57374617473" + "82" +
      "a8636f756e74657273" + "81" + "a163" + "01" +
      "a57374617473" + "81" + "a173" + "c0",
  );
  assertEquals(encodeHex(encodeSnapshot([])), "80");
});

Deno.test("what is known of an incarnation stands between nickname and stats", () => {
  const of = (known: { incarnation?: string; began?: number }) => {
    const one = { ...node("k", {}, 1.5, ""), ...known };
    const entry = encodeNode(one);
    const [back] = decodeSnapshot(encodeSnapshot([entry]));
    return [back.incarnation, back.began, encodeHex(entry).slice(4)];
  };
  const time = "a974696d657374616d70" + "cb3ff8000000000000";
  const before = `${time}a86e69636b6e616d65a0`;
  const name = "ab696e6361726e6174696f6e" + "a27839";
  const began = "a5626567616e" + "cb4000000000000000";
  const after = "a57374617473" + "82" + "a8636f756e7465727380" +
    "a5737461747380";
  assertEquals(of({}), [undefined, undefined, `83${before}${after}`]);
  assertEquals(
    of({ incarnation: "x9" }),
    ["x9", undefined, `84${before}${name}${after}`],
  );
  assertEquals(
    of({ incarnation: "x9", began: 2 }),
    ["x9", 2, `85${before}${name}${began}${after}`],
  );
  assertEquals(of({ incarnation: "", began: NaN }), of({}));
});

Deno.test("an incarnation that is none costs itself only", () => {
  for (const incarnation of [5, null, [1], { a: "b" }, ""]) {
    for (const began of ["x", null, [1], NaN]) {
      const stats = { counters: { c: 1 }, stats: {} };
      const bytes = encode({ k: { nickname: "n", incarnation, began, stats } });
      assertEquals(decodeSnapshot(bytes), [
        node("k", { counters: { c: 1n } }, NaN, "n"),
      ]);
    }
  }
});

Deno.test("snapshotParts() is a header and the very entries, at every size of header", () => {
  for (
    const [count, header] of [[15, "8f"], [16, "de0010"], [
      70_000,
      "df00011170",
    ]] as const
  ) {
    const entries = Array.from(
      { length: count },
      (_, i) => encodeNode(node(`n${i}`)),
    );
    const [first, ...rest] = snapshotParts(entries);
    assertEquals(encodeHex(first), header);
    assert(rest.every((part, i) => part === entries[i]));
    const nodes = decodeSnapshot(encodeSnapshot(entries));
    assertEquals(nodes.length, count);
    assertEquals(nodes[count - 1].key, `n${count - 1}`);
  }
});

Deno.test("texts of every length form and alphabet come back", () => {
  for (const length of [0, 31, 32, 255, 256, 65_535, 65_536]) {
    for (const unit of ["x", "é", "😀"]) {
      const text = unit.repeat(length / unit.length);
      const one = node(text, { stats: { [text]: 1n } }, 1, text);
      assertEquals(decodeSnapshot(encodeSnapshot([encodeNode(one)])), [one]);
    }
  }
});

Deno.test("half a surrogate pair becomes U+FFFD, a byte order mark stays", () => {
  const [back] = decodeSnapshot(
    encodeSnapshot([encodeNode(node("\ufeffa", {}, 1, "b\ud800"))]),
  );
  assertEquals([back.key, back.nickname], ["\ufeffa", "b\ufffd"]);
});

Deno.test("decodeSnapshot() gives back what encodeNode() was given, in order", () => {
  assertEquals(
    decodeSnapshot(encodeSnapshot(sampleNodes.map(encodeNode))),
    [...sampleNodes],
  );
  fc.assert(fc.property(anyNodes, (nodes) => {
    const back = decodeSnapshot(encodeSnapshot(nodes.map(encodeNode)));
    assertEquals(back, nodes);
    assertEquals(
      back.map(({ counters }) => [...counters.keys()]),
      nodes.map(({ counters }) => [...counters.keys()]),
    );
  }));
});

Deno.test("a timestamp that is no finite number is written as nil and read as NaN", () => {
  for (const timestamp of [NaN, Infinity, -Infinity]) {
    const bytes = encodeSnapshot([encodeNode(node("k", {}, timestamp))]);
    assertEquals(decodeSnapshot(bytes)[0].timestamp, NaN);
  }
});

Deno.test("another MessagePack implementation reads what we write", () => {
  const bytes = encodeSnapshot([
    encodeNode(node("k", {
      counters: { a: 1n, b: 70_000n, c: -5n, d: 2n ** 60n },
      stats: { e: 0.5, f: null, g: -1e300 },
    })),
    encodeNode(node("l")),
  ]);
  assertEquals(decode(bytes) as unknown, {
    k: {
      timestamp: 1_700_000_000.25,
      nickname: "nick of k",
      stats: {
        counters: { a: 1, b: 70_000, c: -5, d: 2n ** 60n },
        stats: { e: 0.5, f: null, g: -1e300 },
      },
    },
    l: {
      timestamp: 1_700_000_000.25,
      nickname: "nick of l",
      stats: { counters: {}, stats: {} },
    },
  });
});

Deno.test("we read what another MessagePack implementation writes", () => {
  const bytes = encode({
    k: {
      nickname: "n".repeat(300),
      stats: {
        stats: { e: 0.5, f: null },
        counters: { a: 1, b: 70_000, c: -5, d: 2n ** 60n, e: -200 },
      },
      timestamp: 1_700_000_000,
    },
  });
  assertEquals(decodeSnapshot(bytes), [
    node(
      "k",
      {
        counters: { a: 1n, b: 70_000n, c: -5n, d: 2n ** 60n, e: -200n },
        stats: { e: 0.5, f: null },
      },
      1_700_000_000,
      "n".repeat(300),
    ),
  ]);
});

Deno.test("fields that a later version may add are passed over, a timestamp may be missing", () => {
  assertEquals(
    decodeSnapshot(encode({
      k: {
        incarnation: [1, { deep: [new Uint8Array(3), true] }],
        nickname: "n",
        stats: { more: { x: "y" }, stats: { a: 1 } },
      },
    })),
    [node("k", { stats: { a: 1n } }, NaN, "n")],
  );
});

Deno.test("a float32 and an integer that is longer than it need be are read", () => {
  const f = (hex: string, value: Value) => {
    const bytes = decodeHex(
      "81a16b82a86e69636b6e616d65a0a5737461747381a5737461747381a178" + hex,
    );
    assertEquals(decodeSnapshot(bytes)[0].stats.get("x"), value);
  };
  f("ca3f000000", 0.5);
  f("cf0000000000000001", 1n);
  f("d30000000000000001", 1n);
  f("d3ffffffffffffffff", -1n);
  f("d0ff", -1n);
  f("d401ff", -1n);
  f("d5010001", 1n);
  f("d60100000001", 1n);
  f("d701ffffffffffffffff", -1n);
  f("c70001", 0n);
  f("c800020100ff", 255n);
  f("c900000002010100", 256n);
});

Deno.test("decodeSnapshot() refuses what does not belong, and says where", () => {
  const f = (value: unknown, message: string) => {
    const bytes = value instanceof Uint8Array ? value : encode(value);
    const error = assertThrows(() => decodeSnapshot(bytes), SnapshotError);
    assertEquals(error.message, message);
    assertEquals(error.offset, Number(/byte (\d+)\)$/.exec(message)?.[1]));
  };
  const hex = decodeHex;
  const half = (value: unknown) => ({
    k: { nickname: "n", stats: { stats: { x: value } } },
  });
  f(hex(""), "the file ends in the middle of the snapshot (byte 0)");
  f([], "expected a map, found a list (byte 0)");
  f(
    hex("c1"),
    "expected a map, found a byte that MessagePack never uses (byte 0)",
  );
  f(hex("810181"), "expected a text as key, found an integer (byte 1)");
  f(hex("81c0c0"), "expected a text as key, found nil (byte 1)");
  f(hex("81c401aac0"), "expected a text as key, found binary data (byte 1)");
  f({ k: 1.5 }, "expected a map, found a float (byte 3)");
  f({ k: {} }, "a node has no nickname or no stats (byte 3)");
  f({ k: { nickname: "n" } }, "a node has no nickname or no stats (byte 3)");
  f({ k: { nickname: 5 } }, "expected a text, found an integer (byte 13)");
  f({ k: { stats: null } }, "expected a map, found nil (byte 10)");
  f({ k: { stats: { stats: [] } } }, "expected a map, found a list (byte 17)");
  f({ k: { timestamp: "x" } }, "expected a number as timestamp (byte 14)");
  f(half(true), "expected a number or nil (byte 31)");
  f(half("1"), "expected a number or nil (byte 31)");
  f(half({}), "expected a number or nil (byte 31)");
  f(half(new Uint8Array(2)), "expected a number or nil (byte 31)");
  const prefix = encodeHex(encode(half(0))).slice(0, -2);
  f(hex(prefix + "d40501"), "expected a number or nil (byte 31)");
  f(
    hex(prefix + "c1"),
    "found the byte 0xc1, which MessagePack never uses (byte 31)",
  );
  f(
    hex(prefix + "0000"),
    "more follows after the end of the snapshot (byte 32)",
  );
  f(
    hex(prefix + "c8106901" + "00".repeat(4201)),
    "an integer has 4201 bytes, at most 4200 are read (byte 31)",
  );
  const one = encodeHex(encodeNode(node("k")));
  f(hex("82" + one + one), `a node is here twice (byte ${1 + one.length / 2})`);
  f(hex("81a2c328c0"), "a text is not valid UTF-8 (byte 2)");
});

Deno.test("encodeNode() refuses an integer that could not be read back", () => {
  const largest = 2n ** (8n * 4200n - 1n) - 1n;
  for (const value of [largest, -largest - 1n]) {
    const one = node("k", { stats: { x: value } });
    assertEquals(decodeSnapshot(encodeSnapshot([encodeNode(one)])), [one]);
  }
  for (const value of [largest + 1n, -largest - 2n]) {
    assertThrows(
      () => encodeNode(node("k", { stats: { x: value } })),
      RangeError,
      "Cannot encode an integer of 4201 bytes",
    );
  }
});
