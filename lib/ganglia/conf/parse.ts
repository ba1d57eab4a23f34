import { dirname, join } from "@std/path";
import { UserError } from "../../errors.ts";
import { oneLine } from "../../text.ts";
import {
  type ConfDraft,
  finishDraft,
  type GmetadConf,
  newDraft,
  type SectionLine,
} from "./conf.ts";
import { Directive } from "./directive.ts";
import { findDirective, isDirective, noSuchDirective } from "./directives.ts";
import { type ConfFiles, includedFiles, isPattern } from "./include.ts";
import { Lines } from "./lines.ts";
import {
  asUserError,
  Mistake,
  type Place,
  quote,
  type Remark,
  remarkLine,
  Remarks,
  TooManyErrors,
  where,
} from "./remarks.ts";
import {
  nameIn,
  readStatement,
  sectionIn,
  type Statement,
} from "./statement.ts";
import { readWords, type Word } from "./words.ts";

/** Characters of all files together. */
const MAX_CHARACTERS = 4 * 1024 * 1024;
/** Files that are included by one that is included by one … */
const MAX_DEPTH = 8;
/** Files in all. */
const MAX_FILES = 256;

/** What {@linkcode parseGmetadConf} needs besides the text: it does no I/O itself. */
export interface ParseOptions {
  /** The value of an environment variable. */
  env(name: string): string | undefined;
  /** For `Include`. Left out: files cannot be included. */
  readonly files?: ConfFiles;
}

/** Everything that is to be said about a file, and what it amounts to. */
export interface ConfReading {
  /** Without what is wrong. */
  readonly conf: GmetadConf;
  /** In the order of the lines. */
  readonly remarks: readonly Remark[];
}

/**
 * What the text of a gmetad.conf says. `docs/gmetad-conf.md` is the reference.
 *
 * The grammar is that of the C gmetad 3.7.2, and the sections of gmetad-python besides.
 *
 * @param path Where it is from, for messages and for files that it includes.
 * @throws UserError naming the first mistake with file, line and column, and how many more there are.
 */
export function parseGmetadConf(
  text: string,
  path: string,
  options: ParseOptions,
): GmetadConf {
  const { conf, remarks } = readGmetadConf(text, path, options);
  const errors = remarks.filter(({ kind }) => kind === "error");
  if (errors.length > 0) throw asUserError(errors, path);
  return conf;
}

/**
 * As {@linkcode parseGmetadConf}, but says what each line means and what is wrong with it.
 *
 * @throws UserError when the text is too long.
 */
export function readGmetadConf(
  text: string,
  path: string,
  options: ParseOptions,
): ConfReading {
  return new Parser(path, options).parse(text);
}

/** A file that is being read. */
interface OpenFile {
  readonly path: string;
  readonly lines: Lines;
  /** The directory of files that it includes by a relative name. */
  includePath: string | undefined;
  /** It, and before it those that led to it. */
  readonly chain: readonly string[];
}

class Parser {
  readonly #path: string;
  readonly #options: ParseOptions;
  readonly #draft: ConfDraft;
  readonly #remarks = new Remarks();
  /** Where each directive was last. */
  readonly #directives = new Map<string, Place>();
  /** Where each section begins. */
  readonly #sections = new Map<string, Place>();
  #characters = 0;
  #files = 0;

  constructor(path: string, options: ParseOptions) {
    this.#path = path;
    this.#options = options;
    this.#draft = newDraft(path);
  }

