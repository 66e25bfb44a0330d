/**
 * The runner: looks at all runs of a store again and again, starts those whose window is open, carries on those that
 * lost their process, brings half-done ones to a safe state outside of their windows, and settles what was asked or
 * has expired. It does so by the same code as `pulumi up` (host-update.ts).
 *
 * Not for: making runs; `pulumi up` arms them.
 *
 * Invariants
 * 1. A run that fails, or cannot be worked on, never stops the others: it is tried again later, ever more seldom.
 * 2. Several runners may look at one store: the lease of a run decides who works on it.
 * 3. Told to stop, every run is left at a step border with its leases given back.
 */
import { randomBytes } from "node:crypto";
import * as os from "node:os";
import {
  formatDurationShort,
  isFinalPhase,
  isKind,
  messageOf,
  type HostUpdateSpec,
  type LeaseHeldError,
  type Phase,
  type RunState,
} from "../../sdk/model";
import { systemClock, type Clock } from "../clock";
import type { JournalFollower } from "../journal/follower";
import type { RunStore } from "../journal/run-store";
import { packageVersion, yieldCpu, type EnvironmentOptions, type RunEnvironment } from "./environment";
import { forgetRunners, giveSignsOfLife, putHeartbeat, type RunnerIdentity } from "./heartbeat";
import { carryOnRun } from "./host-update";
import { runResource } from "./leases";
import { nextAction } from "./next-action";
import { readRequest } from "./requests";
import { familyOf, listFamilies } from "./run-family";
import { readRun } from "./session";

/** Runs worked on at once by one runner; each plans and watches by itself. */
const RUNS_AT_ONCE = 8;
const FIRST_RETRY_MS = 15_000;
/** A blocked run, or one that cannot be worked on, is looked at at least this often. */
const LONGEST_RETRY_MS = 5 * 60_000;
const HELD_RETRY_MS = 30_000;
/** The name in reports. */
const ENGINE = "archipelago runner";

/** What a runner needs. */
export interface RunnerOptions {
  readonly store: RunStore;
  readonly clock: Clock;
  readonly identity: RunnerIdentity;
  /** One pass over all runs, and the end of what it began. */
  readonly once: boolean;
  /** Stops it at the next step border of every run. */
  readonly signal: AbortSignal;
  /** Length of the runs' leases. @default LEASE_TTL_MS of leases.ts */
  readonly leaseTtlMs?: number;
  readonly openEnvironment: (
    spec: HostUpdateSpec,
    clock: Clock,
    options: EnvironmentOptions,
  ) => Promise<RunEnvironment>;
  /** Follows each run that it works on. @default nobody does, besides audit log, notices and traces */
  readonly follower?: () => JournalFollower;
  /** A line to keep. @param run absent for what concerns the runner itself */
  readonly say: (text: string, run?: string) => void;
}

/** What became of the runs that it worked on. */
export interface RunnerResult {
  /** Last phase of each run that it has worked on. */
  readonly phases: ReadonlyMap<string, Phase>;
  /** Runs that could not be worked on, with the reason. */
  readonly problems: ReadonlyMap<string, string>;
}

/** Serves until told to stop, or for one pass. @throws StoreError in the first pass, when the store cannot be used */
export async function serveRuns(options: RunnerOptions): Promise<RunnerResult> {
  const { store, clock, identity, signal, say } = options;
  const runner = new Runner(options);
  // Before the first pass, so that plans that need a runner find this one; and a store that refuses is told at once.
  await putHeartbeat(store, identity, []);
  await forgetRunners(store);
  const gone = new AbortController();
  const living = giveSignsOfLife(store, clock, identity, {
    signal: gone.signal,
    runs: () => runner.working,
    onProblem: (text) => {
      say(text);
    },
  });
  try {
    await runner.pass();
    while (!options.once) {
      await clock.sleep(identity.everyMs, signal);
      if (signal.aborted) break;
      await runner.passAgain();
    }
    await runner.idle();
  } finally {
    gone.abort();
    await living;
  }
  return runner;
}

/** Identity of this process as a runner. */
export function createRunnerIdentity(everyMs: number): RunnerIdentity {
  return {
    runner: `${os.hostname()}-${String(process.pid)}-${randomBytes(3).toString("hex")}`,
    host: os.hostname(),
    pid: process.pid,
    packageVersion: packageVersion(),
    startedAt: systemClock.now(),
    everyMs,
  };
}

/** What stands against looking at a run again at once. */
interface Delay {
  readonly failures: number;
  readonly notBefore: number;
  readonly reason: string;
}

class Runner implements RunnerResult {
  readonly phases = new Map<string, Phase>();
  readonly problems = new Map<string, string>();
  private readonly tasks = new Map<string, Promise<void>>();
  private readonly delays = new Map<string, Delay>();
  /** Newest runs that have ended: they change no more, and their journals need not be read again. */
  private readonly ended = new Set<string>();
  private storeProblem: string | undefined;

