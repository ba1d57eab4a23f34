/** The query language: what is read, and what is found. */

import { assertEquals } from "@std/assert";
import {
  type Component,
  parseRequest,
} from "../../lib/ganglia/output/query.ts";
import type { Grids } from "../../lib/ganglia/output/answer.ts";
import { ask, gridsOf } from "./answers.ts";
import { clusterOf, gmondHost, gmondMetric, source } from "./captures.ts";
import { type Element, latin1, parseXml } from "./xml_tree.ts";

/** A request in short: the kind, then what is in it. */
function read(line: string | Uint8Array, names: string[] = []): string {
  const bytes = typeof line === "string"
    ? new TextEncoder().encode(line)
    : line;
  const request = parseRequest(bytes, (name) => names.includes(name));
  switch (request.kind) {
    case "status":
      return `status ${request.callback ?? ""}`.trim();
    case "refusal":
      return `refusal ${request.http ?? ""}: ${request.reason}`;
    case "query": {
      const { query: { path, summary, lenient }, http } = request;
      const part = ({ names, any, pattern }: Component) =>
        names.join("|") + (any ? "(any)" : "") + (pattern ? "(pattern)" : "");
      return [
        ...path.map((component) => `/${part(component)}`),
        ...(summary ? [" summary"] : []),
        ...(lenient ? [] : [" strict"]),
        ...(http === "no" ? [] : [` http ${http}`]),
      ].join("");
    }
  }
}

Deno.test("requests are read", () => {
  // deno-fmt-ignore
  const table: [string, string][] = [
    ["", ""],
    ["/", ""],
    ["///", ""],
    ["/a", "/a"],
    ["a/b/", "/a/b"],
    ["//a//b", "/a//b"],
    [" /beta cluster/h ", "/beta cluster/h"],
    ["/a%20b/%2f", "/a%20b|a b/%2f|/"],
    ["/%zz%c3%a9", "/%zz%c3%a9|%zzé"],
    ["/%e9", "/%e9|é"],
    ["/*", "/*"],
    ["/.*", "/.*"],
    ["/~^a", "/~^a(pattern)"],
    ["/a?filter=summary", "/a summary"],
    ["/?x=y&filter=SUMMARY", " summary"],
    ["/a?filter=summary/", "/a summary"],
    ["/a?filter=bogus", "/a"],
    ["/a?filter", "/a"],
    ["/a?", "/a"],
    ["/a?b?filter=summary", "/a"],
    ["?filter=summary", " summary"],
    ["GET / HTTP/1.0", " strict http yes"],
    ["GET /a%20b HTTP/1.1", "/a b|a%20b strict http yes"],
    ["GET /a b?filter=summary HTTP/1.0", "/a b summary strict http yes"],
    ["GET /*/%2A/~x%3F HTTP/1.0", "/*(any)/*|%2A(any)/~x?|~x%3F(pattern) strict http yes"],
    ["HEAD / HTTP/1.1", " strict http header"],
    ["GET /a", "/GET /a"],
    ["GET / HTTP/2", "refusal 505 HTTP Version Not Supported: HTTP/2"],
    ["POST / HTTP/1.1", "refusal 501 Not Implemented: the method POST"],
    ["GET http://x/ HTTP/1.1", "refusal 400 Bad Request: a path without a / in front"],
    ["/~(", "refusal : a pattern with a ( without a )"],
    ["GET /~( HTTP/1.0", "refusal 400 Bad Request: a pattern with a ( without a )"],
    ["/status", "status"],
    ["/STATUS/x?y=z", "status"],
    ["/statusfoo", "status"],
    ["/statusfoo?callback=a.b_1", "status a.b_1"],
    ["GET /status HTTP/1.0", "status"],
    ["/status?x=y&callback=$f", "status $f"],
    ["/status?callback=alert(1)", "refusal 400 Bad Request: a callback that is no name"],
    ["/status?callback=", "refusal 400 Bad Request: a callback that is no name"],
    [`/status?callback=${"f".repeat(65)}`, "refusal 400 Bad Request: a callback that is no name"],
  ];
  for (const [line, expected] of table) {
    assertEquals(read(line), expected, line);
  }
});

Deno.test("a source wins over what only begins as /status", () => {
  const names = ["statusfoo", "status"];
  assertEquals(read("/statusfoo/h", names), "/statusfoo/h");
  assertEquals(read("/statusbar", names), "status");
  assertEquals(read("/status", names), "status");
});

