import { assertEquals, assertMatch } from "@std/assert";
import fc from "fast-check";
import { defaultLimits } from "../../lib/munin_node/limits.ts";
import { settle } from "../fake_clock.ts";
import { converse, MemorySession } from "./memory_stream.ts";
import {
  SampleContent,
  sampleHosts,
  type SampleService,
  service,
} from "./sample_content.ts";

const content = new SampleContent(sampleHosts);
const spooling = new SampleContent(
  sampleHosts,
  (epoch) => [`multigraph load\nload.value ${epoch}:1\n`],
);
const CAP = "cap multigraph dirtyconfig\n";
const UNKNOWN =
  "# Unknown command. Try cap, list, nodes, config, fetch, version or quit\n";
const NO_SERVICE = "# Unknown service\n.\n";

const dialogues: readonly [sent: string, got: string][] = [
  ["", ""],
  ["quit\n", ""],
  ["quit \n", ""],
  [".\n", ""],
  [".\nversion\n", ""],
  ["QUIT\r\nversion\n", ""],
  ["cap multigraph dirtyconfig\n", CAP],
  ["cap\n", CAP],
  ["CAP\r\n", CAP],
  ["list\n", "load\n"],
  ["list \n", "load\n"],
  ["List\r\n", "load\n"],
  ["list", "load\n"],
  ["list one.example\n", "load\n"],
  ["list  ONE.Example \r\n", "load\n"],
  ["list two.example\n", "load\n"],
  ["list elsewhere.example\n", "\n"],
  ["cap multigraph\nlist\n", `${CAP}load all\n`],
  ["cap multigraph dirtyconfig\r\nlist\r\n", `${CAP}load all\n`],
  ["cap dirtyconfig foo\nlist\n", `${CAP}load\n`],
  ["cap multigraph\ncap\nlist\n", `${CAP}${CAP}load\n`],
  ["nodes\n", "one.example\nTwo.example\n.\n"],
  ["NODES\r\n", "one.example\nTwo.example\n.\n"],
  ["version\n", "munins node on one.example version: 9.8.7\n"],
  ["vErSiOn\r\n", "munins node on one.example version: 9.8.7\n"],
  ["config load\n", "graph_title Load\nload.label load\n.\n"],
  ["config load\r\n", "graph_title Load\nload.label load\n.\n"],
  ["CONFIG load foo\n", "graph_title Load\nload.label load\n.\n"],
  [
    "cap dirtyconfig\nconfig load\n",
    `${CAP}graph_title Load\nload.label load\nload.value 1\n.\n`,
  ],
  ["config all\n", "multigraph all.a\ngraph_title A\n.\n"],
  ["config LOAD\n", NO_SERVICE],
  ["config nosuch\n", NO_SERVICE],
  ["config\n", NO_SERVICE],
  ["config  load\n", NO_SERVICE],
  ["fetch load\n", "load.value 1\n.\n"],
  ["Fetch load\r\n", "load.value 1\n.\n"],
  ["fetch all\n", ".\n"],
  ["fetch nosuch\n", NO_SERVICE],
  ["fetch\n", NO_SERVICE],
  // Of whom a connection is: of the host that was listed last.
  ["list two.example\nfetch load\n", "load\nload.value 2\n.\n"],
  ["list two.example\nfetch all\n", `load\n${NO_SERVICE}`],
  ["list two.example\nlist\nfetch load\n", "load\nload\nload.value 1\n.\n"],
  ["list two.example\nlist x\nfetch load\n", "load\n\nload.value 2\n.\n"],
  ["\n", UNKNOWN],
  ["\r\n", UNKNOWN],
  [" list\n", UNKNOWN],
  ["help\n", UNKNOWN],
  ["starttls\n", UNKNOWN],
  ["GET / HTTP/1.1\r\n\r\n", UNKNOWN + UNKNOWN],
  ["spoolfetch 1\n", UNKNOWN],
  ["h\u00e9lp\n", UNKNOWN],
];

