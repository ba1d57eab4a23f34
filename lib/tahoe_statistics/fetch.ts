import { type ClientRequest, type IncomingMessage, request } from "node:http";
import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import type { Clock, Timer } from "../clock.ts";
import { oneLine } from "../text.ts";
import { hostPortOf } from "./target.ts";

/** What fetching a page may take. */
export interface FetchLimits {
  /** Until there is a connection, TLS included, in milliseconds. */
  readonly connectMs: number;
  /** From then on until the head of the answer is there, in milliseconds. */
  readonly headMs: number;
  /** Between two portions of the answer, in milliseconds. */
  readonly idleMs: number;
  /** Bytes of the answer; a page has some 6,000. */
  readonly bytes: number;
}

/** The limits of {@linkcode fetchPage} unless others are given. */
export const defaultFetchLimits: FetchLimits = {
  connectMs: 5000,
  headMs: 10_000,
  idleMs: 10_000,
  bytes: 1024 * 1024,
};

/** How {@linkcode fetchPage} goes about it. */
export interface FetchOptions {
  readonly clock: Clock;
  /** Milliseconds for all of it. */
  readonly timeoutMs: number;
  readonly limits?: Partial<FetchLimits>;
  /**
   * Certificates (PEM) that are trusted for https besides the runtime's. The runtime's are
   * Mozilla's, or what `DENO_TLS_CA_STORE` and `DENO_CERT` in the environment say.
   */
  readonly ca?: string;
  /** Ends it; its reason is thrown. */
  readonly signal?: AbortSignal;
  /** Opens a connection (default: `Deno.connect`). */
  readonly connect?: (options: Deno.ConnectOptions) => Promise<Deno.TcpConn>;
}

/** Bytes of the head of an answer, at most. */
const HEAD_BYTES = 16 * 1024;

/**
 * Gets a page over HTTP: one request over a connection of its own. The answer has to be a 200.
 * Redirects are not followed, whereto they may lead: the URL is what an operator has named, nodes
 * redirect nobody, and whoever answers in a node's place shall not choose whom else we ask.
 * @throws Error that says in words what went wrong, without the URL.
 */
export function fetchPage(
  url: string,
  options: FetchOptions,
): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    if (options.signal?.aborted) return reject(options.signal.reason);
    new Transfer(new URL(url), options, resolve, reject).start();
  });
}

/** One request and its answer. */
class Transfer {
  readonly #url: URL;
  readonly #options: FetchOptions;
  readonly #limits: FetchLimits;
  readonly #resolve: (bytes: Uint8Array) => void;
  readonly #reject: (error: Error) => void;
  readonly #chunks: Uint8Array[] = [];
  #bytes = 0;
  #connection: Deno.Conn | undefined;
  #request: ClientRequest | undefined;
  /** Aborts when it is over. */
  readonly #over = new AbortController();
  #total: Timer | undefined;
  /** Until the next thing that is waited for. */
  #stage: Timer | undefined;
  readonly #onStop = () => this.#end(this.#options.signal!.reason);

  constructor(
    url: URL,
    options: FetchOptions,
    resolve: (bytes: Uint8Array) => void,
    reject: (error: Error) => void,
  ) {
    this.#url = url;
    this.#options = options;
    this.#limits = { ...defaultFetchLimits, ...options.limits };
    this.#resolve = resolve;
    this.#reject = reject;
  }

