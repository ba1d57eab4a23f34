import {
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { join } from "@std/path";
import { makeAction } from "../../lib/alert/actions.ts";
import type { ActionConfig } from "../../lib/alert/config.ts";
import { type Notice, noticeJson } from "../../lib/alert/notice.ts";
import { type Action, Outbox } from "../../lib/alert/outbox.ts";
import { systemClock } from "../../lib/clock.ts";
import { FakeClock, settle } from "../fake_clock.ts";
import { captureLog } from "../log_capture.ts";
import { alertConfig } from "./world.ts";

const { rules: [load] } = alertConfig(`
  rule load
  metric load_one
  raise value > 8`);

function notice(host = "www1"): Notice {
  const item = {
    cluster: "web",
    host,
    key: `web/${host}`,
    metric: "load_one",
    source: "",
    value: "9.3",
    age: 4,
    since: 0,
    message: "$(touch x) `id`; too much",
  };
  return { rule: load, event: "raise", at: 0, items: [item], count: 1 };
}

/** A directory that is gone in the end. */
async function temporary(): Promise<{ path: string } & AsyncDisposable> {
  const path = await Deno.makeTempDir();
  return {
    path,
    [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }),
  };
}

const never = new AbortController().signal;

/** Delivers a notice with a command. */
function run(
  argv: string[],
  clock: FakeClock | typeof systemClock = systemClock,
  signal = never,
): Promise<void> {
  const config: ActionConfig = { kind: "command", argv };
  return Promise.resolve(
    makeAction("c", config, clock).deliver(notice(), signal),
  );
}

/** Waits until a file is there. */
async function appears(path: string): Promise<void> {
  while (!await Deno.stat(path).then(() => true, () => false)) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

Deno.test("a command gets the notice in its environment and on its standard input, and no shell sees it", async () => {
  await using directory = await temporary();
  const file = join(directory.path, "out");
  await run([
    "/bin/sh",
    "-c",
    'printf "%s\\n" "$1" "$ALERT_HOST" "$ALERT_MESSAGE" "$ALERT_COUNT" > "$0"; cat >> "$0"',
    file,
    "$ALERT_HOST; x",
  ]);
  const [argument, host, message, count, json] = (await Deno.readTextFile(file))
    .split("\n");
  assertEquals([argument, host, message, count], [
    "$ALERT_HOST; x",
    "www1",
    "$(touch x) `id`; too much",
    "1",
  ]);
  assertEquals(json, noticeJson(notice()));
});

Deno.test("a command that fails is named with what it said", async () => {
  const cases: [argv: string[], message: RegExp][] = [
    [
      ["/bin/sh", "-c", "echo oh; echo no >&2; echo way >&2; exit 3"],
      /^exit code 3: no way$/,
    ],
    [["/bin/false"], /^exit code 1$/],
    [["/bin/sh", "-c", "kill -9 $$"], /^exit code 137$/],
    [
      ["/nonexistent/pager"],
      /^\/nonexistent\/pager: no such file or directory$/,
    ],
    [["/etc/passwd"], /^\/etc\/passwd: permission denied$/],
    [
      ["/bin/sh", "-c", "head -c 1000000 /dev/zero | tr '\\0' x >&2; exit 1"],
      /^exit code 1: x{2000}$/,
    ],
  ];
  for (const [argv, message] of cases) {
    const error = await assertRejects(() => run(argv), Error);
    assertMatch(error.message, message);
  }
});

Deno.test("a command need not read its input", async () => {
  await run(["/bin/true"]);
});

Deno.test("a command that hangs is ended, killed if need be, and what it started does not matter", async () => {
  await using directory = await temporary();
  const clock = new FakeClock();
  const ready = join(directory.path, "ready");
  // It ignores SIGTERM, and a child of its own holds its stderr.
  const running = run(
    [
      "/bin/sh",
      "-c",
      `trap '' TERM; (exec sleep 1000) & echo $! > $0.tmp; mv $0.tmp $0; wait`,
      ready,
    ],
    clock,
  );
  const failed = assertRejects(
    () => running,
    Error,
    "it was not done within 30 s",
  );
  await appears(ready);
  const grandchild = Number(await Deno.readTextFile(ready));
  await clock.advance(29_999);
  await clock.advance(1001);
  let over = false;
  failed.finally(() => over = true);
  while (!over) {
    await new Promise((resolve) => setTimeout(resolve, 5));
    await clock.advance(200);
  }
  await failed;
  Deno.kill(grandchild, "SIGKILL");
  assertEquals(clock.pending, 0);
});

Deno.test("a command ends at once when the gatherer stops", async () => {
  await using directory = await temporary();
  const ready = join(directory.path, "ready");
  const ending = new AbortController();
  const running = run(
    [
      "/bin/sh",
      "-c",
      `trap '' TERM; : > $0; while :; do sleep 0.01; done`,
      ready,
    ],
    systemClock,
    ending.signal,
  );
  const failed = assertRejects(() => running, Error, "stops");
  await appears(ready);
  ending.abort(new Error("stops"));
  await failed;
  await assertRejects(
    () => run(["/bin/true"], systemClock, ending.signal),
    Error,
    "stops",
  );
});

Deno.test("mail goes through sendmail -t", async () => {
  await using directory = await temporary();
  const sendmail = join(directory.path, "sendmail");
  await Deno.writeTextFile(
    sendmail,
    `#!/bin/sh\n{ echo "$*"; cat; } > ${directory.path}/mail\n`,
    { mode: 0o755 },
  );
  const config: ActionConfig = {
    kind: "mail",
    sendmail,
    to: "ops@example.org",
    from: "",
  };
  await makeAction("mail", config, systemClock).deliver(notice(), never);
  const [args, to, subject] =
    (await Deno.readTextFile(join(directory.path, "mail"))).split("\n");
  assertEquals([args, to], ["-t", "To: ops@example.org"]);
  assertStringIncludes(subject, "Subject: load raised: web/www1");
});

/** A web server, what it was sent, and how it answers, one answer after another. */
function serve(answers: (() => Response | undefined)[]) {
  const closing = Promise.withResolvers<Response>();
  const bodies: string[] = [];
  const asked: PromiseWithResolvers<void>[] = answers.map(() =>
    Promise.withResolvers()
  );
  const server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen() {} },
    async (request) => {
      assertEquals(request.method, "POST");
      assertEquals(request.headers.get("content-type"), "application/json");
      bodies.push(await request.text());
      asked[bodies.length - 1].resolve();
      return answers[bodies.length - 1]() ?? await closing.promise;
    },
  );
  return {
    url: `http://127.0.0.1:${server.addr.port}/hook?token=secret`,
    bodies,
    /** When the request of that number has come. */
    asked: (number: number) => asked[number].promise,
    [Symbol.asyncDispose]() {
      closing.resolve(new Response());
      return server.shutdown();
    },
  };
}

