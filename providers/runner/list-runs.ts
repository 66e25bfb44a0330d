/**
 * The runs of a store at a glance: one summary for each HostUpdate, of its newest run.
 *
 * Not for: the whole state of a run (readRun in run.ts) and what a runner does about it (next-action.ts).
 */
import { didYouMean, messageOf, MistakeError } from "../../sdk/model";
import type { Opening, Phase, RunRequest, RunState, Wave } from "../../sdk/model";
import { currentOpening, nextOpenings } from "../calendar";
import type { Lease, RunStore } from "../journal/run-store";
import { runResource } from "./leases";
import { readRequest } from "./requests";
import { listFamilies } from "./run-family";
import { openWave, updatedHosts } from "./run-facts";
import { readRun } from "./session";

/** One HostUpdate and its newest run. */
export interface RunSummary {
  readonly family: string;
  /** Id of the newest run. */
  readonly run: string;
  /** Absent when its journal cannot be read; then `problem` says why. */
  readonly state?: RunState;
  readonly problem?: string;
  /** Name of the HostUpdate; the family where the journal cannot be read. */
  readonly name: string;
  readonly phase?: Phase;
  readonly reason: string;
  /** Hosts of the envelope, and those updated and validated so far. */
  readonly hosts: number;
  readonly updated: number;
  /** The wave under way. */
  readonly wave?: Wave;
  /** The opening now, or else the next one. */
  readonly opening?: Opening;
  readonly isOpen: boolean;
  /** The process that works on it now. */
  readonly lease?: Lease;
  /** What somebody has asked of it. */
  readonly request?: RunRequest;
}

/** Summaries of all families, those with the newest runs first. A journal that cannot be read hides no other. */
export async function listRuns(store: RunStore, nowMs: number): Promise<readonly RunSummary[]> {
  const families = await listFamilies(store);
  return Promise.all(families.map(({ family, run }) => summarize(store, family, run, nowMs)));
}

/**
 * The family that a person means by the id of a run, by a family or by the name of a HostUpdate.
 * @throws MistakeError when there is none, or the name stands for several
 */
export async function resolveFamily(store: RunStore, text: string): Promise<string> {
  const families = await listFamilies(store);
  const exact = families.find(({ family, run }) => family === text || run === text);
  if (exact) return exact.family;
  const runs = await store.list();
  const older = runs.includes(text) ? families.find(({ family }) => text.startsWith(`${family}-`)) : undefined;
  if (older) return older.family;
  // The name of a HostUpdate is what stands before the hash of its URN.
  const named = families.filter(({ family }) => family.slice(0, family.lastIndexOf("-")) === text);
  const [one, ...others] = named;
  if (one && others.length === 0) return one.family;
  if (one) {
    const names = named.map(({ family }) => family).join(", ");
    throw MistakeError.of("run", text, `names several: ${names}`, "give one of these");
  }
  const near = didYouMean(
    text,
    families.flatMap(({ family, run }) => [family, run, family.slice(0, family.lastIndexOf("-"))]),
  );
  const known = families.map(({ family }) => family).join(", ");
  throw MistakeError.of(
    "run",
    text,
    "is not in this store",
    near ? `did you mean "${near}"?` : known === "" ? "the store has no runs" : `there are: ${known}`,
  );
}

async function summarize(store: RunStore, family: string, run: string, nowMs: number): Promise<RunSummary> {
  try {
    const [state, lease, request] = await Promise.all([
      readRun(store, run),
      store.leases.inspect(runResource(run)),
      readRequest(store, run),
    ]);
    if (!state) return { family, run, name: family, reason: "", problem: "its journal is empty", ...NOTHING };
    const { windows, name } = state.bundle.spec;
    const current = currentOpening(windows, nowMs);
    const opening = current ?? nextOpenings(windows, nowMs, 1)[0];
    const wave = openWave(state);
    return {
      family,
      run,
      state,
      name,
      phase: state.phase,
      reason: state.phaseReason,
      hosts: state.plan.envelope.hosts.length,
      updated: updatedHosts(state).length,
      isOpen: current !== undefined,
      ...(wave ? { wave } : {}),
      ...(opening ? { opening } : {}),
      ...(lease ? { lease } : {}),
      ...(request ? { request } : {}),
    };
  } catch (error) {
    return { family, run, name: family, reason: "", problem: messageOf(error), ...NOTHING };
  }
}

const NOTHING = { hosts: 0, updated: 0, isOpen: false } as const;
