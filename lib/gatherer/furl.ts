/**
 * Where nodes attach: a port, and the FURL that leads to it.
 *
 * @module
 */
import { UserError } from "../errors.ts";
import { formatHint } from "../foolscap/furl.ts";
import type { Referenceable } from "../foolscap/references.ts";
import type { Tub } from "../foolscap/tub.ts";
import { reasonOf } from "../secret_file.ts";
import type { BaseDir } from "./basedir.ts";
import type { GathererOptions } from "./options.ts";

/** Listens for nodes, and keeps the FURL that they attach with. */
export async function offerFurl(
  tub: Tub,
  options: GathererOptions,
  basedir: BaseDir,
  reference: Referenceable,
  swissnum: string | undefined,
): Promise<{ port: number; furl: string }> {
  const port = await listen(tub, options, await basedir.port());
  const location = options.location ??
    (options.hostname !== undefined
      ? [formatHint(options.hostname, port)]
      : await basedir.location() ?? guessLocation(port));
  tub.setLocation(location);
  const furl = tub.registerReference(reference, swissnum);
  await basedir.saveAddress(port, location);
  await basedir.saveFurl(furl);
  return { port, furl };
}

async function listen(
  tub: Tub,
  options: GathererOptions,
  known: number | undefined,
): Promise<number> {
  const port = options.port ?? known ?? 0;
  try {
    return await tub.listen(port, options.host);
  } catch (error) {
    const inUse = error instanceof Error && "code" in error &&
      error.code === "EADDRINUSE";
    throw new UserError(
      inUse
        ? `cannot listen on port ${port}: another program uses it already; ` +
          "is this gatherer running? Else choose another with --port"
        : `cannot listen on port ${port}: ${reasonOf(error)}`,
    );
  }
}

/** Every address of this machine that a node may reach, the loopback one last. */
function guessLocation(port: number): string[] {
  const addresses = Deno.networkInterfaces()
    .filter(({ family, address }) =>
      family === "IPv4" && !address.startsWith("127.")
    )
    .map(({ address }) => address);
  return [...new Set([...addresses, "127.0.0.1"])].map((address) =>
    formatHint(address, port)
  );
}
