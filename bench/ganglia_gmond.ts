/**
 * A simulated gmond as a process of its own, for `bench/ganglia.ts`: says its port, then a line
 * each time that it is asked.
 *
 *     ganglia_gmond.ts CLUSTER HOSTS METRICS
 */

import { SimulatedAnswers } from "../tests/ganglia_sim.ts";

const [name, hosts, metrics] = Deno.args;
const say = (line: string) =>
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
const answers = new SimulatedAnswers({
  name,
  hosts: Number(hosts),
  metrics: Number(metrics),
});
// Made before it is asked for, so that whoever asks need not wait.
let ready = answers.next();
const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
say(String(listener.addr.port));
for await (const connection of listener) {
  say("asked");
  try {
    for (let done = 0; done < ready.length;) {
      done += await connection.write(ready.subarray(done));
    }
  } catch {
    // Whoever asked has gone away.
  } finally {
    connection.close();
  }
  ready = answers.next();
}
