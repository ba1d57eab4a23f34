import { configure, getLogger, reset } from "@logtape/logtape";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { UserError } from "../../lib/errors.ts";
import { configureLogging } from "../../lib/log/configure.ts";
import { LOG_LEVELS } from "../../lib/log/level.ts";
import {
  DEFAULT_LOG_SETTINGS,
  type LogSettings,
} from "../../lib/log/settings.ts";
import { FakeClock } from "../fake_clock.ts";
import { listen } from "./datagrams.ts";
import { TIME } from "./records.ts";

const logger = getLogger(["gatherer", "nodes"]);

/** What the child of child.ts writes to stderr, with its times as TIME. */
async function stderrOf(
  settings: Partial<LogSettings>,
  inJournal = false,
): Promise<string[]> {
  const child = new URL("child.ts", import.meta.url).pathname;
  const config = new URL("../../deno.json", import.meta.url).pathname;
  const stderr = await Deno.makeTempFile();
  try {
    const run = `${
      inJournal ? 'JOURNAL_STREAM=$(stat -c %d:%i "$4") ' : ""
    }exec "$0" run --quiet -A --config "$1" "$2" "$3" 2>"$4"`;
    const { code } = await new Deno.Command("sh", {
      args: [
        "-c",
        run,
        Deno.execPath(),
        config,
        child,
        JSON.stringify(settings),
        stderr,
      ],
    }).output();
    const text = await Deno.readTextFile(stderr);
    assertEquals(code, 0, text);
    return text.replaceAll(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/g, "TIME")
      .split("\n").slice(0, -1);
  } finally {
    await Deno.remove(stderr);
  }
}

Deno.test("lines of text on stderr", async () => {
  assertEquals(await stderrOf({}), [
    "TIME info    web1 fatal  forged attached",
    "TIME warning web1 is late",
    "TIME error   cannot write",
    "TIME fatal   giving up",
  ]);
});

Deno.test("JSON lines on stderr", async () => {
  assertEquals(await stderrOf({ format: "json", level: "debug" }), [
    '{"time":"TIME","level":"debug","category":"gatherer.nodes",' +
    '"message":"a poll took 12 ms","properties":{"ms":12}}',
    '{"time":"TIME","level":"info","category":"gatherer.nodes",' +
    '"message":"web1 fatal  forged attached",' +
    '"properties":{"nickname":"web1 fatal  forged"}}',
    '{"time":"TIME","level":"warning","category":"gatherer.nodes",' +
    '"message":"web1 is late","properties":{"nickname":"web1"}}',
    '{"time":"TIME","level":"error","category":"gatherer.nodes","message":"cannot write"}',
    '{"time":"TIME","level":"fatal","category":"gatherer.nodes","message":"giving up"}',
  ]);
});

Deno.test("lines for the journal have their priority, and no time of their own", async () => {
  const lines = [
    "<7>a poll took 12 ms",
    "<6>web1 fatal  forged attached",
    "<4>web1 is late",
    "<3>cannot write",
    "<2>giving up",
  ];
  assertEquals(await stderrOf({ level: "debug" }, true), lines);
  assertEquals(await stderrOf({ level: "debug", journal: "yes" }), lines);
  assertEquals(await stderrOf({ level: "error", journal: "no" }, true), [
    "TIME error   cannot write",
    "TIME fatal   giving up",
  ]);
  assertEquals(await stderrOf({ level: "fatal", format: "json" }, true), [
    '<2>{"time":"TIME","level":"fatal","category":"gatherer.nodes","message":"giving up"}',
  ]);
});

Deno.test("a log file that fails is said on stderr, also when lines do not go there", async () => {
  assertEquals(await stderrOf({ stderr: false, file: "/dev/full" }), [
    'TIME error   lines cannot be written to the log file "/dev/full": ' +
    "no space left on device; it is tried again with each line",
    'TIME error   the log file "/dev/full": 4 lines could not be written: ' +
    "no space left on device",
  ]);
});

