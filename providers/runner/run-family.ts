/**
 * The runs of one HostUpdate, in the order they were made: `<name>-<hash of its URN>-<number>`. A new run begins when
 * the envelope, the attempt or the fleet has changed after the last one ended.
 */
import { createHash } from "node:crypto";
import type { RunState } from "../../sdk/model";
import type { RunStore } from "../journal/run-store";
import { replay } from "../journal/replay";

/** Digits of the URN's hash in a run's id. */
const HASH_DIGITS = 8;

/** Name that the runs of a resource share. */
export function runFamily(name: string, urn: string): string {
  return `${name}-${createHash("sha256").update(urn).digest("hex").slice(0, HASH_DIGITS)}`;
}

/** Id of the run after `last`. */
export function nextRunId(family: string, last: string | undefined): string {
  return `${family}-${String(last === undefined ? 1 : runNumber(family, last) + 1)}`;
}

/** Family of a run. */
export function familyOf(run: string): string {
  return run.slice(0, run.lastIndexOf("-"));
}

/** All families of a store with the id of their newest run, those with the newest runs first. */
export async function listFamilies(
  store: RunStore,
): Promise<readonly { readonly family: string; readonly run: string }[]> {
  const newest = new Map<string, number>();
  for (const run of await store.list()) {
    const number = runNumber(familyOf(run), run);
    // What is not numbered was not made by a HostUpdate.
    if (!Number.isInteger(number)) continue;
    newest.set(familyOf(run), Math.max(number, newest.get(familyOf(run)) ?? 0));
  }
  return [...newest].map(([family, number]) => ({ family, run: `${family}-${String(number)}` }));
}

/** The newest run of a family, replayed. @throws StoreError when its journal is damaged */
export async function readLatestRun(store: RunStore, family: string): Promise<RunState | undefined> {
  const numbers = (await store.list())
    .filter((run) => run.startsWith(`${family}-`))
    .map((run) => runNumber(family, run));
  const latest = Math.max(0, ...numbers.filter(Number.isInteger));
  if (latest === 0) return undefined;
  const run = `${family}-${String(latest)}`;
  const { entries } = await store.read(run);
  return entries.length === 0 ? undefined : replay(run, entries);
}

function runNumber(family: string, run: string): number {
  return Number(run.slice(family.length + 1));
}
