import assert from "node:assert/strict";

import { plan, planningSlot, type PlanInput } from "../../providers/plan/plan";
import {
  createPlanView,
  formatDurationShort,
  isMovesOnly,
  type HostUpdateSpec,
  type MaintenanceEvent,
  type MigrationPlan,
  type Wave,
} from "../../sdk/model";
import { generateFleet } from "../../bench/fleet/generate-fleet";
import { OPENING_MS, sampleInput, type Sample } from "./sample-fleets";

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const WEEK_MS = 7 * 24 * HOUR_MS;
const six: Sample = {
  hosts: ["1", "2", "3", "4", "5", "6"].map((id) => ({ id: `host-${id}`, zone: id < "4" ? "a" : "b" })),
  workloads: [{ name: "web", on: ["host-1", "host-4"], demand: [800] }],
};
const wide: Partial<HostUpdateSpec> = {
  limits: { hostsAtOnce: 4, hostsPerZone: 4, canaryHosts: 2, soakMs: 0, drainMs: 1000 },
};

function withEvents(events: readonly Partial<MaintenanceEvent>[], sample: Sample = six): PlanInput {
  const input = sampleInput({ ...sample, spec: { ...wide, ...sample.spec } });
  const whole = events.map((event, index) => ({
    id: `evt-${String(index)}`,
    hosts: [],
    zones: [],
    startMs: OPENING_MS,
    endMs: OPENING_MS + HOUR_MS,
    reason: "reboot",
    ...event,
  }));
  return { ...input, fleet: { ...input.fleet, events: whole } };
}

function updatedHosts({ waves }: MigrationPlan): readonly string[] {
  return waves.flatMap((wave) => (isMovesOnly(wave) ? [] : wave.hosts)).sort();
}

/** Hosts of a wave that can be under way at the same time: all, or where they follow each other, what its limits allow. */
function hostsAtOnce({ hosts, lanes }: Wave): number {
  if (!lanes) return hosts.length;
  const kinds = Map.groupBy(Object.entries(lanes.limits), ([name]) => name.replace(/\/.*/, ""));
  return Math.min(...[...kinds.values()].map((limits) => limits.reduce((sum, [, places]) => sum + places, 0)));
}

