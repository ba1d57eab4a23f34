/**
 * What may be on a disk after a crash: a model of a file system that has been told to do something,
 * and keeps only what it was told to flush, or more.
 *
 * The names in a directory change in order, and all changes up to one are kept or lost with it;
 * different directories and the contents of files are kept or lost independently of each other. A
 * directory's names are safe once the directory was flushed, a file's content once the file was.
 *
 * @module
 */
import type { Operation } from "./file_layer.ts";

interface File {
  bytes: Uint8Array;
  /** What has been flushed. */
  safe: Uint8Array;
  mode: number;
}

type Names = ReadonlyMap<string, File | Directory>;

interface Directory {
  /** Since it was flushed last, oldest first; the last one is the present. */
  versions: Names[];
  mode: number;
}

interface Handle {
  readonly file: File;
  readonly append: boolean;
  position: number;
}

/** How much of what was not flushed has survived. */
export interface Survival {
  /** Of a number of versions of a directory, which one: 0 is the flushed one. */
  names(path: string, versions: number): number;
  /** The content of a file of which only `safe` is flushed. */
  content(path: string, safe: Uint8Array, bytes: Uint8Array): Uint8Array;
}

/** Nothing is lost: the program died, the system did not. */
export const everything: Survival = {
  names: (_path, versions) => versions - 1,
  content: (_path, _safe, bytes) => bytes,
};

/** A file system with one directory in it. */
export class DiskModel {
  readonly #top: Directory = { versions: [new Map()], mode: 0o755 };
  readonly #handles = new Map<number, Handle>();

  /** Does what a program did. */
  apply(operation: Operation): void {
    switch (operation.kind) {
      case "mkdir":
        // The directory that is watched itself is always there.
        if (operation.path !== "") {
          this.#change(operation.path, (names, name) =>
            names.set(name, {
              versions: [new Map()],
              mode: operation.mode,
            }));
        }
        return;
      case "open":
        return this.#open(operation);
      case "write":
        return this.#write(operation.handle, operation.bytes);
      case "seek":
        this.#handles.get(operation.handle)!.position = operation.position;
        return;
      case "truncate": {
        const { file } = this.#handles.get(operation.handle)!;
        const bytes = new Uint8Array(operation.size);
        bytes.set(file.bytes.subarray(0, operation.size));
        file.bytes = bytes;
        return;
      }
      case "sync": {
        const { file } = this.#handles.get(operation.handle)!;
        file.safe = file.bytes;
        return;
      }
      case "sync-directory": {
        const directory = this.#directory(operation.path);
        directory.versions = directory.versions.slice(-1);
        return;
      }
      case "rename": {
        const { from, to } = operation;
        const node = this.#find(from)!;
        const target = this.#find(to);
        // Of two names of one file a rename leaves both.
        if (target === node) return;
        if (parentOf(from) !== parentOf(to)) {
          throw new Error("the model knows no rename into another directory");
        }
        this.#change(to, (names, name) => {
          names.delete(nameOf(from));
          names.set(name, node);
        });
        return;
      }
      case "link": {
        const node = this.#find(operation.from)!;
        this.#change(operation.to, (names, name) => names.set(name, node));
        return;
      }
      case "remove":
        this.#change(operation.path, (names, name) => names.delete(name));
        return;
      case "chmod": {
        const node = operation.path === ""
          ? this.#top
          : this.#find(operation.path)!;
        node.mode = operation.mode;
      }
    }
  }

  /**
   * What would be found after a crash now: the content of each file by its path, `undefined` for a
   * directory.
   */
  after(survival: Survival): Map<string, Uint8Array | undefined> {
    const found = new Map<string, Uint8Array | undefined>();
    const walk = (path: string, directory: Directory) => {
      const { versions } = directory;
      const names = versions[survival.names(path, versions.length)];
      for (const [name, node] of names) {
        const inside = path === "" ? name : `${path}/${name}`;
        if ("versions" in node) {
          found.set(inside, undefined);
          walk(inside, node);
        } else {
          const { safe, bytes } = node;
          found.set(
            inside,
            safe === bytes ? bytes : survival.content(inside, safe, bytes),
          );
        }
      }
    };
    walk("", this.#top);
    return found;
  }

  #open(
    { path, handle, create, truncate, append, mode }: Extract<
      Operation,
      { kind: "open" }
    >,
  ): void {
    let file = this.#find(path) as File | undefined;
    if (!file) {
      if (!create) throw new Error(`${path} was opened and is not there`);
      const none = new Uint8Array();
      const made: File = { bytes: none, safe: none, mode };
      this.#change(path, (names, name) => names.set(name, made));
      file = made;
    }
    if (truncate) file.bytes = new Uint8Array();
    this.#handles.set(handle, { file, append, position: 0 });
  }

  #write(number: number, piece: Uint8Array): void {
    const handle = this.#handles.get(number)!;
    const { file } = handle;
    const at = handle.append ? file.bytes.length : handle.position;
    const bytes = new Uint8Array(
      Math.max(file.bytes.length, at + piece.length),
    );
    bytes.set(file.bytes);
    bytes.set(piece, at);
    file.bytes = bytes;
    handle.position = at + piece.length;
  }

  #change(
    path: string,
    change: (names: Map<string, File | Directory>, name: string) => void,
  ): void {
    const directory = this.#directory(parentOf(path));
    const names = new Map(directory.versions.at(-1)!);
    change(names, nameOf(path));
    directory.versions.push(names);
  }

  #find(path: string): File | Directory | undefined {
    return this.#directory(parentOf(path)).versions.at(-1)!.get(nameOf(path));
  }

  #directory(path: string): Directory {
    return path === "" ? this.#top : this.#find(path) as Directory;
  }
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}
