import { strict as assert } from "node:assert";

import * as fc from "fast-check";

import { orderUndo } from "../../providers/execute/undo";
import { envelopeDigest } from "../../providers/plan/digest";
import { resolveDurations, undoDuration } from "../../providers/plan/durations";
import { compareEnvelopes, createEnvelope, resolveEnvelope } from "../../providers/plan/envelope";
import { plan, type PlanInput } from "../../providers/plan/plan";
import { isMovesOnly, type HostDecision, type MigrationPlan, type StepRecord, type UpdateSpec } from "../../sdk/model";
import { placesOf, updatedHosts } from "./drawn-inputs";
import { pickFrom, randomSample, randomWideSample, withTwoWays, type Reported } from "./random-samples";
import { sampleInput, type Sample } from "./sample-fleets";
import { simulate, Simulation } from "./simulation";

const SAMPLE: Sample = {
  hosts: [{ id: "host-1" }, { id: "host-2" }, { id: "host-3" }],
  workloads: [{ name: "shop", on: ["host-1", "host-2"], demand: [300] }],
};
const MIXED: readonly Reported[] = ["in-place", "replacement", "both"];

function mixedInput(changed: Partial<UpdateSpec> = {}, reported = MIXED): PlanInput {
  return withTwoWays(sampleInput(SAMPLE), (at) => reported[at] ?? "both", changed);
}

function decisionOf({ hostDecisions = [] }: MigrationPlan, host: string): HostDecision {
  const found = hostDecisions.find((decision) => decision.host === host);
  assert.ok(found, `${host} has no decision`);
  return found;
}

function whyNot({ rejected }: HostDecision, action: string): string | undefined {
  return rejected.find((other) => other.action === action)?.reason;
}

function changesOf({ waves }: MigrationPlan): Readonly<Record<string, string>> {
  const steps = waves.flatMap((wave) => wave.steps);
  return Object.fromEntries(
    steps.flatMap((step) => (step.kind === "update" || step.kind === "replace" ? [[step.host, step.kind]] : [])),
  );
}

/** A host that answers is changed in the way that was approved for it, with all the steps of that way and no other. */
function assertWays(input: PlanInput, result: MigrationPlan): void {
  const { ways = {} } = result.envelope;
  const steps = result.waves.flatMap((wave) => wave.steps);
  for (const host of updatedHosts(result)) {
    const kinds = new Set(steps.flatMap((step) => ("host" in step && step.host === host ? [step.kind] : [])));
    const isReplaced = ways[host] === "replacement";
    assert.notEqual(ways[host], undefined);
    assert.deepEqual(
      (["update", "reboot", "replace", "discard-replaced"] as const).map((kind) => kinds.has(kind)),
      [!isReplaced, !isReplaced && input.spec.update.reboot, isReplaced, isReplaced],
    );
    assert.equal(decisionOf(result, host).way, ways[host]);
  }
}

