import { assertEquals } from "@std/assert";
import { Doubles } from "../../lib/foolscap/doubles.ts";
import { FakeClock } from "../fake_clock.ts";
import { captureLog } from "../log_capture.ts";

const A = { incarnation: "a", address: "192.0.2.1:1001" };
const B = { incarnation: "b", address: "192.0.2.2:1002" };
const C = { incarnation: "c", address: "192.0.2.3:1003" };

/** What becomes of it when programs connect in turns, a second after one another. */
async function connectedInTurn(
  places: readonly typeof A[],
  most = 10,
): Promise<{ doubles: Doubles; clock: FakeClock }> {
  const clock = new FakeClock();
  const doubles = new Doubles(clock, most);
  for (const place of places) {
    doubles.seen({ tubid: "t", ...place });
    await clock.advance(1000);
  }
  return { doubles, clock };
}

Deno.test("programs that start again, lose their connection or have none of a name are no doubles", async () => {
  await using log = await captureLog();
  const nobody = { incarnation: "", address: "192.0.2.9:1" };
  for (
    const places of [
      [A, A, A],
      [A, B],
      [A, B, B, C],
      [A, { ...A, address: "192.0.2.7:1" }, A],
      [nobody, A, nobody, A],
    ]
  ) {
    const { doubles, clock } = await connectedInTurn(places);
    assertEquals([doubles.list(), clock.pending], [[], 0]);
  }
  assertEquals(log.lines, []);
});

Deno.test("a program that comes back after another had its place is one of two, which is said once", async () => {
  await using log = await captureLog();
  const { doubles } = await connectedInTurn([A, B, A, B, A, B, A, B]);
  assertEquals(doubles.list(), [
    { tubid: "t", addresses: [B.address, A.address] },
  ]);
  assertEquals([doubles.has("t"), doubles.has("u")], [true, false]);
  assertEquals(log.lines, [
    "warning the identity t is in two places at once, 192.0.2.1:1001 and 192.0.2.2:1002: " +
    "each throws the other out; give one of them a key of its own",
  ]);
  doubles.close();
});

Deno.test("three are three", async () => {
  await using _log = await captureLog();
  const { doubles } = await connectedInTurn([A, B, C, A, B, C]);
  assertEquals(doubles.list()[0].addresses, [
    C.address,
    B.address,
    A.address,
  ]);
  doubles.close();
});

Deno.test("it is over when one has had the connection to itself for ten minutes", async () => {
  await using log = await captureLog();
  const { doubles, clock } = await connectedInTurn([A, B, A, B]);
  await clock.advance(500_000);
  assertEquals(doubles.list().length, 1);
  doubles.seen({ tubid: "t", ...A });
  log.lines.length = 0;
  await clock.advance(599_999);
  assertEquals(doubles.list().length, 1);
  await clock.advance(60_000);
  assertEquals([doubles.list(), doubles.has("t"), clock.pending], [
    [],
    false,
    0,
  ]);
  assertEquals(log.lines, [
    "info the identity t is in one place again, 192.0.2.1:1001",
  ]);
  // And from the beginning.
  doubles.seen({ tubid: "t", ...B });
  assertEquals(doubles.list(), []);
  doubles.seen({ tubid: "t", ...A });
  assertEquals(doubles.list().length, 1);
  assertEquals(log.lines.length, 2);
  doubles.close();
});

Deno.test("no more identities are remembered than there may be", async () => {
  await using _log = await captureLog();
  const clock = new FakeClock();
  const doubles = new Doubles(clock, 2);
  for (const tubid of ["t", "u", "v"]) doubles.seen({ tubid, ...A });
  for (const tubid of ["t", "u", "v"]) doubles.seen({ tubid, ...B });
  for (const tubid of ["t", "u", "v"]) doubles.seen({ tubid, ...A });
  assertEquals(doubles.list(), []);
  assertEquals(clock.pending, 0);
});
