import { assertEquals, assertThrows } from "@std/assert";
import { type AlertEntry, readAlertConfig } from "../../lib/alert/config.ts";
import { UserError } from "../../lib/errors.ts";

/** A section's lines, as they stand in a file from line 1 on. */
function entries(text: string): AlertEntry[] {
  return text.split("\n").flatMap((line, i) => {
    const match = /^\s*(\S+)\s*(.*?)\s*$/.exec(line);
    if (!match) return [];
    const [, directive, text] = match;
    return [{
      directive,
      text,
      place: { path: "gmetad.conf", line: i + 1, column: 1 },
    }];
  });
}

const config = (text: string) => readAlertConfig(entries(text));

Deno.test("rules and actions are read", () => {
  const { rules, actions, warnings } = config(`
    command pager   /usr/local/bin/page --team "web team"
    webhook chat    https://chat.example.org/hook?token=x
    webhook unused  http://localhost/

    rule load
    metric  load_one load_f*
    cluster web* "beta cluster"
    host    www[12]
    raise   value > 8 and [cpu idle] < 5
    clear   value < 6
    for     5m
    repeat  1h
    do      log chat pager chat
    message "{host} is at {value}"

    rule silent
    raise silent

    rule source
    source *
    raise  down and age > 60
    do     pager`);
  assertEquals(warnings, ['alert: no rule has "unused" after "do"']);
  assertEquals([...actions], [
    ["log", { kind: "log" }],
    [
      "pager",
      { kind: "command", argv: ["/usr/local/bin/page", "--team", "web team"] },
    ],
    [
      "chat",
      { kind: "webhook", url: "https://chat.example.org/hook?token=x" },
    ],
  ]);
  const [load, silent, source] = rules;
  assertEquals(
    [load.name, load.subject, load.forMs, load.repeatMs, load.actions],
    ["load", "metric", 300_000, 3_600_000, ["log", "chat", "pager"]],
  );
  assertEquals([load.raise.text, load.clear?.text, load.message], [
    "value > 8 and [cpu idle] < 5",
    "value < 6",
    "{host} is at {value}",
  ]);
  assertEquals(
    ["web1", "beta cluster", "beta", "xweb"].map(load.cluster),
    [true, true, false, false],
  );
  assertEquals(["www1", "www3"].map(load.host), [true, false]);
  assertEquals(["load_one", "load_five", "load"].map(load.metric), [
    true,
    true,
    false,
  ]);
  assertEquals(
    [silent.subject, silent.forMs, silent.repeatMs, silent.actions],
    ["host", 0, 0, ["log"]],
  );
  assertEquals([silent.clear, silent.host("any"), silent.message], [
    undefined,
    true,
    "",
  ]);
  assertEquals([source.subject, source.source("any")], ["source", true]);
});

Deno.test("the lines of gmetad-python's alert plugin go on working", () => {
  const { rules, actions, warnings } = config(`
    sendmailpath "/usr/lib/sendmail"
    toaddress    ops@example.org
    fromaddress  ganglia@example.org
    metricrule Load_One "$val > 8 and not $val == 10" "the {host}: too much"
    metricrule load_one "$val < 0" "negative"
    metricrule x "len($val) > 3" "long"
    metricrule y "'$val' == 'up'" "text"
    metricrule z`);
  assertEquals(
    rules.map(({ name, actions, message, isMetricrule }) => [
      name,
      actions,
      message,
      isMetricrule,
    ]),
    [
      ["Load_One", ["mail"], "the {host}: too much", true],
      ["load_one", ["mail"], "negative", true],
    ],
  );
  assertEquals(["load_one", "LOAD_ONE", "load_five"].map(rules[0].metric), [
    true,
    true,
    false,
  ]);
  assertEquals(
    rules[0].raise.holds({ word: () => 9, metric: () => undefined }),
    true,
  );
  assertEquals([...actions.values()], [{
    kind: "mail",
    sendmail: "/usr/lib/sendmail",
    to: "ops@example.org",
    from: "ganglia@example.org",
  }]);
  assertEquals(warnings, [
    'gmetad.conf:7:1: metricrule "x" is left out: line 1, column 1: ' +
    'there is no function "len" of "len($val) > 3"',
    'gmetad.conf:8:1: metricrule "y" is left out: line 1, column 1: "\'" is not understood: ' +
    "texts cannot be compared; names of metrics stand in [brackets] of \"'$val' == 'up'\"",
    'gmetad.conf:9:1: metricrule "z" is left out: expected NAME "CONDITION" "MESSAGE"',
  ]);
});

Deno.test("lines of gmetad-python's that say nothing are passed over", () => {
  assertEquals(config("fromaddress\nmetricrule").warnings, [
    'gmetad.conf:1:1: expected something after "fromaddress"',
    'gmetad.conf:2:1: expected something after "metricrule"',
  ]);
});

