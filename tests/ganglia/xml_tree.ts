/**
 * A strict reader of XML for tests, independent of the program's own: it throws at whatever is not
 * well-formed, and knows no more than gmetad's documents need.
 */

/** An element with its attributes in order. */
export interface Element {
  readonly tag: string;
  readonly attributes: ReadonlyMap<string, string>;
  readonly children: Element[];
}

/** A document. */
export interface Document {
  readonly root: Element;
  /** What stands between the brackets of the DOCTYPE. */
  readonly dtd: string;
}

const NAME = "[A-Za-z_][\\w.-]*";

/** ISO-8859-1; the runtime's decoder of that name is of windows-1252. */
export function latin1(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192) {
    text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  }
  return text;
}

/** @throws Error with the offset at which a document is not well-formed. */
export function parseXml(bytes: Uint8Array): Document {
  const text = latin1(bytes);
  let at = 0;
  const fail = (what: string): never => {
    throw new Error(
      `${what} at ${at}: ${JSON.stringify(text.slice(at, at + 80))}`,
    );
  };
  const take = (pattern: string): RegExpExecArray | null => {
    const found = new RegExp(pattern, "y");
    found.lastIndex = at;
    const match = found.exec(text);
    if (match) at += match[0].length;
    return match;
  };
  take(
    '<\\?xml version="1\\.0" encoding="ISO-8859-1" standalone="yes"\\?>\\s*',
  ) ??
    fail("no declaration");
  const dtd = take("<!DOCTYPE GANGLIA_XML \\[([^\\]]*)\\]>\\s*")?.[1] ?? "";

  const stack: Element[] = [];
  let root: Element | undefined;
  while (at < text.length) {
    const blank = take("[^<]+");
    if (blank && !/^[ \t\r\n]*$/.test(blank[0])) fail("text");
    if (at === text.length) break;
    const end = take(`</(${NAME})\\s*>`);
    if (end) {
      const open = stack.pop();
      if (open?.tag !== end[1]) fail(`the end of ${end[1]} in ${open?.tag}`);
      continue;
    }
    const start = take(`<(${NAME})`) ?? fail("no tag");
    const attributes = new Map<string, string>();
    for (let found; (found = take(`\\s+(${NAME})\\s*=\\s*"([^"<]*)"`));) {
      if (attributes.has(found[1])) fail(`${found[1]} twice`);
      attributes.set(found[1], unescapeXml(found[2]));
    }
    const close = take("\\s*(/?)>") ?? fail("no end of a tag");
    const element = { tag: start[1], attributes, children: [] };
    const parent = stack.at(-1);
    if (parent) parent.children.push(element);
    else if (root) fail("a second root");
    else root = element;
    if (close[1] === "") stack.push(element);
  }
  if (stack.length > 0) fail(`no end of ${stack.at(-1)!.tag}`);
  return { root: root ?? fail("no root"), dtd };
}

/** @throws Error at an ampersand, a character or a reference that XML does not know. */
function unescapeXml(text: string): string {
  const named: Record<string, string> = {
    amp: "&",
    lt: "<",
    gt: ">",
    quot: '"',
    apos: "'",
  };
  // deno-lint-ignore no-control-regex
  if (/[\0-\x08\x0b\x0c\x0e-\x1f]/.test(text)) {
    throw new Error("a control character");
  }
  // XML 1.0, 3.3.3: blanks of any kind become spaces, unless they are references.
  return text.replace(/[\t\r\n]/g, " ").replace(
    /&(?:#(\d+);|#x([0-9a-f]+);|(\w+);)?/gi,
    (_, decimal?: string, hex?: string, name?: string) => {
      if (name !== undefined && named[name]) return named[name];
      const code = decimal !== undefined
        ? Number(decimal)
        : parseInt(hex ?? "", 16);
      const isCharacter = code === 9 || code === 10 || code === 13 ||
        (code >= 0x20 && code <= 0xd7ff) ||
        (code >= 0xe000 && code <= 0xfffd) ||
        (code >= 0x10000 && code <= 0x10ffff);
      if (!isCharacter) {
        throw new Error(`a bad reference in ${JSON.stringify(text)}`);
      }
      return String.fromCodePoint(code);
    },
  );
}

/** An element's attribute. */
export function attribute(element: Element, name: string): string {
  const value = element.attributes.get(name);
  if (value === undefined) throw new Error(`${element.tag} has no ${name}`);
  return value;
}

/** Every element in an element, itself included, that has a tag. */
export function elements(within: Element, tag: string): Element[] {
  return [
    ...(within.tag === tag ? [within] : []),
    ...within.children.flatMap((child) => elements(child, tag)),
  ];
}

/** The element with a tag and a NAME, anywhere in an element. */
export function named(within: Element, tag: string, name: string): Element {
  const found = elements(within, tag).filter((element) =>
    element.attributes.get("NAME") === name
  );
  if (found.length !== 1) throw new Error(`${found.length} × ${tag} ${name}`);
  return found[0];
}

/** How often each tag occurs, as the captures count. */
export function countTags(
  root: Element,
  tags: readonly string[],
): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const tag of tags) {
    const count = elements(root, tag).length;
    if (count > 0) counts[tag] = count;
  }
  return counts;
}
