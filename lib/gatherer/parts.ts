import { getLogger } from "@logtape/logtape";
import { messageOf } from "../errors.ts";
import type { Plugin } from "../plugins/plugin.ts";
import type { Source } from "../sources/source.ts";
import type { PartSpec, Plan } from "./plan.ts";
import type { Plugins } from "./plugins.ts";

const logger = getLogger(["gatherer"]);

/** A piece of a gatherer that can come and go while the rest goes on. */
export interface Part extends PartSpec {
  /** Plugins are there before anything is gathered; views, plugins too, answer when all else is. */
  readonly kind: "plugin" | "source" | "view";
  /**
   * Makes it, without starting it.
   * @throws UserError when it cannot be as it is asked for.
   */
  build(): Built | Promise<Built>;
}

/** What a part is, once it is made; without a plugin there is nothing for it to do. */
export type Built =
  | { readonly plugin: Plugin | undefined }
  | { readonly source: Source };

interface Running {
  readonly part: Part;
  readonly built: Built;
}

/** The one owner of the parts that run. */
export class Parts {
  readonly #plugins: Plugins;
  /** In the order in which they were started. */
  readonly #running = new Map<string, Running>();

  constructor(plugins: Plugins) {
    this.#plugins = plugins;
  }

  /** What runs, as it was asked for. */
  get specs(): readonly Part[] {
    return [...this.#running.values()].map(({ part }) => part);
  }

  get sources(): readonly Source[] {
    return [...this.#running.values()].flatMap(({ built }) =>
      "source" in built ? [built.source] : []
    );
  }

  /** The running plugin of a part. */
  plugin(name: string): Plugin | undefined {
    const built = this.#running.get(name)?.built;
    return built && "plugin" in built ? built.plugin : undefined;
  }

  /**
   * Makes what is asked for run, beside or in the place of what does. What stays the same is not
   * touched.
   *
   * @param plan Made of {@linkcode Parts.specs}.
   * @throws Why it cannot be; then all is as it was before.
   */
  async apply(plan: Plan<Part>): Promise<void> {
    const wanted = [...plan.change.map(({ after }) => after), ...plan.start];
    const fresh: Running[] = [];
    for (const part of wanted) {
      fresh.push({ part, built: await part.build() });
    }
    const leaving = [...plan.stop, ...plan.change.map(({ before }) => before)];
    const replaced = new Set(plan.change.map(({ after }) => after.name));
    const claimed = new Set(leaving.flatMap(({ claims = [] }) => claims));
    /** Whether it can run beside all that does. */
    const isFree = ({ part }: Running) =>
      !replaced.has(part.name) &&
      (part.claims ?? []).every((claim) => !claimed.has(claim));

    await using undo = new AsyncDisposableStack();
    /** With a way back: it leaves nothing, unless it stands for one that comes back. */
    const tryOut = async (running: Running) => {
      await this.#start(running);
      undo.defer(async () => {
        await this.#stop(running);
        if (!replaced.has(running.part.name)) retract(running);
      });
    };
    for (const running of fresh.filter(isFree)) await tryOut(running);
    const left: Running[] = [];
    for (const { name } of leaving) {
      const running = this.#running.get(name)!;
      await this.#stop(running);
      undo.defer(() => this.#bringBack(running.part));
      left.push(running);
    }
    for (const running of fresh.filter((running) => !isFree(running))) {
      await tryOut(running);
    }
    // All of it stands: there is no way back any more.
    undo.move();
    for (const running of left) {
      if (!replaced.has(running.part.name)) retract(running);
    }
  }

  /** Stops all sources; plugins are stopped by whoever tells them. */
  async stopSources(): Promise<void> {
    await Promise.all(
      [...this.#running.values()].map(({ part, built }) =>
        "source" in built ? stopSource(part.name, built.source) : undefined
      ),
    );
  }

  async #start(running: Running): Promise<void> {
    const { part, built } = running;
    if ("source" in built) built.source.start();
    else if (built.plugin) await this.#plugins.add(built.plugin);
    this.#running.set(part.name, running);
  }

  async #stop({ part, built }: Running): Promise<void> {
    this.#running.delete(part.name);
    if ("source" in built) await stopSource(part.name, built.source);
    else if (built.plugin) await this.#plugins.remove(built.plugin);
  }

  /** It did run before: that it does not now is bad, but no reason to stop the others. */
  async #bringBack(part: Part): Promise<void> {
    try {
      await this.#start({ part, built: await part.build() });
    } catch (error) {
      logger.error("{name} could not be started again: {reason}", {
        name: part.name,
        reason: messageOf(error),
      });
    }
  }
}

/** What goes wrong here keeps nobody else from starting or stopping. */
async function stopSource(name: string, source: Source): Promise<void> {
  try {
    await source.stop();
  } catch (error) {
    logger.error("{name} did not stop well: {reason}", {
      name,
      reason: messageOf(error),
    });
  }
}

/** Takes out what a source has brought that has been stopped. */
function retract({ built }: Running): void {
  if ("source" in built) built.source.retract?.();
}
