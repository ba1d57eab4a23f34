import { assertEquals } from "@std/assert";
import {
  accessWarnings,
  parseAccounts,
} from "../../lib/munin_install/access.ts";
import { publicTempDir } from "../executable.ts";

const passwd = `\
root:x:0:0:root:/root:/bin/bash
nobody:x:65000:65534:nobody:/nonexistent:/usr/sbin/nologin
owner:x:OWNER:100::/:/bin/sh
broken
`;

Deno.test("accounts of /etc/passwd and /etc/group, and without them", () => {
  const accounts = parseAccounts(
    passwd.replace("OWNER", "1000"),
    "root:x:0:\nmunin:x:105:\n",
  );
  assertEquals(
    [
      accounts.nobody,
      accounts.munin,
      accounts.nameOf(1000),
      accounts.nameOf(7),
    ],
    [65000, 105, "owner", "7"],
  );
  const none = parseAccounts("", "");
  assertEquals(
    [none.nobody, none.munin, none.nameOf(0)],
    [65534, undefined, "0"],
  );
});

Deno.test("the mode bits that count: the owner's, the group munin's, everybody's", async () => {
  const dir = await publicTempDir();
  await using cleanup = new AsyncDisposableStack();
  cleanup.defer(() => Deno.remove(dir, { recursive: true }));
  const target = `${dir}/gatherer`;
  const statsfile = `${dir}/stats.msgpack`;
  await Deno.writeTextFile(target, "");
  await Deno.chmod(target, 0o755);
  await Deno.writeTextFile(statsfile, "");
  const { uid, gid } = await Deno.stat(statsfile);
  const nobody = (nobody: number, munin?: number) => ({
    nobody,
    munin,
    nameOf: () => "owner",
  });
  const others = nobody(65000);
  const cases: [number, ReturnType<typeof nobody>, boolean][] = [
    [0o604, others, true],
    [0o660, others, false],
    [0o060, nobody(65000, gid!), true],
    [0o606, nobody(65000, gid!), false],
    [0o400, nobody(uid!), true],
    [0o066, nobody(uid!), false],
  ];
  for (const [mode, accounts, readable] of cases) {
    await Deno.chmod(statsfile, mode);
    const problems = async (asNobody: boolean) =>
      (await accessWarnings(
        { target, statsfile },
        accounts,
        "/etc/munin/plugin-conf.d/gatherer",
        asNobody,
      )).filter((line) => !line.includes(" lies under ")).map((line) =>
        line.replaceAll(dir, "DIR")
      );
    const octal = mode.toString(8).padStart(4, "0");
    assertEquals(
      (await problems(true)).map((line) => line.replace(/, or put .*/, "")),
      readable ? [] : [
        "user nobody, whom Munin's plugins run as, cannot use DIR/stats.msgpack: " +
        `DIR/stats.msgpack lacks r for others (mode ${octal}, owner owner): chmod o+r DIR/stats.msgpack`,
      ],
    );
    assertEquals(await problems(false), []);
  }
});

Deno.test("a link on the way: the directories of both ends count", async () => {
  const dir = await publicTempDir();
  await using cleanup = new AsyncDisposableStack();
  cleanup.defer(() => Deno.remove(dir, { recursive: true }));
  await Deno.mkdir(`${dir}/closed`);
  await Deno.writeTextFile(`${dir}/closed/gatherer`, "");
  await Deno.chmod(`${dir}/closed/gatherer`, 0o755);
  await Deno.writeTextFile(`${dir}/stats.json`, "");
  await Deno.chmod(`${dir}/closed`, 0o700);
  await Deno.symlink("closed", `${dir}/open`);
  const warnings = await accessWarnings(
    { target: `${dir}/open/gatherer`, statsfile: `${dir}/stats.json` },
    { nobody: 65000, nameOf: () => "root" },
    "/x",
    true,
  );
  assertEquals(
    warnings.filter((line) => line.includes("lacks x"))
      .map((line) => line.replaceAll(dir, "DIR").replace(/ for others.*/, "")),
    [
      "user nobody, whom Munin's plugins run as, cannot use DIR/open/gatherer: DIR/open lacks x",
    ],
  );
});

Deno.test("directories that munin-node's service cannot see", async () => {
  const accounts = parseAccounts("", "");
  const under = async (statsfile: string) =>
    (await accessWarnings(
      { target: "/bin/sh", statsfile, graphs: "/bin/sh" },
      accounts,
      "/x",
      true,
    )).filter((line) => line.includes(" lies under ")).map((line) =>
      / lies under (\S+), /.exec(line)![1]
    );
  for (
    const [path, dirs] of [
      ["/home/x/gatherer", ["/home"]],
      ["/root/gatherer", ["/root"]],
      ["/tmp/gatherer", ["/tmp"]],
      ["/var/tmp/gatherer", ["/var/tmp"]],
      ["/run/user/1/x", ["/run/user"]],
      ["/homely/gatherer", []],
      ["/var/lib/tmp/gatherer", []],
    ] as const
  ) {
    assertEquals(await under(path), [...dirs], path);
  }
});
