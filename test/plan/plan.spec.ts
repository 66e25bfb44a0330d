import assert from "node:assert/strict";

import { plan, planningSlot, type PlanInput } from "../../providers/plan/plan";
import { createPlanWorker } from "../../providers/plan/plan-in-worker";
import { canonicalJson, isKind, type PlanStep } from "../../sdk/model";
import { OPENING_MS, sampleInput, type Sample } from "./sample-fleets";

const three: Sample = {
  hosts: [
    { id: "host-1", zone: "a" },
    { id: "host-2", zone: "b" },
    { id: "host-3", zone: "c" },
  ],
  workloads: [
    { name: "web", on: ["host-1", "host-2"], demand: [800] },
    { name: "ledger", on: ["host-3"], workload: { exclusive: true } },
  ],
};

describe("plan", () => {
  it("updates a canary first, then as many hosts as the limits allow", () => {
    const hosts = ["1", "2", "3", "4", "5"].map((id) => ({ id: `host-${id}` }));
    const limits = { hostsAtOnce: 2, hostsPerZone: 2, canaryHosts: 1, soakMs: 0, drainMs: 1000 };
    const { waves } = plan(sampleInput({ hosts, workloads: [], spec: { limits } }));
    assert.deepEqual(
      waves.map((wave) => [wave.kind, wave.hosts.length]),
      [
        ["canary", 1],
        ["update", 2],
        ["update", 2],
      ],
    );
  });

  it("begins with empty hosts and ends with those of exclusive workloads", () => {
    const sample: Sample = { ...three, hosts: [...three.hosts, { id: "host-4", zone: "a" }] };
    const { waves } = plan(sampleInput(sample));
    assert.deepEqual(waves[0]?.hosts, ["host-4"]);
    assert.ok(
      waves
        .filter((wave) => wave.kind === "update")
        .at(-1)
        ?.hosts.includes("host-3"),
    );
  });

  it("has nothing to do where every probe matches", () => {
    const matching = { probe: { output: "v2", matches: true } };
    const hosts = three.hosts.map((host) => ({ ...host, host: matching }));
    const result = plan(sampleInput({ ...three, hosts }));
    assert.equal(result.decision, "nothing");
    assert.deepEqual(result.waves, []);
    assert.equal(result.skipped.length, 3);
    assert.match(result.skipped[0]?.reason ?? "", /already prints "v2"/);
  });

  it("moves a copy to a host that needs no update rather than to one that does", () => {
    const hosts = [...three.hosts, { id: "host-9", host: { probe: { output: "v2", matches: true } } }];
    const { waves } = plan(sampleInput({ ...three, hosts }));
    const move = waves.flatMap((wave) => wave.moves).find(({ workload }) => workload === "ledger");
    assert.equal(move?.method, "hand-over");
    assert.ok((move.scores[0]?.parts["updated"] ?? 0) > 0);
    assert.match(move.reason, /no second move/);
  });

  it("gives every move scores whose parts sum up, and reasons for refused hosts", () => {
    const { waves } = plan(sampleInput(three));
    for (const move of waves.flatMap((wave) => wave.moves)) {
      assert.equal(move.scores[0]?.host, move.to);
      for (const { score, parts, rejected } of move.scores) {
        if (rejected !== undefined) assert.notEqual(rejected, "");
        else {
          const sum = Object.values(parts).reduce((total, part) => total + part, 0);
          assert.ok(Math.abs(sum - score) < 1e-6);
        }
      }
    }
  });

  it("starts the new copy, admits it, drains the old one and stops it, in this order", () => {
    const { waves } = plan(sampleInput({ ...three, workloads: [{ name: "web", on: ["host-1"] }] }));
    const wave = waves.find(({ moves }) => moves.length > 0);
    const move = wave?.moves[0];
    const chain = [
      `start-copy/${move?.newReplica ?? ""}`,
      `admit/${move?.newReplica ?? ""}`,
      `drain/web-1`,
      `stop-copy/web-1`,
      "snapshot",
      "update",
      "reboot",
      "validate",
      "uncordon",
    ].map((kind) => `w${String(wave?.index)}/host-1/${kind}`);
    chain.forEach((id, index) => {
      const before = index === 0 ? `w${String(wave?.index)}/host-1/cordon` : chain[index - 1];
      assert.deepEqual(stepOf(wave?.steps, id).after, [before]);
    });
  });

  it("sheds a sheddable job when no host has room, and brings it back after the update", () => {
    const reports = {
      name: "reports",
      on: ["host-1"],
      demand: [1500],
      service: false,
      workload: { criticality: "sheddable" as const, maxUnavailable: 1 },
    };
    const full: Sample = {
      hosts: [{ id: "host-1" }, { id: "host-2", host: { probe: { output: "v2", matches: true } } }],
      workloads: [reports, { name: "web", on: ["host-2"], demand: [800] }],
    };
    const result = plan(sampleInput(full));
    assert.equal(result.decision, "run", JSON.stringify(result.blockers));
    const wave = result.waves.find(({ hosts }) => hosts.includes("host-1"));
    const move = wave?.moves.find(({ workload }) => workload === "reports");
    assert.equal(move?.method, "shed");
    assert.equal(move.to, undefined);
    const back = stepOf(wave?.steps, `w${String(wave?.index)}/host-1/start-copy/${move.newReplica}`);
    assert.deepEqual(back.after, [`w${String(wave?.index)}/host-1/uncordon`]);
  });

  it("reserves the smallest number of standby hosts before the first cordon, and releases them at the end", () => {
    const sample: Sample = {
      hosts: [
        ...three.hosts,
        { id: "standby-1", role: "standby" },
        { id: "standby-2", role: "standby" },
        { id: "standby-3", role: "standby" },
      ],
      workloads: [{ name: "web", on: ["host-1", "host-2", "host-3"], demand: [3000] }],
      maximumReserveHosts: 3,
    };
    const result = plan(sampleInput(sample));
    assert.deepEqual(result.reserve.hosts, ["standby-1"]);
    assert.match(result.reserve.reason, /with 0 hosts no host can take/);
    const [reserve, cordon] = result.waves[0]?.steps ?? [];
    assert.equal(reserve?.kind, "reserve");
    assert.deepEqual(cordon?.after, [reserve.id]);
    assert.equal(result.waves.at(-1)?.steps.at(-1)?.kind, "release");
    assert.ok(result.cost.reservedHostHours > 0);
  });

  it("prices the reserve from the start of the run to its end", () => {
    const sample: Sample = {
      hosts: [...three.hosts, { id: "standby-1", role: "standby" }],
      workloads: [{ name: "web", on: ["host-1", "host-2", "host-3"], demand: [3000] }],
    };
    const hostHourPrice = { amount: 2, currency: "EUR" };
    const pool = { name: "reserve", quantile: 0.95, maximumHosts: 1, hostHourPrice };
    const { cost, waves } = plan(sampleInput({ ...sample, spec: { pool } }));
    const hours = ((waves.at(-1)?.endMs ?? 0) - OPENING_MS) / 3_600_000;
    assert.ok(Math.abs(cost.reservedHostHours - hours) < 0.01);
    assert.ok(Math.abs((cost.amount ?? 0) - 2 * hours) < 0.02);
  });

  it("lets demand exceed capacity on as many paths as the promise allows and on no more", () => {
    const demand = (high: number): readonly number[] =>
      Array.from({ length: 20 }, (_, path) => (path < high ? 2500 : 100));
    const decide = (high: number): string =>
      plan(sampleInput({ ...three, workloads: [{ name: "web", on: ["host-1"], demand: demand(high) }] })).decision;
    assert.equal(decide(1), "run");
    assert.equal(decide(2), "blocked");
  });

  it("uses learned durations instead of its own", () => {
    const input = sampleInput({ ...three, workloads: [] });
    const slow = plan({ ...input, durations: { reboot: { p50Ms: 600_000, p95Ms: 900_000 } } });
    assert.ok(slow.total.p50Ms > plan(input).total.p50Ms + 2 * 500_000);
  });

  it("orders the times of waves and never ends before its P95", () => {
    const { waves, total } = plan(sampleInput(three));
    waves.forEach((wave, index) => {
      assert.ok(wave.startMs <= wave.endMs && wave.endMs <= wave.endP95Ms);
      if (index > 0) assert.equal(wave.startMs, waves[index - 1]?.endMs);
    });
    assert.equal(waves.at(-1)?.endMs, OPENING_MS + total.p50Ms);
    assert.equal(waves.at(-1)?.endP95Ms, OPENING_MS + total.p95Ms);
  });

  it("brings copies home with the policy origin and leaves them with never", () => {
    const places = (failback: "origin" | "never"): string[] => {
      const { waves } = plan(sampleInput({ ...three, spec: { failback } }));
      return waves.filter((wave) => wave.kind === "failback").flatMap((wave) => wave.moves.map(({ to }) => to ?? ""));
    };
    assert.deepEqual(places("never"), []);
    assert.ok(places("origin").length > 0);
  });

  it("plans in slots of five minutes", () => {
    assert.equal(planningSlot(OPENING_MS + 299_999), OPENING_MS);
    assert.equal(planningSlot(OPENING_MS + 300_000), OPENING_MS + 300_000);
  });
});

