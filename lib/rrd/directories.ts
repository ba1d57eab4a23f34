import { dirname } from "@std/path";
import { reasonOf } from "../secret_file.ts";
import type { RrdAnswer, RrdUpdate } from "./writer.ts";

/**
 * Makes the directories of files, and those that these are in: of a host, and of its cluster.
 * @returns What became of each; files whose directory is there have no answer yet.
 */
export async function makeDirectories(
  updates: readonly RrdUpdate[],
): Promise<RrdAnswer[]> {
  const made = new Map<string, RrdAnswer>();
  const answers: RrdAnswer[] = [];
  for (const { path } of updates) {
    const directory = dirname(path);
    if (!made.has(directory)) made.set(directory, await make(directory));
    answers.push(made.get(directory));
  }
  return answers;
}

async function make(directory: string): Promise<RrdAnswer> {
  try {
    try {
      await makeOne(directory);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
      await makeOne(dirname(directory));
      await makeOne(directory);
    }
  } catch (error) {
    const reason = `cannot make its directory: ${reasonOf(error)}`;
    return { kind: "other", reason };
  }
}

async function makeOne(directory: string): Promise<void> {
  try {
    await Deno.mkdir(directory, { mode: 0o755 });
  } catch (error) {
    // If it is a file, what is to be made in it fails.
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
  }
}
