/**
 * The real programs that tests in this directory need, each from a Debian package.
 *
 * @module
 */

/** Debian packages, and a command that succeeds when what is in the package is there. */
const probes = {
  "ganglia-monitor": ["gmond", "--version"],
  gmetad: ["gmetad", "--version"],
  munin: ["perl", "-MMunin::Master::UpdateWorker", "-e", "1"],
  "munin-node": ["perl", "-MMunin::Node::Server", "-e", "1"],
  prometheus: ["promtool", "--version"],
  "python3-foolscap": ["/usr/bin/python3", "-c", "import foolscap"],
  logrotate: ["logrotate", "--version"],
  rrdtool: ["rrdtool", "--version"],
  // It has no option that only tells something.
  rrdcached: ["sh", "-c", "command -v rrdcached"],
  systemd: ["systemd-analyze", "--version"],
} as const satisfies Record<string, readonly [string, ...string[]]>;

/** A Debian package that some test needs. */
export type PeerPackage = keyof typeof probes;

/**
 * Whether what is in a Debian package is installed, for `Deno.test`'s `ignore`:
 * `ignore: !requirePeer("munin-node")`. When it is not, a line on stderr names the package.
 *
 * @throws Error when it is not, and the environment has `PEERS=required`.
 */
export function requirePeer(name: PeerPackage): boolean {
  if (isInstalled(name)) return true;
  const missing = `Debian package "${name}" is not installed`;
  if (Deno.env.get("PEERS") === "required") throw new Error(missing);
  Deno.stderr.writeSync(
    new TextEncoder().encode(`tests are skipped: ${missing}\n`),
  );
  return false;
}

function isInstalled(name: PeerPackage): boolean {
  const [program, ...args] = probes[name];
  try {
    return new Deno.Command(program, {
      args,
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).outputSync().success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
