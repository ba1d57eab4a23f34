/**
 * What runs in a plugin's own thread, and what the two sides say to each other.
 *
 * The thread's program is made of the text of two functions, because the executable has no files
 * beside it from which a thread could be started. They therefore use nothing from outside
 * themselves.
 *
 * @module
 */
import type { MessagePort } from "node:worker_threads";
import type {
  ConfigEntry,
  GathererPlugin,
  PluginGrid,
} from "../plugins/author.ts";
import { type CopyPiece, type PartialCopy, takePiece } from "./plugin_copy.ts";

/** Something that the thread is to do, and to answer. */
export type PluginCall =
  | { readonly do: "import"; readonly url: string }
  /** Answered by the names of the methods that the plugin has. */
  | { readonly do: "getPlugin"; readonly id: string }
  | { readonly do: "parseConfig"; readonly entries: readonly ConfigEntry[] }
  | { readonly do: "start" | "notify" | "notifyGrid" | "stop" }
  /** Sends the copy, with what the plugin has changed, to the next thread. */
  | { readonly do: "hand on"; readonly port: MessagePort };

/** What is said to the thread. */
export type ToThread =
  | { readonly call: number; readonly what: PluginCall }
  | { readonly piece: CopyPiece }
  /** The copy comes from the thread before. */
  | { readonly from: MessagePort }
  /** The copy is no longer wanted. */
  | { readonly forget: true };

/** What the thread says. */
export type FromThread =
  | { readonly call: number; readonly value: unknown }
  | { readonly call: number; readonly reason: string }
  /** Something went wrong outside of any call. */
  | { readonly fault: string }
  | { readonly level: LogLevel; readonly text: string };

/** Methods of `console`, which write to the gatherer's log. */
export type LogLevel = "debug" | "info" | "warn" | "error";

/** The thread's program, as a URL. */
export function threadUrl(): URL {
  const program = `import { parentPort } from "node:worker_threads";
(${runThread})(parentPort, ${takePiece});`;
  return new URL(`data:text/javascript,${encodeURIComponent(program)}`);
}

/** Deals with one message after another. In the thread only. */
export function runThread(
  port: MessagePort,
  take: typeof takePiece,
): void {
  // deno-lint-ignore no-explicit-any
  let exported: any;
  let plugin: GathererPlugin;
  let copy: PartialCopy = { kinds: [] };
  /** A copy that another thread is about to send. */
  let coming: Promise<void> | undefined;

  const say = (message: FromThread) => port.postMessage(message);

  /** What was thrown, in one line, with the place in a file where that was. */
  const reasonOf = (thrown: unknown): string => {
    if (!(thrown instanceof Error)) return String(thrown);
    const { name, message, stack } = thrown;
    const [line] = message.split("\n    at ")[0].split("\n  |");
    const text = name === "Error" ? line : `${name}: ${line}`;
    const place = /\bat (?:.*\()?(file:.*:\d+:\d+)/.exec(String(stack))?.[1];
    return place ? `${text} (${place.split("/").pop()})` : text;
  };

  const methodsOf = (value: unknown): string[] | undefined => {
    if (typeof value !== "object" || value === null) return undefined;
    const methods = ["parseConfig", "start", "notify", "notifyGrid", "stop"];
    // deno-lint-ignore no-explicit-any
    const object = value as any;
    return methods.filter((name) => typeof object[name] === "function");
  };

  /** @throws TypeError when a plugin has made something else of the copy. */
  const metricLists = (): { extra: readonly unknown[] }[][] => {
    const { subject } = copy;
    // deno-lint-ignore no-explicit-any
    const { summary, hosts = [] } = subject as any;
    const lists = Array.isArray(hosts)
      // deno-lint-ignore no-explicit-any
      ? hosts.map((host: any) => host?.metrics)
      : [hosts];
    if (summary) lists.push(summary.metrics);
    if (lists.every(Array.isArray)) return lists;
    throw new TypeError("hosts and metrics are no longer lists");
  };

  const perform = async (what: PluginCall): Promise<unknown> => {
    switch (what.do) {
      case "import":
        exported = await import(what.url);
        if (typeof exported.getPlugin === "function") return;
        throw new TypeError("it exports no function getPlugin");
      case "getPlugin": {
        plugin = await exported.getPlugin(what.id);
        const methods = methodsOf(plugin);
        if (methods?.includes("notify")) return methods;
        throw new TypeError("it gave no object that has a method notify");
      }
      case "parseConfig":
        return await plugin.parseConfig!(what.entries);
      case "start":
        return await plugin.start!();
      case "notify":
        await coming;
        // deno-lint-ignore no-explicit-any
        return await plugin.notify(copy.subject as any);
      case "notifyGrid":
        await coming;
        return await plugin.notifyGrid!(copy.subject as PluginGrid);
      case "stop":
        return await plugin.stop!();
      case "hand on":
        try {
          metricLists();
          what.port.postMessage(copy.subject);
        } finally {
          what.port.close();
        }
    }
  };

  port.on("message", async (message: ToThread) => {
    if ("piece" in message) {
      coming = undefined;
      take(copy, message.piece);
    } else if ("from" in message) {
      const { from } = message;
      coming = new Promise((resolve) =>
        from.once("message", (subject) => {
          from.close();
          copy = { subject, kinds: [] };
          for (const metrics of metricLists()) {
            for (const metric of metrics) Object.freeze(metric?.extra);
          }
          resolve();
        })
      );
    } else if ("forget" in message) {
      copy = { kinds: [] };
    } else {
      const { call, what } = message;
      try {
        const value = await perform(what);
        say({ call, value: what.do === "getPlugin" ? value : undefined });
      } catch (thrown) {
        say({ call, reason: reasonOf(thrown) });
      }
    }
  });

  // Else the runtime writes these to stderr itself, and with a stack.
  globalThis.addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    say({ fault: reasonOf(event.reason) });
  });
  globalThis.addEventListener("error", (event) => {
    event.preventDefault();
    say({ fault: reasonOf(event.error ?? event.message) });
  });

  const MOST_LINES = 100;
  const MOST_CHARACTERS = 2000;
  let minute = 0;
  let lines = 0;
  const log = (level: LogLevel) => (...parts: unknown[]) => {
    const now = Math.floor(performance.now() / 60_000);
    if (now !== minute) {
      minute = now;
      lines = 0;
    }
    if (++lines > MOST_LINES) return;
    const text = parts.map((part) =>
      typeof part === "string" ? part : Deno.inspect(part)
    ).join(" ").slice(0, MOST_CHARACTERS);
    say({ level, text });
    if (lines === MOST_LINES) {
      say({ level: "warn", text: "more lines in this minute are left out" });
    }
  };
  Object.assign(console, {
    debug: log("debug"),
    log: log("info"),
    info: log("info"),
    warn: log("warn"),
    error: log("error"),
  });
}
