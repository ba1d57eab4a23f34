import { type DirectiveKind, list, onOff, text } from "./directive_kinds.ts";
import { cNumber, cToggle, cUnlessOff, type Directive } from "./directive.ts";
import { readHost, RRDCACHED_PORT } from "./hosts.ts";
import { quote } from "./remarks.ts";

/** The directives about RRDs. */
export const rrdDirectives: readonly DirectiveKind[] = [
  text("rrd_rootdir", "rrdRootdir", (path) => `RRDs are in ${path}`),
  onOff("write_rrds", "writeRrds", cUnlessOff, {
    on: "RRDs are written",
    off: "no RRDs are written",
  }),
  { name: "RRAs", read: readRras },
  { name: "rrdcached_address", read: readRrdcachedAddress },
  onOff("case_sensitive_hostnames", "caseSensitiveHostnames", cNumber, {
    on: "directories of hosts are named as the hosts are",
    off: "directories of hosts are named in small letters",
  }),
  list(
    "unsummarized_metrics",
    "unsummarizedMetrics",
    (names) => `no summary RRD of metrics whose names begin with ${names}`,
  ),
  onOff(
    "unsummarized_sflow_vm_metrics",
    "unsummarizedSflowVmMetrics",
    cToggle,
    {
      on: "no summary RRD of the metrics of sFlow's virtual machines",
      off: "summary RRDs of the metrics of sFlow's virtual machines, too",
    },
  ),
  list(
    "summarized_metrics",
    "summarizedMetrics",
    (names) =>
      `of the whole grid, summary RRDs of these metrics only: ${names}`,
  ),
];

/** Source of the forms: rrdcreate(1). */
const archive =
  /^RRA:(?:(?:AVERAGE|MIN|MAX|LAST):[\d.]+:\d+[smhdwMy]?:\d+[smhdwMy]?|(?:HWPREDICT|MHWPREDICT|SEASONAL|DEVSEASONAL|DEVPREDICT|FAILURES):\S+)$/;

function readRras(directive: Directive): void {
  const words = directive.some('archives such as "RRA:AVERAGE:0.5:1:5856"');
  for (const word of words) {
    if (archive.test(word.text)) continue;
    directive.fail(
      `expected an archive such as "RRA:AVERAGE:0.5:1:5856", got ${
        quote(word.text)
      }`,
      word,
    );
  }
  const rras = words.map(({ text }) => text);
  directive.draft.rras = rras;
  directive.means(`new RRDs have the archives ${rras.join(", ")}`);
}

function readRrdcachedAddress(directive: Directive): void {
  const word = directive.one("an address");
  const { text } = word;
  const isPath = /^(?:unix:)?\/./.test(text);
  const reading = isPath ? undefined : readHost(text, RRDCACHED_PORT);
  if (reading && ("fault" in reading || reading.warning !== undefined)) {
    directive.fail(
      `expected HOST:PORT, or unix: and a path, got ${quote(text)}`,
      word,
    );
  }
  directive.draft.rrdcachedAddress = text;
  directive.means(`RRDs are written through the rrdcached at ${text}`);
}