Deno.test("two rules of a metric have names of their own, and without an address they are logged", () => {
  const { rules, warnings } = config(`
    metricrule load "$val > 1" "one"
    metricrule load "$val > 2" "two"`);
  assertEquals(rules.map(({ name, actions }) => [name, actions]), [
    ["load", ["log"]],
    ["load-2", ["log"]],
  ]);
  assertEquals(warnings, [
    "alert: there is no toaddress: each metricrule is logged, no mail is sent",
  ]);
});

Deno.test("what is wrong is named, with its line", () => {
  const cases: [text: string, message: string][] = [
    ["rule", '1:1: rule: expected something after "rule"'],
    [
      "rule a b",
      '1:1: rule: expected a name of letters, digits, "_", "." and "-", found "a b"',
    ],
    [
      "rule a\nraise silent\nrule a",
      '3:1: rule: there is a rule "a" already',
    ],
    ["rule a", '1:1: rule: the rule "a" has no "raise"'],
    [
      "raise silent",
      '1:1: raise: "raise" belongs to a rule; expected "rule" before it',
    ],
    [
      "rule a\nraise silent\ncommand c x\nfor 5m",
      '4:1: for: "for" belongs to a rule; expected "rule" before it',
    ],
    [
      "rule a\nfor 5m\nfor 6m",
      '3:1: for: the rule "a" has "for" already',
    ],
    [
      "rule a\nraise silent\nfor 5 minutes",
      '3:1: for: "5 minutes" is no duration; expected such as 30s, 5m, 1h30m or 2d',
    ],
    [
      "rule a\nmetric m\nraise value > > 8",
      '3:1: raise: raise of the rule "a": line 1, column 9: ' +
      'expected a number, a name or "(", found ">" of "value > > 8"',
    ],
    [
      "rule a\nraise silent\nclear value > 3 or",
      '3:1: clear: clear of the rule "a": line 1, column 13: ' +
      'expected a number, a name or "(", found the end of "value > 3 or"',
    ],
    [
      "rule a\nsource *\nhost x\nraise down",
      '3:1: host: a rule with "source" cannot have "host"',
    ],
    [
      "rule a\nraise silent\ndo log page",
      '3:1: do: there is no action "page"; there are log',
    ],
    [
      "rule a\nraise silent\ndo mail",
      '3:1: do: there is no action "mail"; there are log, and mail if there is a toaddress',
    ],
    [
      "rule a\nraise silent\nhost [z-a]",
      '3:1: host: the pattern "[z-a]" has a range in brackets that runs backwards',
    ],
    [
      'rule a\nraise silent\nhost "x',
      '3:1: host: the quote " is not closed',
    ],
    [
      "rule a\nraise silent\nmessage {val}",
      "3:1: message: {val} has no meaning; there are {rule}, {cluster}, {host}, {metric}, {source}, {value}, {age}",
    ],
    [
      "command c",
      "1:1: command: expected a name, a program and its arguments",
    ],
    [
      "command log x",
      '1:1: command: there is an action "log" already',
    ],
    ["webhook w", "1:1: webhook: expected a name and a URL"],
    [
      "webhook w secret",
      "1:1: webhook: this is no URL; expected http://… or https://…",
    ],
    [
      "webhook w file:///x",
      "1:1: webhook: this is no URL; expected http://… or https://…",
    ],
    [
      "webhook w http://u:p@h/",
      "1:1: webhook: a URL with a user's name and password cannot be used",
    ],
    [
      "Rule x",
      '1:1: Rule: there is no directive "Rule"; expected rule, metric, cluster, host, source, raise, ' +
      "clear, for, repeat, do, message, command, webhook, metricrule, sendmailpath, toaddress or fromaddress",
    ],
  ];
  for (const [text, message] of cases) {
    const error = assertThrows(() => config(text), UserError);
    assertEquals(error.message, `gmetad.conf:${message}`, text);
  }
  const error = assertThrows(
    () => readAlertConfig([{ directive: "rule", text: "a" }]),
    UserError,
  );
  assertEquals(error.message, 'alert: rule: the rule "a" has no "raise"');
});

Deno.test("an empty section has no rules", () => {
  assertEquals(config(""), { rules: [], actions: new Map(), warnings: [] });
});

Deno.test("the examples of the guide can be used", async () => {
  const guide = await Deno.readTextFile(
    new URL("../../docs/alerts.md", import.meta.url),
  );
  const sections = [
    ...guide.matchAll(/^ {4}alert \{\n([^}]*(?:\{[a-z]+\}[^}]*)*)^ {4}\}$/gm),
  ];
  const [own, python] = sections.map(([, text]) => config(text));
  assertEquals(own.rules.map(({ name, actions }) => [name, actions]), [
    ["load", ["log", "chat"]],
    ["silent", ["log", "pager"]],
    ["source_down", ["log", "pager"]],
  ]);
  assertEquals(python.rules.map(({ name, actions }) => [name, actions]), [
    ["load_one", ["mail"]],
  ]);
  assertEquals([own.warnings, python.warnings, sections.length], [[], [], 2]);
});
