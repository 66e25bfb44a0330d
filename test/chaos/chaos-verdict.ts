/**
 * What must be true after a run in which something was killed, asked of the real platform, the store and the clients.
 */
import { strict as assert } from "node:assert";
import { checkRun } from "../../providers/guard/checker";
import { hostResource, poolResource, runResource } from "../../providers/runner/leases";
import { eventually, NO_ABORT } from "../agent/agent-fixture";
import { MEMBERS, STANDBY, type ChaosFleet } from "./chaos-fleet";
import type { ChaosOutcome } from "./chaos-run";

/** What is judged, and how. */
export interface Judged {
  readonly fleet: ChaosFleet;
  readonly outcome: ChaosOutcome;
  readonly version: string;
  /** How much longer than it may a workload was parked while its agent was away: only an agent can end that pause. */
  readonly extraPauseMs: number;
}

/** The run is done, every host was updated exactly once, every promise was kept, and nothing is left over. */
export async function assertKept({ fleet, outcome, version, extraPauseMs }: Judged): Promise<void> {
  const told = outcome.lines.join("\n");
  assert.equal(outcome.ended.phase, "done", `${outcome.ended.reason}\n${told}`);
  const once = Object.fromEntries(MEMBERS.map((host) => [host, 1]));
  assert.deepEqual(await fleet.executions(version), once, "the command ran once on each host");
  await assertNothingLeft(fleet, outcome, version);
  const { entries, observations } = outcome;
  const violations = checkRun({ entries, observations });
  const isExcused = ({ rule }: (typeof violations)[number]): boolean => rule === "pause" && extraPauseMs > 0;
  assert.deepEqual(
    violations.filter((violation) => !isExcused(violation)),
    [],
    told,
  );
  const longestMs = Math.max(0, ...observations.pauses.map(({ pauseMs }) => pauseMs));
  assert.ok(longestMs <= fleet.maxPauseMs + extraPauseMs, `parked for ${String(longestMs)} ms\n${told}`);
}

async function assertNothingLeft(fleet: ChaosFleet, { run }: ChaosOutcome, version: string): Promise<void> {
  const { platform, store } = fleet;
  const hosts = await platform.hosts.list(NO_ABORT);
  assert.deepEqual(
    hosts.map(({ id, state, cordoned, reserved }) => ({ id, state, cordoned, reserved })),
    [
      ...MEMBERS.map((id) => ({ id, state: "ready", cordoned: undefined, reserved: undefined })),
      { id: STANDBY, state: "stopped", cordoned: undefined, reserved: undefined },
    ],
  );
  for (const host of MEMBERS) {
    assert.equal((await platform.hosts.probe(host, "cat VERSION", version, NO_ABORT)).output, version);
  }
  await eventually("every copy serves", async () => {
    const replicas = await platform.workloads.list(NO_ABORT);
    const copies = replicas.map(({ workload, state }) => `${workload} ${state}`).sort();
    return copies.join() === "front healthy,front healthy,front healthy,ledger healthy,pricing healthy,reports healthy";
  });
  const services = await platform.traffic.observe(NO_ABORT);
  assert.deepEqual(
    services.map(({ name, backends, parked }) => [name, backends.length, parked]),
    [
      ["front", 3, undefined],
      ["pricing", 1, undefined],
      ["ledger", 1, undefined],
    ],
  );
  const leases = [
    runResource(run),
    poolResource(platform.name, "reserve"),
    ...[...MEMBERS, STANDBY].map((host) => hostResource(platform.name, host)),
  ];
  // A runner that lost its leases, on a machine too busy to renew them, lets those that still live lapse.
  await eventually("every lease is given back or lapses", async () => {
    const held = await Promise.all(leases.map((resource) => store.leases.inspect(resource)));
    return held.every((lease) => lease === undefined);
  });
}
