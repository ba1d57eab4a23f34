import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { check, checkHelp } from "../../lib/cli/check.ts";
import { UserError } from "../../lib/errors.ts";
import { directiveNames } from "../../lib/ganglia/conf/directives.ts";

/** Runs `gatherer check` on a file of this text, which is called `gmetad.conf` in what it prints. */
async function run(
  text: string,
  color = false,
): Promise<{ code: number; output: string }> {
  const directory = await Deno.makeTempDir();
  try {
    const path = join(directory, "gmetad.conf");
    await Deno.writeTextFile(path, text);
    let output = "";
    const code = await check([path], {
      stdout: (part) => void (output += part),
      color,
    });
    return { code, output: output.replaceAll(`${directory}/`, "") };
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test("a file that can be used: each line in words, warnings in their places", async () => {
  const { code, output } = await run(`\
# a comment

data_source "my cluster" node1 node2:8650 10.5.1
trusted_hosts 127.0.0.1 10.20.0.5
all_trusted off
carbon_port 2004
setuid off
mailer {
   to "ops@example.test"
}
`);
  assertEquals(
    output,
    `\
gmetad.conf:3: polls "my cluster" every 15 s: node1 port 8649, then node2 port 8650, then 10.5.1 port 8649
gmetad.conf:4: may ask: this machine, 127.0.0.1, 10.20.0.5
gmetad.conf:5: only this machine and the trusted hosts may ask
gmetad.conf:5:13: warning: all_trusted: "off" is off; the C gmetad takes it for "on"
gmetad.conf:6: carbon answers on port 2004
gmetad.conf:6:1: warning: carbon_port: it has no effect without carbon_server
gmetad.conf:7: the user is not changed
gmetad.conf:8: what stands in {} is for the plugin "mailer"
gmetad.conf:9: for the plugin "mailer": to "ops@example.test"

grid "unspecified"; 1 data source with 3 hosts; XML on port 8651, queries on port 8652, for this machine and \
1 trusted host; RRDs are written; sections for mailer
0 errors, 2 warnings: gmetad.conf can be used
`,
  );
  assertEquals(code, 0);
});

Deno.test("a file with errors: each at its line, and what can be understood is explained", async () => {
  const { code, output } = await run("xml_prot 1\ngridname x\nxml_port x\n");
  assertEquals(
    output,
    `\
gmetad.conf:1:1: error: there is no directive "xml_prot": did you mean "xml_port"?
gmetad.conf:2: the grid is called "x"
gmetad.conf:3:10: error: xml_port: expected a port from 1 to 65535, got "x"

2 errors, 0 warnings: gmetad.conf cannot be used until the errors are mended
`,
  );
  assertEquals(code, 1);
});

Deno.test("the section of alerts is read as at a start", async () => {
  const wrong = await run("setuid off\nalert {\n rule r\n raise value >\n}\n");
  assertStringIncludes(
    wrong.output,
    '\ngmetad.conf:4:2: error: raise: raise of the rule "r"',
  );
  assertStringIncludes(wrong.output, "1 error, 1 warning: ");
  assertEquals(wrong.code, 1);
  const doubtful = await run(
    'setuid off\ndata_source "a" h\nalert {\n metricrule m "$val > 1" "x"\n}\n',
  );
  assertStringIncludes(
    doubtful.output,
    "\nwarning: alert: there is no toaddress: each metricrule is logged",
  );
  assertStringIncludes(doubtful.output, "0 errors, 1 warning: ");
  assertEquals(doubtful.code, 0);
});

Deno.test("the summary has what the file does not say, too", async () => {
  const { code, output } = await run(
    'gridname "a\u2028b"\nwrite_rrds off\nall_trusted on\ncarbon_server g\n',
  );
  assertStringIncludes(
    output,
    '\ngrid "a b"; 0 data sources with 0 hosts; XML on port 8651, queries on port 8652, for anyone; no RRDs; ' +
      "carbon on g\n0 errors, 1 warning: gmetad.conf can be used\n",
  );
  assertEquals(code, 0);
  assertEquals(await run("# nothing\n"), {
    code: 0,
    output:
      'gmetad.conf:1:1: warning: there is no data_source, so no gmond is polled\n\ngrid "unspecified"; ' +
      "0 data sources with 0 hosts; XML on port 8651, queries on port 8652, for this machine only; " +
      "RRDs are written\n0 errors, 1 warning: gmetad.conf can be used\n",
  });
});

Deno.test("colours set off what is wrong, and change no word", async () => {
  const text = "data_source a h\nxml_port 0\nxml_port x\n";
  const { output } = await run(text, true);
  assertStringIncludes(
    output,
    "gmetad.conf:2:1:\x1b[0m \x1b[1;33mwarning:\x1b[0m",
  );
  assertStringIncludes(
    output,
    "gmetad.conf:3:10:\x1b[0m \x1b[1;31merror:\x1b[0m",
  );
  // deno-lint-ignore no-control-regex
  const bare = output.replace(/\x1b\[[\d;]*m/g, "");
  assertEquals(bare, (await run(text)).output);
});

Deno.test("wrong usage, and a file that cannot be read", async () => {
  const io = { stdout: () => {}, color: false };
  const none = await assertRejects(() => check([], io), UserError);
  assertEquals(none.message, "which file? see gatherer check --help");
  assertEquals(none.exitCode, 2);
  const two = await assertRejects(() => check(["a", "b"], io), UserError);
  assertEquals(two.exitCode, 2);
  const missing = await assertRejects(
    () => check(["/nonexistent/gmetad.conf"], io),
    UserError,
  );
  assertEquals(
    missing.message,
    'cannot read "/nonexistent/gmetad.conf": no such file',
  );
  assertEquals(missing.exitCode, 1);
});

Deno.test("the help names every directive, within 100 columns", () => {
  for (const name of directiveNames) {
    assertStringIncludes(checkHelp, `  ${name}`);
  }
  for (const line of checkHelp.split("\n")) {
    assertEquals(line.length <= 100, true, line);
  }
});
