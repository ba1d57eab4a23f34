import { assertEquals } from "@std/assert";
import { errors, parse, SOURCE, sourcesOf, withWorld } from "./parsing.ts";
import { parseGmetadConf } from "../../../lib/ganglia/conf/parse.ts";

const source = (name: string) => `data_source ${name} h\n`;

/** The names of the sources of a file at a path. */
function names(
  path: string,
  files: Readonly<Record<string, string>>,
  env: Readonly<Record<string, string>> = {},
): string[] {
  const { dataSources } = parseGmetadConf(
    files[path],
    path,
    withWorld(env, files),
  );
  return dataSources.map(({ name }) => name);
}

Deno.test("a file is read where it is included, and names its own lines", () => {
  const world = withWorld({}, {
    "x.conf": 'data_source "x" h\nxml_port 0\n',
  });
  const conf = parse(
    `${source("a")}INCLUDE "x.conf" # here\n${source("b")}`,
    world,
  );
  assertEquals(sourcesOf(conf), ["a 15 h:8649", "x 15 h:8649", "b 15 h:8649"]);
  assertEquals(conf.dataSources[1].place, {
    path: "x.conf",
    line: 1,
    column: 1,
  });
  assertEquals(conf.warnings, [
    "x.conf:2:1: xml_port: 0 is any port that is free, at each start",
  ]);
});

Deno.test("what is in two files says in which", () => {
  const world = withWorld({}, { "x.conf": SOURCE });
  assertEquals(parse(`${SOURCE}Include x.conf`, world).warnings, [
    'x.conf:1:1: data_source: "a" is in t.conf:1 already; that one is not polled, only this: ' +
    "give each source a name of its own",
  ]);
});

Deno.test("a relative name is looked for beside the file, then in the working directory", () => {
  const files = {
    "/etc/g/main.conf": "Include sub/one.conf\nInclude two.conf\n",
    "/etc/g/sub/one.conf": `Include three.conf\n${source("one")}`,
    "/etc/g/sub/three.conf": source("three"),
    "/etc/g/three.conf": source("wrong"),
    "two.conf": source("two"),
  };
  assertEquals(names("/etc/g/main.conf", files), ["three", "one", "two"]);
});

Deno.test("IncludePath, or DC_INCLUDEPATH, is where relative names are looked for", () => {
  const files = {
    "m.conf": "Include x.conf\nIncludePath /etc/g\nInclude x.conf\n" +
      "Include /x.conf\nIncludePath sub\nInclude x.conf\n",
    "x.conf": source("beside"),
    "/env/x.conf": source("env"),
    "/etc/g/x.conf": source("path"),
    "/x.conf": source("root"),
    "sub/x.conf": source("sub"),
  };
  assertEquals(names("m.conf", files), ["beside", "path", "root", "sub"]);
  assertEquals(names("m.conf", files, { DC_INCLUDEPATH: "/env" }), [
    "env",
    "path",
    "root",
    "sub",
  ]);
});

Deno.test("* and ? stand for all files that match, in the order of their names", () => {
  const files = {
    "/g/m.conf": "Include conf.d/*.conf\nInclude /g/b?[1]\n",
    "/g/conf.d/2.conf": source("2"),
    "/g/conf.d/10.conf": source("10"),
    "/g/conf.d/.hidden.conf": source("hidden"),
    "/g/conf.d/2.conf.bak": source("backup"),
    "/g/conf.d/sub/x.conf": source("sub"),
    "/g/b1[1]": source("brackets"),
    "/g/b11": source("class"),
  };
  assertEquals(names("/g/m.conf", files), ["10", "2", "brackets"]);
});

Deno.test("files that include themselves, and too many of them, are errors", () => {
  assertEquals(
    errors("Include a", withWorld({}, { a: "Include b", b: "\nInclude a" })),
    ['b:2:1: Include: "a" includes itself'],
  );
  const chain = Object.fromEntries(
    Array.from({ length: 20 }, (_, i) => [`f${i}`, `Include f${i + 1}`]),
  );
  assertEquals(errors("Include f0", withWorld({}, chain)), [
    "f7:1:1: Include: more than 8 files include each other",
  ]);
  const many = Object.fromEntries(
    Array.from({ length: 300 }, (_, i) => [`f${i}`, ""]),
  );
  assertEquals(errors("Include f*", withWorld({}, many)), [
    "1:1: Include: there are more than 256 files",
  ]);
  const long = { x: "#".repeat(4 * 1024 * 1024) };
  assertEquals(errors("Include x", withWorld({}, long)), [
    "1:1: Include: there are more than 4194304 characters; make it shorter",
  ]);
  assertEquals(errors("Include x", { env: () => undefined }), [
    "1:1: Include: files cannot be included here",
  ]);
});
