/**
 * What earlier runs of a store say about the next one: how long steps took, and what the update used of its hosts.
 *
 * Not for: learning from it (providers/forecast/impact).
 */
import type { Bundle, Fleet, HostUpdateSpec, Json, OperationLoad, RunState, UpdateImpact } from "../../sdk/model";
import { isFinalPhase } from "../../sdk/model";
import { estimateImpact, guessDuration } from "../forecast/impact/update-impact";
import { hostClassOf, learnDurations, type DurationSample } from "../forecast/impact/pooled-durations";
import type { RunStore } from "../journal/run-store";
import { resolveDurations } from "../plan/durations";
import { listFamilies } from "./run-family";
import { readRun } from "./session";

/** Newest runs that are read: journals of large fleets are long, and the fleet of long ago was another one. */
const MOST_RUNS = 12;

/** See the file's header. */
export interface Learned {
  readonly durations: Bundle["durations"];
  readonly impact?: UpdateImpact;
}

/**
 * Learns for an update of a fleet. A run that cannot be read is left out: it is somebody else's business to mend it.
 * @param latest a run that was read already: a journal of a large fleet takes longer to read than to learn from
 */
export async function learnFromRuns(
  store: RunStore,
  spec: HostUpdateSpec,
  fleet: Fleet,
  latest?: RunState,
): Promise<Learned> {
  const runs = await readEarlierRuns(store, spec.name, latest);
  const { package: update } = spec.update;
  const guessed = guessDuration(update, spec.update.timeoutMs);
  // What the user expects is worth more than what a package's size tells.
  const fromPackage = guessed && spec.update.expectedMs === undefined ? { update: guessed } : {};
  const members = fleet.hosts.filter(({ role, probe }) => role === "member" && probe?.matches !== true);
  const target = {
    update: spec.name,
    ...(update?.load === undefined ? {} : { load: update.load }),
    hostClasses: [...new Set(members.map(({ capacity }) => hostClassOf(capacity)))].sort(),
  };
  const guesses = resolveDurations(spec, fromPackage);
  const durations = { ...fromPackage, ...learnDurations(guesses, runs.flatMap(samplesOf), target) };
  const loads = runs.filter((run) => run.bundle.spec.name === spec.name).flatMap(loadsOf);
  const impact = estimateImpact(update, durations.update ?? guesses.update, loads);
  return { durations, ...(impact ? { impact } : {}) };
}

/** The newest run of each update, and all of the one that is planned, newest first. */
async function readEarlierRuns(
  store: RunStore,
  name: string,
  latest: RunState | undefined,
): Promise<readonly RunState[]> {
  const families = await listFamilies(store);
  const newest = families.map(({ run }) => run);
  const own = families.filter(({ family }) => family.startsWith(`${name}-`)).map(({ family }) => `${family}-`);
  const numberOf = (run: string): number => Number(run.slice(run.lastIndexOf("-") + 1));
  const ofOwn = (await store.list())
    .filter((run) => own.some((family) => run.startsWith(family)))
    .sort((a, b) => numberOf(b) - numberOf(a));
  const chosen = [...new Set([...ofOwn, ...newest])].slice(0, MOST_RUNS);
  const read = await Promise.all(
    chosen.map(async (run) => (run === latest?.id ? latest : await readRun(store, run).catch(() => undefined))),
  );
  return read.filter((run) => run !== undefined && isFinalPhase(run.phase)) as readonly RunState[];
}

function samplesOf({ bundle, steps }: RunState): readonly DurationSample[] {
  const classes = new Map(bundle.fleet.hosts.map((host) => [host.id, hostClassOf(host.capacity)]));
  const { load } = bundle.spec.update.package ?? {};
  return steps.flatMap(({ step, status, alreadyDone, intentAt, endAt }) => {
    if (status !== "done" || alreadyDone === true || endAt === undefined) return [];
    const hostClass = "host" in step ? (classes.get(step.host) ?? "") : "";
    return [
      {
        kind: step.kind,
        ms: endAt - intentAt,
        update: bundle.spec.name,
        hostClass,
        ...(load === undefined ? {} : { load }),
      },
    ];
  });
}

function loadsOf({ steps }: RunState): readonly OperationLoad[] {
  return steps.flatMap(({ step, status, result }) => {
    const load = step.kind === "update" && status === "done" ? loadOf(result) : undefined;
    return load ? [load] : [];
  });
}

/** A journal is read as it is: what is no load is none. */
function loadOf(result: Json | undefined): OperationLoad | undefined {
  if (typeof result !== "object" || result === null || !("load" in result)) return undefined;
  const load = result["load"] as Partial<OperationLoad> | null;
  const isList = (value: unknown): boolean => Array.isArray(value) && value.every((item) => typeof item === "number");
  return load && isList(load.cpuMillis) && isList(load.diskBytesPerSecond) ? (load as OperationLoad) : undefined;
}
