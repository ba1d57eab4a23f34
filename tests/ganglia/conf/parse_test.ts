import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { UserError } from "../../../lib/errors.ts";
import {
  directiveNames,
  findDirective,
} from "../../../lib/ganglia/conf/directives.ts";
import {
  parseGmetadConf,
  readGmetadConf,
} from "../../../lib/ganglia/conf/parse.ts";
import {
  errors,
  filesOf,
  parse,
  SOURCE,
  sourcesOf,
  warnings,
  withWorld,
} from "./parsing.ts";

// What gmetad 3.7.2 of Debian made of these, seen in its XML, is the expected text, except where a
// comment says otherwise.
const grammar: readonly [conf: string, gridname: string, warning?: string][] = [
  ["gridname one\ngridname two", "two", "gridname: is in line 2 already"],
  ['gridname "it\'s"', "it's"],
  ["gridname 'a\\'b'", "a'b"],
  ['gridname "a\\nb"', "anb"],
  ["gridname a\\\\\nxml_port 1", "a\\"],
  ["gridname ab\\\ncd", "abcd"],
  ["gridname ab\\\r\ncd\r", "abcd"],
  ["gridname a\\\n   b", "a", 'only "a" counts'],
  ["gridname My Grid", "My", 'only "My" counts'],
  ['gridname "${AA:-d}x"', "1x"],
  ['gridname "${NONE:-d e}x"', "d ex"],
  ['gridname "${NONE}x"', "x", 'there is no "NONE" in the environment'],
  ['gridname "${AA:foo}"', "1"],
  ["gridname <<END\nhello\nworld\nEND of it\nxml_port 1", "hello\nworld"],
  ["# no comment \\\ngridname x", "unspecified", "the comment ends with"],
  ["# two \\\n# lines\ngridname x", "x"],
  ["gridname \u00a0x", "\u00a0x"],
  ["GRIDNAME\tx\v\f ", "x"],
  ["gridname x # y", "x"],
  ["\ufeffgridname x", "x"],
  // gmetad replaces every other of adjoining variables only: 1${BB}.
  ['gridname "${AA}${BB}"', "12"],
  // gmetad's name ends with a line break.
  ['gridname "unclosed', "unclosed", 'the quote (") is not closed'],
  // gmetad loses the word and does not start.
  ["gridname foo#bar", "foo", "the comment begins inside a word"],
  // gmetad does not find the end.
  ["gridname << END\nx\nEND", "x"],
  // gmetad loses a line that the end of the file continues.
  ["gridname x \\", "x"],
];

Deno.test("quotes, escapes, comments, continuation, variables and here-documents", () => {
  const world = withWorld({ AA: "1", BB: "2" });
  for (const [conf, gridname, warning] of grammar) {
    // A byte order mark counts as one only at the very beginning.
    const text = conf.startsWith("\ufeff")
      ? conf + "\n" + SOURCE
      : SOURCE + conf;
    const read = parse(text, world);
    assertEquals(read.gridname, gridname, conf);
    assertEquals(read.warnings.length, warning === undefined ? 0 : 1, conf);
    assertEquals(read.warnings[0]?.includes(warning ?? ""), warning && true);
  }
});

Deno.test("a backslash with blanks behind it continues a line where the next is none of its own", () => {
  const blanks =
    "the C gmetad does not take a line to go on after a backslash that blanks follow; remove them";
  const python = parse('data_source "a" 20 \\ \n  host1 \\\t\n host2:1\n');
  assertEquals(sourcesOf(python), ["a 20 host1:8649 host2:1"]);
  assertEquals(python.warnings, [`t.conf:1:1: ${blanks}`]);
  // The C gmetad polls both, and has " " for a host that it cannot find.
  const c = parse("data_source a host1 \\ \ndata_source b host2 \\ \n");
  assertEquals(sourcesOf(c), ["a 15 host1:8649", "b 15 host2:8649"]);
  assertEquals(c.warnings, [
    't.conf:1:21: data_source: " " is left out: expected HOST, HOST:PORT, or [ADDRESS]:PORT for IPv6',
    't.conf:2:21: data_source: " " is left out: expected HOST, HOST:PORT, or [ADDRESS]:PORT for IPv6',
  ]);
  for (const next of ["", "# x", "rrd {\n}", "  Include x.conf"]) {
    const world = withWorld({}, { "x.conf": "" });
    assertEquals(
      sourcesOf(parse(`data_source a host1 \\ \n${next}`, world)),
      ["a 15 host1:8649"],
      next,
    );
  }
});

