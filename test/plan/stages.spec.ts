import assert from "node:assert/strict";
import fc from "fast-check";

import { plan } from "../../providers/plan/plan";
import { createPlanView, renderPlanTable, type StageGate } from "../../sdk/model";
import { OPENING_MS, sampleInput, type Sample } from "./sample-fleets";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const WEEK_MS = 7 * DAY_MS;
const saturdays = { name: "saturdays", cron: "0 2 * * 6", durationMs: 3 * HOUR_MS, timezone: "UTC", freezes: [] };
const two: Sample = {
  hosts: [{ id: "host-1" }, { id: "host-2" }],
  workloads: [{ name: "web", on: ["host-1"], demand: [200] }],
  spec: { windows: [saturdays], after: [{ name: "eu", urn: "urn", soakMs: DAY_MS }] },
};

function planAfter(...stages: readonly StageGate[]) {
  return plan({ ...sampleInput(two), stages });
}

const eu = (kind: "done" | "planned", endMs: number, soakMs = 0): StageGate => ({ kind, stage: "eu", endMs, soakMs });

describe("plan, after stages", () => {
  it("begins in the opening that a stage ends in, once it is done and was watched", () => {
    const { decision, waves, opening } = planAfter(eu("planned", OPENING_MS + HOUR_MS / 2, HOUR_MS / 2));
    assert.equal(decision, "run");
    assert.equal(opening?.startMs, OPENING_MS);
    assert.equal(waves[0]?.startMs, OPENING_MS + HOUR_MS);
  });

  it("goes to the next opening where the soak outlasts this one, and to none before however far that is", () => {
    const next = planAfter(eu("planned", OPENING_MS + HOUR_MS / 2, DAY_MS));
    assert.equal(next.waves[0]?.startMs, OPENING_MS + WEEK_MS);
    const far = planAfter(eu("done", OPENING_MS, 20 * WEEK_MS));
    assert.ok((far.waves[0]?.startMs ?? 0) >= OPENING_MS + 20 * WEEK_MS);
    assert.equal(far.nextOpenings[0]?.startMs, OPENING_MS + WEEK_MS, "the calendar's openings are shown all the same");
  });

  it("never begins before all of its stages are ready", () => {
    const stage = fc.record({ endMs: fc.integer({ min: -48, max: 400 }), soakMs: fc.integer({ min: 0, max: 400 }) });
    fc.assert(
      fc.property(fc.array(stage, { minLength: 1, maxLength: 4 }), (list) => {
        const gates = list.map(({ endMs, soakMs }) => eu("planned", OPENING_MS + endMs * HOUR_MS, soakMs * HOUR_MS));
        const { waves } = planAfter(...gates);
        const readyMs = OPENING_MS + Math.max(...list.map(({ endMs, soakMs }) => endMs + soakMs)) * HOUR_MS;
        const startMs = waves[0]?.startMs;
        assert.ok(startMs !== undefined && startMs >= readyMs);
      }),
      { numRuns: 60 },
    );
  });

  it("is blocked by a stage that has stopped, with what to do about it", () => {
    const stopped = planAfter({ kind: "stopped", stage: "eu", reason: "its run eu-1 is failed", fix: "mend it" });
    assert.equal(stopped.decision, "blocked");
    const table = renderPlanTable(createPlanView(stopped, "UTC", "plan.html"), "us");
    assert.match(table, /BLOCKED +stage eu: its run eu-1 is failed; fix: mend it/);
  });

  it("shows when its stages are expected to be done, and covers them by its digest", () => {
    const planned = planAfter(eu("planned", OPENING_MS + HOUR_MS / 2, DAY_MS));
    const table = renderPlanTable(createPlanView(planned, "UTC", "plan.html"), "us");
    assert.match(
      table,
      /\n {2}after +eu: planned to be done Sat 2026-03-07 02:30, then watched for 1 day, until Sun 2026-03-08 02:30\n/,
    );
    assert.deepEqual(planned.envelope.after, ["eu, and 1 day after it"]);
    const alone = plan(sampleInput({ ...two, spec: { windows: [saturdays] } }));
    assert.notEqual(alone.digest, planned.digest);
  });

  it("is passed by a run that has begun", () => {
    const input = sampleInput(two);
    const { opening } = plan(input);
    assert.ok(opening);
    const progress = {
      reservedHosts: [],
      updatedHosts: [],
      approvedEnvelope: plan(input).envelope,
      waveOffset: 0,
      origins: {},
      opening,
    };
    const nowMs = OPENING_MS + 60_000;
    const begun = plan({ ...input, nowMs, stages: [eu("planned", OPENING_MS + WEEK_MS)], progress });
    assert.equal(begun.waves[0]?.startMs, nowMs);
  });
});