for (const [sent, got] of dialogues) {
  Deno.test(`${JSON.stringify(sent)} gets ${JSON.stringify(got)}`, async () => {
    assertEquals(await converse(content, sent), got);
  });
}

const spoolDialogues: readonly [sent: string, got: string][] = [
  ["cap multigraph\n", "cap multigraph dirtyconfig spool\n"],
  ["spoolfetch 17\n", "multigraph load\nload.value 17:1\n.\n"],
  ["SpoolFetch  17x\r\n", "multigraph load\nload.value 17:1\n.\n"],
  [
    `spoolfetch ${"9".repeat(400)}\n`,
    "multigraph load\nload.value 9007199254740991:1\n.\n",
  ],
  ["spoolfetch\n", UNKNOWN],
  ["spoolfetch x\n", UNKNOWN],
  ["spoolfetch -1\n", UNKNOWN],
];

for (const [sent, got] of spoolDialogues) {
  Deno.test(`with a spool, ${sent.slice(0, 30).trim()} gets ${got.split("\n")[0]}`, async () => {
    assertEquals(await converse(spooling, sent), got);
  });
}

Deno.test("of hosts that differ in case only, the one that is named is meant", async () => {
  const hosts = new SampleContent({
    "one.example": { one: service([], []) },
    "ONE.example": { two: service([], []) },
  });
  assertEquals(
    await converse(
      hosts,
      "list one.example\nlist ONE.example\nlist One.Example\n",
    ),
    "one\ntwo\none\n",
  );
});

Deno.test("however the bytes arrive, the answers are the same", async () => {
  const commands = fc.array(
    fc.constantFrom(
      ...dialogues.map(([sent]) => sent).filter((sent) =>
        sent.endsWith("\n") && !/^(quit|\.)/i.test(sent)
      ),
    ),
    { maxLength: 10 },
  );
  await fc.assert(
    fc.asyncProperty(
      commands,
      fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }),
      async (sent, sizes) => {
        const bytes = new TextEncoder().encode(sent.join(""));
        const chunks: Uint8Array[] = [];
        for (let at = 0, index = 0; at < bytes.length; index++) {
          const size = sizes[index % sizes.length];
          chunks.push(bytes.subarray(at, at += size));
        }
        assertEquals(
          await converse(content, ...chunks),
          await converse(content, bytes),
        );
      },
    ),
  );
});

Deno.test("a client that waits for each answer gets it before it sends more", async () => {
  const { stream, session, ended, counts } = new MemorySession(content);
  await settle();
  assertEquals(stream.text, "# munin node at one.example\n");
  let before = stream.text.length;
  const ask = async (command: string) => {
    stream.send(command);
    await settle();
    const answer = stream.text.slice(before);
    before = stream.text.length;
    return answer;
  };
  assertEquals(await ask("list\n"), "load\n");
  assertEquals(await ask("fet"), "");
  assertEquals(await ask("ch load\n"), "load.value 1\n.\n");
  session.stop();
  await ended;
  assertEquals(stream.closed, 1);
  assertEquals(counts, { commands: 2, bytes: before, aborted: 0, dropped: 0 });
});

/** Content with a single service `odd`. */
function odd(answer: SampleService["fetch"]): SampleContent {
  return new SampleContent({
    "one.example": { odd: { config: answer, fetch: answer } },
  });
}

/** What a session does that is asked for `odd`. */
async function fetchOdd(answer: SampleService["fetch"]) {
  const { stream, ended, warnings, counts } = new MemorySession(odd(answer));
  stream.send("fetch odd\nversion\n");
  stream.end();
  await ended;
  const text = stream.text.replace("# munin node at one.example\n", "");
  return { text, warnings, counts };
}

const VERSION = "munins node on one.example version: 9.8.7\n";

