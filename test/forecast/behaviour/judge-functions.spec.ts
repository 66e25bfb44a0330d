import { strict as assert } from "node:assert";
import fc from "fast-check";
import { describe, it } from "mocha";
import type { FunctionCalls, FunctionEstimate, Workload } from "../../../sdk/model";
import { judgeFunctions } from "../../../providers/forecast/behaviour/judge-functions";
import { sampleWorkloads } from "../../../providers/testing/builders";

const MINUTE_MS = 60_000;

function line(minute: number, change: Partial<FunctionCalls>): FunctionCalls {
  const requests = change.requests ?? 10;
  return {
    ...{ atMs: minute * MINUTE_MS, method: "GET", path: "/", caller: "", failed: 0, maxMs: 10, bytes: 0 },
    ...{ requests, latencySumMs: 5 * requests },
    ...change,
  };
}

/** An hour of a shop: pages and orders all the time, prices asked for by another workload, a slow report now and then. */
const SHOP = Array.from({ length: 60 }, (_, minute) => [
  line(minute, { path: "/", requests: 200 }),
  line(minute, { path: "/orders/:id", method: "POST", requests: 20 }),
  line(minute, { path: "/orders", requests: 30 }),
  line(minute, { path: "/prices", caller: "pricing", requests: 50 }),
  ...(minute % 3 === 0 ? [line(minute, { path: "/help", requests: 2 })] : []),
  ...(minute % 20 === 0
    ? [line(minute, { path: "/reports/:id", requests: 3, latencySumMs: 3 * 4000, failed: 1 })]
    : []),
]).flat();

function judged(
  calls: readonly FunctionCalls[],
  functions?: Workload["functions"],
): ReadonlyMap<string, FunctionEstimate> {
  const workloads = sampleWorkloads().map((w) => (w.name === "front" && functions ? { ...w, functions } : w));
  return new Map(judgeFunctions(workloads, [{ service: "front", calls }]).map((one) => [one.name, one]));
}

describe("functions of a service", () => {
  it("are critical when they write or are called by workloads, sheddable when they are rare and slow reads", () => {
    const found = judged(SHOP);
    assert.deepEqual(
      [...found].map(([name, { criticality }]) => [name, criticality]),
      [
        ["/", "critical"],
        ["/orders", "critical"],
        ["/prices", "critical"],
        ["/help", "normal"],
        ["/reports", "sheddable"],
      ],
    );
    assert.match(found.get("/orders")?.reason ?? "", /^40% of its requests write, called all the time$/);
    assert.match(found.get("/prices")?.reason ?? "", /called by pricing/);
    assert.match(
      found.get("/reports")?.reason ?? "",
      /called in 5% of the minutes, 800 times slower than usual, 33\.3% .* failed/,
    );
  });

  it("are as they were declared, with what was measured beside it, also where they were not called yet", () => {
    const found = judged(SHOP, [
      { path: "/reports", criticality: "critical" },
      { path: "/export", criticality: "sheddable" },
    ]);
    const [reports, unseen] = [found.get("/reports"), found.get("/export")];
    assert.deepEqual([reports?.criticality, reports?.confidence], ["critical", 1]);
    assert.match(reports?.reason ?? "", /^as declared; measured it would be sheddable: /);
    assert.deepEqual([unseen?.criticality, unseen?.reason], ["sheddable", "as declared; it was not called yet"]);
  });

  it("are judged with little confidence on little data", () => {
    const first = judged(SHOP.slice(0, 4)).get("/orders");
    const later = judged(SHOP).get("/orders");
    assert.ok((first?.confidence ?? 1) < 0.1 && (later?.confidence ?? 0) > 0.7);
  });

  it("never are sheddable when they write or a workload calls them, whatever was counted", () => {
    const calls = fc.array(
      fc.record({
        minute: fc.nat(59),
        method: fc.constantFrom("GET", "POST", "DELETE"),
        path: fc.constantFrom("/a", "/b", "/c"),
        caller: fc.constantFrom("", "pricing"),
        requests: fc.integer({ min: 1, max: 500 }),
      }),
      { maxLength: 40 },
    );
    fc.assert(
      fc.property(calls, (raw) => {
        const lines = raw.map(({ minute, ...rest }) => line(minute, rest));
        for (const [name, { criticality, confidence, share }] of judged(lines)) {
          const own = lines.filter(({ path }) => path === name);
          if (own.some(({ method, caller }) => method !== "GET" || caller !== ""))
            assert.notEqual(criticality, "sheddable");
          assert.ok(confidence >= 0 && confidence <= 1 && share >= 0 && share <= 1);
        }
      }),
      { numRuns: 200, seed: 1 },
    );
  });
});
