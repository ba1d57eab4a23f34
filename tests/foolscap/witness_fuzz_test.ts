import { Buffer } from "node:buffer";
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  cut,
  type Message,
  messagesOf,
  piecesOf,
  RECORDINGS,
  recordOf,
  type Side,
  SIDES,
  watch,
} from "./handshakes.ts";

/** The bytes of a message that are signed, or are the signature: [from, to). */
function signedRange(role: Side, message: Message): [number, number] {
  const { name, bytes } = message;
  const all: [number, number] = [0, bytes.length];
  const order = [
    "ClientHello",
    "ServerHello",
    "Certificate",
    "ServerKeyExchange",
    "CertificateRequest",
    "ServerHelloDone",
    "ClientKeyExchange",
    "CertificateVerify",
  ];
  if (role === "server") return order.includes(name) ? all : [0, 0];
  if (name === "ClientHello" || name === "ServerHello") return [6, 38];
  if (message.from === "client") return [0, 0];
  return name === "ServerKeyExchange" ? all : [0, 0];
}

// ---- Mutated handshakes ----------------------------------------------------------------------

Deno.test("20,000 mutated handshakes: no exception, no false proof", () => {
  const cases = RECORDINGS.flatMap(({ pieces }) => {
    const messages = messagesOf(pieces);
    return SIDES.map((role) => ({
      role,
      // What comes after the peer's ChangeCipherSpec cannot matter.
      messages: messages.slice(
        0,
        1 +
          messages.findIndex((one) =>
            one.from !== role && one.name === "ChangeCipherSpec"
          ),
      ),
    }));
  });
  const tally = { proven: 0, refused: 0, must: 0, other: 0 };
  const mutation = fc.record({
    which: fc.nat(),
    at: fc.nat(),
    kind: fc.constantFrom(
      "flip",
      "flip",
      "flip",
      "set",
      "insert",
      "delete",
      "record",
    ),
    value: fc.integer({ min: 1, max: 255 }),
  });
  const sizes = fc.array(fc.integer({ min: 1, max: 700 }), { maxLength: 4 });
  fc.assert(
    fc.property(
      fc.nat({ max: cases.length - 1 }),
      fc.array(mutation, { minLength: 1, maxLength: 3 }),
      sizes,
      (index, mutations, sizes) => {
        const { role, messages } = cases[index];
        const mutated = messages.slice();
        let mustFail = false;
        const headers: [number, number, number][] = [];
        for (const { which, at, kind, value } of mutations) {
          const i = which % messages.length;
          if (kind === "record") {
            headers.push([i, at % 5, value]);
            continue;
          }
          const one = mutated[i];
          const offset = at % one.bytes.length;
          const changed = [...one.bytes];
          if (kind === "flip") changed[offset] ^= value;
          if (kind === "set") changed[offset] = value;
          if (kind === "insert") changed.splice(offset, 0, value);
          if (kind === "delete") changed.splice(offset, 1);
          mutated[i] = { ...one, bytes: Uint8Array.from(changed) };
        }
        for (let i = 0; i < messages.length; i++) {
          const [from, to] = signedRange(role, messages[i]);
          const before = messages[i].bytes.subarray(from, to);
          const after = mutated[i].bytes.subarray(from, to);
          if (Buffer.compare(before, after) !== 0) mustFail = true;
        }
        const pieces = piecesOf(mutated.filter((one) => one.bytes.length > 0));
        for (const [i, at, value] of headers) {
          if (i < pieces.length) pieces[i].bytes[at] ^= value;
        }
        const witness = watch(role, cut(pieces, sizes));
        if (mustFail) assert(!witness.proven, "a false proof");
        if (witness.proven && role === "client") {
          // A server does not sign its certificate. Another one with the same key is proven as
          // just that other one, with another tubid; it is never taken for the original.
          const was = messages.find((one) => one.name === "Certificate")!;
          const is = mutated.find((one) => one.name === "Certificate")!;
          assertEquals(witness.certificate, is.bytes.slice(10));
          if (Buffer.compare(was.bytes, is.bytes) !== 0) tally.other++;
        }
        assertEquals(witness.reason === "", witness.proven);
        tally[witness.proven ? "proven" : "refused"]++;
        if (mustFail) tally.must++;
      },
    ),
    { numRuns: 20_000 },
  );
  // The mutations reach both verdicts, and mostly what matters.
  assert(tally.proven > 100 && tally.must > 10_000, JSON.stringify(tally));
});

Deno.test("any bytes at all: no exception, no proof", () => {
  const pieces = fc.array(fc.record({
    from: fc.constantFrom(...SIDES),
    bytes: fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc.uint8Array({ minLength: 4, maxLength: 200 }).map((bytes) =>
        recordOf({ from: "client", name: "", bytes }).bytes
      ),
    ),
  }));
  fc.assert(fc.property(fc.constantFrom(...SIDES), pieces, (role, pieces) => {
    assertEquals(watch(role, pieces).proven, false);
  }));
});