Deno.test("hosts: names, addresses, IPv6, ports", () => {
  const table: readonly [text: string, host: string, port: number][] = [
    ["localhost", "localhost", 8649],
    ["web_1.example.test.:1", "web_1.example.test.", 1],
    ["bücher.example:65535", "bücher.example", 65535],
    ["127.0.0.1:0099", "127.0.0.1", 99],
    ["127.1", "127.1", 8649],
    ["::1", "::1", 8649],
    ["[::1]", "::1", 8649],
    ["[2001:DB8::7]:8650", "2001:DB8::7", 8650],
    ["::ffff:192.0.2.7", "::ffff:192.0.2.7", 8649],
    ["[fe80::1%eth0]:8651", "fe80::1%eth0", 8651],
  ];
  for (const [text, host, port] of table) {
    const { dataSources, warnings } = parse(`data_source a ${text}`);
    assertEquals(dataSources[0].hosts, [{ host, port }]);
    assertEquals(warnings, []);
  }
});

Deno.test("sources: what gmetad bears and is odd has a warning", () => {
  const table: readonly [
    line: string,
    sources: readonly string[],
    warnings: readonly string[],
  ][] = [
    ["data_source a 7.5 h", ["a 7.5 h:8649"], [
      "1:15: data_source: 7.5 is taken for an interval of 7.5 s; the C gmetad takes it for a host",
    ]],
    ["data_source a 0.5 h", ["a 1 h:8649"], [
      "1:15: data_source: 0.5 is taken for an interval of 1 s; the C gmetad takes it for a host",
    ]],
    ["data_source a 00 h", ["a 15 h:8649"], [
      "1:15: data_source: an interval of 00 s cannot be; it is 15 s, the default",
    ]],
    ["data_source a -5 h", ["a 15 h:8649"], [
      "1:15: data_source: an interval of -5 s cannot be; it is 15 s, the default",
    ]],
    ["data_source a +20 h", ["a 20 h:8649"], []],
    ["data_source a 1000000 h", ["a 1000000 h:8649"], []],
    ["data_source a 15s h", ["a 15 15s:8649 h:8649"], [
      '1:15: data_source: "15s" is taken for a host; an interval is a number of seconds alone',
    ]],
    ["data_source my c 20 h", ["my 15 c:8649 h:8649"], [
      "1:18: data_source: 20 is no host, and is left out; an interval stands right after the name, " +
      'which is "my" here: put a name with blanks in quotes',
    ]],
    ["data_source a 10", ["a 10"], [
      '1:1: data_source: "a" has no host, so nothing is polled',
    ]],
    ['data_source a h1 "" h2', ["a 15 h1:8649 h2:8649"], [
      "1:18: data_source: an empty word is ignored",
    ]],
    ["data_source a h1, h2:1, h3:8649/tcp", [
      "a 15 h1:8649 h2:1 h3:8649",
    ], [
      '1:15: data_source: the comma after "h1" is ignored',
      '1:19: data_source: the comma after "h2:1" is ignored',
      '1:25: data_source: "/tcp" after port 8649 is ignored; hosts are separated by blanks',
    ]],
    ["data_source a h1:0 h2:65536 h3:x h4: h5", ["a 15 h5:8649"], [
      '1:15: data_source: "h1:0" is left out: expected a port from 1 to 65535 after the host',
      '1:20: data_source: "h2:65536" is left out: expected a port from 1 to 65535 after the host',
      '1:29: data_source: "h3:x" is left out: expected a port from 1 to 65535 after the host',
      '1:34: data_source: "h4:" is left out: expected a port from 1 to 65535 after the host',
    ]],
    ["data_source a h1,h2 http://h3 [::z]:1 ${X} h4", ["a 15 h4:8649"], [
      '1:39: data_source: there is no "X" in the environment: ${X} is nothing',
      '1:15: data_source: "h1,h2" is left out: hosts are separated by blanks, not by commas',
      '1:21: data_source: "http://h3" is left out: expected HOST or HOST:PORT, not a URL',
      '1:31: data_source: "[::z]:1" is left out: expected HOST, HOST:PORT, or [ADDRESS]:PORT for IPv6',
      "1:39: data_source: an empty word is ignored",
    ]],
    ["data_source a h1\ndata_source b h2\ndata_source a h3", [
      "b 15 h2:8649",
      "a 15 h3:8649",
    ], [
      '3:1: data_source: "a" is in line 1 already; that one is not polled, only this: ' +
      "give each source a name of its own",
    ]],
  ];
  for (const [line, sources, expected] of table) {
    assertEquals(sourcesOf(parse(line)), sources, line);
    assertEquals(warnings(line), expected, line);
  }
});