Deno.test("queries are UTF-8, or else ISO-8859-1", () => {
  assertEquals(read(Uint8Array.of(0x2f, 0xc3, 0xa9)), "/é");
  assertEquals(read(Uint8Array.of(0x2f, 0xe9, 0x80)), "/é\x80");
});

/** What stands in an answer: `cluster/host/metric`, `=` behind what is summed up. */
function found(grids: Grids, query: string): string[] {
  const { root } = parseXml(ask(grids, query));
  const walk = (
    { tag, attributes, children }: Element,
    path: string,
  ): string[] => {
    if (tag === "HOSTS" || tag === "METRICS") return [];
    const isSum = children.some(({ tag }) => tag === "HOSTS") ? "=" : "";
    const name = `${path}${attributes.get("NAME")}${isSum}`;
    if (tag === "METRIC") return [name];
    return [name].concat(
      children.flatMap((child) => walk(child, `${name}/`)),
    );
  };
  const [grid] = root.children;
  const lines = grid.children.flatMap((child) => walk(child, ""));
  // What has something below it need not be named.
  const leaves = lines.filter((line) =>
    !lines.some((other) => other.startsWith(`${line}/`))
  );
  return grid.children.some(({ tag }) => tag === "HOSTS")
    ? ["=", ...leaves]
    : leaves;
}

const metric = (name: string) => gmondMetric(name, "1");
const sample = gridsOf([
  clusterOf("alpha", [
    gmondHost("web1", [metric("load"), metric("mem_free")]),
    gmondHost("web2", [metric("load"), metric("a'b")]),
    gmondHost("db", [metric("mem_free"), metric("mem_total")]),
  ]),
  clusterOf("b c", [gmondHost("web1", [metric("load")])]),
  clusterOf("empty", []),
], [{
  name: "Lower",
  authority: "",
  localtime: 0,
  source: source(),
  summary: { up: 1, down: 0, metrics: new Map() },
}]);

const WEB1 = ["alpha/web1/load", "alpha/web1/mem_free"];
const WEB2 = ["alpha/web2/load", "alpha/web2/a'b"];
const DB = ["alpha/db/mem_free", "alpha/db/mem_total"];
const ALPHA = [...WEB1, ...WEB2, ...DB];
const REST = ["b c/web1/load", "empty", "Lower="];
const ALL = [...ALPHA, ...REST];
const SUMS = ["=", "alpha=", "b c=", "empty=", "Lower="];

