/**
 * A run in the hands of one process: its leases, its journal, and the surroundings of its steps.
 *
 * Not for: what is done next (run.ts, recover.ts).
 *
 * Invariants
 * 1. The run's lease is held before its journal is read, so what was read stays true.
 * 2. Every host and the pool are leased before the first effect on them.
 * 3. After a takeover every host refuses the earlier owner before anything else is done.
 */
import { ArchipelagoError, isKind } from "../../sdk/model";
import type { JournalEvent, Phase, RunRequest, RunState, StepKind, StepRecord, Wave } from "../../sdk/model";
import { currentOpening } from "../calendar";
import { BudgetGate } from "../execute/budget-gate";
import { CALL_TIMEOUT_MS, callUntil } from "../execute/calls";
import type { CallContext } from "../drivers/contracts";
import { leasedCall, type Execution, type StopControl } from "../execute/execution";
import { RunJournal } from "../execute/run-journal";
import type { EffectScope } from "../execute/step";
import { replay } from "../journal/replay";
import { fleetIn, workloadIn } from "../plan/opening-limits";
import type { RunDependencies } from "./dependencies";
import { hostResource, poolResource, RunLeases, runResource } from "./leases";
import { RunGuard } from "./guarding";
import { phaseEvent } from "./phases";
import { describeRequest, RequestWatch } from "./requests";
import { reservedHosts } from "./run-facts";

/** Marks outlive their opening by this, so that recovery after it still finds its own marks. */
const MARKS_OUTLIVE_MS = 3_600_000;

/** Statuses in which an earlier owner may have had a call under way. */
const OPEN: ReadonlySet<StepRecord["status"]> = new Set(["intended", "started", "undoing"]);

/** A run that this process holds. */
export interface RunSession {
  readonly deps: RunDependencies;
  readonly leases: RunLeases;
  readonly journal: RunJournal;
  readonly stop: StopControl;
  /** What people ask of the run. */
  readonly requests: RequestWatch;
  /** Kill switch, approval and stop rules. */
  readonly guard: RunGuard;
}

/**
 * Takes a run's lease, opens its journal and does something with it; the leases are given back in any case.
 * @throws LeaseHeldError when another process has the run
 */
export async function withSession<T>(
  runId: string,
  deps: RunDependencies,
  body: (session: RunSession) => Promise<T>,
): Promise<T> {
  const { store, clock, owner, platform } = deps;
  const names = { run: runId, platform: platform.name };
  // One process may work on several runs: what one of them holds is not free for the others.
  const leases = new RunLeases(store.leases, clock, `${owner} for run ${runId}`, names, deps.leaseTtlMs);
  const follower = deps.follow?.(owner);
  try {
    await leases.acquire([runResource(runId)]);
    const journal = await RunJournal.open(store, runId, clock, leases.epochOf("run"), follower);
    const requests = new RequestWatch(store, clock, runId);
    const guard = new RunGuard(deps, journal, requests);
    const stop = createStopControl(deps, journal, requests, guard);
    return await body({ deps: toldForecasts(deps, guard), leases, journal, requests, guard, stop });
  } catch (error) {
    throw (await leases.explainRefusal(error, store.url)) ?? error;
  } finally {
    await leases.release();
    await follower?.end();
  }
}

/** Changes the phase, with more entries in the same batch before it. */
export async function enterPhase(
  session: RunSession,
  phase: Phase,
  reason: string,
  ...before: readonly JournalEvent[]
): Promise<void> {
  await session.journal.write(...before, phaseEvent(session.journal.state().phase, phase, reason));
}

/** Writes a decision and tells it. */
export async function decide(session: RunSession, text: string): Promise<void> {
  await session.journal.write({ kind: "decision", text });
  session.deps.progress.line(text);
}

/**
 * Leases the run's hosts and its pool, and says who goes on. Whoever held the run before is fenced off.
 * @throws LeaseHeldError when another run has one of the hosts
 */
export async function takeOver(session: RunSession): Promise<void> {
  const { deps, leases, journal } = session;
  const state = journal.state();
  const { name } = deps.platform;
  const { pool } = state.bundle.spec;
  const hosts = [...state.plan.envelope.hosts, ...reservedHosts(state), ...hostsOfWaves(state)];
  await leases.acquire([
    ...hosts.map((host) => hostResource(name, host)),
    ...(pool ? [poolResource(name, pool.name)] : []),
  ]);
  const isGoingOn = state.phase === "running" || state.phase === "recovering";
  await journal.write(
    { kind: "taken-over", owner: deps.owner },
    ...journal.notices.map((text): JournalEvent => ({ kind: "notice", text })),
  );
  if (!isGoingOn) return;
  deps.progress.line(`carrying on run ${state.id}`);
  await fenceOff(session, [...new Set(hosts)]);
}

/** Leases what a wave touches besides the run's own hosts: its reserve. */
export async function leaseWave(session: RunSession, wave: Wave): Promise<void> {
  const { name } = session.deps.platform;
  await session.leases.acquire(hostsOf(wave).map((host) => hostResource(name, host)));
}