Deno.test("other directives: what gmetad bears and is odd has a warning", () => {
  const table: readonly [line: string, warning: string][] = [
    [
      "all_trusted off",
      '2:13: all_trusted: "off" is off; the C gmetad takes it for "on"',
    ],
    [
      "all_trusted 0",
      '2:13: all_trusted: "0" is off; the C gmetad takes it for "on"',
    ],
    [
      "scalable OFF",
      '2:10: scalable: "OFF" is off; the C gmetad takes it for "on"',
    ],
    [
      "write_rrds no",
      '2:12: write_rrds: "no" is off; the C gmetad takes it for "on"',
    ],
    [
      "case_sensitive_hostnames on",
      '2:26: case_sensitive_hostnames: "on" is on; the C gmetad takes it for "off"',
    ],
    [
      "unsummarized_sflow_vm_metrics true",
      '2:31: unsummarized_sflow_vm_metrics: "true" is on; the C gmetad takes it for "off"',
    ],
    ["xml_port 8651;", '2:10: xml_port: ";" after the number is ignored'],
    [
      "xml_port 0020",
      "2:10: xml_port: 0020 is octal, for the 0 before it: 16",
    ],
    ["xml_port 0", "2:1: xml_port: 0 is any port that is free, at each start"],
    [
      "umask 22",
      '2:1: umask: it has no meaning here: the mask stays that of the start ("UMask=0026" in a systemd unit)',
    ],
    [
      "umask 0777",
      '2:1: umask: it has no meaning here: the mask stays that of the start ("UMask=0077" in a systemd unit)',
    ],
    [
      "trusted_hosts",
      "2:1: trusted_hosts: it has no effect: nothing follows it",
    ],
    [
      "summarized_metrics # x",
      "2:1: summarized_metrics: it has no effect: nothing follows it",
    ],
    [
      "trusted_hosts 10.0.0.0/8",
      "2:15: trusted_hosts: the whole network 10.0.0.0/8 may ask; the C gmetad knows no networks",
    ],
    [
      "trusted_hosts 10.0.0.0/33",
      '2:15: trusted_hosts: "10.0.0.0/33" is left out: expected a host\'s name or address, or a network ' +
      "such as 10.0.0.0/8",
    ],
    [
      "server_threads 4",
      "2:1: server_threads: it has no meaning here: one process answers everybody here, at once",
    ],
    [
      "carbon_port 2004",
      "2:1: carbon_port: it has no effect without carbon_server",
    ],
    [
      "carbon_server h\ngraphite_path %s.%x.%m",
      '3:1: graphite_path: "%x" stays as it is; there are %s (the cluster), %h (the host) and %m ' +
      "(the metric)",
    ],
    [
      "carbon_server h\ncarbon_timeout 0",
      "3:1: carbon_timeout: 0 ms cannot be; it is 500 ms, the default",
    ],
    [
      "carbon_server h\ncarbon_protocol TCP",
      '3:17: carbon_protocol: "TCP" is tcp; the C gmetad sends nothing',
    ],
    [
      "Include none-*.conf",
      '2:1: Include: no file is "none-*.conf"',
    ],
    [
      "rrd {\n  a b",
      '2:1: the section "rrd" is not closed with "}"; it goes to the end of the file',
    ],
  ];
  for (const [line, warning] of table) {
    assertEquals(warnings(SOURCE + line), [warning], line);
  }
  assertEquals(warnings("gridname x"), [
    "1:1: there is no data_source, so no gmond is polled",
  ]);
});

