import { assertEquals, assertThrows } from "@std/assert";
import { decodeHex, encodeHex } from "@std/encoding";
import { createHash } from "node:crypto";
import {
  Tokenizer,
  TokenType,
  TokenWriter,
  vocabTables,
  Vocabulary,
} from "../../lib/foolscap/banana.ts";
import { BananaError } from "../../lib/foolscap/errors.ts";
import { defaultLimits, type Limits } from "../../lib/foolscap/limits.ts";
import vectors from "../testdata/foolscap/banana-vectors.json" with {
  type: "json",
};

/** Tokens as text, whatever the chunks: `begin` lines are left out unless asked for. */
function tokenize(
  chunks: readonly Uint8Array[],
  { limits = defaultLimits, vocab = 1, begins = false }: {
    limits?: Limits;
    vocab?: number;
    begins?: boolean;
  } = {},
): string[] {
  const seen: string[] = [];
  const tokenizer = new Tokenizer(vocabTables[vocab], limits, {
    begin(type, size, offset) {
      if (begins) seen.push(`${type.toString(16)} ${offset}+${size}`);
    },
    integer: (type, value) => seen.push(`${type.toString(16)} ${value}`),
    float: (value) => seen.push(`float ${Object.is(value, -0) ? "-0" : value}`),
    string: (bytes, start, end) =>
      seen.push(`string ${encodeHex(bytes.slice(start, end))}`),
    vocab: (index) => seen.push(`vocab ${index}`),
    open: (number) => seen.push(`open ${number}`),
    close: (number) => seen.push(`close ${number}`),
    abort: () => seen.push("abort"),
    ping: (number) => seen.push(`ping ${number}`),
  });
  try {
    for (const chunk of chunks) tokenizer.feed(chunk);
  } catch (error) {
    if (!(error instanceof BananaError)) throw error;
    seen.push(`${error.code} at ${error.offset}`);
  }
  return seen;
}

function bytewise(bytes: Uint8Array): Uint8Array[] {
  return Array.from(bytes, (_, i) => bytes.subarray(i, i + 1));
}

Deno.test("vocabTables are Foolscap's, and their hashes are right", () => {
  assertEquals<unknown>(vocabTables, vectors.vocab_tables);
  for (const { words, hash } of vocabTables) {
    const sha1 = createHash("sha1").update(words.join("\0")).digest("hex");
    assertEquals(sha1.slice(0, 4), hash);
  }
});

Deno.test("Vocabulary finds its words and nothing else", () => {
  const vocabulary = new Vocabulary(vocabTables[1]);
  const encoder = new TextEncoder();
  vocabTables[1].words.forEach((word, index) => {
    assertEquals(vocabulary.find(encoder.encode(word)), index);
    assertEquals(vocabulary.find(encoder.encode(word + "s")), -1);
    assertEquals(vocabulary.find(encoder.encode(word.toUpperCase())), -1);
    assertEquals(vocabulary.find(encoder.encode(word.slice(0, -1) + "~")), -1);
  });
  assertEquals(vocabulary.find(new Uint8Array(0)), -1);
  assertEquals(vocabulary.find(new Uint8Array(100)), -1);
  assertEquals(
    new Vocabulary(vocabTables[0]).find(encoder.encode("none")),
    -1,
  );
});

const wide = 2n ** 448n - 1n;

