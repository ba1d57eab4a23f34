import { getLogger } from "@logtape/logtape";
import { type Clock, sleep, systemClock } from "../../clock.ts";
import { messageOf } from "../../errors.ts";
import { oneLine } from "../../text.ts";
import { type Stats, StatsProvider } from "../provider.ts";
import { ProducedStats, type StatsNumbers } from "../producer.ts";
import { Uptime } from "../uptime.ts";
import { diskName } from "./disk_names.ts";
import {
  disksOf,
  isOuterInterface,
  type ProcFigures,
  readProc,
} from "./proc.ts";
import { type MachineSystem, thisMachine } from "./system.ts";
import { Totals } from "./totals.ts";

const logger = getLogger(["gatherer", "machine"]);

/** How a {@linkcode MachineProvider} is set up. */
export interface MachineOptions {
  readonly clock?: Clock;
  /** Directories whose file systems are shown; left out: those of this machine's disks. */
  readonly disks?: readonly string[];
  /** Network interfaces that are shown; left out: all that lead out of the machine. */
  readonly interfaces?: readonly string[];
  /** Told when it was asked for its figures. */
  readonly onPoll?: () => void;
  /** The machine (default: this one). */
  readonly system?: MachineSystem;
}

/** How long a file system may take to tell its space, in milliseconds. */
const DISK_MS = 2000;
/** File systems and interfaces that are shown at most. */
const MOST_DISKS = 100;
const MOST_INTERFACES = 100;
const KINDS_OF_INTERFACE = 6;

/**
 * A machine as a node: how busy it is, what memory and space it has, what went over its network. The
 * names are in `docs/provide.md`. What cannot be had is absent, and the log says why, once; the
 * rest is there.
 *
 * Its counters begin at 0 with this program, as those of every node do, though the machine has
 * counted since its boot: who is told of a new incarnation must find counters that began anew.
 */
