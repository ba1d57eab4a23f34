// Who am I? A graph's name: that graph's Munin plugin. `gmetad`: that. Else: the command line.

import { cli, explain, pluginIo } from "./lib/cli/cli.ts";
import { programName } from "./lib/cli/program_name.ts";
import { isPluginCall, muninPlugin } from "./lib/cli/munin.ts";

const name = await programName();
if (isPluginCall(name, Deno.args, Deno.env)) {
  Deno.exitCode = await explain(
    name,
    () => muninPlugin(name, Deno.args, pluginIo()),
  );
} else if (name === "gmetad") {
  Deno.exitCode = await explain(name, async () => {
    const { gmetad } = await import("./lib/cli/gmetad_run.ts");
    return await gmetad(Deno.args);
  });
} else {
  Deno.exitCode = await cli(Deno.args);
}
