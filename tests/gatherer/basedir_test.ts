import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertThrows,
} from "@std/assert";
import { UserError } from "../../lib/errors.ts";
import {
  BaseDir,
  parseLocation,
  parsePort,
} from "../../lib/gatherer/basedir.ts";

async function tempDir(): Promise<{ path: string } & AsyncDisposable> {
  const path = await Deno.makeTempDir();
  return {
    path,
    [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }),
  };
}

const mode = async (path: string) => (await Deno.stat(path)).mode! & 0o777;

Deno.test("a first start makes the directory, the key (0600) and keeps both", async () => {
  await using temp = await tempDir();
  const path = `${temp.path}/new`;
  const first = await BaseDir.open(path, 0o755);
  assertEquals(await mode(path), 0o755);
  const identity = await first.identity();
  assertEquals(await mode(`${path}/stats_gatherer.pem`), 0o600);
  const again = await BaseDir.open(path, 0o755);
  assertEquals((await again.identity()).tubid, identity.tubid);
  assertEquals(again.complaints, []);
});

Deno.test("a private directory is 0700 from the start", async () => {
  await using temp = await tempDir();
  await BaseDir.open(`${temp.path}/p`, 0o700);
  assertEquals(await mode(`${temp.path}/p`), 0o700);
});

Deno.test("an unusable key is explained and never overwritten", async () => {
  await using temp = await tempDir();
  const path = `${temp.path}/stats_gatherer.pem`;
  for (
    const content of ["", "not a key", "-----BEGIN CERTIFICATE-----\nAAAA\n"]
  ) {
    await Deno.writeTextFile(path, content, { mode: 0o600 });
    const basedir = await BaseDir.open(temp.path, 0o755);
    const error = await assertRejects(
      () => basedir.identity(),
      UserError,
      `cannot use ${path}`,
    );
    assertMatch(error.message, /restore it from a backup, or move it away/);
    assertEquals(await Deno.readTextFile(path), content);
  }
});

Deno.test("a key that others can read is complained about", async () => {
  await using temp = await tempDir();
  await (await BaseDir.open(temp.path, 0o755)).identity();
  const path = `${temp.path}/stats_gatherer.pem`;
  await Deno.chmod(path, 0o644);
  const basedir = await BaseDir.open(temp.path, 0o755);
  await basedir.identity();
  assertEquals(basedir.complaints, [
    `${path} is a secret, but others can read it: chmod 600 ${path}`,
  ]);
});

Deno.test("the FURL keeps its swissnum; one of another key is refused without quoting it", async () => {
  await using temp = await tempDir();
  const basedir = await BaseDir.open(temp.path, 0o755);
  const { tubid } = await basedir.identity();
  assertEquals(await basedir.swissnum(tubid), undefined);
  await basedir.saveFurl(`pb://${tubid}@tcp:h:1/secretsecret`);
  assertEquals(await mode(`${temp.path}/stats_gatherer.furl`), 0o600);
  assertEquals(await basedir.swissnum(tubid), "secretsecret");
  const error = await assertRejects(
    () => basedir.swissnum("a".repeat(32)),
    UserError,
    "names another Tub than stats_gatherer.pem is",
  );
  assert(!error.message.includes("secretsecret"));
  await Deno.writeTextFile(
    `${temp.path}/stats_gatherer.furl`,
    "garbage secretsecret",
  );
  const garbled = await assertRejects(
    () => basedir.swissnum(tubid),
    UserError,
    "cannot use",
  );
  assert(!garbled.message.includes("secretsecret"));
});

Deno.test("port and location are kept as Tahoe's gatherer keeps them", async () => {
  await using temp = await tempDir();
  const basedir = await BaseDir.open(temp.path, 0o755);
  assertEquals([await basedir.port(), await basedir.location()], [
    undefined,
    undefined,
  ]);
  await basedir.saveAddress(3456, ["tcp:a.example:3456", "tcp:[::1]:3456"]);
  assertEquals(await Deno.readTextFile(`${temp.path}/port`), "tcp:3456\n");
  assertEquals(
    await Deno.readTextFile(`${temp.path}/location`),
    "tcp:a.example:3456,tcp:[::1]:3456\n",
  );
  assertEquals(await basedir.port(), 3456);
  assertEquals(await basedir.location(), [
    "tcp:a.example:3456",
    "tcp:[::1]:3456",
  ]);
});

Deno.test("a base directory that cannot be is explained", async () => {
  await using temp = await tempDir();
  await Deno.writeTextFile(`${temp.path}/file`, "");
  await assertRejects(
    () => BaseDir.open(`${temp.path}/file`, 0o755),
    UserError,
    `the base directory ${temp.path}/file is not a directory`,
  );
  await assertRejects(
    () => BaseDir.open(`${temp.path}/a/b`, 0o755),
    UserError,
    `cannot make the base directory ${temp.path}/a/b: no such file or directory`,
  );
});

Deno.test("ports and hints from files and options are checked, with the right exit code", () => {
  assertEquals([parsePort("tcp:1", "port"), parsePort("65535", "port")], [
    1,
    65535,
  ]);
  for (
    const text of ["", "x", "tcp:", "tcp:65536", "tcp:1:interface=x", "-1"]
  ) {
    assertEquals(
      assertThrows(() => parsePort(text, "f/port"), UserError).exitCode,
      1,
      text,
    );
    assertEquals(
      assertThrows(() => parsePort(text, "--port"), UserError).exitCode,
      2,
      text,
    );
  }
  assertEquals(parseLocation("tcp:a:1, b:2", "f"), ["tcp:a:1", "b:2"]);
  for (const text of ["", "a", "tcp:a:1,,b:2", "tor:x:1"]) {
    assertThrows(
      () => parseLocation(text, "f"),
      UserError,
      "is not a location hint",
    );
  }
});
