import { assert, assertEquals } from "@std/assert";
import {
  type MachineOptions,
  MachineProvider,
} from "../../../lib/stats/machine/provider.ts";
import {
  type MachineSystem,
  thisMachine,
} from "../../../lib/stats/machine/system.ts";
import { systemClock } from "../../../lib/clock.ts";
import { FakeClock, settle } from "../../fake_clock.ts";
import { captureLog } from "../../log_capture.ts";
import { PROC } from "./proc_text.ts";

/** A machine that a test makes up. */
function machine(change: Partial<MachineSystem> = {}): MachineSystem {
  return {
    loadAverages: () => [0.5, 1, 1.25],
    memory: () => ({
      total: 8e9,
      free: 1e9,
      available: 5e9,
      swapTotal: 2e9,
      swapFree: 1.5e9,
    }),
    uptime: () => 1234,
    proc: () => Promise.resolve(PROC),
    diskSpace: (path) =>
      Promise.resolve({
        total: 1000n * BigInt(path.length),
        free: 400n,
        available: 300n,
        files: path === "/tank" ? 0n : 50n,
        freeFiles: 20n,
      }),
    isDirectory: (path) => Promise.resolve(path !== "/etc/hosts"),
    ...change,
  };
}

function provider(
  system: MachineSystem,
  options: MachineOptions = {},
  clock = new FakeClock(),
): MachineProvider {
  return new MachineProvider({ clock, system, ...options });
}

const PLAIN = {
  "machine.load.1": 0.5,
  "machine.load.5": 1,
  "machine.load.15": 1.25,
  "machine.memory.total": 8e9,
  "machine.memory.free": 1e9,
  "machine.memory.available": 5e9,
  "machine.swap.total": 2e9,
  "machine.swap.free": 1.5e9,
  "machine.uptime": 1234,
};

function disk(name: string, total: bigint, files = true) {
  return {
    [`machine.disk.${name}.total`]: total,
    [`machine.disk.${name}.used`]: total - 400n,
    [`machine.disk.${name}.free_for_root`]: 400n,
    [`machine.disk.${name}.available`]: 300n,
    ...(files
      ? {
        [`machine.disk.${name}.files_total`]: 50n,
        [`machine.disk.${name}.files_free`]: 20n,
      }
      : {}),
  };
}

Deno.test("MachineProvider tells all of a machine, under its names", async () => {
  let text = PROC;
  const node = provider(machine({ proc: () => Promise.resolve(text) }));
  const first = await node.getStats();
  assertEquals({ ...first.stats }, {
    ...PLAIN,
    "machine.cpu.count": 2,
    ...disk("root", 1000n),
    ...disk("boot.efi", 9000n),
    ...disk("mnt.my%20disk\\", 13000n),
    ...disk("tank", 5000n, false),
    ...disk("var.lib", 8000n),
    "node.uptime": 0,
  });
  assert(Object.values(first.counters).every((value) => value === 0n));
  text = text.replace("cpu  919043", "cpu  919143")
    .replace(" 476305 ", " 477305 ");
  const { counters } = await node.getStats();
  assertEquals(counters, {
    "machine.cpu.user_ms": 1000n,
    "machine.cpu.nice_ms": 0n,
    "machine.cpu.system_ms": 0n,
    "machine.cpu.idle_ms": 0n,
    "machine.cpu.iowait_ms": 0n,
    "machine.cpu.irq_ms": 0n,
    "machine.cpu.softirq_ms": 0n,
    "machine.cpu.steal_ms": 0n,
    ...interfaceCounters("eth0", 1000n),
    ...interfaceCounters("eth0.100", 0n),
  });
});

function interfaceCounters(name: string, sent: bigint) {
  return {
    [`machine.network.${name}.bytes_received`]: 0n,
    [`machine.network.${name}.packets_received`]: 0n,
    [`machine.network.${name}.errors_received`]: 0n,
    [`machine.network.${name}.bytes_sent`]: sent,
    [`machine.network.${name}.packets_sent`]: 0n,
    [`machine.network.${name}.errors_sent`]: 0n,
  };
}

Deno.test("MachineProvider: polls that overlap all have the counters", async () => {
  const told = Promise.withResolvers<void>();
  const space = machine().diskSpace;
  const node = provider(machine({
    diskSpace: async (path) => {
      await told.promise;
      return await space(path);
    },
  }));
  const one = node.getStats();
  await settle();
  const two = node.getStats();
  await settle();
  told.resolve();
  for (const { counters } of await Promise.all([one, two])) {
    assertEquals(Object.keys(counters).length, 20);
  }
});

