import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { formatFurl, randomSwissnum } from "../../lib/foolscap/furl.ts";
import { jsonForm, lineOf, textForm } from "../../lib/log/line.ts";
import { redact } from "../../lib/log/redact.ts";
import { record, TIME } from "./records.ts";

const TUBID = "abcdefghijklmnopqrstuvwxyz234567";
const KEY =
  "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGBy\nqGSM49Ag\n-----END PRIVATE KEY-----";

Deno.test("a FURL loses its name, a private key everything", () => {
  for (
    const [text, expected] of [
      ["nothing secret: http://a/b c", "nothing secret: http://a/b c"],
      [
        `to pb://${TUBID}@tcp:10.0.0.1:3456,tcp:[::1]:3456/7hgr42 now`,
        `to pb://${TUBID}@tcp:10.0.0.1:3456,tcp:[::1]:3456/[secret] now`,
      ],
      [`"pb://${TUBID}@h:1/7hgr42": bad`, `"pb://${TUBID}@h:1/[secret] bad`],
      ["pb://x@h:1/a/b?c pb://y@/d", "pb://x@h:1/[secret] pb://y@/[secret]"],
      ["PB://X@H:1/A", "PB://X@H:1/[secret]"],
      ["pbu://h:1/name", "pbu://h:1/[secret]"],
      ["pb://no-at/name", "pb://no-at/[secret]"],
      ["pb://pb://x@h/name", "pb://pb:/[secret]"],
      // Nothing there, or taken out before.
      ["pb://x@h:1", "pb://x@h:1"],
      ["pb://x@h:1/", "pb://x@h:1/"],
      ["pb://x@h:1/…", "pb://x@h:1/…"],
      ["pb://x@h:1/… and", "pb://x@h:1/… and"],
      ["pb://x@h:1/…a", "pb://x@h:1/[secret]"],
      ["pb://x@h:1/[secret]", "pb://x@h:1/[secret]"],
      [`a ${KEY} b ${KEY}`, "a [secret] b [secret]"],
      [KEY.replaceAll("\n", " "), "[secret]"],
      [KEY.slice(0, -20), "[secret]"],
      [
        "x -----BEGIN OPENSSH PRIVATE KEY-----\nabc",
        "x [secret]",
      ],
      [
        "-----BEGIN PGP PRIVATE KEY BLOCK-----a-----END PGP PRIVATE KEY BLOCK-----b",
        "[secret]b",
      ],
      [
        "-----BEGIN CERTIFICATE-----abc-----END CERTIFICATE-----",
        "-----BEGIN CERTIFICATE-----abc-----END CERTIFICATE-----",
      ],
    ]
  ) assertEquals(redact(text).text, expected);
});

const anyText = fc.string({ unit: "binary" });
const name = fc.oneof(
  fc.constant(0).map(randomSwissnum),
  // What FURLs of others may be called; long enough not to be found by chance.
  fc.string({ unit: fc.constantFrom(..."abc/@:;,.\"'\\{}é…"), minLength: 12 })
    .map((text) => `z${text}`),
);

Deno.test("no name of a FURL gets into a line, whatever stands around it and wherever", () => {
  fc.assert(
    fc.property(
      anyText,
      anyText,
      name,
      fc.array(fc.constantFrom("tcp:h:1", "[::1]:2", "h.example.org:3456")),
      (before, after, name, hints) => {
        const furl = formatFurl({ tubid: TUBID, hints, name });
        const [, ...parts] = furl.split(/(?=[@/][^/])/);
        for (
          const made of [
            lineOf(record("info", [before + furl + after]), TIME),
            lineOf(record("info", [before, furl, after], { furl }), TIME),
            // In pieces, as a template puts it together.
            lineOf(
              record("info", ["pb://", TUBID, parts.join("")], {
                tubid: TUBID,
                hints: hints.join(","),
                name,
              }),
              TIME,
            ),
            lineOf(
              record("info", [before], { furl, text: `${before} ${furl}` }),
              TIME,
            ),
          ]
        ) {
          const json = jsonForm(made);
          assert(!textForm(made).includes(name));
          assert(!json.includes(JSON.stringify(name).slice(1, -1)), json);
        }
      },
    ),
  );
});

Deno.test("no part of a private key gets into a line, even of one that is cut", () => {
  const base64 = fc.string({
    unit: fc.constantFrom(..."ABCxyz019+/="),
    minLength: 64,
    maxLength: 64,
  });
  fc.assert(
    fc.property(
      fc.nat(9000),
      fc.constantFrom("", "RSA ", "EC ", "ENCRYPTED "),
      fc.array(base64, { minLength: 1, maxLength: 200 }),
      fc.constantFrom("\n", "\r\n"),
      (offset, kind, rows, end) => {
        const pem = [
          `-----BEGIN ${kind}PRIVATE KEY-----`,
          ...rows,
          `-----END ${kind}PRIVATE KEY-----`,
        ].join(end);
        const made = lineOf(
          record("info", [" ".repeat(offset), pem], {
            pem,
            body: rows.join(end),
          }),
          TIME,
        );
        // A body whose begin is beyond the message's cut is not known for one.
        const shown = offset < 8000 ? jsonForm(made) : textForm(made);
        for (const row of rows) assert(!shown.includes(row.slice(0, 16)));
      },
    ),
    { numRuns: 50 },
  );
});

Deno.test("what was redacted stays as it is", () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.oneof(
          fc.constantFrom("pb://", "@", "/", " ", "…", KEY.slice(0, 27), KEY),
          anyText,
        ),
      ),
      (parts) => {
        const once = redact(parts.join("")).text;
        assertEquals(redact(once).text, once);
      },
    ),
  );
});

Deno.test("redaction takes time in proportion", () => {
  for (
    const piece of [
      "pb://",
      "pb://x@",
      "pb:// ",
      "pbu:/",
      "-----BEGIN ",
      "-----BEGIN PRIVATE KEY-----",
      "-----BEGIN A PRIVATE KEY",
      "-----BEGIN PRIVATE KEY----------END ",
      "-----END PRIVATE KEY",
      "A",
      "-",
      "/…",
    ]
  ) {
    const text = piece.repeat(2_000_000 / piece.length);
    for (const whole of [text, `-----BEGIN ${text}`, `pb://${text}`]) {
      const start = performance.now();
      redact(whole);
      // In proportion it is some 20 ms; with the square of the length it is minutes.
      assert(performance.now() - start < 5000, piece);
    }
  }
});
