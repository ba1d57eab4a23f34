const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
/** Characters that `String.fromCharCode` is given at once: quick, and one string without parts. */
const AT_ONCE = 8;

/**
 * Bytes as ISO-8859-1, which is also right for ASCII. (The label `iso-8859-1` gives TextDecoder
 * another encoding: windows-1252.)
 */
export function latin1(bytes: Uint8Array, start: number, end: number): string {
  let text = "";
  let i = start;
  for (; end - i > AT_ONCE; i += AT_ONCE) {
    text += String.fromCharCode(
      bytes[i],
      bytes[i + 1],
      bytes[i + 2],
      bytes[i + 3],
      bytes[i + 4],
      bytes[i + 5],
      bytes[i + 6],
      bytes[i + 7],
    );
  }
  return i === start ? few(bytes, i, end) : text + few(bytes, i, end);
}

/** At most eight. A call for each number of them is several times as quick as any loop. */
function few(bytes: Uint8Array, i: number, end: number): string {
  switch (end - i) {
    case 0:
      return "";
    case 1:
      return String.fromCharCode(bytes[i]);
    case 2:
      return String.fromCharCode(bytes[i], bytes[i + 1]);
    case 3:
      return String.fromCharCode(bytes[i], bytes[i + 1], bytes[i + 2]);
    case 4:
      return String.fromCharCode(
        bytes[i],
        bytes[i + 1],
        bytes[i + 2],
        bytes[i + 3],
      );
    case 5:
      return String.fromCharCode(
        bytes[i],
        bytes[i + 1],
        bytes[i + 2],
        bytes[i + 3],
        bytes[i + 4],
      );
    case 6:
      return String.fromCharCode(
        bytes[i],
        bytes[i + 1],
        bytes[i + 2],
        bytes[i + 3],
        bytes[i + 4],
        bytes[i + 5],
      );
    case 7:
      return String.fromCharCode(
        bytes[i],
        bytes[i + 1],
        bytes[i + 2],
        bytes[i + 3],
        bytes[i + 4],
        bytes[i + 5],
        bytes[i + 6],
      );
    default:
      return String.fromCharCode(
        bytes[i],
        bytes[i + 1],
        bytes[i + 2],
        bytes[i + 3],
        bytes[i + 4],
        bytes[i + 5],
        bytes[i + 6],
        bytes[i + 7],
      );
  }
}

/** Whether bytes are, as ISO-8859-1, this text. */
export function isLatin1(
  bytes: Uint8Array,
  start: number,
  end: number,
  text: string,
): boolean {
  if (text.length !== end - start) return false;
  for (let i = start, k = 0; i < end; i++, k++) {
    if (bytes[i] !== text.charCodeAt(k)) return false;
  }
  return true;
}

/** Up to so many characters the decoder is the slower way. */
const SHORT = 2 * AT_ONCE;
const REFERENCE =
  /&(?:#([0-9]{1,7})|#x([0-9a-f]{1,6})|(amp|lt|gt|quot|apos));/gi;
const CHARACTERS: Readonly<Record<string, string>> = {
  amp: "&",
  lt: "<",
  gt: ">",
  quot: '"',
  apos: "'",
};

/**
 * An attribute's value as text. Bytes that are valid UTF-8 are taken for it, because the C gmetad
 * sends UTF-8 under a declaration of ISO-8859-1; others are what was declared. Tabs and line ends
 * become blanks, as in XML. An `&` that begins no reference to a character stays: gmond and the C
 * gmetad do not escape, and other entities are never expanded.
 * @param old What the text was last time: given back if it is the same, so that it is kept once.
 */
export function attributeText(
  bytes: Uint8Array,
  start: number,
  end: number,
  old?: string,
): string {
  let all = 0;
  let least = 0xff;
  let references = false;
  for (let i = start; i < end; i++) {
    const byte = bytes[i];
    all |= byte;
    if (byte < least) least = byte;
    if (byte === 0x26) references = true;
  }
  if (all < 0x80 && !references && least >= 0x20) {
    if (old !== undefined && isLatin1(bytes, start, end, old)) return old;
    return end - start > SHORT
      ? utf8.decode(bytes.subarray(start, end))
      : latin1(bytes, start, end);
  }
  let text: string | undefined;
  if (all >= 0x80) {
    try {
      text = utf8.decode(bytes.subarray(start, end));
    } catch {
      // No UTF-8, then.
    }
  }
  text ??= latin1(bytes, start, end);
  if (least < 0x20) text = text.replace(/\r\n|[\t\n\r]/g, " ");
  if (references) {
    text = text.replace(REFERENCE, (whole, decimal, hexadecimal, name) => {
      if (name) return CHARACTERS[name] ?? whole;
      const code = decimal ? parseInt(decimal, 10) : parseInt(hexadecimal, 16);
      const legal = code === 9 || code === 10 || code === 13 ||
        code >= 0x20 && code < 0xd800 || code >= 0xe000 && code < 0xfffe ||
        code >= 0x10000 && code <= 0x10ffff;
      return legal ? String.fromCodePoint(code) : whole;
    });
  }
  return text === old ? old : text;
}
