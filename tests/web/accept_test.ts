import { assertEquals } from "@std/assert";
import { metricsFormat, takesGzip, wantsJson } from "../../lib/web/accept.ts";

Deno.test("/metrics is OpenMetrics for those who ask for it", () => {
  const cases: [string | undefined, string][] = [
    [undefined, "prometheus"],
    ["*/*", "prometheus"],
    ["text/plain", "prometheus"],
    ["application/openmetrics-text", "openmetrics"],
    ["Application/OpenMetrics-Text; Version=1.0.0", "openmetrics"],
    ["application/openmetrics-text;version=0.0.1", "prometheus"],
    ["application/openmetrics-text;q=0", "prometheus"],
    ["application/openmetrics-text;q=x", "prometheus"],
    ["application/openmetrics-text;q=0.4,text/plain;q=0.5", "prometheus"],
    // Prometheus 2.42, and 3.
    [
      "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
      "openmetrics",
    ],
    [
      "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
      "openmetrics",
    ],
    // A browser.
    ["text/html,application/xhtml+xml,*/*;q=0.8", "prometheus"],
  ];
  for (const [accept, format] of cases) {
    assertEquals(metricsFormat(accept), format, accept);
  }
});

Deno.test("JSON is for those who ask for it", () => {
  assertEquals(wantsJson("application/json"), true);
  assertEquals(wantsJson("application/json, text/plain"), true);
  assertEquals(wantsJson("text/plain, application/json;q=0.9"), false);
  assertEquals(wantsJson("*/*"), false);
  assertEquals(wantsJson(undefined), false);
});

Deno.test("gzip is for those who take it", () => {
  const cases: [string | undefined, boolean][] = [
    [undefined, false],
    ["", false],
    ["gzip", true],
    ["deflate, gzip;q=0.5, br", true],
    ["x-gzip", true],
    ["*", true],
    ["gzip;q=0, *", false],
    ["identity", false],
  ];
  for (const [encoding, takes] of cases) {
    assertEquals(takesGzip(encoding), takes, encoding);
  }
});