const harmful: readonly [pieces: string[], sent: string, dropped: number][] = [
  [["a.value 1\n", ".\n", "b.value 2\n"], "a.value 1\nb.value 2\n", 1],
  [["a.value 1\n.\nb.value 2\n"], "a.value 1\nb.value 2\n", 1],
  [["a.label x\n.evil y\n"], "a.label x\n", 1],
  [["a.label x\n.\r\n"], "a.label x\n", 1],
  [["a.label x\ry\n"], "", 1],
  [["\n\na.value 1\n\n"], "a.value 1\n", 3],
  [["a.label # timeout\nb.label b\n"], "b.label b\n", 1],
  [["a.value 1"], "a.value 1\n", 0],
  [["a.value 1\n.", "b.value 2\n"], "a.value 1\nb.value 2\n", 1],
  [["", ""], "", 0],
  [["a.label .\n"], "a.label .\n", 0],
];

for (const [pieces, sent, dropped] of harmful) {
  Deno.test(`content cannot break the protocol with ${JSON.stringify(pieces)}`, async () => {
    const { text, warnings, counts } = await fetchOdd(() => pieces);
    assertEquals(text, `${sent}.\n${VERSION}`);
    assertEquals(counts.dropped, dropped);
    assertEquals(
      warnings,
      dropped === 0 ? [] : [
        `${dropped} lines or names that would have broken the protocol were left out`,
      ],
    );
  });
}

Deno.test("nor with the names of hosts and services", async () => {
  const none = service([], []);
  const { stream, ended, counts, warnings } = new MemorySession(
    new SampleContent({
      "one.example": {
        a: none,
        "b c": none,
        "d\n.\n": none,
        "": none,
        e: none,
      },
      ".": {},
      "two\nthree": {},
      "f\u00fcnf": {},
    }),
  );
  stream.send("list\nnodes\n");
  stream.end();
  await ended;
  assertEquals(
    stream.text,
    "# munin node at one.example\na e\none.example\nf\u00fcnf\n.\n",
  );
  assertEquals([counts.dropped, warnings.length], [5, 1]);
});

Deno.test("content that fails before anything was sent gives munin-node's comment", async () => {
  const { text, warnings, counts } = await fetchOdd(function* () {
    yield "a.value 1\n";
    throw new Error("no\nluck");
  });
  assertEquals(text, `# Bad exit\n.\n${VERSION}`);
  assertEquals(warnings, ["fetch odd failed: no\nluck"]);
  assertEquals([counts.aborted, counts.commands], [0, 2]);
});

Deno.test("answers before one that fails are not lost with it", async () => {
  const held = new MemorySession(odd(function* () {
    yield "a.value 1\n";
    throw new Error("no luck");
  }));
  held.stream.send("version\nfetch odd\n");
  held.stream.end();
  await held.ended;
  assertEquals(
    held.stream.text,
    `# munin node at one.example\n${VERSION}# Bad exit\n.\n`,
  );
});

Deno.test("content that fails before its first line does so, too", async () => {
  const broken = odd(() => []);
  broken.config = () => {
    throw new Error("no luck");
  };
  const { stream, ended, warnings } = new MemorySession(broken);
  stream.send("config odd\nfetch odd\n");
  stream.end();
  await ended;
  assertEquals(
    stream.text,
    "# munin node at one.example\n# Bad exit\n.\n.\n",
  );
  assertEquals(warnings, ["config odd failed: no luck"]);
});

Deno.test("content that fails with lines sent ends the connection without the dot", async () => {
  const line = `a.label ${"x".repeat(100)}\n`;
  const { text, warnings, counts } = await fetchOdd(function* () {
    for (let i = 0; i < 1000; i++) yield line;
    throw new Error("no luck");
  });
  assertEquals(text.length, 3 * defaultLimits.chunkBytes);
  assertEquals(text, line.repeat(1000).slice(0, text.length));
  assertEquals(warnings, ["cut off: fetch odd failed: no luck"]);
  assertEquals([counts.aborted, counts.commands], [1, 1]);
});

Deno.test("a list that cannot be made ends only this connection", async () => {
  const broken = odd(() => []);
  broken.services = () => {
    throw new Error("no luck");
  };
  const { stream, ended, warnings } = new MemorySession(broken);
  stream.send("list\n");
  await ended;
  assertEquals(warnings, ["cut off: no luck"]);
  assertEquals(stream.closed, 1);
});

