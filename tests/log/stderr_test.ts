import { assertEquals } from "@std/assert";
import { StderrOutlet } from "../../lib/log/stderr.ts";
import { FakeClock } from "../fake_clock.ts";
import { line } from "./records.ts";

Deno.test("what cannot be written to stderr is counted and said when it can be", () => {
  let isBroken = true;
  let written = "";
  const outlet = new StderrOutlet(
    new FakeClock(),
    ({ text }) => text,
    (bytes) => {
      if (isBroken) {
        throw new Deno.errors.BrokenPipe("Broken pipe (os error 32)");
      }
      // Only a little at a time.
      const some = bytes.subarray(0, 3);
      written += new TextDecoder().decode(some);
      return some.length;
    },
  );
  outlet.write(line("one"));
  outlet.write(line("two"));
  assertEquals(
    outlet.trouble,
    "lines cannot be written to stderr: broken pipe",
  );
  isBroken = false;
  outlet.write(line("three"));
  outlet.write(line("four"));
  assertEquals(
    written,
    "2 lines could not be written: broken pipe\nthree\nfour\n",
  );
  assertEquals(outlet.trouble, undefined);
});
