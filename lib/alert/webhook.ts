import { type Clock, sleep } from "../clock.ts";
import { messageOf } from "../errors.ts";

/** Milliseconds that one request may take. */
const LIMIT_MS = 10_000;
/** Milliseconds to wait before the second and the third try. */
const DELAYS_MS = [1000, 5000];

/**
 * Posts JSON to a URL, three times at most: a failed connection, silence, 429 and 5xx are tried again.
 * Redirects are not followed.
 * @throws Error saying what the last answer was. The URL is not in it: it may be a secret.
 */
export async function post(
  url: string,
  json: string,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  for (const delay of [...DELAYS_MS, undefined]) {
    try {
      return await postOnce(url, json, clock, signal);
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof Refusal || delay === undefined) throw error;
    }
    await sleep(clock, delay, signal);
  }
}

/** An answer that another try will not change. */
class Refusal extends Error {}

async function postOnce(
  url: string,
  body: string,
  clock: Clock,
  ending: AbortSignal,
): Promise<void> {
  const ours = new AbortController();
  const timer = clock.setTimer(
    () => ours.abort(new Error(`no answer within ${LIMIT_MS / 1000} s`)),
    LIMIT_MS,
  );
  // No connection is kept: there are minutes between two notices.
  const client = Deno.createHttpClient({ poolMaxIdlePerHost: 0 });
  try {
    const response = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body,
      redirect: "manual",
      signal: AbortSignal.any([ours.signal, ending]),
      client,
    }).catch((error) => {
      ours.signal.throwIfAborted();
      throw new Error(reasonOf(error, url));
    });
    const { status, ok } = response;
    await response.body?.cancel();
    if (ok) return;
    const reason = `the answer was ${status}`;
    if (status >= 300 && status < 400) {
      throw new Refusal(`${reason}, a redirect, which is not followed`);
    }
    if (status === 429 || status >= 500) throw new Error(reason);
    throw new Refusal(reason);
  } finally {
    timer.cancel();
    client.close();
  }
}

/** Why no answer came, without the URL. */
function reasonOf(error: unknown, url: string): string {
  if (error instanceof Deno.errors.NotCapable) {
    return "the gatherer has no permission for it (--allow-net)";
  }
  const { cause = error } = error as Error;
  const message = messageOf(cause)
    .replace(`error sending request for url (${url}): `, "");
  const { pathname, search } = new URL(url);
  const secrets = [pathname.slice(1), search.slice(1)];
  return secrets.some((secret) => secret && message.includes(secret))
    ? "it cannot be reached"
    : message;
}
