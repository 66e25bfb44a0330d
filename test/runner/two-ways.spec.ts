import { strict as assert } from "node:assert";

import { checkRun } from "../../providers/guard/checker";
import { eventsOf, sampleForecast, type CommandBehaviour, type MemoryFleetSpec } from "../../providers/testing";
import { assertSurvivesCrashes } from "./crashes";
import { assertKept, createRunFixture, quickFleet, quickSpec, RUN, type RunFixture } from "./run-fixture";

const IMAGE = "image-2";
/** Their drivers run no commands on them; all others can be replaced too, but for the last one. */
const IMMUTABLE: readonly string[] = ["host-02", "host-05"];
const IN_PLACE: readonly string[] = ["host-01", "host-03", "host-04", "host-06"];

interface Options {
  /** Machines of the image that take the place of these are not as wanted. */
  readonly badImageOn?: readonly string[];
  /** The command leaves these half done. */
  readonly badCommandOn?: readonly string[];
  /** The command has no undo. @default false */
  readonly irreversible?: boolean;
}

/** Two copies of what most hosts have one of: then two hosts find room for their copies at a time. */
const FEW: ReadonlySet<string> = new Set(["front", "reports"]);
const COPIES = 2;
const DEMAND = 0.2;

function fixtureOf({ badImageOn = [], badCommandOn = [], irreversible = false }: Options = {}): RunFixture {
  const quick = quickFleet();
  const workloads = quick.workloads.map((workload) => ({
    ...workload,
    demandCpuMillis: (atMs: number) => DEMAND * (workload.demandCpuMillis?.(atMs) ?? 0),
    ...(FEW.has(workload.name) ? { hosts: workload.hosts.slice(0, COPIES) } : {}),
  }));
  const fleet = { ...quick, workloads };
  const install = fleet.commands?.["install v2"];
  const broken: CommandBehaviour = { kind: "fail", afterMs: 500, exitCode: 3, output: "no\n", version: "v2-broken" };
  const mixed: MemoryFleetSpec = {
    ...fleet,
    images: { [IMAGE]: ({ id }) => (badImageOn.includes(id) ? "v2-broken" : "v2") },
    commands: {
      ...fleet.commands,
      "install v2": (host) => {
        if (badCommandOn.includes(host.id)) return broken;
        return typeof install === "function" ? install(host) : (install ?? broken);
      },
    },
    hosts: fleet.hosts.map((host) => ({
      ...host,
      ...(host.id === "host-06" ? {} : { offers: ["replacement"] as const }),
      ...(IMMUTABLE.includes(host.id) ? { immutable: "sealed root" } : {}),
    })),
  };
  const { undo, ...update } = quickSpec().update;
  const spec = quickSpec({
    update: {
      ...update,
      image: IMAGE,
      ...(irreversible || undo === undefined ? { irreversible: true } : { undo }),
    },
    islands: quickSpec().islands.map((island) => ({
      ...island,
      workloads: island.workloads.map((one) => (FEW.has(one.name) ? { ...one, copies: COPIES } : one)),
    })),
    limits: { ...quickSpec().limits, hostsAtOnce: 3, hostsPerZone: 3, canaryHosts: 2 },
  });
  return createRunFixture({ fleet: mixed, spec, forecast: sampleForecast({ scale: DEMAND }), isMemoryOnly: true });
}

function replaced(fixture: RunFixture, what: "started" | "restored" | "discarded"): readonly string[] {
  return eventsOf(fixture.fleet.events, "replacement")
    .flatMap((event) => (event.what === what ? [event.host] : []))
    .sort();
}

function commanded(fixture: RunFixture, command: string): readonly string[] {
  return eventsOf(fixture.fleet.events, "command")
    .flatMap((event) => (event.command === command ? [event.host] : []))
    .sort();
}

async function keptBeside(fixture: RunFixture): Promise<readonly string[]> {
  const { hosts } = await fixture.clock.run(() => fixture.observe());
  return hosts.filter((host) => host.replaced).map(({ id }) => id);
}

