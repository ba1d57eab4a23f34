import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { decodeHex, encodeHex } from "@std/encoding";
import { vocabTables } from "../../lib/foolscap/banana.ts";
import { BananaError } from "../../lib/foolscap/errors.ts";
import { defaultLimits } from "../../lib/foolscap/limits.ts";
import { BananaSender, Dict } from "../../lib/foolscap/slicers.ts";
import { BananaReceiver, type Message } from "../../lib/foolscap/unslicers.ts";
import {
  assertPrefixesAreSilent,
  bareRow,
  decode,
  encode,
  everyWay,
  joined,
  listen,
  messages,
  outcome,
  type Row,
  testCases,
  tokens,
} from "./banana_cases.ts";

const answerHead = "00880d870181";
const answerTail = "0089";

Deno.test("BananaReceiver reads every vector, whole and cut everywhere", () => {
  for (const row of encode) {
    for (const vocab of [0, 1]) {
      const hex = vocab === 1 ? row.hex_vocab1 ?? row.hex : row.hex;
      const head = vocab === 1 ? answerHead : "00880682616e737765720181";
      const bytes = decodeHex(head + hex + answerTail);
      assertEquals(everyWay(bytes, { vocab }).events, [
        { kind: "answer", request: 1, value: bareRow(row.value) },
      ]);
      assertPrefixesAreSilent(bytes, { vocab });
    }
  }
});

/**
 * The rows of `decode` were fed to a receiver of plain Banana, where values stand at top level, a
 * violation costs one value, and vocab words can be added. In PB the values are those of a list in
 * an answer, a violation costs the answer, and `set-vocab` and `add-vocab` are such violations.
 */
function expectedOf(row: (typeof decode)[number]): unknown[] {
  const isVocab = row.name.startsWith("set-vocab") ||
    row.name.startsWith("add-vocab");
  if (isVocab || row.violations > 0) return ["violation of answer 1"];
  const list = row.objects.map(bareRow);
  return [{ kind: "answer", request: 1, value: { list } }];
}

/** Which code each row is refused with. */
const refusals: Readonly<Record<string, string>> = {
  "65 byte header": "header-too-long",
  "65 header bytes and no type byte": "header-too-long",
  "type byte 80": "unknown-type-byte",
  "type byte 8b": "unknown-type-byte",
  "type byte 8c": "unknown-type-byte",
  "type byte 90": "unknown-type-byte",
  "type byte ff": "unknown-type-byte",
  "list, CLOSE of another number": "lost-sync",
  "OPEN directly after OPEN": "bad-token",
  "CLOSE without OPEN": "lost-sync",
  "none with a body": "bad-token",
  "boolean with two bodies": "bad-token",
  "boolean of a string": "bad-token",
  "unicode that is not UTF-8": "bad-text",
  "unicode with two bodies": "bad-token",
  "dict with a duplicate key": "duplicate-key",
  "dict with a list as key": "unhashable-key",
  "unknown vocab index": "bad-vocab",
  "ERROR from the other side": "remote-error",
  "ERROR announcing 1001 bytes": "token-too-large",
  // After `add-vocab` and `add-vocab` this row uses a word that PB did not learn.
  "add-vocab then VOCAB 40": "bad-vocab",
};

Deno.test("BananaReceiver takes and refuses what Foolscap's decoder takes and refuses", () => {
  for (const row of decode) {
    const bytes = decodeHex(
      answerHead + "01880487" + row.hex + "01890089",
    );
    const { events, error } = everyWay(bytes);
    const pings = events.filter((event) => typeof event === "string");
    const others = events.filter((event) => typeof event !== "string").map(
      (event) => {
        const message = event as Message;
        return message.kind === "violation"
          ? `violation of ${message.of} ${message.request}`
          : message;
      },
    );
    const refusal = refusals[row.name];
    assertEquals(error?.split(" ")[0], refusal, row.name);
    assertEquals(others, refusal ? [] : expectedOf(row), row.name);
    if (refusal) {
      assertEquals(row.closed || row.name.startsWith("add-vocab"), true);
    } else {
      assertEquals(row.closed, false, row.name);
      const sender = new BananaSender(vocabTables[1]);
      const pongs = pings.map((ping) =>
        encodeHex(sender.pong(BigInt((ping as string).slice(5))))
      );
      assertEquals(pongs.join(""), row.reply_hex ?? "", row.name);
    }
  }
});

