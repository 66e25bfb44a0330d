/**
 * What a host that died by itself, or a copy whose health flapped, excuses: exactly what followed from it.
 *
 * Not for: judging the rest (verdict.ts).
 *
 * Invariants
 * 1. A death excuses nothing of workloads that had no copy on that host, and nothing before it.
 * 2. Acknowledged writes are excused only where the copy that held them died.
 */
import type { Violation } from "../../sdk/model";
import { eventsOf, type FleetEvent } from "../../providers/testing";
import type { Outcome } from "./carry-out";

/** A copy that died with its host. */
interface LostCopy {
  readonly atMs: number;
  readonly replica: string;
  readonly workload: string;
  /** It held state or served before; one that was still starting or waited for a hand-over did not. */
  readonly wasInUse: boolean;
}

/** What is no doing of the run's. */
export interface Excuses {
  excusesViolation(violation: Violation): boolean;
  excusesHarm(event: FleetEvent): boolean;
  /** True when the copy that held a workload's state died. */
  hasLostState(workload: string): boolean;
}

/** Reads what died and flapped from the fleet's own log. */
export function createExcuses({ fixture, scenario }: Outcome): Excuses {
  const { events } = fixture.fleet;
  const deaths = eventsOf(events, "host").filter((event) => event.byItself && event.state === "unreachable");
  const deadHosts = new Set(deaths.map(({ host }) => host));
  const lost = findLostCopies(events);
  const flapping = new Set(
    scenario.incidents.flatMap((incident) => (incident.kind === "flap" ? [workloadOf(incident.replica)] : [])),
  );
  const lostOf = (workload: string, byMs = Number.POSITIVE_INFINITY): readonly LostCopy[] =>
    lost.filter((copy) => copy.workload === workload && copy.atMs <= byMs);
  // The load of a copy that died or flaps goes to the others.
  const hasShiftedLoad = (atMs: number): boolean => flapping.size > 0 || lost.some((copy) => copy.atMs <= atMs);
  return {
    hasLostState: (workload) => lostOf(workload).some(({ wasInUse }) => wasInUse),
    excusesViolation: ({ rule, subject, text, atMs }) => {
      switch (rule) {
        case "orphan":
          return excusesOrphan(subject, text, lost);
        case "budget":
          // A copy that the run was about to take out went with its host.
          return lostOf(subject).some((copy) => copy.atMs === atMs);
        case "capacity":
          if (text.includes("millicores in use")) return hasShiftedLoad(atMs);
          // With fewer copies a plan needs less reserve; and a host of the reserve may be the one that died.
          return lost.some((copy) => copy.atMs <= atMs) || [...deadHosts].some((host) => text.includes(host));
        case "pause":
          return lostOf(subject, atMs + fixture.spec.limits.drainMs).length > 0;
        default:
          return false;
      }
    },
    excusesHarm: (event) => {
      if (event.kind === "overload") return hasShiftedLoad(event.atMs);
      if (event.kind === "writes-lost") return lostOf(event.workload, event.atMs).some(({ wasInUse }) => wasInUse);
      // In the sample fleet services have the names of their workloads.
      if (event.kind === "requests-failed")
        return flapping.has(event.service) || lostOf(event.service, event.atMs).length > 0;
      return false;
    },
  };
}

function excusesOrphan(subject: string, text: string, lost: readonly LostCopy[]): boolean {
  const [, lacking] = /^lacks (\d+) copies$/.exec(text) ?? [];
  if (lacking !== undefined) return lost.filter(({ workload }) => workload === subject).length >= Number(lacking);
  const [, backend] = /^still has the backend (\S+), which is gone$/.exec(text) ?? [];
  if (backend !== undefined) return lost.some(({ replica }) => replica === backend);
  return text.startsWith("is still parked") && lost.some(({ workload }) => workload === subject);
}

/** Copies are told as stopped right before the host that took them with it. */
function findLostCopies(events: readonly FleetEvent[]): readonly LostCopy[] {
  const lost: LostCopy[] = [];
  const states = new Map<string, string>();
  let stopping: { readonly copy: LostCopy; readonly host: string }[] = [];
  for (const event of events) {
    if (event.kind === "replica") {
      const { replica, workload, host, state, atMs } = event;
      const before = states.get(`${host}/${replica}`) ?? "healthy";
      if (state === "stopped") {
        stopping.push({
          host,
          copy: { atMs, replica, workload, wasInUse: before === "healthy" || before === "quiesced" },
        });
      }
      states.set(`${host}/${replica}`, state);
    }
    if (event.kind !== "host" || event.state === "ready") continue;
    if (event.byItself) {
      lost.push(
        ...stopping.filter(({ host, copy }) => host === event.host && copy.atMs === event.atMs).map(({ copy }) => copy),
      );
    }
    stopping = [];
  }
  return lost;
}

/** Ids of the sample fleet begin with the name of the workload. */
function workloadOf(replica: string): string {
  return replica.replace(/-[^-]*$/, "");
}
