import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
} from "@std/assert";
import fc from "fast-check";
import { vocabTables } from "../../lib/foolscap/banana.ts";
import {
  ConnectionLost,
  RemoteError,
  Violation,
} from "../../lib/foolscap/errors.ts";
import {
  type Argument,
  isRemoteReference,
  Referenceable,
  type RemoteReference,
} from "../../lib/foolscap/references.ts";
import {
  BananaSender,
  type BananaValue,
  Dict,
  MyReference,
} from "../../lib/foolscap/slicers.ts";
import { toRow } from "./banana_cases.ts";
import {
  connected,
  makePair,
  makeSide,
  object,
  quiet,
  TIMEOUT,
} from "./broker_pair.ts";
import { reactionOf, tokensOf } from "./wire_text.ts";
import { latin1, utf8 } from "./wire_cases.ts";

Deno.test("values of every kind arrive as they were sent", async () => {
  const kinds: BananaValue[] = [
    0n,
    2n ** 100n,
    -(2n ** 31n),
    0,
    -0,
    0.5,
    Infinity,
    "text \u{1F600}",
    utf8("dict"),
    true,
    false,
    null,
    [1n, [2n], utf8("x")],
    Dict.of([[utf8("a"), null], [utf8("b"), 1.5]]),
  ];
  for (const vocab of [0, 1]) {
    for (const chunk of [1, 1000]) {
      const { reference } = await connected(
        object(([value]) => value as BananaValue, ["value"]),
        {
          here: { vocab },
          there: { vocab },
          chunk,
        },
      );
      for (const value of kinds) {
        const answer = await reference.call("go", [value], TIMEOUT);
        assertEquals(toRow(answer as BananaValue), toRow(value));
      }
    }
  }
});

Deno.test("calls go both ways at once, and answers come in any order", async () => {
  const waiting: ((value: bigint) => void)[] = [];
  const { here, there, reference } = await connected(
    object(() => new Promise((resolve) => waiting.push(resolve))),
    { here: { objects: { mine: object(() => 7n) } } },
  );
  const back = await there.broker.getReferenceByName("mine", 1000);
  const calls = [1, 2, 3].map(() => reference.call("go", [], TIMEOUT));
  assertEquals(await back.call("go", [], TIMEOUT), 7n);
  await quiet();
  assertEquals(waiting.length, 3);
  for (const i of [2, 0, 1]) waiting[i](BigInt(i));
  assertEquals(await Promise.all(calls), [0n, 1n, 2n]);
  assertEquals(here.dropped ?? there.dropped, undefined);
});

Deno.test("what a method throws reaches the caller as the reference would send it", async () => {
  class Odd extends Error {}
  const cases: [() => never, string, string][] = [
    [() => fail(new Violation("no such thing")), "Violation", "no such thing"],
    [() => fail(new Odd("boom")), "builtins.Exception", "boom"],
    [() => fail("just text"), "builtins.Exception", "just text"],
    [() => fail(undefined), "builtins.Exception", "undefined"],
    [() => fail(new Error("")), "builtins.Exception", ""],
  ];
  const fail = (error: unknown): never => {
    throw error;
  };
  for (const [throws, type, text] of cases) {
    for (const method of [throws, async () => (await null, throws())]) {
      const { reference } = await connected(object(method));
      const error = await assertRejects(
        () => reference.call("go", [], TIMEOUT),
        Error,
      );
      if (type === "Violation") {
        assertInstanceOf(error, Violation);
        assertEquals(error.message, text);
      } else {
        assertInstanceOf(error, RemoteError);
        assertEquals([error.type, error.value], [type, text]);
      }
    }
  }
});

Deno.test("a peer's error is one line in our logs, whatever it says", async () => {
  const { reference } = await connected(object(() => {
    throw new Error("one\r\n2026-01-01 forged line\u2028three\x1b[31m");
  }));
  const error = await assertRejects(
    () => reference.call("go", [], TIMEOUT),
    RemoteError,
  );
  assertEquals(
    error.message,
    "the peer answered with builtins.Exception: one 2026-01-01 forged line three [31m",
  );
});

