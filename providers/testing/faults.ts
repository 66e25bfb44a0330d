/**
 * Scripted faults: which call goes wrong, and how.
 *
 * Not for: things that happen at a time without a call; see the methods of MemoryFleet for those.
 */
import type { DriverErrorCode } from "../../sdk/model";

/** How a call goes wrong. */
export type FaultEffect =
  /** The platform says no, without an effect. @default code "refused" */
  | { readonly kind: "refuse"; readonly code?: DriverErrorCode; readonly message?: string }
  /** No answer and no effect. */
  | { readonly kind: "timeout" }
  /** It is done, but the answer is lost: the caller sees a timeout. */
  | { readonly kind: "answer-lost" }
  /** It takes this much longer, then works. */
  | { readonly kind: "slow"; readonly ms: number }
  /**
   * Half of it is done. `capacity.*`: only the first host, then an error; `hosts.startUpdate`: a version `<old>-broken`
   * and exit code 1; `workloads.start`: the copy never becomes healthy; `workloads.restore`: half of the state; `functions.deploy`:
   * the endpoint fails; `replacement.start`: the new machine is there, `<version>-broken`, and the operation has failed; other
   * calls: done, then an error `failed`.
   */
  | { readonly kind: "partial" }
  /** The call's host loses power, and the call with it. It comes back after `backAfterMs`, or never. */
  | { readonly kind: "host-dies"; readonly backAfterMs?: number }
  /** The call's agent ends before the effect and is back after this time; workloads go on. */
  | { readonly kind: "agent-dies"; readonly backAfterMs: number; readonly isDone?: boolean };

/** Which calls a fault applies to. */
export interface Fault {
  /** Call with `*` as wildcard: `hosts.startUpdate`, `workloads.*`, `*`. */
  readonly call: string;
  /** Host, service, replica or function with `*` as wildcard; a call matches by any of its subjects. @default "*" */
  readonly on?: string;
  /** The first matching call that goes wrong, counted from 1. @default 1 */
  readonly nth?: number;
  /** How many go wrong from there on. @default 1 */
  readonly times?: number;
  readonly effect: FaultEffect;
}

/** Finds the fault of each call, counting the calls that match. */
export class FaultScript {
  private readonly entries: { readonly fault: Fault; seen: number }[] = [];

  add(fault: Fault): void {
    this.entries.push({ fault, seen: 0 });
  }

  /** The effect for this call, when one is due; every matching entry counts it. */
  next(call: string, subjects: readonly string[]): FaultEffect | undefined {
    let due: FaultEffect | undefined;
    for (const entry of this.entries) {
      const { fault } = entry;
      if (!matchesPattern(fault.call, call)) continue;
      if (!subjects.some((subject) => matchesPattern(fault.on ?? "*", subject))) continue;
      entry.seen += 1;
      const first = fault.nth ?? 1;
      if (entry.seen >= first && entry.seen < first + (fault.times ?? 1)) due ??= fault.effect;
    }
    return due;
  }
}

/** True when `text` matches a pattern in which `*` stands for any characters and `?` for one. */
export function matchesPattern(pattern: string, text: string): boolean {
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, "\\$&")
    .replaceAll("*", ".*")
    .replaceAll("?", ".");
  return new RegExp(`^${source}$`, "s").test(text);
}
