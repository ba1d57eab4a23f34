import { assertEquals } from "@std/assert";
import { diskName } from "../../../lib/stats/machine/disk_names.ts";
import {
  disksOf,
  isOuterInterface,
  readProc,
} from "../../../lib/stats/machine/proc.ts";
import { Totals } from "../../../lib/stats/machine/totals.ts";
import { PROC } from "./proc_text.ts";

Deno.test("readProc() reads what Linux writes", () => {
  const { cpu, cpuCount, interfaces, mounts } = readProc(PROC);
  assertEquals([...cpu!], [
    ["user", 9190430n],
    ["nice", 230n],
    ["system", 2542970n],
    ["idle", 15259120n],
    ["iowait", 78330n],
    ["irq", 0n],
    ["softirq", 68090n],
    ["steal", 559330n],
  ]);
  assertEquals(cpuCount, 2);
  assertEquals([...interfaces!.keys()], ["lo", "eth0", "eth0.100", "veth1a2b"]);
  assertEquals([...interfaces!.get("eth0")!], [
    ["bytes_received", 18446744073709551615n],
    ["packets_received", 7017n],
    ["errors_received", 3n],
    ["bytes_sent", 476305n],
    ["packets_sent", 6244n],
    ["errors_sent", 5n],
  ]);
  assertEquals(mounts!.slice(0, 3), [
    { device: "proc", path: "/proc", type: "proc" },
    { device: "/dev/vda1", path: "/", type: "ext4" },
    { device: "/dev/sdb1", path: "/mnt/my disk\\", type: "xfs" },
  ]);
});

Deno.test("readProc(): what is not told is not known", () => {
  const none = {
    cpu: undefined,
    cpuCount: undefined,
    interfaces: undefined,
    mounts: undefined,
  };
  assertEquals(readProc(""), none);
  assertEquals(readProc("cpu\ncpu x\neth0: 1 2\n/dev/sda1 / ext4\n"), none);
});

Deno.test("readProc(): kernels of old have fewer kinds of CPU time", () => {
  assertEquals([...readProc("cpu  1 2 3 4\n").cpu!], [
    ["user", 10n],
    ["nice", 20n],
    ["system", 30n],
    ["idle", 40n],
  ]);
});

Deno.test("disksOf(): each disk of the machine once, where its path is shortest", () => {
  assertEquals(disksOf(readProc(PROC).mounts!), [
    "/",
    "/boot/efi",
    "/mnt/my disk\\",
    "/tank",
    "/var/lib",
  ]);
  const overlay = { device: "overlay", path: "/", type: "overlay" };
  assertEquals(disksOf([overlay]), ["/"]);
});

Deno.test("isOuterInterface() knows what stays within the machine", () => {
  const names =
    "lo eth0 enp3s0 wlan0 bond0 br-1a2b br0 docker0 veth1a2b wg0 ifb0 sit0 tun0";
  assertEquals(
    names.split(" ").filter(isOuterInterface),
    ["eth0", "enp3s0", "wlan0", "bond0", "br0", "wg0", "tun0"],
  );
});

const names: [path: string, name: string][] = [
  ["/", "root"],
  ["/root", "%72oot"],
  ["/var/lib", "var.lib"],
  ["/var.lib", "var%2Elib"],
  ["/var//lib/", "var.lib"],
  ["/mnt/my disk\\", "mnt.my%20disk\\"],
  ["/mnt/100%\n", "mnt.100%25%0A"],
  ["/srv/dätä", "srv.dätä"],
];

for (const [path, name] of names) {
  Deno.test(`diskName(${JSON.stringify(path)})`, () => {
    assertEquals(diskName(path), name);
  });
}

Deno.test("Totals begin at nought, and go on when a source begins anew", () => {
  const totals = new Totals({ isReset: true, most: 2 });
  const told = [100n, 150n, 150n, 20n, 30n].map((raw) => totals.add("a", raw));
  assertEquals(told, [0n, 50n, 50n, 70n, 80n]);
  assertEquals(totals.add("b", 5n), 0n);
  assertEquals(totals.add("c", 5n), undefined);
});

Deno.test("Totals never fall with a source that errs", () => {
  const totals = new Totals({ isReset: false, most: 1 });
  const told = [100n, 150n, 149n, 160n].map((raw) => totals.add("a", raw));
  assertEquals(told, [0n, 50n, 50n, 61n]);
});
