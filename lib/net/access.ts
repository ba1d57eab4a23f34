/**
 * Who may connect: a list of addresses and networks.
 *
 * @module
 */
import ipaddr from "ipaddr.js";
import { usageCode, UserError } from "../errors.ts";
import { oneLine } from "../text.ts";

/** The list in force unless another is given: this machine only. */
export const DEFAULT_ACCESS = "127.0.0.0/8, ::1";

/** A list of rules that has been read. */
export interface Access {
  /**
   * Judges a caller by the numeric address that the system gave for it.
   * @returns Also the rule that decided, as it was written, or in words that none did.
   */
  check(address: string): AccessDecision;
}

/** What {@linkcode Access.check} says. */
export interface AccessDecision {
  readonly allowed: boolean;
  readonly rule: string;
}

type Address = ipaddr.IPv4 | ipaddr.IPv6;

interface Rule {
  readonly text: string;
  readonly allows: boolean;
  readonly network: Address;
  readonly bits: number;
}

/** Bits of an IPv6 address before the IPv4 address that is mapped into it (RFC 4291, 2.5.5.2). */
const MAPPED_BITS = 96;

/**
 * Reads a list of rules, separated by commas or blanks: an address or a network, IPv4 or IPv6,
 * with `!` in front one that may not connect. The first rule that matches decides; whom none
 * matches may not connect. An IPv4 address that is mapped into IPv6 counts as IPv4 both in a rule
 * and of a caller, so `::/0` is every IPv6 address and no IPv4 address.
 *
 * @param where What the list is, for the error: an option or a file and line.
 * @throws UserError (exit code 2 when `where` is an option) for a rule that is malformed, for a network with bits beyond its
 *   length, and for a list that lets nobody in.
 */
export function parseAccess(text: string, where: string): Access {
  const rules = text.split(/[\s,]+/).filter((rule) => rule !== "").map((rule) =>
    parseRule(rule, where)
  );
  if (!rules.some(({ allows }) => allows)) {
    throw new UserError(
      `${where} lets nobody in; name an address or network, such as 127.0.0.1`,
      usageCode(where),
    );
  }
  const none = `no rule allows it (${
    rules.map(({ text }) => text).join(", ")
  })`;
  return {
    check(address) {
      const caller = parseAddress(address);
      if (caller === undefined) {
        return { allowed: false, rule: "its address is unknown" };
      }
      const rule = rules.find((rule) => matches(caller, rule));
      return { allowed: rule?.allows ?? false, rule: rule?.text ?? none };
    },
  };
}

/**
 * A numeric address in its one usual form, so that a caller has one name in the log however it is
 * connected: IPv4 for what is mapped into IPv6. What is no address comes back as it is.
 */
export function plainAddress(address: string): string {
  return parseAddress(address)?.toString() ?? address;
}

function parseRule(text: string, where: string): Rule {
  const form = /^(!?)([0-9a-f:.]+)(?:\/(0|[1-9]\d{0,2}))?$/i.exec(text);
  const network = form ? parseAddress(form[2]) : undefined;
  if (!form || network === undefined) throw malformed(text, where);
  const width = network.toByteArray().length * 8;
  const mapped = width === 32 && form[2].includes(":") ? MAPPED_BITS : 0;
  const bits = form[3] === undefined ? width : Number(form[3]) - mapped;
  if (bits < 0 || bits > width) throw malformed(text, where);
  const first = firstAddress(network, bits);
  if (first !== network.toString()) {
    throw new UserError(
      `${where}: ${text} is an address inside a network; write ${
        form[1]
      }${first}/${bits} for the network, or ${
        form[1]
      }${network} for the address`,
      usageCode(where),
    );
  }
  return { text, allows: form[1] === "", network, bits };
}

function malformed(text: string, where: string): UserError {
  return new UserError(
    `${where}: cannot understand ${
      JSON.stringify(oneLine(text, 100))
    }; expected is an address or network, ` +
      "such as 192.0.2.7, 10.0.0.0/8, ::1 or 2001:db8::/32, with ! in front to keep it out",
    usageCode(where),
  );
}

function firstAddress(address: Address, bits: number): string {
  const cidr = `${address}/${bits}`;
  return address.kind() === "ipv4"
    ? ipaddr.IPv4.networkAddressFromCIDR(cidr).toString()
    : ipaddr.IPv6.networkAddressFromCIDR(cidr).toString();
}

/** Strict, unlike the library: no octal or short IPv4, and dotted IPv6 only for mapped IPv4. */
function parseAddress(text: string): Address | undefined {
  const dotted = /^(?:::ffff:)?([\d.]+)$/i.exec(text);
  if (dotted) {
    return ipaddr.IPv4.isValidFourPartDecimal(dotted[1])
      ? ipaddr.IPv4.parse(dotted[1])
      : undefined;
  }
  if (text.includes(".") || !ipaddr.IPv6.isValid(text)) return undefined;
  const address = ipaddr.IPv6.parse(text);
  return address.isIPv4MappedAddress() ? address.toIPv4Address() : address;
}

function matches(caller: Address, { network, bits }: Rule): boolean {
  return caller.kind() === network.kind() && caller.match(network, bits);
}