const streams: readonly [name: string, hex: string, seen: readonly string[]][] =
  [
    ["INT without header", "81", ["81 0"]],
    ["INT, padded", "05000081", ["81 5"]],
    ["INT of 2^31 - 1", "7f7f7f7f0781", ["81 2147483647"]],
    ["INT of 7 digits", "7f7f7f7f7f7f7f81", [`81 ${2n ** 49n - 1n}`]],
    ["INT of 8 digits", "7f7f7f7f7f7f7f7f81", [`81 ${2n ** 56n - 1n}`]],
    ["INT of 15 digits", "00".repeat(14) + "0181", [`81 ${2n ** 98n}`]],
    ["INT of 64 digits", "7f".repeat(64) + "81", [`81 ${wide}`]],
    ["INT, padded to 64 digits", "05" + "00".repeat(63) + "81", ["81 5"]],
    [
      "a short header after a long one",
      "7f".repeat(64) + "810281" + "00".repeat(9) + "81",
      [`81 ${wide}`, "81 2", "81 0"],
    ],
    ["NEG", "2c0283", ["83 -300"]],
    ["NEG 0", "0083", ["83 0"]],
    ["LONGINT of 5 bytes", "0585012a05f200", ["85 5000000000"]],
    ["LONGINT of 7 bytes", "0785" + "ff".repeat(7), [`85 ${2n ** 56n - 1n}`]],
    ["LONGINT, empty", "0085", ["85 0"]],
    ["LONGNEG", "048680000001", ["86 -2147483649"]],
    ["FLOAT, header ignored", "05843fe0000000000000", ["float 0.5"]],
    [
      "FLOAT, a header of any size ignored",
      "7f".repeat(64) + "843fe0000000000000",
      ["float 0.5"],
    ],
    ["FLOAT -0", "848000000000000000", ["float -0"]],
    ["FLOAT nan", "847ff8000000000001", ["float NaN"]],
    ["STRING", "0382616263", ["string 616263"]],
    ["STRING without header", "8281", ["string ", "81 0"]],
    ["VOCAB", "1887", ["vocab 24"]],
    ["OPEN and CLOSE", "058889", ["open 5", "close 0"]],
    [
      "OPEN number beyond a double",
      "7f".repeat(9) + "88",
      [`open ${2n ** 63n - 1n}`],
    ],
    ["ABORT", "018a", ["abort"]],
    ["PING, PING 300, PONG, PONG 5", "8e2c028e8f058f", [
      "ping 0",
      "ping 300",
    ]],
    ["VOCAB out of the table", "1987", ["bad-vocab at 0"]],
    ["VOCAB far out", "7f".repeat(20) + "87", ["bad-vocab at 0"]],
    ["a header of 65 bytes", "0081" + "00".repeat(65), [
      "81 0",
      "header-too-long at 2",
    ]],
    ["ERROR", "81058d68656c6c6f81", ["81 0", "remote-error at 3"]],
    ["ERROR of 1001 bytes", "69078d", ["token-too-large at 0"]],
    ["STRING of 64 KiB + 1", "01000482", ["token-too-large at 0"]],
    ["STRING of a gigabyte", "000000000482", ["token-too-large at 0"]],
    ["STRING of 2^448", "7f".repeat(64) + "82", ["token-too-large at 0"]],
    ["LONGINT of 1025 bytes", "010885", ["token-too-large at 0"]],
    ["LONGNEG of 1025 bytes", "010886", ["token-too-large at 0"]],
    ...[0x80, 0x8b, 0x8c, 0x90, 0xff].map((type) =>
      [`type byte ${type.toString(16)}`, `8101${type.toString(16)}`, [
        "81 0",
        "unknown-type-byte at 1",
      ]] as [string, string, string[]]
    ),
  ];

for (const [name, hex, seen] of streams) {
  Deno.test(`Tokenizer reads: ${name}`, () => {
    const bytes = decodeHex(hex);
    assertEquals(tokenize([bytes]), seen);
    assertEquals(tokenize(bytewise(bytes)), seen);
    for (let cut = 1; cut < bytes.length; cut++) {
      const halves = [bytes.subarray(0, cut), bytes.subarray(cut)];
      assertEquals(tokenize(halves), seen, `cut after byte ${cut}`);
    }
  });
}

Deno.test("Tokenizer announces size and offset before it waits for a body", () => {
  const bytes = decodeHex("0181" + "0382616263" + "84");
  const seen = [
    "81 0+2",
    "81 1",
    "82 2+5",
    "string 616263",
    "84 7+9",
  ];
  assertEquals(tokenize([bytes], { begins: true }), seen);
  assertEquals(tokenize(bytewise(bytes), { begins: true }), seen);
});

Deno.test("Tokenizer knows no VOCAB under table 0", () => {
  assertEquals(tokenize([decodeHex("0087")], { vocab: 0 }), ["bad-vocab at 0"]);
});

Deno.test("Tokenizer shows a peer's ERROR as printable ASCII", () => {
  const tokenizer = new Tokenizer(vocabTables[1], defaultLimits, silent);
  const error = assertThrows(
    () => tokenizer.feed(decodeHex("068d6162630a1bc3")),
    BananaError,
  );
  assertEquals(
    error.message,
    'the peer ends the connection with an error: "abc???" (byte 2)',
  );
});

const silent = {
  begin() {},
  integer() {},
  float() {},
  string() {},
  vocab() {},
  open() {},
  close() {},
  abort() {},
  ping() {},
};

