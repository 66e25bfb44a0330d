/**
 * What people ask of a run from outside: pause, resume, cancel. A request is a document in the run store; whoever
 * holds the run reads it at each step border and honours it.
 *
 * Not for: what a run does about it (run.ts) and the command line's words (providers/cli).
 *
 * Invariants
 * 1. A request is for one run. A later run of the same HostUpdate does not see it.
 * 2. The newest request counts; it replaces the one before. A cancellation that a run has begun to carry out stands in
 *    its journal and cannot be taken back.
 */
import { isFinalPhase, isKind, MistakeError, runRequestName } from "../../sdk/model";
import type { RunRequest, RunState } from "../../sdk/model";
import type { Clock } from "../clock";
import { appendAudit } from "../guard/audit-log";
import type { RunStore } from "../journal/run-store";
import { familyOf, readLatestRun } from "./run-family";

/** Time for which an answer of the store is believed: steps of a wave ask all at once. */
const BELIEVED_MS = 1000;

/**
 * Asks that the newest run of a family holds at its next step border and starts nothing before it is resumed.
 * @throws MistakeError when there is no run, or it has ended
 */
export function requestPause(store: RunStore, family: string, by: string, why: string): Promise<RunRequest> {
  return request(store, family, "pause", by, why);
}

/** Takes a pause back. @throws MistakeError when there is no run, or it has ended */
export function requestResume(store: RunStore, family: string, by: string, why: string): Promise<RunRequest> {
  return request(store, family, "resume", by, why);
}

/** Asks that the wave under way is undone and the run ends. @throws MistakeError when there is no run, or it has ended */
export function requestCancel(store: RunStore, family: string, by: string, why: string): Promise<RunRequest> {
  return request(store, family, "cancel", by, why);
}

/** The request to a run, or to the newest run of a family; undefined when nobody has asked for anything. */
export async function readRequest(store: RunStore, runOrFamily: string): Promise<RunRequest | undefined> {
  const direct = await store.getDocument(runRequestName(runOrFamily));
  if (direct !== undefined) return parseRequest(direct);
  const content = await store.getDocument(runRequestName(familyOf(runOrFamily)));
  const found = content === undefined ? undefined : parseRequest(content);
  return found?.run === runOrFamily ? found : undefined;
}

/** Who asks and why, as in phases and messages. */
export function describeRequest({ wish, by, why }: Pick<RunRequest, "wish" | "by" | "why">): string {
  const done = { pause: "paused", resume: "resumed", cancel: "cancelled" } as const;
  return `${done[wish]} by ${by}${why === "" ? "" : `: ${why}`}`;
}

/** Reads the request to one run, again and again, at little cost. */
export class RequestWatch {
  private seen: RunRequest | undefined;
  private seenAt: number | undefined;

  constructor(
    private readonly store: RunStore,
    private readonly clock: Clock,
    private readonly run: string,
  ) {}

  /** A request that this process has just stored. */
  note(request: RunRequest): void {
    this.seen = request;
    this.seenAt = this.clock.monotonic();
  }

  /** What is asked now, at most a second old. A store that does not answer leaves the last answer standing. */
  async current(): Promise<RunRequest | undefined> {
    const nowMs = this.clock.monotonic();
    if (this.seenAt !== undefined && nowMs - this.seenAt < BELIEVED_MS) return this.seen;
    try {
      this.seen = await readRequest(this.store, this.run);
    } catch (error) {
      // Without the store no step can store its intent either: nothing begins unseen.
      if (!isKind(error, "StoreError")) throw error;
    }
    this.seenAt = nowMs;
    return this.seen;
  }
}

async function request(
  store: RunStore,
  family: string,
  wish: RunRequest["wish"],
  by: string,
  why: string,
): Promise<RunRequest> {
  const run = await readLatestRun(store, family);
  if (!run) throw MistakeError.of("run", family, "has no run in this store", "see `archipelago status`");
  refuseMeaningless(run, wish);
  const asked: RunRequest = { v: 1, run: run.id, wish, by, why, at: await store.now() };
  await store.putDocument(runRequestName(family), JSON.stringify(asked));
  await appendAudit(store, { who: by, what: wish, subject: run.id, why: why === "" ? "asked" : `asked: ${why}` });
  return asked;
}

function refuseMeaningless(run: RunState, wish: RunRequest["wish"]): void {
  if (isFinalPhase(run.phase)) {
    throw MistakeError.of("run", run.id, `is ${run.phase} (${run.phaseReason})`, `there is nothing to ${wish}`);
  }
  if (wish !== "cancel" && run.cancelled) {
    throw MistakeError.of("run", run.id, "is being cancelled", `it cannot be asked to ${wish} any more`);
  }
}

function parseRequest(content: string): RunRequest | undefined {
  try {
    const found = JSON.parse(content) as Partial<RunRequest>;
    const isKnown = found.wish === "pause" || found.wish === "resume" || found.wish === "cancel";
    if (found.v === 1 && isKnown && typeof found.run === "string") return found as RunRequest;
  } catch {
    // Not JSON: nobody of this version has written it.
  }
  return undefined;
}
