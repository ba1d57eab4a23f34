import { assert, assertEquals } from "@std/assert";
import { ago, statusText } from "../../lib/cli/status_text.ts";
import type { Doing, GathererStatus, NodeReport } from "../../lib/status.ts";

const NOW = 1_700_000_000_000;
const SECOND = 1000;
const HOUR = 3_600_000;
const DAY = 24 * HOUR;

const well: Doing = {
  lastSuccess: NOW - 12 * SECOND,
  lastError: null,
  failing: false,
  usedMs: 1234,
};

function node(
  nickname: string,
  key: string,
  state: NodeReport["state"],
  more: Partial<NodeReport> = {},
): NodeReport {
  return {
    cluster: "foolscap",
    key,
    nickname,
    state,
    reason: state === "attached" ? "answers" : "no answer for 400 s",
    since: NOW - 400 * SECOND,
    ...well,
    ...more,
  };
}

const status: GathererStatus = {
  state: "ready",
  since: NOW - 2 * HOUR,
  version: "1.2.3",
  pid: 4711,
  basedir: "/var/lib/gatherer",
  startedAt: NOW - 40 * DAY,
  lastRound: NOW - 12 * SECOND,
  rounds: 57_600,
  intervalSeconds: 60,
  degraded: [
    "source web does not answer: connection refused by 192.0.2.7 port 8649, tried for 20 min",
    "the disk is full",
  ],
  listening: [
    { what: "nodes", address: "0.0.0.0:3456" },
    { what: "Munin", address: "127.0.0.1:4949" },
  ],
  configuration: {
    file: "/etc/gatherer/gatherer.toml",
    loadedAt: NOW - 3 * DAY,
  },
  sources: [
    {
      name: "nodes",
      kind: "foolscap",
      host: "",
      polls: 57_600,
      failures: 3,
      ...well,
      lastError: { at: NOW - 5 * DAY, reason: "nobody\nanswered" },
    },
    {
      name: "web",
      kind: "gmond",
      host: "192.0.2.7:8649",
      polls: 1,
      failures: 1,
      lastSuccess: null,
      lastError: { at: NOW - 5 * SECOND, reason: "connection refused" },
      failing: true,
      usedMs: 3,
    },
  ],
  plugins: [{ id: "snapshot", calls: 1, ...well, usedMs: 5 * HOUR }],
  nodes: [
    node("alpha", "a".repeat(32), "attached"),
    node("beta", "b".repeat(32), "silent"),
    node("gamma", "web/gamma", "attached", {
      failing: true,
      lastError: {
        at: NOW - 61 * SECOND,
        reason: "it gave an answer that is no dictionary but a list of lists",
      },
    }),
    node("a name that is much too long for a table", "c", "retired"),
  ],
};

const style = { now: NOW, all: false, color: false };

Deno.test("a status as people see it", () => {
  assertEquals(
    statusText(status, style),
    `\
gatherer 1.2.3, process 4711, on /var/lib/gatherer
state          ready for 2 h; started 40 d ago
last round     12 s ago; 57600 rounds, one every 60 s
configuration  /etc/gatherer/gatherer.toml, read 3 d ago
listening      0.0.0.0:3456 (nodes)
               127.0.0.1:4949 (Munin)
nodes          4: 2 attached, 1 silent, 1 retired
not well       source web does not answer: connection refused by 192.0.2.7 port
               8649, tried for 20 min
               the disk is full

SOURCES             LAST SUCCESS  TIME USED
nodes               12 s ago      1.2 s      57600 polls, 3 failed
    failed 5 d ago: nobody answered
web 192.0.2.7:8649  never         3 ms       1 poll, 1 failed
    fails: connection refused (5 s ago)

PLUGINS   LAST SUCCESS  TIME USED
snapshot  12 s ago      5 h        1 call

NODES NOT WELL  KEY        STATE     SINCE      LAST SUCCESS
beta            bbbbbbbb   silent    6 min ago  12 s ago
    no answer for 400 s
gamma           web/gamma  attached  6 min ago  12 s ago
    fails: it gave an answer that is no dictionary but a list of lists (61 s
    ago)
`,
  );
});

Deno.test("all nodes, and none", () => {
  const all = statusText(status, { ...style, all: true });
  for (
    const name of ["alpha", "beta", "gamma", "a name that is much too…"]
  ) {
    assert(all.includes(`\n${name} `), name);
  }
  const none = statusText(
    { ...status, degraded: [], sources: [], plugins: [], nodes: [] },
    style,
  );
  assert(none.endsWith("nodes          none\nwell           yes\n"));
  // Nothing can attach.
  assert(!none.includes("last round"));
});

Deno.test("no line is wider than a terminal, but for words that are", () => {
  const long = node("n".repeat(99), "k".repeat(99), "attached");
  const nodes = [...status.nodes, long];
  const text = statusText({ ...status, nodes }, { ...style, all: true });
  for (const line of text.split("\n")) {
    assert([...line].length <= 80, line);
  }
});

Deno.test("colours set off and change no text", () => {
  const colored = statusText(status, { ...style, color: true });
  assert(colored.includes("\x1b["));
  assertEquals(
    // deno-lint-ignore no-control-regex
    colored.replace(/\x1b\[[\d;]*m/g, ""),
    statusText(status, style),
  );
});

Deno.test("how long ago", () => {
  const table: [number, string][] = [
    [0, "0 s ago"],
    [119 * SECOND, "119 s ago"],
    [120 * SECOND, "2 min ago"],
    [HOUR, "60 min ago"],
    [2 * HOUR - 1, "119 min ago"],
    [2 * HOUR, "2 h ago"],
    [47 * HOUR, "47 h ago"],
    [2 * DAY, "2 d ago"],
    [700 * DAY, "700 d ago"],
    // A clock that was set back.
    [-500, "0 s ago"],
    [-5000, "in the future"],
  ];
  for (const [age, text] of table) assertEquals(ago(NOW - age, NOW), text);
  assertEquals(ago(null, NOW), "never");
});
