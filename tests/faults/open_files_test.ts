/** A process that has as many files open as it may. */

import { assert, assertEquals } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { generateIdentity } from "../../lib/foolscap/certificate.ts";
import { Tub } from "../../lib/foolscap/tub.ts";
import { builtScript } from "../executable.ts";
import { dial } from "../foolscap/raw_peer.ts";
import { about, startProgram } from "./process.ts";

const LIMIT = 64;
/** Files may be limited on every Unix. */
const ignore = Deno.build.os === "windows";

/** A shell that limits the files of what it becomes. */
const limited = (...command: string[]) => ({
  args: ["-c", `ulimit -n ${LIMIT}; exec "$@"`, "sh", ...command],
});

/** Attaches when it can. @returns Whether that was so at once. */
async function attaches(furl: string): Promise<boolean> {
  const tub = new Tub({ identity: await generateIdentity() });
  try {
    await tub.getReference(furl);
    return true;
  } catch {
    return false;
  } finally {
    await tub.close();
  }
}

Deno.test({
  name:
    `with ${LIMIT} files, hundreds of connections neither harm the nodes that are there nor the snapshot, in one line each way`,
  ignore,
  fn: async () => {
    await using executable = await builtScript();
    const basedir = `${executable.dir}/base`;
    await using gatherer = startProgram(
      "sh",
      limited(
        ...[executable.path, "serve", "--basedir", basedir, "--interval", "1"],
        ...["--hostname", "127.0.0.1"],
      ),
    );
    await gatherer.until(() => gatherer.stdout.length > 0);
    const [furl] = gatherer.stdout;
    const port = Number(/127\.0\.0\.1:(\d+)/.exec(furl)![1]);
    const node = new Tub({ identity: await generateIdentity() });
    const present = await node.getReference(furl);
    const wires = await Promise.all(
      Array.from({ length: 300 }, () => dial(port)),
    );
    // There is room for 24 of them, and the node is one.
    await gatherer.until(() =>
      about(gatherer.stderr, /cannot take/).length > 0
    );
    await Promise.any(wires.map((wire) => wire.closed));
    const snapshot = `${basedir}/stats.msgpack`;
    for (let round = 0; round < 2; round++) await replaced(snapshot);
    assert(!present.disconnected.aborted);
    for (const wire of wires) wire.destroy();
    while (!await attaches(furl));
    await gatherer.until(() => about(gatherer.stderr, / again$/).length > 0);
    assertEquals(
      about(gatherer.stderr, /cannot|failed|again/),
      [
        "error cannot take connections of nodes: 24 are open, and of the 64 files that may be " +
        "open the others are needed; raise that limit (ulimit -n, LimitNOFILE); " +
        "those that are there go on",
        "info takes connections of nodes again",
      ],
    );
    await node.close();
    assertEquals((await gatherer.end()).code, 0);
  },
});

/** Waits until a file is another one. */
async function replaced(path: string): Promise<void> {
  const { ino } = await Deno.stat(path);
  while ((await Deno.stat(path)).ino === ino) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

Deno.test({
  name:
    "a port on which none could be taken for want of files takes them again, in one line each way",
  ignore,
  fn: async () => {
    const child = fromFileUrl(new URL("./deaf_child.ts", import.meta.url));
    await using program = startProgram(
      "sh",
      limited(Deno.execPath(), "run", "--quiet", "-P=test", child),
    );
    await program.until(() => program.stdout.length > 0);
    const [furl] = program.stdout;
    const port = Number(/127\.0\.0\.1:(\d+)/.exec(furl)![1]);
    const node = new Tub({ identity: await generateIdentity() });
    const present = await node.getReference(furl);
    const echo = async () =>
      assertEquals(
        await present.call("echo", [7n], { timeoutMs: 10_000 }),
        7n,
      );
    await program.tell("fill");
    await program.until(() => program.stdout.includes("fill"));
    const wires = await Promise.all(
      Array.from({ length: 10 }, () => dial(port)),
    );
    await program.until(() => about(program.stdout, /cannot take/).length > 0);
    await echo();
    for (const wire of wires) wire.destroy();
    await program.tell("release");
    await program.until(() => about(program.stdout, / again$/).length > 0);
    assert(await attaches(furl));
    await echo();
    const lines = about(program.stdout, / (cannot|takes) /)
      .map((line) => line.slice(25).replace(/ +/, " "));
    const reason = lines[0].slice(
      "error cannot take connections of nodes: ".length,
    );
    assert(
      /^(Too many open files|the port was deaf, perhaps for too many open files|connect EMFILE.*); those that are there go on$/
        .test(reason),
      reason,
    );
    assertEquals(lines.slice(1), ["info takes connections of nodes again"]);
    await node.close();
  },
});
