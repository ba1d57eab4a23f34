const SMALLEST = 64 * 1024;

/**
 * The part of a stream of bytes that is still of interest. A place in the stream is an offset from
 * its beginning, which stays right when bytes move; an index into `bytes` is good until the next
 * {@linkcode ByteWindow.append}.
 */
export class ByteWindow {
  bytes = new Uint8Array(SMALLEST);
  /** The offset of `bytes[0]`. */
  base = 0;
  /** The index behind the last byte. */
  end = 0;

  /** The offset behind the last byte. */
  get endOffset(): number {
    return this.base + this.end;
  }

  /**
   * Adds bytes at the end, which are copied.
   * @param keepFrom The offset of the first byte that is still needed.
   */
  append(chunk: Uint8Array, keepFrom: number): void {
    const { bytes, end } = this;
    if (end + chunk.length > bytes.length) {
      const start = keepFrom - this.base;
      const kept = end - start;
      // Twice the room, so that what is kept is moved a bounded number of times.
      let size = bytes.length;
      while (size < 2 * (kept + chunk.length)) size *= 2;
      if (size === bytes.length) {
        bytes.copyWithin(0, start, end);
      } else {
        const larger = new Uint8Array(size);
        larger.set(bytes.subarray(start, end));
        this.bytes = larger;
      }
      this.base = keepFrom;
      this.end = kept;
    }
    this.bytes.set(chunk, this.end);
    this.end += chunk.length;
  }
}
