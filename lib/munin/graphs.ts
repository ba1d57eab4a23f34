import type { StatGroup } from "../snapshot/scan.ts";

/** One Munin graph: which statistic it draws, a line a node, and what Munin shows around it. */
export interface Graph {
  /** The service name under Munin, which is the name of the plugin's link. */
  readonly name: string;
  /** Where a node keeps the statistic. */
  readonly group: StatGroup;
  /** The statistic's name. */
  readonly stat: string;
  /** Printed as `graph_title`. */
  readonly title: string;
  /** Printed as `graph_vlabel`. */
  readonly vlabel: string;
  /** Printed as `graph_category`. */
  readonly category: string;
  /** Printed as `graph_info`. */
  readonly info: string;
  /** Printed as `graph_args`; left out where the original printed none. */
  readonly args?: string;
  /** `DERIVE` draws the growth per second of a counter and wants integers; `GAUGE` draws the value. */
  readonly type: "GAUGE" | "DERIVE";
}

/**
 * The 26 graphs of Tahoe-LAFS's plugin `tahoe_stats`, in its order and in its words, its slips
 * included: an operator's pages and RRD files stay as they are.
 * Source: `misc/operations_helpers/munin/tahoe_stats` in Tahoe-LAFS 1.16.
 */
export const graphs: readonly Graph[] = [
  {
    name: "tahoe_runtime_load_avg",
    group: "stats",
    stat: "load_monitor.avg_load",
    title: "Tahoe Runtime Load Average",
    vlabel: "load",
    category: "tahoe",
    info: "This graph shows average reactor delay",
    type: "GAUGE",
  },
  {
    name: "tahoe_runtime_load_peak",
    group: "stats",
    stat: "load_monitor.max_load",
    title: "Tahoe Runtime Load Peak",
    vlabel: "load",
    category: "tahoe",
    info: "This graph shows peak reactor delay",
    type: "GAUGE",
  },
  {
    name: "tahoe_storage_consumed",
    group: "stats",
    stat: "storage_server.consumed",
    title: "Tahoe Storage Server Space Consumed",
    vlabel: "bytes",
    category: "tahoe_storage_server",
    info: "This graph shows space consumed",
    args: "--base 1024",
    type: "GAUGE",
  },
  {
    name: "tahoe_storage_allocated",
    group: "stats",
    stat: "storage_server.allocated",
    title: "Tahoe Storage Server Space Allocated",
    vlabel: "bytes",
    category: "tahoe_storage_server",
    info: "This graph shows space allocated",
    args: "--base 1024",
    type: "GAUGE",
  },
  {
    name: "tahoe_storage_bytes_added",
    group: "counters",
    stat: "storage_server.bytes_added",
    title: "Tahoe Storage Server Bytes Added",
    vlabel: "bytes",
    category: "tahoe_storage_server",
    info: "This graph shows cummulative bytes added",
    type: "GAUGE",
  },
  {
    name: "tahoe_storage_bytes_freed",
    group: "counters",
    stat: "storage_server.bytes_freed",
    title: "Tahoe Storage Server Bytes Removed",
    vlabel: "bytes",
    category: "tahoe_storage_server",
    info: "This graph shows cummulative bytes removed",
    type: "GAUGE",
  },
  {
    name: "tahoe_storage_operations_allocate",
    group: "counters",
    stat: "storage_server.allocate",
    title: "Tahoe Storage Server Allocate_Bucket Operations",
    vlabel: "operations per second",
    category: "tahoe_storage_server",
    info:
      "This graph shows how many allocate_buckets operations occured per second. Each immutable file upload causes one such operation per server.",
    type: "DERIVE",
  },
  {
    name: "tahoe_storage_operations_get",
    group: "counters",
    stat: "storage_server.get",
    title: "Tahoe Storage Server get_bucket Operations",
    vlabel: "operations per second",
    category: "tahoe_storage_server",
    info:
      "This graph shows how many get_bucket operations occured per second. Each immutable file download/check causes one such operation per server.",
    type: "DERIVE",
  },
  {
    name: "tahoe_storage_operations_writev",
    group: "counters",
    stat: "storage_server.writev",
    title: "Tahoe Storage Server writev Operations",
    vlabel: "operations per second",
    category: "tahoe_storage_server",
    info:
      "This graph shows how many writev operations occured per second. Each mutable file / dirnode write causes one such operation per server.",
    type: "DERIVE",
  },
  {
    name: "tahoe_storage_operations_readv",
    group: "counters",
    stat: "storage_server.readv",
    title: "Tahoe Storage Server readv Operations",
    vlabel: "operations per second",
    category: "tahoe_storage_server",
    info:
      "This graph shows how many readv operations occured per second. Each dirnode read causes one such operation per server.",
    type: "DERIVE",
  },
  {
    name: "tahoe_helper_incoming_files",
    group: "stats",
    stat: "chk_upload_helper.incoming_count",
    title: "Tahoe Upload Helper Incoming File Count",
    vlabel: "n files",
    category: "tahoe_helper",
    info: "This graph shows number of incoming files",
    type: "GAUGE",
  },
  {
    name: "tahoe_helper_incoming_filesize",
    group: "stats",
    stat: "chk_upload_helper.incoming_size",
    title: "Tahoe Upload Helper Incoming File Size",
    vlabel: "bytes",
    category: "tahoe_helper",
    info: "This graph shows total size of incoming files",
    type: "GAUGE",
  },
  {
    name: "tahoe_helper_incoming_files_old",
    group: "stats",
    stat: "chk_upload_helper.incoming_size_old",
    title: "Tahoe Upload Helper Incoming Old Files",
    vlabel: "bytes",
    category: "tahoe_helper",
    info: "This graph shows total size of old incoming files",
    type: "GAUGE",
  },
  {
    name: "tahoe_helper_encoding_files",
    group: "stats",
    stat: "chk_upload_helper.encoding_count",
    title: "Tahoe Upload Helper Encoding File Count",
    vlabel: "n files",
    category: "tahoe_helper",
    info: "This graph shows number of encoding files",
    type: "GAUGE",
  },
  {
    name: "tahoe_helper_encoding_filesize",
    group: "stats",
    stat: "chk_upload_helper.encoding_size",
    title: "Tahoe Upload Helper Encoding File Size",
    vlabel: "bytes",
    category: "tahoe_helper",
    info: "This graph shows total size of encoding files",
    type: "GAUGE",
  },
  {
    name: "tahoe_helper_encoding_files_old",
    group: "stats",
    stat: "chk_upload_helper.encoding_size_old",
    title: "Tahoe Upload Helper Encoding Old Files",
    vlabel: "bytes",
    category: "tahoe_helper",
    info: "This graph shows total size of old encoding files",
    type: "GAUGE",
  },
  {
    name: "tahoe_helper_active_uploads",
    group: "stats",
    stat: "chk_upload_helper.active_uploads",
    title: "Tahoe Upload Helper Active Files",
    vlabel: "n files",
    category: "tahoe_helper",
    info:
      "This graph shows number of files actively being processed by the helper",
    type: "GAUGE",
  },
  {
    name: "tahoe_helper_upload_requests",
    group: "counters",
    stat: "chk_upload_helper.upload_requests",
    title: "Tahoe Upload Helper Upload Requests",
    vlabel: "requests",
    category: "tahoe_helper",
    info:
      "This graph shows the number of upload requests arriving at the helper",
    type: "DERIVE",
  },
  {
    name: "tahoe_helper_upload_already_present",
    group: "counters",
    stat: "chk_upload_helper.upload_already_present",
    title: "Tahoe Upload Helper Uploads Already Present",
    vlabel: "requests",
    category: "tahoe_helper",
    info:
      "This graph shows the number of uploads whose files are already present in the grid",
    type: "DERIVE",
  },
  {
    name: "tahoe_helper_upload_need_upload",
    group: "counters",
    stat: "chk_upload_helper.upload_need_upload",
    title: "Tahoe Upload Helper Uploads Needing Upload",
    vlabel: "requests",
    category: "tahoe_helper",
    info:
      "This graph shows the number of uploads whose files are not already present in the grid",
    type: "DERIVE",
  },
  {
    name: "tahoe_helper_encoded_bytes",
    group: "counters",
    stat: "chk_upload_helper.encoded_bytes",
    title: "Tahoe Upload Helper Encoded Bytes",
    vlabel: "bytes",
    category: "tahoe_helper",
    info: "This graph shows the number of bytes encoded by the helper",
    type: "DERIVE",
  },
  {
    name: "tahoe_helper_fetched_bytes",
    group: "counters",
    stat: "chk_upload_helper.fetched_bytes",
    title: "Tahoe Upload Helper Fetched Bytes",
    vlabel: "bytes",
    category: "tahoe_helper",
    info: "This graph shows the number of bytes fetched by the helper",
    type: "DERIVE",
  },
  {
    name: "tahoe_uploader_bytes_uploaded",
    group: "counters",
    stat: "uploader.bytes_uploaded",
    title: "Tahoe Uploader Bytes Uploaded",
    vlabel: "bytes",
    category: "tahoe_traffic",
    info: "This graph shows the number of bytes uploaded",
    type: "DERIVE",
  },
  {
    name: "tahoe_uploader_files_uploaded",
    group: "counters",
    stat: "uploader.files_uploaded",
    title: "Tahoe Uploader Bytes Uploaded",
    vlabel: "files",
    category: "tahoe_traffic",
    info: "This graph shows the number of files uploaded",
    type: "DERIVE",
  },
  {
    name: "tahoe_mutable_files_published",
    group: "counters",
    stat: "mutable.files_published",
    title: "Tahoe Mutable Files Published",
    vlabel: "files",
    category: "tahoe_traffic",
    info: "This graph shows the number of mutable files published",
    type: "DERIVE",
  },
  {
    name: "tahoe_mutable_files_retrieved",
    group: "counters",
    stat: "mutable.files_retrieved",
    title: "Tahoe Mutable Files Retrieved",
    vlabel: "files",
    category: "tahoe_traffic",
    info: "This graph shows the number of files retrieved",
    type: "DERIVE",
  },
];

