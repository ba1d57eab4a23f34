import { assert, assertEquals } from "@std/assert";
import type { AlertEvent } from "../../lib/alert/decide.ts";
import { Grouper } from "../../lib/alert/grouper.ts";
import { mailText } from "../../lib/alert/mail.ts";
import {
  type Notice,
  noticeEnvironment,
  noticeJson,
  noticeLine,
} from "../../lib/alert/notice.ts";
import type { AlertItem } from "../../lib/alert/watch.ts";
import { FakeClock } from "../fake_clock.ts";
import { alertConfig } from "./world.ts";

const { rules: [load, silent, metricrule, source] } = alertConfig(`
  rule load
  metric load_one
  raise value > 8
  rule silent
  raise silent
  metricrule cpu "$val < 5" "No idle time"
  rule down
  source *
  raise down`);

const SINCE = Date.UTC(2026, 10, 21, 7, 0, 0);
const AT = SINCE + 300_000;

function item(given: Partial<AlertItem> = {}): AlertItem {
  return {
    cluster: "web",
    host: "www1",
    key: "web/www1",
    metric: "load_one",
    source: "",
    value: "9.3",
    age: 4,
    since: SINCE,
    message: "",
    ...given,
  };
}

function notice(given: Partial<Notice> = {}): Notice {
  const items = given.items ?? [item()];
  return {
    rule: load,
    event: "raise",
    at: AT,
    items,
    count: items.length,
    ...given,
  };
}

Deno.test("a notice in one line", () => {
  const others = ["2", "3", "4", "5"].map((n) => item({ host: `www${n}` }));
  const cases: [Partial<Notice>, string][] = [
    [{}, "load raised: web/www1 load_one = 9.3"],
    [
      { event: "repeat", items: [item({ message: "too\nmuch" })] },
      "load still raised: web/www1 load_one = 9.3: too much",
    ],
    [
      { event: "clear", items: [item(), ...others], count: 4711 },
      "load cleared: web/www1 load_one = 9.3; web/www2 load_one = 9.3; " +
      "web/www3 load_one = 9.3; and 4708 more",
    ],
    [
      { event: "gone", rule: silent, items: [item({ metric: "", age: 700 })] },
      "silent cleared, because it is no longer reported: web/www1 heard of 700 s ago",
    ],
    [
      { rule: source, items: [item({ metric: "", source: "s", age: 60 })] },
      "down raised: source s heard of 60 s ago",
    ],
  ];
  for (const [given, line] of cases) {
    assertEquals(noticeLine(notice(given)), line);
  }
});

Deno.test("a notice as JSON and as an environment", () => {
  const both = notice({
    items: [item({ message: "much" }), item({ host: "www2" })],
    count: 7,
  });
  assertEquals(JSON.parse(noticeJson(both)), {
    version: 1,
    rule: "load",
    event: "raise",
    time: "2026-11-21T07:05:00.000Z",
    text: noticeLine(both),
    count: 7,
    items: [
      {
        cluster: "web",
        host: "www1",
        key: "web/www1",
        metric: "load_one",
        source: "",
        value: "9.3",
        age: 4,
        message: "much",
        since: "2026-11-21T07:00:00.000Z",
      },
      {
        cluster: "web",
        host: "www2",
        key: "web/www1",
        metric: "load_one",
        source: "",
        value: "9.3",
        age: 4,
        message: "",
        since: "2026-11-21T07:00:00.000Z",
      },
    ],
  });
  const hostile = item({ host: "a\0b\n", value: "x".repeat(1000) });
  const { ALERT_TEXT, ...variables } = noticeEnvironment(
    notice({ items: [hostile], count: 3 }),
  );
  assert(ALERT_TEXT.length <= 500 && !/\p{Cc}/u.test(ALERT_TEXT));
  assertEquals(variables, {
    ALERT_EVENT: "raise",
    ALERT_RULE: "load",
    ALERT_TIME: "2026-11-21T07:05:00.000Z",
    ALERT_COUNT: "3",
    ALERT_CLUSTER: "web",
    ALERT_HOST: "a b ",
    ALERT_METRIC: "load_one",
    ALERT_SOURCE: "",
    ALERT_VALUE: "x".repeat(500),
    ALERT_AGE: "4",
    ALERT_SINCE: "2026-11-21T07:00:00.000Z",
    ALERT_MESSAGE: "",
  });
});

const mailbox = {
  kind: "mail",
  sendmail: "/usr/sbin/sendmail",
  to: "ops@example.org",
  from: "ganglia@example.org",
} as const;
const mime = [
  "MIME-Version: 1.0",
  "Content-Type: text/plain; charset=utf-8",
  "Content-Transfer-Encoding: 8bit",
  "Auto-Submitted: auto-generated",
  "",
];

