import { assertEquals, assertStringIncludes } from "@std/assert";
import {
  parseGmetadConf,
  readGmetadConf,
} from "../../../lib/ganglia/conf/parse.ts";
import { parse, withWorld } from "./parsing.ts";

/** A small file, and what the daemons of gmetad 3.7.2 made of it. */
interface Case {
  readonly case: string;
  readonly conf: string;
  readonly c_daemon: {
    readonly starts: boolean;
    readonly sources: readonly {
      readonly name: string;
      readonly interval: number;
      readonly hosts: readonly string[];
    }[];
    readonly ports: Readonly<Record<string, number>>;
  };
  readonly python_daemon: {
    readonly sections?: Readonly<Record<string, readonly string[][]>>;
  };
}

const testdata = new URL("../../testdata/ganglia/", import.meta.url);
const cases: readonly Case[] = JSON.parse(
  Deno.readTextFileSync(new URL("conf-cases.json", testdata)),
);

/** The file that two of the cases include. */
const world = withWorld({}, {
  "inc.conf": 'data_source "inc" 33 127.0.0.1:1\n',
});

/** What we read otherwise than the C daemon, which starts with these files, and why. */
const exceptions: Readonly<
  Record<string, { readonly why: string; readonly sources: unknown }>
> = {
  "unquoted two words": {
    why: "20 becomes the host 0.0.0.20, which nobody means",
    sources: [["my", 15, ["c", "127.0.0.1"]]],
  },
  "interval 0": {
    why: "0 becomes the host 0.0.0.0",
    sources: [["a", 15, ["127.0.0.1"]]],
  },
  "interval float": {
    why: "7.5 becomes the host 7.0.0.5",
    sources: [["a", 7.5, ["127.0.0.1"]]],
  },
  "interval neg": {
    why: "it polls once, and then keeps a processor busy",
    sources: [["a", 15, ["127.0.0.1"]]],
  },
  "unresolvable host": {
    why: "names are looked up at each connection, not once at the start",
    sources: [["a", 15, ["no.such.host.invalid", "127.0.0.1"]]],
  },
  "all unresolvable": {
    why: "names are looked up at each connection, not once at the start",
    sources: [["a", 15, ["no.such.host.invalid"]]],
  },
  "ipv6": { why: "it knows no IPv6", sources: [["a", 15, ["::1"]]] },
  "port junk": {
    why: "127.0.0.1:abc becomes port 0, where nobody answers",
    sources: [["a", 15, []]],
  },
};

/** Files that the C daemon starts with and that are errors here, with the reason of each. */
const refused: Readonly<Record<string, string>> = {
  // It listens on any port that is free, where nobody will look for it.
  "port non-number":
    't.conf:6:10: xml_port: expected a port from 1 to 65535, got "abc"',
};

/** Files that the C daemon does not start with: our sources, or our error. */
const cRefuses: Readonly<Record<string, unknown>> = {
  "upper keyword": [["a", 15, ["127.0.0.1"]]],
  "name only":
    't.conf:5:13: data_source: expected "NAME" [SECONDS] HOST[:PORT] …, got a name only',
  "no data_source": [],
  "commented only": [],
  "unknown directive":
    't.conf:6:1: there is no directive "foo"; "gatherer check --help" lists all',
  "plugin section": [["a", 15, ["127.0.0.1"]]],
  "plugins_dir": [["a", 15, ["127.0.0.1"]]],
  "missing arg":
    "t.conf:6:1: xml_port: expected a port from 1 to 65535 after it",
  "empty str": "t.conf:6:10: gridname: expected a text, got an empty text",
  "setuid baduser": [["a", 15, ["127.0.0.1"]]],
  "rrd dir missing": [["a", 15, ["127.0.0.1"]]],
  "rrd dir wrong owner": [["a", 15, ["127.0.0.1"]]],
  "rrdcached unix": [["a", 15, ["127.0.0.1"]]],
  "rrdcached host": [["a", 15, ["127.0.0.1"]]],
  "include": [["inc", 33, ["127.0.0.1"]]],
  "empty data_source line":
    't.conf:5:1: data_source: expected "NAME" [SECONDS] HOST[:PORT] … after it',
};

/** Sources without their ports, which the captures do not have, in the order of their names. */
function sources(conf: string): unknown {
  const { conf: read, remarks } = readGmetadConf(conf, "t.conf", world);
  const error = remarks.find(({ kind }) => kind === "error");
  if (error) {
    const { path, line, column } = error.place;
    return `${path}:${line}:${column}: ${error.message}`;
  }
  return read.dataSources.map(({ name, intervalSeconds, hosts }) =>
    [name, intervalSeconds, hosts.map(({ host }) => host)] as const
  ).toSorted(([a], [b]) => a < b ? -1 : 1);
}