const answer = (status: number, headers?: Record<string, string>) => () =>
  new Response(status === 204 ? null : "body", { status, headers });

/** No answer until the end. */
const stall = () => undefined;

function hook(
  url: string,
  clock: FakeClock | typeof systemClock,
  signal = never,
): Promise<void> {
  const config: ActionConfig = { kind: "webhook", url };
  return Promise.resolve(
    makeAction("w", config, clock).deliver(notice(), signal),
  );
}

/** Passes the waits before another try, once they are set. */
async function pass(
  clock: FakeClock,
  server: { asked(number: number): Promise<void> },
  delays: number[],
) {
  for (const [i, delay] of delays.entries()) {
    await server.asked(i);
    // The time limit is over and the wait has begun when a timer of that time is set.
    let done = false;
    server.asked(i + 1).then(() => done = true);
    while (!done) {
      await new Promise((resolve) => setTimeout(resolve, 2));
      if (!done) await clock.advance(delay);
    }
  }
}

Deno.test("a webhook gets JSON", async () => {
  await using server = serve([answer(204)]);
  await hook(server.url, new FakeClock());
  assertEquals(server.bodies, [noticeJson(notice())]);
});

Deno.test("a webhook that cannot be reached or is overloaded is tried three times", async () => {
  const clock = new FakeClock();
  await using server = serve([answer(500), answer(429), answer(200)]);
  const done = hook(server.url, clock);
  await pass(clock, server, [1000, 5000]);
  await done;
  assertEquals(server.bodies.length, 3);

  await using failing = serve([answer(503), answer(503), answer(503)]);
  const failed = assertRejects(
    () => hook(failing.url, clock),
    Error,
    "the answer was 503",
  );
  await pass(clock, failing, [1000, 5000]);
  await failed;
  assertEquals(clock.pending, 0);
});

