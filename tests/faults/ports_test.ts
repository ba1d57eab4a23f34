/** Clients of Munin's and Ganglia's ports that say nothing, or say it a byte a second. */

import { assert, assertEquals } from "@std/assert";
import { parse } from "../ganglia/conf/parsing.ts";
import { captureLog } from "../log_capture.ts";
import { ask, connect, receiveAll } from "../munin_node/node_client.ts";
import { tempDirectory } from "../spool/segments.ts";
import { about } from "./process.ts";
import { startWorld } from "./world.ts";

const encoder = new TextEncoder();

Deno.test("1,000 clients that never speak and some that send a byte a second are ended after their time, and others are answered meanwhile", async () => {
  await using directory = await tempDirectory();
  await using log = await captureLog();
  const address = { host: "127.0.0.1", port: 0 };
  await using world = await startWorld(`${directory.path}/base`, {
    munin: {
      all: address,
      hostName: "grid.example",
      allow: "127.0.0.0/8",
      operators: { graphs: [], limits: new Map() },
      select: "",
      drilldown: "no",
    },
    ganglia: {
      conf: parse(
        // Nobody answers there, and nothing of it is of interest.
        'data_source "a" 127.0.0.1:1\nxml_port 0\ninteractive_port 0\n' +
          "write_rrds off\nall_trusted on\n",
      ),
      host: "127.0.0.1",
    },
  });
  const { gatherer, clock } = world;
  const munin = gatherer.munin.all!.port;
  const { xml, interactive } = gatherer.ganglia!;
  // How long one may be silent, in seconds, and how many may be connected from one address.
  const ports = [
    { port: munin, seconds: 60, most: 32, greets: true },
    { port: interactive.port, seconds: 5, most: 128, greets: false },
  ];
  for (const { port, seconds, most, greets } of ports) {
    const clients = await Promise.all(
      Array.from({ length: 1000 }, () => connect(port)),
    );
    // Those that are too many are ended at once, the others keep their places.
    let ended = 0;
    const texts = clients.map(async (client) => {
      const text = await receiveAll(client);
      ended++;
      return text;
    });
    while (ended < 1000 - most) {
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    // From elsewhere one gets in.
    const question = greets ? "list\nquit\n" : "/\n";
    const answer = await askFrom("127.0.0.2", port, question);
    assert(answer.includes(greets ? "gatherer_nodes" : "<GANGLIA_XML"), answer);
    // One of them says its command a byte a second.
    const slow = clients.find((_, index) => index < most)!;
    for (let second = 0; second < seconds - 1; second++) {
      await clock.advance(1000);
      await slow.write(encoder.encode("l")).catch(() => {});
    }
    assertEquals(ended, 1000 - most);
    await clock.advance(1000);
    const all = await Promise.all(texts);
    for (const client of clients) client.close();
    assertEquals(
      all.filter((text) => text !== "").length,
      greets ? most : 0,
    );
    assert((await ask(port, question)).length > 20);
  }
  // The port that asks for nothing answers everybody at once, as many as may be connected.
  const dumps = await Promise.all(
    Array.from({ length: 100 }, () => ask(xml.port, "")),
  );
  assert(dumps.every((dump) => dump.includes("</GANGLIA_XML>")));
  await world.gatherer.stop();
  assertEquals(about(log.lines, /client 127\.0\.0\.1/), [
    "warning Munin client 127.0.0.1: refused: 32 connections from there are open already",
    "warning Munin client 127.0.0.1: refused: 32 connections from there are open already, and 967 more",
    "warning Munin client 127.0.0.1: cut off: no command within 60 s",
    "warning Ganglia client 127.0.0.1: refused: 128 connections from there are open already",
    "warning Ganglia client 127.0.0.1: cut off: no query within 5 s",
    "warning Munin client 127.0.0.1: cut off: no command within 60 s, and 31 more",
    "warning Ganglia client 127.0.0.1: refused: 128 connections from there are open already, and 871 more",
    "warning Ganglia client 127.0.0.1: cut off: no query within 5 s, and 127 more",
  ]);
});

/** Asks a port from another address of this machine. */
async function askFrom(
  address: string,
  port: number,
  text: string,
): Promise<string> {
  const net = await import("node:net");
  return await new Promise((resolve, reject) => {
    let answer = "";
    const socket = net.connect({
      host: "127.0.0.1",
      port,
      localAddress: address,
    }, () => socket.end(text));
    socket.on("data", (chunk) => answer += chunk.toString());
    socket.on("error", reject);
    socket.on("close", () => resolve(answer));
  });
}