Deno.test("unknown objects, methods and arguments are refused one by one", () => {
  const two = new Referenceable("RITwo", {
    add: { parameters: ["a", "b"], call: () => 1n },
  });
  const side = makeSide({ objects: { secret: two } });
  const sender = new BananaSender(vocabTables[1]);
  side.broker.receive(
    sender.call(1, 0, "getReferenceByName", [utf8("secret")]),
  );
  side.sent();
  const cases: [
    number,
    string,
    BananaValue[],
    Record<string, BananaValue>,
    string?,
  ][] = [
    [1, "add", [1n, 2n], {}],
    [1, "add", [1n], { b: 2n }],
    [1, "add", [], { a: 1n, b: 2n }],
    [1, "add", [1n], {}, "missing required argument 'b'"],
    [1, "add", [], { b: 1n }, "missing required argument 'a'"],
    [1, "add", [1n, 2n, 3n], {}, "too many positional arguments: 3 >= 2"],
    [1, "add", [1n, 2n], { c: 3n }, "unknown argument 'c'"],
    [
      1,
      "add",
      [1n, 2n],
      { a: 3n },
      "got multiple values for keyword argument 'a'",
    ],
    [1, "sub", [], {}, "method 'sub' not defined in RITwo"],
    [1, "constructor", [], {}, "method 'constructor' not defined in RITwo"],
    [1, "__proto__", [], {}, "method '__proto__' not defined in RITwo"],
    [0, "add", [], {}, "method 'add' not defined in RIBroker"],
    [2, "add", [1n, 2n], {}, "unknown CLID 2"],
  ];
  for (const [index, [clid, method, args, kwargs, text]] of cases.entries()) {
    side.broker.receive(sender.call(index + 2, clid, method, args, kwargs));
    const sent = latin1(side.sent());
    if (text === undefined) assert(!sent.includes("Violation"), method);
    else {assert(
        sent.includes(text) && sent.includes("foolscap.tokens.Violation"),
        sent,
      );}
  }
  assertEquals(side.dropped, undefined);
});

Deno.test("callOnly() gets no reply, even if it goes wrong", async () => {
  let calls = 0;
  const { here, bytes, reference } = await connected(object(() => {
    calls++;
    throw new Error("nobody hears this");
  }));
  bytes.length = 0;
  reference.callOnly("go", []);
  reference.callOnly("nonsense", []);
  await quiet();
  assertEquals(calls, 1);
  assertEquals(bytes.length, 2);
  assertEquals(here.clock.pending, 0);
});

Deno.test("a call that is not answered in time fails; the late answer is ignored", async () => {
  const { promise, resolve } = Promise.withResolvers<bigint>();
  const { here, reference } = await connected(object(() => promise));
  const call = reference.call("go", [], { timeoutMs: 20_000 });
  const failed = assertRejects(
    () => call,
    DOMException,
    "no answer to go within 20 s",
  );
  await here.clock.advance(19_999);
  assertEquals(here.clock.pending, 1);
  await here.clock.advance(1);
  assertEquals((await failed).name, "TimeoutError");
  resolve(5n);
  await quiet();
  const other = reference.call("go", [], TIMEOUT);
  assertEquals(await other, 5n);
  assertEquals(here.clock.pending, 0);
});

Deno.test("when the connection ends every call fails at once, and no timer is left", async () => {
  const { here, reference } = await connected(
    object(() => new Promise(() => {})),
  );
  let told: unknown;
  reference.disconnected.addEventListener(
    "abort",
    () => told = reference.disconnected.reason,
  );
  const calls = [1, 2].map(() => reference.call("go", [], TIMEOUT));
  const reason = new ConnectionLost("gone");
  here.broker.finish(reason);
  here.broker.finish(new ConnectionLost("a second time"));
  for (const call of calls) {
    assertEquals(await call.catch((error) => error), reason);
  }
  assertEquals(told, reason);
  assertEquals(
    await reference.call("go", [], TIMEOUT).catch((error) => error),
    reason,
  );
  reference.callOnly("go", []);
  reference.release();
  assertEquals(here.clock.pending, 0);
});

