/**
 * The query language of gmetad's interactive port. Source of the rules: the C gmetad 3.7.2
 * (`process_request`, `process_path`) and gmetad-python (`getXml`); where they differ,
 * docs/ganglia-ports.md says which rule is ours, and why.
 *
 * @module
 */
import { oneLine } from "../../text.ts";
import { compilePattern, PatternError } from "./pattern.ts";

/** What stands between two slashes of a path. */
export interface Component {
  /** The names that it stands for, the likeliest first. */
  readonly names: readonly string[];
  /** Whether it stands for every child that there is, if none is called so. */
  readonly any: boolean;
  /** What it stands for, if none is called so. */
  readonly pattern: ((name: string) => boolean) | undefined;
}

/** What is wanted of the tree. */
export interface Query {
  readonly path: readonly Component[];
  /** Whether of a grid or cluster only the summary is wanted, and of a host only itself. */
  readonly summary: boolean;
  /**
   * Whether a component that fits nothing is tried a level further down, and is ignored if it
   * fits nothing there either; else there is no answer to it.
   */
  readonly lenient: boolean;
}

/** A request that has been read. */
export type Request =
  | {
    readonly kind: "query";
    readonly query: Query;
    /** Whether the answer begins with an HTTP header, or is nothing but that. */
    readonly http: "no" | "yes" | "header";
  }
  | { readonly kind: "status"; readonly callback: string | undefined }
  | {
    readonly kind: "refusal";
    /** For the log. */
    readonly reason: string;
    /** The status line's code and words; `undefined`: no answer at all. */
    readonly http: string | undefined;
  };

/** A query for everything. */
export const EVERYTHING: Query = { path: [], summary: false, lenient: true };

/** `~` at the beginning of a component marks a regular expression. */
const PATTERN_MARK = "~";
/** Longest name of a function that `/status` is wrapped into. */
const MOST_CALLBACK = 64;

const utf8 = new TextDecoder("utf-8", { fatal: true });

/**
 * Reads a request: one line, without its end.
 * @param isName Whether a source has that name; it wins over what only begins as `/status`.
 */
export function parseRequest(
  line: Uint8Array,
  isName: (name: string) => boolean = () => false,
): Request {
  const text = decode(line);
  const http = /^([A-Z]+) (.*) HTTP\/([\d.]+)$/s.exec(text);
  if (!http) return parsePath(text, "no", isName);
  const [, method, path, version] = http;
  if (!/^1\.\d$/.test(version)) {
    return refusal(`HTTP/${version}`, "505 HTTP Version Not Supported");
  }
  if (method !== "GET" && method !== "HEAD") {
    return refusal(`the method ${method}`, "501 Not Implemented");
  }
  if (!path.startsWith("/")) {
    return refusal("a path without a / in front", "400 Bad Request");
  }
  return parsePath(path, method === "HEAD" ? "header" : "yes", isName);
}

function parsePath(
  text: string,
  http: "no" | "yes" | "header",
  isName: (name: string) => boolean,
): Request {
  const mark = text.indexOf("?");
  const path = (mark < 0 ? text : text.slice(0, mark)).trim();
  const words = mark < 0 ? "" : text.slice(mark + 1);
  if (/^\/status/i.test(path)) {
    const first = path.slice(1).split("/", 1)[0];
    if (first.length === "status".length || !isName(first)) {
      return parseStatus(words);
    }
  }
  try {
    return {
      kind: "query",
      query: {
        path: split(path).map((part) => component(part, http !== "no")),
        summary: isSummary(words),
        lenient: http === "no",
      },
      http,
    };
  } catch (error) {
    if (!(error instanceof PatternError)) throw error;
    return refusal(
      `a pattern with ${oneLine(error.message, 100)}`,
      http === "no" ? undefined : "400 Bad Request",
    );
  }
}

/** The parts of a path; slashes at its ends say nothing. */
function split(path: string): string[] {
  const inner = path.replace(/^\/+/, "").replace(/\/+$/, "");
  return inner === "" ? [] : inner.split("/");
}

function component(text: string, http: boolean): Component {
  const decoded = percentDecode(text);
  const marked = decoded.startsWith(PATTERN_MARK);
  return {
    names: decoded === text ? [text] : http ? [decoded, text] : [text, decoded],
    any: http && decoded === "*",
    pattern: marked
      ? compilePattern(decoded.slice(PATTERN_MARK.length))
      : undefined,
  };
}

/** `filter=summary` among `name=value` pairs; everything else is ignored. */
function isSummary(words: string): boolean {
  return words.split("&").some((pair) => {
    const [name, value = ""] = pair.split("=", 2);
    // gmetad-python takes a slash at the end for none.
    return name === "filter" &&
      value.trim().replace(/\/+$/, "").toLowerCase() === "summary";
  });
}

function parseStatus(words: string): Request {
  const callback = words.split("&").find((pair) => pair.startsWith("callback="))
    ?.slice("callback=".length);
  // It is to be run as a program by a browser.
  if (
    callback !== undefined &&
    (callback.length > MOST_CALLBACK ||
      !/^[A-Za-z_$][\w$]*(\.[A-Za-z_$][\w$]*)*$/.test(callback))
  ) return refusal("a callback that is no name", "400 Bad Request");
  return { kind: "status", callback };
}

function refusal(reason: string, http: string | undefined): Request {
  return { kind: "refusal", reason, http };
}

/** Bytes that stand for themselves or for UTF-8, whichever they are. */
function decode(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch {
    return latin1(bytes);
  }
}

/** ISO-8859-1; the runtime's decoder of that name is of windows-1252. */
function latin1(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
}

function percentDecode(text: string): string {
  return text.replace(
    /(?:%[0-9a-f]{2})+/gi,
    (run) =>
      decode(
        Uint8Array.from(
          run.slice(1).split("%"),
          (pair) => parseInt(pair, 16),
        ),
      ),
  );
}
