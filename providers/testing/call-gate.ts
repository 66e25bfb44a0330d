/**
 * The way into the in-memory fleet: every call passes here, and here are latency, faults, reachability, fencing by
 * epoch, idempotency keys and counting. The drivers behind it only say what a call does.
 *
 * Not for: effects.
 *
 * Invariants
 * 1. A key has at most one effect; its result is recorded with it, before the answer can be lost.
 * 2. Epochs are compared within one scope: a host's lease by host, the run's lease (switch, pool) by owner.
 * 3. A call whose signal is aborted before it arrives has no effect.
 */
import { DriverError } from "../../sdk/model";
import type { CallContext } from "../drivers/contracts";
import type { FaultEffect } from "./faults";
import { FaultScript } from "./faults";
import type { HostRecord } from "./fleet-records";
import type { FleetState } from "./fleet-state";
import type { Random } from "./random";

/** A call's target. */
export interface CallTarget {
  /** Name such as `hosts.cordon`. */
  readonly call: string;
  /** What it is about, for messages and fault patterns; the first is the main one. */
  readonly subjects: readonly string[];
  /** The host whose agent answers; absent for the switch and the pool. */
  readonly host?: string;
  /** The platform answers for the host, also where that one does not. @default false */
  readonly isOfPlatform?: boolean;
}

/** What a fault leaves for the effect itself to do. */
export type EffectMode = "whole" | "partial";

/** Calls counted by name. */
export interface CallCounts {
  readonly reads: ReadonlyMap<string, number>;
  readonly mutations: ReadonlyMap<string, number>;
}

const DEFAULT_LATENCY_MS = 2;
const DEFAULT_JITTER_MS = 1;
const DEFAULT_CALL_TIMEOUT_MS = 2000;

export class CallGate {
  readonly faults = new FaultScript();
  private readonly reads = new Map<string, number>();
  private readonly mutations = new Map<string, number>();
  /** Results by scope and key; a call under way is joined. */
  private readonly results = new Map<string, Promise<unknown>>();
  /** Keys whose call took effect in part and failed; repeating it ends the same effect. */
  private readonly halfDone = new Set<string>();
  private readonly lowestEpochs = new Map<string, number>();

  constructor(
    private readonly state: FleetState,
    private readonly random: Random,
  ) {}

  get counts(): CallCounts {
    return { reads: this.reads, mutations: this.mutations };
  }

  /** Passes a call that changes nothing. */
  async read<T>(target: CallTarget, signal: AbortSignal, body: () => T): Promise<T> {
    count(this.reads, target.call);
    const fault = await this.arrive(target, signal);
    const answer = body();
    await this.applyAfter(target, fault);
    return answer;
  }

  /** Passes a mutating call; `body` runs at most once for a key. */
  async mutate<T>(target: CallTarget, context: CallContext, body: (mode: EffectMode) => T | Promise<T>): Promise<T> {
    count(this.mutations, target.call);
    try {
      const fault = await this.arrive(target, context.signal);
      this.checkEpoch(target, context);
      const mode: EffectMode = fault?.kind === "partial" ? "partial" : "whole";
      const answer = await this.once(target, context, mode, () => body(mode));
      await this.applyAfter(target, fault);
      return answer;
    } catch (error) {
      if (error instanceof DriverError) {
        const [subject = target.call] = target.subjects;
        this.state.log({ kind: "refused", call: target.call, subject, key: context.key, code: error.code });
      }
      throw error;
    }
  }

  /** Forgets nothing and lets older epochs of a scope no longer in. */
  raiseEpoch(scope: string, epoch: number): void {
    this.lowestEpochs.set(scope, Math.max(this.lowestEpochs.get(scope) ?? 0, epoch));
  }

  /** The call travels; faults that keep it from arriving end it here. */
  private async arrive(target: CallTarget, signal: AbortSignal): Promise<FaultEffect | undefined> {
    const { clock, spec } = this.state;
    const [subject = target.call] = target.subjects;
    const fault = this.faults.next(target.call, target.subjects);
    if (fault) this.state.log({ kind: "fault", call: target.call, subject, fault: fault.kind });
    const travelMs = (spec.latencyMs ?? DEFAULT_LATENCY_MS) + this.random.next() * (spec.jitterMs ?? DEFAULT_JITTER_MS);
    await clock.sleep(travelMs + (fault?.kind === "slow" ? fault.ms : 0), signal);
    if (signal.aborted) throw new DriverError("unreachable", subject, `${target.call} was aborted before it arrived`);
    await this.applyBefore(target, fault);
    const host = target.host === undefined || target.isOfPlatform === true ? undefined : this.hostOf(target.host);
    if (host && !this.state.isReachable(host)) {
      await clock.sleep(spec.callTimeoutMs ?? DEFAULT_CALL_TIMEOUT_MS, signal);
      throw new DriverError("unreachable", target.host ?? subject, `${target.call}: no answer`);
    }
    this.state.load.settle();
    return fault;
  }