/** A directory to log in, and settings for a file there. */
async function setUp() {
  const directory = await Deno.makeTempDir();
  const settings: LogSettings = {
    ...DEFAULT_LOG_SETTINGS,
    stderr: false,
    file: `${directory}/a.log`,
  };
  return {
    directory,
    settings,
    clock: new FakeClock(TIME),
    /** The messages of a file. */
    read: (name: string) =>
      Deno.readTextFileSync(`${directory}/${name}`).split("\n").slice(0, -1),
    [Symbol.asyncDispose]: async () => {
      await reset();
      await Deno.remove(directory, { recursive: true });
    },
  };
}

Deno.test("each level lets through what is as bad or worse", async () => {
  await using it = await setUp();
  const log = await configureLogging(it.settings, it.clock);
  for (const level of LOG_LEVELS) {
    const file = `${it.directory}/${level}`;
    await log.reconfigure({ ...it.settings, level, file });
    for (
      const method of [
        "trace",
        "debug",
        "info",
        "warning",
        "error",
        "fatal",
      ] as const
    ) logger[method](level);
  }
  await log.close();
  assertEquals(
    LOG_LEVELS.map((level) => it.read(level).map((line) => line.slice(25, 32))),
    [
      ["fatal  "],
      ["fatal  "],
      ["error  ", "fatal  "],
      ["warning", "error  ", "fatal  "],
      ["info   ", "warning", "error  ", "fatal  "],
      ["debug  ", "debug  ", "info   ", "warning", "error  ", "fatal  "],
    ],
  );
});

Deno.test("the time is the clock's, floods are folded, secrets are taken out", async () => {
  await using it = await setUp();
  const log = await configureLogging(it.settings, it.clock);
  for (let i = 1; i <= 9; i++) {
    logger.warn("refused {address}", { address: `192.0.2.${i}` });
    logger.warn`refused once more ${i}`;
    await it.clock.advance(1000);
  }
  logger.error("pb://abc@h:1/{name}", { name: "swissnum" });
  await log.close();
  assertEquals(it.read("a.log"), [
    "2026-11-21T15:57:50.123Z warning refused 192.0.2.1",
    "2026-11-21T15:57:50.123Z warning refused once more 1",
    "2026-11-21T15:57:51.123Z warning refused 192.0.2.2",
    "2026-11-21T15:57:51.123Z warning refused once more 2",
    "2026-11-21T15:57:52.123Z warning refused 192.0.2.3",
    "2026-11-21T15:57:52.123Z warning refused once more 3",
    "2026-11-21T15:57:53.123Z warning refused 192.0.2.4",
    "2026-11-21T15:57:53.123Z warning refused once more 4",
    "2026-11-21T15:57:54.123Z warning refused 192.0.2.5",
    "2026-11-21T15:57:54.123Z warning refused once more 5",
    "2026-11-21T15:57:59.123Z error   pb://abc@h:1/[secret]",
    "2026-11-21T15:57:58.123Z warning refused 192.0.2.9 … and 3 like it",
    "2026-11-21T15:57:58.123Z warning refused once more 9 … and 3 like it",
  ]);
  logger.error("nobody hears this");
  assertEquals(it.clock.pending, 0);
});

Deno.test("of two changes at a time the later one holds", async () => {
  await using it = await setUp();
  const log = await configureLogging(it.settings, it.clock);
  await Promise.all([
    // This one takes longer.
    log.reconfigure({ ...it.settings, syslog: "udp:localhost:9" }),
    log.reconfigure({ ...it.settings, file: `${it.directory}/b.log` }),
  ]);
  logger.info("hello");
  await log.close();
  assertEquals([it.read("a.log").length, it.read("b.log").length], [0, 1]);
});

