import { strict as assert } from "node:assert";
import { describe, it } from "mocha";
import type { ServingCopy } from "../../providers/guard/observations";
import type { JournalEvent } from "../../sdk/model";
import { check, checkSeen, assertFound, insertAfter } from "./checker-fixture";
import { createCleanEvents, indexOf, keyOf, moveBefore, serving, STEPS, timeOfEntry, without } from "./sample-run";

describe("guard: the checker, what was promised and approved", () => {
  describe("budgets", () => {
    it("finds a workload below its budget by a copy that the run took out too early", () => {
      const violations = checkSeen((clean) => {
        const [first] = clean.availability.filter(({ workload }) => workload === "pricing");
        const old = first?.serving[0]?.replica;
        // The new copy never serves.
        const withoutNew = clean.availability.map((sample) =>
          sample.workload === "pricing"
            ? { ...sample, serving: sample.serving.filter(({ replica }) => replica === old) }
            : sample,
        );
        return { availability: withoutNew };
      });
      assertFound(violations, "budget", "pricing", /0 of 1 copies served, 1 must/);
    });

    it("finds copies that end with a reboot nobody drained for", () => {
      const rebootAt = timeOfEntry(indexOf(createCleanEvents(), "step-intent", "reboot"));
      const violations = checkSeen((clean) => ({
        availability: [
          {
            atMs: timeOfEntry(0),
            workload: "reports",
            serving: [1, 2, 3, 4].map((n) => serving(`r-${String(n)}`, "host-01")),
          },
          ...clean.availability,
          { atMs: rebootAt + 500, workload: "reports", serving: [serving("r-1", "host-02")] },
        ],
      }));
      assertFound(violations, "budget", "reports", /1 of 4 copies served, 2 must/);
    });

    const five = [1, 2, 3, 4, 5].map((index) => serving(`front-${String(index)}`, `host-0${String(index + 1)}`));
    const drainAt = timeOfEntry(indexOf(createCleanEvents(), "step-intent", "shed-drain")) + 100;
    /** The clean run with other samples of the front than its first. */
    const seeFront = (...samples: readonly (readonly [atMs: number, copies: readonly ServingCopy[]])[]) =>
      checkSeen((clean) => ({
        availability: [
          ...clean.availability.filter((sample) => sample.workload !== "front" || sample.atMs === timeOfEntry(0)),
          ...samples.map(([atMs, copies]) => ({ atMs, workload: "front", serving: copies })),
        ],
      }));

    it("excuses copies that are lost by themselves, also after the run has taken one out", () => {
      assert.deepEqual(seeFront([drainAt, five], [drainAt + 60_000, five.slice(1)]), []);
      assert.deepEqual(seeFront([drainAt - 60_000, five.slice(1)]), []);
    });

    it("does not excuse what the run takes out while copies are missing already", () => {
      const violations = seeFront(
        [drainAt - 60_000, [serving("front-0", "host-01"), ...five.slice(1)]],
        [drainAt - 100, [serving("front-0", "host-01"), ...five.slice(1)]],
        [drainAt, five.slice(1)],
      );
      assertFound(violations, "budget", "front", /4 of 6 copies served, 5 must, when the run took out front-0/);
    });

    it("excuses a copy that was given traffic and is lost by itself before anybody can have seen it", () => {
      const [admitAt, pricingDrainAt] = ["admit", "drain"].map((id) =>
        timeOfEntry(indexOf(createCleanEvents(), "step-intent", id)),
      ) as [number, number];
      const old = serving("pricing-0", "host-01");
      const violations = checkSeen((clean) => ({
        availability: [
          ...clean.availability.filter(({ workload }) => workload !== "pricing"),
          { atMs: timeOfEntry(0), workload: "pricing", serving: [old] },
          { atMs: admitAt + 10, workload: "pricing", serving: [old, serving("pricing-1", "host-03")] },
          { atMs: pricingDrainAt + 50, workload: "pricing", serving: [old] },
          { atMs: pricingDrainAt + 100, workload: "pricing", serving: [] },
        ],
      }));
      assert.deepEqual(violations, []);
    });

    it("excuses a loss that nobody can have seen yet", () => {
      const lost = [serving("front-0", "host-01"), ...five.slice(1)];
      assert.deepEqual(seeFront([drainAt - 100, lost], [drainAt, five.slice(1)]), []);
    });
  });

  describe("pauses", () => {
    it("finds a measured pause beyond maxPause", () => {
      const violations = checkSeen((clean) => ({ pauses: clean.pauses.map((pause) => ({ ...pause, pauseMs: 2500 })) }));
      assertFound(violations, "pause", "ledger", /2500 ms, 2000 ms are allowed/);
    });

    it("finds a pause beyond maxPause that only the journal tells", () => {
      const events = createCleanEvents().map((event): JournalEvent =>
        event.kind === "step-done" && event.id === "hand-over" ? { ...event, result: { pauseMs: 2001 } } : event,
      );
      assertFound(check(events), "pause", "ledger", /2001 ms/);
    });

    it("finds a pause in the samples, from the first without a copy to the last", () => {
      const violations = checkSeen((clean) => ({
        pauses: [],
        availability: clean.availability.flatMap((sample) =>
          sample.workload === "ledger" && sample.serving.length === 0
            ? [sample, { ...sample, atMs: sample.atMs + 2600 }]
            : sample.workload === "ledger" && sample.atMs > timeOfEntry(0)
              ? [{ ...sample, atMs: sample.atMs + 2600 }]
              : [sample],
        ),
      }));
      assertFound(violations, "pause", "ledger", /2600 ms/);
    });
  });

  describe("capacity and reserve", () => {
    it("finds shares of a host that are more than it", () => {
      const step = {
        kind: "set-shares",
        id: "shares",
        host: "host-03",
        shares: ["shop", "back"].map((island) => ({ island, cpu: 0.6, workloads: [] })),
        untilMs: timeOfEntry(99),
        after: [],
        expected: { p50Ms: 0, p95Ms: 0 },
      } as const;
      const event: JournalEvent = { kind: "step-intent", step, key: keyOf("shares"), prior: null };
      const events = createCleanEvents();
      assertFound(check(insertAfter(events, 4, event)), "capacity", "host-03", /120 % of its CPU are given to islands/);
    });

    it("finds a host over its capacity during the run, once", () => {
      const atMs = timeOfEntry(20);
      const over = { host: "host-03", cpuMillis: 4200, capacityCpuMillis: 4000 };
      const violations = checkSeen(() => ({
        loads: [
          { atMs, ...over },
          { atMs: atMs + 1000, ...over },
        ],
      }));
      assertFound(violations, "capacity", "host-03", /4200 millicores in use, 4000/);
      assert.equal(violations.length, 1);
    });

    it("leaves a load before the run's first step alone", () => {
      const load = { atMs: timeOfEntry(0), host: "host-03", cpuMillis: 4200, capacityCpuMillis: 4000 };
      assert.deepEqual(
        checkSeen(() => ({ loads: [load] })),
        [],
      );
    });

    it("finds a cordon before the reserve is done", () => {
      assertFound(check(moveBefore(createCleanEvents(), "cordon", "reserve")), "capacity", "host-01", /standby-01/);
      assertFound(check(without(createCleanEvents(), "reserve")), "capacity", "host-01", /standby-01/);
    });

    it("finds a cordon after the reserve was given back", () => {
      const events = createCleanEvents();
      const release = events.slice(indexOf(events, "step-intent", "release")).slice(0, 2);
      const early = insertAfter(events, indexOf(events, "step-done", "reserve"), ...release);
      assertFound(check(early), "capacity", "host-01", /standby-01/);
    });
  });

  describe("the envelope", () => {
    const withEnvelope = (change: object): JournalEvent[] =>
      createCleanEvents().map((event) =>
        event.kind === "created"
          ? { ...event, plan: { ...event.plan, envelope: { ...event.plan.envelope, ...change } } }
          : event,
      );

    it("finds a host that was not approved", () => {
      assertFound(check(withEnvelope({ hosts: ["host-02"] })), "envelope", "host-01", /not approved/);
    });

    it("finds more hosts at once, and more of a zone, than approved", () => {
      const other = STEPS.find((step) => step.id === "update");
      assert.ok(other);
      const step = { ...other, id: "update-4", host: "host-04" } as typeof other;
      const events = withEnvelope({ hosts: ["host-01", "host-04"] });
      const at = indexOf(events, "step-intent", "update");
      const both = insertAfter(events, at, { kind: "step-intent", step, key: keyOf("update-4"), prior: null });
      assertFound(check(both), "envelope", "host-04", /2 hosts are changed at once, 1 were approved/);
      assertFound(check(both), "envelope", "host-04", /2 hosts of its zone/);
    });

    it("finds more hosts of an island at once than its disruption budgets allow for the reason", () => {
      const other = STEPS.find((step) => step.id === "update");
      assert.ok(other);
      const step = { ...other, id: "update-4", host: "host-04" } as typeof other;
      const withBudget = (budgets: object): JournalEvent[] => {
        const change = {
          hosts: ["host-01", "host-04"],
          hostsAtOnce: 2,
          hostsPerZone: 2,
          disruptionBudgets: { shop: budgets },
        };
        const events = withEnvelope(change).map((event) =>
          event.kind === "wave-planned" && event.wave.index === 1
            ? { ...event, wave: { ...event.wave, steps: [...event.wave.steps, step] } }
            : event,
        );
        const at = indexOf(events, "step-intent", "update");
        return insertAfter(events, at, { kind: "step-intent", step, key: keyOf("update-4"), prior: null });
      };
      const text = /2 hosts of shop are disrupted at once for update, 1 were approved/;
      assertFound(check(withBudget({ update: 1 })), "envelope", "host-04", text);
      assertFound(check(withBudget({ update: 0 })), "envelope", "host-01", /1 hosts of shop .* 0 were approved/);
      for (const budgets of [{ update: 2 }, { failback: 0, rebalance: 0 }]) {
        assert.deepEqual(
          check(withBudget(budgets)).filter(({ rule }) => rule === "envelope"),
          [],
        );
      }
    });

    it("finds more reserve than approved", () => {
      assertFound(check(withEnvelope({ maximumReserveHosts: 0 })), "envelope", "reserve", /1 hosts are reserved, 0/);
    });
  });
});
