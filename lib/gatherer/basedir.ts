import { join } from "@std/path";
import {
  formatIdentity,
  generateIdentity,
  type Identity,
  parseIdentity,
} from "../foolscap/certificate.ts";
import { parseFurl, parseHint } from "../foolscap/furl.ts";
import { removeFile, replaceFile, syncDirectoryOf } from "../durable_file.ts";
import { messageOf, UserError } from "../errors.ts";
import { readSecret, reasonOf, writeSecret } from "../secret_file.ts";

/** The Tub's key and certificate. */
const IDENTITY_NAME = "stats_gatherer.pem";
const FURL_NAME = "stats_gatherer.furl";

/**
 * A gatherer's home: its key, its FURL, where it listens, its snapshot. The files are laid out
 * as Tahoe-LAFS's stats gatherer laid them out (`stats_gatherer.pem`, `.furl`, `port`, `location`).
 */
export class BaseDir {
  /** Complaints about what was found, for the log. */
  readonly complaints: string[] = [];

  /** Which directory it is, whatever its name: it may be mounted, moved or removed. */
  #place: Place;
  /** What is in the identity's file. */
  #identityText: string | undefined;

  private constructor(readonly path: string, place: Place) {
    this.#place = place;
  }

  /**
   * Opens a base directory; one that does not exist is made.
   * @param mode Permissions of a new one. One that is there already loses others' permissions
   *   when these have none for them.
   * @throws UserError when it can be neither found nor made, or not be narrowed.
   */
  static async open(path: string, mode: number): Promise<BaseDir> {
    try {
      await Deno.mkdir(path, { mode });
      await Deno.chmod(path, mode);
      await syncDirectoryOf(path.replace(/\/+$/, ""));
    } catch (error) {
      if (!(error instanceof Deno.errors.AlreadyExists)) {
        throw new UserError(
          `cannot make the base directory ${path}: ${reasonOf(error)}`,
        );
      }
      const info = await Deno.stat(path).catch(() => undefined);
      if (!info?.isDirectory) {
        throw new UserError(`the base directory ${path} is not a directory`);
      }
      await narrow(path, info.mode, mode);
    }
    const basedir = new BaseDir(path, await Deno.stat(path));
    for (const name of [IDENTITY_NAME, FURL_NAME, "port", "location"]) {
      // Left by a write that was cut short; the next one can do without this.
      await removeFile(`${basedir.file(name)}.tmp`).catch(() => {});
    }
    return basedir;
  }

  /**
   * Makes sure that the directory is the one that was opened, or has come back elsewhere with this
   * gatherer's key in it. To be asked before something is written into it: where a file system was
   * mounted there may be an empty directory now, and its operator must not find a second home there.
   * @throws UserError when it is gone or another one.
   */
  async check(): Promise<void> {
    const { path } = this;
    let found: Place;
    try {
      found = await Deno.stat(path);
    } catch (error) {
      throw new UserError(
        error instanceof Deno.errors.NotFound
          ? `the base directory ${path} is gone; put it back`
          : `cannot look at the base directory ${path}: ${reasonOf(error)}`,
      );
    }
    const { dev, ino } = this.#place;
    if (found.dev === dev && found.ino === ino) return;
    const key = await Deno.readTextFile(this.file(IDENTITY_NAME))
      .catch(() => undefined);
    if (key === undefined || key !== this.#identityText) {
      throw new UserError(
        `the base directory ${path} is another one than at the start, without this gatherer's key: ` +
          "nothing is written into it; put back the one that was there, or start the gatherer again",
      );
    }
    this.#place = found;
  }

  /** The path of a file in the directory. */
  file(name: string): string {
    return join(this.path, name);
  }

  /**
   * The Tub's key and certificate; made on the first start.
   * @throws UserError when the file is there but unusable. It is never overwritten.
   */
  async identity(): Promise<Identity> {
    const path = this.file(IDENTITY_NAME);
    const found = await this.#readSecret(path);
    if (found === undefined) {
      const identity = await generateIdentity();
      const text = formatIdentity(identity);
      await this.#write(path, () => writeSecret(path, text));
      this.#identityText = text;
      return identity;
    }
    this.#identityText = found;
    try {
      return parseIdentity(found);
    } catch (error) {
      throw new UserError(
        `cannot use ${path}: ${
          messageOf(error)
        }; restore it from a backup, or move it away ` +
          "to get a new identity and with it a new FURL",
      );
    }
  }

