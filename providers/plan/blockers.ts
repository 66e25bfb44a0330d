/**
 * What keeps a run from starting, as far as the fleet as it stands tells: each with a reason and a fix.
 *
 * Not for: capacity (fixes.ts) and time (fit.ts), which only a schedule tells.
 */
import type { Blocker, Workload } from "../../sdk/model";

import { burstWarnings } from "./bursts";
import { cellOfCopy } from "./capacity";
import { percent } from "./explain";
import type { HostsToUpdate } from "./hosts-to-update";
import type { PlanInput } from "./plan-input";
import { hasForeignMark, type Problem } from "./problem";
import { findUnknownWorkloads } from "./unknown-workloads";

/** Blockers and warnings of the fleet as observed. */
export interface FleetJudgement {
  readonly blockers: readonly Blocker[];
  readonly warnings: readonly string[];
}

/** Judges hosts, workloads and metrics before anything is planned. */
export function judgeFleet(input: PlanInput, problem: Problem, scope: HostsToUpdate): FleetJudgement {
  const unknown = findUnknownWorkloads(input);
  // A name that means nothing has no metrics and no copies either; one blocker for it is enough.
  const unknownNames = new Set(unknown.map(({ subject }) => subject));
  const blockers: Blocker[] = [...unknown, ...scope.blockers];
  const warnings: string[] = [...scope.warnings];
  judgeMarks(input, scope, blockers, warnings);
  judgeMetrics(input, unknownNames, blockers, warnings);
  problem.works.forEach(({ workload }, work) => {
    if (!unknownNames.has(workload.name)) judgeWorkload(problem, work, blockers, warnings);
  });
  judgeMemory(problem, warnings);
  warnings.push(...burstWarnings(input.fleet, input.forecast));
  judgeStrangers(input, scope, blockers);
  return { blockers, warnings };
}

/** Other owners' marks are respected: their host is left alone, which blocks only when it has to be updated. */
function judgeMarks(input: PlanInput, scope: HostsToUpdate, blockers: Blocker[], warnings: string[]): void {
  const pending = new Set(scope.hosts.map((host) => host.id));
  const held = new Set(input.progress?.reservedHosts);
  for (const host of input.fleet.hosts) {
    if (held.has(host.id) || !hasForeignMark(host, input) || host.cordoned === undefined) continue;
    const { owner, expiresAt } = host.cordoned;
    const until = new Date(expiresAt).toISOString();
    if (!pending.has(host.id)) warnings.push(`${host.id} takes no copies: cordoned by ${owner} until ${until}`);
    else {
      blockers.push({
        code: "foreign-mark",
        subject: host.id,
        reason: `cordoned by ${owner} until ${until}`,
        fix: `wait until ${owner} is done with ${host.id}, or remove its mark`,
      });
    }
  }
}

function judgeMetrics(
  { fleet, forecast }: PlanInput,
  unknownNames: ReadonlySet<string>,
  blockers: Blocker[],
  warnings: string[],
): void {
  const missing = new Map(forecast.missing.map(({ workload, reason }) => [workload, reason]));
  const known = new Set(forecast.demand.workloads);
  for (const { name } of fleet.workloads) {
    if (unknownNames.has(name)) continue;
    const reason = missing.get(name) ?? (known.has(name) ? undefined : "the forecast does not hold it");
    if (reason === undefined) continue;
    blockers.push({
      code: "metrics",
      subject: name,
      reason: `no forecast of its load: ${reason}`,
      fix: `bring the metrics of ${name} back; without them no promise about capacity can be kept`,
    });
  }
  for (const band of forecast.bands) {
    for (const text of band.warnings ?? []) warnings.push(`metrics of ${band.id.replace(/^workload\//, "")}: ${text}`);
  }
}

function judgeWorkload(problem: Problem, work: number, blockers: Blocker[], warnings: string[]): void {
  const found = problem.works[work];
  if (!found) return;
  const { workload, serving } = found;
  if (found.island < 0) {
    blockers.push({
      code: "input",
      subject: workload.name,
      reason: `its island ${workload.island} is not part of the fleet`,
      fix: `check the islands that ${workload.name} is declared in`,
    });
  }
  const required = workload.exclusive ? workload.copies : Math.max(0, workload.copies - workload.maxUnavailable);
  if (serving < required) {
    blockers.push({
      code: "unhealthy",
      subject: workload.name,
      reason: `${String(serving)} of ${String(workload.copies)} copies serve, at least ${String(required)} must at any moment`,
      fix: `bring the missing copies of ${workload.name} back${workload.exclusive ? "" : ", or widen its budget"}`,
    });
  } else if (serving < workload.copies) {
    warnings.push(`${workload.name}: ${String(serving)} of ${String(workload.copies)} copies serve before the start`);
  }
  if (workload.exclusive) judgeExclusive(problem, work, workload, blockers);
}

/** A budget of zero blocks only an exclusive workload: any other one gets its new copy before the old one leaves. */
function judgeExclusive(problem: Problem, work: number, workload: Workload, blockers: Blocker[]): void {
  const copies = problem.copiesOf[work] ?? [];
  const mustMove = copies.some((copy) => problem.sites[copy.site]?.pending);
  if (mustMove && workload.maxPauseMs <= 0) {
    blockers.push({
      code: "budget",
      subject: workload.name,
      reason: "it is exclusive and may not pause at all, but a hand-over pauses it",
      fix: `give ${workload.name} a maxPause, such as "2 seconds"`,
    });
  }
  if (copies.length > 1) {
    blockers.push({
      code: "unhealthy",
      subject: workload.name,
      reason: `it is exclusive and has ${String(copies.length)} copies: ${copies.map((copy) => copy.id).join(", ")}`,
      fix: "stop all but the one that owns its service; `archipelago recover` does that for an interrupted hand-over",
    });
  }
}

/** Too much memory on a host as it stands is not the run's doing; it only adds nothing there. */
function judgeMemory(problem: Problem, warnings: string[]): void {
  const used = new Float64Array(problem.cells.length);
  for (const copy of problem.copies) {
    const cell = cellOfCopy(problem, copy);
    if (cell >= 0) used[cell] = (used[cell] ?? 0) + (problem.works[copy.work]?.memoryBytes ?? 0);
  }
  problem.cells.forEach(({ site, island, memoryBytes }, cell) => {
    const bytes = used[cell] ?? 0;
    if (bytes <= memoryBytes) return;
    warnings.push(
      `${problem.sites[site]?.host.id ?? ""} holds ${percent(bytes / memoryBytes)} of the memory that ${problem.islands[island] ?? ""} may use there; it takes no copies`,
    );
  });
}

/** Replicas of workloads that nobody declared would be lost with a restart. */
function judgeStrangers({ fleet }: PlanInput, scope: HostsToUpdate, blockers: Blocker[]): void {
  const pending = new Set(scope.hosts.map((host) => host.id));
  const known = new Set(fleet.workloads.map((workload) => workload.name));
  const strangers = new Map<string, string[]>();
  for (const replica of fleet.replicas) {
    if (known.has(replica.workload) || replica.state === "stopped" || !pending.has(replica.host)) continue;
    strangers.set(replica.workload, [...(strangers.get(replica.workload) ?? []), replica.host]);
  }
  for (const [workload, hosts] of strangers) {
    blockers.push({
      code: "input",
      subject: workload,
      reason: `it runs on ${[...new Set(hosts)].sort().join(", ")} and no island declares it, so nothing says how to move it`,
      fix: `add ${workload} to the workloads of its island, or stop it`,
    });
  }
}
