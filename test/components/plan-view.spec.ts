import * as assert from "node:assert/strict";
import {
  createPlanView,
  renderOpening,
  renderPlanTable,
  renderUnplanned,
  type MigrationPlan,
  type MigrationScore,
  type UnitDecision,
  type Wave,
} from "../../sdk/model";

const START = Date.UTC(2026, 10, 28, 1, 0);

const SCORE: MigrationScore = {
  score: 0,
  threshold: 12,
  cost: 0,
  maximumCost: 25,
  parts: { contention: 0, impact: 0, flexibility: 0, benefit: 0, transfer: 0, cache: 0, communication: 0 },
};

function wave(index: number, host: string): Wave {
  const startMs = START + index * 120_000;
  return {
    index,
    kind: index === 1 ? "canary" : "update",
    hosts: [host],
    startMs,
    endMs: startMs + 120_000,
    endP95Ms: startMs + 240_000,
    moves: [
      {
        id: `m${String(index)}`,
        workload: "front",
        replica: "front-0",
        newReplica: "front-n",
        from: host,
        to: "host-09",
        method: "surge",
        reason: "fits",
        scores: [],
      },
    ],
    steps: [],
    overCapacityShare: 0,
    capacityCpuMillis: 4000,
    demandCpuMillis: 1500,
  };
}

const plan: MigrationPlan = {
  v: 1,
  decision: "run",
  slotMs: START,
  seed: 1,
  opening: { window: "saturdays", startMs: START, endMs: START + 3 * 3_600_000 },
  nextOpenings: [
    { window: "saturdays", startMs: START + 7 * 86_400_000, endMs: START + 7 * 86_400_000 + 3 * 3_600_000 },
  ],
  envelope: {
    updateDigest: "d",
    update: "kernel",
    hosts: ["host-00", "host-01"],
    budgets: { front: 1 },
    maxPauseMs: {},
    hostsAtOnce: 1,
    hostsPerZone: 1,
    canaryHosts: 1,
    maximumReserveHosts: 0,
    maximumDurationMs: 3 * 3_600_000,
    confidence: 0.95,
    windows: ["saturdays"],
  },
  digest: "0123456789abcdef",
  reserve: { hosts: [], reason: "there is room" },
  waves: [wave(1, "host-00"), wave(2, "host-01")],
  skipped: [{ host: "host-02", reason: "matches already" }],
  blockers: [],
  warnings: [],
  total: { p50Ms: 240_000, p95Ms: 480_000 },
  cost: { reservedHostHours: 0, note: "no reserve" },
  probes: {},
};

