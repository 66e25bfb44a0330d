/**
 * One host update carried out by processes of its own while something is killed at chosen steps. The journal, followed
 * from outside, tells which step is under way.
 *
 * Not for: judging the end (chaos-verdict.ts).
 */
import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { signalGroup, type ProcessIdentity } from "../../providers/agent/process-table";
import { systemClock } from "../../providers/clock";
import { startLocalHost } from "../../providers/drivers/local-fleet";
import { fleetLayout } from "../../providers/drivers/local-fleet/layout";
import { observeContinuously, type ObserverResult } from "../../providers/guard/observer";
import { nextRunId } from "../../providers/runner/run-family";
import type { HostUpdateSpec, JournalEntry, PlanStep, StepKind } from "../../sdk/model";
import { eventually, NO_ABORT } from "../agent/agent-fixture";
import type { ChaosFleet } from "./chaos-fleet";
import { JournalFollower } from "./journal-follower";
import type { RunnerNews, RunnerOrder, RunnerWish } from "./runner-process";

/** Kinds of steps in the order in which a run comes to them. */
export const STEP_KINDS = [
  "reserve",
  "cordon",
  "start-copy",
  "admit",
  "drain",
  "stop-copy",
  "hand-over",
  "snapshot",
  "update",
  "reboot",
  "validate",
  "uncordon",
  "soak",
  "release",
] as const satisfies readonly StepKind[];

/** Short, so that a takeover does not wait for long; long enough for a busy machine to renew in time. */
const LEASE_TTL_MS = 3_000;
/** Longer than a lease lives. */
const STOPPED_MS = LEASE_TTL_MS + 1_500;
/** Longer than one call is waited for is not needed: what hangs is what matters. */
const TROUBLE_MS = 2_500;
/** How long a supervisor takes to start an agent again. */
const SUPERVISOR_MS = { least: 500, most: 1_000 } as const;
/** A kill comes up to this long after the step's intent, so that it meets the step at different moments. */
const LATEST_KILL_MS = 60;
/** An entry that was stored is read within this time. */
const FOLLOW_MS = 50;
/** A message that a process sent before it ended is received within this time. */
const LAST_WORDS_MS = 1_000;
const AGENT_COMES_MS = 3_000;
const RUN_LIMIT_MS = 240_000;
const OBSERVE_EVERY_MS = 250;

/** One kill, and whether the step was under way. */
export interface Kill {
  readonly what: string;
  readonly step: PlanStep;
  /** The step's end was not stored when the process was killed. */
  readonly isInMiddle: boolean;
}

/** What became of a run. */
export interface ChaosOutcome {
  readonly run: string;
  readonly entries: readonly JournalEntry[];
  readonly observations: ObserverResult;
  readonly kills: readonly Kill[];
  /** Calls that a runner died after, in order. */
  readonly deaths: readonly string[];
  /** Calls after which an agent was killed, in order. */
  readonly agentDeaths: readonly string[];
  readonly ended: Extract<RunnerNews, { readonly kind: "ended" }>;
  readonly lines: readonly string[];
}

/** What may happen in the middle of a step. */
export type IncidentKind =
  /** SIGKILL of the runner, and another one comes. */
  | "runner-killed"
  /** SIGKILL of the agent that the step is about; a supervisor starts it again. */
  | "agent-killed"
  /** SIGSTOP of the runner for longer than its leases live: another takes over, then the first one wakes up. */
  | "runner-stopped"
  /** SIGSTOP of the agent for some seconds. */
  | "agent-stopped"
  /** Connections to the agent stay open and nothing comes through for some seconds. */
  | "half-open"
  /** The disk that the run store is on is full for some seconds; only where the fleet has a small one. */
  | "store-full";

/** What to do to whom. */
export interface ChaosOptions {
  readonly fleet: ChaosFleet;
  readonly spec: HostUpdateSpec;
  /** What happens in the middle of a step of each kind, once. */
  readonly incidents?: ReadonlyMap<StepKind, IncidentKind>;
  /** Calls after which the runner dies, one after the other. */
  readonly dieAfter?: readonly string[];
  /** Calls after which the agent that has answered is killed, each once. */
  readonly killAgentAfter?: readonly string[];
}

