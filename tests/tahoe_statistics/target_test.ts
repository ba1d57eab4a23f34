import { assert, assertEquals, assertThrows } from "@std/assert";
import { UserError } from "../../lib/errors.ts";
import {
  parseStatisticsTarget,
  parseStatisticsTargets,
  placeOf,
} from "../../lib/tahoe_statistics/target.ts";
import { readTrust } from "../../lib/tahoe_statistics/trust.ts";

const targets: [text: string, name: string, url: string][] = [
  [
    "http://127.0.0.1:3456",
    "127.0.0.1:3456",
    "http://127.0.0.1:3456/statistics?t=json",
  ],
  [
    " http://127.0.0.1:3456/ ",
    "127.0.0.1:3456",
    "http://127.0.0.1:3456/statistics?t=json",
  ],
  [
    "http://[2001:db8::1]:3456/statistics",
    "[2001:db8::1]:3456",
    "http://[2001:db8::1]:3456/statistics?t=json",
  ],
  [
    "HTTPS://Example.org/statistics?t=json#here",
    "example.org:443",
    "https://example.org/statistics?t=json",
  ],
  [
    "storage-1=http://a.example/tahoe/statistics?x=y=z",
    "storage-1",
    "http://a.example/tahoe/statistics?x=y=z",
  ],
  [
    "näme.of:1=https://u:p%40ss@a.example",
    "näme.of:1",
    "https://u:p%40ss@a.example/statistics?t=json",
  ],
];

for (const [text, name, url] of targets) {
  Deno.test(`parseStatisticsTarget() reads ${text}`, () => {
    assertEquals(parseStatisticsTarget(text, "--statistics"), { name, url });
  });
}

const refused: [text: string, reason: string][] = [
  ["", "this is no [NAME=]http://… or https://… URL"],
  ["a=b=http://x", "this is no [NAME=]http://… or https://… URL"],
  ["ftp://x", "this is no [NAME=]http://… or https://… URL"],
  ["node-1", "this is no [NAME=]http://… or https://… URL"],
  ["x=http://", "its URL is not valid"],
  ["x=http://a:99999", "its URL is not valid"],
  ["=http://a", '"" is no name: it has no blanks and no slashes'],
  ["a b=http://a", '"a b" is no name: it has no blanks and no slashes'],
  ["a/b=http://a", '"a/b" is no name: it has no blanks and no slashes'],
];

for (const [text, reason] of refused) {
  Deno.test(`parseStatisticsTarget() refuses "${text}"`, () => {
    const error = assertThrows(
      () => parseStatisticsTarget(text, "--statistics"),
      UserError,
    );
    assertEquals(
      error.message,
      `--statistics: ${reason}; it is to be like node-1=http://127.0.0.1:3456`,
    );
    assertEquals(error.exitCode, 2);
  });
}

Deno.test("parseStatisticsTarget() does not repeat what may be a password", () => {
  for (const text of ["http://u:secret@", "x=htp://u:secret@h"]) {
    const error = assertThrows(() => parseStatisticsTarget(text, "line 3"));
    assert(error instanceof UserError && error.exitCode === 1);
    assert(!error.message.includes("secret"), error.message);
  }
  assertEquals(placeOf(new URL("https://u:secret@h/x")), "h:443");
});

Deno.test("parseStatisticsTargets() refuses a name that is there twice", () => {
  assertEquals(
    parseStatisticsTargets(["http://a", "b=http://a"], "x").map((t) => t.name),
    ["a:80", "b"],
  );
  assertThrows(
    () => parseStatisticsTargets(["http://a", "a:80=http://b"], "x"),
    UserError,
    'x: two nodes are called "a:80"; give each a name of its own',
  );
});

Deno.test("readTrust() says what is wrong with a file", async () => {
  const path = await Deno.makeTempFile();
  try {
    const complaint = async (text: string) => {
      await Deno.writeTextFile(path, text);
      const error = await readTrust(path).then(
        () => undefined,
        (error) => error,
      );
      assert(error instanceof UserError);
      return error.message.replaceAll(path, "FILE");
    };
    assertEquals(
      await complaint("-----BEGIN PRIVATE KEY-----"),
      "cannot use FILE: there is no certificate in it; it is to be the certificate of an authority, in PEM",
    );
    assert(
      (await complaint(
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
      )).startsWith("cannot use FILE: a certificate in it is damaged: "),
    );
    await Deno.remove(path);
    const error = await readTrust(path).catch((error) => error);
    assertEquals(
      error.message,
      `cannot read ${path}: no such file or directory`,
    );
  } finally {
    await Deno.remove(path).catch(() => {});
  }
});
