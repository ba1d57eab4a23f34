/** The real gmetad and ours side by side: the same configuration, the same sources. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { relative } from "node:path";
import { connect, StatsProvider } from "../../mod.ts";
import { publicTempDir, run } from "../executable.ts";
import {
  attribute,
  type Element,
  elements,
  latin1,
  named,
} from "../ganglia/xml_tree.ts";
import {
  askXml,
  assertNone,
  differences,
  eventually,
  serveCapture,
  startOurs,
  withoutSelf,
} from "./ganglia_lab.ts";
import { ask, type GmetadSetup, RealGmetad, RealGmond } from "./gmetad.ts";
import { requirePeer } from "./peer.ts";

const ignore = [
  requirePeer("ganglia-monitor"),
  requirePeer("gmetad"),
  requirePeer("rrdtool"),
].includes(false);

const host = "node1.example";

/** Metrics of every type and slope, as users announce them. */
const announced = [
  { name: "room temp", value: "21.5", type: "float", units: "Celsius" },
  { name: "big", value: "123456789.25", type: "double", slope: "both" },
  { name: "small", value: "-7", type: "int8", slope: "negative" },
  { name: "byte", value: "200", type: "uint8" },
  { name: "short", value: "-30000", type: "int16" },
  { name: "word", value: "60000", type: "uint16" },
  { name: "int", value: "-2000000000", type: "int32", slope: "derivative" },
  { name: "requests", value: "4000000000", type: "uint32", slope: "positive" },
  { name: "cores", value: "16", type: "uint16", slope: "zero" },
  { name: "state", value: "all is well", type: "string", slope: "zero" },
].map((metric) => ({ group: "test,more", ...metric }));

