import type { Sample } from "../spool/sample.ts";
import { isPresentAge } from "../tree/state.ts";
import type { Field } from "./field.ts";
import type { Held } from "./held.ts";
import { onePerSecond } from "./sums.ts";

/** How many nodes had been heard from, and how many had not, once a round. */
export function* drawHeard(held: Held): Generator<Field> {
  const counts = countHeard(held);
  const print = (count: (heard: number) => number) =>
    held.print(
      onePerSecond(counts.map(({ time, heard }): Sample => ({
        time,
        value: BigInt(count(heard)),
      }))),
      "GAUGE",
    );
  yield {
    name: "heard",
    label: "heard from",
    draw: "AREA",
    values: print((heard) => heard),
  };
  yield {
    name: "silent",
    label: "silent",
    draw: "STACK",
    values: print((heard) => held.nodes.length - heard),
  };
}

function countHeard(held: Held): { time: number; heard: number }[] {
  const rounds = held.rounds();
  const heard = new Uint32Array(rounds.length);
  const reports = held.earlier.reports();
  for (const node of held.nodes) {
    const times = reports.get(node.key) ?? [];
    const latest = held.sampling.present ? node.timestamp : -Infinity;
    let passed = 0;
    rounds.forEach((round, index) => {
      while (times[passed] <= round) passed++;
      let last = passed > 0 ? times[passed - 1] : -Infinity;
      if (latest > last && latest <= round) last = latest;
      if (isPresentAge(round - last)) heard[index]++;
    });
  }
  return rounds.map((time, index) => ({ time, heard: heard[index] }));
}
