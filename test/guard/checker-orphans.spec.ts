import { strict as assert } from "node:assert";
import { describe, it } from "mocha";
import type { PlatformState } from "../../providers/guard/observations";
import type { JournalEvent } from "../../sdk/model";
import { check, assertFound, insertAfter, failWith } from "./checker-fixture";
import { createCleanEvents, createCleanObservations, keyOf, RUN } from "./sample-run";

describe("guard: the checker, what a run leaves behind", () => {
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