/** Carries an update out to its end, whatever is killed meanwhile. */
export async function runUnderChaos(options: ChaosOptions): Promise<ChaosOutcome> {
  const run = new ChaosRun(options);
  try {
    return await run.carryOut();
  } finally {
    await run.close();
  }
}

class ChaosRun {
  private readonly kills: Kill[] = [];
  private readonly lines: string[] = [];
  private readonly answered: string[] = [];
  private readonly incidents: ReadonlyMap<StepKind, IncidentKind>;
  private readonly wanted: Set<StepKind>;
  /** Runners that were stopped and have woken up; they wait for their turn. */
  private readonly woken: ChildProcess[] = [];
  private readonly follower: JournalFollower;
  private readonly observing = new AbortController();
  private readonly observations: Promise<ObserverResult>;
  private readonly places = new Map<string, string>();
  private readonly deaths: string;
  private runner: ChildProcess | undefined;
  private runners = 0;
  private killing: Promise<void> | undefined;
  private news: Extract<RunnerNews, { readonly kind: "ended" | "broken" }> | undefined;
  private failure: { readonly error: unknown } | undefined;

  constructor(private readonly options: ChaosOptions) {
    const { fleet, spec, incidents = new Map<StepKind, IncidentKind>() } = options;
    this.incidents = incidents;
    this.wanted = new Set(incidents.keys());
    this.deaths = join(fleet.folder, `deaths-${spec.name}`);
    this.follower = new JournalFollower(fleet.storeFolder, nextRunId(spec.name, undefined), (entry) => {
      this.onEntry(entry);
    });
    this.observations = observeContinuously({
      platform: fleet.platform,
      clock: systemClock,
      everyMs: OBSERVE_EVERY_MS,
      signal: this.observing.signal,
      probe: spec.update,
    });
  }

  async carryOut(): Promise<ChaosOutcome> {
    await this.startRunner();
    await eventually(
      "the run ends",
      () => Promise.resolve(this.news !== undefined || this.failure !== undefined),
      RUN_LIMIT_MS,
    );
    await this.killing;
    if (this.failure) throw this.failure.error;
    if (this.news?.kind !== "ended")
      throw new Error(`the runner broke: ${this.news?.reason ?? ""}\n${this.lines.join("\n")}`);
    this.observing.abort();
    const observations = await this.observations;
    await this.follower.close();
    const { entries, run } = this.follower;
    for (const runner of this.woken) runner.kill("SIGKILL");
    const { kills, lines, news: ended, answered: agentDeaths } = this;
    const deaths = await this.readDeaths();
    return { run, entries, observations, kills, deaths, agentDeaths, ended, lines };
  }

  /** Ends what is left when it broke off. */
  async close(): Promise<void> {
    this.observing.abort();
    this.runner?.kill("SIGKILL");
    await this.killing?.catch(() => undefined);
    this.runner?.kill("SIGKILL");
    for (const runner of this.woken) runner.kill("SIGKILL");
    await this.follower.close();
    await this.observations;
  }

  /** Calls that the runner died after, in order. */
  private async readDeaths(): Promise<readonly string[]> {
    const text = await readFile(this.deaths, "utf8").catch(() => "");
    return text.split("\n").filter((line) => line !== "");
  }

