import { assertEquals, assertThrows } from "@std/assert";
import { decodeHex, encodeHex } from "@std/encoding";
import fc from "fast-check";
import { vocabTables } from "../../lib/foolscap/banana.ts";
import {
  BananaSender,
  BananaSet,
  type BananaValue,
  Decimal,
  Dict,
  encodeValue,
  type FailureText,
  MyReference,
  Tuple,
} from "../../lib/foolscap/slicers.ts";
import {
  encode,
  fromRow,
  messages,
  outcome,
  tokens,
  toRow,
} from "./banana_cases.ts";

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

Deno.test("encodeValue() writes every vector as Foolscap does, with both vocab tables", () => {
  for (const { value, hex, hex_vocab1 } of encode) {
    const ours = (index: number): string =>
      encodeHex(encodeValue(vocabTables[index], fromRow(value)));
    assertEquals(ours(0), hex, JSON.stringify(value));
    assertEquals(ours(1), hex_vocab1 ?? hex, JSON.stringify(value));
  }
});

const provider = "RIStatsProvider.tahoe.allmydata.com";
const swissnum = "gywo3xz5vq4ihbpnz3pn6lqj7kx7wkhs";
const providerFurl =
  `pb://hbcc7cv4lemmk5snjzrjuia6frdsm3lt@tcp:127.0.0.1:4321/${"s".repeat(32)}`;

type Send = (sender: BananaSender) => Uint8Array;

const provide = (furl?: string): Send[] => [
  (s) =>
    s.call(0, 1, "provide", [
      new MyReference(1, provider, furl),
      utf8("alice"),
    ]),
  (s) => s.call(0, 1, "provide", [new MyReference(1), utf8("alice")]),
  (s) => s.call(0, 1, "provide", [new MyReference(1), utf8("")]),
];

const failure =
  (type: string, value: string, ...bases: string[]): Send => (s) =>
    s.error(3, {
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
    });

/** What our sender is told for each row of `messages`, in the order of the rows. */
const sends: readonly (readonly Send[])[] = [
  [
    (s) =>
      s.call(
        1,
        0,
        "getReferenceByName",
        [],
        new Map([["name", utf8(swissnum)]]),
      ),
    (s) => s.call(2, 0, "getReferenceByName", [], { name: utf8("x") }),
  ],
  provide(),
  provide(providerFurl),
  [
    (s) =>
      s.call(0, 1, "provide", [], {
        provider: new MyReference(1, provider),
        nickname: utf8("alice"),
      }),
    (s) =>
      s.call(1, 1, "provide", [], {
        nickname: utf8("bob"),
        provider: new MyReference(2, provider),
      }),
  ],
  [1, 2, 127, 128, 300].map((object, i) => (s: BananaSender) =>
    s.call(i + 1, object, "get_stats", [])
  ),
  // The fifth of this row has a request number that we never use: 2^31, a LONGINT.
  [127, 128, 16384, 2 ** 31 - 1].map((request) => (s: BananaSender) =>
    s.call(request, 1, "get_stats", [])
  ),
  [
    (s) => s.call(1, 0, "decref", [], { count: 1n, clid: 1n }),
    (s) => s.call(2, 0, "decref", [], { clid: 300n, count: 2n }),
  ],
  ...messages.slice(7, 11).map(({ value }) => [
    (s: BananaSender) => s.answer(1, fromRow(value!)),
  ]),
  // We send no `reference`: these three rows are for the reader.
  [],
  [],
  [],
  [
    (s) => s.answer(1, new MyReference(1, provider)),
    (s) => s.answer(2, new MyReference(1)),
  ],
  [failure("builtins.KeyError", "'unable'", "builtins.LookupError")],
  [failure("__main__.NoName", "no stats on poll 2")],
  [(s) => s.ping(), (s) => s.ping(300n), (s) => s.pong(0n), (s) => s.pong(5)],
  [(s) => s.errorToken("lost sync")],
];