Deno.test("MachineProvider: an interface that goes is absent, and goes on when it is back", async () => {
  let text = PROC;
  const node = provider(
    machine({ proc: () => Promise.resolve(text) }),
    { interfaces: ["eth0"] },
  );
  const name = "machine.network.eth0.bytes_sent";
  const told: unknown[] = [];
  const without = PROC.replace(/ +eth0:.*\n/, "");
  const again = PROC.replace(" 476305 ", " 70 ");
  for (const now of [PROC, without, again]) {
    text = now;
    told.push((await node.getStats()).counters[name]);
  }
  assertEquals(told, [0n, undefined, 70n]);
});

Deno.test("MachineProvider shows the disks and interfaces that it is told to show", async () => {
  const { stats, counters } = await provider(
    machine(),
    { disks: ["/etc/hosts"], interfaces: ["lo"] },
  ).getStats();
  assertEquals({ ...stats }, {
    ...PLAIN,
    "machine.cpu.count": 2,
    ...disk("etc.hosts", 10_000n),
    "node.uptime": 0,
  });
  assertEquals(
    Object.keys(counters).filter((name) => /network.*bytes/.test(name)),
    ["machine.network.lo.bytes_received", "machine.network.lo.bytes_sent"],
  );
});

Deno.test("MachineProvider: without /proc there is what the runtime tells", async () => {
  const { stats, counters } = await provider(
    machine({ proc: undefined }),
    { disks: ["/x"] },
  ).getStats();
  assertEquals({ ...stats }, {
    ...PLAIN,
    ...disk("x", 2000n),
    "node.uptime": 0,
  });
  assertEquals(counters, {});
});

Deno.test("MachineProvider: what fails is absent and said once, the rest is there", async () => {
  await using log = await captureLog();
  const fail = () => {
    throw new Error("no permission");
  };
  let system = machine({ loadAverages: fail, proc: fail });
  const node = provider({
    ...machine(),
    loadAverages: () => system.loadAverages(),
    proc: () => system.proc!(),
  });
  for (let poll = 1; poll <= 2; poll++) {
    const { stats, counters } = await node.getStats();
    assertEquals(Object.keys(stats), [
      "machine.memory.total",
      "machine.memory.free",
      "machine.memory.available",
      "machine.swap.total",
      "machine.swap.free",
      "machine.uptime",
      "node.uptime",
      "stats_provider.producer_faults",
    ]);
    assertEquals(counters, {});
  }
  system = machine();
  assertEquals((await node.getStats()).stats["machine.load.1"], 0.5);
  assertEquals(log.lines, [
    "warning Statistics of the machine's load averages are missing: getStats() failed: no permission",
    "warning Statistics of the machine's processors, network and disks are missing: getStats() failed: no permission",
    "info Statistics of the machine's load averages are complete again",
    "info Statistics of the machine's processors, network and disks are complete again",
  ]);
});

Deno.test("MachineProvider: a disk that hangs holds up nothing, and is asked once", async () => {
  const clock = new FakeClock();
  const hanging = Promise.withResolvers<never>();
  let asked = 0;
  const { diskSpace } = machine();
  const node = provider(
    machine({
      diskSpace: (path) => {
        if (path !== "/tank") return diskSpace(path);
        asked++;
        return hanging.promise;
      },
    }),
    {},
    clock,
  );
  for (let poll = 1; poll <= 3; poll++) {
    const answer = node.getStats();
    await clock.advance(2000);
    const { stats } = await answer;
    assertEquals(stats["machine.disk.root.total"], 1000n);
    assertEquals(stats["machine.disk.tank.total"], undefined);
  }
  assertEquals(asked, 1);
  hanging.reject(new Error("gone"));
  await settle();
  await Promise.all([node.getStats(), clock.advance(2000)]);
  assertEquals([asked, clock.pending], [2, 0]);
});

Deno.test({
  name: "thisMachine() reads /proc by one cat",
  ignore: Deno.build.os !== "linux",
  async fn() {
    const text = await thisMachine(systemClock).proc!();
    for (const piece of ["cpu  ", "\nbtime ", "\n    lo:", " / "]) {
      assert(text.includes(piece), piece);
    }
  },
});

Deno.test("what was asked for by name and is absent is told of once, and when it is back", async () => {
  await using log = await captureLog();
  let isThere = false;
  const { diskSpace } = machine();
  const stats = provider(
    machine({
      diskSpace: (path) =>
        path === "/tank" && !isThere
          ? Promise.reject(new Error("No such file or directory (os error 2)"))
          : diskSpace(path),
    }),
    { disks: ["/", "/tank"], interfaces: ["eth9"] },
  );
  for (let i = 0; i < 3; i++) await stats.getStats();
  isThere = true;
  for (let i = 0; i < 3; i++) await stats.getStats();
  assertEquals(log.lines, [
    "warning the network interface eth9 is not shown: there is none of that name",
    "warning the file system at /tank is not shown: No such file or directory",
    "info the file system at /tank is there again",
  ]);
});
