/**
 * How many files, connections among them, this process may have open.
 * @returns `undefined` where the system does not say, which is everywhere but on Linux.
 */
export async function openFilesLimit(): Promise<number | undefined> {
  const path = "/proc/self/limits";
  try {
    const { state } = await Deno.permissions.query({ name: "read", path });
    // A program that uses the library need not have allowed it, and must not be asked.
    if (state !== "granted") return undefined;
    const text = await Deno.readTextFile(path);
    const match = /^Max open files\s+(\d+)/m.exec(text);
    return match ? Number(match[1]) : undefined;
  } catch {
    return undefined;
  }
}
