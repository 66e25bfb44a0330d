/**
 * What the runs of a HostUpdate hold on the platform and in the store, and what they were doing: to be shown before it
 * is mended. Reads only.
 *
 * Not for: mending (recover-run.ts, give-back.ts).
 */
import type { RunState, StepRecord } from "../../sdk/model";
import { messageOf } from "../../sdk/model";
import type { Lease } from "../journal/run-store";
import { openSilences, type HeldSilence } from "../notify/alertmanager";
import type { RunEnvironment } from "./environment";
import { hostResource, poolResource, runResource } from "./leases";

/** A mark on a host that a run of the family owns. */
export interface HeldMark {
  readonly host: string;
  readonly kind: "cordon" | "reserve";
  /** Run id. */
  readonly owner: string;
  readonly expiresAt: number;
}

/** A machine that is kept beside the one that took its place. */
export interface KeptMachine {
  readonly host: string;
  /** Run id. */
  readonly owner: string;
}

/** Requests that are held back at the switch for a hand-over. */
export interface HeldRequests {
  readonly service: string;
  readonly expiresAt: number;
  readonly waiting: number;
}

/** All that is left over. */
export interface LeftOver {
  /** The process that has the run now; absent: none. */
  readonly owner?: Lease;
  readonly marks: readonly HeldMark[];
  /** Machines that were replaced and neither put back nor ended. */
  readonly machines: readonly KeptMachine[];
  /** Leases on hosts and pool that have not lapsed. */
  readonly leases: readonly Lease[];
  readonly parked: readonly HeldRequests[];
  /** Steps that were begun and not ended. */
  readonly steps: readonly StepRecord[];
  /** Hosts that do not answer: what they hold is not known. */
  readonly silent: readonly string[];
  /** Alerts that are silenced. */
  readonly silences: readonly HeldSilence[];
  /** Alertmanagers that do not answer, with why. */
  readonly unknown: readonly string[];
}

const UNDER_WAY: ReadonlySet<StepRecord["status"]> = new Set(["intended", "started", "undoing"]);

/** Looks for what the runs of a family hold. @param run its newest run @param nowMs the store's time */
export async function observeLeftOver(
  { platform, store, clock }: RunEnvironment,
  family: string,
  run: RunState,
  nowMs: number,
  signal: AbortSignal,
): Promise<LeftOver> {
  const alertmanagers = openSilences({ targets: run.bundle.spec.silences ?? [], clock, environment: process.env });
  const [hosts, services, silenced] = await Promise.all([
    platform.hosts.list(signal),
    platform.traffic.observe(signal),
    Promise.allSettled(alertmanagers.map((silences) => silences.list(signal))),
  ]);
  const isOurs = (owner: string): boolean => owner.startsWith(`${family}-`);
  const { pool } = run.bundle.spec;
  const inspect = (resources: readonly string[]): Promise<(Lease | undefined)[]> =>
    Promise.all(resources.map((resource) => store.leases.inspect(resource)));
  const isHeld = (lease: Lease | undefined): lease is Lease => lease !== undefined && lease.expiresAt > nowMs;
  const [owner, ...leases] = await inspect([
    runResource(run.id),
    ...hosts.map(({ id }) => hostResource(platform.name, id)),
    ...(pool ? [poolResource(platform.name, pool.name)] : []),
  ]);
  return {
    ...(isHeld(owner) ? { owner } : {}),
    marks: hosts.flatMap(({ id, cordoned, reserved }): HeldMark[] => [
      ...(cordoned && isOurs(cordoned.owner) ? [{ host: id, kind: "cordon" as const, ...cordoned }] : []),
      ...(reserved && isOurs(reserved.owner) ? [{ host: id, kind: "reserve" as const, ...reserved }] : []),
    ]),
    machines: hosts.flatMap(({ id, replaced }) =>
      replaced && isOurs(replaced.owner) ? [{ host: id, owner: replaced.owner }] : [],
    ),
    leases: leases.filter(isHeld),
    parked: services.flatMap(({ name, parked }) =>
      parked && isOurs(parked.token) ? [{ service: name, expiresAt: parked.expiresAt, waiting: parked.waiting }] : [],
    ),
    steps: run.steps.filter(({ status }) => UNDER_WAY.has(status)),
    silent: hosts.filter(({ state }) => state === "unreachable").map(({ id }) => id),
    silences: silenced.flatMap((answer) =>
      answer.status === "fulfilled" ? answer.value.filter((silence) => isOurs(silence.owner)) : [],
    ),
    unknown: silenced.flatMap((answer) => (answer.status === "rejected" ? [messageOf(answer.reason)] : [])),
  };
}
