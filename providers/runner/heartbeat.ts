/**
 * Signs of life of runners in a store, and what can be told from them.
 *
 * Not for: who owns a run; its lease tells that. A heartbeat promises nothing, it only says that somebody is there.
 */
import { formatDurationShort, HEARTBEAT_PREFIX, heartbeatName, messageOf, type RunnerHeartbeat } from "../../sdk/model";
import type { Clock } from "../clock";
import type { RunStore } from "../journal/run-store";

/** A runner that missed so many signs counts as gone. */
const MISSED_SIGNS = 3;
/** Heartbeats of runners that are gone for so long are removed by the next runner. */
const FORGOTTEN_AFTER_MS = 24 * 3_600_000;

/** A runner and when it was last seen. */
export interface SeenRunner {
  readonly heartbeat: RunnerHeartbeat;
  /** Store time since its last sign, ms. */
  readonly agoMs: number;
  readonly isAlive: boolean;
}

/** All runners that a store knows, the last seen first. Reading only; a store without any is not even asked its time. */
export async function listRunners(store: RunStore): Promise<readonly SeenRunner[]> {
  const names = await store.listDocuments(HEARTBEAT_PREFIX);
  if (names.length === 0) return [];
  const nowMs = await store.now();
  const contents = await Promise.all(names.map((name) => store.getDocument(name)));
  return contents
    .flatMap((content) => parseHeartbeat(content) ?? [])
    .map((heartbeat) => {
      const agoMs = Math.max(0, nowMs - heartbeat.at);
      return { heartbeat, agoMs, isAlive: agoMs <= MISSED_SIGNS * heartbeat.everyMs };
    })
    .sort((a, b) => a.agoMs - b.agoMs);
}

/** The runner that was seen last and counts as alive. */
export async function findRunner(store: RunStore): Promise<SeenRunner | undefined> {
  return (await listRunners(store)).find(({ isAlive }) => isAlive);
}

/** Like "runner last seen 12 s ago". */
export function describeRunner(seen: SeenRunner): string {
  return `runner ${seen.heartbeat.runner} last seen ${formatDurationShort(Math.round(seen.agoMs / 1000) * 1000)} ago`;
}

/** What a runner says of itself. */
export type RunnerIdentity = Omit<RunnerHeartbeat, "v" | "at" | "runs">;

/** Gives signs of life until told to stop, then takes the last one back. */
export async function giveSignsOfLife(
  store: RunStore,
  clock: Clock,
  identity: RunnerIdentity,
  options: {
    readonly signal: AbortSignal;
    readonly runs: () => readonly string[];
    readonly onProblem: (text: string) => void;
  },
): Promise<void> {
  const name = heartbeatName(identity.runner);
  while (!options.signal.aborted) {
    await attempt(options.onProblem, async () => {
      await putHeartbeat(store, identity, options.runs());
    });
    await clock.sleep(identity.everyMs, options.signal);
  }
  await attempt(options.onProblem, () => store.deleteDocument(name));
}

/** One sign of life. @throws StoreError */
export async function putHeartbeat(store: RunStore, identity: RunnerIdentity, runs: readonly string[]): Promise<void> {
  const heartbeat: RunnerHeartbeat = { v: 1, ...identity, at: await store.now(), runs };
  await store.putDocument(heartbeatName(identity.runner), JSON.stringify(heartbeat));
}

/** Removes what runners left that ended without taking leave long ago. */
export async function forgetRunners(store: RunStore): Promise<void> {
  for (const { heartbeat, agoMs } of await listRunners(store)) {
    if (agoMs > FORGOTTEN_AFTER_MS) await store.deleteDocument(heartbeatName(heartbeat.runner));
  }
}

/** A sign that cannot be given must not disturb the runs. */
async function attempt(onProblem: (text: string) => void, action: () => Promise<void>): Promise<void> {
  try {
    await action();
  } catch (error) {
    onProblem(`no sign of life could be given: ${messageOf(error)}`);
  }
}

function parseHeartbeat(content: string | undefined): RunnerHeartbeat | undefined {
  try {
    const found = JSON.parse(content ?? "") as Partial<RunnerHeartbeat>;
    const isWhole = found.v === 1 && typeof found.at === "number" && typeof found.everyMs === "number";
    return isWhole && typeof found.runner === "string" ? (found as RunnerHeartbeat) : undefined;
  } catch {
    // Removed while it was read, or of another version: nobody that could be counted on.
    return undefined;
  }
}