Deno.test("queries find what they name, and what fits", () => {
  // deno-fmt-ignore
  const table: [string, string[]][] = [
    ["/", ALL],
    ["/LabGrid", ALL],
    ["/LabGrid/alpha", ALPHA],
    ["/alpha", ALPHA],
    ["/alpha/web1", WEB1],
    ["/LabGrid/alpha/web1/load", ["alpha/web1/load"]],
    ["/alpha/web1/load/more", ["alpha/web1/load"]],
    ["/alpha/web2/a'b", ["alpha/web2/a'b"]],
    ["/b%20c/web1", ["b c/web1/load"]],
    ["/Lower", ["Lower="]],
    // Nothing fits: the level above, in full.
    ["/nosuch", ALL],
    ["/nosuch/web1", ALL],
    ["/ALPHA", ALL],
    ["/alpha/nosuch", ALPHA],
    ["/alpha//load", ALPHA],
    ["/alpha/web1/nosuch", WEB1],
    ["/alpha/*/load", ALPHA],
    ["/*", ALL],
    // It fits further down: there it counts, elsewhere it does not.
    ["/web1", [...WEB1, "b c/web1/load", "empty", "Lower="]],
    ["/db", [...DB, ...REST]],
    ["/web1/load", ["alpha/web1/load", "b c/web1/load", "empty", "Lower="]],
    ["/alpha/mem_free", ["alpha/web1/mem_free", ...WEB2, "alpha/db/mem_free"]],
    ["/load", ["alpha/web1/load", "alpha/web2/load", ...DB, ...REST]],
    // Summaries.
    ["/?filter=summary", SUMS],
    ["/nosuch?filter=summary", SUMS],
    ["/alpha?filter=summary", ["alpha="]],
    ["/alpha/nosuch?filter=summary", ["alpha="]],
    ["/alpha/web1?filter=summary", ["alpha/web1"]],
    ["/alpha/web1/nosuch?filter=summary", ["alpha/web1"]],
    ["/alpha/web1/load?filter=summary", ["alpha/web1/load"]],
    ["/db?filter=summary", ["alpha/db", "b c=", "empty=", "Lower="]],
    // Patterns.
    ["/~^a", ALPHA],
    ["/~^a/~^web\\d$/load", ["alpha/web1/load", "alpha/web2/load"]],
    ["/alpha/~^w/~^m", ["alpha/web1/mem_free", ...WEB2]],
    ["/~./web1/load", ["alpha/web1/load", "b c/web1/load", "empty", "Lower="]],
    ["/~^mem_", [...WEB1.slice(1), ...WEB2, ...DB, ...REST]],
    ["/~^nosuch", ALL],
    // HTTP: nothing is there but what was asked for.
    ["GET / HTTP/1.0", ALL],
    ["GET /LabGrid/alpha/web1/load HTTP/1.0", ["alpha/web1/load"]],
    ["GET /nosuch HTTP/1.0", []],
    ["GET /web1 HTTP/1.0", []],
    ["GET /alpha/nosuch HTTP/1.0", ["alpha"]],
    ["GET /alpha/web1/nosuch HTTP/1.0", ["alpha/web1"]],
    ["GET /alpha/*/load HTTP/1.0", ["alpha/web1/load", "alpha/web2/load", "alpha/db"]],
    ["GET /*/web1/* HTTP/1.0", [...WEB1, ...REST]],
    ["GET /b%20c HTTP/1.0", ["b c/web1/load"]],
    ["GET /*?filter=summary HTTP/1.0", ["alpha=", "b c=", "empty=", "Lower="]],
    ["GET /alpha/~^web/~load HTTP/1.0", ["alpha/web1/load", "alpha/web2/load"]],
    ["GET /alpha/web1/~nosuch HTTP/1.0", ["alpha/web1"]],
  ];
  for (const [query, expected] of table) {
    assertEquals(found(sample, query), expected, query);
  }
});

Deno.test("a name wins over what it would stand for", () => {
  const grids = gridsOf([
    clusterOf("*", [
      gmondHost("~a", [metric("*")]),
      gmondHost("a", [metric("m")]),
    ]),
    clusterOf("a%20b", [gmondHost("raw", [metric("m")])]),
    clusterOf("a b", [gmondHost("decoded", [metric("m")])]),
  ]);
  assertEquals(found(grids, "GET /*/~a/* HTTP/1.0"), ["*/~a/*"]);
  assertEquals(found(grids, "/*/~a/*"), ["*/~a/*"]);
  assertEquals(found(grids, "/a%20b"), ["a%20b/raw/m"]);
  assertEquals(found(grids, "GET /a%20b HTTP/1.0"), ["a b/decoded/m"]);
  assertEquals(found(grids, "GET /a%2520b HTTP/1.0"), ["a%20b/raw/m"]);
});

Deno.test("a grid and a cluster may have the same name, as they have by default", () => {
  const grids = {
    ...gridsOf([
      clusterOf("unspecified", [
        gmondHost("h", [metric("m")]),
        gmondHost("third", [metric("m")]),
      ]),
      clusterOf("other", [gmondHost("o", [metric("m")])]),
      clusterOf("third", []),
    ]),
    name: "unspecified",
  };
  const own = ["unspecified/h/m", "unspecified/third/m"];
  assertEquals(found(grids, "/unspecified"), own);
  assertEquals(found(grids, "/unspecified/h"), ["unspecified/h/m"]);
  assertEquals(found(grids, "/unspecified/unspecified/h/m"), [
    "unspecified/h/m",
  ]);
  assertEquals(found(grids, "/unspecified/third"), ["unspecified/third/m"]);
  assertEquals(found(grids, "/unspecified/other"), ["other/o/m"]);
  assertEquals(found(grids, "/unspecified/nosuch"), own);
});

Deno.test("a document stands alone, whatever is asked", () => {
  for (const query of ["/", "/nosuch", "/alpha/web1/load", "GET /x HTTP/1.0"]) {
    const text = latin1(ask(sample, query));
    assertEquals(
      text.startsWith('<?xml version="1.0" encoding="ISO-8859-1"'),
      true,
    );
    assertEquals(text.endsWith("</GRID>\n</GANGLIA_XML>\n"), true);
  }
});