  constructor(private readonly options: RunnerOptions) {}

  get working(): readonly string[] {
    return [...this.tasks.keys()];
  }

  /** Begins what there is to do for every run. @throws StoreError when the store cannot be listed */
  async pass(): Promise<void> {
    for (const { run } of await listFamilies(this.options.store)) {
      if (this.options.signal.aborted) return;
      if (this.ended.has(run) || this.tasks.has(run)) continue;
      if ((this.delays.get(run)?.notBefore ?? 0) > this.options.clock.monotonic()) continue;
      while (this.options.once && this.tasks.size >= RUNS_AT_ONCE) await Promise.race(this.tasks.values());
      if (this.tasks.size >= RUNS_AT_ONCE) return;
      await this.look(run);
    }
  }

  /** A pass whose store may be away for a while. */
  async passAgain(): Promise<void> {
    try {
      await this.pass();
      if (this.storeProblem !== undefined) this.options.say("the run store answers again");
      this.storeProblem = undefined;
    } catch (error) {
      const problem = messageOf(error);
      if (problem !== this.storeProblem) this.options.say(problem);
      this.storeProblem = problem;
    }
  }

  /** Waits for all that was begun. */
  async idle(): Promise<void> {
    while (this.tasks.size > 0) await Promise.race(this.tasks.values());
  }

  private async look(id: string): Promise<void> {
    const { store, clock, identity, say } = this.options;
    try {
      const run = await readRun(store, id);
      if (!run) return;
      if (isFinalPhase(run.phase)) {
        this.ended.add(id);
        return;
      }
      const action = nextAction(run, await readRequest(store, id), clock.now());
      if (action.kind === "none" || action.kind === "wait") return;
      const lease = await store.leases.inspect(runResource(id));
      if (lease) {
        this.delay(id, `${lease.owner} works on it`, identity.everyMs);
        return;
      }
      say(`${action.kind}: ${action.reason}`, id);
      this.tasks.set(
        id,
        this.work(run).finally(() => this.tasks.delete(id)),
      );
    } catch (error) {
      this.fail(id, error);
    }
  }

  private async work(run: RunState): Promise<void> {
    const { store, clock, identity, signal, openEnvironment, leaseTtlMs, follower, say } = this.options;
    const { spec, folder } = run.bundle;
    try {
      const environment = await openEnvironment(spec, clock, { store, ...(folder === undefined ? {} : { folder }) });
      try {
        yieldCpu(environment);
        const outcome = await carryOnRun(
          environment,
          {
            family: familyOf(run.id),
            owner: `runner ${identity.runner}`,
            engine: ENGINE,
            role: "runner",
            signal,
            progress: {
              line: (text) => {
                say(text, run.id);
              },
              status: () => undefined,
            },
            ...(leaseTtlMs === undefined ? {} : { leaseTtlMs }),
            ...(follower === undefined ? {} : { follower }),
          },
          run,
        );
        this.phases.set(run.id, outcome.phase);
        this.problems.delete(run.id);
        const report = outcome.report === undefined ? "" : `; report: ${outcome.report}`;
        // A run that is still armed though its window is open is blocked: looked at again, but not all the time.
        if (outcome.phase === "armed") this.delay(run.id, `armed: ${outcome.reason}`);
        else say(`${outcome.phase}: ${outcome.reason}${report}`, run.id);
      } finally {
        await environment.close();
      }
    } catch (error) {
      if (signal.aborted && isKind(error, "InterruptedError"))
        say("left at a step border; it can be carried on", run.id);
      else this.fail(run.id, error);
    }
  }

  private fail(run: string, error: unknown): void {
    this.problems.set(run, messageOf(error));
    // A host that another run has is free sooner than a failure is mended.
    if (isKind(error, "LeaseHeldError")) {
      const { resource, owner } = error as LeaseHeldError;
      this.delay(run, `waits for ${resource}, which ${owner} has`, HELD_RETRY_MS);
    } else this.delay(run, messageOf(error));
  }

  private delay(run: string, reason: string, longestMs = LONGEST_RETRY_MS): void {
    const { clock, say } = this.options;
    const before = this.delays.get(run);
    const failures = before?.reason === reason ? before.failures + 1 : 0;
    const waitMs = Math.min(longestMs, FIRST_RETRY_MS * 2 ** Math.min(failures, 10));
    this.delays.set(run, { failures, notBefore: clock.monotonic() + waitMs, reason });
    const again = this.options.once ? "" : ` (looked at again in ${formatDurationShort(waitMs)})`;
    if (failures === 0) say(`${reason}${again}`, run);
  }
}