Deno.test("answers are sent in chunks, and made no faster than they are taken", async () => {
  let made = 0;
  const endless = odd(function* () {
    while (true) {
      made++;
      yield "a.value 1\n".repeat(10);
    }
  });
  const { stream, session, ended } = new MemorySession(endless);
  const { chunkBytes } = defaultLimits;
  await settle();
  stream.window = 0;
  stream.send("fetch odd\n");
  for (let i = 0; i < 1000; i++) await settle();
  assertEquals(made, Math.ceil(chunkBytes / 100));
  assertEquals(stream.written.length, 1);
  session.stop();
  await ended;
});

Deno.test("a window of a byte gets every byte", async () => {
  const text = "a.label \u00fc\u{1f600}\n".repeat(100);
  const { stream, ended } = new MemorySession(odd(() => [text, text]), {
    chunkBytes: 64,
  });
  stream.window = 1;
  stream.send("fetch odd\n");
  stream.end();
  await ended;
  assertEquals(
    stream.text,
    `# munin node at one.example\n${text}${text}.\n`,
  );
});

/** What a test does with a session before its time is up. */
type Stall = (held: MemorySession) => Promise<void> | void;

const deadlines: readonly [
  name: string,
  stall: Stall,
  ms: number,
  reason: string,
][] = [
  ["sends nothing", () => {}, 60_000, "no command within 60 s"],
  [
    "stops in its first line",
    ({ stream }) => stream.send("lis"),
    60_000,
    "no command within 60 s",
  ],
  [
    "stops after a command",
    ({ stream }) => stream.send("list\n"),
    300_000,
    "no command within 300 s",
  ],
  [
    "sends a byte a second",
    async ({ stream, clock }) => {
      stream.send("version\n");
      for (let i = 0; i < 299; i++) {
        await clock.advance(1000);
        stream.send("l");
      }
    },
    1000,
    "no command within 300 s",
  ],
  [
    "does not read",
    ({ stream }) => {
      stream.window = 0;
      stream.send("list\n");
    },
    60_000,
    "it has taken nothing of its answer for 60 s",
  ],
  [
    "goes on for ever",
    async ({ stream, clock }) => {
      for (let i = 0; i < 899; i++) {
        stream.send("list\n");
        await clock.advance(1000);
      }
    },
    1000,
    "not finished within 900 s",
  ],
  [
    "reads a byte a second",
    async ({ stream, clock }) => {
      stream.window = 0;
      const write = stream.write.bind(stream);
      stream.write = async (bytes) => {
        await new Promise<void>((resolve) => clock.setTimer(resolve, 1000));
        stream.window = 1;
        return write(bytes);
      };
      stream.send("fetch odd\n");
      await clock.advance(899_000);
    },
    1000,
    "not finished within 900 s",
  ],
];

for (const [name, stall, ms, reason] of deadlines) {
  Deno.test(`a client that ${name} is cut off in time`, async () => {
    const held = new MemorySession(odd(() => ["a.value 1\n".repeat(1000)]));
    await settle();
    await stall(held);
    await held.clock.advance(ms - 1);
    assertEquals([held.stream.closed, held.warnings], [0, []]);
    await held.clock.advance(1);
    await held.ended;
    assertEquals(held.warnings, [`cut off: ${reason}`]);
    assertEquals([held.stream.closed, held.counts.aborted], [1, 1]);
    assertEquals(held.clock.pending, 0);
  });
}

Deno.test("content that hangs is given up at the connection's end, and by a stop", async () => {
  for (const ends of ["deadline", "stop"] as const) {
    const held = new MemorySession(odd(async function* () {
      yield "a.value 1\n";
      await new Promise(() => {});
    }));
    held.stream.send("fetch odd\n");
    await held.clock.advance(899_999);
    assertEquals(held.stream.closed, 0);
    if (ends === "deadline") await held.clock.advance(1);
    else held.session.stop();
    await held.ended;
    assertEquals(
      held.warnings,
      ends === "deadline" ? ["cut off: not finished within 900 s"] : [],
    );
    assertEquals(held.clock.pending, 0);
  }
});

