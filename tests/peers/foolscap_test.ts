/**
 * Real Foolscap (Debian's python3-foolscap) on the other end of the wire, in both directions and
 * with either side deciding. Needs --allow-net=127.0.0.1, --allow-read, --allow-write, --allow-run
 * and --allow-env.
 */

import { assert, assertEquals } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { type Clock, systemClock } from "../../lib/clock.ts";
import {
  formatIdentity,
  generateIdentity,
  parseIdentity,
} from "../../lib/foolscap/certificate.ts";
import { Tub } from "../../lib/foolscap/tub.ts";
import { parseFurl } from "../../lib/foolscap/furl.ts";
import { type Gatherer, startGatherer } from "../../lib/gatherer/gatherer.ts";
import { loadSnapshot } from "../../lib/snapshot/file.ts";
import type { Host } from "../../lib/tree/host.ts";
import type { Value } from "../../lib/value.ts";
import { connect, StatsProvider } from "../../mod.ts";
import { eventually } from "../foolscap/raw_peer.ts";
import { FakeClock } from "../fake_clock.ts";
import { captureLog } from "../log_capture.ts";
import { requirePeer } from "./peer.ts";

const ignore = !requirePeer("python3-foolscap");

const here = (name: string) => fromFileUrl(new URL(name, import.meta.url));
const certificate = (name: string) =>
  here(`../testdata/foolscap/certs/${name}.pem`);

/** One line of a program: something that happened. */
type Event = { readonly event: string } & Record<string, unknown>;

/** A Python program that tells what happens, and takes commands. */
interface Program extends AsyncDisposable {
  /** The next event of that kind that nobody has waited for yet. Throws when the program ends. */
  next(event: string): Promise<Event>;
  /** Gives a command. */
  tell(command: string): Promise<void>;
  /** Ends it: in good order, or as a power cut would. */
  stop(how?: "kill"): Promise<void>;
}