Deno.test("every word that switches on or off", () => {
  const on = ["on", "On", "yes", "Y", "true", "1", "2"];
  const off = ["off", "OFF", "no", "N", "false", "0"];
  for (const word of [...on, ...off]) {
    const { allTrusted, scalable, writeRrds, caseSensitiveHostnames, setuid } =
      parse(
        `all_trusted ${word}\nscalable ${word}\nwrite_rrds ${word}\n` +
          `case_sensitive_hostnames ${word}\nsetuid ${word}\n`,
      );
    assertEquals(
      [allTrusted, scalable, writeRrds, caseSensitiveHostnames, setuid],
      Array(5).fill(on.includes(word)),
      word,
    );
  }
});

Deno.test("what may be repeated adds up", () => {
  const conf = parse(
    `${SOURCE}trusted_hosts h1 ::1\ntrusted_hosts 10.1.0.0/16\n` +
      "unsummarized_metrics a b\nunsummarized_metrics c\n" +
      "summarized_metrics d\nsummarized_metrics e\n",
  );
  assertEquals(conf.trustedHosts, ["h1", "::1", "10.1.0.0/16"]);
  assertEquals(conf.unsummarizedMetrics, ["a", "b", "c"]);
  assertEquals(conf.summarizedMetrics, ["d", "e"]);
  assertEquals(conf.warnings.length, 1);
});

Deno.test("carbon: what is not said has its default", () => {
  assertEquals(parse(`${SOURCE}carbon_server [::1]`).carbon, {
    server: "::1",
    port: 2003,
    protocol: "tcp",
    timeoutMs: 500,
  });
  const { carbon } = parse(`${SOURCE}carbon_protocol UDP\ncarbon_server h`);
  assertEquals(carbon?.protocol, "udp");
});

Deno.test("addresses of rrdcached", () => {
  for (
    const address of [
      "127.0.0.1:42217",
      "localhost",
      "[::1]:42217",
      "unix:/run/rrdcached.sock",
      "/run/rrdcached.sock",
    ]
  ) {
    const conf = parse(`${SOURCE}rrdcached_address ${address}`);
    assertEquals(conf.rrdcachedAddress, address);
  }
});

Deno.test("archives: all that rrdtool knows", () => {
  const rras = [
    "RRA:AVERAGE:0.5:1:244",
    "RRA:MAX:.5:1h:10d",
    "RRA:LAST:0:1:1",
    "RRA:HWPREDICT:1440:0.1:0.0035:288:3",
    "RRA:FAILURES:288:7:9:5",
  ];
  assertEquals(parse(`${SOURCE}RRAs ${rras.join(" ")}`).rras, rras);
});

Deno.test("sections: uninterpreted, the last of a name counts", () => {
  const { sections, warnings } = parse(
    `${SOURCE}Rrd {\n old 1\n}\nRRD { # again\r\n\n# no\n   # nor this\n alone\r\n` +
      "  xml_port  'a\"b' # ${HOME} \\n  \n long one \\ \n  two\n{ x\n} # done\ngridname after\n",
  );
  assertEquals(
    [...sections].map(([id, lines]) => [
      id,
      lines.map(({ directive, text, place }) => [place.line, directive, text]),
    ]),
    [["rrd", [
      [9, "alone", ""],
      [10, "xml_port", "'a\"b' # ${HOME} \\n"],
      [11, "long", "one   two"],
      [13, "{", "x"],
    ]]],
  );
  assertEquals(warnings, [
    't.conf:5:1: the section "rrd" is in line 2 already; this one counts',
  ]);
});

