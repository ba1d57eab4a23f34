import { assertEquals } from "@std/assert";
import { trustedBy } from "../../lib/gatherer/ganglia.ts";

function allowed(trustedHosts: string[], ...addresses: string[]) {
  return trustedBy({ allTrusted: false, trustedHosts, path: "g.conf" }).then(
    (access) => addresses.filter((address) => access.check(address).allowed),
  );
}

Deno.test("trusted_hosts: this machine, and whom the file names, in whatever way it may", async () => {
  const local = ["127.0.0.1", "127.5.6.7", "::1", "::ffff:127.0.0.1"];
  assertEquals(await allowed([], ...local, "127.0.0.0", "10.0.0.1", "::2"), [
    ...local,
    "127.0.0.0",
  ]);
  assertEquals(
    await allowed(["10.0.0.5"], "10.0.0.5", "10.0.0.50", "110.0.0.5"),
    ["10.0.0.5"],
  );
  // A network with bits beyond its length, which the file may have.
  assertEquals(
    await allowed(["10.1.2.3/16"], "10.1.0.1", "10.1.255.255", "10.2.0.1"),
    ["10.1.0.1", "10.1.255.255"],
  );
  assertEquals(
    await allowed(["2001:db8::7/32"], "2001:db8:9::1", "2001:db9::1"),
    ["2001:db8:9::1"],
  );
  assertEquals(
    await allowed(["fe80::1%eth0"], "fe80::1", "fe80::2"),
    ["fe80::1"],
  );
  assertEquals(
    await allowed(["::ffff:10.0.0.9/104"], "10.200.0.1", "11.0.0.1"),
    ["10.200.0.1"],
  );
});

Deno.test("all_trusted lets everybody ask", async () => {
  const access = await trustedBy({
    allTrusted: true,
    trustedHosts: [],
    path: "g.conf",
  });
  for (const address of ["192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1"]) {
    assertEquals(access.check(address).allowed, true);
  }
});
