import { assertEquals, assertStrictEquals } from "@std/assert";
import { encodeHex } from "@std/encoding";
import { vocabTables } from "../../lib/foolscap/banana.ts";
import { defaultLimits } from "../../lib/foolscap/limits.ts";
import type { BananaValue, Dict } from "../../lib/foolscap/slicers.ts";
import { BananaReceiver } from "../../lib/foolscap/unslicers.ts";
import { everyWay, type Row, testCases, tokens } from "./banana_cases.ts";

const failed =
  "(copyable 'twisted.python.failure.Failure' 'type' 'a' 'value' 'b' " +
  "'traceback' 'c' 'parents' (list 'a' 'd'))";
testCases([
  // Values.
  ["your-reference", "(answer 1 (your-reference 1))", [
    'violation of answer 1: a sequence of type "your-reference" is not accepted here',
  ]],
  ["their-reference", "(answer 1 (their-reference 1 'pb://x'))", [
    'violation of answer 1: a sequence of type "their-reference" is not accepted here',
  ]],
  ["copyable", `(answer 1 ${failed})`, [
    'violation of answer 1: a sequence of type "copyable" is not accepted here',
  ]],
  ["a call in an answer", "(answer 1 (call 1 0 'm' (arguments 0)))", [
    'violation of answer 1: a sequence of type "call" is not accepted here',
  ]],
  [
    "an unknown type deep inside",
    "(answer 1 (list (list (frob (list 1)) 2) 3)) (answer 2 2)",
    [
      'violation of answer 1: a sequence of type "frob" is not accepted here',
      "answer 2",
    ],
  ],
  ["a type that is not fit to print", "(answer 1 (( #03820a22ff ))", [
    'violation of answer 1: a sequence of type "?"?" is not accepted here',
  ]],
  ["a type longer than any", "(answer 1 (( 'their-referencess' ))", [
    "violation of answer 1: the type of a sequence is unknown and too long",
  ]],
  ["a FLOAT as type", "(answer 1 (( #843ff0000000000000 ))", [
    "violation of answer 1: the type of a sequence has to be a STRING",
  ]],
  ["two violations in one message", "(answer 1 (list (frob) (grob)))", [
    'violation of answer 1: a sequence of type "frob" is not accepted here',
  ]],
  [
    "a violation after another of another kind",
    "(answer 1 (list (frob) (( 5 ) #8a))",
    [
      'violation of answer 1: a sequence of type "frob" is not accepted here',
    ],
  ],
  ["none with a sequence inside", "(answer 1 (none (list)))", ["bad-token"]],
  ["boolean with a NEG", "(answer 1 (boolean -1))", ["bad-token"]],
  ["boolean with a LONGINT", "(answer 1 (boolean #018501))", ["bad-token"]],
  ["unicode with an INT", "(answer 1 (unicode 1))", ["bad-token"]],
  ["decimal that is not UTF-8", "(answer 1 (decimal #0182ff))", ["bad-text"]],
  ["decimal with two bodies", "(answer 1 (decimal '1' '2'))", ["bad-token"]],
  ["a surrogate in UTF-8", "(answer 1 (unicode #0382eda080))", ["bad-text"]],
  ["a dict as key", "(answer 1 (dict (dict) 1))", ["unhashable-key"]],
  ["a set as key", "(answer 1 (dict (set) 1))", ["unhashable-key"]],
  ["a tuple with a list in it as key", "(answer 1 (dict (tuple 1 (list)) 1))", [
    "unhashable-key",
  ]],
  ["a list in a set", "(answer 1 (set (list)))", ["unhashable-key"]],
  ["a list in an immutable-set", "(answer 1 (immutable-set (list)))", [
    "unhashable-key",
  ]],
  [
    "keys of every kind",
    "(answer 1 (dict (tuple 1 'a') 1 (immutable-set 1) 1 (none) 1 (unicode 'a') 1 'a' 1 (decimal '1') 1 1 1 (my-reference 1) 1 #843fe0000000000000 1 (boolean 0) 1))",
    [
      "answer 1",
    ],
  ],
  ["a repeated key, keys sorted", "(answer 1 (dict 'a' 1 'b' 2 'b' 3))", [
    "duplicate-key",
  ]],
  ["a repeated key, keys not sorted", "(answer 1 (dict 'b' 1 'a' 2 'b' 3))", [
    "duplicate-key",
  ]],
  [
    "a repeated key, the first of many",
    "(answer 1 (dict 'a' 1 'b' 2 'c' 3 'a' 4))",
    [
      "duplicate-key",
    ],
  ],
  ["a key and its beginning", "(answer 1 (dict 'a' 1 'ab' 2 'a' 3))", [
    "duplicate-key",
  ]],
  ["a VOCAB key and the same STRING", "(answer 1 (dict #0387 1 'dict' 2))", [
    "duplicate-key",
  ]],
  [
    "keys that differ beyond ASCII",
    "(answer 1 (dict #028280ff 1 #02828080 2))",
    [
      "answer 1",
    ],
  ],
  ["1 and 1.0", "(answer 1 (dict 1 1 #843ff0000000000000 2))", [
    "duplicate-key",
  ]],
  ["1 and True", "(answer 1 (dict 1 1 (boolean 1) 2))", ["duplicate-key"]],
  ["0 and -0.0", "(answer 1 (dict 0 1 #848000000000000000 2))", [
    "duplicate-key",
  ]],
  [
    "2^53 and 2^53 + 1",
    "(answer 1 (dict #078520000000000000 1 #078520000000000001 2))",
    [
      "answer 1",
    ],
  ],
  ["5 and LONGINT 5", "(answer 1 (dict 5 1 #018505 2))", ["duplicate-key"]],
  [
    "a very large integer as key, twice",
    `(answer 1 (dict #7f0185${"ff".repeat(255)} 1 #7f0185${
      "ff".repeat(255)
    } 2))`,
    [
      "duplicate-key",
    ],
  ],
  [
    "frozensets in another order",
    "(answer 1 (dict (immutable-set 1 2) 1 (immutable-set 2 1) 2))",
    [
      "duplicate-key",
    ],
  ],
  ["tuples in another order", "(answer 1 (dict (tuple 1 2) 1 (tuple 2 1) 2))", [
    "answer 1",
  ]],
  [
    "tuples that are cut otherwise",
    "(answer 1 (dict (tuple 'a' 'b') 1 (tuple 'ab') 2 (tuple 'a1:b') 3))",
    [
      "answer 1",
    ],
  ],
  // References.
  ["a reference to an open list", "(answer 1 (list (reference 1)))", [
    "violation of answer 1: a reference to a sequence that is still open",
  ]],
  ["a reference to the answer", "(answer 1 (list (reference 0)))", [
    "bad-reference",
  ]],
  ["a reference to itself", "(answer 1 (reference 1))", ["bad-reference"]],
  ["a reference to what is to come", "(answer 1 (list (reference 3) (list)))", [
    "bad-reference",
  ]],
  [
    "a reference to what was no container",
    "(answer 1 (list (none) (reference 2)))",
    [
      "bad-reference",
    ],
  ],
  [
    "32 OPENs by a reference to what holds a reference",
    `(answer 1 (list (list (list (list))) (tuple (reference 2)) ${
      "(list".repeat(26)
    } (reference 5) ${")".repeat(28)}`,
    ["answer 1"],
  ],
  [
    "33 OPENs by a reference to what holds a reference",
    `(answer 1 (list (list (list (list))) (tuple (reference 2)) ${
      "(list".repeat(27)
    } (reference 5) ${")".repeat(29)}`,
    ["too-deep"],
  ],
  [
    "a reference into the message before",
    "(answer 1 (list)) (answer 2 (reference 1))",
    [
      "answer 1",
      "bad-reference",
    ],
  ],
  [
    "a reference to OPEN 2^98",
    `(answer 1 (reference #${"00".repeat(14)}0181))`,
    [
      "bad-reference",
    ],
  ],
  ["a reference without a number", "(answer 1 (reference))", ["bad-token"]],
  ["a reference with two numbers", "(answer 1 (list (list) (reference 2 2)))", [
    "bad-token",
  ]],
  ["a reference with a STRING", "(answer 1 (reference 'x'))", ["bad-token"]],
  [
    "a list as key by reference",
    "(answer 1 (list (list) (dict (reference 2) 1)))",
    [
      "unhashable-key",
    ],
  ],
  [
    "OPENs in what is skipped, which count",
    "(frob (list)) (call 5 -1 (list)) (answer 2 (frob (list))) (answer 1 (list (list 5) (reference 9)))",
    [
      "violation of call 5: bound methods are not supported",
      'violation of answer 2: a sequence of type "frob" is not accepted here',
      "answer 1",
    ],
  ],
  // my-reference.
  ["my-reference without a number", "(answer 1 (my-reference))", ["bad-token"]],
  ["my-reference of a STRING", "(answer 1 (my-reference 'x'))", ["bad-token"]],
  ["my-reference of a NEG", "(answer 1 (my-reference -1))", [
    "violation of answer 1: bound methods are not supported",
  ]],
  ["my-reference 2^31", "(answer 1 (my-reference #000000000881))", [
    "violation of answer 1: the object number of a my-reference is too large",
  ]],
  ["my-reference with an INT as name", "(answer 1 (my-reference 1 2))", [
    "bad-token",
  ]],
  ["my-reference with three texts", "(answer 1 (my-reference 1 'a' 'b' 'c'))", [
    "bad-token",
  ]],
  [
    "my-reference with a name that is not UTF-8",
    "(answer 1 (my-reference 1 #0182ff))",
    [
      "violation of answer 1: a text in a my-reference is not UTF-8",
    ],
  ],
  [
    "my-reference with a FURL of 4000 bytes",
    `(answer 1 (my-reference 1 '' '${"x".repeat(4000)}'))`,
    [
      "answer 1",
    ],
  ],
  [
    "my-reference with a FURL of 4001 bytes",
    `(answer 1 (my-reference 1 '' '${"x".repeat(4001)}'))`,
    [
      "violation of answer 1: a text in a my-reference is too long",
    ],
  ],
]);

