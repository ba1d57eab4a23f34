import type { ActionConfig } from "./config.ts";
import { itemText, type Notice, noticeLine } from "./notice.ts";

/** Octets of UTF-8 in one encoded word. Source: RFC 2047, 75 characters with all around them. */
const WORD_BYTES = 45;

/**
 * A notice as a mail for `sendmail -t`. Of a `metricrule` it has the subject of gmetad-python's alert
 * plugin, and its lines: message, metric, value, condition, for each host.
 */
export function mailText(
  notice: Notice,
  { to, from }: Extract<ActionConfig, { kind: "mail" }>,
): string {
  const { rule, event, items, count } = notice;
  const metric = items[0].metric;
  const isOver = event === "clear" || event === "gone";
  const subject = rule.isMetricrule
    ? `Metric ${metric} ${isOver ? "is in range again" : "out of range"}`
    : noticeLine({ ...notice, items: items.slice(0, 1) });
  const lines = items.flatMap((item) =>
    rule.isMetricrule
      ? [
        ...isOver ? [] : [item.message],
        `Host: ${item.host} (cluster ${item.cluster})`,
        `Metric: ${item.metric}`,
        `Value: ${item.value}`,
        `Condition: ${rule.raise.text}`,
        "",
      ]
      : [itemText(item)]
  );
  if (count > items.length) lines.push(`and ${count - items.length} more`);
  const headers = [
    `To: ${to}`,
    ...from === "" ? [] : [`From: ${from}`],
    `Subject: ${encodedHeader(subject)}`,
    "MIME-Version: 1.0",
    "Content-Type: text/plain; charset=utf-8",
    "Content-Transfer-Encoding: 8bit",
    "Auto-Submitted: auto-generated",
  ];
  return [...headers, "", ...lines.map(bodyLine)].join("\n") + "\n";
}

/** One line, encoded where it is not plain ASCII. Source of the form: RFC 2047. */
function encodedHeader(text: string): string {
  const line = text.replace(/\p{Cc}+/gu, " ").slice(0, 200);
  if (/^[ -~]*$/.test(line)) return line;
  const words: string[] = [];
  let bytes: number[] = [];
  const finish = () => {
    words.push(`=?utf-8?B?${btoa(String.fromCharCode(...bytes))}?=`);
    bytes = [];
  };
  for (const character of line.toWellFormed()) {
    const encoded = new TextEncoder().encode(character);
    if (bytes.length + encoded.length > WORD_BYTES) finish();
    bytes.push(...encoded);
  }
  finish();
  return words.join("\n ");
}

/** A dot alone on a line would end the mail; RFC 5322 wants no more than 998 octets in a line. */
function bodyLine(text: string): string {
  const line = text.replace(/\p{Cc}+/gu, " ").slice(0, 240);
  return line === "." ? ". " : line;
}
