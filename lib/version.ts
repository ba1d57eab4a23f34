import config from "../deno.json" with { type: "json" };

/** This release's number, as deno.json has it. */
export const VERSION: string = config.version;
