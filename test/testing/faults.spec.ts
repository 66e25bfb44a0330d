import { strict as assert } from "node:assert";
import { describe, it } from "mocha";
import type { CallContext, Operation } from "../../providers/drivers/contracts";
import {
  createMemoryFleet,
  createVirtualClock,
  eventsOf,
  SAMPLE_OPENING_MS,
  sampleFleet,
} from "../../providers/testing";
import type { Fault, MemoryFleet, MemoryFleetSpec, VirtualClock } from "../../providers/testing";
import type { ReplicaState } from "../../sdk/model";
import { NO_ABORT, rejectsWith } from "../drivers/contract";

interface Fixture {
  readonly clock: VirtualClock;
  readonly fleet: MemoryFleet;
}

function createFixture(spec: MemoryFleetSpec = sampleFleet(), ...faults: readonly Fault[]): Fixture {
  const clock = createVirtualClock(SAMPLE_OPENING_MS);
  const fleet = createMemoryFleet(spec, clock, 1);
  for (const fault of faults) fleet.inject(fault);
  return { clock, fleet };
}

function contextOf(key: string): CallContext {
  return { key, epoch: 1, owner: "run-1", signal: NO_ABORT };
}

const MARK = { owner: "run-1", expiresAt: SAMPLE_OPENING_MS + 3_600_000 };
const INSTALL = { command: "install v2", timeoutMs: 300_000 };

function effectKeys(fleet: MemoryFleet): readonly string[] {
  return eventsOf(fleet.events, "effect").map((event) => event.key);
}

async function stateOf({ fleet }: Fixture, replica: string): Promise<ReplicaState | undefined> {
  return (await fleet.platform.workloads.list(NO_ABORT)).find((copy) => copy.id === replica)?.state;
}