Deno.test("BananaReceiver skips set-vocab and add-vocab at top level and keeps its table", () => {
  const call = "00880b870181008101827801880c87008101890089";
  for (
    const row of decode.filter(({ name }) => /^(set|add)-vocab/.test(name))
  ) {
    const change = row.hex.slice(0, row.hex.indexOf("0089") + 4);
    assertEquals(everyWay(decodeHex(change + call)), {
      events: [
        {
          kind: "call",
          request: 1,
          object: 0,
          method: "x",
          args: [],
          kwargs: [],
        },
      ],
    });
  }
});

const text = (text: string): Row => ({
  bytes: encodeHex(new TextEncoder().encode(text)),
});
const call = (
  request: number,
  object: number,
  method: string,
  args: Row[] = [],
  ...kwargs: [string, Row][]
): unknown => ({ kind: "call", request, object, method, args, kwargs });
const answer = (request: number, value: Row): unknown => ({
  kind: "answer",
  request,
  value,
});
const int = (value: number): Row => ({ int: `${value}` });
const ref = (...parts: [number, string?, string?]): Row => ({
  ref: [parts[0], parts[1], parts[2]],
});

const provider = "RIStatsProvider.tahoe.allmydata.com";
const furl =
  "pb://hbcc7cv4lemmk5snjzrjuia6frdsm3lt@tcp:127.0.0.1:4321/ssssssssssssssssssssssssssssssss";
const provide = (furl?: string): unknown[] => [
  call(0, 1, "provide", [ref(1, provider, furl), text("alice")]),
  call(0, 1, "provide", [ref(1), text("alice")]),
  call(0, 1, "provide", [ref(1), text("")]),
];
const failure = (type: string, value: string, ...bases: string[]): unknown => ({
  kind: "error",
  request: 3,
  failure: {
    type,
    value,
    traceback: "Traceback unavailable\n",
    parents: [
      type,
      ...bases,
      "builtins.Exception",
      "builtins.BaseException",
      "builtins.object",
    ],
  },
});
const one: Row = { dict: [[text("n"), int(1)]] };
const list: Row = { list: [int(1)] };
const getStats = (request: number, object: number): unknown =>
  call(request, object, "get_stats");

/** What each row of `messages` says, in the order of the rows. */
const said: readonly (readonly unknown[])[] = [
  [
    call(1, 0, "getReferenceByName", [], [
      "name",
      text("gywo3xz5vq4ihbpnz3pn6lqj7kx7wkhs"),
    ]),
    call(2, 0, "getReferenceByName", [], ["name", text("x")]),
  ],
  provide(),
  provide(furl),
  [
    call(
      0,
      1,
      "provide",
      [],
      ["nickname", text("alice")],
      ["provider", ref(1, provider)],
    ),
    call(
      1,
      1,
      "provide",
      [],
      ["nickname", text("bob")],
      ["provider", ref(2, provider)],
    ),
  ],
  [1, 2, 127, 128, 300].map((object, i) => getStats(i + 1, object)),
  [127, 128, 16384, 2 ** 31 - 1].map((request) => getStats(request, 1)),
  [
    call(1, 0, "decref", [], ["clid", int(1)], ["count", int(1)]),
    call(2, 0, "decref", [], ["clid", int(300)], ["count", int(2)]),
  ],
  ...messages.slice(7, 11).map(({ value }) => [answer(1, bareRow(value!))]),
  [answer(7, { dict: [[text("counters"), one], [text("stats"), one]] })],
  [
    answer(7, { none: true }),
    answer(8, { list: [list, list, { tuple: [list] }] }),
  ],
  [answer(9, { list: [{ tuple: [] }, { tuple: [] }] })],
  [answer(1, ref(1, provider)), answer(2, ref(1))],
  [failure("builtins.KeyError", "'unable'", "builtins.LookupError")],
  [failure("__main__.NoName", "no stats on poll 2")],
  ["ping 0", "ping 300"],
  [],
];

Deno.test("BananaReceiver reads every message that Foolscap sent", () => {
  assertEquals(said.length, messages.length);
  messages.forEach(({ name, hex }, row) => {
    // One row has a request number that a receiver refuses: 2^31, a LONGINT.
    const error = name.includes("2**31")
      ? "bad-token"
      : name === "ERROR"
      ? "remote-error"
      : undefined;
    const { events, error: ours } = everyWay(decodeHex(hex.join("")));
    assertEquals(ours?.split(" ")[0], error, name);
    assertEquals(events, [...said[row]], name);
    for (const message of hex) {
      if (hex.length === said[row].length) {
        assertPrefixesAreSilent(decodeHex(message));
      }
    }
  });
});

