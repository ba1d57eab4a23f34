/**
 * How fast the Banana codec is on answers to `get_stats`. The names say how many bytes an answer
 * has on the wire: bytes divided by microseconds are MB/s.
 *
 *     deno bench bench/banana_bench.ts
 */

import { type VocabTable, vocabTables } from "../lib/foolscap/banana.ts";
import { defaultLimits } from "../lib/foolscap/limits.ts";
import {
  BananaSender,
  type BananaValue,
  Dict,
} from "../lib/foolscap/slicers.ts";
import { BananaReceiver } from "../lib/foolscap/unslicers.ts";

const vocab: VocabTable = vocabTables[1];
const encoder = new TextEncoder();

/** An answer with `count` statistics: half counters, half stats, of the kinds that nodes send. */
function statistics(count: number): Dict {
  const group = (prefix: string, value: (i: number) => BananaValue): Dict =>
    Dict.of(
      Array.from({ length: count / 2 }, (_, i) => {
        const name = `${prefix}.latency.${String(i).padStart(5, "0")}`;
        return [encoder.encode(name), value(i)];
      }),
    );
  return Dict.of([
    [
      encoder.encode("counters"),
      group("storage_server.counter", (i) => BigInt(i) ** 3n),
    ],
    [
      encoder.encode("stats"),
      group("storage_server.read", (i) => i % 5 === 0 ? null : i / 7),
    ],
  ]);
}

/** The same answer over and over to one receiver, which lives as long as a connection. */
function reader(chunks: readonly Uint8Array[]): () => void {
  let messages = 0;
  const receiver = new BananaReceiver(vocab, defaultLimits, {
    message: () => messages++,
    ping() {},
  });
  receiver.messageLimit = defaultLimits.answerBytes;
  return () => {
    const before = messages;
    for (const chunk of chunks) receiver.feed(chunk);
    if (messages !== before + 1) throw new Error("the answer was not read");
  };
}

function bytewise(bytes: Uint8Array): Uint8Array[] {
  return Array.from(bytes, (_, i) => bytes.subarray(i, i + 1));
}

for (const count of [80, 10_000]) {
  const value = statistics(count);
  const bytes = new BananaSender(vocab).answer(1, value);
  const sender = new BananaSender(vocab);
  const size = `${count} stats, ${bytes.length} bytes`;
  Deno.bench(`encode ${size}`, { group: `${count}` }, () => {
    sender.answer(1, value);
  });
  Deno.bench(`decode ${size}, whole`, { group: `${count}` }, reader([bytes]));
  if (count === 80) {
    Deno.bench(
      `decode ${size}, in chunks of one byte`,
      { group: `${count}` },
      reader(bytewise(bytes)),
    );
  }
}
