import type { NodeState } from "../tree/state.ts";
import { seconds } from "./numbers.ts";
import { type Row, rowTexts } from "./rows.ts";
import type { SeenHost } from "./survey.ts";
import type { Format } from "./text.ts";

/** Those that a node can be in while it is shown at all. */
const STATES: readonly NodeState[] = ["attached", "late", "silent", "gone"];

/** Families of how nodes are: the only ones of nodes that are silent or gone. */
export function* nodeTexts(
  hosts: readonly SeenHost[],
  format: Format,
): Generator<string> {
  yield* rowTexts(
    {
      name: "gatherer_node_state",
      type: "gauge",
      help: "Whether a node is in that state: 1 for the one it is in.",
    },
    format,
    hosts.values().flatMap(({ labels, state }) =>
      STATES.map((one): Row => [
        `${labels},state="${one}"`,
        one === state ? 1n : 0n,
      ])
    ),
  );
  yield* rowTexts(
    {
      name: "gatherer_node_up",
      type: "gauge",
      help:
        "Whether the latest figures of a node are taken for the present ones; without that it has no others here.",
    },
    format,
    hosts.values().map(({ labels, isPresent, host }) => [
      labels,
      isPresent && host.observation ? 1n : 0n,
    ]),
  );
  yield* rowTexts(
    {
      name: "gatherer_node_measured_timestamp_seconds",
      type: "gauge",
      help: "When the latest figures of a node were measured.",
      unit: "seconds",
    },
    format,
    hosts.values().map(({ labels, host: { observation } }) => [
      labels,
      observation && seconds(observation.measuredAt),
    ]),
  );
  yield* rowTexts(
    {
      name: "gatherer_node_start_time_seconds",
      type: "gauge",
      help:
        "When the program began that a node's counters are of, as far as that is known.",
      unit: "seconds",
    },
    format,
    hosts.values().map(({ labels, host: { detail, observation } }) => [
      labels,
      detail || observation?.began === undefined
        ? undefined
        : seconds(observation.began),
    ]),
  );
  yield* rowTexts(
    {
      name: "gatherer_nodes",
      type: "gauge",
      help: "Nodes of each cluster in each state.",
    },
    format,
    countStates(hosts),
  );
}

function countStates(hosts: readonly SeenHost[]): Row[] {
  const counts = new Map<string, Map<NodeState, bigint>>();
  for (const { cluster, state } of hosts) {
    let ofCluster = counts.get(cluster);
    if (!ofCluster) {
      counts.set(
        cluster,
        ofCluster = new Map(STATES.map((state) => [state, 0n])),
      );
    }
    ofCluster.set(state, (ofCluster.get(state) ?? 0n) + 1n);
  }
  return [...counts].flatMap(([cluster, states]) =>
    [...states].map(([state, count]): Row => [
      [["cluster", cluster], ["state", state]],
      count,
    ])
  );
}
