// Who am I? A graph's name: that graph's Munin plugin. Else: the command line.

import { programName } from "./lib/cli/program_name.ts";
import { findGraph } from "./lib/munin/graphs.ts";

const name = await programName();
if (findGraph(name)) {
  const { explain, pluginIo } = await import("./lib/cli/cli.ts");
  const { muninPlugin } = await import("./lib/cli/munin.ts");
  Deno.exitCode = await explain(
    name,
    () => muninPlugin(name, Deno.args, pluginIo()),
  );
} else {
  const { cli } = await import("./lib/cli/cli.ts");
  Deno.exitCode = await cli(Deno.args);
}
