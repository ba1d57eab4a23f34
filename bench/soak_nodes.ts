/**
 * Nodes that come and go, for `bench/soak.ts`: a process with some that stay and some that are
 * attached and closed by turns, as nodes do that are started anew.
 *
 *     soak_nodes.ts FURL STAY COME_AND_GO LIFE_MS KEYDIR
 */

import { join } from "@std/path";
import { sleep, systemClock } from "../lib/clock.ts";
import {
  formatIdentity,
  generateIdentity,
} from "../lib/foolscap/certificate.ts";
import { writeSecret } from "../lib/secret_file.ts";
import { connect, StatsProvider } from "../mod.ts";

const [furl, stay, comeAndGo, lifeMs, keyDir] = Deno.args;
await Deno.mkdir(keyDir, { recursive: true });

async function attach(name: string, isNew: boolean): Promise<AsyncDisposable> {
  const identityFile = join(keyDir, `${name}.pem`);
  if (isNew) {
    await writeSecret(identityFile, formatIdentity(await generateIdentity()));
  }
  const stats = new StatsProvider();
  for (let i = 0; i < 20; i++) stats.count(`soak.counter_${i}`, i);
  stats.registerProducer({ getStats: () => ({ "soak.gauge": Math.random() }) });
  return connect(stats, {
    furl,
    nickname: name,
    identityFile,
    loadMonitor: false,
  });
}

for (let i = 0; i < Number(stay); i++) await attach(`stays-${i}`, true);

/** Attached for a while, gone for a while, for ever. */
async function restless(name: string): Promise<void> {
  for (let isNew = true;; isNew = false) {
    const attachment = await attach(name, isNew);
    await sleep(systemClock, Number(lifeMs) * (0.5 + Math.random()));
    await attachment[Symbol.asyncDispose]();
    await sleep(systemClock, Number(lifeMs) * Math.random());
  }
}

await Promise.all(
  Array.from({ length: Number(comeAndGo) }, (_, i) => restless(`comes-${i}`)),
);
