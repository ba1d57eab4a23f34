/**
 * The built script: the Munin plugin. For all else it imports the command line, which is main.ts,
 * from the file beside it.
 *
 * No `node:` module may be imported on the way here: the first one takes 15 ms.
 *
 * @module
 */
import { explain, pluginIo } from "../lib/cli/cli.ts";
import { isPluginCall, muninPlugin } from "../lib/cli/munin.ts";
import { programName } from "../lib/cli/program_name.ts";

const name = await programName();
if (isPluginCall(name, Deno.args, Deno.env)) {
  Deno.exitCode = await explain(
    name,
    () => muninPlugin(name, Deno.args, pluginIo()),
  );
} else {
  // The script may have been called by a link from anywhere.
  const script = await Deno.realPath(new URL(Deno.mainModule));
  const url = encodeURI(script).replace(/[?#]/g, encodeURIComponent);
  await import(new URL("gatherer-cli.js", `file://${url}`).href);
}
