import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import { join } from "@std/path";
import { systemClock } from "../../lib/clock.ts";
import { UserError } from "../../lib/errors.ts";
import {
  CONTROL_LIMITS,
  type ControlRequest,
  parseControlRequest,
} from "../../lib/life/control.ts";
import { askGatherer, NoAnswer } from "../../lib/life/control_client.ts";
import {
  type ControlHandler,
  ControlServer,
} from "../../lib/life/control_server.ts";
import { FakeClock } from "../fake_clock.ts";
import { captureLog } from "../log_capture.ts";

async function* echo(
  request: ControlRequest,
): AsyncGenerator<Record<string, unknown>> {
  await Promise.resolve();
  if (request.command === "reload") throw new UserError("a bad file");
  if (request.command === "stop") throw new TypeError("a fault\nof ours");
  yield { request };
}

async function withServer(
  test: (dir: string, connect: () => Promise<Deno.UnixConn>) => Promise<void>,
  handler: ControlHandler = echo,
  clock = systemClock,
  name = "base",
): Promise<void> {
  const root = await Deno.makeTempDir({ prefix: "gatherer-control-" });
  const dir = join(root, name);
  await Deno.mkdir(dir);
  try {
    await using _server = await ControlServer.listen(dir, handler, clock);
    await test(
      dir,
      () => Deno.connect({ transport: "unix", path: `${dir}/control.sock` }),
    );
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

async function exchange(
  connection: Deno.UnixConn,
  text: string,
): Promise<string> {
  using _connection = connection;
  const writer = connection.writable.getWriter();
  writer.write(new TextEncoder().encode(text)).catch(() => {});
  return await new Response(connection.readable).text();
}

Deno.test("requests are what they are, and nothing else is one", () => {
  const status: ControlRequest = { command: "status" };
  assertEquals(parseControlRequest('{"command":"status","more":1}'), status);
  assertEquals(parseControlRequest('{"command":"retire","pattern":"x"}'), {
    command: "retire",
    pattern: "x",
    undo: false,
  });
  for (
    const text of [
      "",
      "status",
      "null",
      "[]",
      "{}",
      '{"command":"toString"}',
      '{"command":"retire"}',
      '{"command":"retire","pattern":1}',
      '{"command":"retire","pattern":"x","undo":"yes"}',
    ]
  ) assertEquals(parseControlRequest(text), undefined, text);
  fc.assert(fc.property(fc.anything(), (value) => {
    parseControlRequest(JSON.stringify(value) ?? "");
    parseControlRequest(String(JSON.stringify({ command: value })));
  }));
});

Deno.test("question and answer; what goes wrong is told in a line", async () => {
  await using log = await captureLog();
  await withServer(async (dir) => {
    const ask = (request: ControlRequest) =>
      askGatherer(dir, request, systemClock, 5000);
    assertEquals(await ask({ command: "status" }), [
      { request: { command: "status" } },
    ]);
    const bad = await assertRejects(
      () => ask({ command: "reload" }),
      UserError,
    );
    assertEquals(bad.message, "a bad file");
    const fault = await assertRejects(() => ask({ command: "stop" }));
    assertEquals((fault as Error).message, "a fault of ours");
    assertEquals(log.lines, ["error stop failed: a fault of ours"]);
  });
});

Deno.test("garbage is answered, silence and flood are cut off, and others served", async () => {
  const clock = new FakeClock();
  await withServer(
    async (dir, connect) => {
      assertEquals(
        await exchange(await connect(), "GET / HTTP/1.1\n"),
        '{"error":"not a request"}\n',
      );
      assertEquals(
        await exchange(await connect(), "x".repeat(100_000)),
        "",
      );
      using silent = await connect();
      // Another one is served after it, so that it is known to have been accepted.
      await askGatherer(dir, { command: "status" }, systemClock, 5000);
      await clock.advance(CONTROL_LIMITS.requestMs);
      assertEquals(await silent.read(new Uint8Array(1)), null);
    },
    echo,
    clock,
  );
});

Deno.test("who does not read an answer loses it, after a time", async () => {
  const clock = new FakeClock();
  const ended = Promise.withResolvers<void>();
  const flood: ControlHandler = async function* () {
    try {
      while (true) yield await Promise.resolve({ text: "x".repeat(100_000) });
    } finally {
      ended.resolve();
    }
  };
  await withServer(
    async (_dir, connect) => {
      using connection = await connect();
      await connection.write(
        new TextEncoder().encode('{"command":"status"}\n'),
      );
      await connection.read(new Uint8Array(1));
      // However much the system takes in, it is stuck some time.
      const timer = setInterval(
        () => clock.advance(CONTROL_LIMITS.writeMs),
        10,
      );
      await ended.promise;
      clearInterval(timer);
    },
    flood,
    clock,
  );
});

Deno.test("no more connections than the limit", async () => {
  await withServer(async (dir, connect) => {
    const held: Deno.UnixConn[] = [];
    for (let i = 0; i < CONTROL_LIMITS.connections; i++) {
      held.push(await connect());
    }
    using surplus = await connect();
    assertEquals(await surplus.read(new Uint8Array(1)), null);
    for (const connection of held) connection.close();
    // Places are free as soon as the server has seen that.
    for (let done = false; !done;) {
      done = await askGatherer(dir, { command: "status" }, systemClock, 5000)
        .then(() => true, (error) => {
          if (!(error instanceof NoAnswer)) throw error;
          return false;
        });
    }
  });
});

Deno.test("what nobody answers, answers with nonsense or not in time", async () => {
  const root = await Deno.makeTempDir({ prefix: "gatherer-control-" });
  try {
    const ask = (ms = 5000) =>
      askGatherer(root, { command: "status" }, systemClock, ms);
    const missing = await assertRejects(() => ask(), NoAnswer);
    assertStringIncludes(missing.message, "no such file or directory");
    const path = join(root, "control.sock");
    for (
      const [answer, reason] of [
        ["", "its answer is not complete"],
        ['{"status":1}\n', "its answer is not complete"],
        ["hello\n", "its answer is not JSON"],
        ["1\n", "its answer is not JSON"],
        ["{".repeat(1000), "its answer is not complete"],
        [undefined, "nothing for 0.05 s"],
      ]
    ) {
      using listener = Deno.listen({ transport: "unix", path });
      const accepted = listener.accept().then(async (connection) => {
        if (answer === undefined) return connection;
        await connection.read(new Uint8Array(1000));
        await connection.write(new TextEncoder().encode(answer));
        connection.close();
      });
      const error = await assertRejects(
        () => ask(answer === undefined ? 50 : 5000),
        NoAnswer,
      );
      assertStringIncludes(error.message, reason!);
      (await accepted)?.close();
    }
  } finally {
    await Deno.remove(root, { recursive: true });
  }
});

Deno.test("a base directory of any length, and one that has no room for a socket", async () => {
  await withServer(
    async (dir) => {
      assertEquals(
        await askGatherer(dir, { command: "status" }, systemClock, 5000),
        [{ request: { command: "status" } }],
      );
      assertEquals([...Deno.readDirSync(dir)].map(({ name }) => name), [
        "control.sock",
      ]);
    },
    echo,
    systemClock,
    "é".repeat(120),
  );
  const error = await assertRejects(
    () => ControlServer.listen("/nowhere", echo, systemClock),
    UserError,
  );
  assertEquals(
    error.message,
    "no control socket /nowhere/control.sock: no such file or directory",
  );
});
