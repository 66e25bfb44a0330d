import assert from "node:assert/strict";

import * as fc from "fast-check";

import { LaneGate } from "../../providers/execute/lanes";
import { plan, type PlanInput } from "../../providers/plan/plan";
import { envelopeDigest } from "../../providers/plan/digest";
import { compareEnvelopes } from "../../providers/plan/envelope";
import { renderPlanPage } from "../../providers/report/plan-page";
import {
  canonicalJson,
  createPlanView,
  DISRUPTION_REASONS,
  isMovesOnly,
  NO_UPDATE,
  renderPlanTable,
  strictestBudget,
  type DisruptionBudget,
  type DisruptionReason,
  type MigrationPlan,
  type PlanStep,
  type StepRecord,
  type Wave,
} from "../../sdk/model";
import { pickFrom, randomSample, randomWideSample } from "./random-samples";
import { sampleInput, type Sample } from "./sample-fleets";
import type { Pick } from "./simulation";

const MINUTE_MS = 60_000;
const ids = ["1", "2", "3", "4", "5", "6"].map((number) => `host-${number}`);

/** Six hosts of three zones, all of which could be updated at once. */
function shop(disruptionBudgets: readonly DisruptionBudget[], change: Sample["spec"] = {}): Sample {
  return {
    hosts: ids.map((id, index) => ({ id, zone: "abc"[index % 3] ?? "a" })),
    workloads: [
      { name: "web", on: ids.slice(0, 3), demand: [600] },
      { name: "api", on: ids.slice(3), demand: [600] },
    ],
    island: { disruptionBudgets },
    spec: {
      limits: { hostsAtOnce: 3, hostsPerZone: 3, canaryHosts: 0, soakMs: 0, drainMs: 30_000 },
      ...change,
    },
  };
}

function widest({ waves }: MigrationPlan): number {
  return Math.max(0, ...waves.filter((wave) => !isMovesOnly(wave)).map(({ hosts }) => hosts.length));
}

/** The sample as the fleet of a rebalance. */
function asRebalance(sample: Sample): PlanInput {
  const rebalance = { horizonMs: 180 * MINUTE_MS, target: 0.6, tolerance: 0.1, maximumMoves: 10, restMs: 0 };
  const input = sampleInput({ ...sample, spec: { ...sample.spec, update: NO_UPDATE, failback: "never", rebalance } });
  return { ...input, spec: { ...input.spec, migration: { threshold: 0, maximumCost: 100 } } };
}