  start(): void {
    const { clock, timeoutMs, signal } = this.#options;
    const { connectMs } = this.#limits;
    signal?.addEventListener("abort", this.#onStop, { once: true });
    this.#total = clock.setTimer(
      () => this.#fail(`it was not whole after ${timeoutMs / 1000} s`),
      timeoutMs,
    );
    this.#within(connectMs, `no connection within ${connectMs / 1000} s`);
    this.#connect().catch((error) => {
      if (!this.#isOver) this.#end(inWords(error));
    });
  }

  get #isOver(): boolean {
    return this.#over.signal.aborted;
  }

  /** node:http would look for the authorities where it may not. */
  async #connect(): Promise<void> {
    const { host: hostname, port } = hostPortOf(this.#url);
    const { signal } = this.#over;
    const { ca, connect = Deno.connect } = this.#options;
    const plain = await connect({ hostname, port, signal });
    this.#connection = plain;
    if (this.#isOver) return close(plain);
    if (this.#url.protocol === "https:") {
      const secure = await Deno.startTls(plain, {
        hostname,
        alpnProtocols: ["http/1.1"],
        ...(ca === undefined ? {} : { caCerts: [ca] }),
      });
      this.#connection = secure;
      if (this.#isOver) return close(secure);
      await secure.handshake();
    }
    if (!this.#isOver) this.#ask(this.#connection);
  }

  #ask(connection: Deno.Conn): void {
    const { headMs } = this.#limits;
    this.#within(headMs, `no answer within ${headMs / 1000} s`);
    const socket = Duplex.fromWeb(connection);
    // Its request hears of it, too.
    socket.on("error", () => {});
    const { pathname, search } = this.#url;
    this.#request = request({
      // With an agent, even the one that "false" stands for, it would make its own.
      createConnection: () => socket as Socket,
      ...hostPortOf(this.#url),
      path: pathname + search,
      maxHeaderSize: HEAD_BYTES,
      headers: {
        host: this.#url.host,
        connection: "close",
        accept: "application/json, text/plain",
        // What is compressed has no size that could be seen from here.
        "accept-encoding": "identity",
      },
      ...credentialsOf(this.#url),
    });
    this.#request.on("response", (response) => this.#receive(response));
    this.#request.on("error", (error) => this.#end(inWords(error)));
    this.#request.on(
      "close",
      () => this.#fail("the connection ended without an answer"),
    );
    this.#request.end();
  }

  #receive(response: IncomingMessage): void {
    // What ends the transfer may come with the answer.
    response.on("error", () => this.#fail(this.#cut()));
    response.on("aborted", () => this.#fail(this.#cut()));
    if (this.#isOver) return;
    const problem = problemOf(response);
    if (problem !== undefined) return this.#fail(problem);
    const { bytes: most } = this.#limits;
    const tooLarge = `its answer is larger than ${most} bytes`;
    if (Number(response.headers["content-length"]) > most) {
      return this.#fail(tooLarge);
    }
    this.#awaitMore();
    response.on("data", (chunk: Uint8Array) => {
      if (this.#isOver) return;
      this.#bytes += chunk.length;
      if (this.#bytes > most) return this.#fail(tooLarge);
      this.#chunks.push(chunk);
      this.#awaitMore();
    });
    response.on("end", () => {
      if (response.complete) this.#end(undefined);
      else this.#fail(this.#cut());
    });
    response.on("close", () => this.#fail(this.#cut()));
  }

  #cut(): string {
    return `its answer was cut off after ${this.#bytes} bytes`;
  }

  #awaitMore(): void {
    const { idleMs } = this.#limits;
    const after = `after ${this.#bytes} bytes`;
    this.#within(idleMs, `nothing came for ${idleMs / 1000} s ${after}`);
  }

  /** Sets the deadline of what comes next, in the place of the one before. */
  #within(ms: number, reason: string): void {
    this.#stage?.cancel();
    if (this.#isOver) return;
    this.#stage = this.#options.clock.setTimer(() => this.#fail(reason), ms);
  }

  #fail(reason: string): void {
    this.#end(new Error(reason));
  }

  /** The first to call it decides what comes of it. */
  #end(error: Error | undefined): void {
    if (this.#isOver) return;
    this.#over.abort();
    this.#total?.cancel();
    this.#stage?.cancel();
    this.#options.signal?.removeEventListener("abort", this.#onStop);
    this.#request?.destroy();
    close(this.#connection);
    if (error) this.#reject(error);
    else this.#resolve(joined(this.#chunks, this.#bytes));
  }
}

/** A URL's user and password. */
function credentialsOf({ username, password }: URL): { auth?: string } {
  if (username === "" && password === "") return {};
  try {
    return {
      auth: `${decodeURIComponent(username)}:${decodeURIComponent(password)}`,
    };
  } catch {
    // A percent sign that stands for itself.
    return { auth: `${username}:${password}` };
  }
}

/** Why an answer is no page, as far as its head shows. */
function problemOf(
  { statusCode = 0, statusMessage = "", headers }: IncomingMessage,
): string | undefined {
  const status = oneLine(`${statusCode} ${statusMessage}`.trim(), 60);
  if (statusCode >= 300 && statusCode < 400 && headers.location) {
    const location = oneLine(withoutSecrets(headers.location), 200);
    return `it answered ${status}, a redirect to ${location}, which is not followed`;
  }
  if (statusCode !== 200) return `it answered ${status}`;
  const encoding = headers["content-encoding"];
  if (encoding !== undefined && encoding !== "identity") {
    return `its answer is in ${oneLine(encoding, 30)}, which was not asked for`;
  }
}

/** Where a redirect leads, but for its user and its query, which may repeat what was asked. */
function withoutSecrets(location: string): string {
  const [path, ...query] = location.replace(/#.*$/s, "").split("?");
  const plain = path.replace(/^((?:[^/?]*:)?\/\/)[^/]*@/, "$1");
  return query.length === 0 ? plain : `${plain}?…`;
}

/** What went wrong in a person's words. */
function inWords(error: Error & { code?: unknown }): Error {
  const { message } = error;
  const code = String(error.code);
  if (error instanceof Deno.errors.ConnectionRefused) {
    return new Error("connection refused");
  }
  if (
    error instanceof Deno.errors.ConnectionReset ||
    error instanceof Deno.errors.UnexpectedEof ||
    error instanceof Deno.errors.BrokenPipe || code === "ECONNRESET"
  ) return new Error("the connection ended without an answer");
  if (error instanceof Deno.errors.NotCapable) {
    return new Error("there is no permission for it (--allow-net)");
  }
  if (/failed to lookup/.test(message)) {
    return new Error("its name cannot be resolved");
  }
  const [, certificate] = /invalid peer certificate: (.*)/.exec(message) ?? [];
  if (certificate !== undefined) {
    return new Error(
      `its certificate is not trusted: ${oneLine(certificate, 200)}`,
    );
  }
  if (code === "HPE_HEADER_OVERFLOW") {
    return new Error(
      `the head of its answer is larger than ${HEAD_BYTES} bytes`,
    );
  }
  if (code.startsWith("HPE_")) return new Error("its answer is no HTTP");
  return new Error(oneLine(message, 200));
}

function close(connection: Deno.Conn | undefined): void {
  try {
    connection?.close();
  } catch {
    // It is closed already.
  }
}

function joined(chunks: readonly Uint8Array[], length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}