export class MachineProvider extends StatsProvider {
  readonly #clock: Clock;
  readonly #options: MachineOptions;
  readonly #system: MachineSystem;
  /** CPU time that has fallen is the kernel's rounding: it says that `iowait` may. */
  readonly #cpu = new Totals({ isReset: false, most: 100 });
  readonly #network = new Totals({
    isReset: true,
    most: 10 * MOST_INTERFACES * KINDS_OF_INTERFACE,
  });
  /** What was asked for by name and is absent, as the log has it. */
  readonly #absent = new Set<string>();
  /** File systems that have been asked for their space and have not told it yet. */
  readonly #hanging = new Map<string, Promise<unknown>>();

  constructor(options: MachineOptions = {}) {
    const clock = options.clock ?? systemClock;
    super({ clock });
    this.#clock = clock;
    this.#options = options;
    const system = this.#system = options.system ?? thisMachine(clock);
    this.#register("load averages", () => loadOf(system));
    this.#register("memory", () => memoryOf(system));
    this.#register("uptime", () => ({ "machine.uptime": system.uptime() }));
    if (system.proc) {
      this.#register("processors, network and disks", () => this.#ofProc());
    } else if (options.disks) {
      this.#register("disks", () => this.#disks(options.disks!));
    }
    this.registerProducer(new Uptime({ clock }));
  }

  override getStats(): Promise<Stats> {
    this.#options.onPoll?.();
    return super.getStats();
  }

  #register(
    name: string,
    getStats: () => StatsNumbers | Promise<StatsNumbers | ProducedStats>,
  ): void {
    this.registerProducer({ name: `the machine's ${name}`, getStats });
  }

  async #ofProc(): Promise<ProducedStats> {
    const figures = readProc(await this.#system.proc!());
    const counters = this.#countersOf(figures);
    const { cpuCount, mounts } = figures;
    const disks = this.#options.disks ?? disksOf(mounts ?? []);
    return new ProducedStats(counters, {
      ...(cpuCount === undefined ? {} : { "machine.cpu.count": cpuCount }),
      ...await this.#disks(disks),
    });
  }

  #countersOf({ cpu, interfaces }: ProcFigures): Record<string, bigint> {
    const counters: Record<string, bigint> = {};
    for (const [kind, time] of cpu ?? []) {
      const total = this.#cpu.add(kind, time);
      if (total !== undefined) counters[`machine.cpu.${kind}_ms`] = total;
    }
    const wanted = this.#options.interfaces;
    for (const name of wanted ?? []) {
      this.#found(
        `network interface ${name}`,
        interfaces?.has(name) ? undefined : "there is none of that name",
      );
    }
    let shown = 0;
    for (const [name, kinds] of interfaces ?? []) {
      if (wanted ? !wanted.includes(name) : !isOuterInterface(name)) continue;
      if (++shown > MOST_INTERFACES) break;
      for (const [kind, raw] of kinds) {
        const total = this.#network.add(`${name}.${kind}`, raw);
        if (total !== undefined) {
          counters[`machine.network.${name}.${kind}`] = total;
        }
      }
    }
    return counters;
  }

  async #disks(paths: readonly string[]): Promise<StatsNumbers> {
    const all = await Promise.all(
      paths.slice(0, MOST_DISKS).map((path) => this.#disk(path)),
    );
    return Object.assign({}, ...all);
  }

  /** What a file system has; nothing if it does not tell. */
  async #disk(path: string): Promise<StatsNumbers> {
    // One that hangs must not be asked by more and more.
    if (this.#hanging.has(path)) return {};
    const asking = this.#askDisk(path).then(
      (figures) => {
        this.#found(`file system at ${path}`);
        return figures;
      },
      (error) => {
        this.#found(`file system at ${path}`, messageOf(error));
        return {};
      },
    ).finally(() => this.#hanging.delete(path));
    this.#hanging.set(path, asking);
    const over = new AbortController();
    const late = sleep(this.#clock, DISK_MS, over.signal).then(
      () => ({}),
      () => ({}),
    );
    try {
      return await Promise.race([asking, late]);
    } finally {
      over.abort();
    }
  }

  /** Says once that something is absent, and once that it is there again. */
  #found(what: string, failure?: string): void {
    const isNews = (failure !== undefined) !== this.#absent.has(what);
    if (!isNews) return;
    if (failure === undefined) {
      this.#absent.delete(what);
      logger.info("the {what} is there again", { what: oneLine(what, 200) });
      return;
    }
    this.#absent.add(what);
    logger.warn("the {what} is not shown: {reason}", {
      what: oneLine(what, 200),
      reason: oneLine(failure.replace(/ \(os error \d+\).*$/s, ""), 200),
    });
  }

  async #askDisk(path: string): Promise<StatsNumbers> {
    // Into a container single files are mounted.
    if (!this.#options.disks && !await this.#system.isDirectory(path)) {
      return {};
    }
    const { total, free, available, files, freeFiles } = await this.#system
      .diskSpace(path);
    const name = `machine.disk.${diskName(path)}`;
    return {
      [`${name}.total`]: total,
      [`${name}.used`]: total - free,
      [`${name}.free_for_root`]: free,
      [`${name}.available`]: available,
      ...(files === 0n ? {} : {
        [`${name}.files_total`]: files,
        [`${name}.files_free`]: freeFiles,
      }),
    };
  }
}

function loadOf(system: MachineSystem): StatsNumbers {
  const [one, five, fifteen] = system.loadAverages();
  return {
    "machine.load.1": one,
    "machine.load.5": five,
    "machine.load.15": fifteen,
  };
}

function memoryOf(system: MachineSystem): StatsNumbers {
  const { total, free, available, swapTotal, swapFree } = system.memory();
  return {
    "machine.memory.total": total,
    "machine.memory.free": free,
    "machine.memory.available": available,
    "machine.swap.total": swapTotal,
    "machine.swap.free": swapFree,
  };
}
