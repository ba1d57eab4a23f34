/**
 * Stands between a program and its file system: sees everything that is done to the files of one
 * directory, and can make it fail, come to a halt half way, or be the last thing that is done.
 *
 * @module
 */

/** One thing that is done to a directory. Paths are below it, without its own. */
export type Operation =
  | { kind: "mkdir"; path: string; mode: number }
  | {
    kind: "open";
    path: string;
    handle: number;
    create: boolean;
    truncate: boolean;
    append: boolean;
    mode: number;
  }
  | { kind: "write"; handle: number; path: string; bytes: Uint8Array }
  | { kind: "seek"; handle: number; path: string; position: number }
  | { kind: "truncate"; handle: number; path: string; size: number }
  | { kind: "sync"; handle: number; path: string }
  | { kind: "sync-directory"; path: string }
  | { kind: "rename"; from: string; to: string }
  | { kind: "link"; from: string; to: string }
  | { kind: "remove"; path: string }
  | { kind: "chmod"; path: string; mode: number };

/** What is done before an operation. */
export interface Watcher {
  /**
   * Throws what the system would throw, or does not return.
   * @returns How many bytes of a write are written; nothing: all.
   */
  before?(operation: Operation): number | void;
  /** Told of what has been done, or of what the system refused to do. */
  after?(operation: Operation, isDone: boolean): void;
}

/** An error as the system has it. */
export function systemError(code: string): Error {
  const [text, number] = {
    ENOSPC: ["No space left on device", 28],
    EROFS: ["Read-only file system", 30],
    EIO: ["Input/output error", 5],
    EMFILE: ["Too many open files", 24],
  }[code]!;
  return Object.assign(new Error(`${text} (os error ${number})`), { code });
}

interface Handle {
  readonly number: number;
  /** Below the directory. */
  readonly path: string;
  readonly writes: boolean;
}

/** What changes files and is not watched: nothing may use it without our noticing. */
const UNWATCHED = [
  "copyFile",
  "create",
  "symlink",
  "truncate",
  "writeFile",
  "writeTextFile",
  "copyFileSync",
  "createSync",
  "linkSync",
  "mkdirSync",
  "openSync",
  "removeSync",
  "renameSync",
  "symlinkSync",
  "truncateSync",
  "writeFileSync",
  "writeTextFileSync",
] as const;

// deno-lint-ignore no-explicit-any
type Patchable = Record<string, any>;

/**
 * Puts the layer in, for everything below the directory `root` and `root` itself.
 *
 * @param root As the program names it.
 * @returns What takes it out again.
 */