Deno.test("errors say where, what was expected, and what may be meant", () => {
  const table: readonly [line: string, error: string][] = [
    [
      "xml_prot 1",
      '1:1: there is no directive "xml_prot": did you mean "xml_port"?',
    ],
    [
      "  xml_port=8651",
      '1:3: there is no directive "xml_port=8651": did you mean "xml_port"?',
    ],
    [
      'data_source"a" h',
      '1:1: there is no directive "data_source\\"a\\"": did you mean "data_source"?',
    ],
    [
      "foo bar",
      '1:1: there is no directive "foo"; "gatherer check --help" lists all',
    ],
    ["}", '1:1: "}" closes no section'],
    [
      "alert { x }",
      '1:1: a section begins with "alert {" alone on a line, and ends with "}" alone on a line',
    ],
    [
      "xml_port = 8651",
      '1:10: xml_port: expected a port from 1 to 65535, got "="',
    ],
    [
      "xml_port \\\n 65536",
      '2:2: xml_port: expected a port from 1 to 65535, got "65536"',
    ],
    [
      "xml_port 08651",
      '1:10: xml_port: expected a port from 1 to 65535, got "08651"',
    ],
    [
      "interactive_port -1",
      '1:18: interactive_port: expected a port from 1 to 65535, got "-1"',
    ],
    ["xml_port # 1", "1:1: xml_port: expected a port from 1 to 65535 after it"],
    ['gridname ""', "1:10: gridname: expected a text, got an empty text"],
    [
      "gridname '${NONE}'",
      "1:10: gridname: expected a text, got an empty text",
    ],
    [
      "gridname x${NONE",
      '1:10: "${NONE" begins a variable; expected ${NAME} or ${NAME:-default}',
    ],
    [
      "gridname <<END\nx\n END\n",
      '1:1: expected a line that begins with "END" after this text',
    ],
    [
      `gridname ${"x".repeat(4097)}`,
      "1:10: a word has more than 4096 characters",
    ],
    [
      "all_trusted perhaps",
      '1:13: all_trusted: expected "on" or "off", got "perhaps"',
    ],
    [
      'RRAs ""',
      '1:1: RRAs: expected archives such as "RRA:AVERAGE:0.5:1:5856" after it',
    ],
    ["server_threads", "1:1: server_threads: expected a value after it"],
    [
      "data_source",
      '1:1: data_source: expected "NAME" [SECONDS] HOST[:PORT] … after it',
    ],
    [
      'data_source "" h1 h2',
      '1:13: data_source: expected "NAME" [SECONDS] HOST[:PORT] … after it',
    ],
    [
      "data_source a",
      '1:13: data_source: expected "NAME" [SECONDS] HOST[:PORT] …, got a name only',
    ],
    [
      "data_source a 1000001 h",
      "1:15: data_source: expected an interval from 1 to 1000000 seconds, got 1000001",
    ],
    ["umask x9", '1:7: umask: expected an octal number, got "x9"'],
    ["umask 089", '1:7: umask: expected an octal number, got "089"'],
    ["debug_level high", '1:13: debug_level: expected a number, got "high"'],
    [
      "RRAs RRA:AVERAGE:0.5:1:10 AVERAGE:1",
      '1:27: RRAs: expected an archive such as "RRA:AVERAGE:0.5:1:5856", got "AVERAGE:1"',
    ],
    [
      'RRAs "RRA:AVERAGE:0.5:1:10 RRA:MAX:0.5:1:10"',
      '1:6: RRAs: expected an archive such as "RRA:AVERAGE:0.5:1:5856", ' +
      'got "RRA:AVERAGE:0.5:1:10 RRA:MAX:0.5:1:10"',
    ],
    [
      "rrdcached_address h:x",
      '1:19: rrdcached_address: expected HOST:PORT, or unix: and a path, got "h:x"',
    ],
    [
      "carbon_server h:2003",
      '1:15: carbon_server: expected a host\'s name or address, got "h:2003"; the port is set by carbon_port',
    ],
    [
      "carbon_protocol sctp",
      '1:17: carbon_protocol: expected "tcp" or "udp", got "sctp"',
    ],
    [
      "carbon_timeout -1",
      '1:16: carbon_timeout: expected milliseconds from 1 to 3600000, got "-1"',
    ],
    ["Include", "1:1: Include: expected a path after it"],
    ["Include nosuch.conf", '1:1: Include: there is no file "nosuch.conf"'],
  ];
  for (const [text, error] of table) {
    assertEquals(errors(text), [error], text);
  }
});

