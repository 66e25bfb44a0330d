import { strict as assert } from "node:assert";
import { describe, it } from "mocha";
import { checkRun } from "../../providers/guard/checker";
import { NO_OBSERVATIONS } from "../../providers/guard/observations";
import type { Observations, PlatformState, ServingCopy } from "../../providers/guard/observations";
import type { JournalEvent, Violation } from "../../sdk/model";
import {
  createCleanEvents,
  createCleanObservations,
  indexOf,
  keyOf,
  moveBefore,
  RUN,
  serving,
  stamp,
  STEPS,
  timeOfEntry,
  without,
} from "./sample-run";

function check(events: readonly JournalEvent[], observations: Observations = NO_OBSERVATIONS): readonly Violation[] {
  return checkRun({ entries: stamp(events), observations });
}

/** Checks the clean journal with damaged observations. */
function checkSeen(damage: (clean: Observations) => Partial<Observations>): readonly Violation[] {
  const clean = createCleanObservations();
  return check(createCleanEvents(), { ...clean, ...damage(clean) });
}

/** Some violation must be of this rule and subject and say this. */
function assertFound(violations: readonly Violation[], rule: Violation["rule"], subject: string, text: RegExp): void {
  const isFound = violations.some(
    (violation) => violation.rule === rule && violation.subject === subject && text.test(violation.text),
  );
  assert.ok(isFound, `no ${rule} violation of ${subject} that says ${String(text)} in ${JSON.stringify(violations)}`);
}

function insertAfter(
  events: readonly JournalEvent[],
  index: number,
  ...added: readonly JournalEvent[]
): JournalEvent[] {
  return [...events.slice(0, index + 1), ...added, ...events.slice(index + 1)];
}

function intent(id: string): JournalEvent {
  const step = STEPS.find((candidate) => candidate.id === id);
  assert.ok(step);
  return { kind: "step-intent", step, key: keyOf(id), prior: null };
}

/** Replaces the end of the run by a failure that names what it could not undo. */
function failWith(notUndone: readonly string[]): JournalEvent[] {
  const failure = { subject: "host-01", step: "update", reason: "", undone: [], notUndone, remedy: "" };
  return [
    ...createCleanEvents().slice(0, -1),
    { kind: "failure", failure },
    { kind: "phase", phase: "failed", reason: "" },
  ];
}

