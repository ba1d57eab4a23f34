/**
 * An HTTP server that no client can keep busy: everything has a limit.
 *
 * It stands on `node:http`: `Deno.serve` of Deno 2.9 waits for a request's header for ever, takes
 * any number of connections, and does not tell of a connection before its first request.
 *
 * @module
 */
import {
  createServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { Logger } from "@logtape/logtape";
import type { HostPort } from "../address.ts";
import type { Clock } from "../clock.ts";
import { messageOf, UserError } from "../errors.ts";
import { ClientLog } from "../net/client_log.ts";
import { type Access, plainAddress } from "../net/access.ts";
import { takesGzip } from "./accept.ts";
import { type Answer, textAnswer, type WholeAnswer } from "./answer.ts";
import { type Body, BodyStore, TooLarge, TooMuch } from "./body.ts";
import type { WebLimits } from "./limits.ts";
import { NotTaken, Outlet } from "./outlet.ts";
import { Turns } from "./turns.ts";

/** Connections that the system holds until they are taken; it may hold fewer. */
const BACKLOG = 4096;

/** A request, without its body. */
export interface Asked {
  readonly method: string;
  readonly url: URL;
  readonly headers: IncomingMessage["headers"];
  /** The caller's numeric address. */
  readonly from: string;
  /**
   * Reads the body.
   * @throws TooLarge, TooMuch, or when the client goes.
   */
  body(): Promise<Uint8Array<ArrayBuffer>>;
}

/** How a {@linkcode WebServer} is set up. */
export interface WebServerOptions {
  /** The address to listen on; with `::` also on IPv4. */
  readonly host: string;
  /** 0 lets the system choose. */
  readonly port: number;
  readonly access: Access;
  readonly clock: Clock;
  readonly limits: WebLimits;
  readonly logger: Logger;
  /** What it throws becomes status 500. */
  readonly answer: (asked: Asked) => Answer | Promise<Answer>;
}

/** What a {@linkcode WebServer} has done. */
export interface WebCounts {
  /** Connections that were let in. */
  connections: number;
  /** Connections that were not, by the rules or because too many were open. */
  refused: number;
  /** Requests that were answered, or begun to be. */
  requests: number;
  /** Of these, with a status from 400 on. */
  rejected: number;
  /** Requests that were malformed, too long or too slow. */
  malformed: number;
  /** Answers that their client did not take to the end. */
  aborted: number;
}

/** The requests of a connection that are not answered yet. */
interface Line {
  length: number;
  /** The end of the answer to the last of them. */
  last: Promise<void> | undefined;
  /** The answer to the first of them. */
  response?: ServerResponse;
}

/** An HTTP server that is listening. */
export class WebServer {
  readonly counts: WebCounts = {
    connections: 0,
    refused: 0,
    requests: 0,
    rejected: 0,
    malformed: 0,
    aborted: 0,
  };
  readonly #options: WebServerOptions;
  readonly #server: Server;
  readonly #log: ClientLog;
  readonly #turns = new Turns();
  readonly #bodies: BodyStore;
  readonly #sockets = new Set<Socket>();
  readonly #perAddress = new Map<string, number>();
  /** Answers in pieces under way. */
  #streaming = 0;
  readonly #underWay = new Set<Promise<void>>();
  readonly #lines = new WeakMap<Socket, Line>();
  #address: HostPort;
  #stopped: Promise<void> | undefined;

  /**
   * Starts one.
   * @throws UserError when it cannot listen.
   */
  static async start(options: WebServerOptions): Promise<WebServer> {
    const server = new WebServer(options);
    await server.#listen();
    return server;
  }

  private constructor(options: WebServerOptions) {
    const { clock, limits, logger } = options;
    const { logMs, loggedAtOnce } = limits;
    this.#options = options;
    this.#address = options;
    this.#bodies = new BodyStore(limits);
    this.#log = new ClientLog({
      who: "HTTP client",
      logger,
      clock,
      logMs,
      loggedAtOnce,
    });
    this.#server = createServer({
      maxHeaderSize: limits.headerBytes,
      headersTimeout: limits.headerMs,
      requestTimeout: limits.requestMs,
      keepAliveTimeout: limits.idleMs,
      // Otherwise deadlines are looked at every 30 s only.
      connectionsCheckingInterval: Math.ceil(
        Math.min(limits.headerMs / 4, 1000),
      ),
    }, (request, response) => this.#take(request, response));
    this.#server.on("connection", (socket) => this.#admit(socket));
    this.#server.on("clientError", (error, socket) => {
      this.#malformed(error, socket as Socket);
    });
  }

  /** Where it listens. */
  get address(): HostPort {
    return this.#address;
  }

  /**
   * Ends it: answers under way have a moment to end. Resolves when all is closed. May be called
   * again.
   */
  stop(): Promise<void> {
    return this.#stopped ??= this.#stop();
  }

  async #stop(): Promise<void> {
    const { clock, limits } = this.#options;
    const closed = new Promise<void>((resolve) =>
      this.#server.close(() => resolve())
    );
    this.#server.closeIdleConnections();
    await new Promise<void>((resolve) => {
      const timer = clock.setTimer(resolve, limits.stopMs);
      Promise.all(this.#underWay).then(() => {
        timer.cancel();
        resolve();
      });
    });
    for (const socket of this.#sockets) socket.destroy();
    await closed;
    await Promise.all(this.#underWay);
    this.#log.close();
  }

  #listen(): Promise<void> {
    const { host, port } = this.#options;
    return new Promise((resolve, reject) => {
      this.#server.once("error", (error: NodeJS.ErrnoException) => {
        const fault = listenFault(error, port);
        reject(
          new UserError(
            `cannot listen for HTTP on ${host}, port ${port}: ${fault}`,
            1,
            { cause: error },
          ),
        );
      });
      this.#server.listen({ host, port, backlog: BACKLOG }, () => {
        const { address, port } = this.#server.address() as AddressInfo;
        this.#address = { host: address, port };
        this.#server.removeAllListeners("error");
        // Such as too many open files: the next connection may be taken again.
        this.#server.on("error", (error: Error) => {
          this.#options.logger.error(
            "cannot take a connection of an HTTP client: {reason}",
            { reason: messageOf(error) },
          );
        });
        resolve();
      });
    });
  }

  #admit(socket: Socket): void {
    const address = plainAddress(socket.remoteAddress ?? "");
    const refusal = this.#refusal(address);
    if (refusal !== undefined) {
      this.counts.refused++;
      this.#log.warn(address, `refused: ${refusal}`);
      socket.destroy();
      return;
    }
    this.counts.connections++;
    this.#sockets.add(socket);
    this.#perAddress.set(address, this.#countOf(address) + 1);
    socket.once("close", () => {
      this.#sockets.delete(socket);
      const left = this.#countOf(address) - 1;
      if (left > 0) this.#perAddress.set(address, left);
      else this.#perAddress.delete(address);
    });
  }

  /** Why a caller cannot be let in; `undefined` if it can. */
  #refusal(address: string): string | undefined {
    const { access, limits } = this.#options;
    const { allowed, rule } = access.check(address);
    if (!allowed) return rule;
    const { connections, connectionsPerAddress } = limits;
    if (this.#sockets.size >= connections) {
      return `${connections} connections are open already`;
    }
    if (this.#countOf(address) >= connectionsPerAddress) {
      return `${connectionsPerAddress} connections from there are open already`;
    }
  }

  #countOf(address: string): number {
    return this.#perAddress.get(address) ?? 0;
  }

  #malformed(error: NodeJS.ErrnoException, socket: Socket): void {
    if (error.code === "ECONNRESET" || !socket.writable) {
      socket.destroy();
      return;
    }
    this.counts.malformed++;
    const status = error.code === "ERR_HTTP_REQUEST_TIMEOUT"
      ? "408 Request Timeout"
      : error.code === "HPE_HEADER_OVERFLOW"
      ? "431 Request Header Fields Too Large"
      : "400 Bad Request";
    const address = plainAddress(socket.remoteAddress ?? "");
    this.#log.warn(address, `no request that can be answered: ${status}`);
    // In the middle of another answer there is no place for this one.
    if (this.#lines.get(socket)?.response?.headersSent) {
      socket.destroy();
      return;
    }
    socket.end(
      `HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`,
    );
    // One that keeps its own side open would have the connection for ever.
    const { clock, limits } = this.#options;
    const timer = clock.setTimer(() => socket.destroy(), limits.lingerMs, {
      keepAlive: false,
    });
    socket.once("close", () => timer.cancel());
  }

  /** Requests that a client sends ahead are answered one after another. */
  #take(request: IncomingMessage, response: ServerResponse): void {
    const { socket } = request;
    // What was sent together is parsed together, also behind the point where it was cut off.
    if (socket.destroyed) return;
    const { requestsAhead } = this.#options.limits;
    const line: Line = this.#lines.get(socket) ??
      { length: 0, last: undefined };
    this.#lines.set(socket, line);
    if (line.length >= requestsAhead) {
      this.counts.malformed++;
      this.#log.warn(
        plainAddress(socket.remoteAddress ?? ""),
        `cut off: it has sent ${requestsAhead} requests without waiting for answers`,
      );
      socket.destroy();
      return;
    }
    line.length++;
    const answer = () => {
      line.response = response;
      return this.#answer(request, response);
    };
    const done = (line.last?.then(answer) ?? answer()).finally(() => {
      line.length--;
      line.response = undefined;
      if (line.last === done) line.last = undefined;
      this.#underWay.delete(done);
    });
    line.last = done;
    this.#underWay.add(done);
  }

  async #answer(
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const from = plainAddress(request.socket.remoteAddress ?? "");
    this.counts.requests++;
    using body = this.#bodies.open(request);
    try {
      checkTaker(request);
      const answer = await this.#make(request, body, from);
      await this.#respond(request, response, answer, from);
    } catch (error) {
      this.counts.aborted++;
      // A fault of ours, or of the client's. It must end this answer only.
      const reason = messageOf(error);
      if (reason !== "") this.#log.warn(from, `cut off: ${reason}`);
      request.socket.destroy();
    }
  }

  async #make(
    request: IncomingMessage,
    body: Body,
    from: string,
  ): Promise<Answer> {
    const { method = "", headers } = request;
    const url = URL.parse(request.url ?? "", "http://gatherer");
    if (!url) return textAnswer(400, "the address cannot be read");
    // They are nobody's here, and no handler is to log them.
    url.username = url.password = "";
    try {
      return await this.#options.answer({
        method,
        url,
        headers,
        from,
        body: () => body.read(),
      });
    } catch (error) {
      if (error instanceof NotTaken) throw error;
      if (error instanceof TooLarge) {
        return textAnswer(413, error.message, { connection: "close" });
      }
      if (error instanceof TooMuch) return comeBack(error.message);
      this.#log.warn(
        from,
        `${method} ${url.pathname} failed: ${messageOf(error)}`,
      );
      return textAnswer(500, "that failed; the gatherer's log says why");
    }
  }

  async #respond(
    request: IncomingMessage,
    response: ServerResponse,
    answer: Answer,
    from: string,
  ): Promise<void> {
    const { limits } = this.#options;
    const { body } = answer;
    // Nothing tells any more of one that went while the answer was made.
    checkTaker(request);
    if (typeof body === "string" || body instanceof Uint8Array) {
      return this.#respondWhole(request, response, { ...answer, body });
    }
    if (request.method === "HEAD") {
      return this.#respondWhole(request, response, { ...answer, body: "" });
    }
    if (this.#streaming >= limits.answersAtOnce) {
      return this.#respondWhole(
        request,
        response,
        comeBack("too many such answers are being made; come back later"),
      );
    }
    const gzip = takesGzip(request.headers["accept-encoding"]?.toString()) &&
      (limits.compressesLocally || !isLocal(from));
    response.writeHead(answer.status, {
      ...COMMON_HEADERS,
      vary: "accept, accept-encoding",
      ...answer.headers,
      ...(gzip ? { "content-encoding": "gzip" } : {}),
    });
    const { clock } = this.#options;
    const turns = this.#turns;
    this.#streaming++;
    try {
      await new Outlet({ response, clock, limits, turns, gzip }).send(body);
    } finally {
      this.#streaming--;
    }
  }

  async #respondWhole(
    request: IncomingMessage,
    response: ServerResponse,
    { status, headers, body }: WholeAnswer,
  ): Promise<void> {
    if (status >= 400) this.counts.rejected++;
    const bytes = typeof body === "string" ? encoder.encode(body) : body;
    const hasLength = request.method !== "HEAD" || bytes.length > 0;
    response.writeHead(status, {
      ...COMMON_HEADERS,
      ...(hasLength ? { "content-length": bytes.length } : {}),
      ...headers,
    });
    const { clock, limits } = this.#options;
    await new Promise<void>((resolve) => {
      const timer = clock.setTimer(
        () => request.socket.destroy(),
        limits.writeMs,
        { keepAlive: false },
      );
      response.once("close", () => {
        timer.cancel();
        resolve();
      });
      response.end(request.method === "HEAD" ? undefined : bytes);
    });
  }
}

/** @throws NotTaken when the client of a request has gone. */
function checkTaker({ socket }: IncomingMessage): void {
  if (socket.destroyed) throw new NotTaken();
}

const encoder = new TextEncoder();

const COMMON_HEADERS = {
  "cache-control": "no-store",
  "x-content-type-options": "nosniff",
} as const;

function comeBack(why: string): WholeAnswer {
  return textAnswer(503, why, { connection: "close", "retry-after": "5" });
}

/** Whether a caller is on this machine, as far as its address tells. */
function isLocal(address: string): boolean {
  return address === "::1" || address.startsWith("127.");
}

function listenFault(error: NodeJS.ErrnoException, port: number): string {
  switch (error.code) {
    case "EADDRINUSE":
      return `port ${port} is in use by another program; choose another`;
    case "EADDRNOTAVAIL":
      return "this machine does not have that address; choose one of its own";
    case "EACCES":
      return "permission denied; choose a port from 1024 on";
    default:
      // Without the number that Deno adds.
      return messageOf(error).replace(/ \(os error \d+\).*$/s, "");
  }
}
