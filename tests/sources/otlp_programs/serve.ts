/**
 * A program that knows nothing of metrics: serves HTTP, is asked by itself five times for what is
 * there and once for what fails, and then waits for the end of its input.
 */
const server = Deno.serve(
  { port: 0, hostname: "127.0.0.1", onListen() {} },
  ({ url }) =>
    new URL(url).pathname === "/broken"
      ? new Response("broken", { status: 500 })
      : new Response("hello"),
);
const base = `http://127.0.0.1:${server.addr.port}`;
for (const path of ["/", "/", "/", "/", "/", "/broken"]) {
  await (await fetch(base + path)).text();
}
await Deno.stdin.readable.pipeTo(new WritableStream());
await server.shutdown();