/** Surroundings of the run's steps, as of now. */
export function createExecution(session: RunSession): Execution {
  const { deps, leases, journal, stop } = session;
  const { bundle, id, plan } = journal.state();
  const nowMs = deps.clock.now();
  const opening = currentOpening(bundle.spec.windows, nowMs) ?? plan.opening;
  return {
    run: id,
    platform: deps.platform,
    clock: deps.clock,
    spec: bundle.spec,
    fleet: fleetIn(opening, bundle.fleet),
    gate: new BudgetGate((workload) => workloadIn(currentOpening(bundle.spec.windows, deps.clock.now()), workload)),
    marksExpireAt: Math.max(nowMs, opening?.endMs ?? nowMs) + MARKS_OUTLIVE_MS,
    journal,
    progress: deps.progress,
    leases,
    stop,
  };
}

/** The guard compares demand with what each wave was planned on. */
function toldForecasts(deps: RunDependencies, guard: RunGuard): RunDependencies {
  return {
    ...deps,
    forecast: async (fleet, slotMs, signal, options) => {
      const forecast = await deps.forecast(fleet, slotMs, signal, options);
      guard.noteForecast(forecast);
      return forecast;
    },
  };
}

function createStopControl(
  deps: RunDependencies,
  journal: RunJournal,
  requests: RequestWatch,
  guard: RunGuard,
): StopControl {
  return {
    signal: deps.signal,
    reason: async () => {
      if (deps.signal.aborted) return "told to stop";
      const reason = await deps.stopRequested?.();
      if (reason !== undefined) return reason;
      // The way to a safe state is what a pause and a cancellation want as well.
      if (journal.isEmpty || journal.phase === "recovering") return undefined;
      const request = await requests.current();
      return isToStop(request) ? describeRequest(request) : (await guard.verdict())?.reason;
    },
  };
}

/** True for a request to hold or to end. */
export function isToStop(
  request: RunRequest | undefined,
): request is RunRequest & { readonly wish: "pause" | "cancel" } {
  return request?.wish === "pause" || request?.wish === "cancel";
}

/** Makes every host refuse the earlier owner; one that does not answer does so at the first call that it gets. */
async function fenceOff(session: RunSession, hosts: readonly string[]): Promise<void> {
  const { deps, leases, journal } = session;
  const { platform, clock } = deps;
  const run = journal.state().id;
  /** True when it has answered: nothing that the earlier owner called has an effect there any more. */
  const fence = async (
    name: string,
    scope: EffectScope,
    call: (context: CallContext) => Promise<void>,
  ): Promise<boolean> => {
    try {
      await callUntil(leasedCall(leases, clock, clock.now()), (signal) => {
        const epoch = leases.epochOf(scope);
        return call({ key: `${run}/fence/${name}/${String(epoch)}`, epoch, owner: run, signal });
      });
      return true;
    } catch (error) {
      if (isKind(error, "LeaseLostError") || !isKind(error, "DriverError")) throw error;
      return false;
    }
  };
  const { capacity, functions } = platform;
  const [isCapacityFenced, areFunctionsFenced] = await Promise.all([
    fence("reserve", "run", (context) => capacity.fenceOff?.(context) ?? Promise.resolve()),
    fence("functions", "run", (context) => functions?.fenceOff?.(context) ?? Promise.resolve()),
    ...hosts.map((host) => fence(host, { host }, (context) => platform.hosts.fenceOff(host, context))),
  ]);
  // A platform that cannot refuse an old owner may still get the last call of what was under way.
  const isOpen = (kinds: readonly StepKind[] | undefined): boolean =>
    journal.state().steps.some(({ step, status }) => OPEN.has(status) && (kinds?.includes(step.kind) ?? true));
  const isUnfenced =
    ((capacity.fence !== "enforced" || !isCapacityFenced) && isOpen(["reserve", "release"])) ||
    ((functions?.fence !== "enforced" || !areFunctionsFenced) && isOpen(["deploy-function", "remove-function"])) ||
    ([platform.hosts, platform.workloads, platform.traffic].some(({ fence }) => fence !== "enforced") &&
      isOpen(undefined));
  if (isUnfenced) await clock.sleep(CALL_TIMEOUT_MS, leases.signal);
}

function hostsOfWaves(state: RunState): readonly string[] {
  return state.waves.filter((wave) => !state.wavesDone.includes(wave.index)).flatMap(hostsOf);
}

function hostsOf(wave: Wave): readonly string[] {
  const hosts = wave.steps.flatMap((step) => {
    if (step.kind === "hand-over" || step.kind === "live-migrate") return [step.fromHost, step.toHost];
    if ("hosts" in step) return step.hosts;
    return "host" in step ? [step.host] : [];
  });
  return [...new Set([...hosts, ...wave.moves.flatMap(({ from, to }) => (to === undefined ? [from] : [from, to]))])];
}

/** Reads a run without taking it. Undefined when there is none. */
export async function readRun(store: RunDependencies["store"], runId: string): Promise<RunState | undefined> {
  const { entries } = await store.read(runId);
  return entries.length === 0 ? undefined : replay(runId, entries);
}

/** Refuses to go on without a journal. */
export function requireRun(session: RunSession, runId: string): RunState {
  if (session.journal.isEmpty) throw new ArchipelagoError(`there is no run ${runId}`, { remedy: "arm it first" });
  return session.journal.state();
}
