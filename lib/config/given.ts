/** A setting as somebody gave it, and where. */
export interface Given {
  readonly text: string;
  /** An option such as `--interval`, or `FILE:LINE: interval`; messages begin with it. */
  readonly where: string;
}

/** What was given, by the keys of the settings. */
export type GivenSettings = ReadonlyMap<string, Given>;
