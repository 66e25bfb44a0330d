import { strict as assert } from "node:assert";
import { describe, it } from "mocha";
import type { Fleet, Host, Replica } from "../../sdk/model";
import {
  createMemoryFleet,
  createVirtualClock,
  SAMPLE_OPENING_MS,
  sampleFleet,
  sampleWorkloads,
} from "../../providers/testing";
import type { RunVerification, VerifyRunInput } from "../../providers/verify/verify-run";
import { verifyRun } from "../../providers/verify/verify-run";

const MARK = { owner: "run-1", expiresAt: SAMPLE_OPENING_MS };

/** The sample fleet, every member probed as `version`. */
function fleetAt(version: string): Fleet {
  const memory = createMemoryFleet(sampleFleet(), createVirtualClock(SAMPLE_OPENING_MS), 1);
  const fleet = memory.observeFleet(sampleWorkloads());
  const probe = { output: version, matches: version === "v2" };
  return { ...fleet, hosts: fleet.hosts.map((host) => (host.role === "member" ? { ...host, probe } : host)) };
}

function withHost(fleet: Fleet, id: string, change: Partial<Host>): Fleet {
  return { ...fleet, hosts: fleet.hosts.map((host) => (host.id === id ? { ...host, ...change } : host)) };
}

function withReplicas(fleet: Fleet, change: (replicas: readonly Replica[]) => readonly Replica[]): Fleet {
  return { ...fleet, replicas: change(fleet.replicas) };
}

function verify(after: Fleet, overrides: Partial<VerifyRunInput> = {}): RunVerification {
  const attempted = ["host-01", "host-02", "host-03", "host-04", "host-05", "host-06"];
  return verifyRun({ run: "run-1", before: fleetAt("v1"), after, attempted, ...overrides });
}

describe("verification of a run", () => {
  it("is content when every host is updated and every copy serves", () => {
    const result = verify(fleetAt("v2"));
    assert.deepEqual([result.ok, result.problems], [true, []]);
    assert.deepEqual(new Set(result.hosts.map(({ outcome }) => outcome)), new Set(["updated"]));
    assert.deepEqual(result.workloads[0], { workload: "front", desired: 6, healthy: 6 });
  });

  it("is content when hosts are exactly as before, undone or never begun", () => {
    const result = verify(fleetAt("v1"), { attempted: ["host-02"] });
    assert.equal(result.ok, true);
    assert.deepEqual(result.hosts.map(({ host, outcome }) => `${host} ${outcome}`).slice(0, 3), [
      "host-01 unchanged",
      "host-02 undone",
      "host-03 unchanged",
    ]);
  });

  it("calls a host that matched before the run skipped", () => {
    const result = verify(fleetAt("v2"), { before: fleetAt("v2") });
    assert.ok(result.hosts.every(({ outcome }) => outcome === "skipped"));
  });

  for (const [name, after, problem] of [
    [
      "a host between two versions",
      withHost(fleetAt("v2"), "host-02", { probe: { output: "v1-broken", matches: false } }),
      'host-02: neither updated nor as before (before "v1", now "v1-broken")',
    ],
    [
      "a host whose version cannot be read",
      withHost(fleetAt("v2"), "host-02", { probe: { output: "", matches: false, error: "exit code 127" } }),
      "host-02: its version cannot be read (exit code 127)",
    ],
    [
      "a host that does not answer",
      withHost(fleetAt("v2"), "host-02", { state: "unreachable", stateReason: "no answer for 5 s" }),
      "host-02: does not answer after the run (no answer for 5 s)",
    ],
    [
      "a missing copy",
      withReplicas(fleetAt("v2"), (all) => all.filter(({ id }) => id !== "front-2")),
      "front: 5 healthy of 6 desired",
    ],
    [
      "an unhealthy copy",
      withReplicas(fleetAt("v2"), (all) => all.map((r) => (r.id === "front-2" ? { ...r, state: "unhealthy" } : r))),
      "front: 5 healthy of 6 desired",
    ],
    [
      "a surge copy that stayed",
      withReplicas(fleetAt("v2"), (all) => [
        ...all,
        { id: "pricing-9", workload: "pricing", host: "host-04", state: "healthy" },
      ]),
      "pricing: 2 copies, 1 are desired",
    ],
    [
      "an exclusive service owned by a copy that is gone",
      {
        ...fleetAt("v2"),
        services: fleetAt("v2").services.map((s) => (s.exclusive ? { ...s, owner: "ledger-7" } : s)),
      },
      "ledger: the owner ledger-7 of its service is not a healthy copy",
    ],
    [
      "a cordon of the run",
      withHost(fleetAt("v2"), "host-02", { cordoned: MARK }),
      "host-02: still cordoned by this run",
    ],
    [
      "a reservation of the run",
      withHost(fleetAt("v2"), "standby-01", { reserved: MARK }),
      "standby-01: still reserved by this run",
    ],
    [
      "parked requests",
      {
        ...fleetAt("v2"),
        services: fleetAt("v2").services.map((s) =>
          s.exclusive ? { ...s, parked: { token: "t", expiresAt: 1, waiting: 3 } } : s,
        ),
      },
      "ledger: requests are still parked",
    ],
  ] as const) {
    it(`finds ${name}`, () => {
      const result = verify(after);
      assert.equal(result.ok, false);
      assert.deepEqual(result.problems, [problem]);
    });
  }

  it("does not blame the run for what was so before it", () => {
    const before = withHost(
      withReplicas(fleetAt("v1"), (all) => all.filter(({ id }) => id !== "front-2")),
      "host-06",
      { state: "unreachable" },
    );
    const after = withHost(
      withReplicas(fleetAt("v2"), (all) => all.filter(({ id }) => id !== "front-2")),
      "host-06",
      { state: "unreachable", cordoned: { owner: "kured", expiresAt: 1 } },
    );
    assert.deepEqual(verify(after, { before }).problems, []);
  });
});