Deno.test("settings are changed without losing a line", async () => {
  await using it = await setUp();
  const log = await configureLogging(it.settings, it.clock);
  const said: string[] = [];
  let isOver = false;
  const speaker = (async () => {
    for (let i = 0; !isOver; i++) {
      // Templates of their own, so that they are no flood.
      logger.error(`line ${i}`);
      said.push(`line ${i}`);
      await (i % 3 === 0
        ? new Promise((resolve) => setTimeout(resolve))
        : Promise.resolve());
    }
  })();
  for (let i = 0; i < 20; i++) {
    await log.reconfigure({
      ...it.settings,
      format: i % 3 === 0 ? "json" : "text",
      level: i % 2 === 0 ? "error" : "debug",
      file: `${it.directory}/${i % 4}`,
      maxBytes: 0,
    });
    await new Promise((resolve) => setTimeout(resolve));
  }
  isOver = true;
  await speaker;
  await log.close();
  const written = ["a.log", "0", "1", "2", "3"].flatMap(it.read)
    .map((line) => /line \d+/.exec(line)![0]);
  assert(said.length > 20);
  assertEquals(new Set(written).size, written.length);
  assertEquals(written.length, said.length);
});

Deno.test("what cannot be followed changes nothing", async () => {
  await using it = await setUp();
  const log = await configureLogging(it.settings, it.clock);
  for (
    const [change, message] of [
      [
        { file: `${it.directory}/no/x.log` },
        `cannot write the log file "${it.directory}/no/x.log": there is no directory ` +
        `"${it.directory}/no"; make it, or name another file`,
      ],
      [
        { file: `${it.directory}/b.log`, syslog: "/dev/null" },
        "cannot log to syslog at /dev/null: it is not a socket",
      ],
      [
        { syslog: "somewhere" },
        'syslog: "somewhere" is not a place for syslog; expected local, ' +
        "the path of its socket, or udp:HOST:PORT",
      ],
    ] as const
  ) {
    const error = await assertRejects(
      () => log.reconfigure({ ...it.settings, level: "fatal", ...change }),
      UserError,
    );
    assertEquals(error.message, message);
    logger.info("still here");
  }
  await log.close();
  assertEquals(it.read("a.log").length, 3);
  assertEquals([...Deno.readDirSync(it.directory)].map(({ name }) => name), [
    "a.log",
  ]);
});

Deno.test({
  name: "several places get each line; a bad file does not keep a socket open",
  sanitizeResources: true,
  async fn() {
    await using it = await setUp();
    const path = `${it.directory}/socket`;
    using daemon = listen({ transport: "unixpacket", path });
    const settings = { ...it.settings, syslog: path };
    await assertRejects(
      () => configureLogging({ ...settings, file: "/no/x" }, it.clock),
      UserError,
    );
    const log = await configureLogging(settings, it.clock);
    logger.info("hello");
    assert((await daemon.next()).endsWith(": hello"));
    await log.close();
    assertEquals(it.read("a.log"), ["2026-11-21T15:57:50.123Z info    hello"]);
  },
});

Deno.test("reopen begins a file that was moved away anew, and troubles are known", async () => {
  await using it = await setUp();
  const log = await configureLogging(it.settings, it.clock);
  logger.info("a");
  await Deno.rename(`${it.directory}/a.log`, `${it.directory}/a.log.1`);
  log.reopen();
  assertEquals([it.read("a.log"), it.read("a.log.1").length], [[], 1]);
  assertEquals(log.troubles, []);
  await log.close();
});

Deno.test("a configuration that was there before is replaced", async () => {
  await using it = await setUp();
  const before: unknown[] = [];
  await configure({
    reset: true,
    sinks: { before: (record) => before.push(record) },
    loggers: [{ category: "gatherer", sinks: ["before"] }],
  });
  const log = await configureLogging(it.settings, it.clock);
  before.length = 0;
  logger.info("a");
  await log.close();
  assertEquals([before.length, it.read("a.log").length], [0, 1]);
});
