import { assert, assertEquals, assertMatch } from "@std/assert";
import {
  type FetchOptions,
  fetchPage,
} from "../../lib/tahoe_statistics/fetch.ts";
import { readTrust } from "../../lib/tahoe_statistics/trust.ts";
import { FakeClock } from "../fake_clock.ts";
import {
  answers,
  type Behaviour,
  Dripping,
  FakeNode,
  floods,
  says,
  saysAndStalls,
  until,
} from "./fake_node.ts";
import { page, readCapture } from "./pages.ts";
import { authority, certificates } from "./certificates.ts";

const PAGE = page('"a": 1');

async function get(
  url: string,
  options: Partial<FetchOptions> = {},
): Promise<Uint8Array> {
  return await fetchPage(url, {
    clock: new FakeClock(),
    timeoutMs: 20_000,
    ...options,
  });
}

/** Why it failed. */
async function failure(fetching: Promise<unknown>): Promise<string> {
  const error = await fetching.then(() => undefined, (error) => error);
  assert(error instanceof Error, "it did not fail");
  return error.message;
}

Deno.test("fetchPage() gets a page, and asks for it as it is", async () => {
  const capture = readCapture("storage-1-3-busy");
  await using node = FakeNode.listen([answers(capture)]);
  const clock = new FakeClock();
  assertEquals(await get(node.url, { clock }), new Uint8Array(capture));
  assertEquals(clock.pending, 0);
  const [line, ...headers] = node.requests[0].trimEnd().split("\r\n");
  assertEquals(line, "GET /statistics?t=json HTTP/1.1");
  assertEquals(
    headers.map((header) => header.toLowerCase()).sort(),
    [
      "accept-encoding: identity",
      "accept: application/json, text/plain",
      "connection: close",
      `host: 127.0.0.1:${node.port}`,
    ],
  );
});

Deno.test("fetchPage() sends the user and password of a URL, decoded", async () => {
  await using node = FakeNode.listen([answers(PAGE)]);
  for (
    const [given, sent] of [["u:p%40ss", "u:p@ss"], ["u", "u:"], [
      "u:%zz",
      "u:%zz",
    ]]
  ) {
    await get(node.url.replace("//", `//${given}@`));
    const match = /authorization: Basic (\S+)/i.exec(node.requests.at(-1)!);
    assertEquals(atob(match![1]), sent);
  }
});

const good: [what: string, behaviour: Behaviour][] = [
  [
    "until the connection ends",
    says('HTTP/1.1 200 OK\r\n\r\n{"a"'.replace('{"a"', text(PAGE))),
  ],
  ["in HTTP/1.0", says(`HTTP/1.0 200 OK\r\n\r\n${text(PAGE)}`)],
  [
    "in chunks",
    says(
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" +
        `1;x=y\r\n{\r\n${(PAGE.length - 1).toString(16)}\r\n${
          text(PAGE).slice(1)
        }\r\n0\r\nTrailer: 1\r\n\r\n`,
    ),
  ],
  [
    "after a 100",
    says(
      `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: ${PAGE.length}\r\n\r\n${
        text(PAGE)
      }`,
    ),
  ],
  [
    "and lets go of a server that does not",
    saysAndStalls(
      `HTTP/1.1 200 OK\r\nContent-Length: ${PAGE.length}\r\n\r\n${text(PAGE)}`,
    ),
  ],
];

for (const [what, behaviour] of good) {
  Deno.test(`fetchPage() takes an answer ${what}`, async () => {
    await using node = FakeNode.listen([behaviour]);
    assertEquals(await get(node.url), new Uint8Array(PAGE));
  });
}

const bad: [what: string, behaviour: Behaviour, reason: string][] = [
  [
    "another status",
    answers("{}", "500 Internal Server Error"),
    "it answered 500 Internal Server Error",
  ],
  ["no content", says("HTTP/1.1 204 \r\n\r\n"), "it answered 204"],
  [
    "a redirect to elsewhere",
    answers("", "302 Found\r\nLocation: http://192.0.2.1/x"),
    "it answered 302 Found, a redirect to http://192.0.2.1/x, which is not followed",
  ],
  [
    "a redirect to itself",
    answers("", "301 Moved Permanently\r\nLocation: /statistics/?t=json"),
    "it answered 301 Moved Permanently, a redirect to /statistics/?…, which is not followed",
  ],
  [
    "a redirect that repeats secrets",
    answers("", "302 Found\r\nLocation: //me:secret@n@h/x?token=secret#y"),
    "it answered 302 Found, a redirect to //h/x?…, which is not followed",
  ],
  [
    "a compressed answer",
    answers(PAGE, "200 OK\r\nContent-Encoding: gzip"),
    "its answer is in gzip, which was not asked for",
  ],
  [
    "half of what it named",
    says(`HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{"counters"`),
    "its answer was cut off after 11 bytes",
  ],
  [
    "chunks without an end",
    says("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n"),
    "its answer was cut off after 2 bytes",
  ],
  ["nothing", says(""), "the connection ended without an answer"],
  [
    "half a head",
    says("HTTP/1.1 200 OK\r\nContent-"),
    "the connection ended without an answer",
  ],
  ["another protocol", says("SSH-2.0-x\r\n"), "its answer is no HTTP"],
  [
    "a head without an end",
    async (connection) => {
      await says("HTTP/1.1 200 OK\r\n")(connection, "");
      for (;;) await says(`X: ${"y".repeat(1000)}\r\n`)(connection, "");
    },
    "the head of its answer is larger than 16384 bytes",
  ],
  [
    "a length beyond the limit",
    saysAndStalls("HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n"),
    "its answer is larger than 1048576 bytes",
  ],
];

