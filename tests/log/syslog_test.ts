import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertThrows,
} from "@std/assert";
import fc from "fast-check";
import { systemClock } from "../../lib/clock.ts";
import { UserError } from "../../lib/errors.ts";
import { openSyslog, parseSyslog, Syslog } from "../../lib/log/syslog.ts";
import { localSyslog, remoteSyslog } from "../../lib/log/syslog_form.ts";
import { FakeClock, settle } from "../fake_clock.ts";
import { listen } from "./datagrams.ts";
import { line, TIME } from "./records.ts";

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

Deno.test("a place for syslog is read", () => {
  for (
    const [text, target] of [
      ["local", { path: "/dev/log" }],
      ["/run/log", { path: "/run/log" }],
      ["udp:log.example.org:10514", { host: "log.example.org", port: 10514 }],
      ["udp:192.0.2.1", { host: "192.0.2.1", port: 514 }],
      ["udp:[2001:db8::1]:1", { host: "2001:db8::1", port: 1 }],
    ] as const
  ) assertEquals(parseSyslog(text, "x"), target);
  for (
    const text of [
      "",
      "yes",
      "tcp:h:1",
      "udp:",
      "udp:h:0",
      "udp:h:65536",
      "udp:h:",
      "udp:2001:db8::1",
      "udp:h o:1",
    ]
  ) {
    const error = assertThrows(() => parseSyslog(text, "--syslog"), UserError);
    assertEquals(
      error.message,
      `--syslog: "${text}" is not a place for syslog; expected local, ` +
        "the path of its socket, or udp:HOST:PORT",
    );
    assertEquals(error.exitCode, 2);
  }
});

Deno.test("a line for the local daemon is as syslog(3) writes it", () => {
  for (
    const [level, priority] of [
      ["fatal", 26],
      ["error", 27],
      ["warning", 28],
      ["info", 30],
      ["debug", 31],
    ] as const
  ) {
    // The hour is that of wherever the test runs.
    assertMatch(
      text(localSyslog(line("node left", level), 42)),
      new RegExp(
        `^<${priority}>Nov 2[12] \\d\\d:[0-5]\\d:50 gatherer\\[42\\]: node left$`,
      ),
    );
  }
  const early = new Date(2026, 2, 5, 7, 8, 9).getTime();
  assertEquals(
    text(localSyslog({ ...line("x"), time: early }, 1)),
    "<30>Mar  5 07:08:09 gatherer[1]: x",
  );
});

Deno.test("a line for a server is RFC 5424's", () => {
  assertEquals(
    text(remoteSyslog(line("nöde left", "error"), "web1", 42)),
    "<27>1 2026-11-21T15:57:50.123Z web1 gatherer 42 - - nöde left",
  );
  assertEquals(
    text(remoteSyslog(line("x"), "wéb 1\n", 42)),
    "<30>1 2026-11-21T15:57:50.123Z wb1 gatherer 42 - - x",
  );
  assertEquals(
    text(remoteSyslog(line("x"), "é", 42)),
    "<30>1 2026-11-21T15:57:50.123Z - gatherer 42 - - x",
  );
});

Deno.test("a long line is cut between two characters", () => {
  fc.assert(
    fc.property(
      fc.string({ unit: "grapheme-composite", minLength: 1 }),
      (piece) => {
        const long = piece.repeat(Math.ceil(9000 / piece.length));
        for (
          const [bytes, most] of [
            [localSyslog(line(long), 1), 8192],
            [remoteSyslog(line(long), "h", 1), 2048],
          ] as const
        ) {
          assert(bytes.length <= most && bytes.length > most - 4);
          const said = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
          const at = said.indexOf(piece.slice(0, 1));
          assert(at >= 0);
        }
      },
    ),
    { numRuns: 30 },
  );
});