describe("plan worker", () => {
  const worker = createPlanWorker();
  after(() => worker.close());

  it("gives the same plans as planning in this thread, one after the other", async () => {
    const inputs = [sampleInput(three), sampleInput({ ...three, spec: { seed: 2 } })];
    const plans = await Promise.all(inputs.map((input) => worker.plan(input)));
    assert.deepEqual(
      plans.map((made) => canonicalJson(made)),
      inputs.map((input) => canonicalJson(plan(input))),
    );
  });

  it("passes mistakes on with their data, and plans again afterwards", async () => {
    const bad: PlanInput = sampleInput({
      ...three,
      spec: { windows: [{ name: "bad", cron: "not a cron", durationMs: 3_600_000, timezone: "UTC", freezes: [] }] },
    });
    await assert.rejects(worker.plan(bad), (error) => isKind(error, "MistakeError") && String(error).includes("cron"));
    const input = sampleInput(three);
    assert.equal(canonicalJson(await worker.plan(input)), canonicalJson(plan(input)));
  });

  it("starts a thread again after it was closed", async () => {
    await worker.close();
    const input = sampleInput(three);
    assert.equal(canonicalJson(await worker.plan(input)), canonicalJson(plan(input)));
  });
});

function stepOf(steps: readonly PlanStep[] | undefined, id: string): PlanStep {
  const step = steps?.find((candidate) => candidate.id === id);
  assert.ok(step, `${id} is not among ${steps?.map((candidate) => candidate.id).join(", ") ?? "no steps"}`);
  return step;
}