describe("disruption budgets of islands, in plans", function () {
  this.timeout(120_000);

  it("bound how many hosts of an island are updated at once; of several, and of limits, the strictest wins", () => {
    const widestWith = (...budgets: readonly DisruptionBudget[]): number => widest(plan(sampleInput(shop(budgets))));
    assert.equal(widestWith({ hosts: 6 }), 3);
    assert.equal(widestWith({ hosts: 2 }), 2);
    assert.equal(widestWith({ hosts: { share: 0.34 } }, { hosts: 5 }), 2);
    assert.equal(widestWith({ hosts: 3 }, { hosts: 1, reasons: ["update"] }), 1);
    assert.equal(widestWith({ hosts: 1, reasons: ["rebalance", "failback"] }), 3);
  });

  it("change nothing where none is declared, and nothing but the envelope where none is strict", () => {
    const { disruptionBudgets: _, ...island } = shop([]).island ?? {};
    const without = plan(sampleInput({ ...shop([]), island }));
    assert.equal(without.budgetsInEffect, undefined);
    assert.equal(without.envelope.disruptionBudgets, undefined);
    const wide = plan(sampleInput(shop([{ hosts: 6 }])));
    assert.equal(canonicalJson(wide.waves), canonicalJson(without.waves));
  });

  it("are part of what is approved: a wider one, or none, is outside of it, a stricter one inside", () => {
    const of = (budgets: readonly DisruptionBudget[]): MigrationPlan["envelope"] =>
      plan(sampleInput(shop(budgets))).envelope;
    const approved = of([{ hosts: 2 }, { hosts: 1, reasons: ["failback"] }, { hosts: 4, reasons: ["rebalance"] }]);
    assert.deepEqual(approved.disruptionBudgets, { shop: { update: 2, failback: 1 } }, "it rebalances nothing");
    assert.notEqual(envelopeDigest(approved), envelopeDigest(of([])));
    assert.deepEqual(compareEnvelopes(of([]), approved), []);
    assert.deepEqual(compareEnvelopes(approved, of([{ hosts: 1 }])), []);
    assert.deepEqual(compareEnvelopes(approved, of([{ hosts: 3, reasons: ["update"] }])), [
      "hosts of shop at once for update: 3 instead of the approved 2",
      "hosts of shop at once for failback: any number instead of the approved 1",
    ]);
  });

  it("say what they come to beside the calendars' limits, and which is the strictest", () => {
    const limits = { hostsAtOnce: 2 };
    const input = sampleInput(shop([{ hosts: { share: 0.5 } }, { hosts: 1, reasons: ["failback"] }]));
    const windows = input.spec.windows.map((window) => ({ ...window, limits }));
    const result = plan({ ...input, spec: { ...input.spec, windows } });
    const table = renderPlanTable(createPlanView(result, "UTC", "plan.html"), "kernel");
    assert.match(
      table,
      /shop update: 2 hosts at once, by hostsAtOnce 2 of saturdays; no stricter: its budget of 50% of 6 hosts, hostsAtOnce 3/,
    );
    const page = renderPlanPage(input.spec, result, input.forecast);
    assert.match(page, /Hosts of shop at once for update.*?2 hosts at once, by hostsAtOnce 2 of saturdays/s);
    assert.match(table, /shop failback: 1 host at once, by its budget of 1 of 6 hosts for failback; no stricter: /);
  });

  it("of none for updates block the plan with the budget's name and a fix that was checked", () => {
    const { decision, blockers, waves } = plan(sampleInput(shop([{ hosts: { share: 0.1 } }])));
    assert.equal(decision, "blocked");
    assert.deepEqual(waves, []);
    assert.deepEqual(blockers, [
      {
        code: "budget",
        subject: "shop",
        reason: "the disruption budget of shop (10% of 6 hosts) lets none of its 6 hosts be updated",
        conflict: ["the disruption budget of shop (10% of 6 hosts)"],
        fix: 'disruptionBudgets: [{ hosts: 1, reasons: ["update"] }] for shop',
      },
    ]);
  });

  it("of none for updates leave the hosts of that island for later where that is declared", () => {
    const input = sampleInput(shop([{ hosts: 0, reasons: ["update"] }], { whenStuck: "defer" }));
    const [island] = input.fleet.islands;
    const [spec] = input.spec.islands;
    assert.ok(island && spec);
    const { disruptionBudgets: _, ...open } = island;
    const islands = [
      { ...island, hosts: ids.slice(0, 3) },
      { ...open, name: "back", hosts: ids.slice(3) },
    ];
    const workloads = input.fleet.workloads.map((one) => (one.name === "api" ? { ...one, island: "back" } : one));
    const replicas = input.fleet.replicas.filter(({ workload, host }) => workload === "web" || host === "host-4");
    const result = plan({
      ...input,
      fleet: {
        ...input.fleet,
        islands,
        replicas,
        workloads: workloads.map((one) => ({ ...one, copies: one.name === "api" ? 1 : 3 })),
      },
      spec: { ...input.spec, islands: [spec, { ...spec, name: "back" }] },
    });
    assert.equal(result.decision, "run", JSON.stringify(result.blockers));
    assert.deepEqual(
      result.skipped.map(({ host, reason }) => `${host}: ${reason}`),
      ids
        .slice(0, 3)
        .map((id) => `${id}: the disruption budget of shop (0 of 3 hosts for update) lets no host be updated`),
    );
    assert.ok(result.waves.every(({ hosts }) => hosts.every((host) => !ids.slice(0, 3).includes(host))));
    const alone = plan(input);
    assert.deepEqual(
      alone.blockers.map(({ code, subject }) => [code, subject]),
      [["budget", "shop"]],
      "where no other host is left the plan says why",
    );
  });

  it("are among what conflicts, and what would help, where a run does not end in time", () => {
    const sample = shop([{ hosts: 1 }]);
    const workloads = [{ name: "web", on: ["host-1"], demand: [600] }];
    const short = sampleInput({ ...sample, hosts: sample.hosts.slice(0, 3), workloads });
    const windows = short.spec.windows.map((window) => ({ ...window, durationMs: 11 * MINUTE_MS }));
    const { blockers } = plan({ ...short, spec: { ...short.spec, windows } });
    const [blocker] = blockers;
    assert.equal(blocker?.code, "fit", JSON.stringify([blockers, plan(short).total]));
    assert.ok(blocker.conflict?.includes("the disruption budget of shop (1 of 3 hosts)"), JSON.stringify(blocker));
    assert.match(blocker.fix, /disruptionBudgets: \[\{ hosts: [23], reasons: \["update"\] \}\] for shop/);
  });

  it("of none for failbacks let copies stay where the update put them, and say so", () => {
    const origin = { failback: "origin" as const };
    const before = plan(sampleInput(shop([], origin)));
    assert.ok(before.waves.some(({ kind }) => kind === "failback"));
    const result = plan(sampleInput(shop([{ hosts: 0, reasons: ["failback"] }], origin)));
    assert.equal(result.decision, "run");
    assert.ok(result.waves.every(({ kind }) => kind !== "failback"));
    assert.ok(
      result.warnings.some((text) =>
        /^\d+ (copy|copies) would go home and will not: the disruption budget of shop \(0 of 6 hosts for failback\)/.test(
          text,
        ),
      ),
      result.warnings.join("\n"),
    );
  });

  it("of none for rebalances block one that would help, and not one that has nothing to do", () => {
    const uneven: Sample = {
      ...shop([{ hosts: 0, reasons: ["rebalance"] }]),
      workloads: [
        { name: "web", on: ["host-1"], demand: [900] },
        { name: "api", on: ["host-1"], demand: [900] },
      ],
    };
    const result = plan(asRebalance(uneven));
    assert.equal(result.decision, "blocked", result.balance?.reason);
    assert.match(
      result.blockers[0]?.reason ?? "",
      /the disruption budget of shop \(0 of 6 hosts for rebalance\) lets no copy leave/,
    );
    assert.equal(result.blockers[0]?.fix, 'disruptionBudgets: [{ hosts: 1, reasons: ["rebalance"] }] for shop');
    const free = plan(asRebalance({ ...uneven, island: { disruptionBudgets: [{ hosts: 0, reasons: ["update"] }] } }));
    assert.equal(free.decision, "run");
    const calm = { ...uneven, workloads: [{ name: "web", on: ["host-1"], demand: [100] }] };
    assert.equal(plan(asRebalance(calm)).decision, "nothing");
  });

  it("hold at every moment of updates, failbacks and rebalances, in any order that lanes and steps allow", () => {
    const seen = { update: 0, failback: 0, rebalance: 0, lanes: 0 };
    const budget = fc.record({
      hosts: fc.oneof(fc.integer({ min: 0, max: 4 }), fc.record({ share: fc.constantFrom(0.1, 0.25, 0.5) })),
      reasons: fc.subarray([...DISRUPTION_REASONS], { minLength: 1 }),
    });
    fc.assert(
      fc.property(
        fc.oneof(randomSample(), randomWideSample()),
        fc.array(budget, { minLength: 1, maxLength: 3 }),
        fc.boolean(),
        fc.nat(),
        (random, disruptionBudgets, isRebalance, seed) => {
          const sample = {
            ...random,
            island: { disruptionBudgets },
            spec: { ...random.spec, failback: "origin" as const },
          };
          const input = { ...(isRebalance ? asRebalance(sample) : sampleInput(sample)), searchesFixes: false };
          const result = plan(input);
          for (const wave of result.waves) {
            const reason = reasonOf(wave, isRebalance);
            const most = mostDisrupted(input, wave, pickFrom(seed));
            const [island] = input.fleet.islands;
            const allowed = island && strictestBudget(island, reason)?.hosts;
            if (allowed === undefined) continue;
            assert.ok(most <= allowed, `${String(most)} hosts at once for ${reason}, ${String(allowed)} allowed`);
            if (most > 0) seen[reason]++;
            if (wave.lanes) seen.lanes++;
          }
        },
      ),
      { numRuns: 150 },
    );
    assert.ok(Math.min(...Object.values(seen)) > 0, JSON.stringify(seen));
  });
});