  parse(text: string): ConfReading {
    const tooMuch = this.#tooMuch(text);
    if (tooMuch) throw new UserError(`${oneLine(this.#path)}: ${tooMuch}`);
    try {
      this.#file(text, this.#path, []);
      if (this.#remarks.errors === 0) this.#checkTogether();
    } catch (error) {
      if (!(error instanceof TooManyErrors)) throw error;
    }
    const remarks = this.#remarks.all;
    const warnings = remarks.filter(({ kind }) => kind === "warning");
    return {
      conf: finishDraft(this.#draft, warnings.map(remarkLine)),
      remarks,
    };
  }

  /** Counts a text in, and says if it is one too many. */
  #tooMuch(text: string): string | undefined {
    this.#characters += text.length;
    if (this.#characters > MAX_CHARACTERS) {
      return `there are more than ${MAX_CHARACTERS} characters; make it shorter`;
    }
    if (++this.#files > MAX_FILES) {
      return `there are more than ${MAX_FILES} files`;
    }
  }

  #file(text: string, path: string, chain: readonly string[]): void {
    const lines = new Lines(text, path);
    const file: OpenFile = {
      path,
      lines,
      includePath: this.#options.env("DC_INCLUDEPATH") || undefined,
      chain: [...chain, path],
    };
    for (let line; (line = lines.next(beginsAnew));) {
      const statement = readStatement(line);
      if (!statement) continue;
      if (statement.name.startsWith("#")) this.#comment(statement);
      else this.#statement(file, statement);
    }
  }

  /** A line that follows a comment with a backslash at its end is part of it, as in the C gmetad. */
  #comment({ line, place }: Statement): void {
    const lost = line.continuations.find((text) =>
      isDirective(nameIn(text) ?? "")
    );
    if (lost === undefined) return;
    this.#remarks.warn(
      `the comment ends with a backslash, which makes ${
        quote(lost.trim())
      } part of it`,
      place,
    );
  }

  #statement(file: OpenFile, statement: Statement): void {
    const { line, place } = statement;
    try {
      const id = sectionIn(line.text);
      if (id !== undefined) this.#section(file, id, place);
      else if (/^include(?:path)?$/i.test(statement.name)) {
        this.#include(file, statement);
      } else this.#directive(file, statement);
    } catch (error) {
      if (!(error instanceof Mistake)) throw error;
      this.#remarks.error(error.message, error.place);
    }
    if (line.blanksBehind) {
      this.#remarks.warn(
        "the C gmetad does not take a line to go on after a backslash that blanks follow; remove them",
        place,
      );
    }
  }

  #directive(file: OpenFile, statement: Statement): void {
    const { line, place } = statement;
    const kind = findDirective(statement.name);
    if (!kind) throw new Mistake(unknown(statement), place);
    const warnings: [message: string, place: Place][] = [];
    try {
      const words = hereDocument(file.lines, statement) ??
        this.#words(kind.name, statement, (...warning) => {
          warnings.push(warning);
        });
      const directive = new Directive({
        name: kind.name,
        place,
        words,
        placeOf: (word) => line.place(word.offset),
        draft: this.#draft,
      }, {
        means: (meaning) => this.#remarks.means(meaning, place),
        warn: (...warning) => warnings.push(warning),
      });
      kind.read(directive);
    } finally {
      // What a line means is said before what there is to say against it.
      for (const warning of warnings) this.#remarks.warn(...warning);
    }
    const before = this.#directives.get(kind.name);
    if (before && !kind.adds) {
      this.#remarks.warn(
        `${kind.name}: is in ${where(before, place)} already; this one counts`,
        place,
      );
    }
    this.#directives.set(kind.name, place);
  }

  #words(
    name: string,
    { line, offset }: Statement,
    warn: (message: string, place: Place) => void,
  ): readonly Word[] {
    return readWords(line, offset, {
      env: this.#options.env,
      warn: (message, offset) =>
        warn(`${name}: ${message}`, line.place(offset)),
    });
  }

  #section(file: OpenFile, id: string, place: Place): void {
    this.#remarks.means(
      `what stands in {} is for the plugin ${quote(id)}`,
      place,
    );
    const before = this.#sections.get(id);
    if (before) {
      this.#remarks.warn(
        `the section ${quote(id)} is in ${
          where(before, place)
        } already; this one counts`,
        place,
      );
    }
    this.#sections.set(id, place);
    const lines: SectionLine[] = [];
    this.#draft.sections.set(id, lines);
    for (let line; (line = file.lines.next(() => false));) {
      const statement = readStatement(line);
      if (!statement || statement.name.startsWith("#")) continue;
      const { name, place } = statement;
      if (name === "}" && /^\s*(?:#|$)/.test(statement.rest)) return;
      const text = statement.rest.trim();
      lines.push({ directive: name, text, place });
      this.#remarks.means(
        `for the plugin ${quote(id)}: ${`${name} ${text}`.trim()}`,
        place,
      );
    }
    this.#remarks.warn(
      `the section ${
        quote(id)
      } is not closed with "}"; it goes to the end of the file`,
      place,
    );
  }

  #include(file: OpenFile, statement: Statement): void {
    const { name, place } = statement;
    const fail = (message: string): never => {
      throw new Mistake(`${name}: ${message}`, place);
    };
    const [word] = this.#words(
      name,
      statement,
      (...warning) => this.#remarks.warn(...warning),
    );
    if (!word?.text) return fail("expected a path after it");
    if (/path$/i.test(name)) {
      file.includePath = word.text.startsWith("/")
        ? word.text
        : join(dirname(file.path), word.text);
      this.#remarks.means(
        `files to include are looked for in ${file.includePath}`,
        place,
      );
      return;
    }
    const { files } = this.#options;
    if (!files) return fail("files cannot be included here");
    if (file.chain.length > MAX_DEPTH) {
      return fail(`more than ${MAX_DEPTH} files include each other`);
    }
    let found = 0;
    try {
      for (
        const { path, read } of includedFiles(
          word.text,
          file.path,
          file.includePath,
          files,
        )
      ) {
        if (file.chain.includes(path)) fail(`${quote(path)} includes itself`);
        const text = read();
        if (text === undefined) continue;
        found++;
        const tooMuch = this.#tooMuch(text);
        if (tooMuch) fail(tooMuch);
        this.#remarks.means(`${path} is read here`, place);
        this.#file(text, path, file.chain);
      }
    } catch (error) {
      if (error instanceof UserError) fail(error.message);
      throw error;
    }
    if (found > 0) return;
    if (!isPattern(word.text)) fail(`there is no file ${quote(word.text)}`);
    this.#remarks.warn(`${name}: no file is ${quote(word.text)}`, place);
  }

  /** What can only be said when all is known. */
  #checkTogether(): void {
    if (this.#draft.dataSources.size === 0) {
      this.#remarks.warn(
        "there is no data_source, so no gmond is polled",
        { path: this.#path, line: 1, column: 1 },
      );
    }
    if (this.#draft.carbon.server !== undefined) return;
    for (const [name, place] of this.#directives) {
      if (!/^(?:carbon|graphite)_/.test(name)) continue;
      this.#remarks.warnAfterwards(
        `${name}: it has no effect without carbon_server`,
        place,
      );
    }
  }
}

