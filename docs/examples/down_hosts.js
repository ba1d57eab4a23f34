// deno-lint-ignore-file no-console -- what a plugin writes to the console goes into the log of gatherer
// A plugin for gatherer: keeps the names of all hosts that are down in a file, one a line.
//
// In gmetad.conf:
//
//     down_hosts {
//       file /run/gatherer/down-hosts
//     }

class DownHosts {
  /** The hosts that are down, by cluster. */
  #down = new Map();
  #file = "";

  constructor(id) {
    this.id = id;
  }

  parseConfig(entries) {
    for (const { directive, text } of entries) {
      if (directive !== "file") {
        throw new Error(`${directive} is unknown; expected file PATH`);
      }
      this.#file = text;
    }
    if (this.#file === "") {
      throw new Error(`expected "file PATH" in the section ${this.id}`);
    }
  }

  // What fails here is said when the gatherer starts, and not first when a host goes down.
  async start() {
    await this.#write();
  }

  async notify(cluster) {
    const down = cluster.hosts.filter((host) => !host.up);
    const before = this.#down.get(cluster.name) ?? [];
    const names = down.map((host) => host.name);
    this.#down.set(cluster.name, names);
    if (names.join("\n") === before.join("\n")) return;
    await this.#write();
    console.info(`${cluster.name}: ${names.length} of ${cluster.hosts.length} hosts are down`);
  }

  async stop() {
    await Deno.remove(this.#file);
  }

  // Whoever reads the file finds a whole one: it is replaced, not overwritten.
  async #write() {
    const names = [...this.#down.values()].flat();
    await Deno.writeTextFile(`${this.#file}.tmp`, names.map((name) => `${name}\n`).join(""));
    await Deno.rename(`${this.#file}.tmp`, this.#file);
  }
}

export const getPlugin = (id) => new DownHosts(id);
