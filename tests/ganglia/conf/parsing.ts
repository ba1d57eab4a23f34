import { assert, assertEquals, assertThrows } from "@std/assert";
import { UserError } from "../../../lib/errors.ts";
import type { GmetadConf } from "../../../lib/ganglia/conf/conf.ts";
import type { ConfFiles } from "../../../lib/ganglia/conf/include.ts";
import {
  parseGmetadConf,
  type ParseOptions,
  readGmetadConf,
} from "../../../lib/ganglia/conf/parse.ts";
import { remarkLine } from "../../../lib/ganglia/conf/remarks.ts";

/** A line that keeps a file from the warning that nothing is polled. */
export const SOURCE = 'data_source "a" 127.0.0.1\n';

/** Files that are held in memory, by their paths. */
export function filesOf(texts: Readonly<Record<string, string>>): ConfFiles {
  return {
    read: (path) => Object.hasOwn(texts, path) ? texts[path] : undefined,
    list(directory) {
      const prefix = directory === "." ? "" : `${directory}/`;
      return Object.keys(texts).filter((path) =>
        path.startsWith(prefix) && !path.slice(prefix.length).includes("/")
      ).map((path) => path.slice(prefix.length)).reverse();
    },
  };
}

/** Options with these variables and files. */
export function withWorld(
  env: Readonly<Record<string, string>> = {},
  files: Readonly<Record<string, string>> = {},
): ParseOptions {
  return {
    env: (name) => Object.hasOwn(env, name) ? env[name] : undefined,
    files: filesOf(files),
  };
}

/** What a text says, as the file `t.conf`. */
export function parse(text: string, options = withWorld()): GmetadConf {
  return parseGmetadConf(text, "t.conf", options);
}

/** The warnings of a text, without the file's name. */
export function warnings(text: string, options = withWorld()): string[] {
  return parse(text, options).warnings.map((line) => {
    assert(!/[\p{Cc}\u2028\u2029]/u.test(line), line);
    return line.replace(/^t\.conf:/, "");
  });
}

/** All errors of a text, without the file's name. The first must be what is thrown. */
export function errors(text: string, options = withWorld()): string[] {
  const found = readGmetadConf(text, "t.conf", options).remarks
    .filter(({ kind }) => kind === "error").map(remarkLine);
  const { message, exitCode } = assertThrows(
    () => parseGmetadConf(text, "t.conf", options),
    UserError,
  );
  assertEquals(exitCode, 1);
  const more = found.length - 1;
  assertEquals(
    message,
    found[0] +
      (more === 0
        ? ""
        : ` (and ${more} more: gatherer check t.conf lists them)`),
  );
  assert(!/[\p{Cc}\u2028\u2029]/u.test(message), message);
  return found.map((line) => line.replace(/^t\.conf:/, ""));
}

/** Sources as `NAME INTERVAL HOST:PORT …`. */
export function sourcesOf({ dataSources }: GmetadConf): string[] {
  return dataSources.map(({ name, intervalSeconds, hosts }) =>
    [
      name,
      intervalSeconds,
      ...hosts.map(({ host, port }) => `${host}:${port}`),
    ].join(" ")
  );
}
