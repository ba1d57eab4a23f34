import {
  assert,
  assertEquals,
  assertMatch,
  assertNotEquals,
  assertThrows,
} from "@std/assert";
import fc from "fast-check";
import { FurlError } from "../../lib/foolscap/errors.ts";
import {
  formatFurl,
  formatHint,
  parseFurl,
  parseHint,
  randomSwissnum,
  redactFurl,
} from "../../lib/foolscap/furl.ts";
import vectors from "../testdata/foolscap/furl-vectors.json" with {
  type: "json",
};

const TUBID = "s7ndm2rxkytmnk4w7pt7rq5fm33aoluu";

/** What the reference takes and we refuse: it looks for a FURL anywhere in the text. */
const STRICTER_FURLS = [`xxpb://${TUBID}@a:1/n`];

/** What the reference calls usable and we do not: no socket has such a port. */
const STRICTER_HINTS = ["tcp:host:123456", "host:0"];

for (const row of vectors.furls) {
  const strict = STRICTER_FURLS.includes(row.furl);
  Deno.test(
    `furl vector ${JSON.stringify(row.furl)}${
      strict ? ", stricter than the reference" : ""
    }`,
    () => {
      if (row.error !== undefined || strict) {
        assertThrows(() => parseFurl(row.furl), FurlError);
      } else {
        const { tubid, hints, name } = row;
        assertEquals<unknown>(parseFurl(row.furl), { tubid, hints, name });
      }
    },
  );
}

for (const row of vectors.hints) {
  const strict = STRICTER_HINTS.includes(row.hint);
  Deno.test(
    `hint vector ${JSON.stringify(row.hint)}${
      strict ? ", stricter than the reference" : ""
    }`,
    () => {
      const expected = row.usable && !strict
        ? { host: row.host, port: row.port }
        : undefined;
      assertEquals<unknown>(parseHint(row.hint), expected);
    },
  );
}

Deno.test("the rows where we are stricter are among the vectors", () => {
  for (const furl of STRICTER_FURLS) {
    assert(vectors.furls.some((row) => row.furl === furl && !row.error));
  }
  for (const hint of STRICTER_HINTS) {
    assert(vectors.hints.some((row) => row.hint === hint && row.usable));
  }
});

const HINTS: [string, unknown][] = [
  ["host:1", { host: "host", port: 1 }],
  ["host:65535", { host: "host", port: 65535 }],
  ["host:65536", undefined],
  ["host:99999999999999999999", undefined],
  ["host:-1", undefined],
  ["host:1e3", undefined],
  ["host:", undefined],
  ["host:80\n", undefined],
  [":80", undefined],
  ["tcp::80", undefined],
  ["tcp:[]:80", undefined],
  ["tcp:[host]:80", undefined],
  ["tcp:[1.2.3.4]:80", undefined],
  ["tcp:::1:80", undefined],
  ["tcp:[::1%]:80", undefined],
  ["tcp:[::1]", undefined],
  ["", undefined],
];
for (const [hint, expected] of HINTS) {
  Deno.test(`hint ${JSON.stringify(hint)}`, () => {
    assertEquals<unknown>(parseHint(hint), expected);
  });
}

const BAD = [
  ["pb://", "no tubid"],
  [`pb://${TUBID}/sesame`, "no tubid"],
  [`pb://${TUBID}/se@same`, "no name"],
  [`pb://${TUBID}@sesame`, "no name"],
  [`pb://${TUBID}@a:1/sesame\npb://${TUBID}@a:1/sesame`, "single line"],
  [`pb://${TUBID.slice(0, 31)}0@a:1/sesame`, "other characters"],
  [`pb://${TUBID}@a:1,,b:1/sesame`, "location hints is empty"],
  [`"pb://${TUBID}@a:1/sesame"`, "must begin"],
  ["sesame", "must begin"],
];
for (const [furl, words] of BAD) {
  Deno.test(`an error tells no secret: ${JSON.stringify(furl)}`, () => {
    const { message } = assertThrows(() => parseFurl(furl), FurlError, words);
    assert(!message.includes("same"), message);
  });
}

const furls = fc.record({
  tubid: fc.stringMatching(/^[a-z2-7]{32}$/),
  hints: fc.array(fc.stringMatching(/^[^,/\r\n]+$/)),
  name: fc.stringMatching(/^[^\s](.*[^\s])?$/).filter((name) =>
    name === name.trim() && !/[\r\n]/.test(name)
  ),
});

Deno.test("what formatFurl writes, parseFurl reads", () => {
  fc.assert(fc.property(furls, (furl) => {
    assertEquals(parseFurl(formatFurl(furl)), furl);
    assertEquals(parseFurl(`\n ${formatFurl(furl)}\r\n`), furl);
  }));
});

Deno.test("any text is a FURL or a FurlError", () => {
  const texts = fc.oneof(
    fc.string(),
    fc.string().map((text) => `pb://${text}`),
    fc.string().map((text) => `pb://${TUBID}@${text}`),
  );
  fc.assert(fc.property(texts, (text) => {
    try {
      const furl = parseFurl(text);
      assertEquals(parseFurl(formatFurl(furl)), furl);
    } catch (error) {
      if (!(error instanceof FurlError)) throw error;
    }
  }));
});

const REDACTED = [
  [`pb://${TUBID}@a:1,b:2/sesame`, `pb://${TUBID}@a:1,b:2/…`],
  [` pb://${TUBID}@a:1/sesame\n`, `pb://${TUBID}@a:1/…`],
  [`pb://${TUBID}@/se/same`, `pb://${TUBID}@/…`],
  [`PB://${TUBID}@a:1/sesame`, `PB://${TUBID}@a:1/…`],
  [`pb://${TUBID}@a:1/n pb://${TUBID}@a:1/sesame`, `pb://${TUBID}@a:1/…`],
  [`pb://${TUBID}@sesame`, "…"],
  ["pb://sesame@/", "pb://sesame@/…"],
  [`x pb://${TUBID}@a:1/sesame`, "…"],
  ["sesame", "…"],
  ["", "…"],
];
for (const [furl, redacted] of REDACTED) {
  Deno.test(`redacted for a log: ${JSON.stringify(furl)}`, () => {
    assertEquals(redactFurl(furl), redacted);
  });
}

Deno.test("what formatHint writes, parseHint reads", () => {
  assertEquals(formatHint("a.example", 1), "tcp:a.example:1");
  assertEquals(formatHint("fe80::1%eth0", 2), "tcp:[fe80::1%eth0]:2");
  const hosts = fc.oneof(fc.ipV4(), fc.ipV6(), fc.domain());
  const ports = fc.integer({ min: 1, max: 65535 });
  fc.assert(fc.property(hosts, ports, (host, port) => {
    assertEquals(parseHint(formatHint(host, port)), { host, port });
  }));
});

Deno.test("a swissnum is 32 characters of base32, and another each time", () => {
  assertMatch(randomSwissnum(), /^[a-z2-7]{32}$/);
  assertNotEquals(randomSwissnum(), randomSwissnum());
});
