/**
 * Random and damaged streams: nothing but a `BananaError` may come of them, the same with every
 * cutting, and no memory may stay behind. Environment, if it may be read: `GATHERER_FUZZ_FRAMES`
 * (default 1,000,000) and `GATHERER_FUZZ_SEED` (default fixed).
 */

import { assert, assertEquals } from "@std/assert";
import { decodeHex, encodeHex } from "@std/encoding";
import { vocabTables } from "../../lib/foolscap/banana.ts";
import { BananaError } from "../../lib/foolscap/errors.ts";
import { defaultLimits } from "../../lib/foolscap/limits.ts";
import { BananaReceiver } from "../../lib/foolscap/unslicers.ts";
import { encode, joined, messages, outcome } from "./banana_cases.ts";

function setting(name: string, otherwise: number): number {
  const { state } = Deno.permissions.querySync({ name: "env", variable: name });
  const text = state === "granted" ? Deno.env.get(name) : undefined;
  return text === undefined ? otherwise : Number(text);
}

const frames = setting("GATHERER_FUZZ_FRAMES", 1_000_000);
const seed = setting("GATHERER_FUZZ_SEED", 20_110_919);

/** Integers below `bound`, the same for the same seed (xorshift32). */
function generator(seed: number): (bound: number) => number {
  let state = seed | 0 || 1;
  return (bound) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % bound;
  };
}

type Random = ReturnType<typeof generator>;

/** Whole messages from Foolscap, none of them long. */
const golden: readonly Uint8Array[] = [
  ...messages.flatMap(({ hex }) => hex),
  ...encode.map(({ hex, hex_vocab1 }) =>
    `00880d870181${hex_vocab1 ?? hex}0089`
  ),
].map((hex) => decodeHex(hex)).filter(({ length }) => length < 400);

/** Bytes that mean something, so that damage gets past the first token. */
const pieces: readonly Uint8Array[] = [
  ...Array.from({ length: 16 }, (_, i) => new Uint8Array([0x80 + i])),
  ...["0088", "0089", "0188", "0189", "0181", "0081", "0087", "0287", "0487"],
  ...["0587", "0387", "0d87", "0b87", "0e87", "0c87", "0687", "1287", "0f87"],
  ...["0088028702810089", "008804870089", "0088058701810089", "7f7f7f7f7f81"],
  ...["018261", "008800870089", "848000000000000000", "7f7f7f7f7f82", "018a"],
].map((piece) => typeof piece === "string" ? decodeHex(piece) : piece);

const scratch = new Uint8Array(2048);

/** A golden message with some damage, or bytes from nowhere; valid until the next call. */
function damaged(random: Random): Uint8Array {
  if (random(10) === 0) {
    const length = random(60);
    for (let i = 0; i < length; i++) scratch[i] = random(256);
    return scratch.subarray(0, length);
  }
  const source = golden[random(golden.length)];
  scratch.set(source);
  let length = source.length;
  for (let damages = 1 + random(4); damages > 0 && length > 0; damages--) {
    const at = random(length);
    switch (random(6)) {
      case 0:
        scratch[at] = random(256);
        break;
      case 1:
        scratch[at] ^= 1 << random(8);
        break;
      case 2: {
        const piece = pieces[random(pieces.length)];
        scratch.copyWithin(at + piece.length, at, length);
        scratch.set(piece, at);
        length += piece.length;
        break;
      }
      case 3: {
        const piece = pieces[random(pieces.length)];
        scratch.set(piece, at);
        length = Math.max(length, at + piece.length);
        break;
      }
      case 4: {
        // A run is left out or comes twice.
        const run = Math.min(1 + random(8), length - at);
        if (random(2) === 0) {
          scratch.copyWithin(at, at + run, length);
          length -= run;
        } else {
          scratch.copyWithin(at + run, at, length);
          length += run;
        }
        break;
      }
      case 5:
        length = at;
        break;
    }
  }
  return scratch.subarray(0, length);
}

function memoryInUse(): number {
  (globalThis as { gc?: () => void }).gc?.();
  const { heapUsed, external } = Deno.memoryUsage();
  return heapUsed + external;
}

/** Small limits, so that they are met. */
const limits = {
  ...defaultLimits,
  callBytes: 1000,
  stringBytes: 300,
  integerBytes: 200,
  depth: 6,
  messageTokens: 100,
};

Deno.test(`BananaReceiver throws nothing but BananaErrors on ${frames} damaged frames (seed ${seed}), and keeps no memory`, () => {
  const random = generator(seed);
  const counts = { errors: 0, messages: 0, violations: 0, pings: 0 };
  const handler = {
    message: ({ kind }: { kind: string }) => {
      if (kind === "violation") counts.violations++;
      else counts.messages++;
    },
    ping: () => counts.pings++,
  };
  const newReceiver = () =>
    new BananaReceiver(
      vocabTables[random(8) === 0 ? 0 : 1],
      random(2) === 0 ? defaultLimits : limits,
      handler,
    );
  let receiver = newReceiver();
  let before = 0;
  for (let frame = 0; frame < frames; frame++) {
    // The first tenth warms up.
    if (frame === Math.floor(frames / 10)) before = memoryInUse();
    const bytes = damaged(random);
    try {
      if (random(2) === 0) {
        receiver.feed(bytes);
      } else {
        const cut = random(bytes.length + 1);
        receiver.feed(bytes.subarray(0, cut));
        receiver.feed(bytes.subarray(cut));
      }
    } catch (error) {
      if (!(error instanceof BananaError)) {
        throw new Error(`frame ${frame}: ${encodeHex(bytes)}`, {
          cause: error,
        });
      }
      counts.errors++;
      receiver = newReceiver();
    }
    // A message that never ends would swallow all that follows.
    if (receiver.buffered > 0 && random(4) === 0) receiver = newReceiver();
  }
  const grown = memoryInUse() - before;
  assert(grown < 32 * 1024 * 1024, `${grown} bytes more than before`);
  // The damage must leave enough whole to be worth anything.
  for (const [kind, count] of Object.entries(counts)) {
    assert(count > frames / 1000, `only ${count} ${kind} in ${frames} frames`);
  }
});

Deno.test("BananaReceiver makes the same of a damaged frame however it is cut", () => {
  const random = generator(seed + 1);
  for (let frame = 0; frame < 5000; frame++) {
    const bytes = joined([
      damaged(random).slice(),
      golden[random(golden.length)],
    ]);
    const whole = outcome([bytes]);
    const chunks: Uint8Array[] = [];
    for (let at = 0; at < bytes.length;) {
      const end = at + 1 + random(random(2) === 0 ? 2 : 40);
      chunks.push(bytes.subarray(at, end));
      at = end;
    }
    assertEquals(outcome(chunks), whole, encodeHex(bytes));
  }
});

Deno.test("BananaReceiver reads on after a message that was refused", () => {
  const random = generator(seed + 2);
  const good = decodeHex("00880d87048105810089");
  let refused = 0;
  for (let frame = 0; frame < 20_000; frame++) {
    const bytes = damaged(random).slice();
    const first = outcome([bytes]);
    const last = first.events.at(-1) as { kind?: string } | undefined;
    if (first.error !== undefined || last?.kind !== "violation") continue;
    const both = outcome([bytes, good]);
    // Something may have begun after the refused message.
    if (
      both.error !== undefined || both.events.length === first.events.length
    ) {
      continue;
    }
    refused++;
    assertEquals(both.events, [
      ...first.events,
      { kind: "answer", request: 4, value: { int: "5" } },
    ]);
  }
  assert(refused > 100, `only ${refused} messages were refused`);
});
