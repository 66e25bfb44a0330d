import { strict as assert } from "node:assert";

import * as fc from "fast-check";

import { compareEnvelopes } from "../../providers/plan/envelope";
import { plan } from "../../providers/plan/plan";
import { isMovesOnly, type PlanStep } from "../../sdk/model";
import { leastSeen } from "../property-seed";
import { pickFrom, randomSample, randomWideSample, withImage } from "./random-samples";
import { sampleInput, type Sample } from "./sample-fleets";
import { simulate } from "./simulation";

const SAMPLE: Sample = {
  hosts: [{ id: "host-1" }, { id: "host-2" }, { id: "host-3" }],
  workloads: [{ name: "shop", on: ["host-1", "host-2"], demand: [300] }],
};

describe("plan, with an image for its hosts", () => {
  it("empties each host, replaces it, watches it, and ends the old machine last", () => {
    const input = withImage(sampleInput(SAMPLE));
    const result = plan(input);
    assert.equal(result.decision, "run", JSON.stringify(result.blockers));
    const steps = result.waves.flatMap((wave) => wave.steps);
    const kindsOf = (host: string): readonly PlanStep["kind"][] =>
      steps.flatMap((step) => ("host" in step && !("move" in step) && step.host === host ? [step.kind] : []));
    for (const host of ["host-1", "host-2", "host-3"]) {
      assert.deepEqual(kindsOf(host), ["cordon", "snapshot", "replace", "validate", "uncordon", "discard-replaced"]);
    }
    for (const { steps: own } of result.waves) {
      for (const discard of own.filter(({ kind }) => kind === "discard-replaced")) {
        assert.ok(own.some(({ id, kind }) => kind === "soak" && discard.after.includes(id)));
      }
    }
    const decision = result.hostDecisions?.find(({ host }) => host === "host-1");
    assert.equal(decision?.action, "replacement");
    assert.match(decision.reason, /a machine of image-2 takes its place; 1 copy goes to other hosts before it/);
    const why = new Map(decision.rejected.map(({ action, reason }) => [action, reason]));
    for (const way of ["live-patch", "restart", "detached", "live-migration", "move"] as const) {
      assert.equal(why.get(way), "the image comes with another machine");
    }
  });

  it("is blocked, with a way out, by every host whose driver does not offer it or that keeps a machine", () => {
    const input = withImage(sampleInput(SAMPLE), (at) => at !== 1);
    const { blockers, decision } = plan(input);
    assert.equal(decision, "blocked");
    const [blocker] = blockers.filter(({ subject }) => subject === "host-2");
    assert.match(blocker?.reason ?? "", /its driver cannot replace its machine/);
    assert.match(blocker?.fix ?? "", /update.command/);
    const all = withImage(sampleInput(SAMPLE));
    const replaced = { owner: "kernel-7", bootId: "boot-1" };
    const hosts = all.fleet.hosts.map((host) => (host.id === "host-1" ? { ...host, replaced } : host));
    const left = plan({ ...all, fleet: { ...all.fleet, hosts } }).blockers;
    assert.match(left[0]?.reason ?? "", /the machine that run kernel-7 replaced is still kept/);
  });

  it("counts the time of two machines in its cost, and names the image in what is approved", () => {
    const input = withImage(sampleInput(SAMPLE));
    const { cost, envelope } = plan(input);
    const item = cost.items?.find(({ kind }) => kind === "replacement");
    assert.equal(item?.unit, "host hours");
    const { expectedMs = input.spec.update.timeoutMs / 4 } = input.spec.update;
    assert.ok(item.quantity > (3 * 0.6 * expectedMs) / 3_600_000, String(item.quantity));
    assert.match(envelope.update, /replaced by image-2/);
    const other = plan({ ...input, spec: { ...input.spec, update: { ...input.spec.update, image: "image-3" } } });
    assert.equal(compareEnvelopes(envelope, other.envelope).length, 2);
  });

  it("says why a more disruptive way than replacement is taken beside it or instead of it", () => {
    const full: Sample = {
      hosts: [{ id: "host-1" }, { id: "host-2", host: { probe: { output: "v2", matches: true } } }],
      workloads: [
        {
          name: "reports",
          on: ["host-1"],
          demand: [1500],
          service: false,
          workload: { criticality: "sheddable", maxUnavailable: 1 },
        },
        { name: "web", on: ["host-2"], demand: [800] },
      ],
    };
    const input = sampleInput(full);
    const offered = withImage(input);
    const inPlace = { ...offered, spec: input.spec };
    for (const [planned, reason] of [
      [offered, "its machine is replaced, but not every copy finds another host meanwhile"],
      [inPlace, "the update is a command, not an image"],
      [input, "no driver of it offers that"],
    ] as const) {
      const decision = plan(planned).hostDecisions?.[0];
      assert.equal(decision?.action, "degrade");
      assert.equal(decision.rejected.find(({ action }) => action === "replacement")?.reason, reason);
    }
  });

  it("keeps every promise while hosts are replaced, in any order, on random fleets", () => {
    let replaced = 0;
    let withLanes = 0;
    fc.assert(
      fc.property(fc.oneof(randomSample(), randomWideSample()), fc.nat(), fc.nat(), (sample, seed, lost) => {
        // One host in some fleets cannot be replaced.
        const input = withImage(sampleInput(sample), (at) => at !== lost % 40);
        const result = plan(input);
        if (result.decision !== "run") return;
        const updated = result.waves.filter((wave) => !isMovesOnly(wave)).flatMap(({ hosts }) => hosts);
        assert.ok(updated.every((id) => input.fleet.hosts.find((host) => host.id === id)?.offers !== undefined));
        const simulation = simulate(input, result, pickFrom(seed));
        assert.deepEqual([...simulation.updated].sort(), [...updated].sort());
        assert.deepEqual([...simulation.kept], []);
        replaced += updated.length;
        if (result.waves.some(({ lanes }) => lanes)) withLanes++;
      }),
      { numRuns: 60 },
    );
    assert.ok(
      replaced >= leastSeen(41) && withLanes >= leastSeen(4),
      `${String(replaced)} hosts, ${String(withLanes)} with lanes`,
    );
  });
});