function reasonOf({ kind }: Wave, isRebalance: boolean): DisruptionReason {
  if (kind === "failback") return "failback";
  return isRebalance ? "rebalance" : "update";
}

/** Steps that put a member host of the island out of service, or take a copy off it. */
const DISRUPTING = new Set<PlanStep["kind"]>(["drain", "stop-copy", "hand-over", "update", "reboot", "replace"]);

/**
 * Most member hosts that are disrupted at once when a wave is played with as much at once as its lanes let begin, ends
 * drawn: a host is from the first of its disrupting steps on until the last one is done.
 */
function mostDisrupted({ fleet }: PlanInput, wave: Wave, pick: Pick): number {
  const statuses = new Map<string, StepRecord["status"]>();
  const gate = new LaneGate(wave, (id) => statuses.get(id));
  const fromOf = new Map(wave.moves.map(({ id, from }) => [id, from]));
  const members = new Set(fleet.hosts.flatMap(({ id, role }) => (role === "member" ? [id] : [])));
  const left = new Map<string, number>();
  const hostOf = (step: PlanStep): string | undefined => {
    if (!DISRUPTING.has(step.kind)) return undefined;
    const host = "move" in step ? fromOf.get(step.move) : "host" in step ? step.host : undefined;
    return host !== undefined && members.has(host) ? host : undefined;
  };
  for (const host of wave.steps.flatMap((step) => hostOf(step) ?? [])) left.set(host, (left.get(host) ?? 0) + 1);
  const disrupted = new Set<string>();
  const waiting = [...wave.steps];
  const running: PlanStep[] = [];
  let most = 0;
  while (waiting.length > 0 || running.length > 0) {
    for (const step of [...waiting]) {
      if (!step.after.every((id) => statuses.get(id) === "done") || !gate.admit(step)) continue;
      waiting.splice(waiting.indexOf(step), 1);
      running.push(step);
      statuses.set(step.id, "started");
      const host = hostOf(step);
      if (host !== undefined) disrupted.add(host);
    }
    most = Math.max(most, disrupted.size);
    const [done] = running.splice(pick(running.length), 1);
    assert.ok(done, "some step can always go on");
    statuses.set(done.id, "done");
    gate.leave(done);
    const host = hostOf(done);
    if (host === undefined) continue;
    left.set(host, (left.get(host) ?? 0) - 1);
    if (left.get(host) === 0) disrupted.delete(host);
  }
  return most;
}
