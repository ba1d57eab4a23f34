import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  AnswerWriter,
  isSafeName,
  safeLines,
} from "../../lib/munin_node/answer_writer.ts";

/** Texts with much of what matters here. */
const nastyText = fc.array(
  fc.constantFrom(
    ".",
    "\n",
    "\r",
    "a",
    " ",
    "# timeout",
    "\u{1f600}",
    "\ud800",
  ),
).map((parts) => parts.join(""));

Deno.test("what is added is sent whole, in full chunks", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(nastyText),
      fc.integer({ min: 4, max: 20 }),
      async (texts, chunkBytes) => {
        const sent: Uint8Array[] = [];
        const writer = new AnswerWriter((bytes) => {
          sent.push(bytes.slice());
          return Promise.resolve();
        }, chunkBytes);
        for (const text of texts) await writer.add(text);
        await writer.flush();
        assertEquals(
          sent.flatMap((bytes) => [...bytes]),
          texts.flatMap((text) => [...new TextEncoder().encode(text)]),
        );
        assertEquals(
          writer.sent,
          sent.reduce((sum, { length }) => sum + length, 0),
        );
        for (const { length } of sent.slice(0, -1)) {
          // A character is not parted.
          assert(length <= chunkBytes && length > chunkBytes - 4);
        }
      },
    ),
  );
});

Deno.test("what is discarded is not sent", async () => {
  const sent: number[] = [];
  const writer = new AnswerWriter((bytes) => {
    sent.push(bytes.length);
    return Promise.resolve();
  }, 10);
  await writer.add("123456789012345");
  writer.discard();
  await writer.add("123");
  await writer.flush();
  await writer.flush();
  assertEquals([sent, writer.sent], [[10, 3], 13]);
});

Deno.test("lines that would break the protocol are left out, and no others", () => {
  fc.assert(
    fc.property(nastyText, (piece) => {
      const { text, dropped } = safeLines(piece);
      const lines = piece.split("\n");
      if (lines.at(-1) === "") lines.pop();
      const safe = lines.filter((line) =>
        line !== "" && line[0] !== "." && !line.includes("\r") &&
        !line.includes("# timeout")
      );
      assertEquals(text, safe.map((line) => `${line}\n`).join(""));
      assertEquals(dropped, lines.length - safe.length);
    }),
  );
});

Deno.test("names that can stand in an answer", () => {
  const safe = ["a", "tahoe_all", "a.b-c:1", "f\u00fcnf"];
  const unsafe = ["", ".", ".a", "a b", "a\tb", "a\n", "\ra", "a\u0000"];
  assertEquals([...safe, ...unsafe].filter(isSafeName), safe);
});
