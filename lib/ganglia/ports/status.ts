/**
 * The answer to `/status`, in the shape of the C gmetad 3.7.2's (`status_report`). What it says
 * of the machine it runs on is not there: it leaves out itself what it does not know.
 *
 * @module
 */

/** How often something was done, how long it took in all, in milliseconds, and when last. */
export interface Done {
  readonly num?: number;
  readonly totalMillis?: number;
  /** In milliseconds since the epoch. */
  readonly lastTime?: number;
}

/** Metrics that were sent on, by what they were sent to; what is left out is 0. */
export type Sent = {
  readonly [
    to in "rrdtool" | "rrdcached" | "graphite" | "memcached" | "riemann"
  ]?: Done;
};

/** A source, as far as its last poll shows. */
export interface SourceStatus {
  /** The name of the data source in the configuration. */
  readonly name: string;
  /** The name of the cluster or grid that it delivers. */
  readonly delivers: string;
  /** Seconds since its last good answer. */
  readonly age: number;
  /** Seconds from one poll to the next. */
  readonly interval: number;
  readonly hosts_up: number;
  readonly hosts_down: number;
  /** Why the last poll failed; `null` if it did not. */
  readonly failure: string | null;
}

/** All that is reported. */
export interface Status {
  /** The machine's name. */
  readonly host: string;
  readonly gridName: string;
  readonly version: string;
  /** Now, and when this program began, in milliseconds since the epoch. */
  readonly now: number;
  readonly begun: number;
  readonly uptimeMs: number;
  /** Metrics received. */
  readonly received: number;
  readonly sent: Sent;
  readonly polls: { readonly ok: Done; readonly failed: Done };
  /** Metrics of which sums were made: for clusters, for the grid. */
  readonly summarized: {
    readonly cluster: number;
    readonly root: number;
    readonly lastTime: number;
  };
  readonly requests: { readonly interactive: Done; readonly xml: Done };
  /** Ours only. */
  readonly sources: readonly SourceStatus[];
}

/** The report as JSON, without line ends. */
export function statusJson(status: Status): string {
  const { polls, requests, summarized } = status;
  const { rrdtool, rrdcached, graphite, memcached, riemann } = status.sent;
  const sent = { rrdtool, rrdcached, graphite, memcached, riemann };
  return JSON.stringify({
    host: status.host,
    gridname: status.gridName,
    version: status.version,
    stattime: whole(status.now),
    boottime: whole(status.begun),
    uptime: whole(status.uptimeMs / 1000),
    uptimeMillis: whole(status.uptimeMs),
    metrics: {
      received: { all: status.received },
      sent: {
        all: total(Object.values(sent)),
        ...Object.fromEntries(
          Object.entries(sent).map(([to, done]) => [to, withLast(done)]),
        ),
      },
      summarize: {
        cluster: summarized.cluster,
        root: summarized.root,
        totalMillis: 0,
        lastTime: whole(summarized.lastTime),
      },
      requests: {
        all: total([requests.interactive, requests.xml]),
        interactive: plain(requests.interactive),
        xml: plain(requests.xml),
      },
      polls: {
        ok: withLast(polls.ok),
        failed: withLast(polls.failed),
        misses: 0,
      },
    },
    sources: status.sources,
  });
}

function total(all: readonly (Done | undefined)[]): Done {
  let num = 0;
  let totalMillis = 0;
  for (const done of all) {
    num += done?.num ?? 0;
    totalMillis += done?.totalMillis ?? 0;
  }
  return plain({ num, totalMillis });
}

function plain({ num = 0, totalMillis = 0 }: Done): Done {
  return { num, totalMillis: whole(totalMillis) };
}

function withLast(done: Done = {}): Done {
  return { ...plain(done), lastTime: whole(done.lastTime ?? 0) };
}

function whole(number: number): number {
  return Math.floor(number);
}