function start(script: string, task: Record<string, unknown>): Program {
  const process = new Deno.Command("/usr/bin/python3", {
    // Foolscap deprecates what a test needs: a port that the system chooses.
    args: ["-W", "ignore", here(script), JSON.stringify(task)],
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const events: Event[] = [];
  let ended = false;
  let wake = () => {};
  const reading = (async () => {
    let rest = "";
    for await (
      const chunk of process.stdout.pipeThrough(new TextDecoderStream())
    ) {
      const lines = (rest + chunk).split("\n");
      rest = lines.pop()!;
      events.push(...lines.map((line) => JSON.parse(line)));
      wake();
    }
    ended = true;
    wake();
  })();
  const stdin = process.stdin.getWriter();
  let stopping: Promise<void> | undefined;
  const stop = async (how?: "kill") => {
    if (how === "kill") process.kill("SIGKILL");
    await stdin.close().catch(() => {});
    await reading;
    const { code } = await process.status;
    if (how === undefined) assertEquals(code, 0, script);
  };
  return {
    async next(event) {
      while (true) {
        const index = events.findIndex((one) => one.event === event);
        if (index >= 0) return events.splice(index, 1)[0];
        if (ended) throw new Error(`${script} has ended without "${event}"`);
        await new Promise<void>((resolve) => wake = resolve);
      }
    },
    tell: (command) => stdin.write(new TextEncoder().encode(`${command}\n`)),
    stop: (how) => stopping ??= stop(how),
    [Symbol.asyncDispose]: () => stopping ??= stop(),
  };
}

interface Directory extends AsyncDisposable {
  file(name: string): string;
}

async function temporary(): Promise<Directory> {
  const path = await Deno.makeTempDir();
  return {
    file: (name) => join(path, name),
    [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }),
  };
}

/** A file with that key: one of the two of real Foolscap, or a new one of ours. */
async function keyFile(directory: Directory, key: string): Promise<string> {
  const path = directory.file(`${key}.pem`);
  if (key === "ours") {
    await Deno.writeTextFile(path, formatIdentity(await generateIdentity()));
  } else await Deno.copyFile(certificate(key), path);
  await Deno.chmod(path, 0o600);
  return path;
}

async function ourGatherer(
  directory: Directory,
  key: string,
): Promise<Gatherer> {
  const basedir = directory.file("gatherer");
  await Deno.mkdir(basedir);
  await Deno.rename(
    await keyFile(directory, key),
    join(basedir, "stats_gatherer.pem"),
  );
  return await startGatherer({
    basedir,
    clock: systemClock,
    host: "127.0.0.1",
    hostname: "127.0.0.1",
    intervalMs: 200,
  });
}

/** Resolves with a node once the tree shows it as the test wants it. */
function seen(
  gatherer: Gatherer,
  tubid: string,
  wanted: (host: Host) => boolean,
): Promise<Host> {
  return new Promise((resolve) => {
    const look = () => {
      const host = gatherer.tree.host("foolscap", tubid);
      if (host && wanted(host)) {
        end();
        resolve(host);
      }
    };
    const end = gatherer.tree.onCommit(look);
    look();
  });
}

function figures(host: Host): Record<string, Value> {
  return Object.fromEntries(
    host.observation!.metrics.map(({ name, value }) => [name, value]),
  );
}

/** The machine's clock for somebody who does not want to wait for a second attempt. */
const hurried: Clock = {
  ...systemClock,
  setTimer: (fn, ms, options) => systemClock.setTimer(fn, ms / 20, options),
};

const stats = {
  counters: {
    "downloader.files": 0,
    "int31": 2 ** 31 - 1,
    "negative": -5,
    "uploader.bytes": 2 ** 31,
  },
  stats: {
    "cpu.total": 0.5,
    "float.whole": 0,
    "mutable.unknown": null,
    "neg31": -(2 ** 31) - 1,
    "tiny": -1e-300,
  },
};
/** What JavaScript's JSON cannot write: integers of any size, and a float without a fraction. */
const statsJson = JSON.stringify(stats)
  .replace('"float.whole":0', '"float.whole":0.0')
  .replace(
    '"int31"',
    '"big63":9223372036854775809,"big200":1606938044258990275541962092341162602522202993782792835301377,"int31"',
  );

const expected: Record<string, Value> = {
  "downloader.files": 0n,
  "big63": 2n ** 63n + 1n,
  "big200": 2n ** 200n + 1n,
  "int31": 2n ** 31n - 1n,
  "negative": -5n,
  "uploader.bytes": 2n ** 31n,
  "cpu.total": 0.5,
  "float.whole": 0,
  "mutable.unknown": null,
  "neg31": -(2n ** 31n) - 1n,
  "tiny": -1e-300,
};

/** Starts a provider whose statistics JavaScript's JSON could not carry. */
function startProvider(
  task: { furl: string; pem: string; nickname: string },
): Program {
  return start("foolscap_provider.py", { ...task, stats_json: statsJson });
}

const pairs = [["high", "low"], ["low", "high"], ["ours", "low"], [
  "ours",
  "high",
]];

for (const [ours, theirs] of pairs) {
  Deno.test({
    name: `a real provider (${theirs}) on our gatherer (${ours})`,
    ignore,
    async fn() {
      await using directory = await temporary();
      await using logs = await captureLog();
      const gatherer = await ourGatherer(directory, ours);
      const pem = await keyFile(directory, theirs);
      const { tubid } = parseIdentity(await Deno.readTextFile(pem));
      {
        await using provider = startProvider({
          furl: gatherer.furl!,
          pem,
          nickname: "Zoë ☃",
        });
        assertEquals((await provider.next("started")).tubid, tubid);
        assertEquals((await provider.next("provided")).value, null);
        await provider.next("polled");
        const host = await seen(
          gatherer,
          tubid,
          (host) => host.observation !== undefined,
        );
        assertEquals(host.nickname, "Zoë ☃");
        assertEquals(figures(host), expected);

        // One that fails costs one poll, not the node.
        await provider.tell("fail");
        await provider.next("failing");
        await seen(gatherer, tubid, (host) => host.life.failure !== undefined);
        const failure = gatherer.tree.host("foolscap", tubid)!.life.failure;
        assertEquals(
          failure,
          "the peer answered with builtins.RuntimeError: no stats today",
        );
        await seen(gatherer, tubid, (host) => host.life.failure === undefined);
      }
      // It has stopped, for which it waits for us; we have noticed as soon.
      await eventually(() =>
        gatherer.tree.host("foolscap", tubid)?.life.attachedAt === undefined
      );
      assertEquals(
        gatherer.tree.host("foolscap", tubid)!.life.detachReason,
        "the peer closed the connection",
      );
      const before = gatherer.tree.host("foolscap", tubid)!.observation!;

      // The same key: the same node, in a new life. Then a power cut.
      const again = startProvider({ furl: gatherer.furl!, pem, nickname: "" });
      await again.next("provided");
      const host = await seen(
        gatherer,
        tubid,
        (host) => host.observation!.incarnation !== before.incarnation,
      );
      assertEquals(host.nickname, "");
      assert(host.observation!.sequence > before.sequence);
      await again.stop("kill");
      await eventually(() =>
        gatherer.tree.host("foolscap", tubid)?.life.attachedAt === undefined
      );
      await gatherer.stop();

      const { nodes } = await loadSnapshot(
        directory.file("gatherer/stats.msgpack"),
        systemClock,
      );
      const node = nodes.find(({ key }) => key === tubid)!;
      const saved = Object.fromEntries([...node.counters, ...node.stats]);
      // MessagePack has no integers beyond 64 bits.
      assertEquals({ ...saved, big200: 0n }, { ...expected, big200: 0n });
      assertEquals(Number(saved.big200), 2 ** 200);
      const { name } = parseFurl(gatherer.furl!);
      for (const line of logs.lines) assert(!line.includes(name), line);
    },
  });
}

for (const [theirs, ours] of pairs.map(([ours, theirs]) => [theirs, ours])) {
  Deno.test({
    name: `our provider (${ours}) on a real gatherer (${theirs})`,
    ignore,
    async fn() {
      await using directory = await temporary();
      await using _logs = await captureLog();
      const identityFile = await keyFile(directory, ours);
      const { tubid } = parseIdentity(await Deno.readTextFile(identityFile));
      const task = {
        pem: certificate(theirs),
        port: 0,
        name: "gywo3xz5vq4ihbpn",
      };
      const gatherer = start("foolscap_gatherer.py", task);
      const { furl, port } = await gatherer.next("listening") as {
        furl: string;
        port: number;
      } & Event;

      const clock = new FakeClock();
      const provider = new StatsProvider({ clock });
      await using attachment = connect(provider, {
        furl,
        nickname: "Zoë",
        identityFile,
        loadMonitor: false,
        clock: hurried,
      });
      const { nickname, tubid: seenAs } = await gatherer.next("provide");
      assertEquals([nickname, seenAs], ["Zoë", tubid]);

      provider.count("sent", 3);
      provider.count("big", 2n ** 70n);
      provider.registerProducer({
        getStats: () => ({
          half: 0.5,
          whole: -7,
          unknown: null,
          huge: 1e300,
        }),
      });
      await gatherer.tell("poll");
      const answer = await gatherer.next("stats");
      assertEquals(answer.counters, {
        sent: ["int", "3"],
        big: ["int", String(2n ** 70n)],
      });
      assertEquals(answer.stats, {
        half: ["float", "0.5"],
        whole: ["int", "-7"],
        unknown: ["NoneType", "None"],
        huge: ["float", "1e+300"],
      });

      // A producer that hangs costs its own numbers: the answer comes, before Tahoe would care.
      const asked = Promise.withResolvers<void>();
      const never = new Promise<never>(() => {});
      provider.registerProducer({
        name: "stuck",
        getStats() {
          asked.resolve();
          return never;
        },
      });
      await gatherer.tell("poll");
      await asked.promise;
      await clock.advance(5000);
      const late = await gatherer.next("stats");
      assertEquals((late.counters as Record<string, unknown>).sent, [
        "int",
        "3",
      ]);
      assertEquals(
        (late.stats as Record<string, unknown>)[
          "stats_provider.producer_faults"
        ],
        ["int", "1"],
      );

      // Dropped by the gatherer, we come back after a second, on the same port after a restart.
      await gatherer.tell("drop");
      await gatherer.next("lost");
      await gatherer.next("provide");
      await gatherer.stop("kill");
      await eventually(() => attachment.state === "waiting");
      const second = start("foolscap_gatherer.py", { ...task, port });
      await second.next("provide");
      await eventually(() => attachment.state === "connected");
      await second.tell("poll");
      await second.next("stats");
      await attachment.close();
      await second.next("lost");
      await second.stop();
    },
  });
}

Deno.test({
  name: "a real Tub takes what a master of ours held back until it could",
  ignore,
  async fn() {
    await using directory = await temporary();
    const identity = parseIdentity(
      await Deno.readTextFile(await keyFile(directory, "high")),
    );
    await using gatherer = start("foolscap_gatherer.py", {
      pem: certificate("low"),
      port: 0,
      name: "swissnum",
    });
    const furl = parseFurl((await gatherer.next("listening")).furl as string);
    const tub = new Tub({ identity });
    // Far more than the 4096 bytes that it takes before it speaks Banana itself.
    const wrong = Array.from(
      { length: 40 },
      (_, i) => `${i}`.padStart(400, "n"),
    );
    const answers = await Promise.allSettled(
      wrong.map((name) => tub.getReference({ ...furl, name })),
    );
    for (const answer of answers) {
      assertEquals(
        (answer as PromiseRejectedResult).reason?.type,
        "builtins.KeyError",
      );
    }
    assertEquals(
      (await tub.getReference(furl)).interfaceName,
      "RIStatsGatherer.tahoe.allmydata.com",
    );
    assertEquals(tub.connectionCount, 1);
    await tub.close();
  },
});

for (const version of ["TLSv1_2", "TLSv1_3", ""]) {
  Deno.test({
    name: `a stolen certificate is refused, and the log says so (${
      version || "any version"
    })`,
    ignore,
    async fn() {
      await using directory = await temporary();
      await using logs = await captureLog();
      await using gatherer = await ourGatherer(directory, "high");
      const process = new Deno.Command("/usr/bin/python3", {
        args: [
          here("foolscap_thief.py"),
          JSON.stringify({
            port: gatherer.port,
            tubid: gatherer.tubid,
            pem: certificate("low-stolen"),
            version,
          }),
        ],
      });
      const { code, stdout } = await process.output();
      assertEquals(code, 0);
      const outcome = JSON.parse(new TextDecoder().decode(stdout));
      // Not a byte of ours reaches it after the handshake.
      assertEquals(outcome.received ?? "", "");
      const refusals = () =>
        logs.lines.filter((line) => line.includes("refused a connection"));
      await eventually(() => refusals().length > 0);
      assertEquals(refusals().length, 1);
      if (version !== "TLSv1_3") {
        const wanted =
          "the peer could not prove that it holds the key of its certificate";
        assert(refusals()[0].endsWith(wanted), refusals()[0]);
      }
      assertEquals(gatherer.tree.cluster("foolscap").hosts.size, 1);
    },
  });
}
