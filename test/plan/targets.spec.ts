import assert from "node:assert/strict";

import { Placement } from "../../providers/plan/placement";
import { plan } from "../../providers/plan/plan";
import { createProblem } from "../../providers/plan/problem";
import { findTargets, type TargetQuery } from "../../providers/plan/targets";
import { OPENING_MS, sampleInput, type Sample } from "./sample-fleets";

const asWanted = { probe: { output: "v2", matches: true } } as const;

/** Host 1 is left for host 2, which has more room, or host 3; host 4 has yet to be updated. */
const choice: Sample = {
  hosts: [
    { id: "host-1" },
    { id: "host-2", host: asWanted },
    { id: "host-3", host: asWanted },
    { id: "host-4", cpuMillis: 8000 },
  ],
  workloads: [
    { name: "leaving", on: ["host-1"] },
    { name: "there", on: ["host-3"] },
  ],
};

function bestTarget(query: Partial<TargetQuery>): string | undefined {
  const problem = createProblem(sampleInput(choice), ["host-1", "host-4"], OPENING_MS, OPENING_MS + 3_600_000);
  const placement = new Placement(problem, { allowedShare: 0.05, quantile: 0.95, marginDeviates: 0 });
  placement.beginWave({ from: 0, to: 12 }, new Set([0]));
  const [copy] = placement.copiesAt(0);
  assert.ok(copy);
  const { targets } = findTargets(problem, placement, { copy, weight: copy.weight, style: "balanced", ...query });
  return problem.sites[targets[0]?.site ?? -1]?.host.id;
}

describe("the host that a copy goes to", () => {
  it("is the emptiest, but not where its lane would have to wait for that one's", () => {
    assert.equal(bestTarget({}), "host-2");
    assert.equal(bestTarget({ waitOf: (site) => (site === 1 ? 1 : 0) }), "host-3");
    assert.equal(
      bestTarget({ waitOf: (site) => (site === 3 ? 0 : 1) }),
      "host-2",
      "rather than one that is updated later",
    );
  });

  it("has been through for long in most moves of late lanes, and the plan tells who was not", () => {
    const hosts = Array.from({ length: 40 }, (_, at) => ({
      id: `host-${String(at + 10)}`,
      zone: "abc"[at % 3] as string,
    }));
    const workloads = hosts.flatMap(({ id }, at) =>
      [0, 1, 2].map((copy) => ({ name: `work-${String(3 * at + copy)}`, on: [id], demand: [150] })),
    );
    const limits = { hostsAtOnce: 4, hostsPerZone: 2, canaryHosts: 0, soakMs: 60_000, drainMs: 30_000 };
    const { decision, waves } = plan(sampleInput({ hosts, workloads, spec: { limits } }));
    assert.equal(decision, "run");
    const late = waves
      .flatMap(({ lanes, kind, moves }) => (lanes !== undefined && kind === "update" ? [moves] : []))
      .flatMap((moves) => moves.slice(moves.length >> 1));
    const waits = late.map(({ to, scores }) => scores.find(({ host }) => host === to)?.parts["wait"]);
    assert.ok(late.length >= 40, `${String(late.length)} moves`);
    assert.ok(waits.every((points) => points !== undefined && points <= 0 && points >= -24));
    const waiting = waits.filter((points) => (points ?? 0) < -8).length;
    assert.ok(waiting <= 0.2 * late.length, `${String(waiting)} of ${String(late.length)} wait`);
  });
});
