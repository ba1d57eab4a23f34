/** The content of a snapshot or stats.json cannot be understood. */
export class SnapshotError extends Error {
  override name = "SnapshotError";

  /**
   * @param message What was found and what was expected.
   * @param offset Where, in bytes from the start of the file.
   * @param where The place in words, when there are better ones than the offset.
   */
  constructor(
    message: string,
    readonly offset: number,
    where: string = `byte ${offset}`,
  ) {
    super(`${message} (${where})`);
  }
}

/** The bytes end before the snapshot does: it was cut short, or more of it is to come. */
export class TruncatedError extends SnapshotError {}
