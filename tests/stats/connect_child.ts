/** A small program with a node in it, for connect_test.ts. Its argument says what it does. */

import { connect, StatsProvider } from "../../mod.ts";

interface Task {
  readonly furl: string;
  readonly keepAlive?: boolean;
  readonly identityFile?: string;
  /** What the program does after it has attached: nothing, wait for the end of stdin, or close. */
  readonly then: "nothing" | "work" | "close" | "using";
}

const task: Task = JSON.parse(Deno.args[0]);
const stats = new StatsProvider();
stats.count("child.runs");
const options = {
  furl: task.furl,
  nickname: "child",
  identityFile: task.identityFile,
  keepAlive: task.keepAlive,
};

async function work(): Promise<void> {
  for await (const _ of Deno.stdin.readable);
}

if (task.then === "using") {
  await using _gatherer = connect(stats, options);
  await work();
} else {
  const attachment = connect(stats, options);
  if (task.then !== "nothing") await work();
  if (task.then === "close") await attachment.close();
}
// deno-lint-ignore no-console
console.log("done");