Deno.test("all errors are collected, up to a limit", () => {
  assertEquals(errors("a\nxml_port x\nfoo {\n}\nb"), [
    '1:1: there is no directive "a"; "gatherer check --help" lists all',
    '2:10: xml_port: expected a port from 1 to 65535, got "x"',
    '5:1: there is no directive "b"; "gatherer check --help" lists all',
  ]);
  const many = errors("xyzzy\n".repeat(200_000));
  assertEquals(many.length, 100);
  assertEquals(
    many[99],
    '100:1: there is no directive "xyzzy"; "gatherer check --help" lists all; no more errors are looked for',
  );
});

Deno.test("warnings have a limit, what is read has none", () => {
  const conf = parse(`data_source a${" h:0".repeat(200_000)} h\n`);
  assertEquals(sourcesOf(conf), ["a 15 h:8649"]);
  assertEquals(conf.warnings.length, 1000);
  const many = parse(`trusted_hosts${" h".repeat(200_000)}\n`);
  assertEquals(many.trustedHosts.length, 200_000);
});

Deno.test("a text from the file cannot forge a line", () => {
  assertEquals(errors("x\u2028y\u0085\x1b[31m\t1"), [
    '1:1: there is no directive "x y \\u001b[31m"; "gatherer check --help" lists all',
  ]);
});

Deno.test("every directive can be found by its name in capital letters", () => {
  for (const name of directiveNames) {
    const isInclude = name.startsWith("Include");
    assertEquals(findDirective(name.toUpperCase()) === undefined, isInclude);
  }
});

Deno.test("the reference has every directive", () => {
  const reference = Deno.readTextFileSync(
    new URL("../../../docs/gmetad-conf.md", import.meta.url),
  );
  const rows = reference.split("\n").filter((line) => line.startsWith("| `"));
  for (const name of directiveNames) {
    const row = rows.find((row) => row.split("|")[1].includes(`\`${name} `));
    assertEquals(row === undefined, false, name);
  }
});

const tokens = fc.constantFrom(
  ...directiveNames,
  ..."\n \t\r\\ \" ' # { } ${ } :- <<END END 8649 0x 0 -5 7.5 on off a [::1]:1 :: , %s * ? .. / x.conf"
    .split(" "),
  "\n",
  " ",
  "\n",
);

Deno.test("property: no text makes anything but a configuration or a UserError", () => {
  const files = filesOf({ "x.conf": "Include x.conf\nrrd {\n" });
  const text = fc.oneof(
    fc.array(tokens, { maxLength: 60 }).map((parts) => parts.join("")),
    fc.array(tokens, { maxLength: 60 }).map((parts) => parts.join(" ")),
    fc.string({ unit: "binary", maxLength: 200 }),
  );
  fc.assert(
    fc.property(text, (text) => {
      const options = {
        env: (name: string) => name === "a" ? "b c" : undefined,
        files,
      };
      const { remarks, conf } = readGmetadConf(text, "t.conf", options);
      for (const { message, place: { line, column } } of remarks) {
        if (/[\p{Cc}\u2028\u2029]/u.test(message)) return false;
        if (!(line >= 1 && column >= 1)) return false;
      }
      const failed = remarks.some(({ kind }) => kind === "error");
      try {
        assertEquals(parseGmetadConf(text, "t.conf", options), conf);
        return !failed;
      } catch (error) {
        return failed && error instanceof UserError;
      }
    }),
    { numRuns: 3000 },
  );
});

Deno.test("property: a quoted name is read back as it is", () => {
  const name = fc.string({ unit: "binary", minLength: 1, maxLength: 50 })
    .filter((name) => !/[\n\0]|\$\{/.test(name) && !name.endsWith("\r"));
  fc.assert(fc.property(name, fc.constantFrom('"', "'"), (name, quote) => {
    const quoted = quote + name.replace(/[\\"']/g, "\\$&") + quote;
    const { dataSources } = parse(`data_source ${quoted} 20 h\n`);
    assertEquals(dataSources[0].name, name);
    assertEquals(dataSources[0].intervalSeconds, 20);
  }));
});