const text = (text: string): Row => ({
  bytes: encodeHex(new TextEncoder().encode(text)),
});
const int = (value: number): Row => ({ int: `${value}` });
const answer = (request: number, value: Row): unknown => ({
  kind: "answer",
  request,
  value,
});

Deno.test("BananaReceiver collapses repeated items of a set and keeps the first", () => {
  const bytes = tokens("(answer 1 (set 1 'a' (boolean 1) 'a' (unicode 'a')))");
  assertEquals(everyWay(bytes).events, [
    answer(1, { set: [int(1), text("a"), { text: "a" }] }),
  ]);
});

Deno.test("BananaReceiver keeps a byte order mark", () => {
  assertEquals(everyWay(tokens("(answer 1 (unicode '\ufeffa'))")).events, [
    answer(1, { text: "\ufeffa" }),
  ]);
});

Deno.test("BananaReceiver drops a last key without a value", () => {
  assertEquals(everyWay(tokens("(answer 1 (dict 'b' 1 'a'))")).events, [
    answer(1, { dict: [[text("b"), int(1)]] }),
  ]);
});

Deno.test("BananaReceiver gives one object for a container and its references", () => {
  const values: BananaValue[] = [];
  const receiver = new BananaReceiver(vocabTables[0], defaultLimits, {
    message: (message) =>
      message.kind === "answer" && values.push(message.value),
    ping() {},
  });
  receiver.feed(tokens("(answer 1 (list (dict 'a' 1) (reference 2)))"));
  const [first, second] = values[0] as Dict[];
  assertStrictEquals(first, second);
});
