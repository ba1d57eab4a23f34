import { assertEquals } from "@std/assert";
import { replaceFile } from "../lib/durable_file.ts";
import { DiskModel, everything } from "./faults/disk_model.ts";
import { watchFiles } from "./faults/file_layer.ts";
import { tempDirectory } from "./spool/segments.ts";

Deno.test("replaceFile() is done with a file when a power failure takes nothing of it", async () => {
  await using directory = await tempDirectory();
  const { path } = directory;
  const disk = new DiskModel();
  /** What each moment's power failure leaves, when nothing is kept that was not flushed. */
  const left = new Set<string>();
  const look = (names: (versions: number) => number) => {
    const files = disk.after({
      names: (_path, versions) => names(versions),
      content: (_path, safe) => safe,
    });
    const bytes = files.get("secret");
    left.add(bytes ? new TextDecoder().decode(bytes) : "nothing");
  };
  {
    using _layer = watchFiles(path, {
      after(operation, isDone) {
        if (!isDone) return;
        disk.apply(operation);
        look(() => 0);
        look((versions) => versions - 1);
      },
    });
    for (const text of ["one", "two"]) {
      await replaceFile(`${path}/secret`, text, 0o600);
      left.clear();
      look(() => 0);
      assertEquals([...left], [text]);
    }
    await replaceFile(`${path}/secret`, "three", 0o600);
  }
  assertEquals([...left], ["two", "three"]);
  assertEquals([...disk.after(everything).keys()], ["secret"]);
  assertEquals((await Deno.stat(`${path}/secret`)).mode! & 0o777, 0o600);
});
