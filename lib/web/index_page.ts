import { VERSION } from "../version.ts";

const PAGES: readonly (readonly [path: string, what: string])[] = [
  ["/healthz", "whether the process answers"],
  ["/readyz", "whether it does its work, and what is not well"],
  ["/metrics", "all figures, for Prometheus"],
  ["/nodes", "how each node is, as JSON; ?node=GLOB for some"],
  [
    "/snapshot",
    "the latest figures of each node, as JSON; ?node=GLOB, ?stat=GLOB for some",
  ],
];

/**
 * The page that names the others.
 * @param routes What else is there: `POST /v1/metrics`.
 */
export function indexPage(routes: Iterable<string>): string {
  const lines = [
    ...PAGES.map(([path, what]) => `${path.padEnd(11)}${what}`),
    ...[...routes].map((route) => `${route}: for programs that send OTLP`),
  ];
  return `gatherer ${VERSION}\n\n${lines.join("\n")}`;
}
