import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { resolve } from "@std/path";
import fc from "fast-check";
import { UserError } from "../../lib/errors.ts";
import { directoryName, fileName, lowerCase } from "../../lib/rrd/names.ts";
import { RrdRoot } from "../../lib/rrd/root.ts";

const bytes = (text: string) => new TextEncoder().encode(text).length;

Deno.test("names are as they are, but for what cannot be a file's", () => {
  const cases: [string, string][] = [
    ["load_one", "load_one"],
    ["beta cluster", "beta cluster"],
    ["spoof-A.example.test", "spoof-A.example.test"],
    ["app.vm1.vcpu", "app.vm1.vcpu"],
    ["50%", "50%"],
    ["a%2Fb", "a%2Fb"],
    [`it's "x" \\`, `it's "x" \\`],
    ["-v", "-v"],
    ["größe", "größe"],
    [" ", " "],
    ["a/b", "a%2Fb"],
    ["/etc/passwd", "%2Fetc%2Fpasswd"],
    [".", "%2E"],
    ["..", "%2E%2E"],
    ["../../x", "%2E%2E%2F..%2Fx"],
    [".hidden", "%2Ehidden"],
    ["a..", "a.."],
    ["a\0b", "a%00b"],
    ["a\nb\tc\x7f", "a%0Ab%09c%7F"],
    ["", "%"],
    ["\ud800", "\ufffd"],
    ["__SummaryInfo__", "%5F_SummaryInfo__"],
    ["__SummaryInfo__x", "__SummaryInfo__x"],
  ];
  for (const [name, expected] of cases) {
    assertEquals(directoryName(name), expected);
    if (name !== "__SummaryInfo__") {
      assertEquals(fileName(name), `${expected}.rrd`);
    }
  }
  assertEquals(fileName("__SummaryInfo__"), "__SummaryInfo__.rrd");
});

Deno.test("names that are too long are cut, and still differ", () => {
  assertEquals(directoryName("x".repeat(255)), "x".repeat(255));
  assertEquals(fileName("x".repeat(245)), `${"x".repeat(245)}.rrd`);
  for (const letter of ["x", "ä", "€", "😀", "/"]) {
    const one = `${letter.repeat(300)}1`;
    const other = `${letter.repeat(300)}2`;
    for (
      const [name, most] of [[directoryName, 255], [fileName, 249]] as const
    ) {
      assertNotEquals(name(one), name(other));
      assertEquals(name(one), name(one));
      assert(bytes(name(one)) <= most, name(one));
      assert(bytes(name(one)) > most - 5, name(one));
    }
  }
  assertEquals(
    directoryName("x".repeat(256)),
    `${"x".repeat(238)}~85e62acd750c4eb5`,
  );
});

Deno.test("small letters are ASCII's only, as in gmetad", () => {
  assertEquals(lowerCase("Host-A.ÄÖ.İ"), "host-a.ÄÖ.İ");
});

const nasty = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.string({
    unit: fc.constantFrom("..", "/", "\0", ".", "a", "%", "\\", "\n", " ", "~"),
  }),
  fc.string({ unit: "grapheme", minLength: 200, maxLength: 400 }),
  fc.constantFrom("__SummaryInfo__", "..", "../..", "/", ""),
);

Deno.test("no name leads out of its directory", () => {
  const root = new RrdRoot("/rrds");
  fc.assert(
    fc.property(nasty, nasty, nasty, (cluster, host, metric) => {
      const directory = root.ofHost(cluster, host);
      const path = `${directory}/${fileName(metric)}`;
      // Nothing in it means anything else but itself.
      assertEquals(resolve(path), path);
      const parts = path.split("/");
      assertEquals(parts.length, 5);
      assertEquals(parts.slice(0, 2), ["", "rrds"]);
      for (const part of parts.slice(2)) {
        assert(bytes(part) >= 1 && bytes(part) <= 255);
        // deno-lint-ignore no-control-regex
        assert(!/^\.|[\x00-\x1f\x7f]/.test(part));
      }
      assert(bytes(parts[4]) <= 249);
      // No host's files are among a summary's.
      assertNotEquals(directory, root.ofSummary(cluster));
      assertNotEquals(parts[2], "__SummaryInfo__");
      assertNotEquals(parts[3], "__SummaryInfo__");
      assertEquals(
        resolve(root.ofSummary(cluster)),
        `/rrds/${directoryName(cluster)}/__SummaryInfo__`,
      );
    }),
    { numRuns: 2000 },
  );
});

Deno.test("different names have different files, unless one looks like the other's code", () => {
  fc.assert(
    fc.property(nasty, nasty, (one, other) => {
      fc.pre(one.toWellFormed() !== other.toWellFormed());
      fc.pre(!/%|~/.test(one + other));
      assertNotEquals(fileName(one), fileName(other));
      assertNotEquals(directoryName(one), directoryName(other));
    }),
    { numRuns: 1000 },
  );
});

Deno.test("a root is made absolute, and refused if it does not fit on a line", () => {
  assertEquals(new RrdRoot("/rrds/../rrds//").path, "/rrds");
  assertEquals(new RrdRoot("rrds").path, `${Deno.cwd()}/rrds`);
  assertEquals(
    new RrdRoot("/rrds", false).ofHost("Lab", "Host-A"),
    "/rrds/Lab/host-a",
  );
  for (const path of ["", "/rrds\nx", "/\0"]) {
    try {
      new RrdRoot(path);
      throw new Error("it was taken");
    } catch (error) {
      assert(error instanceof UserError);
      assert(error.message.startsWith("no directory for RRDs: "));
    }
  }
});
