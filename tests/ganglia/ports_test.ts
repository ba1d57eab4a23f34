/** What the ports are made of, without sockets. */

import { getLogger } from "@logtape/logtape";
import { assertEquals } from "@std/assert";
import type { Piece } from "../../lib/ganglia/output/answer.ts";
import { ClientLog } from "../../lib/net/client_log.ts";
import {
  defaultPortLimits,
  type PortLimits,
} from "../../lib/ganglia/ports/limits.ts";
import {
  type ClientStream,
  type Reply,
  Session,
} from "../../lib/ganglia/ports/session.ts";
import { statusJson } from "../../lib/ganglia/ports/status.ts";
import { FakeClock, settle } from "../fake_clock.ts";
import { captureLog } from "../log_capture.ts";
import { readCapture } from "./captures.ts";
import { latin1 } from "./xml_tree.ts";

/** A connection without a network. */
class MemoryStream implements ClientStream {
  readonly written: string[] = [];
  /** How many bytes a write takes at most; 0: none, and it never resolves. */
  window = Infinity;
  /** Whether the client is gone: reads and writes fail. */
  broken = false;
  closed = 0;
  wroteEnd = false;
  readonly #input: Uint8Array[] = [];
  #ended = false;
  #wake: (() => void) | undefined;

  send(...chunks: string[]): void {
    this.#input.push(...chunks.map((chunk) => new TextEncoder().encode(chunk)));
    this.#wake?.();
  }

  end(): void {
    this.#ended = true;
    this.#wake?.();
  }

  fail(): void {
    this.broken = true;
    this.#wake?.();
  }

