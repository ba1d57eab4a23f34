/**
 * Makes a Deno program a node of a statistics gatherer: it counts and reports, the gatherer polls
 * it once a minute and serves its numbers to Munin and others.
 *
 * | to … | use |
 * | --- | --- |
 * | count work done | {@linkcode StatsProvider.count} |
 * | report how things stand at the moment of the poll | {@linkcode StatsProvider.registerProducer} |
 * | report CPU time, event-loop delay, uptime | {@linkcode CpuMonitor}, {@linkcode LoadMonitor}, {@linkcode Uptime} |
 * | report what is counted already, with prom-client or OpenTelemetry | {@linkcode PromClientProducer}, {@linkcode OpenTelemetryReader} |
 * | attach to the gatherer | {@linkcode connect} |
 *
 * ```ts ignore
 * const stats = new StatsProvider();
 * await using _gatherer = connect(stats, { furl: "stats_gatherer.furl", nickname: "mailer" });
 * stats.count("mailer.messages_sent");
 * ```
 *
 * The library never configures logging (it logs through LogTape, category `gatherer`), never
 * exits the process and does not keep it running.
 *
 * @module
 */

export { StatsProvider } from "./lib/stats/provider.ts";
export type { Stats } from "./lib/stats/provider.ts";
export { ProducedStats } from "./lib/stats/producer.ts";
export type {
  Numbers,
  StatsNumbers,
  StatsProducer,
} from "./lib/stats/producer.ts";
export { LoadMonitor } from "./lib/stats/load_monitor.ts";
export { CpuMonitor } from "./lib/stats/cpu_monitor.ts";
export { Uptime } from "./lib/stats/uptime.ts";
export { PromClientProducer } from "./lib/stats/adapters/prom_client.ts";
export type {
  PromMetric,
  PromRegistry,
  PromValue,
} from "./lib/stats/adapters/prom_client.ts";
export { OpenTelemetryReader } from "./lib/stats/adapters/opentelemetry.ts";
export type {
  OtelCollection,
  OtelMetricData,
  OtelMetricProducer,
} from "./lib/stats/adapters/opentelemetry.ts";
export { connect } from "./lib/stats/connect.ts";
export type { Attachment, ConnectOptions } from "./lib/stats/connect.ts";
export { FurlError } from "./lib/foolscap/errors.ts";
export type { Clock, Timer } from "./lib/clock.ts";