Deno.test("BananaSender writes every message as Foolscap does", () => {
  assertEquals(sends.length, messages.length);
  const restarts = "get_stats with request numbers 127, 128, 16384";
  messages.forEach(({ name, hex }, row) => {
    let sender = new BananaSender(vocabTables[1]);
    const ours = sends[row].map((send) => {
      // That row was recorded from a new connection each time.
      if (name.startsWith(restarts)) sender = new BananaSender(vocabTables[1]);
      return encodeHex(send(sender));
    });
    const theirs = name.startsWith(restarts) ? hex.slice(0, 4) : hex;
    if (ours.length === 0) return;
    if (hex.length === 1) assertEquals(ours.join(""), hex[0], name);
    else assertEquals<readonly string[]>(ours, theirs, name);
  });
});

Deno.test("BananaSender writes no VOCAB under table 0", () => {
  const sender = new BananaSender(vocabTables[0]);
  assertEquals(
    encodeHex(sender.call(1, 2, "list", [null, true, utf8("dict")])),
    encodeHex(
      tokens("(call 1 2 'list' (arguments 3 (none) (boolean 1) 'dict'))"),
    ),
  );
});

Deno.test("BananaSender sends one value in two places twice", () => {
  const shared = new Dict([utf8("n")], [1n]);
  const sender = new BananaSender(vocabTables[0]);
  assertEquals(
    encodeHex(sender.answer(7, [shared, shared])),
    encodeHex(tokens("(answer 7 (list (dict 'n' 1) (dict 'n' 1)))")),
  );
});

Deno.test("BananaSender sends an empty interface name where only a FURL is known", () => {
  assertEquals(
    encodeHex(
      encodeValue(vocabTables[0], new MyReference(3, undefined, "pb://x")),
    ),
    encodeHex(tokens("(my-reference 3 '' 'pb://x')")),
  );
});

Deno.test("BananaSender sorts arguments by name and leaves those of the caller alone", () => {
  const kwargs = { b: 2n, a: 1n, B: 3n };
  const sender = new BananaSender(vocabTables[0]);
  assertEquals(
    encodeHex(sender.call(1, 0, "m", [0n], kwargs)),
    encodeHex(tokens("(call 1 0 'm' (arguments 1 0 'B' 3 'a' 1 'b' 2))")),
  );
  assertEquals(Object.keys(kwargs), ["b", "a", "B"]);
});

Deno.test("BananaSender refuses numbers that the peer would not read", () => {
  const sender = new BananaSender(vocabTables[1]);
  const text: FailureText = { type: "", value: "", traceback: "", parents: [] };
  for (const number of [-1, 2 ** 31, 1.5, NaN, Infinity]) {
    assertThrows(
      () => sender.call(number, 0, "m", []),
      RangeError,
      `${number}`,
    );
    assertThrows(
      () => sender.call(1, number, "m", []),
      RangeError,
      `${number}`,
    );
    assertThrows(() => sender.answer(number, null), RangeError, `${number}`);
    assertThrows(() => sender.error(number, text), RangeError, `${number}`);
    assertThrows(
      () => sender.answer(1, new MyReference(number)),
      RangeError,
      `${number}`,
    );
  }
  assertThrows(() => sender.answer(0, null), RangeError, "request number is 0");
  assertThrows(() => sender.error(0, text), RangeError, "request number is 0");
});

Deno.test("BananaSender allows any number of containers side by side", () => {
  const value = Array.from({ length: 500 }, () => []);
  const bytes = new BananaSender(vocabTables[1]).answer(1, value);
  assertEquals(outcome([bytes]).events, [
    { kind: "answer", request: 1, value: toRow(value) },
  ]);
});

Deno.test("BananaSender counts no OPEN of a message that it could not write", () => {
  const sender = new BananaSender(vocabTables[1]);
  const endless: BananaValue[] = [];
  endless.push(endless);
  assertThrows(() => sender.answer(1, endless), RangeError, "or holds itself");
  assertEquals(
    encodeHex(sender.answer(1, null)),
    "00880d87018101880087018900" + "89",
  );
});