describe("the plan as rows", () => {
  it("has a row for each wave, keyed by number, times, kind and hosts in the window's zone", () => {
    const view = createPlanView(plan, "Europe/Berlin", "page.html");
    assert.deepEqual(Object.keys(view.waves), ["w1 02:02-02:04 canary host-00", "w2 02:04-02:06 update host-01"]);
    assert.match(view.waves["w1 02:02-02:04 canary host-00"] ?? "", /front > host-09; demand 1\.5 of 4\.0 cores/);
  });

  it("changes only the rows of waves that changed", () => {
    const [first, second] = plan.waves;
    assert.ok(first && second);
    const before = createPlanView(plan, "UTC", "p");
    const after = createPlanView({ ...plan, waves: [first, { ...second, hosts: ["host-07"] }] }, "UTC", "p");
    const changed = Object.keys(after.waves).filter((key) => before.waves[key] !== after.waves[key]);
    assert.deepEqual(changed, ["w2 01:04-01:06 update host-07"]);
  });

  it("renders a table with summary, rows, reserve, cost, what is left out and openings", () => {
    const text = renderPlanTable(createPlanView(plan, "UTC", "page.html"), "kernel");
    for (const part of [
      "kernel: 2 hosts in 2 waves, 2 moves",
      "w1 01:02",
      "reserve",
      "cost      no reserve",
      "skipped   host-02: matches already",
      "openings  Sat 2026-12-05 01:00 to 04:00",
      "page.html",
    ]) {
      assert.ok(text.includes(part), `${part} is missing in:\n${text}`);
    }
  });

  it("leads with what blocks, each with its fix", () => {
    const blocked = {
      ...plan,
      decision: "blocked" as const,
      blockers: [{ code: "capacity" as const, subject: "shop", reason: "too little", fix: "one more host" }],
    };
    const text = renderPlanTable(createPlanView(blocked, "UTC", "p"), "kernel");
    assert.match(text, /^kernel: BLOCKED by 1 reason; nothing will start/);
    assert.equal(text.split("\n")[1], "  BLOCKED   capacity shop: too little; fix: one more host");
  });

  it("names some of each kind where thousands block, and counts the others", () => {
    const blockerOf = (code: "unreachable" | "input", index: number) => {
      return { code, subject: `s${String(index)}`, reason: "r", fix: "f" };
    };
    const blockers = [
      ...Array.from({ length: 5000 }, (_, index) => blockerOf("input", index)),
      ...Array.from({ length: 500 }, (_, index) => blockerOf("unreachable", index)),
    ];
    const view = createPlanView({ ...plan, decision: "blocked", blockers }, "UTC", "p");
    assert.equal(Object.keys(view.blockers).length, 25);
    assert.ok(view.blockers["input s11"] && view.blockers["unreachable s11"]);
    assert.match(view.blockers["others"] ?? "", /^5476 more/);
    assert.match(view.summary, /BLOCKED by 5500 reasons/);
  });

  it("has seconds where waves are over within a minute", () => {
    const [first] = plan.waves;
    assert.ok(first);
    const quick = { ...first, startMs: START + 1000, endMs: START + 9000 };
    const view = createPlanView({ ...plan, waves: [quick] }, "Europe/Berlin", "page.html");
    assert.deepEqual(Object.keys(view.waves), ["w1 02:00:01-02:00:09 canary host-00"]);
  });

  it("puts hosts together that are left out for the same reason, and counts what is too much to name", () => {
    const hosts = Array.from({ length: 500 }, (_, index) => `h${String(index)}`);
    const skipped = [
      ...hosts.map((host) => ({ host, reason: "as wanted" })),
      { host: "x", reason: "left for another opening" },
    ];
    const warnings = hosts.map((host) => `${host} is slow`);
    const view = createPlanView({ ...plan, decision: "nothing", waves: [], skipped, warnings }, "UTC", "p");
    assert.deepEqual(view.skipped, { "h0,h1,h2 and 497 more": "as wanted", x: "left for another opening" });
    assert.equal(view.summary, "nothing to do: all hosts match (h0, h1, h2 and 498 more)");
    assert.equal(view.warnings.length, 25);
    assert.equal(view.warnings.at(-1), "476 more; the page has them all");
  });

  it("says what ends alike once, with ranges of numbers, and names an island where there are several", () => {
    const migration = (score: number): MigrationScore => ({ ...SCORE, score, cost: score / 10 });
    const hosts = Array.from({ length: 6 }, (_, index) => `h${String(index)}`);
    const units = hosts.map((host, index): UnitDecision => {
      const reason = index === 5 ? "its score is not above the threshold" : "too little";
      const outcome = index === 5 ? "skipped" : "blocked";
      return { unit: `web-${host}`, workload: "web", host, outcome, migration: migration(50 + 10 * index), reason };
    });
    const hostDecisions = hosts.map((host, index) => ({
      host,
      action: "move" as const,
      reason: `${String(index + 2)} copies go to other hosts before it`,
      rejected: [],
    }));
    const blockers = [{ code: "capacity" as const, subject: "shop", reason: "too little", fix: "one more host" }];
    const view = createPlanView({ ...plan, units, hostDecisions, blockers }, "UTC", "p");
    assert.deepEqual(view.hosts, { "move h0,h1,h2 and 3 more": "2 to 7 copies go to other hosts before it" });
    assert.equal(
      view.units?.["5 units (web-h0,web-h1,web-h2 and 2 more)"],
      "blocked: by what blocks the plan; score 50 to 90 (threshold 12), cost 5 to 9 (at most 25)",
    );
    assert.match(view.units["web-h5 on h5"] ?? "", /^skipped: its score is not above the threshold; score 100 /);
    const islands = [
      { island: "shop", capacityCpuMillis: 8000, demandCpuMillis: 100 },
      { island: "back", capacityCpuMillis: 4000, demandCpuMillis: 1500 },
    ];
    const [first] = plan.waves;
    assert.ok(first);
    const several = createPlanView({ ...plan, waves: [{ ...first, islands }] }, "UTC", "p");
    assert.match(Object.values(several.waves).join(), /demand 1\.5 of 4\.0 cores of back$/);
  });

  it("names the day of an opening's end where it is another one", () => {
    assert.match(
      renderOpening({ window: "w", startMs: START, endMs: START + 86_400_000 }, "UTC"),
      /^Sat 2026-11-28 01:00 to Sun 2026-11-29 01:00 \(w, 24 h\)$/,
    );
  });

  it("says which inputs are missing while nothing can be planned", () => {
    const text = renderUnplanned("kernel", {
      inputs: ["islands[0].source.inventory"],
      update: "apt-get",
      openings: [],
    });
    assert.match(text, /not known before it exists: islands\[0\]\.source\.inventory/);
  });
});
