import assert from "node:assert/strict";
import { plan } from "../../providers/plan/plan";
import {
  createPlanView,
  renderPlanTable,
  unitDecisions,
  type HostDecision,
  type MigrationPlan,
  type UpdateSpec,
} from "../../sdk/model";
import { sampleInput, type Sample } from "./sample-fleets";

const GIB = 2 ** 30;

/** Three hosts of 4 cores, of which the island has all. */
const fleet: Sample = {
  share: 1,
  hosts: ["host-1", "host-2", "host-3"].map((id) => ({ id })),
  workloads: [
    { name: "web", on: ["host-1", "host-2"], demand: [1200], workload: { maxUnavailable: 1 } },
    { name: "books", on: ["host-3"], demand: [400], workload: { exclusive: true } },
  ],
};

function planWith(update: Partial<UpdateSpec>, change: Partial<Sample> = {}): MigrationPlan {
  const input = sampleInput({ ...fleet, ...change });
  return plan({ ...input, spec: { ...input.spec, update: { ...input.spec.update, reboot: false, ...update } } });
}

function decisionOf({ hostDecisions = [] }: MigrationPlan, host: string): HostDecision {
  const found = hostDecisions.find((decision) => decision.host === host);
  assert.ok(found);
  return found;
}

function moves({ waves }: MigrationPlan): readonly string[] {
  return waves.flatMap((wave) => wave.moves.map(({ replica, method }) => `${replica} ${method}`));
}

describe("what stays on a host while it is updated", () => {
  it("is everything where the update disturbs nothing and there is room beside it", () => {
    const result = planWith({ disturbs: "nothing" });
    assert.deepEqual(moves(result), []);
    for (const host of ["host-1", "host-2", "host-3"]) assert.equal(decisionOf(result, host).action, "live-patch");
    for (const { outcome, reason } of unitDecisions(result)) {
      assert.equal(outcome, "skipped");
      assert.match(reason, /^stays on host-\d while it is updated: its score is not above the threshold$/);
    }
  });

  it("is less where the update and the copies would be too much together: as many leave as have to", () => {
    const workloads = [
      { name: "web", on: ["host-1"], demand: [1900] },
      { name: "api", on: ["host-1"], demand: [1300] },
      { name: "idle", on: ["host-2"], demand: [100] },
    ];
    const result = planWith({ disturbs: "nothing" }, { workloads });
    assert.deepEqual(moves(result), ["web-1 surge"]);
    assert.equal(decisionOf(result, "host-1").action, "live-patch");
    const web = unitDecisions(result).find(({ unit }) => unit === "web-1");
    assert.equal(web?.outcome, "moved");
    assert.ok(web.migration.score > web.migration.threshold);
  });

  it("stays where a move costs more than is accepted, and where no other host has room", () => {
    const workload = { transferBytes: 64 * GIB };
    const heavy = [{ name: "data", on: ["host-1"], demand: [2600], memoryBytes: 12 * GIB, workload }];
    const result = planWith({ disturbs: "nothing" }, { workloads: heavy, share: 1 });
    assert.deepEqual(moves(result), []);
    const [data] = unitDecisions(result);
    assert.equal(data?.outcome, "too-costly");
    assert.ok(data.migration.cost > 25);

    const full = ["host-1", "host-2", "host-3"].map((host) => ({ name: `on-${host}`, on: [host], demand: [2900] }));
    const crowded = planWith({ disturbs: "nothing" }, { workloads: full });
    assert.deepEqual(moves(crowded), []);
    for (const { reason } of unitDecisions(crowded)) assert.match(reason, /no other host has room/);
  });

  it("is restarted in place where the update asks for it and budgets allow, else it moves", () => {
    const result = planWith({ disturbs: "copies" });
    assert.deepEqual([...moves(result)].sort(), ["books-1 hand-over", "web-1 restart", "web-2 restart"]);
    assert.equal(decisionOf(result, "host-1").action, "restart");
    assert.equal(decisionOf(result, "host-3").action, "move");
    const wave = result.waves.find(({ hosts }) => hosts.includes("host-1"));
    const kinds = wave?.steps.filter(({ id }) => id.includes("/host-1/")).map(({ kind }) => kind);
    assert.deepEqual(kinds, [
      "cordon",
      "snapshot",
      "update",
      "drain",
      "stop-copy",
      "start-copy",
      "admit",
      "validate",
      "uncordon",
    ]);
    const unbudgeted = fleet.workloads.map((one) => ({ ...one, workload: { ...one.workload, maxUnavailable: 0 } }));
    assert.ok(
      moves(planWith({ disturbs: "copies" }, { workloads: unbudgeted })).every((move) => !move.endsWith("restart")),
    );
  });

  it("is nothing where the host is disturbed as a whole, unless its driver can detach its copies", () => {
    const whole = planWith({});
    assert.equal(moves(whole).length >= 3, true);
    const { action, rejected } = decisionOf(whole, "host-1");
    assert.equal(action, "move");
    assert.deepEqual(
      rejected.map((one) => one.action),
      ["leave", "leave-to-end", "live-patch", "restart", "detached", "live-migration"],
    );
    assert.match(rejected.find((one) => one.action === "detached")?.reason ?? "", /no driver of it offers that/);
    const hosts = fleet.hosts.map((one) => ({ ...one, host: { offers: ["detached"] as const } }));
    const detached = planWith({}, { hosts });
    assert.deepEqual(moves(detached), []);
    assert.equal(decisionOf(detached, "host-1").action, "detached");
    assert.ok(
      moves(planWith({ reboot: true }, { hosts })).length >= 3,
      "a restart of the host takes detached copies too",
    );
  });

  it("shows in the view and the table with scores, and names threads where hosts report them", () => {
    const input = sampleInput(fleet);
    const threads = [
      { id: "main/11", share: 0.75 },
      { id: "gc/12", share: 0.25 },
    ];
    const replicas = input.fleet.replicas.map((replica) =>
      replica.id === "web-1" ? { ...replica, threads } : replica,
    );
    const result = plan({ ...input, fleet: { ...input.fleet, replicas } });
    const copy = unitDecisions(result).find(({ unit }) => unit === "web-1");
    const units = (result.units ?? []).filter(({ unit }) => unit.startsWith("web-1/"));
    assert.deepEqual(
      units.map(({ unit, outcome, to }) => [unit, outcome, to]),
      [
        ["web-1/main/11", "moved", copy?.to],
        ["web-1/gc/12", "moved", copy?.to],
      ],
    );
    assert.equal(units[0]?.migration.parts.impact, copy?.migration.parts.impact);
    const view = createPlanView(result, "UTC", "x");
    assert.match(
      view.units?.["web-1 on host-1"] ?? "",
      /^moved to host-\d in wave \d; score \d+ \(threshold 12\), cost 0 \(at most 25\)$/,
    );
    const text = renderPlanTable(view, "kernel");
    assert.match(text, /\d moved: as the waves say; scores are on the page/);
    assert.doesNotMatch(text, /moved to host/);
    assert.match(text, /move host-1.*: 1 copy goes to other hosts before it/);
  });
});
