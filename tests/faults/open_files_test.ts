/** A process that has as many files open as it may. */

import { assert, assertEquals } from "@std/assert";
import { generateIdentity } from "../../lib/foolscap/certificate.ts";
import { Tub } from "../../lib/foolscap/tub.ts";
import { builtScript } from "../executable.ts";
import { dial } from "../foolscap/raw_peer.ts";
import { preload } from "../peers/fake_time.ts";
import { about, startProgram } from "./process.ts";

const LIMIT = 64;

/** Makes a process's durations shorter: half a minute is a second. */
const FAST = `
const { setTimeout } = globalThis;
globalThis.setTimeout = (fn, ms, ...args) => setTimeout(fn, ms / 30, ...args);
const now = performance.now.bind(performance);
performance.now = () => now() * 30;
`;

/** Whether a node that comes now is taken in. */
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
    `with ${LIMIT} files, hundreds of connections cost the nodes that are there nothing, and when they are gone all is as before, in one line each way`,
  // Files may be limited on every Unix.
  ignore: Deno.build.os === "windows",
  fn: async () => {
    await using executable = await builtScript();
    await preload(executable, FAST);
    const basedir = `${executable.dir}/base`;
    await using gatherer = startProgram("sh", {
      args: [
        "-c",
        `ulimit -n ${LIMIT}; exec "$@"`,
        "sh",
        executable.path,
        "serve",
        ...["--basedir", basedir, "--hostname", "127.0.0.1"],
      ],
    });
    await gatherer.until(() => gatherer.stdout.length > 0);
    const [furl] = gatherer.stdout;
    const port = Number(/127\.0\.0\.1:(\d+)/.exec(furl)![1]);
    const node = new Tub({ identity: await generateIdentity() });
    const present = await node.getReference(furl);
    const wires = await Promise.all(
      Array.from({ length: 300 }, () => dial(port)),
    );
    const lines = (what: RegExp) => about(gatherer.stderr, what);
    await gatherer.until(() =>
      lines(/cannot take/).length + lines(/snapshot failed/).length === 2
    );
    assert(!present.disconnected.aborted);
    for (const wire of wires) wire.destroy();
    await gatherer.until(() => lines(/ again$/).length === 2);
    assert(await attaches(furl));
    assert(!present.disconnected.aborted);
    const all = lines(/cannot|failed|again/).map((line) =>
      line.replaceAll(basedir, "BASEDIR")
    ).sort();
    assertEquals(all, [
      "error cannot take connections of nodes: too many files are open; " +
      "raise the limit (ulimit -n, LimitNOFILE); those that are there go on",
      'error the plugin snapshot failed: cannot write the snapshot "BASEDIR/stats.msgpack": ' +
      "Too many open files",
      "info takes connections of nodes again",
      "info the plugin snapshot works again",
    ]);
    await node.close();
  },
});