describe("plan, with a command and an image for its hosts", () => {
  it("takes for each host the way that its driver reports, and the command where both can be had", () => {
    const input = mixedInput();
    const result = plan(input);
    assert.equal(result.decision, "run", JSON.stringify(result.blockers));
    assert.deepEqual(changesOf(result), { "host-1": "update", "host-2": "replace", "host-3": "update" });
    assertWays(input, result);
    assert.deepEqual(result.envelope.ways, {
      "host-1": "in-place",
      "host-2": "replacement",
      "host-3": "in-place",
    });
    assert.match(result.envelope.update, /in place or replaced by image-2 until/);
  });

  it("says why, and why not the other way, with what each would take where both can be had", () => {
    const result = plan(mixedInput({ replacement: { expectedMs: 300_000 } }));
    const [inPlace, replaced, both] = ["host-1", "host-2", "host-3"].map((host) => decisionOf(result, host));
    assert.ok(inPlace && replaced && both);
    assert.equal(whyNot(inPlace, "replacement"), "no driver of it offers that");
    assert.equal(replaced.action, "replacement");
    assert.match(
      replaced.reason,
      /^a machine of image-2 takes its place, for it cannot be updated in place \(read-only image\); 1 copy goes/,
    );
    assert.equal(whyNot(replaced, "move"), "it cannot be updated in place (read-only image)");
    // The command and the restart at P95, as declared and as usual.
    assert.equal(
      whyNot(both, "replacement"),
      "both ways are possible, and a command needs no second machine; the change takes 3 min in place and 5 min with another machine (P95)",
    );
  });

  it("says so where nobody tells how long another machine takes, and counts with what earlier runs took", () => {
    const reasonOf = (durations: PlanInput["durations"]): string =>
      whyNot(decisionOf(plan({ ...mixedInput(), durations }), "host-3"), "replacement") ?? "";
    assert.match(reasonOf({}), /takes 3 min in place \(P95\), and update.replacement.expected does not tell/);
    const learned = { replace: { p50Ms: 60_000, p95Ms: 240_000 } };
    assert.match(reasonOf(learned), /takes 3 min in place and 4 min with another machine \(P95\)/);
  });

  it("replaces a host whose command has no way back, or is declared to take longer, where that can be had", () => {
    const { undo: _, ...update } = sampleInput(SAMPLE).spec.update;
    const input = mixedInput();
    const irreversible = {
      ...input,
      spec: { ...input.spec, update: { ...update, irreversible: true, image: "image-2" } },
    };
    const shorter = mixedInput({ replacement: { expectedMs: 30_000 } });
    for (const [changed, reason] of [
      [irreversible, /the command cannot be taken back/],
      [shorter, /the command takes 1 min, a replacement 30 s \(P95 as declared\)/],
    ] as const) {
      const result = plan(changed);
      assert.deepEqual(changesOf(result), { "host-1": "update", "host-2": "replace", "host-3": "replace" });
      const decision = decisionOf(result, "host-3");
      assert.match(decision.reason, reason);
      assert.match(whyNot(decision, "move") ?? "", reason);
    }
  });

  it("leaves copies where they are on hosts that a live patch changes, and empties the others", () => {
    const result = plan(mixedInput({ reboot: false, disturbs: "nothing" }));
    assert.equal(decisionOf(result, "host-1").action, "live-patch");
    assert.equal(decisionOf(result, "host-2").action, "replacement");
    assert.deepEqual(
      result.waves.filter((wave) => !isMovesOnly(wave)).flatMap(({ moves }) => moves.map(({ from }) => from)),
      ["host-2"],
    );
    assert.match(whyNot(decisionOf(result, "host-3"), "replacement") ?? "", /copies may stay on it/);
  });

  it("tells the other way of a host whose copies end by themselves, too", () => {
    const job = { name: "job", on: ["host-1"], demand: [300], service: false, workload: { lifetimeMs: 60_000 } };
    const decision = decisionOf(
      plan(withTwoWays(sampleInput({ ...SAMPLE, workloads: [job] }), () => "both")),
      "host-1",
    );
    assert.equal(decision.action, "leave-to-end");
    assert.match(whyNot(decision, "replacement") ?? "", /both ways are possible/);
  });

  it("is blocked by a host that can be changed in neither way, with what would help", () => {
    const [neither] = plan(mixedInput({}, ["in-place", "neither", "both"])).blockers;
    assert.equal(neither?.subject, "host-2");
    assert.match(
      neither.reason,
      /^it cannot be updated in place \(read-only image\), and its driver cannot replace its machine$/,
    );
    assert.match(neither.fix, /let its driver replace it or its agent run commands, or take host-2 out/);
    const both = mixedInput();
    const { image: _, ...command } = both.spec.update;
    const [immutable] = plan({ ...both, spec: { ...both.spec, update: command } }).blockers;
    assert.equal(immutable?.subject, "host-2");
    assert.match(immutable.reason, /the update is a command, and it cannot be updated in place \(read-only image\)/);
    assert.match(immutable.fix, /give update.image beside update.command/);
  });

  it("is blocked by a machine that is kept only where a second one would be", () => {
    const input = mixedInput();
    const replaced = { owner: "kernel-7", bootId: "boot-1" };
    const hosts = input.fleet.hosts.map((host) => (host.id === "host-1" ? host : { ...host, replaced }));
    const { blockers } = plan({ ...input, fleet: { ...input.fleet, hosts } });
    assert.deepEqual(
      blockers.map(({ code, subject }) => [code, subject]),
      [["foreign-mark", "host-2"]],
    );
  });

  it("takes each way's own time, and asks for the longest way back of those that a wave has", () => {
    const { spec } = mixedInput({ replacement: { timeoutMs: 1_200_000, expectedMs: 400_000 } });
    const durations = resolveDurations(spec, {});
    assert.equal(durations.update.p95Ms, 60_000);
    assert.equal(durations.replace.p95Ms, 400_000);
    const after = durations.validate.p95Ms + durations.uncordon.p95Ms;
    const inPlace = durations.update.p95Ms + durations.reboot.p95Ms + after;
    assert.equal(undoDuration(spec, durations, ["in-place"]), inPlace);
    assert.equal(undoDuration(spec, durations, ["replacement"]), 400_000 + after);
    assert.equal(undoDuration(spec, durations, ["in-place", "replacement"]), 400_000 + after);
    const { undo: _, ...update } = spec.update;
    assert.equal(undoDuration({ ...spec, update }, durations, ["in-place"]), 0);
    assert.equal(undoDuration({ ...spec, update }, durations, ["in-place", "replacement"]), 400_000 + after);
  });

  it("counts two machines for the hosts that are replaced alone", () => {
    const hoursOf = (input: PlanInput): number =>
      plan(input).cost.items?.find(({ kind }) => kind === "replacement")?.quantity ?? 0;
    const one = hoursOf(mixedInput());
    const all = hoursOf(mixedInput({}, ["replacement", "replacement", "replacement"]));
    assert.ok(one > 0 && all > 2.5 * one, `${String(one)} and ${String(all)}`);
  });

  it("plans as before what gives one way, with the same envelope", () => {
    const input = sampleInput(SAMPLE);
    const result = plan(input);
    assert.equal(result.envelope.ways, undefined);
    assert.ok(result.hostDecisions?.every((decision) => !("way" in decision)));
    const offering = withTwoWays(input, () => "both");
    const { image: _, ...update } = offering.spec.update;
    const same = plan({ ...offering, spec: { ...offering.spec, update } });
    assert.deepEqual(same.waves, result.waves);
    assert.equal(same.digest, result.digest);
  });
});