  async read(buffer: Uint8Array): Promise<number | null> {
    while (this.#input.length === 0) {
      if (this.broken) throw new Error("connection reset");
      if (this.#ended) return null;
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
    const chunk = this.#input[0];
    const count = Math.min(chunk.length, buffer.length);
    buffer.set(chunk.subarray(0, count));
    if (count < chunk.length) this.#input[0] = chunk.subarray(count);
    else this.#input.shift();
    return count;
  }

  write(bytes: Uint8Array): Promise<number> {
    if (this.broken) return Promise.reject(new Error("broken pipe"));
    if (this.window === 0) return new Promise(() => {});
    const taken = bytes.subarray(0, this.window);
    this.written.push(latin1(taken));
    return Promise.resolve(taken.length);
  }

  closeWrite(): Promise<void> {
    this.wroteEnd = true;
    return Promise.resolve();
  }

  close(): void {
    this.closed++;
  }
}

/** A session over a {@linkcode MemoryStream}, under way. */
class MemorySession {
  readonly stream = new MemoryStream();
  readonly clock = new FakeClock();
  readonly counts = { answers: 0, bytes: 0, totalMs: 0, aborted: 0 };
  readonly warnings: string[] = [];
  readonly queries: string[] = [];
  readonly session: Session;
  readonly ended: Promise<void>;

  constructor(
    reply: (line: string) => Reply = (line) => ({
      pieces: [write(`<${line}>`)],
    }),
    limits: Partial<PortLimits> = {},
    asks = true,
    prepare: (stream: MemoryStream) => void = () => {},
  ) {
    prepare(this.stream);
    this.session = new Session({
      stream: this.stream,
      clock: this.clock,
      limits: { ...defaultPortLimits, ...limits },
      counts: this.counts,
      warn: (what) => this.warnings.push(what),
      asks,
      reply: (line) => {
        this.queries.push(latin1(line));
        return reply(latin1(line));
      },
    });
    this.ended = this.session.run();
  }

  get text(): string {
    return this.stream.written.join("");
  }
}

/** A piece of an answer. */
function write(text: string): Piece {
  return (out) => out.markup(text);
}

// deno-fmt-ignore
const ends: [string, string[], boolean, string][] = [
  ["a line feed", ["/a\n"], false, "/a"],
  ["a carriage return", ["/a\r"], false, "/a"],
  ["both", ["/a\r\n"], false, "/a"],
  ["the end of what is sent", ["/a"], true, "/a"],
  ["whichever comes first", ["/a\n/b\n"], true, "/a"],
  ["a line feed that comes late", ["/", "a", " b", "\n"], false, "/a b"],
  ["a line feed alone", ["\n"], false, ""],
];

for (const [name, chunks, isEnd, query] of ends) {
  Deno.test(`a query ends with ${name}`, async () => {
    const { stream, ended, queries, counts, ...session } = new MemorySession();
    for (const chunk of chunks) {
      stream.send(chunk);
      await settle();
    }
    if (isEnd) stream.end();
    await settle();
    assertEquals(queries, [query]);
    assertEquals(stream.written.join(""), `<${query}>`);
    assertEquals([stream.wroteEnd, counts.answers, counts.bytes], [
      true,
      1,
      query.length + 2,
    ]);
    stream.end();
    await ended;
    assertEquals([stream.closed, session.warnings.length], [1, 0]);
    assertEquals(session.clock.pending, 0);
  });
}

Deno.test("who sends nothing is not answered", async () => {
  const { stream, ended, queries, warnings } = new MemorySession();
  stream.end();
  await ended;
  assertEquals([queries, stream.written, stream.closed, warnings], [
    [],
    [],
    1,
    [],
  ]);
});

Deno.test("a client that is gone before its query ends nothing else", async () => {
  const { stream, ended, counts, warnings } = new MemorySession();
  stream.send("/a");
  await settle();
  stream.fail();
  await ended;
  assertEquals([stream.closed, counts.aborted, warnings], [1, 0, []]);
});

Deno.test("a query has 5 s, however it drips", async () => {
  const { stream, ended, clock, warnings, counts } = new MemorySession();
  for (let i = 0; i < 5; i++) {
    stream.send("/");
    await clock.advance(999);
  }
  assertEquals(stream.closed, 0);
  await clock.advance(5);
  await ended;
  assertEquals(warnings, ["cut off: no query within 5 s"]);
  assertEquals([stream.closed, stream.written, counts.aborted], [1, [], 1]);
  assertEquals(clock.pending, 0);
});

Deno.test("a query has 2,048 bytes with its end", async () => {
  const long = new MemorySession();
  long.stream.send("/" + "a".repeat(2046) + "\n");
  long.stream.end();
  await long.ended;
  assertEquals([long.queries[0].length, long.warnings], [2047, []]);
  const longer = new MemorySession();
  longer.stream.send("/" + "a".repeat(2000), "a".repeat(47) + "\n");
  await longer.ended;
  assertEquals(longer.warnings, ["cut off: a query of more than 2048 bytes"]);
  assertEquals([longer.text, longer.queries], ["", []]);
});

Deno.test("the XML port asks for nothing", async () => {
  const { stream, ended, queries } = new MemorySession(undefined, {}, false);
  await settle();
  assertEquals([queries, stream.written], [[""], ["<>"]]);
  stream.end();
  await ended;
});

Deno.test("a reader that takes a few bytes at a time gets everything", async () => {
  const texts = Array.from({ length: 100 }, (_, i) => `${i},`.repeat(i));
  const { ended, counts, ...session } = new MemorySession(
    () => ({ pieces: texts.map(write) }),
    { chunkBytes: 100 },
    true,
    (stream) => {
      stream.window = 7;
      stream.send("/\n");
      stream.end();
    },
  );
  await ended;
  assertEquals(session.stream.written.join(""), texts.join(""));
  assertEquals(counts.bytes, texts.join("").length);
});

Deno.test("pieces of any size fit, in chunks of any size", async () => {
  const texts = [1, 0, 2, 5000, 3, 200_000, 1, 0].map((n, i) =>
    `${i}`.repeat(n)
  );
  for (const chunkBytes of [1, 500, 4096, 1_000_000]) {
    const session = new MemorySession(
      () => ({ pieces: texts.map(write) }),
      { chunkBytes },
    );
    session.stream.send("/\n");
    session.stream.end();
    await session.ended;
    assertEquals(session.text === texts.join(""), true);
    const { length } = session.stream.written;
    assertEquals(length, { 1: 6, 500: 3, 4096: 3, 1_000_000: 1 }[chunkBytes]);
  }
});

Deno.test("a reader that takes nothing is cut off after 10 s", async () => {
  const { ended, clock, warnings, stream } = new MemorySession(
    undefined,
    {},
    false,
    (stream) => stream.window = 0,
  );
  await clock.advance(9_999);
  assertEquals(stream.closed, 0);
  await clock.advance(1);
  await ended;
  assertEquals(warnings, [
    "cut off: it has taken nothing of its answer for 10 s",
  ]);
  assertEquals([stream.closed, clock.pending], [1, 0]);
});

Deno.test("a reader that always takes a little has 60 s", async () => {
  const made: number[] = [];
  function* endless(): Generator<Piece> {
    try {
      while (true) {
        made.push(1);
        yield write("x".repeat(1000));
      }
    } finally {
      made.push(0);
    }
  }
  const session = new MemorySession(
    () => ({ pieces: endless() }),
    { chunkBytes: 1000 },
    false,
  );
  const { stream, clock, warnings } = session;
  stream.write = (bytes) =>
    new Promise((resolve) =>
      clock.setTimer(() => resolve(bytes.length), 5_000)
    );
  await clock.advance(59_999);
  assertEquals([stream.closed, made.at(-1)], [0, 1]);
  await clock.advance(1);
  await session.ended;
  assertEquals(warnings, ["cut off: it has not taken its answer within 60 s"]);
  assertEquals([stream.closed, made.at(-1)], [1, 0]);
});

Deno.test("a client that goes away in mid-answer ends it", async () => {
  const { ended, warnings, counts, stream } = new MemorySession(
    undefined,
    {},
    false,
    (stream) => stream.broken = true,
  );
  await ended;
  assertEquals(warnings, [
    "cut off: it closed the connection before its answer",
  ]);
  assertEquals([counts.aborted, stream.closed], [1, 1]);
});

Deno.test("an answer that fails ends its session only, and says so", async () => {
  const { ended, warnings, stream } = new MemorySession(() => {
    throw new Error("out of\norder");
  });
  stream.send("/\n");
  await ended;
  assertEquals(warnings, ["cut off: out of\norder"]);
  assertEquals(stream.closed, 1);
});

Deno.test("a refusal is logged, and closes without a byte", async () => {
  const reply = { pieces: [], complaint: "a pattern" };
  const { ended, warnings, text, stream } = new MemorySession(() => reply);
  stream.send("/~(\n");
  stream.end();
  await ended;
  assertEquals([warnings, text], [["malformed query: a pattern"], ""]);
});

Deno.test("after an answer the rest is read, for 2 s or 64 KiB", async () => {
  const slow = new MemorySession();
  slow.stream.send("GET / HTTP/1.0\r\nHost: x\r\n\r\n");
  await settle();
  assertEquals([slow.stream.wroteEnd, slow.stream.closed], [true, 0]);
  await slow.clock.advance(1_999);
  assertEquals(slow.stream.closed, 0);
  await slow.clock.advance(1);
  await slow.ended;
  assertEquals([slow.stream.closed, slow.warnings, slow.counts.aborted], [
    1,
    [],
    0,
  ]);

  const talkative = new MemorySession();
  talkative.stream.send(
    "/\n",
    ..."x".repeat(20).split("").map((x) => x.repeat(4096)),
  );
  await talkative.ended;
  assertEquals([talkative.stream.closed, talkative.warnings], [1, []]);
});

Deno.test("a stop ends a session whatever it does", async () => {
  for (const window of [0, Infinity]) {
    const { session, ended, stream, clock, warnings } = new MemorySession(
      undefined,
      {},
      window === 0,
      (stream) => stream.window = window,
    );
    await settle();
    session.stop();
    session.stop();
    await ended;
    assertEquals([stream.closed, clock.pending, warnings], [1, 0, []]);
  }
});

/** The keys of an object, and of those in it. */
function shape(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return typeof value;
  return Object.entries(value).map(([key, value]) => [key, shape(value)]);
}

Deno.test("the status has the shape of C's, but for the machine's own metrics", () => {
  const json = statusJson({
    host: "h",
    gridName: 'Ä"',
    version: "1.2.3",
    now: 5_000.5,
    begun: 1_000,
    uptimeMs: 4_000.7,
    received: 7,
    sent: {
      rrdtool: { num: 3, totalMillis: 4.5, lastTime: 9 },
      graphite: { num: 2 },
    },
    polls: { ok: { num: 1, lastTime: 4_000 }, failed: {} },
    summarized: { cluster: 5, root: 6, lastTime: 8 },
    requests: { interactive: { num: 1, totalMillis: 2.5 }, xml: { num: 3 } },
    sources: [],
  });
  const { sources, ...ours } = JSON.parse(json);
  assertEquals(sources, []);
  const theirs = JSON.parse(
    new TextDecoder().decode(readCapture("gmetad-status.json")),
  );
  for (
    const machine of [
      "cpu",
      "disk",
      "load",
      "memory",
      "network",
      "process",
      "system",
    ]
  ) {
    delete theirs.metrics[machine];
  }
  assertEquals(shape(ours), shape(theirs));
  assertEquals(
    [ours.gridname, ours.stattime, ours.uptime, ours.uptimeMillis],
    ['Ä"', 5000, 4, 4000],
  );
  const { sent, requests, polls, summarize } = ours.metrics;
  assertEquals(sent.all, { num: 5, totalMillis: 4 });
  assertEquals(sent.rrdtool, { num: 3, totalMillis: 4, lastTime: 9 });
  assertEquals(requests.all, { num: 4, totalMillis: 2 });
  assertEquals(polls.ok, { num: 1, totalMillis: 0, lastTime: 4000 });
  assertEquals(summarize, { cluster: 5, root: 6, totalMillis: 0, lastTime: 8 });
});

Deno.test("the same of one client is logged once, then counted", async () => {
  await using log = await captureLog();
  const clock = new FakeClock();
  const clients = new ClientLog({
    who: "Ganglia client",
    logger: getLogger(["gatherer", "ganglia-ports"]),
    clock,
    logMs: 60_000,
    loggedAtOnce: 2,
  });
  for (let i = 0; i < 3; i++) clients.warn("::1", "refused: a\nb");
  clients.warn("::2", "refused");
  clients.warn("::3", "refused");
  clients.warn("::4", "refused");
  assertEquals(log.lines.splice(0), [
    "warning Ganglia client ::1: refused: a b",
    "warning Ganglia client ::2: refused",
    "warning other Ganglia clients: refused or cut off",
  ]);
  await clock.advance(60_000);
  assertEquals(log.lines.splice(0), [
    "warning Ganglia client ::1: refused: a b, and 2 more",
    "warning other Ganglia clients: refused or cut off, and 1 more",
  ]);
  clients.warn("::1", "refused: a\nb");
  clients.close();
  assertEquals(log.lines, [
    "warning Ganglia client ::1: refused: a b, and 1 more",
  ]);
  assertEquals(clock.pending, 0);
});