Deno.test("what comes behind the end of a connection in one chunk is not acted on", () => {
  let calls = 0;
  const side = makeSide({ objects: { secret: object(() => BigInt(++calls)) } });
  const sender = new BananaSender(vocabTables[1]);
  side.broker.receive(
    sender.call(1, 0, "getReferenceByName", [utf8("secret")]),
  );
  const both = [
    ...sender.call(0, 1, "go", []),
    ...sender.errorToken("bye"),
    ...sender.call(0, 1, "go", []),
  ];
  side.broker.receive(Uint8Array.from(both));
  side.broker.receive(sender.call(0, 1, "go", []));
  assertEquals(calls, 1);
  assert(side.dropped);
});

Deno.test("a method that ends its own connection is the last that is called over it", () => {
  let calls = 0;
  const side = makeSide({
    objects: {
      secret: object(() => {
        calls++;
        side.broker.finish(new ConnectionLost("in the midst"));
        return null;
      }),
    },
  });
  const sender = new BananaSender(vocabTables[1]);
  side.broker.receive(Uint8Array.from([
    ...sender.call(1, 0, "getReferenceByName", [utf8("secret")]),
    ...sender.call(2, 1, "go", []),
    ...sender.call(3, 1, "go", []),
  ]));
  assertEquals(calls, 1);
  assertEquals(
    reactionOf(side.sent()).filter((token) => token === '"answer"').length,
    1,
  );
});

Deno.test("an unknown name is refused without quoting it, on the wire and in our error", async () => {
  const { here, bytes } = makePair();
  const swissnum = "gywo3xz5vq4ihbpnz3pn6lqj7kx7wkhs";
  const error = await assertRejects(
    () => here.broker.getReferenceByName(swissnum, 1000),
    RemoteError,
  );
  assertEquals(error.type, "builtins.KeyError");
  assert(!error.message.includes("gy"), error.message);
  assert(!latin1(bytes[1]).includes("gy"));
});

Deno.test("a peer that quotes the name gets it into none of our errors", async () => {
  const side = makeSide();
  const call = side.broker.getReferenceByName("gywo3xz5vq4ihbpn", 1000);
  side.broker.receive(
    new BananaSender(vocabTables[1]).error(1, {
      type: "builtins.KeyError",
      value: "unable to find reference for name gywo3xz5vq4ihbpn",
      traceback: "",
      parents: [],
    }),
  );
  const error = await assertRejects(() => call, RemoteError);
  assert(!`${error.message}${error.value}${error.stack}`.includes("gywo"));
});

Deno.test("an answer to getReferenceByName that is no object is a violation", async () => {
  for (const value of [null, 5n, "pb://x", [new MyReference(1, "", "")]]) {
    const side = makeSide();
    const call = side.broker.getReferenceByName("name", 1000);
    side.broker.receive(new BananaSender(vocabTables[1]).answer(1, value));
    await assertRejects(() => call, Violation, "something else than an object");
  }
});

Deno.test("an object keeps its number while it is known, and gets a new one after decref", async () => {
  const target = object(() => null);
  const { here, there, reference, bytes } = await connected(target);
  assertEquals([reference.clid, reference.interfaceName], [1, "RITest"]);
  assertEquals(reference.furl?.name, "secret");
  const again = await here.broker.getReferenceByName("secret", 1000);
  assertEquals(again, reference);
  // The short form: no interface name, no FURL.
  assertEquals(
    reactionOf(bytes.at(-1)!),
    ["(2", '"answer"', "2", "(3", '"my-reference"', "1", "3)", "2)"],
  );
  again.release();
  await quiet();
  assertEquals(
    reactionOf(bytes.at(-2)!).slice(1),
    [
      '"call"',
      "3",
      "0",
      '"decref"',
      "(5",
      '"arguments"',
      "0",
      '"clid"',
      "1",
      '"count"',
      "2",
      "5)",
      "4)",
    ],
  );
  const error = await assertRejects(
    () => reference.call("go", [], TIMEOUT),
    Violation,
  );
  assertEquals(error.message, "unknown CLID 1");
  const fresh = await here.broker.getReferenceByName("secret", 1000);
  assertEquals([fresh.clid, fresh.interfaceName], [2, "RITest"]);
  assertEquals(await fresh.call("go", [], TIMEOUT), null);
  assertEquals(there.dropped, undefined);
});

