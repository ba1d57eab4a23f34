import { getLogger } from "@logtape/logtape";
import { formatAddress } from "../address.ts";
import type { Clock } from "../clock.ts";
import { UserError } from "../errors.ts";
import type { Instant } from "../ganglia/host_state.ts";
import type { GathererStatus } from "../status.ts";
import { globMatcher } from "../glob.ts";
import { type Access, parseAccess } from "../net/access.ts";
import { Exposition } from "../openmetrics/exposition.ts";
import type { Lives } from "../openmetrics/survey.ts";
import { CONTENT_TYPES } from "../openmetrics/text.ts";
import type { Plugin } from "../plugins/plugin.ts";
import { pollLimits } from "../tree/state.ts";
import type { ChildGrid, Cluster } from "../tree/tree.ts";
import { metricsFormat } from "./accept.ts";
import { type Answer, textAnswer } from "./answer.ts";
import { readiness } from "./health.ts";
import { indexPage } from "./index_page.ts";
import { nodesJson, type Selection, snapshotJson } from "./json_pages.ts";
import { defaultWebLimits, type WebLimits } from "./limits.ts";
import type { Handler } from "../net/route.ts";
import { type Asked, type WebCounts, WebServer } from "./server.ts";

export type { Handler } from "../net/route.ts";

const logger = getLogger(["gatherer", "http"]);

/** Milliseconds that an answer of a node may take, where nobody says. */
const TIMEOUT_MS = 20_000;

/** Patterns of one kind in a query, and characters of each. */
const MOST_PATTERNS = 20;
const LONGEST_PATTERN = 200;

/** How a {@linkcode HttpPlugin} is set up. */
export interface HttpPluginOptions {
  /** The address to listen on; with `::` also on IPv4. */
  readonly host: string;
  /** The port; 0: any that is free. */
  readonly port: number;
  /** Who may ask, as `parseAccess` reads it. */
  readonly allow: string;
  readonly clock: Clock;
  /** How the gatherer is. */
  readonly status: () => GathererStatus;
  /**
   * How the states of nodes are found out. Left out: by what the plugin was told last, and by the
   * gatherer's interval.
   */
  readonly lives?: Lives;
  /** What answers other requests, by method and path: `POST /v1/metrics`. */
  readonly routes?: ReadonlyMap<string, Handler>;
  readonly limits?: Partial<WebLimits>;
}

/** Answers HTTP requests: for Prometheus, for load balancers, for programs. */
export class HttpPlugin implements Plugin {
  readonly id = "http";
  readonly #options: HttpPluginOptions;
  readonly #access: Access;
  readonly #clusters = new Map<string, Cluster>();
  readonly #grids = new Map<string, ChildGrid>();
  readonly #exposition = new Exposition();
  readonly #pages: ReadonlyMap<string, (asked: Asked) => Answer>;
  #server: WebServer | undefined;

  /** @throws UserError for rules that cannot be. */
  constructor(options: HttpPluginOptions) {
    this.#options = options;
    this.#access = parseAccess(options.allow, "who may ask over HTTP");
    this.#pages = new Map([
      ["/", () => textAnswer(200, indexPage(options.routes?.keys() ?? []))],
      ["/healthz", () => textAnswer(200, "ok")],
      [
        "/readyz",
        ({ headers }: Asked) => readiness(options.status(), headers.accept),
      ],
      ["/metrics", (asked: Asked) => this.#metrics(asked)],
      ["/nodes", (asked: Asked) => this.#nodes(asked)],
      ["/snapshot", (asked: Asked) => this.#snapshot(asked)],
    ]);
  }

  /** Where it listens; `undefined` before it is started. */
  get address(): { readonly host: string; readonly port: number } | undefined {
    return this.#server?.address;
  }

  get addresses(): { readonly HTTP?: string } {
    const { address } = this;
    return address ? { HTTP: formatAddress(address) } : {};
  }

  /** What it has done; `undefined` before it is started. */
  get counts(): WebCounts | undefined {
    return this.#server?.counts;
  }

  /** @throws UserError when it cannot listen. */
  async start(): Promise<void> {
    const { host, port, clock, limits } = this.#options;
    this.#server = await WebServer.start({
      host,
      port,
      access: this.#access,
      clock,
      limits: { ...defaultWebLimits, ...limits },
      logger,
      answer: (asked) => this.#answer(asked),
    });
    logger.info("HTTP is answered on {address}", {
      address: formatAddress(this.#server.address),
    });
  }

