import { formatAddress } from "../address.ts";
import { usageCode, UserError } from "../errors.ts";
import { oneLine } from "../text.ts";

/** A statistics page, and the name of its node. */
export interface StatisticsTarget {
  readonly name: string;
  /** Where the page is. It may have a user and a password in it, so it is not for logs. */
  readonly url: string;
}

/**
 * Reads where a statistics page is: `[NAME=]URL`. NAME is what stands before a `=` that comes before
 * the URL's scheme; without it the node is called `HOST:PORT`. A URL without a path, or with just
 * `/statistics`, gets what is missing of `/statistics?t=json`; one with anything else is taken as
 * it is.
 * @param where For the error: where the text was found.
 * @throws UserError when it is none.
 */
export function parseStatisticsTarget(
  text: string,
  where: string,
): StatisticsTarget {
  const match = /^(?:([^=]*)=)?(https?:\/\/.*)$/is.exec(text.trim());
  const fail = (reason: string): never => {
    throw new UserError(
      `${where}: ${reason}; it is to be like node-1=http://127.0.0.1:3456`,
      usageCode(where),
    );
  };
  // Not the text itself: there may be a password in it.
  if (!match) return fail("this is no [NAME=]http://… or https://… URL");
  const [, given, address] = match;
  let url: URL;
  try {
    url = new URL(address);
  } catch {
    return fail("its URL is not valid");
  }
  if (url.pathname === "/" && url.search === "") url.pathname = "/statistics";
  if (/^\/statistics\/?$/.test(url.pathname) && url.search === "") {
    url.search = "?t=json";
  }
  url.hash = "";
  const name = given ?? placeOf(url);
  if (name === "" || /[\p{Cc}\p{Z}/]/u.test(name)) {
    return fail(
      `"${oneLine(name, 60)}" is no name: it has no blanks and no slashes`,
    );
  }
  return { name, url: url.href };
}

/**
 * Reads several of them.
 * @throws UserError when one is none, or two have the same name.
 */
export function parseStatisticsTargets(
  texts: readonly string[],
  where: string,
): StatisticsTarget[] {
  const targets = texts.map((text) => parseStatisticsTarget(text, where));
  const names = new Set<string>();
  for (const { name } of targets) {
    if (names.has(name)) {
      throw new UserError(
        `${where}: two nodes are called "${oneLine(name, 60)}"; ` +
          "give each a name of its own, as in node-1=http://127.0.0.1:3456",
        usageCode(where),
      );
    }
    names.add(name);
  }
  return targets;
}

/** Where a URL leads, for people: `HOST:PORT`, nothing of its secrets. */
export function placeOf(url: URL): string {
  return formatAddress(hostPortOf(url));
}

/** The host and port that a URL names; an IPv6 address has no brackets. */
export function hostPortOf(url: URL): { host: string; port: number } {
  const port = url.port === ""
    ? url.protocol === "https:" ? 443 : 80
    : Number(url.port);
  return { host: url.hostname.replace(/^\[|\]$/g, ""), port };
}