Deno.test("a short form that crosses our decref keeps the object and its name", async () => {
  const side = makeSide();
  const sender = new BananaSender(vocabTables[1]);
  const first = side.broker.getReferenceByName("a", 1000);
  side.broker.receive(sender.answer(1, new MyReference(1, "RIOne")));
  const reference = await first;
  const second = side.broker.getReferenceByName("a", 1000);
  reference.release();
  reference.release();
  side.broker.receive(sender.answer(2, new MyReference(1)));
  assertEquals((await second).interfaceName, "RIOne");
  side.broker.receive(sender.answer(3, null));
  await quiet();
  // The decref is answered, and the object still known: the short form will do.
  const third = side.broker.getReferenceByName("a", 1000);
  side.broker.receive(sender.answer(4, new MyReference(1)));
  assertEquals(await third, reference);
  side.sent();
  (await second).release();
  assertEquals(latin1(side.sent()).match(/decref/g)?.length, 1);
});

Deno.test("decref answers as the reference does, and counts below nought not at all", () => {
  const side = makeSide({ objects: { secret: object(() => null) } });
  const sender = new BananaSender(vocabTables[1]);
  side.broker.receive(
    sender.call(1, 0, "getReferenceByName", [utf8("secret")]),
  );
  side.sent();
  const cases: [BananaValue, BananaValue, string][] = [
    [9n, 1n, '"answer"'],
    [1n, 2n, 'type "builtins.AssertionError"'],
    [1n, -1n, 'type "builtins.AssertionError"'],
    [1n, 2n ** 200n, 'type "builtins.AssertionError"'],
    [1n, utf8("1"), 'type "foolscap.tokens.Violation"'],
    [null, 1n, 'type "foolscap.tokens.Violation"'],
    [1n, 1n, '"answer"'],
    [1n, 1n, '"answer"'],
  ];
  for (const [index, [clid, count, expected]] of cases.entries()) {
    side.broker.receive(
      sender.call(index + 2, 0, "decref", [], { clid, count }),
    );
    assert(reactionOf(side.sent()).includes(expected), expected);
  }
  side.broker.receive(sender.call(100, 0, "decgift", [1n, 1n]));
  assert(reactionOf(side.sent()).includes('type "builtins.KeyError"'));
});

Deno.test("an object that comes as an argument can be called, and knows who sent it", async () => {
  const taken: Argument[] = [];
  const { here, reference } = await connected(object((args) => {
    taken.push(...args);
    return null;
  }, ["who"]));
  await reference.call("go", [object(() => 42n, [], "RICallback")], TIMEOUT);
  const [callback] = taken;
  assert(isRemoteReference(callback));
  assertEquals(callback.interfaceName, "RICallback");
  assertEquals(callback.furl, undefined);
  assertEquals(callback.peer.tubid.length, 32);
  assertEquals(await callback.call("go", [], TIMEOUT), 42n);
  assertEquals(here.dropped, undefined);
});

Deno.test("an object can be the answer", async () => {
  const inner = object(() => 5n, [], "RIInner");
  const { reference } = await connected(object(() => Promise.resolve(inner)));
  const answer = await reference.call("go", [], TIMEOUT) as RemoteReference;
  assertEquals(answer.interfaceName, "RIInner");
  assertEquals(await answer.call("go", [], TIMEOUT), 5n);
});

