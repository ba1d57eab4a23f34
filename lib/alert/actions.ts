import { getLogger } from "@logtape/logtape";
import type { Clock } from "../clock.ts";
import type { ActionConfig } from "./config.ts";
import { mailText } from "./mail.ts";
import { noticeEnvironment, noticeJson, noticeLine } from "./notice.ts";
import type { Action } from "./outbox.ts";
import { runProgram } from "./program.ts";
import { post } from "./webhook.ts";

const logger = getLogger(["gatherer", "alert"]);

/** Milliseconds that a command or sendmail may take. */
const LIMIT_MS = 30_000;

/** Makes what the section `alert` calls an action. */
export function makeAction(
  name: string,
  config: ActionConfig,
  clock: Clock,
): Action {
  switch (config.kind) {
    case "log":
      return {
        name: "the action log",
        deliver(notice) {
          const isOver = notice.event === "clear" || notice.event === "gone";
          logger[isOver ? "info" : "warn"]("{alert}", {
            alert: noticeLine(notice),
          });
        },
      };
    case "command":
      return {
        name: `the command ${name}`,
        deliver: (notice, signal) =>
          runProgram({
            argv: config.argv,
            env: noticeEnvironment(notice),
            stdin: noticeJson(notice),
            limitMs: LIMIT_MS,
            clock,
            signal,
          }),
      };
    case "webhook":
      return {
        name: `the webhook ${name}`,
        deliver: (notice, signal) =>
          post(config.url, noticeJson(notice), clock, signal),
      };
    case "mail":
      return {
        name: "sending mail",
        deliver: (notice, signal) =>
          runProgram({
            argv: [config.sendmail, "-t"],
            stdin: mailText(notice, config),
            limitMs: LIMIT_MS,
            clock,
            signal,
          }),
      };
  }
}
