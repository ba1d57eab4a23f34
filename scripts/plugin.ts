/**
 * What the built script begins with: the Munin plugin, and nothing that a plugin run does not need.
 * For all else it imports the command line, which is main.ts, from the end of the script.
 *
 * No `node:` module may be imported on the way here: the first one takes 15 ms.
 *
 * @module
 */
import { explain, pluginIo } from "../lib/cli/cli.ts";
import { isPluginCall, muninPlugin } from "../lib/cli/munin.ts";
import { programName } from "../lib/cli/program_name.ts";
import { reveal } from "./hidden.ts";

const name = await programName();
if (isPluginCall(name, Deno.args, Deno.env)) {
  Deno.exitCode = await explain(
    name,
    () => muninPlugin(name, Deno.args, pluginIo()),
  );
} else {
  const source = reveal(await Deno.readTextFile(new URL(Deno.mainModule)));
  const type = "text/javascript";
  await import(URL.createObjectURL(new Blob([source], { type })));
}
