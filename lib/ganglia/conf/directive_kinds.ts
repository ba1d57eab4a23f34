import type { ConfDraft } from "./conf.ts";
import type { CReading, Directive } from "./directive.ts";

/** What a directive does. */
export interface DirectiveKind {
  /** As the documentation spells it. */
  readonly name: string;
  /** Whether it may be repeated, and each counts; else only the last does. */
  readonly adds?: boolean;
  /** Takes its words, changes the draft, and says what it means. */
  read(directive: Directive): void;
}

type Key<T> = {
  [K in keyof ConfDraft]-?: ConfDraft[K] extends T ? K : never;
}[keyof ConfDraft];

/** A directive of one text. */
export function text(
  name: string,
  key: Key<string | undefined>,
  meaning: (text: string) => string,
): DirectiveKind {
  return {
    name,
    read(directive) {
      const text = directive.text("a text");
      directive.draft[key] = text;
      directive.means(meaning(text));
    },
  };
}

/** A directive of a port to listen on. */
export function port(
  name: string,
  key: Key<number>,
  meaning: string,
): DirectiveKind {
  return {
    name,
    read(directive) {
      const port = directive.port();
      directive.draft[key] = port;
      directive.means(`${meaning} port ${port}`);
    },
  };
}

/**
 * A directive that switches something on or off.
 * @param cReading As for {@linkcode Directive.isOn}.
 */
export function onOff(
  name: string,
  key: Key<boolean>,
  cReading: CReading,
  meanings: { readonly on: string; readonly off: string },
): DirectiveKind {
  return {
    name,
    read(directive) {
      const isOn = directive.isOn(cReading);
      directive.draft[key] = isOn;
      directive.means(isOn ? meanings.on : meanings.off);
    },
  };
}

/** A directive that adds its words to those of others of its name. */
export function list(
  name: string,
  key: Key<string[]>,
  meaning: (names: string) => string,
): DirectiveKind {
  return {
    name,
    adds: true,
    read(directive) {
      const names = directive.any().map(({ text }) => text);
      for (const name of names) directive.draft[key].push(name);
      if (names.length > 0) directive.means(meaning(names.join(", ")));
    },
  };
}

/** A directive that this program knows and does nothing with. */
export function unused(name: string, why: string): DirectiveKind {
  return {
    name,
    read(directive) {
      directive.some("a value");
      directive.warn(`it has no meaning here: ${why}`);
    },
  };
}
