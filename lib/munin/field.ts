import type { Draw, GraphType, Limits } from "./graph.ts";

/** A line of a graph, ready to be printed. */
export interface Field {
  readonly name: string;
  readonly label: string;
  readonly draw: Draw;
  /** Printed where it is given. */
  readonly type?: GraphType;
  readonly min?: number;
  readonly max?: number;
  readonly limits?: Limits;
  /** What stands after `.value`, oldest first; none when there is nothing new to say. */
  readonly values: readonly string[];
}
