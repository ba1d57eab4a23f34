/**
 * What Linux says of a machine in files of `/proc`, as proc(5) describes them.
 *
 * @module
 */

/** The files that {@linkcode readProc} reads, all together as one text. */
export const PROC_FILES: readonly string[] = [
  "/proc/stat",
  "/proc/net/dev",
  "/proc/self/mounts",
];

/** A file system that is mounted. */
export interface Mount {
  readonly device: string;
  readonly path: string;
  readonly type: string;
}

/** What the files say; a group that none of them told of is `undefined`. */
export interface ProcFigures {
  /** CPU time since the boot, of all CPUs together, in milliseconds, by kind. */
  readonly cpu: ReadonlyMap<string, bigint> | undefined;
  readonly cpuCount: number | undefined;
  /** What went over each network interface since it is there, by kind. */
  readonly interfaces:
    | ReadonlyMap<string, ReadonlyMap<string, bigint>>
    | undefined;
  readonly mounts: readonly Mount[] | undefined;
}

/** The columns of a `cpu` line; those after them are contained in the first two. */
const CPU_KINDS = [
  "user",
  "nice",
  "system",
  "idle",
  "iowait",
  "irq",
  "softirq",
  "steal",
];
/** Linux shows CPU time in hundredths of a second on every machine. */
const TICK_MS = 10n;
/** Where in a line of `net/dev` what is. */
const INTERFACE_COLUMNS: readonly [kind: string, column: number][] = [
  ["bytes_received", 0],
  ["packets_received", 1],
  ["errors_received", 2],
  ["bytes_sent", 8],
  ["packets_sent", 9],
  ["errors_sent", 10],
];

/** Reads {@linkcode PROC_FILES}, in any order; lines that are not understood are passed over. */
export function readProc(text: string): ProcFigures {
  let cpu: Map<string, bigint> | undefined;
  let cpuCount: number | undefined;
  let interfaces: Map<string, Map<string, bigint>> | undefined;
  let mounts: Mount[] | undefined;
  for (const line of text.split("\n")) {
    let match: RegExpExecArray | null;
    if ((match = /^cpu +(\d[\d ]*)$/.exec(line))) {
      const ticks = match[1].split(" ").map(BigInt);
      cpu = new Map(
        CPU_KINDS.slice(0, ticks.length)
          .map((kind, i) => [kind, ticks[i] * TICK_MS]),
      );
    } else if (/^cpu\d+ /.test(line)) {
      cpuCount = (cpuCount ?? 0) + 1;
    } else if ((match = /^ *(\S+): *(\d+(?: +\d+){10,})$/.exec(line))) {
      const columns = match[2].split(/ +/).map(BigInt);
      interfaces ??= new Map();
      interfaces.set(
        match[1],
        new Map(INTERFACE_COLUMNS.map(([kind, i]) => [kind, columns[i]])),
      );
    } else if ((match = /^(\S+) (\/\S*) (\S+) \S+ \d+ \d+$/.exec(line))) {
      const [, device, path, type] = match;
      mounts ??= [];
      mounts.push({ device: unescape(device), path: unescape(path), type });
    }
  }
  return { cpu, cpuCount, interfaces, mounts };
}

/** In lists of mounts, blanks and the like are written as three octal digits. */
function unescape(text: string): string {
  return text.replace(
    /\\([0-7]{3})/g,
    (_, octal) => String.fromCharCode(parseInt(octal, 8)),
  );
}

/** File systems that have no space of their own, or are always full. */
const WITHOUT_SPACE = new Set([
  "squashfs",
  "iso9660",
  "udf",
  "erofs",
  "cramfs",
]);

/**
 * The file systems whose space is worth a figure: the one at `/`, and those on disks of this machine,
 * each once, where its path is shortest. Those of the network are not among them, since one whose
 * server is gone would hold up whoever asks.
 */
export function disksOf(mounts: readonly Mount[]): string[] {
  const byDevice = new Map<string, string>();
  for (const { device, path, type } of mounts) {
    const isOnDisk = device.startsWith("/dev/") || type === "zfs";
    if (path !== "/" && (!isOnDisk || WITHOUT_SPACE.has(type))) continue;
    const known = byDevice.get(device);
    if (known === undefined || path.length < known.length) {
      byDevice.set(device, path);
    }
  }
  return [...byDevice.values()].sort();
}

/** Interfaces of containers and virtual machines, and such as lead nowhere. */
const INNER =
  /^(?:lo|veth.*|docker.*|br-.*|virbr.*|vnet.*|cni.*|flannel.*|cali.*|kube.*|ifb.*|dummy.*|sit\d+|tunl\d+)$/;

/** Whether what goes over an interface has left or reached the machine. */
export function isOuterInterface(name: string): boolean {
  return !INNER.test(name);
}
