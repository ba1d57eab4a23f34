/**
 * A process with many small nodes, for `bench/nodes.ts`: makes their keys, waits for a line on
 * stdin, attaches all of them at once, and says when every one has been polled.
 *
 *     node_process.ts FURL NODES STATS KEYDIR PREFIX
 */

import {
  formatIdentity,
  generateIdentity,
} from "../lib/foolscap/certificate.ts";
import { writeSecret } from "../lib/secret_file.ts";
import { connect, StatsProvider } from "../mod.ts";

const [furl, nodes, stats, keyDir, prefix] = Deno.args;
const say = (line: string) =>
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
await Deno.mkdir(keyDir);

const go = Promise.withResolvers<void>();
const polled: Promise<void>[] = [];
for (let index = 0; index < Number(nodes); index++) {
  const identityFile = `${keyDir}/${index}.pem`;
  await writeSecret(identityFile, formatIdentity(await generateIdentity()));
  const provider = new StatsProvider();
  const first = Promise.withResolvers<void>();
  polled.push(first.promise);
  for (let i = 0; i < Number(stats) / 2; i++) {
    provider.count(`storage_server.operation_${i}`, index * 1000 + i);
  }
  provider.registerProducer({
    getStats() {
      first.resolve();
      const figures: Record<string, number> = {};
      for (let i = 0; i < Number(stats) / 2; i++) {
        figures[`storage_server.latencies.read.${i}_percentile`] = Math
          .random();
      }
      return figures;
    },
  });
  connect(provider, {
    furl,
    nickname: `${prefix}-${index}`,
    identityFile,
    loadMonitor: false,
    keepAlive: true,
    ready: go.promise,
  });
}
say("made");
await Deno.stdin.read(new Uint8Array(10));
go.resolve();
await Promise.all(polled);
say("polled");