const ping = "#058e";
const abort = "#8a";

testCases([
  ["an INT at top level", "5", ["bad-token"]],
  ["a STRING at top level", "'x'", ["bad-token"]],
  ["a VOCAB at top level", "#0187", ["bad-token"]],
  ["a CLOSE at top level", "#0089", ["lost-sync"]],
  ["ABORT at top level", `${abort} (answer 1 2)`, ["answer 1"]],
  ["PONG at top level", "#8f #058f (answer 1 2)", ["answer 1"]],
  ["PING at top level", ping, ["ping 5"]],
  ["a list at top level", "(list 1 (list)) (answer 1 2)", ["answer 1"]],
  ["an unknown sequence at top level", "(frob 'x' (frob)) (answer 1 2)", [
    "answer 1",
  ]],
  [
    "a sequence of a long type at top level",
    `('${"x".repeat(100)}' 1) (answer 1 2)`.replace("(", "(( "),
    ["answer 1"],
  ],
  ["an INT as type at top level", "(( 5 ) (answer 1 2)", ["answer 1"]],
  ["ABORT in an unknown sequence", `(frob 1 ${abort} 2) (answer 1 2)`, [
    "answer 1",
  ]],
  ["ABORT in place of the type", `(( ${abort} ) (answer 1 2)`, ["answer 1"]],
  ["OPEN OPEN", "(( (answer 1 2) )", ["bad-token"]],
  ["OPEN CLOSE", "(( )", ["lost-sync"]],
  ["CLOSE of another number", "(answer 1 2 #0189", ["lost-sync"]],
  ["OPEN OPEN in what is skipped", "(frob (( (list) ) )", ["bad-token"]],
  ["OPEN CLOSE in what is skipped", "(frob (( ) )", ["lost-sync"]],
  ["CLOSE of another number in what is skipped", "(frob 1 #0189", [
    "lost-sync",
  ]],
  ["an unknown VOCAB in what is skipped", "(frob #6387 )", ["bad-vocab"]],
  ["ERROR in a message", "(answer 1 #048d6f6f7073", ["remote-error"]],
  ["arguments at top level", "(arguments 0) (answer 1 2)", ["answer 1"]],
  [
    "32 OPENs within each other",
    "(answer 1" + "(list".repeat(31) + ")".repeat(32),
    [
      "answer 1",
    ],
  ],
  [
    "33 OPENs within each other",
    "(answer 1" + "(list".repeat(32) + ")".repeat(33),
    [
      "too-deep",
    ],
  ],
  ["33 OPENs in what is skipped", "(frob" + "(list".repeat(32), ["too-deep"]],
  [
    "32 OPENs with a reference resolved",
    `(answer 1 (list (list (list)) ${"(list".repeat(28)} (reference 2) ${
      ")".repeat(28)
    }))`,
    ["answer 1"],
  ],
  [
    "33 OPENs with a reference resolved",
    `(answer 1 (list (list (list)) ${"(list".repeat(29)} (reference 2) ${
      ")".repeat(29)
    }))`,
    ["too-deep"],
  ],
  ["8 tokens where 8 are allowed", "(answer 1 (list 1))", ["answer 1"], {
    limits: { messageTokens: 8 },
  }],
  ["8 tokens where 7 are allowed", "(answer 1 (list 1))", ["too-many-tokens"], {
    limits: { messageTokens: 7 },
  }],
  ["8 tokens of what is skipped where 7 are allowed", "(frob 1 (list 1))", [
    "too-many-tokens",
  ], { limits: { messageTokens: 7 } }],
  ["tokens are counted for each message", "(answer 1 2) (answer 2 3)", [
    "answer 1",
    "answer 2",
  ], { limits: { messageTokens: 5 } }],
  ["PINGs are no tokens of a message", `(answer 1 ${ping.repeat(9)} 2)`, [
    ...Array(9).fill("ping 5"),
    "answer 1",
  ], { limits: { messageTokens: 5 } }],
  [
    "a reference counts as its value",
    "(answer 1 (list (list 1 2) (reference 2)))",
    [
      "too-many-tokens",
    ],
    { limits: { messageTokens: 20 } },
  ],
  [
    "a reference counts as its value, just enough",
    "(answer 1 (list (list 1 2) (reference 2)))",
    [
      "answer 1",
    ],
    { limits: { messageTokens: 21 } },
  ],
  ["a STRING longer than allowed", "(answer 1 'abcd')", ["token-too-large"], {
    limits: { stringBytes: 3 },
  }],
]);