export function watchFiles(root: string, watcher: Watcher): Disposable {
  const undo: (() => void)[] = [];
  const handles = new WeakMap<Deno.FsFile, Handle>();
  let nextHandle = 1;

  const below = (path: unknown): string | undefined => {
    if (typeof path !== "string") return undefined;
    const plain = path.replace(/\/+$/, "");
    if (plain === root) return "";
    return plain.startsWith(`${root}/`)
      ? plain.slice(root.length + 1)
      : undefined;
  };
  const patch = (
    target: Patchable,
    name: string,
    // deno-lint-ignore no-explicit-any
    make: (original: any) => any,
  ) => {
    const original = target[name];
    Object.defineProperty(target, name, {
      value: make(original),
      configurable: true,
      writable: true,
    });
    undo.push(() =>
      Object.defineProperty(target, name, {
        value: original,
        configurable: true,
        writable: true,
      })
    );
  };
  const perform = async <T>(
    operation: Operation,
    run: () => Promise<T>,
  ): Promise<T> => {
    watcher.before?.(operation);
    let isDone = false;
    try {
      const result = await run();
      isDone = true;
      return result;
    } finally {
      watcher.after?.(operation, isDone);
    }
  };
  /** A function whose first argument is a path. */
  const watch = (
    name: string,
    describe: (path: string, ...rest: unknown[]) => Operation | undefined,
  ) =>
    patch(Deno, name, (original) => (path: unknown, ...rest: unknown[]) => {
      const inside = below(path);
      const operation = inside === undefined
        ? undefined
        : describe(inside, ...rest);
      const run = () => original.call(Deno, path, ...rest);
      return operation ? perform(operation, run) : run();
    });

  watch("mkdir", (path, options) => ({
    kind: "mkdir",
    path,
    mode: (options as Deno.MkdirOptions | undefined)?.mode ?? 0o777,
  }));
  watch("remove", (path) => ({ kind: "remove", path }));
  watch("chmod", (path, mode) => ({
    kind: "chmod",
    path,
    mode: mode as number,
  }));
  watch("rename", (from, to) => ({ kind: "rename", from, to: below(to)! }));
  watch("link", (from, to) => ({ kind: "link", from, to: below(to)! }));
  patch(
    Deno,
    "open",
    (original: typeof Deno.open) =>
    async (
      path: string,
      options: Deno.OpenOptions = { read: true },
    ) => {
      const inside = below(path);
      if (inside === undefined) return await original(path, options);
      const { write, append, create, createNew, truncate, mode } = options;
      const writes = (write ?? append) === true;
      const handle = { number: nextHandle++, path: inside, writes };
      const open = () => original(path, options);
      const file = writes
        ? await perform({
          kind: "open",
          path: inside,
          handle: handle.number,
          create: (create ?? createNew) === true,
          truncate: truncate === true,
          append: append === true,
          mode: mode ?? 0o666,
        }, open)
        : await open();
      handles.set(file, handle);
      return file;
    },
  );
  for (const name of UNWATCHED) {
    patch(
      Deno,
      name,
      (original) => (path: unknown, ...rest: unknown[]) => {
        const isRead = name === "openSync" && isReading(rest[0]);
        if (below(path) !== undefined && !isRead) {
          throw new Error(`the file layer does not know Deno.${name}`);
        }
        return original.call(Deno, path, ...rest);
      },
    );
  }

  const files = Deno.FsFile.prototype as unknown as Patchable;
  /** A method of an open file of which only one kind is watched. */
  const watchFile = (
    name: string,
    describe: (
      handle: Handle,
      ...args: unknown[]
    ) => Operation | undefined | Promise<Operation | undefined>,
  ) =>
    patch(
      files,
      name,
      (original) =>
        async function (this: Deno.FsFile, ...args: unknown[]) {
          const handle = handles.get(this);
          const operation = handle && await describe(handle, ...args);
          const run = () => original.apply(this, args);
          return operation ? await perform(operation, run) : await run();
        },
    );
  patch(
    files,
    "write",
    (original) =>
      async function (this: Deno.FsFile, bytes: Uint8Array) {
        const handle = handles.get(this);
        if (!handle) return await original.call(this, bytes);
        const operation: Operation = {
          kind: "write",
          handle: handle.number,
          path: handle.path,
          bytes: bytes.slice(),
        };
        let most = bytes.length;
        const short = watcher.before?.(operation);
        if (short !== undefined) most = short;
        let isDone = false;
        try {
          const written: number = await original.call(
            this,
            bytes.subarray(0, most),
          );
          operation.bytes = operation.bytes.subarray(0, written);
          isDone = true;
          return written;
        } finally {
          watcher.after?.(operation, isDone);
        }
      },
  );
  watchFile("truncate", ({ number, path }, size) => ({
    kind: "truncate",
    handle: number,
    path,
    size: size as number ?? 0,
  }));
  watchFile("seek", ({ number, path, writes }, position) =>
    writes
      ? {
        kind: "seek",
        handle: number,
        path,
        position: Number(position),
      }
      : undefined);
  for (const name of ["sync", "syncData"]) {
    watchFile(
      name,
      ({ number, path, writes }) =>
        writes
          ? { kind: "sync", handle: number, path }
          : { kind: "sync-directory", path },
    );
  }
  for (const name of ["writeSync", "truncateSync"]) {
    patch(
      files,
      name,
      (original) =>
        function (this: Deno.FsFile, ...args: unknown[]) {
          if (handles.has(this)) {
            throw new Error(`the file layer does not know FsFile.${name}`);
          }
          return original.apply(this, args);
        },
    );
  }
  return {
    [Symbol.dispose]() {
      for (const step of undo.reverse()) step();
    },
  };
}

function isReading(options: unknown): boolean {
  const { write, append } = (options ?? {}) as Deno.OpenOptions;
  return !write && !append;
}
