/**
 * What a client would like to have: the header fields Accept and Accept-Encoding.
 * Source: RFC 9110, 12.4 and 12.5; Prometheus, "Scrape protocol content negotiation".
 *
 * @module
 */
import type { Format } from "../openmetrics/text.ts";

interface Wish {
  /** In lower case. */
  readonly what: string;
  readonly parameters: ReadonlyMap<string, string>;
  /** From 0, never, to 1. */
  readonly quality: number;
}

/** The format of /metrics: OpenMetrics if it is asked for by name, and nothing is liked better. */
export function metricsFormat(accept: string | undefined): Format {
  const wishes = readWishes(accept);
  const open = best(
    wishes,
    ({ what, parameters }) =>
      what === "application/openmetrics-text" &&
      (parameters.get("version") ?? "1.0.0") === "1.0.0",
  );
  const plain = best(wishes, ({ what }) => what === "text/plain");
  return open > 0 && open >= plain ? "openmetrics" : "prometheus";
}

/** Whether JSON is asked for by name and liked better than plain text. */
export function wantsJson(accept: string | undefined): boolean {
  const wishes = readWishes(accept);
  const json = best(wishes, ({ what }) => what === "application/json");
  return json > 0 && json >= best(wishes, ({ what }) => what === "text/plain");
}

/** Whether gzip is taken. */
export function takesGzip(acceptEncoding: string | undefined): boolean {
  const wishes = readWishes(acceptEncoding);
  const named = wishes.filter(({ what }) =>
    what === "gzip" || what === "x-gzip"
  );
  return best(
    named.length > 0 ? named : wishes,
    ({ what }) => named.length > 0 || what === "*",
  ) > 0;
}

function best(
  wishes: readonly Wish[],
  isMeant: (wish: Wish) => boolean,
): number {
  return Math.max(
    0,
    ...wishes.filter(isMeant).map(({ quality }) => quality),
  );
}

function readWishes(field = ""): Wish[] {
  return field.split(",").map((item) => {
    const [what, ...rest] = item.split(";").map((part) => part.trim());
    const parameters = new Map(rest.map((parameter) => {
      const [name, value = ""] = parameter.split("=");
      return [name.trim().toLowerCase(), value.trim().replaceAll('"', "")];
    }));
    const quality = Number(parameters.get("q") ?? 1);
    return {
      what: what.toLowerCase(),
      parameters,
      quality: quality >= 0 && quality <= 1 ? quality : 0,
    };
  });
}