  notify(cluster: Cluster): void {
    const { name, hosts, detail, source } = cluster;
    if (hosts.size === 0 && !detail && !source) this.#clusters.delete(name);
    else this.#clusters.set(name, cluster);
  }

  notifyGrid(grid: ChildGrid): void {
    this.#grids.set(grid.name, grid);
  }

  forgetGrid(name: string): void {
    this.#grids.delete(name);
  }

  async stop(): Promise<void> {
    await this.#server?.stop();
  }

  #answer(asked: Asked): Answer | Promise<Answer> {
    const { method, url: { pathname } } = asked;
    const { routes = new Map<string, Handler>() } = this.#options;
    const handler = routes.get(`${method} ${pathname}`);
    if (handler) return handled(asked, handler);
    const page = this.#pages.get(pathname);
    if (page && (method === "GET" || method === "HEAD")) return page(asked);
    const allowed = page ? ["GET", "HEAD"] : [];
    for (const route of routes.keys()) {
      const [allows, path] = route.split(" ");
      if (path === pathname) allowed.push(allows);
    }
    if (allowed.length === 0) {
      return textAnswer(404, "there is no such page; / names those that are");
    }
    const allow = allowed.join(", ");
    return textAnswer(405, `this page takes ${allow} only`, { allow });
  }

  #metrics({ headers }: Asked): Answer {
    const { status, lives } = this.#options;
    const format = metricsFormat(headers.accept);
    const own = status();
    return {
      status: 200,
      headers: { "content-type": CONTENT_TYPES[format] },
      body: this.#exposition.texts({
        clusters: [...this.#clusters.values()],
        grids: [...this.#grids.values()],
        status: own,
        lives: lives ?? {
          limits: () => pollLimits(own.intervalSeconds * 1000, TIMEOUT_MS),
        },
        instant: this.#now(),
      }, format),
    };
  }

  #nodes({ url }: Asked): Answer {
    return jsonAnswer(
      url,
      (selection) =>
        nodesJson(
          this.#options.status().nodes,
          new Map(this.#clusters),
          selection,
          this.#now(),
        ),
    );
  }

  #snapshot({ url }: Asked): Answer {
    return jsonAnswer(
      url,
      (selection) => snapshotJson([...this.#clusters.values()], selection),
    );
  }

  #now(): Instant {
    const { clock } = this.#options;
    return { monotonic: clock.monotonic(), now: clock.now() };
  }
}

function jsonAnswer(
  url: URL,
  make: (selection: Selection) => Generator<string>,
): Answer {
  let selection: Selection;
  try {
    const stats = url.searchParams.getAll("stat");
    selection = {
      node: anyOf(url.searchParams.getAll("node")),
      stat: anyOf(stats),
      hasStats: stats.length > 0,
    };
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return textAnswer(400, error.message);
  }
  return {
    status: 200,
    headers: { "content-type": "application/json" },
    body: make(selection),
  };
}

/**
 * Whether a text matches one of the patterns; without any, all do.
 * @throws UserError when there are too many, or one is too long or none.
 */
function anyOf(globs: readonly string[]): (text: string) => boolean {
  if (
    globs.length > MOST_PATTERNS ||
    globs.some(({ length }) => length > LONGEST_PATTERN)
  ) {
    throw new UserError(
      `a query may have ${MOST_PATTERNS} patterns of ${LONGEST_PATTERN} characters of each kind`,
    );
  }
  const matchers = globs.map(globMatcher);
  return (text) =>
    matchers.length === 0 || matchers.some((matches) => matches(text));
}

async function handled(asked: Asked, handler: Handler): Promise<Answer> {
  const { method, url, headers, from } = asked;
  const fields = Object.entries(headers).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, String(value)] as [string, string]]
  );
  const hasBody = method !== "GET" && method !== "HEAD";
  const response = await handler(
    new Request(url, {
      method,
      headers: fields,
      ...(hasBody ? { body: await asked.body() } : {}),
    }),
    from,
  );
  return {
    status: response.status,
    headers: Object.fromEntries(response.headers),
    body: new Uint8Array(await response.arrayBuffer()),
  };
}
