import assert from "node:assert/strict";

import { findCapacityFixes, type Fix } from "../../providers/plan/fixes";
import { resolveDurations } from "../../providers/plan/durations";
import { plan, type PlanInput } from "../../providers/plan/plan";
import { createProblem } from "../../providers/plan/problem";
import { findSchedule } from "../../providers/plan/reserve";
import { createScheduleContext } from "../../providers/plan/schedule";
import type { Blocker, BlockerCode, Fleet } from "../../sdk/model";
import { OPENING_MS, sampleInput, type Sample } from "./sample-fleets";

const MINUTE_MS = 60_000;

const two: Sample = {
  hosts: [
    { id: "host-1", zone: "a" },
    { id: "host-2", zone: "b" },
  ],
  workloads: [{ name: "web", on: ["host-1"] }],
};

describe("plan, where something blocks", () => {
  it("names an unreachable host and plans once it answers", () => {
    const input = changeHost(sampleInput(two), "host-2", { state: "unreachable", stateReason: "connection refused" });
    const blocker = onlyBlocker(input, "unreachable");
    assert.equal(blocker.subject, "host-2");
    assert.match(blocker.reason, /connection refused/);
    assert.equal(plan(changeHost(input, "host-2", { state: "ready" })).decision, "run");
  });

  it("names a host whose probe failed and plans once the probe works", () => {
    const probe = { output: "", matches: false, error: "exit code 127: version: not found" };
    const blocker = onlyBlocker(changeHost(sampleInput(two), "host-1", { probe }), "probe");
    assert.match(blocker.reason, /version: not found/);
    assert.match(blocker.fix, /host-1/);
  });

  it("respects the mark of another owner until it has lapsed", () => {
    const mark = { owner: "kured", expiresAt: OPENING_MS + 10 * MINUTE_MS };
    const blocker = onlyBlocker(changeHost(sampleInput(two), "host-1", { cordoned: mark }), "foreign-mark");
    assert.match(blocker.reason, /kured/);
    const lapsed = { ...mark, expiresAt: OPENING_MS - 1 };
    assert.equal(plan(changeHost(sampleInput(two), "host-1", { cordoned: lapsed })).decision, "run");
  });

  it("puts no copy on a host with another owner's mark that needs no update", () => {
    const sample = {
      ...two,
      hosts: [...two.hosts, { id: "host-3", host: { probe: { output: "v2", matches: true } } }],
    };
    const mark = { owner: "kured", expiresAt: OPENING_MS + 90 * MINUTE_MS };
    const result = plan(changeHost(sampleInput(sample), "host-3", { cordoned: mark }));
    assert.equal(result.decision, "run");
    assert.ok(result.waves.every((wave) => wave.moves.every((move) => move.to !== "host-3")));
    assert.match(result.warnings.join("\n"), /host-3 takes no copies: cordoned by kured/);
  });

  it("asks for metrics of a workload without a forecast", () => {
    const input = sampleInput(two);
    const missing = [{ workload: "web", reason: "all values are gaps" }];
    const blocker = onlyBlocker({ ...input, forecast: { ...input.forecast, missing } }, "metrics");
    assert.equal(blocker.subject, "web");
    assert.match(blocker.reason, /all values are gaps/);
  });

  it("says once that a declared workload runs nowhere and cannot be started, and what may be meant", () => {
    const process = {
      command: ["server"],
      port: 0,
      health: { path: "/", intervalMs: 500, timeoutMs: 500 },
      environment: {},
    };
    const missing = (name: string, workload: object = {}): Sample["workloads"][number] => ({
      name,
      on: [],
      workload: { copies: 2, ...workload },
    });
    const sample = { ...two, workloads: [...two.workloads, missing("webb"), missing("unlike-anything")] };
    const { blockers } = plan(sampleInput(sample));
    assert.deepEqual(
      blockers.map(({ code, subject }) => [code, subject]),
      [
        ["input", "webb"],
        ["input", "unlike-anything"],
      ],
    );
    assert.match(blockers[0]?.fix ?? "", /did you mean "web"\?/);
    assert.match(blockers[1]?.fix ?? "", /running are web/);
    const startable = { ...two, workloads: [...two.workloads, missing("later", { maxUnavailable: 2, process })] };
    assert.equal(plan(sampleInput(startable)).decision, "run");
  });

  it("does not call a workload unknown that may run on a host that does not answer", () => {
    const input = sampleInput({ ...two, workloads: [...two.workloads, { name: "ledger", on: [] }] });
    const { blockers } = plan(changeHost(input, "host-2", { state: "unreachable", stateReason: "timed out" }));
    const ledger = blockers.find(({ subject }) => subject === "ledger");
    assert.match(ledger?.reason ?? "", /runs on no host that answers \(host-2 did not\)/);
    assert.match(ledger?.fix ?? "", /bring host-2 back/);
  });

  it("does not start below a budget, and a wider budget lets it", () => {
    const on = ["host-1", "host-2"];
    const sample: Sample = {
      hosts: [...two.hosts, { id: "host-3" }],
      workloads: [{ name: "web", on, workload: { copies: 3, maxUnavailable: 0 } }],
    };
    const blocker = onlyBlocker(sampleInput(sample), "unhealthy");
    assert.match(blocker.reason, /2 of 3 copies serve, at least 3/);
    const wider = { ...sample, workloads: [{ name: "web", on, workload: { copies: 3, maxUnavailable: 1 } }] };
    assert.equal(plan(sampleInput(wider)).decision, "run");
  });

  it("blocks for a second copy of an exclusive workload", () => {
    const ledger = { name: "ledger", on: ["host-1", "host-2"], workload: { exclusive: true, copies: 1 } };
    const blocker = onlyBlocker(sampleInput({ ...two, workloads: [ledger] }), "unhealthy");
    assert.match(blocker.reason, /ledger-1, ledger-2/);
  });

  it("does not move an exclusive workload that may not pause, and does with a pause", () => {
    const ledger = (maxPauseMs: number): Sample => ({
      ...two,
      workloads: [{ name: "ledger", on: ["host-1"], workload: { exclusive: true, maxPauseMs } }],
    });
    assert.equal(onlyBlocker(sampleInput(ledger(0)), "budget").subject, "ledger");
    assert.equal(plan(sampleInput(ledger(2000))).decision, "run");
  });

  it("does not let a budget of zero block a workload that can surge", () => {
    assert.equal(plan(sampleInput(two)).decision, "run");
  });

  it("names a workload that runs and that nobody declared", () => {
    const input = sampleInput(two);
    const replicas: Fleet["replicas"] = [
      ...input.fleet.replicas,
      { id: "stray-1", workload: "stray", host: "host-2", state: "healthy" },
    ];
    const blocker = onlyBlocker({ ...input, fleet: { ...input.fleet, replicas } }, "input");
    assert.equal(blocker.subject, "stray");
    assert.match(blocker.reason, /host-2/);
  });

  it("names an island without hosts", () => {
    const blocker = onlyBlocker(sampleInput({ hosts: [], workloads: [] }), "input");
    assert.equal(blocker.subject, "shop");
  });

  it("says that no window opens", () => {
    const never = {
      name: "never",
      cron: "0 2 * * 6",
      durationMs: 3_600_000,
      timezone: "UTC",
      freezes: ["2026-01-01/2040-12-31"],
    };
    const blocker = onlyBlocker(sampleInput({ ...two, spec: { windows: [never] } }), "window");
    assert.equal(blocker.subject, "never");
  });

  it("says how many minutes are missing, and an opening that much longer fits", () => {
    const withWindow = (durationMs: number): PlanInput =>
      sampleInput({
        ...two,
        spec: { windows: [{ name: "short", cron: "0 2 * * 6", durationMs, timezone: "UTC", freezes: [] }] },
      });
    const blocker = onlyBlocker(withWindow(10 * MINUTE_MS), "fit");
    const missing = Number(/an opening that is (\d+) min longer/.exec(blocker.fix)?.[1]);
    assert.ok(missing > 0, blocker.fix);
    // A window that is open already has its latest start in this slot; the whole one is at hand next week.
    assert.equal(plan(withWindow((10 + missing) * MINUTE_MS)).decision, "run");
    assert.equal(plan(withWindow((10 + missing - 1) * MINUTE_MS)).decision, "blocked");
  });

  it("offers more hosts at once where that fits the opening", () => {
    const hosts = Array.from({ length: 8 }, (_, index) => ({ id: `host-${String(index + 1)}`, zone: "a" }));
    const limits = { hostsAtOnce: 1, hostsPerZone: 8, canaryHosts: 1, soakMs: MINUTE_MS, drainMs: 30_000 };
    const windows = [{ name: "short", cron: "0 2 * * 6", durationMs: 20 * MINUTE_MS, timezone: "UTC", freezes: [] }];
    const sample: Sample = { hosts, workloads: [], spec: { limits, windows } };
    const blocker = onlyBlocker(sampleInput(sample), "fit");
    const hostsAtOnce = Number(/hostsAtOnce: (\d+)/.exec(blocker.fix)?.[1]);
    const wider = { ...sample, spec: { windows, limits: { ...limits, hostsAtOnce } } };
    assert.equal(plan(sampleInput(wider)).decision, "run");
  });

  it("defers to the next opening when too little of this one is left", () => {
    const slotMs = OPENING_MS + 170 * MINUTE_MS;
    const result = plan({ ...sampleInput(two), slotMs, nowMs: slotMs });
    assert.equal(result.decision, "run");
    assert.equal(result.opening?.startMs, OPENING_MS + 7 * 86_400_000);
    assert.match(result.warnings.join("\n"), /too short for the run/);
  });

  it("offers hosts and a guarantee where no host has room, and each of them alone gives a plan", () => {
    const full: Sample = {
      hosts: two.hosts,
      workloads: [
        { name: "web", on: ["host-1"], demand: [1500] },
        { name: "shop", on: ["host-2"], demand: [1500] },
      ],
    };
    const blocker = onlyBlocker(sampleInput(full), "capacity");
    assert.match(blocker.reason, /no host can take/);
    assert.match(blocker.fix, /one more host of 4 cores in zone a in the pool .*a run then costs 0\.\d\d USD/);
    assert.match(blocker.fix, /a guarantee of 75% for shop/);
    const fixes = fixesOf(sampleInput(full));
    assert.equal(fixes.length, 2);
    for (const { text, input } of fixes) {
      assert.ok(blocker.fix.includes(text));
      assert.equal(plan(input).decision, "run", text);
    }
  });

  it("offers standby hosts that are there before it asks for new ones", () => {
    const full: Sample = {
      hosts: [...two.hosts, { id: "standby-1", role: "standby" }],
      workloads: [
        { name: "web", on: ["host-1"], demand: [1500] },
        { name: "shop", on: ["host-2"], demand: [1500] },
      ],
    };
    assert.match(onlyBlocker(sampleInput(full), "capacity").fix, /maximum: \{ hosts: 1 \} in the pool/);
    assert.equal(plan(sampleInput({ ...full, maximumReserveHosts: 1 })).decision, "run");
  });

  it("offers a wider budget where a copy could be shed then", () => {
    const reports = {
      name: "reports",
      on: ["host-1"],
      demand: [1500],
      service: false,
      workload: { criticality: "sheddable" as const },
    };
    const hosts = [{ id: "host-1" }, { id: "host-2", host: { probe: { output: "v2", matches: true } } }];
    const web = { name: "web", on: ["host-2"], demand: [800] };
    const blocker = onlyBlocker(sampleInput({ hosts, workloads: [reports, web] }), "budget");
    assert.match(blocker.reason, /its budget does not allow to shed it/);
    assert.match(blocker.fix, /budget: \{ maxUnavailable: 1 \} for reports/);
    const wider = { ...reports, workload: { ...reports.workload, maxUnavailable: 1 } };
    assert.equal(plan(sampleInput({ hosts, workloads: [wider, web] })).decision, "run");
  });

  it("blocks when a host is over its share before anything moves", () => {
    const full: Sample = { ...two, workloads: [{ name: "web", on: ["host-1"], demand: [2500] }] };
    const blocker = onlyBlocker(sampleInput(full), "capacity");
    assert.match(blocker.reason, /host-1 is over its share of 2 cores on 100 % of the paths/);
    assert.match(blocker.fix, /a guarantee of 65% for shop/);
  });
});

function onlyBlocker(input: PlanInput, code: BlockerCode): Blocker {
  const result = plan(input);
  assert.equal(result.decision, "blocked");
  assert.deepEqual(
    result.blockers.map((blocker) => blocker.code),
    [code],
    JSON.stringify(result.blockers, undefined, 1),
  );
  return result.blockers[0] as Blocker;
}

function changeHost(input: PlanInput, id: string, change: Partial<Fleet["hosts"][number]>): PlanInput {
  const hosts = input.fleet.hosts.map((host) => (host.id === id ? { ...host, ...change } : host));
  return { ...input, fleet: { ...input.fleet, hosts } };
}

function fixesOf(input: PlanInput): readonly Fix[] {
  const hosts = input.fleet.islands[0]?.hosts ?? [];
  const problem = createProblem(input, hosts, OPENING_MS, OPENING_MS + 180 * MINUTE_MS);
  const context = createScheduleContext(input, problem, resolveDurations(input.spec, {}), OPENING_MS);
  const result = findSchedule(context, hosts);
  assert.ok("failure" in result);
  return findCapacityFixes(input, problem, result.failure, undefined, (changed) => plan(changed).decision === "run");
}
