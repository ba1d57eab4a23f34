import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { UserError } from "../../lib/errors.ts";
import {
  DEFAULT_ACCESS,
  parseAccess,
  plainAddress,
} from "../../lib/net/access.ts";

/** The deciding rule for each address, with a plus if it lets in. */
const decisions: readonly [list: string, Record<string, string>][] = [
  [DEFAULT_ACCESS, {
    "127.0.0.1": "+127.0.0.0/8",
    "127.255.255.255": "+127.0.0.0/8",
    "::ffff:127.0.0.1": "+127.0.0.0/8",
    "::ffff:7f00:1": "+127.0.0.0/8",
    "::1": "+::1",
    "0:0:0:0:0:0:0:1": "+::1",
    "128.0.0.0": "-no rule allows it (127.0.0.0/8, ::1)",
    "::2": "-no rule allows it (127.0.0.0/8, ::1)",
    "::127.0.0.1": "-its address is unknown",
    "localhost": "-its address is unknown",
    "": "-its address is unknown",
  }],
  ["10.0.0.0/8 !10.0.0.5", {
    "10.0.0.5": "+10.0.0.0/8",
  }],
  ["!10.0.0.5, 10.0.0.0/8,!10.1.0.0/16\n192.0.2.1", {
    "10.0.0.5": "-!10.0.0.5",
    "::ffff:10.0.0.5": "-!10.0.0.5",
    "10.0.0.4": "+10.0.0.0/8",
    "10.1.0.4": "+10.0.0.0/8",
    "192.0.2.1": "+192.0.2.1",
    "192.0.2.2":
      "-no rule allows it (!10.0.0.5, 10.0.0.0/8, !10.1.0.0/16, 192.0.2.1)",
  }],
  ["::ffff:10.0.0.0/104, !::FFFF:192.0.2.1 ::ffff:c000:0200/120", {
    "10.255.0.1": "+::ffff:10.0.0.0/104",
    "::ffff:10.0.0.1": "+::ffff:10.0.0.0/104",
    "192.0.2.1": "-!::FFFF:192.0.2.1",
    "192.0.2.2": "+::ffff:c000:0200/120",
  }],
  ["0.0.0.0/0", {
    "255.255.255.255": "+0.0.0.0/0",
    "::ffff:1.2.3.4": "+0.0.0.0/0",
    "::1": "-no rule allows it (0.0.0.0/0)",
  }],
  ["::/0", {
    "2001:db8::1": "+::/0",
    "fe80::1%eth0": "+::/0",
    "1.2.3.4": "-no rule allows it (::/0)",
    "::ffff:1.2.3.4": "-no rule allows it (::/0)",
  }],
  ["::ffff:0:0/96", {
    "1.2.3.4": "+::ffff:0:0/96",
    "::1": "-no rule allows it (::ffff:0:0/96)",
  }],
  ["2001:DB8::/33", {
    "2001:db8:7fff::1": "+2001:DB8::/33",
    "2001:db8:8000::1": "-no rule allows it (2001:DB8::/33)",
  }],
  ["192.0.2.128/25", {
    "192.0.2.128": "+192.0.2.128/25",
    "192.0.2.127": "-no rule allows it (192.0.2.128/25)",
  }],
];

for (const [list, wanted] of decisions) {
  Deno.test(`the access list ${JSON.stringify(list)} decides`, () => {
    const access = parseAccess(list, "--allow");
    const found = Object.keys(wanted).map((address) => {
      const { allowed, rule } = access.check(address);
      return [address, `${allowed ? "+" : "-"}${rule}`];
    });
    assertEquals(Object.fromEntries(found), wanted);
  });
}

const EXPECTED = "; expected is an address or network, such as 192.0.2.7, " +
  "10.0.0.0/8, ::1 or 2001:db8::/32, with ! in front to keep it out";
const NOBODY =
  "--allow lets nobody in; name an address or network, such as 127.0.0.1";

const mistakes: readonly [list: string, message: string][] = [
  ["", NOBODY],
  [" ,\n, ", NOBODY],
  ["!10.0.0.5", NOBODY],
  ...[
    "localhost",
    "*",
    "!",
    "!!10.0.0.1",
    "10.0.0",
    "10.1",
    "010.0.0.1",
    "0x7f.0.0.1",
    "10.0.0.256",
    "10.0.0.0/33",
    "10.0.0.0/08",
    "10.0.0.0/-1",
    "10.0.0.0/",
    "10.0.0.0/255.0.0.0",
    "10.0.0.1:4949",
    "[::1]",
    "::1/129",
    "1::2::3",
    "::10.0.0.1",
    "fe80::1%eth0",
    "::ffff:10.0.0.0/8",
    "::ffff:10.0.0.0/129",
    "^127\\.0\\.0\\.1$",
  ].map((rule): [string, string] => [
    `127.0.0.1, ${rule}`,
    `--allow: cannot understand ${JSON.stringify(rule)}${EXPECTED}`,
  ]),
  [
    "10.0.0.5/8",
    "--allow: 10.0.0.5/8 is an address inside a network; write 10.0.0.0/8 for the network, or 10.0.0.5 for the address",
  ],
  [
    "!2001:db8::5/32",
    "--allow: !2001:db8::5/32 is an address inside a network; write !2001:db8::/32 for the network, or !2001:db8::5 for the address",
  ],
  [
    "::ffff:10.0.0.5/104",
    "--allow: ::ffff:10.0.0.5/104 is an address inside a network; write 10.0.0.0/8 for the network, or 10.0.0.5 for the address",
  ],
  [
    "127.0.0.1/0",
    "--allow: 127.0.0.1/0 is an address inside a network; write 0.0.0.0/0 for the network, or 127.0.0.1 for the address",
  ],
  [
    `x\u001b${"y".repeat(1000)}`,
    `--allow: cannot understand "x ${"y".repeat(98)}"${EXPECTED}`,
  ],
];

for (const [list, message] of mistakes) {
  Deno.test(`the access list ${JSON.stringify(list.slice(0, 50))} is a mistake`, () => {
    const error = assertThrows(
      () => parseAccess(list, "--allow"),
      UserError,
    );
    assertEquals([error.message, error.exitCode], [message, 2]);
  });
}

Deno.test("IPv4 networks hold what arithmetic says, mapped into IPv6 or not", () => {
  const dotted = (value: number) =>
    [24, 16, 8, 0].map((shift) => (value >>> shift) & 255).join(".");
  const hex = (value: number) =>
    `::ffff:${(value >>> 16).toString(16)}:${(value & 0xffff).toString(16)}`;
  const number = fc.integer({ min: 0, max: 0xffffffff });
  fc.assert(
    fc.property(
      number,
      fc.integer({ min: 0, max: 32 }),
      fc.oneof(number, fc.integer({ min: 0, max: 32 })),
      (base, bits, other) => {
        const size = 2 ** (32 - bits);
        const first = Math.floor(base / size) * size;
        // A caller anywhere, or at a distance of a single bit.
        const caller = other <= 32
          ? (first ^ (other === 32 ? 0 : 1 << other)) >>> 0
          : other;
        const inside = caller >= first && caller < first + size;
        for (
          const list of [
            `${dotted(first)}/${bits}`,
            `${hex(first)}/${bits + 96}`,
          ]
        ) {
          const access = parseAccess(list, "test");
          for (const address of [dotted(caller), hex(caller)]) {
            assertEquals(access.check(address).allowed, inside);
          }
        }
        assertEquals(plainAddress(hex(caller)), dotted(caller));
      },
    ),
  );
});
