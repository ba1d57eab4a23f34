/** What a client said that it understands, by the protocol's `cap`. */
export interface Capabilities {
  /** Several graphs in one answer. */
  readonly multigraph: boolean;
  /** Values in the answer to `config`. */
  readonly dirtyconfig: boolean;
}

/**
 * What a Munin node serves. Answers come in pieces, each some whole lines that end with a line
 * feed; none of them is a lone dot. The protocol around them is the session's.
 */
export interface MuninContent {
  /** The host's name in the banner, and the one meant by those who name none. */
  readonly hostName: string;
  /** Every host's name, {@linkcode hostName} first. */
  hosts(): readonly string[];
  /** The services of a host, in order; `undefined`: there is no such host. */
  services(
    host: string,
    capabilities: Capabilities,
  ): readonly string[] | undefined;
  /** The answer to `config`; `undefined`: the host has no such service. */
  config(
    host: string,
    service: string,
    capabilities: Capabilities,
  ): AsyncIterable<string> | undefined;
  /** The answer to `fetch`; `undefined`: the host has no such service. */
  fetch(
    host: string,
    service: string,
    capabilities: Capabilities,
  ): AsyncIterable<string> | undefined;
  /**
   * The answer to `spoolfetch`: the configuration of all graphs of {@linkcode hostName}, and
   * figures from `epoch` (seconds) on, the oldest first, as many as fit into one portion. Left
   * out: there is no spool, and the capability is not announced.
   */
  spoolfetch?(epoch: number): AsyncIterable<string>;
}
