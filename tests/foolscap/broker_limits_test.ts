import { assert, assertEquals, assertRejects } from "@std/assert";
import { vocabTables } from "../../lib/foolscap/banana.ts";
import { Violation } from "../../lib/foolscap/errors.ts";
import type {
  Argument,
  RemoteReference,
} from "../../lib/foolscap/references.ts";
import { BananaSender, MyReference } from "../../lib/foolscap/slicers.ts";
import { connected, makeSide, object, quiet, TIMEOUT } from "./broker_pair.ts";
import { latin1 } from "./wire_cases.ts";

Deno.test("limit: callsInProgress counts the calls that are waiting, not those that are done", async () => {
  const waiting: (() => void)[] = [];
  const { there, reference } = await connected(
    object(
      ([wait]) =>
        wait === true
          ? new Promise((resolve) => waiting.push(() => resolve(1n)))
          : 2n,
      ["wait"],
    ),
    { there: { limits: { callsInProgress: 3 } } },
  );
  for (let i = 0; i < 10; i++) {
    assertEquals(await reference.call("go", [false], TIMEOUT), 2n);
  }
  const calls = [1, 2, 3].map(() => reference.call("go", [true], TIMEOUT));
  const refused = await assertRejects(
    () => reference.call("go", [false], TIMEOUT),
    Violation,
  );
  assertEquals(refused.message, "too many calls are being worked on");
  reference.callOnly("go", [true]);
  await quiet();
  assertEquals(waiting.length, 3);
  for (const go of waiting) go();
  await Promise.all(calls);
  await quiet();
  assertEquals(await reference.call("go", [false], TIMEOUT), 2n);
  assertEquals(there.dropped, undefined);
});

Deno.test("limit: references that we hold of a peer", async () => {
  const kept: Argument[] = [];
  const { here, reference } = await connected(
    object((args) => {
      kept.push(...args);
      return null;
    }, ["who"]),
    { there: { limits: { references: 3 } } },
  );
  const bring = () => reference.call("go", [object(() => 1n)], TIMEOUT);
  for (let i = 0; i < 3; i++) await bring();
  const error = await assertRejects(bring, Violation);
  assertEquals(error.message, "too many references are held");
  (kept[0] as RemoteReference).release();
  await quiet();
  await bring();
  assertEquals(here.dropped, undefined);
});

Deno.test("limit: references to objects of ours that a peer can make us hold", async () => {
  const { here, reference } = await connected(object(() => object(() => 1n)), {
    there: { limits: { references: 3 } },
  });
  const answers: RemoteReference[] = [];
  for (let i = 0; i < 2; i++) {
    answers.push(await reference.call("go", [], TIMEOUT) as RemoteReference);
  }
  await assertRejects(
    () => reference.call("go", [], TIMEOUT),
    Violation,
    "too many references",
  );
  answers[0].release();
  await quiet();
  await reference.call("go", [], TIMEOUT);
  assertEquals(here.dropped, undefined);
});

Deno.test("limit: callBytes holds until we have called an object of the peer's", async () => {
  const limits = { callBytes: 2000, answerBytes: 5000 };
  const big = (size: number) =>
    new BananaSender(vocabTables[1]).call(
      0,
      9,
      "x",
      Array(size / 100).fill(new Uint8Array(98)),
    );
  const isDropped = (side: { dropped: Error | undefined }) =>
    side.dropped?.message ?? "";

  const stranger = makeSide({ limits });
  stranger.broker.receive(big(1800));
  assertEquals(stranger.dropped, undefined);
  stranger.broker.receive(big(2100));
  assert(
    isDropped(stranger).includes("more than 2000 bytes"),
    isDropped(stranger),
  );

  // To ask for an object, or to give one back, is no reason to trust a peer with more.
  const asked = makeSide({ limits });
  const call = asked.broker.getReferenceByName("x", 1000).catch(() => {});
  asked.broker.receive(big(2100));
  assert(isDropped(asked).includes("more than 2000 bytes"));
  await call;

  const returned = makeSide({ limits });
  const sender = new BananaSender(vocabTables[1]);
  returned.broker.receive(
    sender.call(1, 0, "getReferenceByName", [new MyReference(1, "RIX")]),
  );
  assert(latin1(returned.sent()).includes("decref"));
  returned.broker.receive(big(2100));
  assert(isDropped(returned).includes("more than 2000 bytes"));

  const polled = makeSide({ limits });
  const getting = polled.broker.getReferenceByName("x", 1000);
  polled.broker.receive(
    new BananaSender(vocabTables[1]).answer(1, new MyReference(1, "RIX")),
  );
  void (await getting).call("go", [], TIMEOUT).catch(() => {});
  polled.broker.receive(big(4800));
  assertEquals(polled.dropped, undefined);
  polled.broker.receive(big(5100));
  assert(isDropped(polled).includes("more than 5000 bytes"));
});

Deno.test("limit: a peer that makes us give objects back and never answers is dropped", () => {
  const side = makeSide({ limits: { references: 20 } });
  const sender = new BananaSender(vocabTables[1]);
  for (let i = 1; i <= 30; i++) {
    side.broker.receive(
      sender.call(0, 0, "getReferenceByName", [new MyReference(1, "RIX")]),
    );
  }
  assertEquals(side.dropped?.message, "20 calls have not been answered");
  assertEquals(side.clock.pending, 0);
});
