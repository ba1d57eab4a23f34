/** Four tables of 256: the CRC of a byte, and of one with one, two and three zero bytes after it. */
const TABLE = new Uint32Array(4 * 256);
for (let byte = 0; byte < 256; byte++) {
  let rest = byte;
  for (let bit = 0; bit < 8; bit++) {
    rest = rest & 1 ? (rest >>> 1) ^ 0xedb88320 : rest >>> 1;
  }
  TABLE[byte] = rest;
}
for (let i = 256; i < TABLE.length; i++) {
  const shorter = TABLE[i - 256];
  TABLE[i] = TABLE[shorter & 0xff] ^ (shorter >>> 8);
}

/**
 * The CRC-32 of gzip and PNG, four bytes at a time. Written out here since the runtime's own, in
 * `node:zlib`, would cost a Munin plugin's start more than all it reads. Source: RFC 1952, section
 * 8.
 *
 * @param before The CRC of what came before, to go on from.
 */
export function crc32(
  bytes: Uint8Array,
  start = 0,
  end = bytes.length,
  before = 0,
): number {
  let crc = ~before;
  let i = start;
  for (; i + 3 < end; i += 4) {
    crc ^= bytes[i] | bytes[i + 1] << 8 | bytes[i + 2] << 16 |
      bytes[i + 3] << 24;
    crc = TABLE[768 + (crc & 0xff)] ^ TABLE[512 + (crc >>> 8 & 0xff)] ^
      TABLE[256 + (crc >>> 16 & 0xff)] ^ TABLE[crc >>> 24];
  }
  for (; i < end; i++) {
    crc = TABLE[(crc ^ bytes[i]) & 0xff] ^ (crc >>> 8);
  }
  return ~crc >>> 0;
}
