import type { Attributes } from "./model.ts";

/** UTF-16 code units of a part of a node's key. */
const LONGEST_PART = 255;

/** What a service is called that does not say; OpenTelemetry's own word. */
const UNKNOWN_SERVICE = "unknown_service";

/** Who sends metrics, as it says itself. It is claimed, not proven. */
export interface Identity {
  /**
   * `otlp/[NAMESPACE/]NAME[@INSTANCE]`, the parts percent-encoded where they hold `%`, `/`, `@` or a
   * control character. No tubid has a slash in it.
   */
  readonly key: string;
  /** The same for people, without `otlp/` and not encoded. */
  readonly nickname: string;
  /** When the process was started, as it says; empty if it does not. New with each process. */
  readonly process: string;
}

/**
 * Who a resource is, by OpenTelemetry's semantic conventions: `service.namespace`, `service.name` and
 * `service.instance.id`; a service without the latter goes by its `host.name`, if it names one.
 * @returns Or why it cannot be a node.
 */
export function identityOf(attributes: Attributes): Identity | string {
  const all = new Map(attributes);
  const namespace = all.get("service.namespace") ?? "";
  const name = all.get("service.name") || UNKNOWN_SERVICE;
  const instance = all.get("service.instance.id") || all.get("host.name") || "";
  for (const part of [namespace, name, instance]) {
    if (part.length > LONGEST_PART) {
      return `the name of a service or instance is longer than ${LONGEST_PART} characters`;
    }
  }
  const write = (part: (text: string) => string) =>
    (namespace === "" ? "" : `${part(namespace)}/`) + part(name) +
    (instance === "" ? "" : `@${part(instance)}`);
  const began = all.get("process.creation.time") ?? "";
  const pid = began === "" ? "" : all.get("process.pid") ?? "";
  return {
    key: `otlp/${write(encoded)}`,
    nickname: write((text) => text.toWellFormed()),
    process: `${began} ${pid}`.trim().slice(0, LONGEST_PART),
  };
}

function encoded(text: string): string {
  return text.toWellFormed().replace(
    /[%/@\p{Cc}\u2028\u2029]/gu,
    (character) => character === "@" ? "%40" : encodeURIComponent(character),
  );
}
