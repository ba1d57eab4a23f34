import type { Graph } from "./graph.ts";

const disk = {
  left: { group: "stats", stat: "storage_server.disk_avail" },
  total: { group: "stats", stat: "storage_server.disk_total" },
  used: { group: "stats", stat: "storage_server.disk_used" },
} as const;

/**
 * Those of Tahoe-LAFS's other plugins whose figures nodes report: about a grid as a whole, and the
 * CPU of each node. Names, texts and fields are the plugins', so that pages and RRD files go on.
 * Source: `misc/operations_helpers/munin` in Tahoe-LAFS. Its disk watcher and CPU watcher, which
 * those plugins asked, are not needed.
 */
export const tahoeGrid: readonly Graph[] = [
  {
    name: "tahoe_diskleft",
    title: "Tahoe Remaining Disk Space",
    vlabel: "bytes remaining",
    category: "tahoe",
    info:
      "This graph shows the total amount of disk space left available in the grid",
    lines: {
      kind: "sums",
      fields: [
        { name: "disk_left", label: "disk left", draw: "LINE1", ...disk.left },
      ],
    },
  },
  {
    name: "tahoe_disktotal",
    title: "Tahoe Total Disk Space",
    vlabel: "bytes",
    category: "tahoe",
    info:
      "This graph shows the total amount of disk space present in the grid, and how much of it is currently being used.",
    lines: {
      kind: "sums",
      fields: [
        {
          name: "disk_total",
          label: "disk total",
          draw: "LINE2",
          ...disk.total,
        },
        { name: "disk_used", label: "disk used", draw: "LINE1", ...disk.used },
      ],
    },
  },
  {
    name: "tahoe_diskused",
    title: "Tahoe Total Disk Space Used",
    vlabel: "bytes used",
    category: "tahoe",
    info:
      "This graph shows the total amount of disk space used across the grid",
    lines: {
      kind: "sums",
      fields: [
        { name: "disk_used", label: "disk used", draw: "LINE1", ...disk.used },
      ],
    },
  },
  {
    name: "tahoe_diskusage",
    title: "Tahoe Disk Usage Measurement",
    vlabel: "bytes per second",
    category: "tahoe",
    info:
      "This graph shows the estimated disk usage per unit time, totalled across all storage servers",
    args: "--lower-limit 0 --rigid",
    lines: { kind: "growth", show: "rate" },
  },
  {
    name: "tahoe_doomsday",
    title: "Tahoe Remaining Time Predictor",
    vlabel: "days remaining",
    category: "tahoe",
    info:
      "This graph shows the estimated number of days left until storage space is exhausted",
    lines: { kind: "growth", show: "days" },
  },
  {
    name: "tahoe_helperstats_active",
    title: "Tahoe Helper Stats - Active Files",
    vlabel: "bytes",
    category: "tahoe",
    info:
      "This graph shows the number of files being actively processed by the helper",
    lines: {
      kind: "sums",
      fields: [{
        name: "fetched",
        label: "Active Files",
        draw: "LINE2",
        group: "stats",
        stat: "chk_upload_helper.active_uploads",
      }],
    },
  },
  {
    name: "tahoe_helperstats_fetched",
    title: "Tahoe Helper Stats - Bytes Fetched",
    vlabel: "bytes",
    category: "tahoe",
    info: "This graph shows the amount of data being fetched by the helper",
    lines: {
      kind: "sums",
      fields: [{
        name: "fetched",
        label: "Bytes Fetched",
        draw: "LINE1",
        type: "GAUGE",
        min: 0,
        group: "counters",
        stat: "chk_upload_helper.fetched_bytes",
      }],
    },
  },
  {
    name: "tahoe_cpu_watcher",
    title: "Tahoe CPU Usage",
    vlabel: "CPU %",
    category: "tahoe",
    info: "This graph shows the 5min average of CPU usage for each process",
    lines: {
      kind: "nodes",
      group: "stats",
      stat: "cpu_monitor.5min_avg",
      type: "GAUGE",
      draw: "LINE2",
      label: "nickname",
      percent: true,
    },
  },
];
