import type { LifeState } from "../status.ts";
import { isReady, type OwnStatus } from "../openmetrics/status_texts.ts";
import { wantsJson } from "./accept.ts";
import { type Answer, textAnswer } from "./answer.ts";

/**
 * Whether the gatherer does its work. What is not well in some part of it is told, but is no reason
 * to send readers away: the rest is as good as ever, and there is nobody else to ask. Hence 503 only
 * while it starts and stops.
 */
export function readiness(
  status: Pick<OwnStatus, "state" | "degraded">,
  accept: string | undefined,
): Answer {
  const { state, degraded } = status;
  const code = isReady(status) ? 200 : 503;
  if (wantsJson(accept)) {
    return {
      status: code,
      headers: { "content-type": "application/json" },
      body: `${JSON.stringify({ ready: code === 200, state, degraded })}\n`,
    };
  }
  const word: LifeState | "degraded" = code === 200 && degraded.length > 0
    ? "degraded"
    : state;
  return textAnswer(
    code,
    [word, ...degraded.map((reason) => `- ${reason}`)].join("\n"),
  );
}