Deno.test("Tokenizer says how much of a token it waits for", () => {
  const tokenizer = new Tokenizer(vocabTables[1], defaultLimits, silent);
  const states = bytewise(decodeHex("00008105826162636465")).map((chunk) => {
    tokenizer.feed(chunk);
    return [tokenizer.headerHeld, tokenizer.bodyMissing];
  });
  assertEquals(states, [
    [1, 0],
    [2, 0],
    [0, 0],
    [1, 0],
    [0, 5],
    [0, 4],
    [0, 3],
    [0, 2],
    [0, 1],
    [0, 0],
  ]);
});

Deno.test("Tokenizer takes memory for what has come, not for what was announced", () => {
  const limits = { ...defaultLimits, stringBytes: 2 ** 30 };
  const before = Deno.memoryUsage();
  const held = Array.from({ length: 100 }, () => {
    const tokenizer = new Tokenizer(vocabTables[1], limits, silent);
    // STRING of a gigabyte, and ten bytes of it.
    tokenizer.feed(decodeHex("000000000482" + "00".repeat(10)));
    return tokenizer;
  });
  const after = Deno.memoryUsage();
  assertEquals(held.at(-1)!.bodyMissing, 2 ** 30 - 10);
  const grown = after.heapUsed + after.external - before.heapUsed -
    before.external;
  assertEquals(grown < 4 * 1024 * 1024, true, `${grown} bytes`);
});

Deno.test("Tokenizer keeps nothing of a chunk, and reads a Buffer by copy as well", async () => {
  const { Buffer } = await import("node:buffer");
  const strings: Uint8Array[] = [];
  const tokenizer = new Tokenizer(vocabTables[1], defaultLimits, {
    ...silent,
    string: (bytes, start, end) => strings.push(bytes.slice(start, end)),
  });
  const chunk = Buffer.from("0382616263058261", "hex");
  tokenizer.feed(chunk);
  chunk.fill(0);
  tokenizer.feed(Buffer.from("62636465", "hex"));
  assertEquals(strings.map(encodeHex), ["616263", "6162636465"]);
});

function written(
  write: (writer: TokenWriter) => void,
  vocab = 1,
): string {
  const writer = new TokenWriter(vocabTables[vocab]);
  write(writer);
  return encodeHex(writer.finish());
}

Deno.test("TokenWriter writes every token", () => {
  const cases: [string, (writer: TokenWriter) => void][] = [
    ["0081", (w) => w.integer(0n)],
    ["7f7f7f7f0781", (w) => w.integer(2n ** 31n - 1n)],
    ["048580000000", (w) => w.integer(2n ** 31n)],
    ["000000000883", (w) => w.integer(-(2n ** 31n))],
    ["048680000001", (w) => w.integer(-(2n ** 31n) - 1n)],
    ["843ff0000000000000", (w) => w.float(1)],
    ["03826f6e65", (w) => w.text("one")],
    ["0387", (w) => w.text("dict")],
    ["0387", (w) => w.string(new TextEncoder().encode("dict"))],
    ["04825a6fc3ab", (w) => w.text("Zoë")],
    ["0382efbfbd", (w) => w.text("\ud800")],
    ["2c0288", (w) => w.open(300)],
    [
      "0000000000000001" + "89",
      (w) => w.close(2 ** 49),
    ],
    ["8e", (w) => w.keepalive(TokenType.PING, 0)],
    ["2c028e", (w) => w.keepalive(TokenType.PING, 300)],
    ["7f".repeat(64) + "8f", (w) => w.keepalive(TokenType.PONG, wide)],
    ["048d61623f63", (w) => w.error("ab\nc", 1000)],
    ["028d6162", (w) => w.error("abc", 2)],
  ];
  for (const [hex, write] of cases) assertEquals(written(write), hex);
  assertEquals(written((w) => w.text("dict"), 0), "048264696374");
});

Deno.test("TokenWriter grows, and two at once do not share a buffer", () => {
  const one = new TokenWriter(vocabTables[1]);
  const two = new TokenWriter(vocabTables[1]);
  const long = "x".repeat(3_000_000);
  one.text("first");
  two.text(long);
  two.string(new Uint8Array(10_000));
  one.text("second");
  assertEquals(encodeHex(one.finish()), "058266697273740682" + "7365636f6e64");
  const bytes = two.finish();
  assertEquals(bytes.length, 3_000_000 + 5 + 10_000 + 3);
  assertEquals(new TextDecoder().decode(bytes.subarray(5, 3_000_005)), long);
});