/** The three texts of an error, as the bytes on the wire. */
function fields(failure: Partial<FailureText>): Record<string, number[]> {
  const bytes = new BananaSender(vocabTables[0]).error(1, {
    type: "",
    value: "",
    traceback: "",
    parents: [],
    ...failure,
  });
  const { events } = outcome([asList(bytes)], {
    vocab: 0,
    limits: { textBytes: 10_000 },
  });
  const items = (events[0] as { value: { list: { bytes?: string }[] } }).value
    .list.map((row) => [...decodeHex(row.bytes ?? "")]);
  return { value: items[2], type: items[4], traceback: items[6] };
}

/** An error's bytes as those of an answer that holds a list of what the error held. */
function asList(error: Uint8Array): Uint8Array {
  const hex = encodeHex(error)
    .replace("05826572726f72", "0682616e73776572")
    .replace("0882636f707961626c65", "04826c697374");
  return decodeHex(hex);
}

Deno.test("BananaSender cuts the texts of a failure to what the peer reads", () => {
  const text = (bytes: number[]) =>
    new TextDecoder("utf-8", { fatal: true }).decode(new Uint8Array(bytes));
  // Short enough: untouched.
  for (const [field, limit] of [["value", 1000], ["type", 200]] as const) {
    const fits = "x".repeat(limit);
    assertEquals(text(fields({ [field]: fits })[field]), fits);
    const euros = "€".repeat(Math.floor(limit / 3));
    assertEquals(text(fields({ [field]: euros })[field]), euros);
    // Too long: ends in two dots, one byte below the limit, whole characters only.
    assertEquals(
      text(fields({ [field]: fits + "x" })[field]),
      "x".repeat(limit - 3) + "..",
    );
    assertEquals(
      text(fields({ [field]: "€".repeat(limit) })[field]),
      "€".repeat(Math.floor((limit - 3) / 3)) + "..",
    );
  }
  const traceback = (from: string) =>
    text(fields({ traceback: from }).traceback);
  assertEquals(traceback("t".repeat(1900)), "t".repeat(1900));
  const middle = "\n[ ... ]\n";
  assertEquals(
    traceback("a".repeat(1000) + "b".repeat(2000)),
    "a".repeat(700) + middle + "b".repeat(1200),
  );
  assertEquals(
    traceback("€".repeat(634)),
    "€".repeat(233) + middle + "€".repeat(400),
  );
  assertEquals(
    traceback("x" + "𝄞".repeat(1000)),
    "x" + "𝄞".repeat(174) + middle + "𝄞".repeat(300),
  );
});

Deno.test("BananaSender cuts each parent of a failure", () => {
  const failure = {
    type: "t",
    value: "v",
    traceback: "",
    parents: ["p".repeat(200), "q".repeat(201), "r"],
  };
  const bytes = new BananaSender(vocabTables[1]).error(5, failure);
  assertEquals(outcome([bytes]).events, [{
    kind: "error",
    request: 5,
    failure: {
      ...failure,
      parents: ["p".repeat(200), "q".repeat(197) + "..", "r"],
    },
  }]);
});

Deno.test("BananaSender.error() never sends more than the peer's limits, nor half a character", () => {
  const wellFormed = fc.string({
    unit: "binary",
    maxLength: 3000,
    size: "max",
  });
  fc.assert(fc.property(wellFormed, (text) => {
    const sent = fields({ type: text, value: text, traceback: text });
    const decoder = new TextDecoder("utf-8", { fatal: true });
    for (
      const [field, limit] of [
        ["type", 200],
        ["value", 1000],
        ["traceback", 2000],
      ] as const
    ) {
      assertEquals(sent[field].length <= limit, true, field);
      decoder.decode(new Uint8Array(sent[field]));
    }
  }));
});

Deno.test("BananaSender.errorToken() is one line of ASCII, at most 1000 bytes", () => {
  const sender = new BananaSender(vocabTables[1]);
  assertEquals(encodeHex(sender.errorToken("a\nbé")), "048d613f623f");
  const long = sender.errorToken("x".repeat(2000));
  assertEquals(encodeHex(long.subarray(0, 3)), "68078d");
  assertEquals(long.length, 1003);
});

