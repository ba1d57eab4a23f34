import { assertEquals } from "@std/assert";
import { defaultXmlLimits } from "../../../lib/ganglia/xml/limits.ts";
import { latin1 } from "../../../lib/ganglia/xml/text.ts";
import {
  PER_ATTRIBUTE,
  Token,
  Tokenizer,
} from "../../../lib/ganglia/xml/tokenizer.ts";
import { bytesOf, everyCut } from "./reading.ts";

const limits = {
  ...defaultXmlLimits,
  tagBytes: 120,
  attributeBytes: 40,
  attributes: 3,
  doctypeBytes: 200,
};

/** What is found in a text that arrives in portions, up to the first damage. */
function tokensOf(text: string, cuts: readonly number[]): string[] {
  const bytes = bytesOf(text);
  const tokenizer = new Tokenizer(limits);
  const found: string[] = [];
  const drain = () => {
    for (;;) {
      const token = tokenizer.next();
      if (token === Token.more) return;
      const { attributes, window, nameStart, nameEnd } = tokenizer;
      const slice = (start: number, end: number) =>
        latin1(window.bytes, start, end);
      if (token === Token.damage) {
        found.push(`${tokenizer.tokenOffset}: ${tokenizer.problem}`);
        return;
      }
      if (token === Token.text) {
        // It comes in parts, as it arrives.
        if (found.at(-1) !== "text") found.push("text");
        continue;
      }
      tokenizer.doctypeAllowed = false;
      let tag = slice(nameStart, nameEnd);
      if (token === Token.end) tag = `/${tag}`;
      else {
        for (let i = 0; i < tokenizer.attributeCount; i++) {
          const [a, b, c, d] = attributes.subarray(i * PER_ATTRIBUTE);
          tag += ` ${slice(a, b)}=[${slice(c, d)}]`;
        }
      }
      found.push(token === Token.empty ? `${tag} /` : tag);
    }
  };
  const isDamaged = () => /^\d+: /.test(found.at(-1) ?? "");
  let from = 0;
  for (const to of [...cuts, bytes.length]) {
    tokenizer.window.append(bytes.slice(from, to), tokenizer.offset);
    from = to;
    if (!isDamaged()) drain();
  }
  tokenizer.final = true;
  if (!isDamaged()) drain();
  return found;
}