for (const [what, behaviour, reason] of bad) {
  Deno.test(`fetchPage(): ${what} is a failure`, async () => {
    await using node = FakeNode.listen([behaviour]);
    const clock = new FakeClock();
    assertEquals(await failure(get(node.url, { clock })), reason);
    assertEquals(clock.pending, 0);
  });
}

Deno.test("fetchPage() cuts a gigabyte off early", async () => {
  for (const length of [undefined, 1_000_000]) {
    await using node = FakeNode.listen([floods(length)]);
    const limits = { bytes: 500_000 };
    assertEquals(
      await failure(get(node.url, { limits })),
      "its answer is larger than 500000 bytes",
    );
    // What the system's buffers have taken besides.
    assert(node.sent < 20_000_000, `${node.sent} bytes were sent`);
  }
});

Deno.test("fetchPage() says that nobody listens, or that there is no such name", async () => {
  const node = FakeNode.listen([answers(PAGE)]);
  await node[Symbol.asyncDispose]();
  assertEquals(await failure(get(node.url)), "connection refused");
  assertEquals(
    await failure(get("http://no-such-host.invalid/")),
    "its name cannot be resolved",
  );
});

Deno.test("fetchPage() waits so long for a connection, and no longer", async () => {
  const clock = new FakeClock();
  let asked: AbortSignal | undefined;
  const connect = ({ signal }: Deno.ConnectOptions) => {
    asked = signal;
    return new Promise<never>(() => {});
  };
  const limits = { connectMs: 3000 };
  const fetching = failure(get("http://a/", { clock, limits, connect }));
  await clock.advance(2999);
  assertEquals(clock.pending, 2);
  await clock.advance(1);
  assertEquals(
    [await fetching, clock.pending, asked!.aborted],
    ["no connection within 3 s", 0, true],
  );
});

Deno.test("fetchPage() waits so long for TLS to begin, and no longer", async () => {
  const clock = new FakeClock();
  await using node = FakeNode.listen([saysAndStalls("")]);
  const url = node.url.replace("http:", "https:");
  const fetching = failure(get(url, { clock }));
  await clock.advance(5000);
  assertEquals(await fetching, "no connection within 5 s");
});

Deno.test("fetchPage() waits so long for the head, and no longer", async () => {
  for (const start of ["", "HTTP/1.1 200 OK\r\nX: "]) {
    await using node = FakeNode.listen([saysAndStalls(start)]);
    const clock = new FakeClock();
    const fetching = failure(get(node.url, { clock }));
    await until(() => node.requests.length > 0, "a request");
    await clock.advance(9999);
    assertEquals(clock.pending, 2);
    await clock.advance(1);
    assertEquals(await fetching, "no answer within 10 s");
  }
});

Deno.test("fetchPage() waits so long for the next portion, and no longer", async () => {
  const head = "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n";
  for (const [start, bytes] of [["", 0], ["{}", 2]] as const) {
    await using node = FakeNode.listen([saysAndStalls(head + start)]);
    const clock = new FakeClock();
    const fetching = failure(
      get(node.url, { clock, limits: { headMs: 1e9, idleMs: 5000 } }),
    );
    // Its two portions restart the shorter deadline.
    await until(() => node.sent === head.length + start.length, "a portion");
    await new Promise((resolve) => setTimeout(resolve, 50));
    await clock.advance(5000);
    assertEquals(await fetching, `nothing came for 5 s after ${bytes} bytes`);
  }
});

Deno.test("fetchPage(): a byte a second is not for ever", async () => {
  const body = readCapture("client-1-0-started");
  const dripping = new Dripping(body);
  await using node = FakeNode.listen([dripping.behaviour]);
  const clock = new FakeClock();
  let over = false;
  const fetching = failure(get(node.url, { clock })).finally(() => over = true);
  await until(() => node.requests.length > 0, "a request");
  let sent = node.sent;
  await until(() => node.sent > 0, "a head");
  for (let second = 0; second < 19; second++) {
    sent = node.sent;
    dripping.drip();
    await until(() => node.sent > sent, "a byte");
    await clock.advance(1000);
  }
  assertEquals(over, false);
  await clock.advance(1000);
  assertEquals(await fetching, "it was not whole after 20 s");
  assertEquals(clock.pending, 0);
});

Deno.test("fetchPage() ends when it is told to", async () => {
  const stop = new AbortController();
  const { signal } = stop;
  await using node = FakeNode.listen([saysAndStalls("HTTP/1.1 200")]);
  const clock = new FakeClock();
  const fetching = failure(get(node.url, { clock, signal }));
  await until(() => node.requests.length > 0, "a request");
  stop.abort(new Error("stopped"));
  assertEquals([await fetching, clock.pending], ["stopped", 0]);
  assertEquals(await failure(get(node.url, { clock, signal })), "stopped");
  assertEquals(node.requests.length, 1);
});

Deno.test("fetchPage() trusts for https whom it is told to trust, and nobody else", async () => {
  const ca = await readTrust(authority);
  await using node = FakeNode.listenTls([answers(PAGE)], certificates.address);
  const url = node.url.replace("http:", "https:");
  assertEquals(await get(url, { ca }), new Uint8Array(PAGE));
  assertEquals(
    await failure(get(url)),
    "its certificate is not trusted: UnknownIssuer",
  );
  // A certificate of the same authority, of another name.
  await using other = FakeNode.listenTls([answers(PAGE)], certificates.name);
  const reason = await failure(
    get(other.url.replace("http:", "https:"), { ca }),
  );
  assertMatch(reason, /^its certificate is not trusted: .*name/);
});

function text(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