describe("plan, in openings of several calendars", () => {
  const saturdays = {
    name: "saturdays",
    cron: "0 2 * * 6",
    durationMs: 3 * HOUR_MS,
    timezone: "UTC",
    freezes: [],
  };

  it("keeps the limits of the calendar that opens, where they are stricter than its own", () => {
    const widest = (limits?: object): number => {
      const windows = [{ ...saturdays, ...(limits ? { limits } : {}) }];
      const { waves } = plan(sampleInput({ ...six, spec: { ...wide, windows } }));
      return Math.max(...waves.map(hostsAtOnce));
    };
    assert.equal(widest(), 4);
    assert.equal(widest({ hostsAtOnce: 9 }), 4);
    assert.equal(widest({ hostsAtOnce: 1 }), 1);
    assert.equal(widest({ hostsPerZone: 1 }), 2);
    // Racks are as zones here, and there is one island.
    assert.equal(widest({ hostsPerRack: 1 }), 2);
    assert.equal(widest({ hostsPerIsland: 3 }), 3);
  });

  describe("of which one follows the other with other limits", () => {
    const sale = { ...saturdays, name: "sale", cron: "0 3 * * 6", durationMs: HOUR_MS, precedence: 0 };
    const windows = [saturdays, { ...sale, limits: { maxUnavailable: { web: 0 } } }];
    const longUpdate = { ...sampleInput(six).spec.update, reboot: false, expectedMs: 25 * MINUTE_MS };
    const spec = {
      ...wide,
      update: longUpdate,
      windows,
      limits: { ...sampleInput(six).spec.limits, hostsAtOnce: 1, canaryHosts: 0 },
    };
    const five = { ...six, hosts: six.hosts.slice(0, 3), workloads: [{ name: "web", on: ["host-1", "host-2"] }] };
    const input = sampleInput({ ...five, spec });

    it("plans a run that none of them has time for over both, with the strictest limits, and says so", () => {
      const result = plan(input);
      assert.equal(result.decision, "run", JSON.stringify(result.blockers));
      const { opening } = result;
      assert.ok(opening);
      assert.equal(opening.startMs, OPENING_MS);
      assert.ok(opening.endMs > OPENING_MS + HOUR_MS);
      assert.equal(opening.window, "sale + saturdays");
      assert.deepEqual(opening.limits, { maxUnavailable: { web: 0 } });
      assert.ok(result.warnings.some((text) => /^limits change at .*T03:00:00.000Z \(sale \+ saturdays\)/.test(text)));
      assert.equal(result.openingChoice?.filter(({ isChosen }) => isChosen).length, 1);
    });

    it("lets a short run be in the first alone, with its own limits", () => {
      const short = { ...input.spec, update: { ...longUpdate, expectedMs: 1 * MINUTE_MS } };
      const { opening, warnings } = plan({ ...input, spec: short });
      assert.equal(opening?.endMs, OPENING_MS + HOUR_MS);
      assert.equal(opening.limits, undefined);
      assert.deepEqual(
        warnings.filter((text) => text.startsWith("limits change")),
        [],
      );
    });

    it("says of no change where an opening of weeks is cut on a Monday", () => {
      const always = [{ name: "always", cron: "0 0 * * *", durationMs: 24 * HOUR_MS, timezone: "UTC", freezes: [] }];
      const { opening, warnings } = plan({ ...input, spec: { ...input.spec, windows: always } });
      assert.ok(opening && opening.endMs - opening.startMs > 7 * 24 * HOUR_MS);
      assert.deepEqual(
        warnings.filter((text) => text.startsWith("limits change")),
        [],
      );
    });

    it("never lets a wave of a run under way reach over the change", () => {
      const hosts = Array.from({ length: 12 }, (_, at) => ({ id: `host-${String(at + 10)}`, zone: "a" }));
      const limits = { hostsAtOnce: 4, hostsPerZone: 4, canaryHosts: 0, soakMs: 0, drainMs: 1000 };
      const many = sampleInput({
        hosts,
        workloads: [],
        spec: { limits, windows, update: { ...longUpdate, undo: "undo", expectedMs: 6 * MINUTE_MS } },
      });
      const approved = plan(many);
      for (const nowMs of [OPENING_MS, OPENING_MS + 25 * MINUTE_MS, OPENING_MS + 35 * MINUTE_MS]) {
        const opening = { window: "saturdays", startMs: OPENING_MS, endMs: OPENING_MS + HOUR_MS };
        const progress = {
          reservedHosts: [],
          updatedHosts: [],
          approvedEnvelope: approved.envelope,
          waveOffset: 0,
          origins: {},
          opening,
        };
        const rest = plan({ ...many, nowMs, slotMs: planningSlot(nowMs), progress });
        assert.equal(rest.decision, "run", JSON.stringify(rest.blockers));
        const [wave] = rest.waves;
        assert.ok(wave && wave.endP95Ms <= opening.endMs, String(nowMs - OPENING_MS));
      }
    });
  });

  it("says how much of the time that is needed passes until it is quiet", () => {
    const { input } = generateFleet({ hosts: 24, workloads: 120 }, 1);
    const { opening, openingChoice = [], waves } = plan(input);
    const waitMs = (waves[0]?.startMs ?? 0) - (opening?.startMs ?? 0);
    assert.ok(waitMs > 0);
    const chosen = openingChoice.find(({ isChosen }) => isChosen)?.reason ?? "";
    assert.ok(
      chosen.endsWith(`with the way back (P95), ${formatDurationShort(waitMs)} of them until it is quiet`),
      chosen,
    );
    const soonest = plan({ ...input, spec: { ...input.spec, timing: "soonest" } });
    assert.match(soonest.openingChoice?.[0]?.reason ?? "", /with the way back \(P95\)$/);
  });

  it("approves the calendars' limits with the envelope", () => {
    const digest = (limits?: object): string =>
      plan(sampleInput({ ...six, spec: { ...wide, windows: [{ ...saturdays, ...(limits ? { limits } : {}) }] } }))
        .digest;
    assert.notEqual(digest(), digest({ hostsAtOnce: 2 }));
  });

  it("shows five openings with the limits in effect at each", () => {
    const nightly = {
      ...saturdays,
      name: "nightly",
      cron: "0 2 * * 1-5",
      limits: { hostsAtOnce: 1, maxUnavailable: { web: 0 } },
    };
    const result = plan(sampleInput({ ...six, spec: { ...wide, windows: [saturdays, nightly] } }));
    const view = createPlanView(result, "UTC", "plan.html");
    assert.match(view.limits, /^4 hosts at once; 4 in a zone; unavailable at most: web 0$/);
    assert.equal(view.openings.length, 5);
    assert.match(
      view.openings[0] ?? "",
      /^Mon 2026-03-09 02:00 to 05:00 \(nightly, 3 h; 1 host at once; unavailable at most: web 0\)$/,
    );
    assert.match(view.openings[4] ?? "", /\(nightly,/);
  });
});

describe("plan, with provider maintenance", () => {
  it("leaves hosts out of an opening in which their provider works on them, and puts no copies there", () => {
    const result = plan(
      withEvents([
        { hosts: ["host-2"] },
        { zones: ["b"], startMs: OPENING_MS + 2 * HOUR_MS, endMs: OPENING_MS + 4 * HOUR_MS },
      ]),
    );
    assert.equal(result.decision, "run");
    assert.deepEqual(updatedHosts(result), ["host-1", "host-3"]);
    const deferred = result.skipped.map(({ host, reason }) => `${host}: ${reason}`);
    assert.match(
      deferred[0] ?? "",
      /^host-2: left for another opening: provider maintenance evt-0 \(reboot\) from 2026-03-07T02:00Z/,
    );
    assert.equal(deferred.length, 4);
    for (const move of result.waves.flatMap(({ moves }) => moves))
      assert.ok(["host-1", "host-3"].includes(move.to ?? ""));
    assert.match(result.warnings.join("\n"), /host-4, host-5, host-6: provider maintenance evt-1/);
  });

  it("passes over an opening in which no host is left", () => {
    const result = plan(withEvents([{ zones: ["a", "b"] }]));
    assert.equal(result.decision, "run");
    assert.equal(result.opening?.startMs, OPENING_MS + WEEK_MS);
    assert.equal(updatedHosts(result).length, 6);
  });

  it("waits where every opening in question is taken", () => {
    const result = plan(withEvents([{ zones: ["a", "b"], endMs: OPENING_MS + 20 * WEEK_MS }]));
    assert.equal(result.decision, "blocked");
    assert.equal(result.blockers[0]?.code, "window");
    assert.match(result.blockers[0].reason, /provider maintenance evt-0/);
  });

  it("is not touched by events for other hosts or at other times", () => {
    const plain = plan(sampleInput({ ...six, spec: wide }));
    const same = plan(withEvents([{ hosts: ["elsewhere"] }, { zones: ["a"], startMs: 0, endMs: OPENING_MS }]));
    assert.deepEqual(same, plain);
  });
});