  /**
   * The swissnum of the FURL that was given out before, or `undefined`.
   * @throws UserError when the file is unusable or belongs to another key.
   */
  async swissnum(tubid: string): Promise<string | undefined> {
    const path = this.file(FURL_NAME);
    const found = await this.#readSecret(path);
    if (found === undefined) return undefined;
    let furl;
    try {
      furl = parseFurl(found);
    } catch (error) {
      throw new UserError(
        `cannot use ${path}: ${
          messageOf(error)
        }; restore it, or move it away to get a new FURL`,
      );
    }
    if (furl.tubid !== tubid) {
      throw new UserError(
        `${path} names another Tub than stats_gatherer.pem is; put the right file beside it, ` +
          "or move the FURL away to get a new one",
      );
    }
    return furl.name;
  }

  /** Keeps the FURL, unless the file says the same already. */
  async saveFurl(furl: string): Promise<void> {
    const path = this.file(FURL_NAME);
    const found = await readSecret(path);
    if (found?.text.trim() === furl) return;
    await this.#write(path, () => writeSecret(path, `${furl}\n`));
  }

  /**
   * The port of earlier starts.
   * @throws UserError when the file says something else than a port.
   */
  async port(): Promise<number | undefined> {
    const path = this.file("port");
    const text = await this.#readText(path);
    if (text === undefined) return undefined;
    return parsePort(text.trim(), path);
  }

  /**
   * The location hints of earlier starts.
   * @throws UserError when the file says something else than hints.
   */
  async location(): Promise<string[] | undefined> {
    const path = this.file("location");
    const text = await this.#readText(path);
    return text === undefined ? undefined : parseLocation(text.trim(), path);
  }

  /** Keeps where the gatherer listens and is reached, where the files do not say so already. */
  async saveAddress(port: number, hints: readonly string[]): Promise<void> {
    await this.#saveText("port", `tcp:${port}\n`);
    await this.#saveText("location", `${hints.join(",")}\n`);
  }

  async #saveText(name: string, text: string): Promise<void> {
    const path = this.file(name);
    if (await this.#readText(path) === text) return;
    await this.#write(path, () => replaceFile(path, text, 0o644));
  }

  /** An empty file says nothing: a crash may have left it so. */
  async #readText(path: string): Promise<string | undefined> {
    try {
      return await Deno.readTextFile(path) || undefined;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return undefined;
      throw new UserError(`cannot read ${path}: ${reasonOf(error)}`);
    }
  }

  async #readSecret(path: string): Promise<string | undefined> {
    const found = await readSecret(path);
    if (found?.complaint) this.complaints.push(found.complaint);
    return found?.text;
  }

  async #write(path: string, write: () => Promise<void>): Promise<void> {
    try {
      await write();
    } catch (error) {
      throw new UserError(`cannot write ${path}: ${reasonOf(error)}`);
    }
  }
}

/** What the system knows a directory by. */
interface Place {
  readonly dev: number;
  readonly ino: number | null;
}

/** Takes permissions from a directory that are not in `mode`. */
async function narrow(
  path: string,
  found: number | null,
  mode: number,
): Promise<void> {
  // Others may have been given more than the default on purpose: only "--private" is an order.
  if (found === null || (mode & 0o077) !== 0 || (found & 0o077) === 0) return;
  try {
    await Deno.chmod(path, found & 0o7700);
  } catch (error) {
    throw new UserError(
      `cannot make the base directory ${path} private: ${reasonOf(error)}`,
    );
  }
}

/**
 * A port as Tahoe writes it: `tcp:PORT`, or the number alone.
 * @param where Named in the message: a file or an option.
 * @throws UserError when it is none.
 */
export function parsePort(text: string, where: string): number {
  const match = /^(?:tcp:)?(\d{1,5})$/.exec(text);
  const port = match ? Number(match[1]) : NaN;
  if (!(port <= 65535)) {
    throw new UserError(
      `${where}: "${text}" is not a port; expected tcp:PORT, such as tcp:3456`,
      where.startsWith("--") ? 2 : 1,
    );
  }
  return port;
}

/**
 * Location hints as Tahoe writes them, split at commas.
 * @throws UserError when one of them leads nowhere.
 */
export function parseLocation(text: string, where: string): string[] {
  const hints = text.split(",").map((hint) => hint.trim());
  for (const hint of hints) {
    if (parseHint(hint)) continue;
    throw new UserError(
      `${where}: "${hint}" is not a location hint; expected tcp:HOST:PORT, ` +
        "several separated by commas",
      where.startsWith("--") ? 2 : 1,
    );
  }
  return hints;
}