describe("a run that updates some hosts in place and replaces others", () => {
  it("changes each host in its own way, and ends the old machines of those that were replaced", async () => {
    const fixture = fixtureOf();
    const state = await fixture.run();
    assert.equal(state.phase, "done", state.phaseReason);
    assertKept(fixture);
    assert.deepEqual(commanded(fixture, "install v2"), IN_PLACE);
    assert.deepEqual(replaced(fixture, "started"), IMMUTABLE);
    assert.deepEqual(replaced(fixture, "discarded"), IMMUTABLE);
    assert.deepEqual(await keptBeside(fixture), []);
    const versions = Object.entries(fixture.fleet.versions()).filter(([id]) => id.startsWith("host-"));
    assert.ok(versions.every(([, version]) => version === "v2"));
    assert.deepEqual(Object.keys(state.plan.envelope.ways ?? {}), [...IN_PLACE, ...IMMUTABLE].sort());
  });

  it("takes both back where one of a wave is not as wanted: the command by its undo, the machine by the old one", async () => {
    for (const options of [{ badImageOn: ["host-05"] }, { badCommandOn: ["host-06"] }]) {
      const fixture = fixtureOf(options);
      const before = fixture.fleet.placements();
      const state = await fixture.run();
      assert.equal(state.phase, "failed");
      assert.deepEqual([...(state.waves[0]?.hosts ?? [])].sort(), ["host-05", "host-06"], "both are in the first wave");
      assertKept(fixture);
      assert.deepEqual(state.failure?.notUndone, []);
      assert.deepEqual([...new Set(Object.values(fixture.fleet.versions()))], ["v1"]);
      assert.deepEqual(replaced(fixture, "restored"), replaced(fixture, "started"));
      assert.deepEqual(await keptBeside(fixture), []);
      assert.deepEqual(fixture.fleet.placements(), before);
    }
  });

  it("keeps a host cordoned whose machine cannot be put back, and takes the command beside it back", async () => {
    const fixture = fixtureOf({ badImageOn: ["host-05"] });
    fixture.fleet.inject({ call: "replacement.restore", times: 99, effect: { kind: "refuse" } });
    const state = await fixture.run();
    assert.equal(state.phase, "failed");
    assertKept(fixture);
    assert.match(JSON.stringify(state.failure?.notUndone), /host-05 stays cordoned/);
    assert.deepEqual(await keptBeside(fixture), ["host-05"]);
    assert.equal(fixture.fleet.versions()["host-06"], "v1");
  });

  it("runs a command without undo only where nothing else is possible", async () => {
    const fixture = fixtureOf({ irreversible: true });
    const state = await fixture.run();
    assert.equal(state.phase, "done", state.phaseReason);
    assertKept(fixture);
    assert.deepEqual(commanded(fixture, "install v2"), ["host-06"]);
    assert.equal(replaced(fixture, "discarded").length, 5);
  });

  it("is found out by the checker where a host was changed in another way than was approved", async () => {
    const fixture = fixtureOf();
    await fixture.run();
    const entries = fixture.store.entriesOf(RUN).map((entry) => {
      if (entry.kind !== "created") return entry;
      const { envelope } = entry.plan;
      const { "host-03": _, ...ways } = envelope.ways ?? {};
      const other = { ...ways, "host-01": "replacement", "host-02": "in-place" } as const;
      return { ...entry, plan: { ...entry.plan, envelope: { ...envelope, ways: other } } };
    });
    const found = checkRun({ entries, observations: fixture.fleet.observations() });
    assert.deepEqual(found.map(({ rule, subject, text }) => `${rule} ${subject} ${text}`).sort(), [
      "envelope host-01 is changed by in-place, and replacement was approved for it",
      "envelope host-02 is changed by replacement, and in-place was approved for it",
      "envelope host-03 is changed by in-place, and no way was approved for it",
    ]);
  });

  it("ends in the same state where its process dies after any entry about a change, also while it is undone", async () => {
    for (const options of [{}, { badImageOn: ["host-05"] }]) {
      await assertSurvivesCrashes(() => fixtureOf(options), {
        steps: /host-0[56]\/((discard-)?replace|update)/,
        least: 5,
        assertEnd: async (fixture, when) => {
          assert.deepEqual(await keptBeside(fixture), [], when);
        },
      });
    }
  }).timeout(60_000);
});