describe("testing: scripted faults", () => {
  it("refuse a call without an effect", async () => {
    const { clock, fleet } = createFixture(sampleFleet(), {
      call: "hosts.cordon",
      on: "host-01",
      effect: { kind: "refuse", code: "unauthorized" },
    });
    await clock.run(() =>
      rejectsWith("unauthorized", fleet.platform.hosts.cordon("host-01", MARK, contextOf("cordon"))),
    );
    assert.deepEqual(effectKeys(fleet), []);
  });

  it("time out without an effect, and let the next try with the same key through", async () => {
    const { clock, fleet } = createFixture(sampleFleet(), { call: "hosts.*", effect: { kind: "timeout" } });
    await clock.run(async () => {
      await rejectsWith("timeout", fleet.platform.hosts.cordon("host-01", MARK, contextOf("cordon")));
      assert.deepEqual(effectKeys(fleet), []);
      await fleet.platform.hosts.cordon("host-01", MARK, contextOf("cordon"));
    });
    assert.deepEqual(effectKeys(fleet), ["cordon"]);
  });

  it("lose only the answer: the same key then has no second effect", async () => {
    const { clock, fleet } = createFixture(sampleFleet(), {
      call: "hosts.startUpdate",
      effect: { kind: "answer-lost" },
    });
    await clock.run(async () => {
      const start = (): Promise<Operation> => fleet.platform.hosts.startUpdate("host-01", INSTALL, contextOf("update"));
      await rejectsWith("timeout", start());
      assert.equal((await start()).key, "update");
    });
    assert.deepEqual(effectKeys(fleet), ["update"]);
    assert.equal(eventsOf(fleet.events, "command").length, 1);
  });

  it("count the calls that match and hit from the n-th on as often as told", async () => {
    const { clock, fleet } = createFixture(sampleFleet(), {
      call: "hosts.observe",
      on: "host-0?",
      nth: 2,
      times: 2,
      effect: { kind: "refuse" },
    });
    const outcomes = await clock.run(async () => {
      const answers: boolean[] = [];
      for (let call = 0; call < 5; call += 1) {
        answers.push(
          await fleet.platform.hosts.observe("host-01", NO_ABORT).then(
            () => true,
            () => false,
          ),
        );
      }
      return answers;
    });
    assert.deepEqual(outcomes, [true, false, false, true, true]);
  });

  it("slow a call down", async () => {
    const { clock, fleet } = createFixture(sampleFleet(), { call: "hosts.list", effect: { kind: "slow", ms: 7000 } });
    await clock.run(() => fleet.platform.hosts.list(NO_ABORT));
    assert.ok(clock.monotonic() >= 7000);
  });

  it("leave a command half done", async () => {
    const fixture = createFixture(sampleFleet(), { call: "hosts.startUpdate", effect: { kind: "partial" } });
    await fixture.clock.run(async () => {
      const { hosts } = fixture.fleet.platform;
      await hosts.startUpdate("host-01", INSTALL, contextOf("update"));
      await fixture.clock.sleep(60_000);
      const operation = await hosts.operation("host-01", "update", NO_ABORT);
      assert.equal(operation?.state, "failed");
      assert.equal(operation.exitCode, 1);
    });
    assert.equal(fixture.fleet.versions()["host-01"], "v1-broken");
  });

  it("start a copy that never becomes healthy", async () => {
    const fixture = createFixture(sampleFleet(), { call: "workloads.start", effect: { kind: "partial" } });
    await fixture.clock.run(async () => {
      const { workloads } = fixture.fleet.platform;
      const spec = await workloads.describe("host-01", "pricing-0", NO_ABORT);
      await workloads.start("host-02", { ...spec, replica: "pricing-1" }, contextOf("start"));
      await fixture.clock.sleep(60_000);
      assert.equal(await stateOf(fixture, "pricing-1"), "unhealthy");
    });
  });

  it("reserve only the first of several hosts", async () => {
    const fixture = createFixture(sampleFleet({ standby: 2 }), {
      call: "capacity.reserve",
      effect: { kind: "partial" },
    });
    await fixture.clock.run(async () => {
      const { capacity, hosts } = fixture.fleet.platform;
      const both = ["standby-01", "standby-02"];
      await rejectsWith("failed", capacity.reserve(both, MARK, contextOf("reserve")));
      const states = (await hosts.list(NO_ABORT)).filter((host) => both.includes(host.id)).map((host) => host.state);
      assert.deepEqual(states, ["ready", "stopped"]);
      await capacity.reserve(both, MARK, contextOf("reserve"));
      assert.equal((await hosts.observe("standby-02", NO_ABORT)).state, "ready");
    });
  });

  it("take a host's power in the middle of a call; its copies are lost and it comes back empty", async () => {
    const fixture = createFixture(sampleFleet(), {
      call: "hosts.startUpdate",
      on: "host-01",
      effect: { kind: "host-dies", backAfterMs: 30_000 },
    });
    const { clock, fleet } = fixture;
    await clock.run(async () => {
      await rejectsWith("unreachable", fleet.platform.hosts.startUpdate("host-01", INSTALL, contextOf("update")));
      assert.equal((await fleet.platform.hosts.observe("host-01", NO_ABORT)).state, "unreachable");
      await clock.sleep(60_000);
      const back = await fleet.platform.hosts.observe("host-01", NO_ABORT);
      assert.equal(back.state, "ready");
      assert.equal(back.bootId, "host-01-boot-2");
    });
    assert.deepEqual(fleet.placements()["pricing"], []);
    const [lost] = eventsOf(fleet.events, "host");
    assert.equal(lost?.byItself, true);
    assert.ok(eventsOf(fleet.events, "requests-failed").some((event) => event.service === "pricing"));
  });

  it("end an agent after its call was done: the caller sees a timeout, the workloads go on", async () => {
    const fixture = createFixture(sampleFleet(), {
      call: "hosts.cordon",
      effect: { kind: "agent-dies", backAfterMs: 10_000, isDone: true },
    });
    const { clock, fleet } = fixture;
    await clock.run(async () => {
      await rejectsWith("timeout", fleet.platform.hosts.cordon("host-01", MARK, contextOf("cordon")));
      await rejectsWith("unreachable", fleet.platform.hosts.probe("host-01", "version", "*", NO_ABORT));
      await clock.sleep(10_000);
      assert.deepEqual((await fleet.platform.hosts.observe("host-01", NO_ABORT)).cordoned, MARK);
    });
    assert.deepEqual(eventsOf(fleet.events, "requests-failed"), []);
    assert.deepEqual(fleet.placements()["pricing"], ["host-01"]);
  });

  it("let a copy's health flap", async () => {
    const { clock, fleet } = createFixture();
    fleet.flapHealth("pricing-0", 1000, 4);
    await clock.advance(10_000);
    const seen = eventsOf(fleet.events, "availability").filter((event) => event.workload === "pricing");
    assert.deepEqual(
      seen.map((event) => event.available),
      [1, 0, 1, 0, 1],
    );
  });
});

