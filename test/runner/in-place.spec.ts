import { strict as assert } from "node:assert";
import { describe, it } from "mocha";
import { sampleFleet, sampleForecast, sampleSpec, type MemoryFleetSpec } from "../../providers/testing";
import type { HostUpdateSpec } from "../../sdk/model";
import { assertKept, createRunFixture, type RunFixture } from "./run-fixture";

function specWith(disturbs: HostUpdateSpec["update"]["disturbs"]): HostUpdateSpec {
  const spec = sampleSpec();
  return { ...spec, update: { ...spec.update, reboot: false, ...(disturbs ? { disturbs } : {}) } };
}

async function runWith(
  disturbs: HostUpdateSpec["update"]["disturbs"],
  fleet?: MemoryFleetSpec,
): Promise<{ readonly fixture: RunFixture; readonly methods: readonly string[] }> {
  const forecast = sampleForecast({ scale: 0.5 });
  const fixture = createRunFixture({ spec: specWith(disturbs), forecast, ...(fleet ? { fleet } : {}) });
  const before = fixture.fleet.placements();
  const state = await fixture.run();
  assert.equal(state.phase, "done", JSON.stringify(state.failure ?? state.phaseReason));
  assertKept(fixture);
  assert.deepEqual(
    Object.values(fixture.fleet.versions()).filter((version) => version !== "v2").length,
    1,
    "the standby host alone is as it was",
  );
  if (disturbs === "nothing") assert.deepEqual(fixture.fleet.placements(), before);
  return { fixture, methods: state.waves.flatMap((wave) => wave.moves.map(({ method }) => method)) };
}

describe("runner: updates that let copies stay", () => {
  it("updates every host beneath its copies where it disturbs nothing, without a move", async () => {
    const { methods } = await runWith("nothing");
    assert.deepEqual(methods, []);
  });

  it("restarts copies where they are as far as budgets allow, one after the other, and moves the others", async () => {
    const { methods } = await runWith("copies");
    assert.ok(methods.filter((method) => method === "restart").length >= 6, methods.join());
    assert.ok(methods.includes("hand-over"));
    assert.ok(!methods.includes("shed"));
  });

  it("detaches copies where every driver offers it", async () => {
    const fleet = sampleFleet();
    const hosts = fleet.hosts.map((host) => ({ ...host, offers: ["detached"] as const }));
    const { methods } = await runWith(undefined, { ...fleet, hosts });
    assert.deepEqual(methods, []);
  });

  it("undoes restarts with the update where the checks fail after them", async () => {
    const spec = specWith("copies");
    const validate = [{ kind: "command", command: "false", timeoutMs: 10_000 }] as const;
    const islands = spec.islands.map((island) => ({ ...island, validate }));
    const fixture = createRunFixture({ spec: { ...spec, islands }, forecast: sampleForecast({ scale: 0.5 }) });
    const before = fixture.fleet.placements();
    const state = await fixture.run();
    assert.equal(state.phase, "failed");
    assert.ok(state.waves.some((wave) => wave.moves.some(({ method }) => method === "restart")));
    assertKept(fixture);
    assert.deepEqual(fixture.fleet.placements(), before);
    assert.deepEqual([...new Set(Object.values(fixture.fleet.versions()))], ["v1"]);
  });
});