Deno.test("BananaReceiver refuses values that grow without end by references", () => {
  // Each tuple holds the one before it ten times: after 20 of them 10^20 items, in 2,600 bytes.
  let notation = "(tuple 'x')";
  for (let i = 0, last = 2; i < 20; i++) {
    notation += ` (tuple ${`(reference ${last}) `.repeat(10)})`;
    last = 3 + 11 * i;
  }
  const list = tokens(`(answer 1 (list ${notation}))`);
  assertEquals(outcome([list]).error?.split(" ")[0], "message-too-large");
  const limits = { callBytes: Infinity };
  assertEquals(
    outcome([list], { limits }).error?.split(" ")[0],
    "too-many-tokens",
  );
  // Nor is such a value taken apart to be a key.
  const keys = tokens(`(answer 1 (set ${notation}))`);
  assertEquals(outcome([keys]).error?.split(" ")[0], "message-too-large");
});

/** An answer of exactly that many bytes: a list of strings of 64 KiB, and zeros for the rest. */
function messageOf(size: number): Uint8Array<ArrayBuffer> {
  const frame = tokens("(answer 1 (list))");
  const string = new Uint8Array(4 + 0x10000);
  string.set(header64k);
  const strings = Math.floor((size - frame.length) / string.length);
  const zeros = new Uint8Array(size - frame.length - strings * string.length);
  return joined([
    frame.subarray(0, -4),
    ...Array(strings).fill(string),
    zeros.fill(0x81),
    frame.subarray(-4),
  ]);
}

/** A STRING of 64 KiB is announced. */
const header64k = [0, 0, 4, 0x82];

Deno.test("BananaReceiver takes a message of 16 MiB as an answer, and refuses one byte more", () => {
  const limit = defaultLimits.answerBytes;
  assertEquals(limit, 16 * 1024 * 1024);
  for (const excess of [0, 1]) {
    const { receiver, events } = listen({ vocab: 0 });
    receiver.messageLimit = limit;
    const bytes = messageOf(limit + excess);
    assertEquals(bytes.length, limit + excess);
    if (excess === 0) {
      receiver.feed(bytes);
      assertEquals(events.length, 1);
    } else {
      const error = assertThrows(() => receiver.feed(bytes), BananaError);
      assertEquals(error.code, "message-too-large");
      assertEquals(events, []);
    }
  }
});

Deno.test("BananaReceiver allows calls 256 KiB until a larger limit is set", () => {
  const bytes = messageOf(defaultLimits.callBytes + 1);
  assertEquals(outcome([bytes]).error?.split(" ")[0], "message-too-large");
  const { receiver, events } = listen();
  assertEquals(receiver.messageLimit, defaultLimits.callBytes);
  // The limit may be raised in the midst of a message.
  receiver.feed(bytes.subarray(0, 1000));
  receiver.messageLimit = bytes.length;
  receiver.feed(bytes.subarray(1000));
  assertEquals(events.length, 1);
});

Deno.test("BananaReceiver refuses a message that announces too much before it has come", () => {
  const { receiver } = listen({ limits: { callBytes: 50_000 } });
  receiver.feed(tokens("(answer 1 (list 'x'"));
  const announced = new Uint8Array(header64k);
  const error = assertThrows(() => receiver.feed(announced), BananaError);
  assertEquals(error.code, "message-too-large");
});

Deno.test("BananaReceiver takes 10,000 stats with names of 1,000 bytes", () => {
  const names = Array.from(
    { length: 10_000 },
    (_, i) => new TextEncoder().encode(`${i}.`.padEnd(1000, "x")),
  );
  const stats = new Dict(names, names.map((_, i) => BigInt(i)));
  const bytes = new BananaSender(vocabTables[1]).answer(1, stats);
  let got: Dict | undefined;
  const receiver = new BananaReceiver(vocabTables[1], defaultLimits, {
    message: (message) => {
      if (message.kind === "answer") got = message.value as Dict;
    },
    ping() {},
  });
  receiver.messageLimit = defaultLimits.answerBytes;
  for (let at = 0; at < bytes.length; at += 16384) {
    receiver.feed(bytes.subarray(at, at + 16384));
  }
  assertEquals(got!.keys.length, 10_000);
  assertEquals(got!.keys[9999], names[9999]);
  assertEquals(got!.values[9999], 9999n);
});

