/** A program with instruments of its own, which then waits for the end of its input. */
import { metrics } from "@opentelemetry/api";

const meter = metrics.getMeter("shop", "1.2.3");
const orders = meter.createCounter("shop.orders", {
  unit: "{order}",
  description: "Orders taken",
});
orders.add(3, { country: "de", "payment.method": "card" });
orders.add(4, { country: "fr", vip: true, items: 7 });
orders.add(2.5);
meter.createCounter("shop.bytes", { unit: "By" }).add(9007199254740991);
const queue = meter.createUpDownCounter("shop.queue");
queue.add(5);
queue.add(-2);
const latency = meter.createHistogram("shop.latency", {
  unit: "s",
  advice: { explicitBucketBoundaries: [0.125, 0.5, 1] },
});
for (const seconds of [0.0625, 0.25, 0.75, 3]) {
  latency.record(seconds, { op: "read" });
}
meter.createGauge("shop.temperature", { unit: "Cel" }).record(21.5, {
  room: "a",
});
meter.createObservableGauge("shop.stock").addCallback((result) =>
  result.observe(42, { shelf: "1" })
);
meter.createObservableCounter("shop.visits").addCallback((result) =>
  result.observe(1000)
);
await Deno.stdin.readable.pipeTo(new WritableStream());
