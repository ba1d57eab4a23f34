import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  BatchReader,
  type ReplyReader,
  StatusesReader,
  StatusReader,
} from "../../lib/rrd/rrdcached_replies.ts";

/** Gives a reader lines; how many it took. */
function take(reader: ReplyReader, lines: readonly string[]): number {
  const index = lines.findIndex((line) => reader.take(line));
  return index + 1;
}

// As rrdcached 1.7.2 sent them.
const BATCH = [
  "7 errors",
  "1 RRD Error: creating '/r/a b.rrd': File exists",
  "2 No permission to recursively create: /r/nodir/nodir2",
  "Did you pass -R to the daemon?",
  "4 No such file: /r/nodir/x.rrd",
  "6 illegal attempt to update using time 1795246820.000000 when last update time is 1795246820.000000 (minimum one second step)",
  "7 Unknown command: FOO",
  "8 Not a regular file: /r/",
];

Deno.test("the reply to a batch says which commands failed", () => {
  const reader = new BatchReader(9);
  assertEquals(take(reader, BATCH), 8);
  assertEquals(reader.replies, [
    "RRD Error: creating '/r/a b.rrd': File exists",
    "No permission to recursively create: /r/nodir/nodir2",
    undefined,
    "No such file: /r/nodir/x.rrd",
    undefined,
    "illegal attempt to update using time 1795246820.000000 when last update time is 1795246820.000000 (minimum one second step)",
    "Unknown command: FOO",
    "Not a regular file: /r/",
    undefined,
  ]);
  const fine = new BatchReader(2);
  assertEquals(take(fine, ["0 errors"]), 1);
  assertEquals(fine.replies, [undefined, undefined]);
});

Deno.test("each command by itself has a status", () => {
  const reader = new StatusesReader(5);
  const lines = [
    "0 errors, enqueued 1 value(s).",
    "-1 No such file: /r/a.rrd",
    "-1 No permission to recursively create: /r/x",
    "Did you pass -R to the daemon?",
    "2 lines follow",
    "17 one",
    "18 two",
    "0 RRD created OK",
  ];
  assertEquals(take(reader, lines), 8);
  assertEquals(reader.replies, [
    undefined,
    "No such file: /r/a.rrd",
    "No permission to recursively create: /r/x",
    undefined,
    undefined,
  ]);
});

Deno.test("a status may be followed by lines", () => {
  const reader = new StatusReader();
  assertEquals(
    take(reader, ["0 Go ahead.  End with dot '.' on its own line."]),
    1,
  );
  assertEquals(reader.status, 0);
  const refused = new StatusReader();
  assertEquals(take(refused, ["-1 Permission denied."]), 1);
  assertEquals([refused.status, refused.message], [-1, "Permission denied."]);
});

Deno.test("what is no rrdcached is found out", () => {
  for (
    const line of ["HTTP/1.1 400 Bad Request", "", "OK u:0.00", "99999999999 x"]
  ) {
    assertThrows(
      () => new StatusReader().take(line),
      Error,
      "it does not answer as rrdcached does",
    );
    assertThrows(() => new BatchReader(1).take(line), Error, "as rrdcached");
  }
  assertThrows(
    () => new BatchReader(1).take("-1 refused"),
    Error,
    "refuses a batch",
  );
});

Deno.test("no reply makes more of itself than there were commands", () => {
  fc.assert(fc.property(
    fc.array(fc.oneof(
      fc.string(),
      fc.tuple(fc.integer({ min: -3, max: 12 }), fc.string())
        .map(([number, text]) => `${number} ${text}`),
    )),
    fc.integer({ min: 1, max: 8 }),
    (lines, count) => {
      for (
        const reader of [new BatchReader(count), new StatusesReader(count)]
      ) {
        try {
          take(reader, lines);
        } catch (error) {
          assertEquals((error as Error).constructor, Error);
        }
        assertEquals(reader.replies.length <= count, true);
      }
    },
  ));
});
