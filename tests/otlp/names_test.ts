import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { identityOf } from "../../lib/otlp/identity.ts";
import { parseSeriesName, seriesName } from "../../lib/otlp/series_name.ts";

Deno.test("a metric and its attributes make a name", () => {
  const cases: [string, [string, string][], string][] = [
    ["mailer.sent", [], "mailer.sent"],
    ["http.requests", [["method", "GET"]], "http.requests{method=GET}"],
    ["a", [["z", "1"], ["b", "2"]], "a{b=2,z=1}"],
    ["a", [["k", "first"], ["k", "last"]], "a{k=last}"],
    ["a", [["", ""]], "a{=}"],
    ["a", [["k", "x,y=z{}\\"]], "a{k=x\\,y\\=z\\{\\}\\\\}"],
    ["a{b}", [], "a\\{b\\}"],
    ["a\n", [["k", "\u2028"]], "a\\u000a{k=\\u2028}"],
    ["naïve", [["k", "ß\ud800"]], "naïve{k=ß\ufffd}"],
  ];
  for (const [name, attributes, text] of cases) {
    assertEquals(seriesName(name, attributes), text);
  }
});

Deno.test("a name is taken apart into what it was made of", () => {
  const text = fc.string({ unit: "binary", maxLength: 10 });
  const special = fc.string({
    unit: fc.constantFrom(..."a{}=,\\u0\n".split("")),
    maxLength: 8,
  });
  const part = fc.oneof(text, special);
  fc.assert(fc.property(
    part,
    fc.uniqueArray(fc.tuple(part, part), { selector: ([key]) => key }),
    (name, attributes) => {
      const sorted = attributes.toSorted(([a], [b]) => a < b ? -1 : 1);
      const made = seriesName(name, attributes);
      assertEquals(parseSeriesName(made), { name, attributes: sorted });
    },
  ));
});

Deno.test("a name of another form is all name", () => {
  for (
    const name of [
      "a{b}",
      "a{b=c",
      "a}",
      "a{b=c}d",
      "a{b=c=d}",
      "a{b=c}{d=e}",
      "a\\",
      "a\\x",
      "a{}",
      "a{b=c,}",
      "a,b",
    ]
  ) assertEquals(parseSeriesName(name), { name, attributes: [] });
});

Deno.test("a resource is a node by what it says of its service", () => {
  const of = (attributes: Record<string, string>) =>
    identityOf(Object.entries(attributes));
  const cases: [Record<string, string>, string, string][] = [
    [{ "service.name": "mailer" }, "otlp/mailer", "mailer"],
    [
      { "service.name": "mailer", "service.namespace": "shop" },
      "otlp/shop/mailer",
      "shop/mailer",
    ],
    [
      { "service.name": "mailer", "service.instance.id": "7" },
      "otlp/mailer@7",
      "mailer@7",
    ],
    [
      { "service.name": "mailer", "host.name": "db1" },
      "otlp/mailer@db1",
      "mailer@db1",
    ],
    [
      {
        "service.name": "m",
        "host.name": "db1",
        "service.instance.id": "7",
        "service.namespace": "s",
      },
      "otlp/s/m@7",
      "s/m@7",
    ],
    [{}, "otlp/unknown_service", "unknown_service"],
    [
      { "service.name": "a/b@c%\n", "service.namespace": "x/y" },
      "otlp/x%2Fy/a%2Fb%40c%25%0A",
      "x/y/a/b@c%\n",
    ],
  ];
  for (const [attributes, key, nickname] of cases) {
    assertEquals(of(attributes), { key, nickname, process: "" });
  }
  assertEquals(
    of({
      "service.name": "m",
      "process.creation.time": "2026-01-02T03:04:05Z",
      "process.pid": "17",
    }),
    {
      key: "otlp/m",
      nickname: "m",
      process: "2026-01-02T03:04:05Z 17",
    },
  );
  assert(typeof of({ "service.name": "x".repeat(256) }) === "string");
});

Deno.test("two services that differ have two keys, and none is a tubid", () => {
  const part = fc.string({
    unit: fc.constantFrom("a", "/", "@", "%", "4", "0"),
  });
  const service = fc.tuple(part, part.filter((name) => name !== ""), part);
  const key = ([namespace, name, instance]: [string, string, string]) => {
    const identity = identityOf([
      ["service.namespace", namespace],
      ["service.name", name],
      ["service.instance.id", instance],
    ]);
    assert(typeof identity !== "string");
    return identity.key;
  };
  fc.assert(fc.property(service, service, (a, b) => {
    assertEquals(key(a) === key(b), a.join("\n") === b.join("\n"));
    assert(key(a).includes("/"));
  }));
});
