import { parseAccess } from "../../lib/net/access.ts";
import { systemClock } from "../../lib/clock.ts";
import {
  type MuninNode,
  type MuninNodeOptions,
  startMuninNode,
} from "../../lib/munin_node/node.ts";
import { SampleContent, sampleHosts } from "./sample_content.ts";

/** A node on a free port of 127.0.0.1, unless told otherwise. */
export async function startNode(
  options: Partial<MuninNodeOptions> = {},
): Promise<MuninNode & AsyncDisposable> {
  const node = await startMuninNode({
    content: new SampleContent(sampleHosts),
    host: "127.0.0.1",
    port: 0,
    access: parseAccess("127.0.0.0/8, ::1", "test"),
    clock: systemClock,
    version: "9.8.7",
    ...options,
  });
  return Object.assign(node, {
    [Symbol.asyncDispose]: () => node.stop(),
  });
}

/** Connects to a port of this machine. */
export function connect(
  port: number,
  hostname = "127.0.0.1",
): Promise<Deno.TcpConn> {
  return Deno.connect({ hostname, port });
}

/** Sends everything, however long it takes. */
export async function send(
  connection: Deno.TcpConn,
  text: string | Uint8Array,
): Promise<void> {
  const bytes = typeof text === "string"
    ? new TextEncoder().encode(text)
    : text;
  for (let at = 0; at < bytes.length;) {
    at += await connection.write(bytes.subarray(at));
  }
}

/** Everything up to the end of the connection, which may be a reset. */
export async function receiveAll(connection: Deno.TcpConn): Promise<string> {
  const decoder = new TextDecoder();
  const buffer = new Uint8Array(64 * 1024);
  let text = "";
  try {
    let count: number | null;
    while ((count = await connection.read(buffer)) !== null) {
      text += decoder.decode(buffer.subarray(0, count), { stream: true });
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.ConnectionReset)) throw error;
  }
  return text;
}

/** Everything up to and with a text. */
export async function receiveUntil(
  connection: Deno.TcpConn,
  end: string,
): Promise<string> {
  const buffer = new Uint8Array(1);
  let text = "";
  while (!text.endsWith(end)) {
    if (await connection.read(buffer) === null) throw new Error(text);
    text += String.fromCharCode(buffer[0]);
  }
  return text;
}

/** Sends something, ends that direction, and gets everything, as `nc -N` does. */
export async function ask(
  port: number,
  text: string,
  hostname?: string,
): Promise<string> {
  using connection = await connect(port, hostname);
  await send(connection, text);
  await connection.closeWrite();
  return await receiveAll(connection);
}

/** Waits for something that will come true. */
export async function eventually(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1));
}