describe("the envelope of an update with two ways", () => {
  const input = mixedInput();
  const approved = createEnvelope(input.spec, input.fleet);
  const withHost = (change: (host: PlanInput["fleet"]["hosts"][number]) => object): PlanInput["fleet"] => ({
    ...input.fleet,
    hosts: input.fleet.hosts.map((host) => ({ ...host, ...change(host) })),
  });

  it("has the same digest whatever was learned, and in whatever order hosts were found", () => {
    const reversed = { ...input.fleet, hosts: [...input.fleet.hosts].reverse() };
    assert.equal(envelopeDigest(createEnvelope(input.spec, reversed)), envelopeDigest(approved));
    const learned = { replace: { p50Ms: 1000, p95Ms: 2000 }, update: { p50Ms: 600_000, p95Ms: 900_000 } };
    assert.equal(plan({ ...input, durations: learned }).digest, plan(input).digest);
  });

  it("does not hold a host that would be changed in another way, either way", () => {
    const both = createEnvelope(
      input.spec,
      withHost(({ id }) => (id === "host-1" ? { immutable: "sealed", offers: ["replacement"] } : {})),
    );
    assert.notEqual(envelopeDigest(both), envelopeDigest(approved));
    assert.deepEqual(compareEnvelopes(approved, both), ["hosts would be replaced, which was not approved: host-1"]);
    assert.deepEqual(compareEnvelopes(both, approved), [
      "hosts would be updated in place, which was not approved: host-1",
    ]);
  });

  it("holds a host that does not answer for the moment, and says nothing of one that was not asked", () => {
    const silent = withHost(({ id }) => (id === "host-2" ? { state: "unreachable", offers: undefined } : {}));
    const unknown = createEnvelope(input.spec, silent);
    assert.deepEqual(Object.keys(unknown.ways ?? {}), ["host-1", "host-3"]);
    assert.deepEqual(compareEnvelopes(approved, unknown), []);
    assert.deepEqual(compareEnvelopes(unknown, approved), ["hosts would be replaced, which was not approved: host-2"]);
  });

  it("stays the approved one where a host that was replaced is now of another kind, and not where one is left", () => {
    const changed = { ...input, fleet: withHost(({ id }) => (id === "host-2" ? { immutable: undefined } : {})) };
    const progress = {
      owner: "kernel-1",
      opening: { window: "saturdays", startMs: input.slotMs, endMs: input.slotMs + 3_600_000 },
      reservedHosts: [],
      updatedHosts: ["host-2"],
      approvedEnvelope: approved,
      waveOffset: 1,
      origins: {},
    };
    assert.equal(resolveEnvelope({ ...changed, progress }), approved);
    const left = resolveEnvelope({ ...changed, progress: { ...progress, updatedHosts: [] } });
    assert.match(compareEnvelopes(approved, left).join(), /updated in place, which was not approved: host-2/);
  });
});

