/**
 * What must hold of every run whatever went wrong, as a list of what did not.
 *
 * What follows from a host that dies by itself is no doing of the run's and is left out (excuses.ts).
 */
import { isDeepStrictEqual } from "node:util";
import { isMovesOnly, messageOf } from "../../sdk/model";
import type { Host, JournalEntry, RunState } from "../../sdk/model";
import { checkRun } from "../../providers/guard/checker";
import { replay } from "../../providers/journal/replay";
import type { FleetEvent } from "../../providers/testing";
import { eventsOf } from "../../providers/testing";
import { RUN } from "../runner/run-fixture";
import type { Outcome } from "./carry-out";
import { createExcuses, type Excuses } from "./excuses";

/** A replay of every prefix of a journal costs its square; this many are enough to find one that does not replay. */
const PREFIXES = 8;

/** Everything that a run did wrong, in words; empty when nothing. */
export function judge(outcome: Outcome): readonly string[] {
  const { fixture, broken, isPlanned } = outcome;
  if (!isPlanned) return [];
  const entries = fixture.store.entriesOf(RUN);
  const replayed = findReplayFaults(entries);
  if (replayed.state === undefined) return [...broken, ...replayed.faults];
  const self = createExcuses(outcome);
  const violations = checkRun({ entries, observations: fixture.fleet.observations() })
    .filter((violation) => !self.excusesViolation(violation))
    .map(({ rule, subject, text }) => `checker: ${rule}: ${subject} ${text}`);
  const harm = fixture.fleet
    .harm()
    .filter((event) => !self.excusesHarm(event))
    .map((event) => `harm: ${JSON.stringify(event)}`);
  return [
    ...broken,
    ...replayed.faults,
    ...violations,
    ...harm,
    ...findLostWrites(outcome, self),
    ...findEndFaults(outcome, replayed.state, entries),
  ];
}

function findReplayFaults(entries: readonly JournalEntry[]): {
  readonly state: RunState | undefined;
  readonly faults: readonly string[];
} {
  try {
    const state = replay(RUN, entries);
    for (let part = 1; part <= PREFIXES; part += 1) {
      replay(RUN, entries.slice(0, Math.max(2, Math.floor((entries.length * part) / PREFIXES))));
    }
    const again = isDeepStrictEqual(replay(RUN, entries), state);
    return { state, faults: again ? [] : ["journal: two replays differ"] };
  } catch (error) {
    return { state: undefined, faults: [`journal: it does not replay: ${messageOf(error)}`] };
  }
}

function findLostWrites({ fixture }: Outcome, excuses: Excuses): readonly string[] {
  const lost = fixture.fleet.lostWrites("ledger");
  return lost > 0 && !excuses.hasLostState("ledger") ? [`${String(lost)} acknowledged writes are lost`] : [];
}

/** How hosts, marks and leases must be when a run has ended or waits. */
function findEndFaults(
  { fixture, isFinal }: Outcome,
  state: RunState,
  entries: readonly JournalEntry[],
): readonly string[] {
  const { fleet, store } = fixture;
  const hosts = fleet.observations().last?.hosts ?? [];
  const said = JSON.stringify([state.failure ?? null, state.phaseReason]);
  const isNamed = (host: string): boolean => said.includes(host);
  const versions = fleet.versions();
  const marks = hosts.flatMap(({ id, cordoned, reserved }: Host): readonly string[] => [
    ...(cordoned?.owner === RUN && !isNamed(id) ? [`${id} is still cordoned in phase ${state.phase}`] : []),
    ...(reserved?.owner === RUN && !isNamed(id) ? [`${id} is still reserved in phase ${state.phase}`] : []),
  ]);
  const versionFaults = hosts
    .filter(({ role }) => role === "member")
    .flatMap(({ id, state: hostState }): readonly string[] => {
      const version = versions[id] ?? "";
      if (hostState === "unreachable") {
        return isLost(fleet.events, entries, id) && !isNamed(id) ? [`${id} is lost and not named`] : [];
      }
      if (version === "v2" || (version === "v1" && state.phase !== "done") || isNamed(id)) return [];
      return [`${id} is at ${version} in phase ${state.phase} and not named`];
    });
  const machines = hosts.flatMap(({ id, replaced }) =>
    replaced && !isNamed(id) && !isTold(entries, id)
      ? [`the machine before ${id} is kept in phase ${state.phase}`]
      : [],
  );
  const endpoints = (fleet.observations().last?.endpoints ?? [])
    .filter(({ id }) => !isNamed(id))
    .map(({ id }) => `${id} is still deployed in phase ${state.phase} and not named`);
  const refused = (fleet.observations().last?.services ?? []).flatMap(({ name, refused: held }) =>
    held && !said.includes("refuse-paths")
      ? [`${held.paths.join(", ")} of ${name} are still refused in phase ${state.phase}`]
      : [],
  );
  const leases = store.liveLeases().map(({ resource, owner }) => `lease ${resource} is still held by ${owner}`);
  const waits = isFinal || state.phase === "armed" ? [] : [`the run was left in phase ${state.phase}`];
  return [...marks, ...versionFaults, ...machines, ...endpoints, ...refused, ...leases, ...waits];
}

/** True where the run told that the machine which a host replaced is left. */
function isTold(entries: readonly JournalEntry[], host: string): boolean {
  return entries.some((entry) => entry.kind === "decision" && entry.text.includes(`that ${host} replaced is left`));
}

/** True for a host that went away for good in the middle of a wave that was changing it. */
function isLost(events: readonly FleetEvent[], entries: readonly JournalEntry[], host: string): boolean {
  const diedMs = eventsOf(events, "host").findLast((event) => event.host === host && event.byItself)?.atMs;
  if (diedMs === undefined) return false;
  const waves = entries.flatMap((entry) => (entry.kind === "wave-planned" ? [entry] : []));
  return waves.some(({ at, wave }) => {
    const end = entries.find((entry) => entry.kind === "wave-done" && entry.index === wave.index);
    return !isMovesOnly(wave) && wave.hosts.includes(host) && at <= diedMs && diedMs < (end?.at ?? Infinity);
  });
}