Deno.test("a refused call gives back what it brought, and nothing that was taken before", async () => {
  const mine = object(() => 1n, [], "RIMine");
  const taken: RemoteReference[] = [];
  const { reference, bytes } = await connected(object(([value, good]) => {
    if (good !== true) throw new Violation("not today");
    taken.push(value as RemoteReference);
    return null;
  }, ["value", "good"]));
  const decrefs = () =>
    bytes.filter((sent) => latin1(sent).includes("decref")).length;
  await assertRejects(
    () => reference.call("go", [mine, false], TIMEOUT),
    Violation,
  );
  await quiet();
  assertEquals(decrefs(), 1);
  await reference.call("go", [mine, true], TIMEOUT);
  await assertRejects(
    () => reference.call("go", [mine, false], TIMEOUT),
    Violation,
  );
  await quiet();
  assertEquals(decrefs(), 2);
  assertEquals(await taken[0].call("go", [], TIMEOUT), 1n);
});

Deno.test("references in the midst of a value stay what they are", async () => {
  let got: Argument | undefined;
  const side = makeSide({
    objects: {
      secret: object(([value]) => {
        got = value;
        return null;
      }, ["value"]),
    },
  });
  const sender = new BananaSender(vocabTables[1]);
  side.broker.receive(
    sender.call(1, 0, "getReferenceByName", [utf8("secret")]),
  );
  side.broker.receive(sender.call(2, 1, "go", [[new MyReference(5, "RIX")]]));
  await quiet();
  assertEquals(got, [new MyReference(5, "RIX")]);
  assertEquals(side.dropped, undefined);
});

Deno.test("a FURL of another Tub, or of none, ends the connection", () => {
  const own = "hbcc7cv4lemmk5snjzrjuia6frdsm3lt";
  const cases: [string, boolean][] = [
    [`pb://${own}@tcp:127.0.0.1:1/x`, true],
    [`pb://${own}@/x`, true],
    [`pb://${"a".repeat(32)}@tcp:127.0.0.1:1/x`, false],
    [`pb://${own.toUpperCase()}@/x`, false],
    ["", false],
    ["garbage", false],
  ];
  for (const [furl, accepted] of cases) {
    const side = makeSide({ objects: { secret: object(() => null, ["who"]) } });
    const sender = new BananaSender(vocabTables[1]);
    side.broker.receive(
      sender.call(1, 0, "getReferenceByName", [utf8("secret")]),
    );
    side.sent();
    side.broker.receive(
      sender.call(2, 1, "go", [new MyReference(1, "RIX", furl)]),
    );
    assertEquals(side.dropped === undefined, accepted, furl);
    if (!accepted) assertEquals(reactionOf(side.sent()), ["ERROR"]);
  }
});

Deno.test("a request number that is still being worked on ends the connection", () => {
  const side = makeSide({
    objects: { secret: object(() => new Promise(() => {})) },
  });
  const sender = new BananaSender(vocabTables[1]);
  side.broker.receive(
    sender.call(1, 0, "getReferenceByName", [utf8("secret")]),
  );
  side.broker.receive(sender.call(2, 1, "go", []));
  assertEquals(side.dropped, undefined);
  side.broker.receive(sender.call(2, 1, "go", []));
  assertEquals(side.dropped?.message, "request 2 is being worked on already");
});

Deno.test("a method's own bug is an error reply; a bug in reading ends the connection", () => {
  const side = makeSide({
    objects: {
      secret: object(() => {
        throw new TypeError("undefined is not a function");
      }),
    },
  });
  const sender = new BananaSender(vocabTables[1]);
  side.broker.receive(
    sender.call(1, 0, "getReferenceByName", [utf8("secret")]),
  );
  side.broker.receive(sender.call(2, 1, "go", []));
  assertEquals(side.dropped, undefined);
  side.broker.receive(Uint8Array.of(0x80));
  assert(side.dropped);
});