/** Both daemons over a real gmond and a capture. */
async function startLab() {
  await using stack = new AsyncDisposableStack();
  const dir = await publicTempDir();
  stack.defer(() => Deno.remove(dir, { recursive: true }));
  const gmond = stack.use(await RealGmond.start("live", host));
  for (const metric of announced) await gmond.announce(metric);
  const capture = stack.use(serveCapture("gmond-multi.xml"));
  const setup: GmetadSetup = {
    sources: [
      `data_source "live" 2 127.0.0.1:${gmond.port}`,
      `data_source "alpha" 2 127.0.0.1:${capture.port}`,
    ],
    more: ["case_sensitive_hostnames 0"],
  };
  const real = stack.use(await RealGmetad.start(setup));
  const ours = stack.use(await startOurs(dir, setup));
  const running = stack.move();
  return {
    real,
    ours,
    gmond,
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

const names = new Set(announced.map(({ name }) => name));
/** What gmond measures by itself changes all the time; what was announced does not. */
const comparison = {
  isLive: (cluster: string, metric: string) =>
    cluster !== "alpha" && !names.has(metric),
};

Deno.test({
  name: "dumps and answers are the real gmetad's, element by element",
  ignore,
  async fn(t) {
    await using lab = await startLab();
    const { real, ours } = lab;
    await t.step("the XML port", async () => {
      await eventually(async () => {
        const root = await askXml(real.xmlPort);
        // All that was announced, and most of what gmond measures by itself.
        const count = elements(named(root, "HOST", host), "METRIC").length;
        assert(count > announced.length + 20, `${count} metrics`);
        const own = withoutSelf(await askXml(ours.xmlPort));
        const found = differences(root, own, comparison);
        assertNone(found, "the dump");
      });
    });
    for (
      const query of [
        "/",
        "/?filter=summary",
        "/alpha",
        "/alpha/",
        "/live",
        "/alpha?filter=summary",
        "/live?filter=summary",
        "/alpha/node2.example.test",
        "/alpha/node2.example.test/",
        "/alpha/node2.example.test?filter=summary",
        "/alpha/node2.example.test/load_one",
        "/alpha/node2.example.test/load_one/further",
        `/live/${host}/room temp`,
        "/nosuch",
        "/nosuch?filter=summary",
        "/alpha/nosuch",
        "/alpha/nosuch/load_one",
        "/alpha/node2.example.test/nosuch",
        "/alpha//load_one",
        "/*/*/load_one",
        "GET / HTTP/1.0",
        "GET /?filter=summary HTTP/1.1",
        "GET /alpha/node2.example.test HTTP/1.0",
        "GET /*/*/load_one HTTP/1.0",
        "GET /nosuch HTTP/1.0",
        "GET /alpha/nosuch HTTP/1.0",
      ]
    ) {
      await t.step(query, async () => {
        const line = query.startsWith("GET")
          ? `${query}\r\n\r\n`
          : `${query}\n`;
        // What gmond measures may come and go between two questions.
        await eventually(async () => {
          const found = differences(
            await askXml(real.interactivePort, line),
            withoutSelf(await askXml(ours.interactivePort, line)),
            comparison,
          );
          assertNone(found, query);
        }, 5);
      });
    }
    await t.step("the document type", async () => {
      assertEquals(
        declarations(await ask(ours.xmlPort)),
        declarations(await ask(real.xmlPort)).map((line) =>
          // The real one sends the slope that it does not declare.
          line.replace("both|unspecified", "both|derivative|unspecified")
            .replace("SOURCE (gmond) ", "SOURCE CDATA ")
        ),
      );
    });
  },
});

/** What a document type declares, one line an element's content or one attribute, in order. */
function declarations(document: Uint8Array): string[] {
  const dtd = /<!DOCTYPE[^\]]*\]>/.exec(latin1(document.subarray(0, 10_000)))!;
  return [...dtd[0].matchAll(/<!(\w+)\s+(\w+)\s+([^>]*)>/g)].flatMap(
    ([, kind, element, rest]) =>
      kind === "ELEMENT" ? [`${element} ${rest.replaceAll(/\s/g, "")}`] : [
        ...rest.matchAll(/(\w+)\s+(CDATA|\([^)]*\))\s+(#\w+|['"]\w+['"])/g),
      ].map(([, name, type, value]) =>
        `${element} ${name} ${type.replaceAll(/\s/g, "")} ${
          value.replaceAll('"', "'")
        }`
      ),
  ).sort();
}

Deno.test({
  name:
    "RRDs are where the real gmetad has them, of the same kind, and get the same values",
  ignore,
  async fn(t) {
    await using lab = await startLab();
    const { real, ours } = lab;
    const paths = await eventually(async () => {
      const [own, others] = [
        (await rrdPaths(ours.rrdRootdir)).filter((path) =>
          !/^foolscap\/|^__SummaryInfo__\/gatherer\./.test(path)
        ),
        await rrdPaths(real.rrdRootdir),
      ];
      assertEquals(own, others);
      for (
        const kind of [
          `live/${host}/room temp.rrd`,
          "live/__SummaryInfo__/room temp.rrd",
          "__SummaryInfo__/room temp.rrd",
          "alpha/spoof-upper.example.test/",
        ]
      ) assert(own.some((path) => path.startsWith(kind)), kind);
      return own;
    });

    await t.step("rrdtool info", async () => {
      // A file has its name before it has its content.
      const whole = (root: string) =>
        eventually(async () => {
          const infos = await rrdInfo(root, paths);
          for (const [index, path] of paths.entries()) {
            assert(infos[index].size > 15, path);
          }
          return infos;
        });
      const theirs = await whole(real.rrdRootdir);
      const own = await whole(ours.rrdRootdir);
      const found: string[] = [];
      for (const [index, path] of paths.entries()) {
        const [a, b] = [theirs[index], own[index]];
        correct(path, a, b);
        for (const key of new Set([...a.keys(), ...b.keys()])) {
          if (a.get(key) === b.get(key)) continue;
          found.push(`${path}: ${key} is ${a.get(key)}, ours ${b.get(key)}`);
        }
      }
      assertNone(found, "RRDs");
    });

    await t.step("rrdtool fetch", async () => {
      for (
        const [path, columns] of [
          [`live/${host}/room temp.rrd`, [21.5]],
          [`live/${host}/cores.rrd`, [16]],
          [`live/${host}/int.rrd`, [0]],
          [`live/${host}/requests.rrd`, [0]],
          [`live/${host}/big.rrd`, [123456789.25]],
          ["live/__SummaryInfo__/room temp.rrd", [21.5, 1]],
          ["alpha/__SummaryInfo__/cpu_num.rrd", undefined],
          ["__SummaryInfo__/cpu_num.rrd", undefined],
        ] as const
      ) {
        await eventually(async () => {
          const theirs = await newest(`${real.rrdRootdir}/${path}`);
          const own = await newest(`${ours.rrdRootdir}/${path}`);
          assertEquals(own, theirs, path);
          if (columns) assertEquals(own, [...columns], path);
          assert(own.length > 0, path);
        }, 60);
      }
    });
  },
});

/**
 * Where the real gmetad is wrong: 3.7.2 takes the number of hosts for a counter wherever the sum is
 * one, and the type of the grid's summary from a value that is none, so that it is a gauge always.
 */
function correct(
  path: string,
  theirs: Map<string, string>,
  own: ReadonlyMap<string, string>,
): void {
  if (theirs.has("ds[num].type")) theirs.set("ds[num].type", '"GAUGE"');
  if (path.startsWith("__SummaryInfo__/")) {
    theirs.set("ds[sum].type", own.get("ds[sum].type")!);
  }
}

/** The paths of all files in a directory, in order. */
async function rrdPaths(root: string): Promise<string[]> {
  const paths: string[] = [];
  const walk = async (dir: string) => {
    for await (const { name, isDirectory } of Deno.readDir(dir)) {
      if (isDirectory) await walk(`${dir}/${name}`);
      else paths.push(relative(root, `${dir}/${name}`));
    }
  };
  await walk(root);
  return paths.sort();
}

/** What files are made for, without what is in them. */
async function rrdInfo(
  root: string,
  paths: readonly string[],
): Promise<Map<string, string>[]> {
  const rrdtool = new Deno.Command("rrdtool", {
    args: ["-"],
    cwd: root,
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const commands = paths.map((path) => `info "${path}"\n`).join("");
  const [{ stdout }] = await Promise.all([
    rrdtool.output(),
    new Response(`${commands}quit\n`).body!.pipeTo(rrdtool.stdin),
  ]);
  // A line with the time that it took comes after each answer.
  const answers = new TextDecoder().decode(stdout).split(/^OK .*\n/m);
  return paths.map((_, index) => readInfo(answers[index]));
}

function readInfo(text: string): Map<string, string> {
  const info = new Map<string, string>();
  for (const line of text.trimEnd().split("\n")) {
    const [key, value] = line.split(" = ");
    const isState =
      /^(filename|last_update|header_size)$|\.(last_ds|value|unknown_sec|cur_row)$|cdp_prep/;
    if (!isState.test(key)) info.set(key, value);
  }
  return info;
}

/** The newest values that are known. */
async function newest(path: string): Promise<number[]> {
  const { stdout, stderr, code } = await run([
    ...["rrdtool", "fetch", path, "AVERAGE", "--start", "-60"],
  ]);
  if (code !== 0) throw new Error(stderr);
  return stdout.split("\n")
    .filter((line) => /^\d+: /.test(line) && !line.includes("nan"))
    .at(-1)?.split(": ")[1].split(" ").map(Number) ?? [];
}

Deno.test({
  name: "each is a source of the other, and the sums agree",
  ignore,
  async fn() {
    const dir = await publicTempDir();
    await using stack = new AsyncDisposableStack();
    stack.defer(() => Deno.remove(dir, { recursive: true }));
    const capture = stack.use(serveCapture("gmond-multi.xml"));
    const beta = stack.use(serveCapture("gmond-beta.xml"));
    const below = (gridname: string): GmetadSetup => ({
      gridname,
      sources: [
        `data_source "alpha" 2 127.0.0.1:${capture.port}`,
        `data_source "beta" 2 127.0.0.1:${beta.port}`,
      ],
      more: ["write_rrds off"],
    });
    const real = stack.use(await RealGmetad.start(below("Real")));
    await Deno.mkdir(`${dir}/below`);
    const ours = stack.use(await startOurs(`${dir}/below`, below("Ours")));
    const above: GmetadSetup = {
      gridname: "Above",
      sources: [
        `data_source "from real" 2 127.0.0.1:${real.xmlPort}`,
        `data_source "from ours" 2 127.0.0.1:${ours.xmlPort}`,
      ],
      more: ["write_rrds off"],
    };
    await Deno.mkdir(`${dir}/above`);
    const realAbove = stack.use(await RealGmetad.start(above));
    const oursAbove = stack.use(await startOurs(`${dir}/above`, above));
    await eventually(async () => {
      const [a, b] = [
        await askXml(realAbove.xmlPort),
        await askXml(oursAbove.xmlPort),
      ];
      assertNone(differences(a, withoutSelf(b)), "the grids above");
      const sums = (grid: Element) =>
        new Map(
          elements(grid, "METRICS").map((metric) => [
            attribute(metric, "NAME"),
            `${Number(attribute(metric, "SUM")).toFixed(1)} of ${
              attribute(metric, "NUM")
            }`,
          ]),
        );
      const [fromReal, fromOurs] = ["Real", "Ours"].map((name) =>
        named(b, "GRID", name)
      );
      assert(sums(fromReal).size > 30);
      assertEquals(sums(fromOurs), sums(fromReal));
      assertEquals(
        elements(fromOurs, "HOSTS")[0].attributes,
        elements(fromReal, "HOSTS")[0].attributes,
      );
    });
  },
});

Deno.test({
  name:
    "nodes that attach are hosts that the real gmetad reads, a restart over",
  ignore,
  async fn() {
    const dir = await publicTempDir();
    await using stack = new AsyncDisposableStack();
    stack.defer(() => Deno.remove(dir, { recursive: true }));
    const capture = stack.use(serveCapture("gmond-multi.xml"));
    const setup = {
      gridname: "Ours",
      sources: [`data_source "alpha" 2 127.0.0.1:${capture.port}`],
      more: ["write_rrds off"],
    };
    const provider = new StatsProvider();
    provider.count("uploader.files_uploaded", 17);
    provider.registerProducer({
      getStats: () => ({ "storage_server.disk_free": 2.5e12 }),
    });
    for (const time of ["first", "second"]) {
      await using ours = await startOurs(dir, setup, { foolscap: true });
      await using _node = connect(provider, {
        furl: ours.gatherer.furl!,
        nickname: "storage <1> & more",
        identityFile: `${dir}/node.pem`,
        loadMonitor: false,
      });
      // It takes our clusters as its own.
      await using real = await RealGmetad.start({
        gridname: "Above",
        sources: [`data_source "ours" 2 127.0.0.1:${ours.xmlPort}`],
        more: ["write_rrds off", "scalable off"],
      });
      await eventually(async () => {
        const own = named(await askXml(ours.xmlPort), "CLUSTER", "foolscap");
        const nodes = elements(own, "HOST").map((host) =>
          attribute(host, "NAME")
        );
        // The gatherer is a node, too.
        assertEquals(nodes.length, 2, `${time}: ${nodes}`);
        const text = latin1(await ask(real.xmlPort));
        assertStringIncludes(text, '<CLUSTER NAME="foolscap"');
        for (
          const metric of [
            /NAME="uploader.files_uploaded" VAL="17" TYPE="[a-z]+\d*"[^>]* SLOPE="positive"/,
            /NAME="storage_server.disk_free" VAL="2500000000000(?:\.0+)?" TYPE="double"/,
          ]
        ) assert(metric.test(text), `${metric}`);
        assertEquals(text.match(/<HOST /g)?.length, 2 + 6);
      });
      assertEquals(
        real.daemon.output.split("\n").filter((line) =>
          /error|invalid|cannot|failed|not well-formed/i.test(line)
        ),
        [],
      );
    }
  },
});
