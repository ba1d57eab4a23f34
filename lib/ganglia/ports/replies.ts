import { answer, type Grids, type Piece } from "../output/answer.ts";
import type { HostPrinter } from "../output/host_printer.ts";
import { EVERYTHING, parseRequest } from "../output/query.ts";
import type { Instant } from "../host_state.ts";
import type { Reply } from "./session.ts";

const encoder = new TextEncoder();

/** What the XML port sends: everything. */
export function replyWithAll(
  grids: Grids,
  at: Instant,
  printer: HostPrinter,
): Reply {
  return { pieces: answer(grids, EVERYTHING, at, printer) };
}

/**
 * What the interactive port answers to a query.
 * @param line The query, without its line end.
 * @param about.version This program's version.
 * @param about.status Makes the answer to `/status`, as JSON.
 */
export function replyToQuery(
  line: Uint8Array,
  grids: Grids,
  at: Instant,
  printer: HostPrinter,
  about: { readonly version: string; readonly status: () => string },
): Reply {
  const request = parseRequest(
    line,
    (name) => grids.clusters.has(name) || grids.grids.has(name),
  );
  const header = (status: string, type: string) =>
    httpHeader(about.version, status, type);
  switch (request.kind) {
    case "query": {
      const { query, http } = request;
      const document = answer(grids, query, at, printer);
      if (http === "no") return { pieces: document };
      const begin = header("200 OK", "application/xml");
      if (http === "header") return { pieces: [begin] };
      return { pieces: after(begin, document) };
    }
    case "status": {
      const { callback } = request;
      const json = about.status();
      const body = callback === undefined ? json : `${callback}(${json})`;
      return {
        pieces: [
          header("200 OK", "application/json"),
          text(`${body}\r\n`),
        ],
      };
    }
    case "refusal": {
      const { reason: complaint, http } = request;
      if (http === undefined) return { pieces: [], complaint };
      return {
        pieces: [
          header(http, "text/plain; charset=utf-8"),
          text(`${complaint}\n`),
        ],
        complaint,
      };
    }
  }
}

function httpHeader(version: string, status: string, type: string): Piece {
  return text(
    `HTTP/1.0 ${status}\r\n` +
      `Server: gatherer/${version}\r\n` +
      "Access-Control-Allow-Origin: *\r\n" +
      `Content-Type: ${type}\r\n` +
      "Connection: close\r\n\r\n",
  );
}

/** Text that is no XML, as UTF-8. */
function text(text: string): Piece {
  return (out) => out.bytes(encoder.encode(text));
}

function* after<T>(first: T, rest: Iterable<T>): Generator<T, void> {
  yield first;
  yield* rest;
}