/** Whether a line is no continuation of one that ends with a backslash and blanks. */
function beginsAnew(line: string): boolean {
  const name = nameIn(line);
  return name === undefined || name.startsWith("#") || isDirective(name) ||
    sectionIn(line) !== undefined;
}

/** What to say of a line that is neither a directive nor a section. */
function unknown({ name, rest }: Statement): string {
  if (name === "}") return '"}" closes no section';
  if (/^[ \t]*\{/.test(rest)) {
    return `a section begins with ${quote(`${name} {`)} alone on a line, ` +
      'and ends with "}" alone on a line';
  }
  return noSuchDirective(name);
}

/**
 * After `NAME <<END`: the only word of the directive, which is made of the lines up to one that
 * begins with END.
 */
function hereDocument(
  lines: Lines,
  { rest, offset, place }: Statement,
): readonly Word[] | undefined {
  const [, begin, end] = /^([ \t\r\v\f]*)<<[ \t\r\v\f]*(\S+)/.exec(rest) ??
    [];
  if (end === undefined) return undefined;
  const text: string[] = [];
  for (let line; (line = lines.nextPlain()) !== undefined;) {
    if (line.startsWith(end)) {
      return [{ text: text.join("\n"), offset: offset + begin.length }];
    }
    text.push(line);
  }
  throw new Mistake(
    `expected a line that begins with ${quote(end)} after this text`,
    place,
  );
}
