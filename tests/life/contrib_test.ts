import { assert, assertEquals } from "@std/assert";
import { loadConfig } from "../../lib/cli/serve_options.ts";
import { run } from "../executable.ts";
import { requirePeer } from "../peers/peer.ts";

/** The files that are given to others to install. */
const contrib = new URL("../../contrib/", import.meta.url);
const unit = await Deno.readTextFile(
  new URL("systemd/gatherer.service", contrib),
);

/** The values of a directive of the unit. */
function values(name: string): string[] {
  return [...unit.matchAll(new RegExp(`^${name}=(.*)$`, "gm"))]
    .map(([, value]) => value);
}

Deno.test({
  name: "systemd understands all of the unit",
  ignore: !requirePeer("systemd"),
  async fn() {
    const dir = await Deno.makeTempDir();
    try {
      // The executable must exist for that.
      const path = `${dir}/gatherer.service`;
      const text = unit.replaceAll("/usr/local/bin/gatherer", "/bin/true");
      await Deno.writeTextFile(path, text);
      const verified = await run(["systemd-analyze", "verify", path]);
      assertEquals([verified.code, verified.stderr], [0, ""]);

      // It would say so otherwise.
      await Deno.writeTextFile(path, text.replace("Type=notify", "Type=x"));
      const wrong = await run(["systemd-analyze", "verify", path]);
      assert(wrong.stderr.includes("service type"));
    } finally {
      await Deno.remove(dir, { recursive: true });
    }
  },
});

Deno.test("the unit fits what it starts", () => {
  const [start] = values("ExecStart");
  const [program, command, ...options] = start.split(" ");
  assertEquals([program, command], ["/usr/local/bin/gatherer", "serve"]);
  const { gatherer } = loadConfig("serve", options);
  assertEquals(gatherer.basedir, `/var/lib/${values("StateDirectory")}`);
  assertEquals(values("ExecReload"), [
    `${program} reload --basedir ${gatherer.basedir}`,
  ]);
  const [watchdog] = values("WatchdogSec").map(Number);
  assert(watchdog * 1000 >= 2 * gatherer.intervalMs);
  const [stop] = values("TimeoutStopSec").map(Number);
  assert(stop > 5);
  assertEquals(values("Type"), ["notify"]);
  assertEquals(values("StandardOutput"), ["null"]);
  // With these the runtime does not start, or the gatherer cannot know its addresses.
  assertEquals(values("MemoryDenyWriteExecute"), []);
  assert(values("RestrictAddressFamilies")[0].includes("AF_NETLINK"));
});

Deno.test({
  name: "logrotate understands its file",
  ignore: !requirePeer("logrotate"),
  async fn() {
    const dir = await Deno.makeTempDir();
    try {
      const text = await Deno.readTextFile(
        new URL("logrotate/gatherer", contrib),
      );
      const path = `${dir}/gatherer`;
      const faults = async (text: string) => {
        // The user is one that the packager makes.
        await Deno.writeTextFile(
          path,
          text.replace("su gatherer gatherer", "su root root"),
        );
        const { stderr } = await run(["logrotate", "--debug", path]);
        return stderr.match(/^error: .*/gm)?.length ?? 0;
      };
      assertEquals(await faults(text), 0);
      // It would say so otherwise.
      assert(await faults(text.replace("weekly", "wekly")) > 0);
    } finally {
      await Deno.remove(dir, { recursive: true });
    }
  },
});