  private async applyBefore(target: CallTarget, fault: FaultEffect | undefined): Promise<void> {
    const [subject = target.call] = target.subjects;
    if (fault?.kind === "refuse") {
      throw new DriverError(fault.code ?? "refused", subject, fault.message ?? `${target.call} was refused`);
    }
    if (fault?.kind === "timeout") await this.timeOut(target);
    if (fault?.kind === "host-dies") {
      const host = this.hostOf(target.host ?? subject);
      this.state.change(() => {
        this.state.powerOff(host, true);
        const backAfterMs = fault.backAfterMs;
        if (backAfterMs !== undefined) this.state.changeAfter(backAfterMs, () => this.state.boot(host, true));
      });
    }
    if (fault?.kind === "agent-dies" && fault.isDone !== true) this.killAgent(target, fault.backAfterMs);
  }

  private async applyAfter(target: CallTarget, fault: FaultEffect | undefined): Promise<void> {
    if (fault?.kind === "answer-lost") await this.timeOut(target);
    if (fault?.kind === "agent-dies" && fault.isDone === true) {
      this.killAgent(target, fault.backAfterMs);
      await this.timeOut(target);
    }
  }

  private killAgent(target: CallTarget, backAfterMs: number): void {
    const host = this.hostOf(target.host ?? target.subjects[0] ?? "");
    this.state.change(() => {
      host.isAgentUp = false;
    });
    this.state.changeAfter(backAfterMs, () => {
      host.isAgentUp = true;
    });
  }

  private async timeOut(target: CallTarget): Promise<never> {
    const timeoutMs = this.state.spec.callTimeoutMs ?? DEFAULT_CALL_TIMEOUT_MS;
    await this.state.clock.sleep(timeoutMs);
    const [subject = target.call] = target.subjects;
    throw new DriverError("timeout", subject, `${target.call}: no answer within ${String(timeoutMs)} ms`);
  }

  private checkEpoch(target: CallTarget, context: CallContext): void {
    const scope = scopeOf(target, context);
    const lowest = this.lowestEpochs.get(scope) ?? 0;
    if (context.epoch < lowest) {
      const [subject = target.call] = target.subjects;
      throw new DriverError(
        "stale-epoch",
        subject,
        `${target.call} came with epoch ${String(context.epoch)}; ${String(lowest)} is the lowest accepted`,
      );
    }
    this.raiseEpoch(scope, context.epoch);
  }

  /** Runs the body for a new key; joins or repeats the result of a known one. A failed key may be tried again. */
  private once<T>(target: CallTarget, context: CallContext, mode: EffectMode, body: () => T | Promise<T>): Promise<T> {
    const id = `${target.host ?? target.call.split(".")[0] ?? ""}|${context.key}`;
    const [subject = target.call] = target.subjects;
    const recorded = this.results.get(id);
    if (recorded) {
      this.state.log({ kind: "repeated", call: target.call, subject, key: context.key });
      return recorded as Promise<T>;
    }
    const startedMs = this.state.clock.now();
    const logEffect = (): void => {
      // Long work took effect when it began, not when it answered.
      this.state.events.push({
        atMs: startedMs,
        kind: "effect",
        call: target.call,
        subject,
        scope: leaseOf(target),
        key: context.key,
        epoch: context.epoch,
        owner: context.owner,
      });
    };
    const result = (async () => {
      try {
        const answer = await this.state.change(body);
        if (!this.halfDone.has(id)) logEffect();
        return answer;
      } catch (error) {
        if (mode === "partial") {
          logEffect();
          this.halfDone.add(id);
        }
        throw error;
      }
    })();
    this.results.set(id, result);
    result.catch(() => this.results.delete(id));
    return result;
  }

  private hostOf(id: string): HostRecord {
    const host = this.state.hosts.get(id);
    if (!host) throw new DriverError("not-found", id, "there is no such host");
    return host;
  }
}

function scopeOf(target: CallTarget, context: CallContext): string {
  return target.host ?? `${target.call.split(".")[0] ?? ""}/${context.owner}`;
}

/** Whose lease fences a call. */
function leaseOf(target: CallTarget): string {
  if (target.host !== undefined) return `host/${target.host}`;
  if (target.call.startsWith("functions.")) return "functions";
  return target.call.startsWith("traffic.") ? "switch" : "pool";
}

function count(counts: Map<string, number>, call: string): void {
  counts.set(call, (counts.get(call) ?? 0) + 1);
}
