import { assertEquals } from "@std/assert";
import { encodeHex } from "@std/encoding";
import {
  type Case,
  everyWay,
  type Row,
  testCases,
  tokens,
} from "./banana_cases.ts";

const failed =
  "(copyable 'twisted.python.failure.Failure' 'type' 'a' 'value' 'b' " +
  "'traceback' 'c' 'parents' (list 'a' 'd'))";
const ping = "#058e";
const abort = "#8a";

testCases([
  // Calls.
  ["a call", "(call 1 0 'm' (arguments 0))", ["call 1"]],
  ["a call without a reply", "(call 0 0 'm' (arguments 0))", ["call 0"]],
  [
    "PING between all tokens",
    `(( ${ping} 'call' ${ping} 1 ${ping} 0 ${ping} 'm' ${ping} (( ${ping} 'arguments' 0 ${ping}) ${ping})`,
    [...Array(8).fill("ping 5"), "call 1"],
  ],
  ["a call of request 2^31", "(call #000000000881", ["bad-token"]],
  ["a call of request NEG", "(call -1", ["bad-token"]],
  ["a call of request LONGINT", "(call #018505", ["bad-token"]],
  ["a call of request STRING", "(call '1'", ["bad-token"]],
  ["a call of request FLOAT", "(call #843ff0000000000000", ["bad-token"]],
  ["a call that begins with a sequence", "(call (none)", ["bad-token"]],
  ["a call that is empty", "(call)", ["bad-token"]],
  ["a call without object", "(call 1)", ["bad-token"]],
  ["a call without method", "(call 1 0)", ["bad-token"]],
  ["a call without arguments", "(call 1 0 'm')", ["bad-token"]],
  [
    "a call with arguments twice",
    "(call 1 0 'm' (arguments 0) (arguments 0))",
    [
      "bad-token",
    ],
  ],
  [
    "a call with something after its arguments",
    "(call 1 0 'm' (arguments 0) 5)",
    [
      "bad-token",
    ],
  ],
  ["a call with a list for arguments", "(call 1 0 'm' (list 0))", [
    "violation of call 1: the arguments of a call are of another type",
  ]],
  ["a call with an INT for arguments", "(call 1 0 'm' 0)", ["bad-token"]],
  ["a call with a text as object", "(call 1 'x'", ["bad-token"]],
  ["a call with an INT as method", "(call 1 0 5", ["bad-token"]],
  ["object NEG 0", "(call 1 #0083 'm' (arguments 0))", ["call 1"]],
  ["a bound method", "(call 7 -3 'm' (arguments 0)) (answer 1 2)", [
    "violation of call 7: bound methods are not supported",
    "answer 1",
  ]],
  ["object 2^31", "(call 7 #000000000881 'm' (arguments 0))", [
    "violation of call 7: the object number of a call is too large",
  ]],
  [
    "a method name of 100 bytes",
    `(call 1 0 '${"m".repeat(100)}' (arguments 0))`,
    [
      "call 1",
    ],
  ],
  [
    "a method name of 101 bytes",
    `(call 1 0 '${"m".repeat(101)}' (arguments 0))`,
    [
      "violation of call 1: the method of a call is too long",
    ],
  ],
  ["a method name that is not UTF-8", "(call 1 0 #0182ff (arguments 0))", [
    "violation of call 1: the method of a call is not UTF-8",
  ]],
  ["a method that is a VOCAB", "(call 1 0 #0387 (arguments 0))", ["call 1"]],
  ["arguments without a count", "(call 1 0 'm' (arguments))", ["bad-token"]],
  ["arguments with a NEG count", "(call 1 0 'm' (arguments -1))", [
    "bad-token",
  ]],
  ["fewer arguments than announced", "(call 1 0 'm' (arguments 2 1))", [
    "bad-token",
  ]],
  [
    "2^448 arguments announced",
    `(call 1 0 'm' (arguments #${"7f".repeat(64)}81 1))`,
    [
      "bad-token",
    ],
  ],
  ["an argument's name without a value", "(call 1 0 'm' (arguments 0 'a'))", [
    "bad-token",
  ]],
  ["an INT as an argument's name", "(call 1 0 'm' (arguments 0 5 5))", [
    "bad-token",
  ]],
  ["an argument twice", "(call 1 0 'm' (arguments 0 'a' 1 'a' 2))", [
    "duplicate-key",
  ]],
  [
    "an argument's name of 101 bytes",
    `(call 1 0 'm' (arguments 0 '${"a".repeat(101)}' 1))`,
    [
      "violation of call 1: an argument's name is too long",
    ],
  ],
  [
    "an argument's name that is not UTF-8",
    "(call 1 0 'm' (arguments 0 #0182ff 1))",
    [
      "violation of call 1: an argument's name is not UTF-8",
    ],
  ],
  ["ABORT in a call", `(call 1 0 ${abort}) (answer 1 2)`, ["answer 1"]],
  [
    "ABORT in an argument",
    `(call 1 0 'm' (arguments 1 (list ${abort} 5))) (answer 1 2)`,
    [
      "answer 1",
    ],
  ],
  ["ABORT before the number of a call", `(call ${abort}) (answer 1 2)`, [
    "answer 1",
  ]],
  // Answers.
  ["an answer without a value", "(answer 1)", ["bad-token"]],
  ["an answer with two values", "(answer 1 2 3)", ["bad-token"]],
  ["an answer with two sequences", "(answer 1 (none) (none))", ["bad-token"]],
  ["an answer without a number", "(answer)", ["bad-token"]],
  ["an answer to a text", "(answer 'x'", ["bad-token"]],
  ["ABORT in an answer", `(answer 7 (list ${abort})) (answer 1 2)`, [
    "violation of answer 7: the sender has aborted it",
    "answer 1",
  ]],
  ["ABORT before the number of an answer", `(answer ${abort})`, [
    "violation of answer undefined: the sender has aborted it",
  ]],
  ["ABORT in place of a type", `(answer 7 (( ${abort} )) (answer 1 2)`, [
    "violation of answer 7: the sender has aborted it",
    "answer 1",
  ]],
  // Errors.
  ["an error", `(error 1 ${failed})`, ["error 1"]],
  ["an error with two failures", `(error 1 ${failed} ${failed})`, [
    "bad-token",
  ]],
  ["an error without a failure", "(error 1)", ["bad-token"]],
  ["an error of nothing", "(error)", ["bad-token"]],
  ["an error with an INT", "(error 1 5)", [
    'violation of error 1: an error has to hold a copyable "twisted.python.failure.Failure"',
  ]],
  ["an error with a list", "(error 1 (list))", [
    'violation of error 1: an error has to hold a copyable "twisted.python.failure.Failure"',
  ]],
  [
    "an error with another copyable",
    `(error 1 ${failed.replace(".Failure", ".Other")})`,
    [
      'violation of error 1: an error has to hold a copyable "twisted.python.failure.Failure"',
    ],
  ],
  ["a copyable without a class name", "(error 1 (copyable))", ["bad-token"]],
  ["a copyable and OPEN", "(error 1 (copyable (list", ["bad-token"]],
  ...["type", "value", "traceback"].map((field) =>
    [
      `an error without "${field}"`,
      `(error 1 ${failed.replace(new RegExp(`'${field}' '.' `), "")})`,
      ["bad-token"],
    ] as Case
  ),
  [
    'an error without "parents"',
    `(error 1 ${failed.replace(/'parents' \(.*?\)/, "")})`,
    [
      "bad-token",
    ],
  ],
  [
    "an error with a field twice",
    `(error 1 ${failed.replace("'value'", "'type' 'x' 'value'")})`,
    [
      "duplicate-key",
    ],
  ],
  [
    "an error with an unknown field",
    `(error 1 ${failed.replace("'value'", "'x' 'x' 'value'")}) (answer 1 2)`,
    [
      "violation of error 1: a failure has a field that is not known",
      "answer 1",
    ],
  ],
  [
    "an error with an INT as a field's name",
    `(error 1 ${failed.replace("'value'", "5 'value'")})`,
    [
      "bad-token",
    ],
  ],
  [
    "an error with a field's name and no value",
    `(error 1 ${failed.replace("'parents' (list 'a' 'd')", "'parents'")})`,
    [
      "bad-token",
    ],
  ],
  [
    "an error with text for bytes",
    `(error 1 ${failed.replace("'b'", "(unicode 'b')")})`,
    [
      "violation of error 1: the fields of a failure have to be byte strings",
    ],
  ],
  [
    "an error with an INT for bytes",
    `(error 1 ${failed.replace("'b'", "5")})`,
    [
      "violation of error 1: the fields of a failure have to be byte strings",
    ],
  ],
  [
    "an error with bytes for parents",
    `(error 1 ${failed.replace("(list 'a' 'd')", "'a'")})`,
    [
      "violation of error 1: the fields of a failure have to be byte strings",
    ],
  ],
  [
    "an error with a tuple for parents",
    `(error 1 ${failed.replace("(list", "(tuple")})`,
    [
      "violation of error 1: the fields of a failure have to be byte strings",
    ],
  ],
  [
    "an error with text among the parents",
    `(error 1 ${failed.replace("'d'", "(unicode 'd')")})`,
    [
      "violation of error 1: the fields of a failure have to be byte strings",
    ],
  ],
  [
    "an error with 4001 bytes",
    `(error 1 ${failed.replace("'b'", `'${"b".repeat(4001)}'`)})`,
    [
      "violation of error 1: a field of a failure is too long",
    ],
  ],
  ["ABORT in an error", `(error 6 (copyable ${abort})) (answer 1 2)`, [
    "violation of error 6: the sender has aborted it",
    "answer 1",
  ]],
]);

const text = (text: string): Row => ({
  bytes: encodeHex(new TextEncoder().encode(text)),
});
const int = (value: number): Row => ({ int: `${value}` });

Deno.test("BananaReceiver reads arguments by position and by name", () => {
  const bytes = tokens("(call 3 1 'm' (arguments 2 'a' (none) 'b' 5 'c' 'd'))");
  assertEquals(everyWay(bytes).events, [
    {
      kind: "call",
      request: 3,
      object: 1,
      method: "m",
      args: [text("a"), { none: true }],
      kwargs: [["b", int(5)], ["c", text("d")]],
    },
  ]);
});

Deno.test("BananaReceiver cuts long texts of an error between characters, and long lists of parents", () => {
  const notation = `(error 1 ${
    failed.replace("'b'", `'x${"𝄞".repeat(400)}'`)
      .replace("'c'", "#0582ffc3a9f09f")
      .replace("(list", "(list" + " 'p'".repeat(100))
  })`;
  assertEquals(everyWay(tokens(notation)).events, [{
    kind: "error",
    request: 1,
    failure: {
      type: "a",
      value: "x" + "𝄞".repeat(249),
      traceback: "\ufffdé\ufffd",
      parents: Array(32).fill("p"),
    },
  }]);
});
