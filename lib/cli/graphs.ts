import { readOptions } from "./options.ts";
import { graphs } from "../munin/graphs.ts";

/** The table of all graphs, for people. */
export function graphsTable(): string {
  const rows = [
    ["GRAPH", "STATISTIC", "DRAWN AS"],
    ...graphs.map((graph) => [
      graph.name,
      `${graph.group} ${graph.stat}`,
      graph.type === "DERIVE" ? "growth a second" : "value",
    ]),
  ];
  const widths = [0, 1].map((column) =>
    Math.max(...rows.map((row) => row[column].length))
  );
  return rows.map(([name, statistic, drawn]) =>
    `${name.padEnd(widths[0])}  ${statistic.padEnd(widths[1])}  ${drawn}\n`
  ).join("");
}

/** What `gatherer graphs --help` says. */
export const graphsHelp = `\
Usage: gatherer graphs

Lists the graphs: the name that a link in Munin's plugins directory must have, the statistic that
the graph draws, and whether it draws the value or its growth.

Example: all of them in Munin

  for graph in $(gatherer graphs | awk 'NR > 1 { print $1 }'); do
    ln -s /usr/local/lib/gatherer/gatherer /etc/munin/plugins/$graph
  done
`;

/**
 * `gatherer graphs`.
 *
 * @param io.stdout Writes to stdout.
 * @returns The exit code, 0.
 * @throws UserError code 2 for any argument.
 */
export async function graphsCommand(
  args: readonly string[],
  io: { stdout(text: string): void | Promise<void> },
): Promise<number> {
  readOptions("graphs", args, {});
  await io.stdout(graphsTable());
  return 0;
}