describe("testing: what the in-memory fleet detects", () => {
  it("an acknowledged write that a new owner does not hold", async () => {
    const fixture = createFixture(sampleFleet(), { call: "workloads.restore", effect: { kind: "partial" } });
    const { clock, fleet } = fixture;
    const { workloads, traffic } = fleet.platform;
    await clock.run(async () => {
      const spec = await workloads.describe("host-02", "ledger-0", NO_ABORT);
      const to = await workloads.start("host-03", { ...spec, replica: "ledger-1", standby: true }, contextOf("start"));
      await clock.sleep(30_000);
      const token = { token: "t", service: "ledger", deadline: clock.now() + 2000 };
      await traffic.park("ledger", token, contextOf("park"));
      await workloads.quiesce("host-02", "ledger-0", token, contextOf("quiesce"));
      const state = await workloads.snapshot("host-02", "ledger-0", contextOf("snapshot"));
      const from = { host: "host-02", replica: "ledger-0", state };
      const restored = await workloads.restore("host-03", "ledger-1", from, token, contextOf("restore"));
      assert.notEqual(restored.sha256, state.sha256, "half of the state has another hash");
      const { health } = spec.process;
      await traffic.cutOver(
        "ledger",
        "t",
        { replica: "ledger-1", address: to.address ?? "", health },
        contextOf("cut"),
      );
      await workloads.activate("host-03", "ledger-1", contextOf("activate"));
      await traffic.unpark("ledger", "t", contextOf("unpark"));
    });
    const [lost] = eventsOf(fleet.events, "writes-lost");
    assert.ok(lost && lost.count > 100, JSON.stringify(lost));
    assert.equal(fleet.lostWrites("ledger"), lost.count);
  });

  it("two copies of an exclusive workload that accept writes at once", async () => {
    const { clock, fleet } = createFixture();
    const { workloads } = fleet.platform;
    await clock.run(async () => {
      const spec = await workloads.describe("host-02", "ledger-0", NO_ABORT);
      await workloads.start("host-03", { ...spec, replica: "ledger-1" }, contextOf("start"));
      await clock.sleep(5000);
    });
    assert.deepEqual(eventsOf(fleet.events, "dual-writers")[0]?.replicas, ["ledger-0", "ledger-1"]);
  });

  it("requests under way at a copy that is stopped without draining", async () => {
    const { clock, fleet } = createFixture();
    await clock.advance(10_000);
    await clock.run(() => fleet.platform.workloads.stop("host-01", "front-0", 100, contextOf("stop")));
    const failed = eventsOf(fleet.events, "requests-failed");
    assert.equal(failed.length, 1);
    assert.ok(failed[0] && failed[0].count >= 1);
  });

  it("a host over its capacity, also when only demand has changed", async () => {
    const spec = sampleFleet();
    const rising: MemoryFleetSpec = {
      ...spec,
      workloads: spec.workloads.map((workload) =>
        workload.name === "pricing"
          ? { ...workload, demandCpuMillis: (atMs) => (atMs > SAMPLE_OPENING_MS + 600_000 ? 9000 : 100) }
          : workload,
      ),
    };
    const { clock, fleet } = createFixture(rising);
    await clock.advance(3_600_000);
    const [overload] = eventsOf(fleet.events, "overload");
    assert.equal(overload?.host, "host-01");
    assert.equal(overload.atMs, SAMPLE_OPENING_MS + 660_000);
  });

  it("an update and a reboot that are done twice under different keys", async () => {
    const { clock, fleet } = createFixture();
    const { hosts } = fleet.platform;
    await clock.run(async () => {
      for (const key of ["one", "two"]) {
        await hosts.startUpdate("host-01", INSTALL, contextOf(`update-${key}`));
        await clock.sleep(60_000);
      }
      for (const key of ["one", "two"]) {
        await hosts.reboot("host-01", contextOf(`reboot-${key}`));
        await clock.sleep(60_000);
      }
    });
    assert.deepEqual(
      eventsOf(fleet.events, "double-effect").map((event) => event.call),
      ["hosts.startUpdate", "hosts.reboot"],
    );
  });

  it("counts reads and mutations apart", async () => {
    const { clock, fleet } = createFixture();
    await clock.run(async () => {
      await fleet.platform.hosts.list(NO_ABORT);
      await fleet.platform.hosts.probe("host-01", "version", "v1", NO_ABORT);
    });
    assert.equal(fleet.calls.mutations.size, 0);
    assert.equal(fleet.calls.reads.get("hosts.probe"), 1);
    await clock.run(() => fleet.platform.hosts.cordon("host-01", MARK, contextOf("cordon")));
    assert.equal(fleet.calls.mutations.get("hosts.cordon"), 1);
  });

  it("records traffic by the second, failures and held requests included", async () => {
    const { clock, fleet } = createFixture();
    const { traffic, recorder } = fleet.platform;
    assert.ok(recorder);
    await clock.advance(5000);
    await clock.run(async () => {
      const token = { token: "t", service: "ledger", deadline: clock.now() + 2000 };
      await traffic.park("ledger", token, contextOf("park"));
      await clock.sleep(1500);
      await traffic.unpark("ledger", "t", contextOf("unpark"));
      await clock.sleep(3000);
    });
    const seen = await clock.run(() => recorder.trafficSince(SAMPLE_OPENING_MS, NO_ABORT));
    const total = (service: string): number =>
      (seen.find((entry) => entry.service === service)?.buckets ?? []).reduce(
        (sum, bucket) => sum + bucket.requests,
        0,
      );
    const elapsedSeconds = clock.monotonic() / 1000;
    assert.equal(total("front"), Math.floor(elapsedSeconds * 100));
    assert.equal(total("ledger"), fleet.acknowledgedWrites("ledger"));
    const held = seen.find((entry) => entry.service === "ledger")?.buckets.map((bucket) => bucket.maxMs) ?? [];
    assert.ok(Math.max(...held) >= 1500);
  });
});
