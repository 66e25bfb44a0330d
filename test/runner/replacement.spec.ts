import { strict as assert } from "node:assert";

import type { HostUpdateSpec, StepKind } from "../../sdk/model";
import { eventsOf, sampleForecast, type MemoryFleetSpec } from "../../providers/testing";
import { checkRun } from "../../providers/guard/checker";
import { giveBack } from "../../providers/runner/give-back";
import { assertKept, createRunFixture, quickFleet, quickSpec, RUN, type RunFixture } from "./run-fixture";
import { assertSurvivesCrashes } from "./crashes";

const IMAGE = "image-2";

interface Options {
  /** Machines of the image that take the place of these are not as wanted. */
  readonly badOn?: readonly string[];
  readonly offers?: boolean;
}

function fixtureOf({ badOn = [], offers = true }: Options = {}): RunFixture {
  const fleet = quickFleet();
  const withOffers: MemoryFleetSpec = {
    ...fleet,
    images: { [IMAGE]: ({ id }) => (badOn.includes(id) ? "v2-broken" : "v2") },
    hosts: fleet.hosts.map((host) => ({ ...host, ...(offers ? { offers: ["replacement"] as const } : {}) })),
  };
  const { undo: _, command: __, ...update } = quickSpec().update;
  const spec: HostUpdateSpec = quickSpec({ update: { ...update, image: IMAGE, reboot: false } });
  return createRunFixture({
    fleet: withOffers,
    spec,
    forecast: sampleForecast({ scale: 0.5 }),
    isMemoryOnly: true,
  });
}

async function keptBeside(fixture: RunFixture): Promise<readonly string[]> {
  const { hosts } = await fixture.clock.run(() => fixture.observe());
  return hosts.filter(({ replaced }) => replaced).map(({ id }) => id);
}

function happened(fixture: RunFixture, what: "started" | "restored" | "discarded"): readonly string[] {
  return eventsOf(fixture.fleet.events, "replacement").flatMap((event) => (event.what === what ? [event.host] : []));
}

const HOSTS = ["host-01", "host-02", "host-03", "host-04", "host-05", "host-06"];

describe("a run that replaces hosts", () => {
  it("replaces each machine when its copies have left, and ends the old one after the new one was watched", async () => {
    const fixture = fixtureOf();
    const state = await fixture.run();
    assert.equal(state.phase, "done", state.phaseReason);
    assertKept(fixture);
    assert.deepEqual([...happened(fixture, "started")].sort(), HOSTS);
    assert.deepEqual([...happened(fixture, "discarded")].sort(), HOSTS);
    assert.deepEqual(happened(fixture, "restored"), []);
    assert.deepEqual(await keptBeside(fixture), []);
    const [wave] = state.waves;
    const timeOf = (kind: StepKind): number => state.steps.find(({ step }) => step.kind === kind)?.endAt ?? 0;
    assert.ok(wave && timeOf("soak") - timeOf("uncordon") >= 2000);
    assert.ok(timeOf("discard-replaced") > timeOf("soak"));
  });

  it("puts the old machine back, with its version and another boot, when the new one is not as wanted", async () => {
    const fixture = fixtureOf({ badOn: ["host-01"] });
    const before = (await fixture.clock.run(() => fixture.observe())).hosts.find(({ id }) => id === "host-01");
    const state = await fixture.run();
    assert.equal(state.phase, "failed");
    assertKept(fixture);
    assert.deepEqual(state.failure?.notUndone, []);
    assert.ok(state.failure.undone.some((text) => text.includes(`host-01 has its machine back, with "v1"`)));
    assert.deepEqual(happened(fixture, "restored"), ["host-01"]);
    assert.equal(fixture.fleet.versions()["host-01"], "v1");
    assert.deepEqual(await keptBeside(fixture), []);
    const after = (await fixture.clock.run(() => fixture.observe())).hosts.find(({ id }) => id === "host-01");
    assert.notEqual(after?.bootId, before?.bootId);
    assert.equal(after?.cordoned, undefined);
  });

  it("puts the old machine back when the new one does not come up", async () => {
    const fixture = fixtureOf();
    fixture.fleet.inject({ call: "replacement.start", effect: { kind: "partial" } });
    const state = await fixture.run();
    assert.equal(state.phase, "failed");
    assertKept(fixture);
    assert.match(state.failure?.reason ?? "", /its first start failed/);
    assert.equal(happened(fixture, "restored").length, 1);
    assert.deepEqual(await keptBeside(fixture), []);
  });

  it("keeps a host cordoned, and names it and both machines, where the old one cannot be put back", async () => {
    const fixture = fixtureOf({ badOn: ["host-01"] });
    fixture.fleet.inject({ call: "replacement.restore", times: 99, effect: { kind: "refuse" } });
    const state = await fixture.run();
    assert.equal(state.phase, "failed");
    assertKept(fixture);
    assert.match(JSON.stringify(state.failure?.notUndone), /host-01 stays cordoned/);
    assert.deepEqual(await keptBeside(fixture), ["host-01"]);
    await fixture.clock.run(async () => {
      await assert.rejects(giveBack(RUN, fixture.dependencies()), /still kept beside host-01/);
    });
  });

  it("goes on and says so where an old machine cannot be ended", async () => {
    const fixture = fixtureOf();
    fixture.fleet.inject({ call: "replacement.discard", on: "host-02", times: 99, effect: { kind: "refuse" } });
    const state = await fixture.run();
    assert.equal(state.phase, "done", state.phaseReason);
    assertKept(fixture);
    assert.ok(fixture.progress.lines.some((line) => line.includes("the machine that host-02 replaced is left")));
    assert.deepEqual(await keptBeside(fixture), ["host-02"]);
  });

  it("is found out by the checker when an old machine is ended too early or left behind", async () => {
    const fixture = fixtureOf();
    await fixture.run();
    const entries = fixture.store.entriesOf(RUN);
    const observations = fixture.fleet.observations();
    const id = entries.flatMap((entry) =>
      entry.kind === "step-intent" && entry.step.kind === "validate" ? [entry.step.id] : [],
    )[0];
    const early = checkRun({
      entries: entries.filter((entry) => entry.kind !== "step-done" || entry.id !== id),
      observations,
    });
    const [, host = ""] = id?.split("/") ?? [];
    assert.ok(
      early.some(({ subject, text }) => subject.endsWith(`${host}/discard-replaced`) && text.includes(id ?? "-")),
    );
    const { last } = observations;
    assert.ok(last);
    const replaced = { owner: RUN, bootId: "before" };
    const hosts = last.hosts.map((one) => (one.id === "host-03" ? { ...one, replaced } : one));
    const left = checkRun({ entries, observations: { ...observations, last: { ...last, hosts } } });
    assert.deepEqual(
      left.map(({ rule, subject }) => [rule, subject]),
      [["orphan", "host-03"]],
    );
  });

  it("does not start where no driver offers it", async () => {
    const fixture = fixtureOf({ offers: false });
    await assert.rejects(fixture.run(), /its driver cannot replace its machine/);
  });

  it("ends in the same state where its process dies after any entry about a replacement, also while it is undone", async () => {
    for (const options of [{}, { badOn: ["host-02"] }]) {
      await assertSurvivesCrashes(() => fixtureOf(options), {
        steps: /host-02\/(discard-)?replace/,
        least: 5,
        assertEnd: async (fixture, when) => {
          assert.deepEqual(await keptBeside(fixture), [], when);
        },
      });
    }
  }).timeout(60_000);
});
