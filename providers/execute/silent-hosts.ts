/**
 * Hosts that a run has waited for in vain while it undoes a wave. The first step that needs such a host gets its whole
 * deadline, the ones after it one try each until the host answers again: else undoing would wait for each copy anew.
 *
 * Not for: hosts that may be restarting; nothing has waited for those to a deadline yet.
 */
import type { PlanStep, StepRecord, Wave } from "../../sdk/model";
import { callUntil, isUncertain } from "./calls";
import { leasedCall, type Execution } from "./execution";
import { endsProcess } from "./executor";
import { stepOf } from "./steps";

/** Knows which hosts do not answer. */
export class SilentHosts {
  private readonly silent = new Set<string>();

  constructor(
    private readonly execution: Pick<Execution, "platform" | "spec" | "clock" | "leases">,
    private readonly wave: Wave,
  ) {}

  /** Notes hosts of steps that failed at their deadline and that do not answer. */
  async noteOverdue(records: readonly StepRecord[]): Promise<void> {
    const { spec } = this.execution;
    const overdue = records.filter(
      ({ step, status, intentAt, endAt }) =>
        status === "failed" && endAt !== undefined && endAt - intentAt >= stepOf(step).deadlineMs({ step, spec }),
    );
    await this.note(overdue.flatMap(({ step }) => hostsOfStep(step, this.wave)));
  }

  /** Notes hosts of a step whose undoing has waited to its deadline, as far as they do not answer. */
  async noteFailure(step: PlanStep, error: unknown): Promise<void> {
    if (isUncertain(error)) await this.note(hostsOfStep(step, this.wave));
  }

  /** True where a step needs a host that has been waited for and still does not answer. */
  async isInVain(step: PlanStep): Promise<boolean> {
    const hosts = hostsOfStep(step, this.wave).filter((host) => this.silent.has(host));
    if (hosts.length === 0) return false;
    const unreachable = await this.unreachable();
    for (const host of hosts) if (!unreachable.has(host)) this.silent.delete(host);
    return hosts.some((host) => this.silent.has(host));
  }

  private async note(hosts: readonly string[]): Promise<void> {
    if (hosts.length === 0) return;
    const unreachable = await this.unreachable();
    for (const host of hosts) if (unreachable.has(host)) this.silent.add(host);
  }

  /** Where nobody can tell, no host counts as silent. */
  private async unreachable(): Promise<ReadonlySet<string>> {
    const { platform, clock, leases } = this.execution;
    try {
      const hosts = await callUntil(leasedCall(leases, clock, clock.now()), (signal) => platform.hosts.list(signal));
      return new Set(hosts.flatMap(({ id, state }) => (state === "unreachable" ? [id] : [])));
    } catch (error) {
      if (endsProcess(error)) throw error;
      return new Set();
    }
  }
}

/** Hosts that a step, or its way back, needs an answer of. */
function hostsOfStep(step: PlanStep, wave: Wave): readonly string[] {
  // The platform puts a machine back, whether the one in its place answers or not.
  if (step.kind === "replace" || step.kind === "discard-replaced") return [];
  if ("fromHost" in step) return [step.fromHost, step.toHost];
  if ("host" in step) return [step.host];
  if (!("replica" in step)) return [];
  const move = wave.moves.find(({ id }) => id === step.move);
  const host = step.replica === move?.newReplica ? (move.to ?? move.from) : move?.from;
  return host === undefined ? [] : [host];
}
