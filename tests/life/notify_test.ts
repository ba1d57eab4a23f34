import { assert, assertEquals, assertMatch } from "@std/assert";
import { ServiceManager } from "../../lib/life/notify.ts";
import { captureLog } from "../log_capture.ts";
import { World } from "./world.ts";

/** What systemd has: a socket that takes messages. */
class Manager implements Disposable {
  readonly #socket: Deno.DatagramConn;

  /** @param address As NOTIFY_SOCKET has it. */
  constructor(readonly address: string) {
    this.#socket = Deno.listenDatagram({
      transport: "unixpacket",
      path: address.replace(/^@/, "\0"),
    });
  }

  /** The next message, a line each. */
  async next(): Promise<string[]> {
    const [bytes] = await this.#socket.receive();
    return new TextDecoder().decode(bytes).split("\n");
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }
}

function environment(values: Record<string, string>) {
  const map = new Map(Object.entries(values));
  return {
    map,
    get: (name: string) => map.get(name),
    delete: (name: string) => void map.delete(name),
  };
}

for (const kind of ["path", "abstract"] as const) {
  Deno.test(`the whole life of a service, by a socket with a name of kind ${kind}`, async () => {
    await using world = await World.make();
    using manager = new Manager(
      kind === "path"
        ? world.beside("notify")
        : `@gatherer-test-${crypto.randomUUID()}`,
    );
    const child = world.spawn("serve", { NOTIFY_SOCKET: manager.address });
    const { pid } = child.process;
    const ready = ["READY=1", `MAINPID=${pid}`, "STATUS=ready"];
    assertEquals(await manager.next(), ready);
    // It is ready indeed.
    assertEquals((await world.run("status")).code, 0);

    const before = await uptimeUsec();
    child.process.kill("SIGHUP");
    const [reloading, monotonic, status, ...more] = await manager.next();
    assertEquals(
      [reloading, status, more.length],
      ["RELOADING=1", "STATUS=reading the configuration again", 0],
    );
    const usec = Number(/^MONOTONIC_USEC=(\d+)$/.exec(monotonic)?.[1]);
    assert(usec >= before && usec < before + 60e6, `${before} ${usec}`);
    assertEquals(await manager.next(), ready);

    child.process.kill("SIGTERM");
    assertEquals(await manager.next(), [
      "STOPPING=1",
      "STATUS=stopping: SIGTERM",
    ]);
    // A secret that is printed would be in the journal.
    assertEquals((await child.outcome).stdout, "");
  });
}

async function uptimeUsec(): Promise<number> {
  const { stdout } = await new Deno.Command("cat", { args: ["/proc/uptime"] })
    .output();
  return parseFloat(new TextDecoder().decode(stdout)) * 1e6;
}

Deno.test("the watchdog is fed by rounds and by nothing else", async () => {
  await using world = await World.make();
  using manager = new Manager(world.beside("notify"));
  const child = world.spawn("serve", {
    NOTIFY_SOCKET: manager.address,
    WATCHDOG_USEC: "1000",
  });
  await manager.next();
  child.process.kill("SIGUSR2");
  assertEquals(await manager.next(), ["WATCHDOG=1"]);
  // Nothing was sent in between, though its millisecond has passed many times.
  child.process.kill("SIGTERM");
  assertEquals((await manager.next())[0], "STOPPING=1");
  const { stderr } = await child.outcome;
  assertMatch(
    stderr,
    /warning systemd's watchdog waits 0.001 s, less than two rounds of 60 s, .* be 120 or more\n/,
  );
});

Deno.test("a failed reload is told, and ends the reloading", async () => {
  await using world = await World.make();
  using manager = new Manager(world.beside("notify"));
  const child = world.spawn("serve", {
    NOTIFY_SOCKET: manager.address,
    FAKE: "bad",
  });
  await manager.next();
  child.process.kill("SIGHUP");
  assertEquals((await manager.next())[0], "RELOADING=1");
  assertEquals(
    (await manager.next())[2],
    "STATUS=ready; the last reload failed",
  );
});

Deno.test("what the environment says of a service manager", () => {
  const watchdogMs = (values: Record<string, string>) => {
    const env = environment({ NOTIFY_SOCKET: "/run/x", ...values });
    const manager = ServiceManager.fromEnvironment(env);
    // No child is taken for the service.
    assertEquals([...env.map.keys()], []);
    return manager?.watchdogMs;
  };
  assertEquals(watchdogMs({}), undefined);
  assertEquals(watchdogMs({ WATCHDOG_USEC: "180000000" }), 180_000);
  const pid = String(Deno.pid);
  assertEquals(watchdogMs({ WATCHDOG_USEC: "5", WATCHDOG_PID: pid }), 0.005);
  assertEquals(
    watchdogMs({ WATCHDOG_USEC: "5", WATCHDOG_PID: "1" }),
    undefined,
  );
  for (const usec of ["0", "-1", "", "soon"]) {
    assertEquals(watchdogMs({ WATCHDOG_USEC: usec }), undefined, usec);
  }
  assertEquals(
    ServiceManager.fromEnvironment(environment({ WATCHDOG_USEC: "1" })),
    undefined,
  );
});

Deno.test("a manager that is not there, or cannot be reached so, is complained of once", async () => {
  await using log = await captureLog();
  const manager = ServiceManager.fromEnvironment(
    environment({ NOTIFY_SOCKET: "/nowhere/notify" }),
  )!;
  await manager.ready("ready");
  await manager.alive();
  await manager.close();
  assertEquals(log.lines.length, 1);
  assertMatch(log.lines[0], /^warning cannot tell systemd: No such file/);
  assertEquals(
    ServiceManager.fromEnvironment(environment({ NOTIFY_SOCKET: "vsock:2:1" })),
    undefined,
  );
  assertMatch(log.lines[1], /^warning NOTIFY_SOCKET: cannot tell vsock:2:1$/);
});

Deno.test("a message cannot be given further lines", async () => {
  using receiver = new Manager(`@gatherer-test-${crypto.randomUUID()}`);
  const manager = ServiceManager.fromEnvironment(
    environment({ NOTIFY_SOCKET: receiver.address }),
  )!;
  await manager.stopping("all\nREADY=1");
  assertEquals(await receiver.next(), [
    "STOPPING=1",
    "STATUS=stopping: all READY=1",
  ]);
  await manager.close();
});

Deno.test("systemd is told when something is not well", async () => {
  await using world = await World.make();
  using manager = new Manager(world.beside("notify"));
  const child = world.spawn("serve", {
    NOTIFY_SOCKET: manager.address,
    FAKE: "unwell",
  });
  assertEquals((await manager.next()).at(-1), "STATUS=ready");
  child.process.kill("SIGUSR2");
  const messages = [await manager.next(), await manager.next()];
  assertEquals(messages.map(([line]) => line.split(": ")[0]).sort(), [
    "STATUS=ready; not well",
    "WATCHDOG=1",
  ]);
});