Deno.test("lines get to a daemon's socket in order, also to one that was restarted", async () => {
  const directory = await Deno.makeTempDir();
  const path = `${directory}/log`;
  const complaints: string[] = [];
  const clock = new FakeClock(TIME);
  try {
    const outlet = await (async () => {
      using daemon = listen({ transport: "unixpacket", path });
      const outlet = await openSyslog(
        { path },
        clock,
        (text) => complaints.push(text),
      );
      outlet.write(line("one"));
      outlet.write(line("two", "error"));
      assertMatch(await daemon.next(), /^<30>.* gatherer\[\d+\]: one$/);
      assertMatch(await daemon.next(), /^<27>.* gatherer\[\d+\]: two$/);
      return outlet;
    })();
    await Deno.remove(path);
    outlet.write(line("three"));
    while (outlet.trouble === undefined) {
      await new Promise((resolve) => setTimeout(resolve));
    }
    assertEquals(
      outlet.trouble,
      `lines cannot be sent to syslog at ${path}: no such file or directory`,
    );
    outlet.write(line("four"));
    assertEquals(complaints, [
      `lines cannot be sent to syslog at ${path}: no such file or directory; ` +
      "up to 1000 wait, and it is tried again every 5 s",
    ]);
    using daemon = listen({ transport: "unixpacket", path });
    await clock.advance(5000);
    assertMatch(await daemon.next(), /: three$/);
    assertMatch(await daemon.next(), /: four$/);
    await outlet.close();
    assertEquals(outlet.trouble, undefined);
    assertEquals(complaints.length, 1);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

for (const hostname of ["127.0.0.1", "::1"]) {
  Deno.test(`lines get to a server over UDP at ${hostname}`, async () => {
    using server = listen({ transport: "udp", hostname, port: 0 });
    const outlet = await openSyslog(
      { host: hostname, port: server.port },
      systemClock,
      () => {},
    );
    outlet.write(line("one"));
    assertEquals(
      await server.next(),
      `<30>1 2026-11-21T15:57:50.123Z ${Deno.hostname()} gatherer ${Deno.pid} - - one`,
    );
    await outlet.close();
  });
}

Deno.test("a socket that is not there and a host that is not known are explained", async () => {
  const open = (target: Parameters<typeof openSyslog>[0]) =>
    assertRejects(
      () => openSyslog(target, systemClock, () => {}),
      UserError,
    ).then(({ message }) => message);
  assertEquals(
    await open({ path: "/run/none" }),
    "cannot log to syslog at /run/none: there is no such socket on this machine; " +
      "is a syslog daemon running?",
  );
  assertEquals(
    await open({ path: "/dev/logs" }),
    "cannot log to syslog at /dev/logs: the runtime does not let a program use sockets in /dev; " +
      "have the daemon listen elsewhere, too, or use udp:127.0.0.1:514",
  );
  assertEquals(
    await open({ path: "/dev/null" }),
    "cannot log to syslog at /dev/null: it is not a socket",
  );
  assertMatch(
    await open({ host: "nosuch.invalid", port: 514 }),
    /^cannot log to syslog at udp:nosuch\.invalid:514: .*nosuch\.invalid/,
  );
});

Deno.test("a runtime that cannot send datagrams says so", async () => {
  const module = new URL("../../lib/log/datagram.ts", import.meta.url);
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "eval",
      "--no-config",
      "--no-lock",
      `import { openDatagrams } from ${JSON.stringify(module)};
       try { await openDatagrams({ path: "/dev/log" }); }
       catch (error) { console.log(error.name + ": " + error.message); }`,
    ],
  }).output();
  assertEquals(
    text(stdout),
    "UserError: this runtime cannot send datagrams; start it with --unstable-net\n",
    text(stderr),
  );
});

/** A sender that does as it is told. */
function fake() {
  const sent: string[] = [];
  const complaints: string[] = [];
  const clock = new FakeClock(TIME);
  const state = {
    mode: "works" as "works" | "fails" | "hangs",
    isClosed: false,
    /** Lets what hangs fail. */
    release: () => {},
  };
  const outlet = new Syslog(
    "/dev/log",
    {
      async send(bytes) {
        if (state.mode === "fails") {
          throw new Deno.errors.ConnectionRefused(
            "Connection refused (os error 111)",
          );
        }
        if (state.mode === "hangs") {
          await new Promise<void>((_, reject) => {
            state.release = () => reject(new Error("Interrupted"));
          });
        }
        sent.push(text(bytes));
      },
      close: () => {
        state.isClosed = true;
        state.release();
      },
    },
    ({ text }) => new TextEncoder().encode(text),
    clock,
    (text) => complaints.push(text),
  );
  return { outlet, clock, sent, complaints, state };
}

Deno.test("while a daemon is down 1,000 lines wait; older ones are counted", async () => {
  const { outlet, clock, sent, complaints, state } = fake();
  state.mode = "fails";
  for (let i = 1; i <= 1003; i++) {
    outlet.write(line(`${i}`));
    if (i < 3) await settle();
  }
  await clock.advance(20_000);
  assertEquals(complaints.length, 1);
  state.mode = "works";
  await clock.advance(5000);
  while (sent.length < 1001) await settle();
  assertEquals(sent.slice(0, 2), [
    "3 lines could not be written: connection refused",
    "4",
  ]);
  assertEquals(sent.at(-1), "1003");
  assertEquals(sent.length, 1001);
  assertEquals(outlet.trouble, undefined);
  outlet.write(line("next"));
  await settle();
  assertEquals(sent.at(-1), "next");
  await outlet.close();
  assertEquals(clock.pending, 0);
});

Deno.test("a line that is written when the last was just sent is sent, too", async () => {
  for (let turns = 0; turns < 20; turns++) {
    const { outlet, sent } = fake();
    outlet.write(line("a"));
    for (let turn = 0; turn < turns; turn++) await Promise.resolve();
    outlet.write(line("b"));
    await settle();
    assertEquals(sent, ["a", "b"], `${turns}`);
  }
});

Deno.test("closing sends what waits, and says what it could not", async () => {
  {
    const { outlet, sent, state, complaints } = fake();
    for (const text of ["a", "b", "c"]) outlet.write(line(text));
    await outlet.close();
    assertEquals(sent, ["a", "b", "c"]);
    assert(state.isClosed);
    assertEquals(complaints, []);
  }
  {
    const { outlet, clock, sent, state, complaints } = fake();
    state.mode = "fails";
    for (const text of ["a", "b"]) outlet.write(line(text));
    await settle();
    await outlet.close();
    assertEquals(sent, []);
    assertEquals(
      complaints.at(-1),
      "syslog at /dev/log: 2 lines could not be written: connection refused",
    );
    assertEquals(clock.pending, 0);
  }
  {
    const { outlet, clock, state, complaints } = fake();
    state.mode = "hangs";
    for (const text of ["a", "b"]) outlet.write(line(text));
    const closed = outlet.close();
    await clock.advance(1000);
    await closed;
    await settle();
    assertEquals(complaints, [
      "syslog at /dev/log: 2 lines could not be written: syslog does not take them",
    ]);
    assertEquals(clock.pending, 0);
  }
});