  private async startRunner(): Promise<void> {
    const { spec, dieAfter = [], killAgentAfter = [] } = this.options;
    const died = await this.readDeaths();
    this.runners += 1;
    const order: RunnerOrder = {
      spec,
      family: spec.name,
      owner: `runner-${String(this.runners)}`,
      leaseTtlMs: LEASE_TTL_MS,
      dieAfter: dieAfter.filter((call) => !died.includes(call)),
      tellAfter: killAgentAfter,
      deaths: this.deaths,
    };
    const runner = fork(join(__dirname, "runner-process.js"), [JSON.stringify(order)], {
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
    this.runner = runner;
    runner.on("message", (news: RunnerNews) => {
      if (news.kind === "line") this.lines.push(`${order.owner}: ${news.text}`);
      else if (news.kind === "answered") this.attempt(() => this.killAgentAfterCall(news.call, news.host));
      else this.news = news;
    });
    runner.on("exit", () => {
      this.attempt(() => this.onRunnerExit(runner, died.length));
    });
    this.tellWishes();
  }

  private tellWishes(goOn = false): void {
    const heldEnds = [...this.wanted];
    // An agent that is given back stops within a moment: it is met before, or not at all.
    const heldStarts =
      this.incidents.get("release") === "agent-killed" ? heldEnds.filter((kind) => kind === "release") : [];
    const wish: RunnerWish = { heldEnds, heldStarts, goOn };
    if (this.runner?.connected) this.runner.send(wish);
  }

  /** One that ended itself after a call is followed by another; any other end that nobody asked for is a failure. */
  private async onRunnerExit(runner: ChildProcess, deathsBefore: number): Promise<void> {
    if (this.runner !== runner || runner.killed) return;
    const deaths = await this.readDeaths();
    if (deaths.length > deathsBefore) {
      this.lines.push(`the runner died after ${deaths.at(-1) ?? ""}`);
      await this.startRunner();
      return;
    }
    // Its last words may still be on their way.
    await systemClock.sleep(LAST_WORDS_MS);
    if (!this.news) throw new Error(`the runner ended by itself\n${this.lines.join("\n")}`);
  }

  private onEntry(entry: JournalEntry): void {
    if (entry.kind === "wave-planned") {
      for (const move of entry.wave.moves) {
        this.places.set(move.replica, move.from);
        this.places.set(move.newReplica, move.to ?? move.from);
      }
    }
    if (entry.kind !== "step-intent" || this.killing || !this.wanted.has(entry.step.kind)) return;
    const { step } = entry;
    const delayMs = (this.kills.length * 17) % LATEST_KILL_MS;
    const incident = this.incidents.get(step.kind);
    if (incident === undefined) return;
    this.killing = this.cause(incident, step, delayMs)
      .catch((error: unknown) => {
        this.failure ??= { error };
      })
      .finally(() => (this.killing = undefined));
  }

  private async cause(incident: IncidentKind, step: PlanStep, delayMs: number): Promise<void> {
    switch (incident) {
      case "runner-killed":
        return this.killRunner(step, delayMs);
      case "agent-killed":
        return this.killAgent(step, delayMs);
      case "runner-stopped":
        return this.stopRunner(step, delayMs);
      case "agent-stopped":
        return this.stopAgent(step, delayMs);
      case "half-open":
        return this.trouble(`network of ${this.hostOf(step)}`, step, delayMs, async (during) => {
          const proxy = this.options.fleet.proxies.get(this.hostOf(step));
          proxy?.become({ kind: "half-open" });
          await during();
          proxy?.become(this.options.fleet.network);
          return proxy !== undefined;
        });
      case "store-full":
        return this.trouble("disk of the store", step, delayMs, async (during) => {
          const { smallDisk } = this.options.fleet;
          await smallDisk?.fill();
          await during();
          await smallDisk?.free();
          return smallDisk !== undefined;
        });
    }
  }

  /** Something that is wrong for some seconds in the middle of a step. */
  private async trouble(
    what: string,
    step: PlanStep,
    delayMs: number,
    cause: (during: () => Promise<void>) => Promise<boolean>,
  ): Promise<void> {
    await systemClock.sleep(delayMs);
    let isInMiddle = false;
    const hasHappened = await cause(async () => {
      const atMs = Date.now();
      await systemClock.sleep(FOLLOW_MS);
      isInMiddle = !this.hasEnded(step, atMs);
      this.lines.push(`${what} in trouble`);
      await systemClock.sleep(TROUBLE_MS);
    });
    this.note({ what, step, isInMiddle: hasHappened && isInMiddle });
  }

  private async stopRunner(step: PlanStep, delayMs: number): Promise<void> {
    const { runner } = this;
    if (!runner) return;
    await systemClock.sleep(delayMs);
    runner.kill("SIGSTOP");
    await systemClock.sleep(FOLLOW_MS);
    this.note({ what: "runner (stopped)", step, isInMiddle: !this.hasEnded(step) });
    await this.startRunner();
    await systemClock.sleep(STOPPED_MS);
    runner.kill("SIGCONT");
    this.woken.push(runner);
    this.lines.push("the stopped runner has woken up");
  }

  private stopAgent(step: PlanStep, delayMs: number): Promise<void> {
    const host = this.hostOf(step);
    return this.trouble(`agent of ${host} (stopped)`, step, delayMs, async (during) => {
      const text = await readFile(fleetLayout(this.options.fleet.directory).host(host).process, "utf8").catch(() => "");
      const identity = text === "" ? undefined : (JSON.parse(text) as ProcessIdentity);
      const isStopped = identity !== undefined && signalGroup(identity, "SIGSTOP");
      await during();
      if (identity) signalGroup(identity, "SIGCONT");
      return isStopped;
    });
  }

  private async killRunner(step: PlanStep, delayMs: number): Promise<void> {
    const { runner } = this;
    if (!runner) return;
    await systemClock.sleep(delayMs);
    const ended = once(runner, "exit");
    runner.kill("SIGKILL");
    await ended;
    // A last entry may still be on its way from the folder.
    await systemClock.sleep(FOLLOW_MS);
    this.note({ what: "runner", step, isInMiddle: !this.hasEnded(step) });
    await this.startRunner();
  }

  private async killAgent(step: PlanStep, delayMs: number): Promise<void> {
    const host = this.hostOf(step);
    await systemClock.sleep(delayMs);
    const isKilled = await this.killAgentOf(host);
    const atMs = Date.now();
    await systemClock.sleep(FOLLOW_MS);
    this.note({ what: `agent of ${host}`, step, isInMiddle: isKilled && !this.hasEnded(step, atMs) });
    await this.startAgentAgain(host);
  }

  /** Kills the agent before the runner can call anything else. */
  private async killAgentAfterCall(call: string, host: string): Promise<void> {
    if (await this.killAgentOf(host)) this.answered.push(call);
    this.lines.push(`agent of ${host} died after ${call}`);
    this.tellWishes(true);
    await this.startAgentAgain(host);
  }

  /** What a supervisor does. */
  private async startAgentAgain(host: string): Promise<void> {
    const { directory, platform } = this.options.fleet;
    const spread = SUPERVISOR_MS.most - SUPERVISOR_MS.least;
    await systemClock.sleep(SUPERVISOR_MS.least + ((this.kills.length * 137) % spread));
    // Nobody starts a standby host that was given back meanwhile.
    const { state } = await platform.hosts.observe(host, NO_ABORT);
    if (state !== "stopped") await startLocalHost(directory, host);
  }

  /** Kills an agent; that of a standby host which is just being started comes within a moment. False: there is none. */
  private async killAgentOf(host: string): Promise<boolean> {
    const path = fleetLayout(this.options.fleet.directory).host(host).process;
    const end = Date.now() + AGENT_COMES_MS;
    for (;;) {
      const text = await readFile(path, "utf8").catch(() => undefined);
      const identity = text === undefined ? undefined : (JSON.parse(text) as ProcessIdentity);
      // Agents lead a group of their own; their copies and commands have others.
      if (identity && signalGroup(identity, "SIGKILL")) return true;
      if (Date.now() > end) return false;
      await systemClock.sleep(5);
    }
  }

  private note(kill: Kill): void {
    this.kills.push(kill);
    if (kill.isInMiddle) this.wanted.delete(kill.step.kind);
    this.tellWishes();
  }

  /** @param atMs by when. @default now */
  private hasEnded(step: PlanStep, atMs = Number.POSITIVE_INFINITY): boolean {
    return this.follower.entries.some(
      (entry) =>
        (entry.kind === "step-done" || entry.kind === "step-failed") && entry.id === step.id && entry.at <= atMs,
    );
  }

  private hostOf(step: PlanStep): string {
    if (step.kind === "hand-over") return step.fromHost;
    if ("host" in step) return step.host;
    if ("hosts" in step) return step.hosts[0] ?? "";
    if ("endpoint" in step || "paths" in step) return "";
    return this.places.get(step.replica) ?? "";
  }

  private attempt(action: () => Promise<void>): void {
    action().catch((error: unknown) => {
      this.failure ??= { error };
    });
  }
}