Deno.test("files that the C gmetad starts with have the same sources and ports here", () => {
  let compared = 0;
  for (const { case: name, conf, c_daemon: c } of cases) {
    if (!c.starts) continue;
    if (Object.hasOwn(refused, name)) {
      assertEquals(sources(conf), refused[name], name);
      continue;
    }
    const expected = c.sources.map(({ name, interval, hosts }) =>
      [name, interval, hosts] as const
    ).toSorted(([a], [b]) => a < b ? -1 : 1);
    const exception = Object.hasOwn(exceptions, name)
      ? exceptions[name].sources
      : undefined;
    assertEquals(sources(conf), exception ?? expected, name);
    const read = parseGmetadConf(conf, "t.conf", world);
    assertEquals(
      { xml: read.xmlPort, "interactive xml": read.interactivePort },
      c.ports,
      name,
    );
    compared++;
  }
  assertEquals(compared, 35);
});

Deno.test("whatever is read otherwise than the C gmetad does has a warning, but for names and IPv6", () => {
  const warned = Object.keys(exceptions).filter((name) => {
    const { conf } = cases.find((one) => one.case === name)!;
    return parseGmetadConf(conf, "t.conf", world).warnings.length > 0;
  });
  assertEquals(warned, [
    "unquoted two words",
    "interval 0",
    "interval float",
    "interval neg",
    "port junk",
  ]);
});

Deno.test("files that the C gmetad does not start with", () => {
  const read = Object.fromEntries(
    cases.filter(({ c_daemon }) => !c_daemon.starts)
      .map(({ case: name, conf }) => [name, sources(conf)]),
  );
  assertEquals(read, cRefuses);
});

Deno.test("sections are the same as gmetad-python's", () => {
  let compared = 0;
  for (const { case: name, conf, python_daemon: { sections } } of cases) {
    if (sections === undefined || Object.hasOwn(refused, name)) continue;
    const { conf: read } = readGmetadConf(conf, "t.conf", world);
    const own = [...read.sections].map(([id, lines]) => [
      id,
      lines.map(({ directive, text }) => [directive, text]),
    ]);
    assertEquals(Object.fromEntries(own), sections, name);
    compared += own.length;
  }
  assertEquals(compared, 1);
});

Deno.test("Debian's sample file, and a minimal one, need no attention but for the user", () => {
  const read = (name: string) => {
    const url = new URL(`conf/${name}`, testdata);
    return parse(Deno.readTextFileSync(url));
  };
  const debian = read("gmetad-debian.conf");
  assertEquals(debian, {
    path: "t.conf",
    dataSources: [{
      name: "this host",
      intervalSeconds: 15,
      hosts: [{ host: "localhost", port: 8649 }],
      place: { path: "t.conf", line: 16, column: 1 },
    }],
    gridname: "unspecified",
    trustedHosts: ["127.0.0.1"],
    allTrusted: false,
    xmlPort: 8651,
    interactivePort: 8652,
    scalable: true,
    caseSensitiveHostnames: true,
    unsummarizedMetrics: [],
    unsummarizedSflowVmMetrics: false,
    summarizedMetrics: [],
    writeRrds: true,
    setuid: true,
    daemonize: true,
    setuidUsername: "ganglia",
    sections: new Map(),
    warnings: [],
  });
  const minimal = read("gmetad-minimal.conf");
  assertEquals(minimal.dataSources[0].name, "my cluster");
  assertEquals(minimal.warnings, []);
});