const integer = fc.oneof(
  fc.bigInt({ min: -300n, max: 300n }),
  fc.bigInt({ min: -(2n ** 33n), max: 2n ** 33n }),
  fc.bigInt({ min: -(2n ** 700n), max: 2n ** 700n }),
);
const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 40 }),
  fc.uint8Array({ maxLength: 2000, size: "max" }),
  fc.constantFrom(...vocabTables[1].words).map(utf8),
);
const text = fc.string({ unit: "binary", maxLength: 30 });
const leaf: fc.Arbitrary<BananaValue> = fc.oneof(
  integer,
  fc.double(),
  bytes,
  text,
  fc.boolean(),
  fc.constant(null),
  fc.bigInt({ min: -999n, max: 999n }).map((n) => new Decimal(`${n}E+3`)),
  fc.tuple(fc.integer({ min: 1, max: 2 ** 31 - 1 }), text, text)
    .map(([clid, name, furl]) => new MyReference(clid, name, furl)),
  fc.integer({ min: 1, max: 2 ** 31 - 1 }).map((clid) => new MyReference(clid)),
);
/** Keys that Python holds for different when their rows are. */
const key = fc.oneof(
  bytes,
  text,
  integer,
  fc.tuple(integer, bytes).map((items) => new Tuple(items)),
);
const keys = fc.uniqueArray(key, {
  maxLength: 8,
  selector: (k) => JSON.stringify(toRow(k)),
});
const { value } = fc.letrec<{ value: BananaValue }>((tie) => {
  const items = fc.array(tie("value"), { maxLength: 5 });
  return {
    value: fc.oneof(
      { maxDepth: 4 },
      leaf,
      items,
      items.map((items) => new Tuple(items)),
      fc.tuple(keys, fc.boolean()).map(([k, b]) => new BananaSet(k, b)),
      fc.tuple(keys, fc.array(tie("value"), { minLength: 8, maxLength: 8 }))
        .map(([k, v]) => new Dict(k, v.slice(0, k.length))),
    ),
  };
});

Deno.test("any value comes back as it was sent, with both tables, however it is cut", () => {
  const cuts = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1 });
  fc.assert(
    fc.property(value, fc.constantFrom(0, 1), cuts, (value, vocab, cuts) => {
      const sender = new BananaSender(vocabTables[vocab]);
      // The second message's OPENs are counted on.
      const messages = [sender.answer(3, value), sender.answer(4, value)];
      const chunks: Uint8Array[] = [];
      for (const bytes of messages) {
        for (let at = 0, i = 0; at < bytes.length; i++) {
          const end = at + cuts[i % cuts.length];
          chunks.push(bytes.subarray(at, end));
          at = end;
        }
      }
      const row = toRow(value);
      assertEquals(outcome(chunks, { vocab }).events, [
        { kind: "answer", request: 3, value: row },
        { kind: "answer", request: 4, value: row },
      ]);
    }),
    { numRuns: 500 },
  );
});

Deno.test("any call comes back as it was sent", () => {
  const name = fc.string({ minLength: 1, maxLength: 20 });
  const kwargs = fc.uniqueArray(fc.tuple(name, value), {
    maxLength: 5,
    selector: ([name]) => name,
  });
  fc.assert(fc.property(
    fc.integer({ min: 0, max: 2 ** 31 - 1 }),
    fc.integer({ min: 0, max: 2 ** 31 - 1 }),
    name,
    fc.array(value, { maxLength: 4 }),
    kwargs,
    (request, object, method, args, kwargs) => {
      const sender = new BananaSender(vocabTables[1]);
      const bytes = sender.call(request, object, method, args, new Map(kwargs));
      const sorted = kwargs.toSorted(([a], [b]) => a < b ? -1 : 1);
      assertEquals(outcome([bytes]).events, [{
        kind: "call",
        request,
        object,
        method,
        args: args.map(toRow),
        kwargs: sorted.map(([name, value]) => [name, toRow(value)]),
      }]);
    },
  ));
});
