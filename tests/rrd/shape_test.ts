import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { UserError } from "../../lib/errors.ts";
import { Shapes, stepOf } from "../../lib/rrd/shape.ts";
import type { Slope } from "../../lib/tree/metric.ts";

const archives = [
  "RRA:AVERAGE:0.5:1:5856",
  "RRA:AVERAGE:0.5:4:20160",
  "RRA:AVERAGE:0.5:40:52704",
];

Deno.test("files are of gmetad's types", () => {
  const cases: [Slope, boolean, string][] = [
    ["zero", false, "GAUGE:80:U:U"],
    ["both", false, "GAUGE:80:U:U"],
    ["negative", false, "GAUGE:80:U:U"],
    ["unspecified", false, "GAUGE:80:U:U"],
    ["positive", false, "COUNTER:80:U:U"],
    ["derivative", false, "DERIVE:80:U:U"],
    ["both", true, "GAUGE:80:U:U"],
    ["positive", true, "DERIVE:80:0:U"],
    ["derivative", true, "DERIVE:80:U:U"],
  ];
  const shapes = new Shapes();
  for (const [slope, restarts, source] of cases) {
    const rules = { slope, restarts, step: 10 };
    const shape = shapes.of({ ...rules, summary: false });
    assertEquals(shape.step, 10);
    assertEquals(shape.type, source.split(":")[0]);
    assertEquals(shape.definitions, [`DS:sum:${source}`, ...archives]);
    assertEquals(shapes.of({ ...rules, summary: true }).definitions, [
      `DS:sum:${source}`,
      "DS:num:GAUGE:80:U:U",
      ...archives,
    ]);
    assertStrictEquals(shapes.of({ ...rules, summary: false }), shape);
  }
});

Deno.test("archives can be chosen", () => {
  const shapes = new Shapes([
    "RRA:MAX:0.5:1m:1d",
    "RRA:HWPREDICT:10:0.1:0.2:3",
  ]);
  const shape = shapes.of({
    slope: "zero",
    restarts: false,
    summary: false,
    step: 15,
  });
  assertEquals(shape.definitions, [
    "DS:sum:GAUGE:120:U:U",
    "RRA:MAX:0.5:1m:1d",
    "RRA:HWPREDICT:10:0.1:0.2:3",
  ]);
  for (
    const archive of [
      "",
      "RRA:AVERAGE:0.5:1:10\nupdate /etc/x",
      "RRA:AVERAGE:0.5:1:10 DS:x",
      "RRA:AVERAGE",
      "RRA:AVERAGE:'",
    ]
  ) {
    assertThrows(
      () => new Shapes([archive]),
      UserError,
      'write them as "RRA:AVERAGE:0.5:1:5856"',
    );
  }
});

Deno.test("a step is whole seconds, one at least", () => {
  assertEquals([15, 7.5, 0.2, 0, 60.4].map(stepOf), [15, 8, 1, 1, 60]);
});