Deno.test("an answer that will not change is not asked for again, and redirects are not followed", async () => {
  const cases: [number, string][] = [
    [404, "the answer was 404"],
    [400, "the answer was 400"],
    [302, "the answer was 302, a redirect, which is not followed"],
    [307, "the answer was 307, a redirect, which is not followed"],
  ];
  for (const [status, message] of cases) {
    await using server = serve([answer(status, { location: "/elsewhere" })]);
    const error = await assertRejects(
      () => hook(server.url, new FakeClock()),
      Error,
    );
    assertEquals(error.message, message);
    assertEquals(server.bodies.length, 1);
  }
});

Deno.test("a webhook that does not answer is given up after ten seconds, each time", async () => {
  const clock = new FakeClock();
  await using server = serve([stall, stall, stall]);
  const failed = assertRejects(
    () => hook(server.url, clock),
    Error,
    "no answer within 10 s",
  );
  for (const wait of [1000, 5000]) {
    await server.asked(wait === 1000 ? 0 : 1);
    await clock.advance(10_000);
    while (clock.pending === 0) await new Promise((r) => setTimeout(r, 1));
    await clock.advance(wait);
  }
  await server.asked(2);
  await clock.advance(10_000);
  await failed;
  assertEquals(clock.pending, 0);
});

Deno.test("a webhook ends at once when the gatherer stops", async () => {
  await using server = serve([stall]);
  const ending = new AbortController();
  const failed = assertRejects(
    () => hook(server.url, new FakeClock(), ending.signal),
    Error,
    "stops",
  );
  await server.asked(0);
  ending.abort(new Error("stops"));
  await failed;
});

Deno.test("the URL of a webhook, which may be a secret, is in no message", async () => {
  const clock = new FakeClock();
  const listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  const { port } = listener.addr;
  listener.close();
  const url = `http://127.0.0.1:${port}/hook?token=secret`;
  const failing = hook(url, clock);
  let error: Error | undefined;
  failing.catch((reason) => error = reason);
  while (!error) {
    await new Promise((resolve) => setTimeout(resolve, 2));
    await clock.advance(5000);
  }
  assertMatch(error.message, /^client error \(Connect\): .*refused/i);
});

/** An action whose deliveries a test ends one by one. */
class SlowAction implements Action {
  readonly name = "slow";
  readonly calls: (PromiseWithResolvers<void> & { host: string })[] = [];

  deliver(notice: Notice, signal: AbortSignal): Promise<void> {
    const done = Promise.withResolvers<void>();
    signal.addEventListener("abort", () => done.reject(signal.reason));
    this.calls.push({ ...done, host: notice.items[0].host });
    return done.promise;
  }
}

Deno.test("notices of an action are dealt with one after another; failures are said once", async () => {
  await using log = await captureLog();
  const action = new SlowAction();
  const outbox = new Outbox(action);
  for (const host of ["a", "b", "c", "d"]) outbox.put(notice(host));
  const hosts = () => action.calls.map(({ host }) => host);
  assertEquals(hosts(), ["a"]);
  action.calls[0].reject(new Error("no\nluck"));
  await settle();
  action.calls[1].reject(new Error("no luck"));
  await settle();
  action.calls[2].resolve();
  await settle();
  assertEquals(hosts(), ["a", "b", "c", "d"]);
  action.calls[3].resolve();
  await outbox.idle();
  assertEquals(log.lines, [
    "error slow failed: no luck",
    "info slow works again",
  ]);
});

Deno.test("the oldest notices are lost when too many wait, and that is said", async () => {
  await using log = await captureLog();
  const action = new SlowAction();
  const outbox = new Outbox(action);
  for (let i = 0; i < 106; i++) outbox.put(notice(`h${i}`));
  action.calls[0].resolve();
  await settle();
  assertEquals(action.calls[1].host, "h6");
  assertEquals(log.lines, ["error slow is too slow: 5 notices are lost"]);
  await outbox.abort();
  assertEquals(log.lines.slice(1), [
    "warning slow was not done with its notices in time: one is given up, and 99 that waited",
  ]);
  outbox.put(notice());
  assertEquals(action.calls.length, 2);
});

Deno.test("a notice that comes in the very moment when another is delivered is delivered, too", async () => {
  // Promises settle in steps: it may come between any two of them.
  for (let steps = 0; steps < 20; steps++) {
    const delivered: number[] = [];
    const outbox = new Outbox({
      name: "quick",
      deliver: ({ at }) => void delivered.push(at),
    });
    outbox.put({ ...notice(), at: 1 });
    for (let step = 0; step < steps; step++) await undefined;
    outbox.put({ ...notice(), at: 2 });
    await settle();
    assertEquals(delivered, [1, 2], `after ${steps} steps`);
  }
});