/**
 * The graph of that name. One trailing `.py` is ignored, because links of the early plugin
 * `tahoe-stats.py` carried it.
 */
export function findGraph(name: string): Graph | undefined {
  const bare = name.endsWith(".py") ? name.slice(0, -3) : name;
  return graphs.find((graph) => graph.name === bare);
}

/** The names of the graphs that someone who typed `name` may have meant, best first; at most 3. */
export function closestGraphs(name: string): string[] {
  const bare = name.replace(/\.py$/, "").toLowerCase().replace(
    /[^a-z0-9]/g,
    "_",
  );
  const wanted = bare.startsWith("tahoe_") ? bare : `tahoe_${bare}`;
  if (wanted.length > 60) return [];
  return graphs.map((graph) => ({
    name: graph.name,
    // A name that was left unfinished is nearer than its missing letters make it.
    distance: wanted.length > "tahoe_".length && graph.name.startsWith(wanted)
      ? 1
      : editDistance(wanted, graph.name),
  })).filter(({ distance }) => distance <= 4)
    .sort((a, b) => a.distance - b.distance)
    .slice(0, 3).map(({ name }) => name);
}

/** How many letters must be put in, taken out or changed to make `b` of `a` (Levenshtein). */
function editDistance(a: string, b: string): number {
  let above = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const line = [row];
    for (let column = 1; column <= b.length; column++) {
      line.push(Math.min(
        above[column] + 1,
        line[column - 1] + 1,
        above[column - 1] + (a[row - 1] === b[column - 1] ? 0 : 1),
      ));
    }
    above = line;
  }
  return above[b.length];
}