describe("plan, with two ways over random fleets", function () {
  this.timeout(120_000);

  const ways = fc.array(fc.constantFrom<Reported>("both", "in-place", "replacement"), {
    minLength: 20,
    maxLength: 20,
  });
  const updates = fc.constantFrom<Partial<UpdateSpec>>(
    {},
    { reboot: false, disturbs: "nothing" },
    { reboot: false, disturbs: "copies" },
    { reboot: false, replacement: { expectedMs: 30_000 } },
  );

  it("keeps every promise, and each host's way, in any order, and ends with no machine kept", () => {
    const seen = { plans: 0, mixed: 0, lanes: 0 };
    fc.assert(
      fc.property(
        fc.oneof(randomSample(), randomWideSample()),
        ways,
        updates,
        fc.nat(),
        (sample, reported, changed, seed) => {
          const input = withTwoWays(sampleInput(sample), (at) => reported[at] ?? "both", changed);
          const result = plan(input);
          if (result.decision !== "run") return;
          assertWays(input, result);
          const simulation = simulate(input, result, pickFrom(seed));
          assert.deepEqual([...simulation.updated].sort(), updatedHosts(result));
          assert.deepEqual([...simulation.kept], []);
          seen.plans++;
          const kinds = new Set(Object.values(changesOf(result)));
          if (kinds.size > 1) seen.mixed++;
          if (kinds.size > 1 && result.waves.some(({ lanes }) => lanes)) seen.lanes++;
        },
      ),
      { numRuns: 80 },
    );
    assert.ok(seen.plans > 15 && seen.mixed > 5 && seen.lanes > 0, JSON.stringify(seen));
  });

  it("is as at the start when any part of a wave is taken back, each host by its own way", () => {
    let undone = 0;
    fc.assert(
      fc.property(randomSample(), ways, fc.nat(), fc.nat({ max: 99 }), (sample, reported, seed, part) => {
        const input = withTwoWays(sampleInput(sample), (at) => reported[at] ?? "both");
        const result = plan(input);
        if (result.decision !== "run") return;
        const wave = result.waves.find((one) => !isMovesOnly(one));
        if (!wave || wave !== result.waves[0]) return;
        const taken = new Simulation(input);
        const before = [...placesOf(taken)].sort();
        // From the end of a replaced machine on there is no way back: undoing goes on from there.
        const most = wave.steps.filter(({ kind }) => kind !== "discard-replaced").length;
        const { steps } = wave;
        const withWayBack = { ...wave, steps: steps.filter(({ kind }) => kind !== "discard-replaced") };
        const done = taken.runWave(withWayBack, pickFrom(seed), Math.ceil((most * (part + 1)) / 100));
        const records = steps
          .filter(({ id }) => done.has(id))
          .map((step): StepRecord => ({ step, key: "", prior: null, status: "done", intentAt: 0 }));
        taken.undo(
          wave,
          orderUndo(records).map(({ step }) => step),
        );
        assert.deepEqual([...placesOf(taken)].sort(), before);
        assert.deepEqual([...taken.updated], []);
        assert.deepEqual([...taken.kept], []);
        if (records.some(({ step }) => step.kind === "update" || step.kind === "replace")) undone++;
      }),
      { numRuns: 120 },
    );
    assert.ok(undone > 5, `only ${String(undone)} changes were taken back`);
  });
});