Deno.test("a metricrule's mail has the lines of gmetad-python's", () => {
  const cpu = item({ metric: "cpu", value: "3", message: "No idle time" });
  const raised = notice({ rule: metricrule, items: [cpu], count: 3 });
  assertEquals(mailText(raised, mailbox).split("\n"), [
    "To: ops@example.org",
    "From: ganglia@example.org",
    "Subject: Metric cpu out of range",
    ...mime,
    "No idle time",
    "Host: www1 (cluster web)",
    "Metric: cpu",
    "Value: 3",
    "Condition: $val < 5",
    "",
    "and 2 more",
    "",
  ]);
  const cleared = notice({ rule: metricrule, event: "clear", items: [cpu] });
  assertEquals(mailText(cleared, { ...mailbox, from: "" }).split("\n"), [
    "To: ops@example.org",
    "Subject: Metric cpu is in range again",
    ...mime,
    "Host: www1 (cluster web)",
    "Metric: cpu",
    "Value: 3",
    "Condition: $val < 5",
    "",
    "",
  ]);
});

Deno.test("a mail of any other rule; nothing from outside makes a header or ends it", () => {
  const items = [
    item({ host: "wwẅ\r\nBcc: all@example.org", message: "." }),
    item({ host: "www2" }),
  ];
  const lines = mailText(notice({ items }), mailbox).split("\n");
  const end = lines.indexOf("");
  const subject = lines.slice(2, end - 4).map((line) => line.trim());
  assertEquals(lines.slice(end - 4, end + 1), mime);
  const encoded = subject.join("").replace("Subject: ", "");
  const bytes = encoded.split("?==?").map((word) =>
    atob(word.replace(/^(?:=\?)?utf-8\?B\?/, "").replace(/\?=$/, ""))
  ).join("");
  assertEquals(
    new TextDecoder().decode(
      Uint8Array.from(bytes, (byte) => byte.charCodeAt(0)),
    ),
    "load raised: web/wwẅ Bcc: all@example.org load_one = 9.3: .; and 1 more",
  );
  for (const line of subject) assert(line.length <= 76 + "Subject: ".length);
  assertEquals(lines.slice(end + 1), [
    "web/wwẅ Bcc: all@example.org load_one = 9.3: .",
    "web/www2 load_one = 9.3",
    "",
  ]);
  const dot = mailText(
    notice({ rule: metricrule, items: [item({ message: "." })] }),
    mailbox,
  );
  assert(!dot.split("\n").includes("."));
});

/** A grouper, and what it delivered: event, hosts, and how many there were. */
function grouperOf() {
  const clock = new FakeClock();
  const said: string[] = [];
  const grouper = new Grouper(clock, ({ rule, event, items, count }) => {
    const hosts = items.length <= 3
      ? items.map(({ host }) => host).join(" ")
      : `${items.length} hosts`;
    said.push(`${event} ${rule.name}: ${hosts} of ${count}`);
  });
  const look = (...events: [AlertEvent, string][]) => {
    for (const [event, host] of events) {
      grouper.add(load, event, item({ host }));
    }
    grouper.settle();
  };
  return { clock, grouper, look, said: () => said.splice(0) };
}

Deno.test("what one look brings is said at once, what follows within a minute at its end", async () => {
  const { clock, grouper, look, said } = grouperOf();
  look(["raise", "a"], ["raise", "b"]);
  assertEquals(said(), ["raise load: a b of 2"]);
  await clock.advance(15_000);
  look(["raise", "c"], ["clear", "a"]);
  await clock.advance(15_000);
  look(["clear", "b"], ["raise", "a"]);
  assertEquals(said(), []);
  await clock.advance(29_999);
  assertEquals(said(), []);
  await clock.advance(1);
  assertEquals(said(), [
    "raise load: c of 1",
    "clear load: a b of 2",
    "raise load: a of 1",
  ]);
  await clock.advance(60_000);
  look(["clear", "a"]);
  assertEquals(said(), ["clear load: a of 1"]);
  grouper.add(silent, "raise", item());
  grouper.settle();
  look(["raise", "a"]);
  assertEquals(said(), ["raise silent: www1 of 1"]);
  grouper.flush();
  assertEquals(said(), ["raise load: a of 1"]);
  assertEquals(clock.pending, 0);
});

Deno.test("a flood is one notice of bounded size", () => {
  const { look, said } = grouperOf();
  look(
    ...Array.from(
      { length: 5000 },
      (_, i): [AlertEvent, string] => ["raise", `h${i}`],
    ),
  );
  assertEquals(said(), ["raise load: 100 hosts of 5000"]);
});