Deno.test("BananaReceiver takes no memory for what a header promises", () => {
  const before = Deno.memoryUsage();
  const receivers = Array.from({ length: 1000 }, () => {
    const { receiver } = listen();
    receiver.feed(decodeHex("00880d870181" + "00000482"));
    return receiver;
  });
  const after = Deno.memoryUsage();
  const grown = after.heapUsed + after.external - before.heapUsed -
    before.external;
  assertEquals(grown < 8 * 1024 * 1024, true, `${grown} bytes`);
  assertEquals(receivers[0].buffered, 10);
  // A gigabyte is refused when it is announced.
  const gigabyte = decodeHex("00880d870181" + "000000000482");
  assertEquals(outcome([gigabyte]).error, "token-too-large at 6");
});

Deno.test("BananaReceiver.buffered is what has come of an unfinished message", () => {
  const { receiver } = listen({ vocab: 0 });
  const bytes = tokens("(answer 1 (list 'abcdef' 300))");
  const seen = Array.from(bytes, (_, i) => {
    receiver.feed(bytes.subarray(i, i + 1));
    return receiver.buffered;
  });
  assertEquals(seen, [
    ...Array.from({ length: bytes.length - 1 }, (_, i) => i + 1),
    0,
  ]);
});

Deno.test("BananaReceiver refuses all further input after an error", () => {
  const { receiver, events } = listen();
  const error = assertThrows(() => receiver.feed(tokens("5")), BananaError);
  assertEquals(receiver.buffered, 0);
  const again = assertThrows(() => receiver.feed(tokens("(answer 1 2)")));
  assertStrictEquals(again, error);
  assertEquals(events, []);
});

Deno.test("BananaReceiver tells code and place of an error", () => {
  const { receiver } = listen({ vocab: 0 });
  const first = tokens("(answer 1 2)");
  receiver.feed(first);
  const error = assertThrows(() => receiver.feed(tokens("5")), BananaError);
  assertEquals(error.code, "bad-token");
  assertEquals(error.offset, first.length);
  assertEquals(
    error.message,
    `reading a Banana stream: only an OPEN may stand at top level (byte ${first.length})`,
  );
});

Deno.test("BananaReceiver lets through what its handler throws, and stops", () => {
  const mishap = new Error("mishap");
  const receiver = new BananaReceiver(vocabTables[0], defaultLimits, {
    message() {
      throw mishap;
    },
    ping() {},
  });
  const bytes = tokens("(answer 1 2) (answer 2 3)");
  assertStrictEquals(assertThrows(() => receiver.feed(bytes)), mishap);
  assertStrictEquals(assertThrows(() => receiver.feed(bytes)), mishap);
});

Deno.test("BananaReceiver reads what its handler feeds after what it was fed before", () => {
  const requests: number[] = [];
  const extra = tokens("(answer 3 0)");
  const receiver = new BananaReceiver(vocabTables[0], defaultLimits, {
    message(message) {
      requests.push(message.request!);
      if (message.request === 1) {
        receiver.feed(extra);
        extra.fill(0);
      }
    },
    ping() {},
  });
  receiver.feed(tokens("(answer 1 2) (answer 2 3)"));
  assertEquals(requests, [1, 2, 3]);
});

Deno.test("BananaReceiver's byte strings share no memory with chunks, vocab words or each other's messages", () => {
  const got: Uint8Array[] = [];
  const receiver = new BananaReceiver(vocabTables[1], defaultLimits, {
    message: (message) =>
      message.kind === "answer" && got.push(message.value as Uint8Array),
    ping() {},
  });
  const long = "y".repeat(5000);
  const chunk = tokens(
    `(answer 1 'abc') (answer 2 #0387) (answer 3 '${long}')`,
  );
  receiver.feed(chunk);
  chunk.fill(0);
  got[1][0] = 0x44;
  receiver.feed(tokens("(answer 4 #0387)"));
  const decoder = new TextDecoder();
  assertEquals(got.map((bytes) => decoder.decode(bytes)), [
    "abc",
    "Dict",
    long,
    "dict",
  ]);
  assertEquals(new Set(got.map((bytes) => bytes.buffer)).size, 4);
  for (const bytes of got.slice(0, 2)) {
    assertEquals(bytes.buffer.byteLength <= 4096, true);
  }
});
