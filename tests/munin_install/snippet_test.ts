import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  isMarked,
  isUnedited,
  makeSnippet,
  sectionsFor,
  sourcesIn,
} from "../../lib/munin_install/snippet.ts";

/** Absolute paths that a line of the configuration can hold. */
const path = fc.string({
  unit: fc.constantFrom(..."ab/ #\\=[]é.'\""),
  maxLength: 12,
}).map((text) => `/${text}x`);

Deno.test("a snippet is known again, and says what it was made for", async () => {
  await fc.assert(
    fc.asyncProperty(
      path,
      fc.option(path, { nil: undefined }),
      fc.array(fc.constantFrom("tahoe_a", "gatherer", "gatherer_b", "x", "y")),
      async (statsfile, graphs, plugins) => {
        const sources = { statsfile, ...graphs !== undefined && { graphs } };
        const text = await makeSnippet(sectionsFor(plugins), sources);
        assert(await isUnedited(text));
        assertEquals(sourcesIn(text), sources);
      },
    ),
  );
});

Deno.test("any edit of a snippet shows", async () => {
  const text = await makeSnippet(["tahoe_*"], { statsfile: "/a" });
  for (let at = 0; at < text.length; at++) {
    const edited = text.slice(0, at) + "~" + text.slice(at + 1);
    assertEquals(await isUnedited(edited), false, edited);
  }
  for (const edited of [`${text}\n`, `\n${text}`, text.slice(0, -1), ""]) {
    assertEquals(await isUnedited(edited), false);
  }
  assert(isMarked(`${text}[tahoe_*]\nuser x\n`));
  assert(!isMarked("[tahoe_*]\n"));
});

Deno.test("sections: a name of an operator's own has its own", () => {
  assertEquals(
    sectionsFor(["z", "tahoe_a", "gatherer", "gatherer_x", "tahoe", "mailer"]),
    ["tahoe_*", "gatherer", "gatherer_*", "mailer", "tahoe", "z"],
  );
});