describe("guard: the checker", () => {
  it("accepts a clean run", () => {
    assert.deepEqual(check(createCleanEvents(), createCleanObservations()), []);
  });

  it("accepts every prefix of a clean run, as a crash leaves it", () => {
    const events = createCleanEvents();
    for (let length = 0; length <= events.length; length += 1) {
      const { last: _last, ...seen } = createCleanObservations();
      const atMs = timeOfEntry(length);
      const availability = seen.availability.filter((sample) => sample.atMs < atMs);
      const effects = seen.effects.filter((effect) => effect.atMs < atMs);
      assert.deepEqual(
        check(events.slice(0, length), { ...seen, availability, effects }),
        [],
        `prefix ${String(length)}`,
      );
    }
  });

  it("accepts an intent that is stored again after a takeover", () => {
    const events = createCleanEvents();
    const at = indexOf(events, "step-intent", "update");
    const taken = insertAfter(events, at, { kind: "taken-over", owner: "runner-2" }, intent("update"));
    assert.deepEqual(check(taken), []);
  });

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

  describe("leases and effects", () => {
    it("finds an effect without an intent", () => {
      const violations = checkSeen((clean) => ({
        effects: clean.effects.map((effect) => ({ ...effect, key: `${RUN}/unknown/1/call` })),
      }));
      assertFound(violations, "double-effect", "host-01", /hosts.reboot took effect without an intent/);
    });

    it("finds an effect before its intent", () => {
      const violations = checkSeen((clean) => ({
        effects: clean.effects.map((effect) => ({ ...effect, atMs: effect.atMs - 60_000 })),
      }));
      assertFound(violations, "double-effect", "host-01", /without an intent/);
    });

    it("finds an effect under an epoch older than one seen before", () => {
      const violations = checkSeen((clean) => ({
        effects: clean.effects.map((effect, index) => ({ ...effect, epoch: index === 1 ? 2 : 1 })),
      }));
      assertFound(violations, "lease", "host-01", /epoch 1 after 2/);
    });

    it("finds two effects under one key", () => {
      const violations = checkSeen((clean) => ({ effects: clean.effects.flatMap((effect) => [effect, effect]) }));
      assertFound(violations, "double-effect", "host-01", /twice under key/);
    });

    it("finds an entry under an older epoch than the one before", () => {
      const violations = checkRun({ entries: stamp(createCleanEvents(), (index) => (index === 5 ? 2 : 1)) });
      assertFound(violations, "lease", RUN, /epoch 1 after 2/);
    });

    it("finds two owners of one lease and epoch", () => {
      const violations = checkSeen((clean) => ({
        leases: [...clean.leases, { atMs: timeOfEntry(9), resource: "host/host-01", owner: "other", epoch: 1 }],
      }));
      assertFound(violations, "lease", "host/host-01", /other holds epoch 1 after runner-1 held 1/);
    });

    it("finds a step intended twice without a takeover in between", () => {
      const events = createCleanEvents();
      const twice = insertAfter(events, indexOf(events, "step-intent", "update"), intent("update"));
      assertFound(check(twice), "double-effect", "update", /again while it was under way/);
    });

    it("finds a step that is done and started once more", () => {
      const events = createCleanEvents();
      const again = insertAfter(events, indexOf(events, "step-done", "reboot"), intent("reboot"));
      assertFound(check(again), "double-effect", "reboot", /again after it was done/);
    });

    it("finds an end and an undo without an intent", () => {
      const events = createCleanEvents();
      const end: JournalEvent = { kind: "step-done", id: "nobody", result: null, alreadyDone: false };
      assertFound(check(insertAfter(events, 4, end)), "double-effect", "nobody", /ended without an intent/);
      const undo: JournalEvent = { kind: "undo-intent", id: "nobody", key: `${RUN}/nobody/1/undo` };
      assertFound(check(insertAfter(events, 4, undo)), "double-effect", "nobody", /never intended/);
    });
  });

  describe("order", () => {
    it("finds a phase that may not follow another", () => {
      const events: JournalEvent[] = [...createCleanEvents(), { kind: "phase", phase: "running", reason: "" }];
      assertFound(check(events), "order", RUN, /went from done to running/);
    });

    it("finds a step that starts before the run is running, or while it is paused", () => {
      const events = createCleanEvents();
      assertFound(check(events.filter((event) => event.kind !== "phase")), "order", "reserve", /in phase armed/);
      const pause: JournalEvent = { kind: "phase", phase: "paused", reason: "" };
      const paused = insertAfter(events, indexOf(events, "step-done", "snapshot"), pause);
      assertFound(check(paused), "order", "start", /in phase paused/);
    });

    it("finds an eviction before the surge", () => {
      assertFound(
        check(moveBefore(createCleanEvents(), "drain", "admit")),
        "order",
        "drain",
        /before admit of pricing-1/,
      );
      assertFound(
        check(moveBefore(createCleanEvents(), "stop", "start")),
        "order",
        "stop",
        /before start-copy of pricing-1/,
      );
    });

    it("finds a host that is changed before its copies have left it", () => {
      const events = moveBefore(createCleanEvents(), "update", "hand-over");
      assertFound(check(events), "order", "update", /before hand-over was done/);
      assertFound(check(moveBefore(createCleanEvents(), "reboot", "shed-stop")), "order", "reboot", /before shed-stop/);
    });

    it("finds a host that is changed without a cordon", () => {
      assertFound(check(without(createCleanEvents(), "cordon")), "order", "update", /before cordon was done/);
    });

    it("finds a step that starts before one that it comes after", () => {
      assertFound(
        check(moveBefore(createCleanEvents(), "uncordon", "validate")),
        "order",
        "uncordon",
        /before validate/,
      );
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

    it("finds more reserve than approved", () => {
      assertFound(check(withEnvelope({ maximumReserveHosts: 0 })), "envelope", "reserve", /1 hosts are reserved, 0/);
    });
  });

  describe("orphans", () => {
    const leave = (damage: (last: PlatformState) => Partial<PlatformState>, events = createCleanEvents()) => {
      const clean = createCleanObservations();
      assert.ok(clean.last);
      return check(events, { ...clean, last: { ...clean.last, ...damage(clean.last) } });
    };
    const cordoned = (last: PlatformState): Partial<PlatformState> => ({
      hosts: last.hosts.map((host) =>
        host.id === "host-01" ? { ...host, cordoned: { owner: RUN, expiresAt: Number.MAX_SAFE_INTEGER } } : host,
      ),
    });

    it("finds a cordon mark of the run, and leaves another owner's alone", () => {
      assertFound(leave(cordoned), "orphan", "host-01", /still cordoned/);
      const foreign = leave((last) => ({
        hosts: last.hosts.map((host) => ({ ...host, cordoned: { owner: "kured", expiresAt: 1e15 } })),
      }));
      assert.deepEqual(foreign, []);
    });

    it("accepts what the failure names as not undone", () => {
      assert.deepEqual(leave(cordoned, failWith(["update of host-01: exit code 3"])), []);
      assertFound(leave(cordoned, failWith([])), "orphan", "host-01", /still cordoned/);
    });

    it("accepts what a step whose undo failed leaves, when the failure says that something is left", () => {
      const extra = { id: "pricing-9", workload: "pricing", host: "host-05", state: "healthy" } as const;
      const withExtra = (last: PlatformState) => ({ replicas: [...last.replicas, extra] });
      const undo: readonly JournalEvent[] = [
        { kind: "undo-intent", id: "start", key: `${keyOf("start")}/undo` },
        { kind: "undo-failed", id: "start", reason: "refused" },
      ];
      const named = failWith(["start-copy of host-03: refused"]);
      assert.deepEqual(leave(withExtra, insertAfter(named, named.length - 3, ...undo)), []);
      const silent = failWith([]);
      assertFound(leave(withExtra, insertAfter(silent, silent.length - 3, ...undo)), "orphan", "pricing", /1 more/);
    });

    it("says nothing of leftovers while the run goes on", () => {
      assert.deepEqual(leave(cordoned, createCleanEvents().slice(0, -1)), []);
    });

    it("finds a reserve host that still runs", () => {
      const violations = leave((last) => ({
        hosts: last.hosts.map((host) => (host.role === "standby" ? { ...host, state: "ready" as const } : host)),
      }));
      assertFound(violations, "orphan", "standby-01", /still started as reserve/);
    });

    it("finds extra, missing and inactive copies", () => {
      const extra = { id: "pricing-9", workload: "pricing", host: "host-05", state: "healthy" } as const;
      assertFound(
        leave((last) => ({ replicas: [...last.replicas, extra] })),
        "orphan",
        "pricing",
        /1 more copies/,
      );
      const standby = { id: "ledger-9", workload: "ledger", host: "host-05", state: "standby" } as const;
      assertFound(
        leave((last) => ({ replicas: [...last.replicas, standby] })),
        "orphan",
        "ledger-9",
        /left standby/,
      );
      const lacking = leave((last) => ({ replicas: last.replicas.filter((copy) => copy.id !== "front-0") }));
      assertFound(lacking, "orphan", "front", /lacks 1 copies/);
    });

    it("finds a parked service, a drained backend and one that leads nowhere", () => {
      const parked = { token: "t", expiresAt: 1e15, waiting: 1 };
      const services = (change: object) => (last: PlatformState) => ({
        services: last.services.map((service) => ({ ...service, ...change })),
      });
      assertFound(leave(services({ parked })), "orphan", "ledger", /still parked by t/);
      const gone = { replica: "gone-1", address: "host-01:1", weight: 1, inFlight: 0, healthy: false };
      assertFound(leave(services({ backends: [gone] })), "orphan", "front", /backend gone-1, which is gone/);
      const drained = { ...gone, replica: "front-1", weight: 0 };
      assertFound(leave(services({ backends: [drained] })), "orphan", "front", /still drains front-1/);
    });

    it("finds a host that is neither updated nor as before", () => {
      const broken = (last: PlatformState): Partial<PlatformState> => ({
        probes: { ...last.probes, "host-01": "v1-broken" },
      });
      assertFound(leave(broken), "orphan", "host-01", /neither updated \(v2\) nor as before \("v1"\)/);
      assertFound(leave(broken, failWith([])), "orphan", "host-01", /v1-broken/);
    });

    it("accepts a host as before only when the run did not succeed", () => {
      const asBefore = (last: PlatformState): Partial<PlatformState> => ({
        probes: { ...last.probes, "host-01": "v1" },
      });
      assertFound(leave(asBefore), "orphan", "host-01", /"v1"/);
      assert.deepEqual(leave(asBefore, failWith([])), []);
    });
  });
});