Deno.test("what cannot be encoded fails alone and leaves nothing pending", async () => {
  let deep: BananaValue = [];
  for (let i = 0; i < 1000; i++) deep = [deep];
  const { here, there, reference } = await connected(
    object(([value]) => value === true ? deep : 1n, ["x"]),
  );
  await assertRejects(() => reference.call("go", [deep], TIMEOUT), RangeError);
  assertEquals(here.clock.pending, 0);
  const error = await assertRejects(
    () => reference.call("go", [true], TIMEOUT),
    RemoteError,
  );
  assert(error.value.includes("nested"), error.value);
  assertEquals(await reference.call("go", [null], TIMEOUT), 1n);
  assertEquals(here.dropped ?? there.dropped, undefined);
});

Deno.test("PING is answered with its own number, in the midst of a message too", () => {
  const side = makeSide();
  side.broker.receive(
    Uint8Array.of(0x8e, 5, 0x8e, 0, 0x88, 7, 0x8e, 0x8f, 9, 0x8f),
  );
  assertEquals([...side.sent()], [0x8f, 5, 0x8f, 7, 0x8f]);
  side.broker.ping();
  assertEquals([...side.sent()], [0x8e]);
});

Deno.test("an ERROR is not answered; its text is in the reason, printable", () => {
  const side = makeSide();
  const text = utf8("bad\n\x1b[0m thing");
  side.broker.receive(Uint8Array.of(text.length, 0x8d, ...text));
  assertEquals(side.sent().length, 0);
  assert(
    side.dropped?.message.includes('"bad??[0m thing"'),
    side.dropped?.message,
  );
});

Deno.test("answers and errors to requests that do not exist are skipped", () => {
  const side = makeSide();
  const sender = new BananaSender(vocabTables[1]);
  side.broker.receive(sender.answer(12, new MyReference(1, "RIX")));
  side.broker.receive(
    sender.error(13, { type: "x", value: "", traceback: "", parents: [] }),
  );
  assertEquals(side.dropped, undefined);
  assertEquals(side.sent().length, 0);
});

Deno.test("any traffic between two brokers ends in order, however it is cut", async () => {
  const value = fc.letrec<{ any: BananaValue }>((tie) => ({
    any: fc.oneof(
      { depthSize: "small" },
      fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }),
      fc.double(),
      fc.string({ unit: "binary" }).map((text) => text.toWellFormed()),
      fc.uint8Array({ maxLength: 40 }),
      fc.constantFrom<BananaValue>(null, true, false),
      fc.array(tie("any"), { maxLength: 4 }),
    ),
  })).any;
  const step = fc.tuple(fc.boolean(), fc.array(value, { maxLength: 3 }));
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 10 }),
      fc.integer({ min: 1, max: 50 }),
      async (steps, chunk) => {
        const echo = object(([list]) => list as BananaValue, ["list"]);
        const pair = makePair({
          here: { objects: { secret: echo } },
          there: { objects: { secret: echo } },
          chunk,
        });
        const references = await Promise.all(
          [pair.here, pair.there].map((side) =>
            side.broker.getReferenceByName("secret", 1000)
          ),
        );
        await Promise.all(steps.map(async ([side, list]) => {
          const answer = await references[side ? 0 : 1].call(
            "go",
            [list],
            TIMEOUT,
          );
          assertEquals(toRow(answer as BananaValue), toRow(list));
        }));
        assertEquals(pair.here.dropped ?? pair.there.dropped, undefined);
        assertEquals(pair.here.clock.pending, 0);
      },
    ),
    { numRuns: 50 },
  );
});

Deno.test("random bytes end a connection at worst, and are answered with an ERROR at most", () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 5 }),
      (chunks) => {
        const side = makeSide({ objects: { secret: object(() => null) } });
        for (const chunk of chunks) side.broker.receive(chunk);
        const tokens = tokensOf(side.sent());
        assertEquals(
          tokens.includes("ERROR"),
          side.dropped !== undefined && tokens.length > 0 &&
            tokens.at(-1) === "ERROR",
        );
      },
    ),
    { numRuns: 500 },
  );
});