Deno.test("a file with every directive of the C gmetad", () => {
  const text = Deno.readTextFileSync(
    new URL("conf/gmetad-full.conf", testdata),
  );
  const { dataSources, warnings, path: _, ...rest } = parse(text);
  assertEquals(
    dataSources.map(({ name, intervalSeconds, hosts, place }) => [
      place.line,
      name,
      intervalSeconds,
      ...hosts.map(({ host, port }) => `${host} ${port}`),
    ]),
    [
      [
        7,
        "web farm",
        20,
        "web01.example.test 8649",
        "web02.example.test 8649",
        "web03.example.test 8655",
      ],
      [8, "db", 10, "127.0.0.1 8649"],
      [
        9,
        "remote grid",
        60,
        "gmetad1.example.test 8651",
        "gmetad2.example.test 8651",
      ],
      [10, "single quoted", 15, "127.0.0.1 8660"],
      [11, "unquoted", 30, "127.0.0.1 8661"],
      [12, "continued over lines", 45, "10.20.0.1 8649", "10.20.0.2 8649"],
    ],
  );
  assertEquals(rest, {
    gridname: "Example Grid",
    authority: "http://mon.example.test/ganglia/",
    trustedHosts: ["127.0.0.1", "10.20.0.5", "mon.example.test"],
    allTrusted: false,
    xmlPort: 8651,
    interactivePort: 8652,
    scalable: true,
    caseSensitiveHostnames: false,
    unsummarizedMetrics: ["diskstat", "CPU"],
    unsummarizedSflowVmMetrics: true,
    summarizedMetrics: ["load_one", "cpu_num"],
    rrdRootdir: "/var/lib/ganglia/rrds",
    rras: [
      "RRA:AVERAGE:0.5:1:5856",
      "RRA:AVERAGE:0.5:4:20160",
      "RRA:AVERAGE:0.5:40:52704",
      "RRA:MAX:0.5:40:52704",
    ],
    writeRrds: true,
    rrdcachedAddress: "127.0.0.1:42217",
    carbon: {
      server: "graphite.example.test",
      port: 2003,
      protocol: "tcp",
      timeoutMs: 500,
      graphitePrefix: "dc1.ganglia",
      graphitePath: "dc1.ganglia.%s.%h.%m",
    },
    debugLevel: 0,
    setuid: true,
    daemonize: true,
    setuidUsername: "ganglia",
    sections: new Map(),
  });
  // Each that has no meaning here is named, and why.
  assertEquals(
    warnings.map((line) => /^t\.conf:(\d+:1: \w+): \w/.exec(line)?.[1]),
    [
      "24:1: server_threads",
      "28:1: umask",
      "48:1: memcached_parameters",
      "49:1: memcached_include_cluster_in_key",
      "51:1: riemann_server",
      "52:1: riemann_port",
      "53:1: riemann_protocol",
      "54:1: riemann_attributes",
    ],
  );
  assertStringIncludes(warnings[0], "no meaning here");
});

Deno.test("a file of gmetad-python, with sections", () => {
  const text = Deno.readTextFileSync(
    new URL("conf/gmetad-python.conf", testdata),
  );
  const conf = parse(text);
  assertEquals(conf.pluginsDir, "/usr/lib/ganglia/python_modules/gmetad");
  assertEquals(conf.debugLevel, 3);
  assertEquals(conf.allTrusted, false);
  const sections = [...conf.sections].map(([id, lines]) => [
    id,
    lines.map(({ directive, text, place }) => [place.line, directive, text]),
  ]);
  assertEquals(sections, [
    ["rrd", [
      [
        18,
        "RRAs",
        '"RRA:AVERAGE:0.5:1:244" "RRA:AVERAGE:0.5:24:244" "RRA:AVERAGE:0.5:168:244" ' +
        '"RRA:AVERAGE:0.5:672:244"          "RRA:AVERAGE:0.5:5760:374"',
      ],
      [20, "rrd_rootdir", '"/var/lib/ganglia/rrds"'],
    ]],
    ["rrdsummary", []],
    ["alert", [
      [28, "sendmailpath", '"/usr/sbin/sendmail"'],
      [29, "toaddress", '"ops@example.test"'],
      [30, "fromaddress", '"gmetad@example.test"'],
      [
        31,
        "metricrule",
        'cpu_user "$val > 90" "CPU user time is high"',
      ],
      [
        32,
        "metricrule",
        'load_one "$val > 8" "One minute load is high"',
      ],
    ]],
  ]);
});

Deno.test("a file with the odd sides of the C grammar", () => {
  const text = Deno.readTextFileSync(
    new URL("conf/gmetad-edge.conf", testdata),
  );
  const conf = parse(text);
  assertEquals(conf.gridname, "fallback grid");
  assertEquals(conf.authority, "http://h.example.test/a#b");
  assertEquals(conf.xmlPort, 8651);
  assertEquals(conf.warnings, [
    't.conf:11:1: umask: it has no meaning here: the mask stays that of the start ("UMask=0027" in a systemd unit)',
  ]);
  assertEquals(
    conf.dataSources.map(({ name, intervalSeconds }) => [
      name,
      intervalSeconds,
    ]),
    [
      ['quotes "inside" name', 15],
      ["glued quotes", 15],
      ["port only", 5],
      ["tabs", 15],
    ],
  );
  const named = parse(text, withWorld({ GRID_NAME: "named" }));
  assertEquals(named.gridname, "named");
});