const CASES: readonly [what: string, text: string, tokens: string[]][] = [
  ["nothing", "", []],
  ["blanks", " \r\n\t", []],
  ["a tag", "<A>", ["A"]],
  ["an end tag", "</A>", ["/A"]],
  ["an end tag with blanks", "</A \n>", ["/A"]],
  ["an empty tag", "<A/>", ["A /"]],
  ["attributes", `<A X="1" Y='2'>`, ["A X=[1] Y=[2]"]],
  ["an empty value", `<A X=""/>`, ["A X=[] /"]],
  ["a / inside a tag", "<A / >", ["0: a / inside a tag"]],
  ["blanks everywhere", '<A  X = "1"\n\tY\r=\n"2"  >', ["A X=[1] Y=[2]"]],
  ["blanks before the end", `<A X = "1"\n Y="2" />`, ["A X=[1] Y=[2] /"]],
  [
    "marks in values",
    `<A X="a>b" Y="a<b" Z="a&b">`,
    ["A X=[a>b] Y=[a<b] Z=[a&b]"],
  ],
  ["the other quote", `<A X="it's" Y='"'>`, [`A X=[it's] Y=["]`]],
  [
    "quotes that were not escaped",
    `<A X="say "hi" now" Y="c "q"">`,
    [`A X=[say "hi" now] Y=[c "q"]`],
  ],
  ["bytes above ASCII", `<A X="21\xb0C">`, ["A X=[21\xb0C]"]],
  ["text", "<A> x </A>", ["A", "text", "/A"]],
  ["a declaration", `<?xml version="1.0"?><A>`, ["A"]],
  ["comments", "<!-- <B> ' -- > --><A><!----></A>", ["A", "/A"]],
  ["a document type", `<!DOCTYPE G SYSTEM "x>y"><A>`, ["A"]],
  [
    "an internal subset",
    `<!DOCTYPE G [<!ATTLIST M S (g) 'g]>'><!-- don't ]> --><!ENTITY e "x">]><A>`,
    ["A"],
  ],
  ["a document type too late", "<A><!DOCTYPE G>", [
    "A",
    "3: a declaration that does not belong here",
  ]],
  ["CDATA", "<A><![CDATA[x]]>", [
    "A",
    "3: a declaration that does not belong here",
  ]],
  [
    "a document type that never ends",
    `<!DOCTYPE G [${"x".repeat(200)}`,
    ["0: the document type declaration is longer than 200 bytes"],
  ],
  ["a < alone", "<A>< B>", ["A", "3: a < that begins no tag"]],
  ["an empty end tag", "</>", ["0: an end tag that is none"]],
  ["an end tag with an attribute", `</A X="1">`, [
    "0: an end tag that is none",
  ]],
  ["no value", "<A X>", ["0: an attribute without ="]],
  ["no quotes", "<A X=1>", ["0: an attribute without quotes"]],
  ["no blank between attributes", `<A X="1"Y="2">`, [
    // The quote is taken for one inside the value, until what precedes the next shows the truth.
    "0: a quote is missing",
  ]],
  ["a quote that got lost", `<A X="1 Y="2">`, ["0: a quote is missing"]],
  ["no name", `<A ="1">`, [
    "0: a tag that goes on with neither attribute nor end",
  ]],
  ["a control character", `<A X="a\x01b">`, [
    "0: a control character in a value",
  ]],
  ["a long value", `<A X="${"x".repeat(40)}">`, [
    `A X=[${"x".repeat(40)}]`,
  ]],
  ["a value too long", `<A X="${"x".repeat(41)}">`, [
    "0: an attribute is longer than 40 bytes",
  ]],
  ["many attributes", `<A B="" C="" D="">`, ["A B=[] C=[] D=[]"]],
  ["too many attributes", `<A B="" C="" D="" E="">`, [
    "0: more than 3 attributes",
  ]],
  ["a tag too long", `<A${" ".repeat(200)}>`, [
    "0: a tag is longer than 120 bytes",
  ]],
  ["a name too long", `<${"A".repeat(200)}>`, [
    "0: a tag is longer than 120 bytes",
  ]],
  ["a comment too long", `<!--${" ".repeat(200)}-->`, [
    "0: a tag is longer than 120 bytes",
  ]],
  ["an end that never comes", `<A X="1`, []],
];

for (const [what, text, tokens] of CASES) {
  Deno.test(`Tokenizer: ${what}, however it arrives`, () => {
    assertEquals(tokensOf(text, []), tokens);
    if (text.length < 2) return;
    const cuts = everyCut(text.length);
    assertEquals(tokensOf(text, cuts), tokens, "byte by byte");
    for (const cut of cuts) {
      assertEquals(tokensOf(text, [cut]), tokens, `cut at ${cut}`);
    }
  });
}

Deno.test("Tokenizer: a tag that arrives byte by byte costs no more than a few looks at each", () => {
  const value = "x".repeat(15_000);
  const bytes = bytesOf(`<A B="${value}" C="${value}" D="${value}">`);
  const tokenizer = new Tokenizer(defaultXmlLimits);
  let found = 0;
  const start = performance.now();
  for (let i = 0; i < bytes.length; i++) {
    tokenizer.window.append(bytes.subarray(i, i + 1), tokenizer.offset);
    if (tokenizer.next() !== Token.more) found++;
  }
  tokenizer.final = true;
  if (tokenizer.next() !== Token.more) found++;
  assertEquals(found, 1);
  const elapsed = performance.now() - start;
  // A look at the whole for each byte would be a thousand million steps, some seconds.
  assertEquals(elapsed < 1000, true, `${elapsed} ms`);
});