Deno.test("content is closed whatever ends its answer", async () => {
  const ways: Record<string, (held: MemorySession) => Promise<void> | void> = {
    stop: ({ session }) => session.stop(),
    deadline: ({ clock }) => clock.advance(60_000),
  };
  for (const [name, end] of Object.entries(ways)) {
    let closed = false;
    const held = new MemorySession(odd(function* () {
      try {
        while (true) yield "a.value 1\n";
      } finally {
        closed = true;
      }
    }));
    await settle();
    held.stream.window = 0;
    held.stream.send("fetch odd\n");
    for (let i = 0; i < 1000; i++) await settle();
    assertEquals(closed, false, name);
    await end(held);
    await held.ended;
    await settle();
    assertEquals(closed, true, name);
  }
});

Deno.test("a client that goes away before its answer is said to have done so", async () => {
  let closed = false;
  const held = new MemorySession(odd(function* () {
    try {
      while (true) yield "a.value 1\n";
    } finally {
      closed = true;
    }
  }));
  await settle();
  held.stream.broken = true;
  held.stream.send("fetch odd\n");
  await held.ended;
  await settle();
  assertEquals(held.warnings, [
    "cut off: it closed the connection before its answer",
  ]);
  assertEquals(closed, true);
});

Deno.test("a client that breaks the connection while it is idle is no news", async () => {
  const held = new MemorySession(content);
  held.stream.read = () => Promise.reject(new Error("connection reset"));
  await held.ended;
  assertEquals([held.warnings, held.counts.aborted], [[], 0]);
});

Deno.test("a command is at most as long as the limit", async () => {
  const { lineBytes } = defaultLimits;
  const longest = `list ${"x".repeat(lineBytes - 6)}\n`;
  assertEquals(await converse(content, longest), "\n");
  const held = new MemorySession(content);
  let read = 0;
  const { stream } = held;
  const original = stream.read.bind(stream);
  stream.read = async (buffer) => {
    const count = await original(buffer);
    read += count ?? 0;
    return count;
  };
  stream.send("x".repeat(1_000_000));
  await held.ended;
  assertEquals(read, lineBytes);
  assertEquals(held.warnings, [
    "cut off: a command is longer than 1024 bytes",
  ]);
});

const garbage: readonly (readonly number[])[] = [
  // The beginning of a TLS handshake.
  [0x16, 0x03, 0x01, 0x02, 0x00, 0x0a],
  [0x00, 0x0a],
  [0x6c, 0x1b, 0x5b, 0x32, 0x4a, 0x0a],
  [0x6c, 0x7f, 0x0a],
];

for (const bytes of garbage) {
  Deno.test(`a client that sends the bytes ${bytes} is cut off`, async () => {
    const held = new MemorySession(content);
    held.stream.send(new Uint8Array(bytes));
    await held.ended;
    assertEquals(held.warnings, ["cut off: it sent control characters"]);
    assertEquals(held.stream.text, "# munin node at one.example\n");
  });
}

Deno.test("whatever a client sends, the session ends in good order", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.uint8Array({ maxLength: 2000 })),
      async (chunks) => {
        const held = new MemorySession(content);
        held.stream.send(...chunks);
        held.stream.end();
        await held.ended;
        assertEquals(held.clock.pending, 0);
        assertEquals(held.stream.closed, 1);
        for (const warning of held.warnings) {
          assertMatch(warning, /^cut off: [ -~]+$/);
        }
      },
    ),
  );
});

Deno.test("a connection has so many commands and no more", async () => {
  const held = new MemorySession(content, { commands: 3 });
  held.stream.send("list\n".repeat(5));
  await held.ended;
  assertEquals(held.counts.commands, 3);
  assertEquals(held.warnings, ["cut off: more than 3 commands"]);
});
