/**
 * The log of an in-memory fleet: what took effect, and what became of availability, writes and requests. It is the
 * truth that tests and the checker compare a run with; the run itself never sees it.
 *
 * Not for: the journal, which is what the run believes.
 */
import type { ReplicaState } from "../../sdk/model";

/** What happened, without its time. */
export type FleetHappening =
  /** A mutating call took effect for the first time under its key. */
  | {
      readonly kind: "effect";
      readonly call: string;
      readonly subject: string;
      /** Whose lease fences it: `host/<id>`, `switch`, `pool` or `functions`. */
      readonly scope: string;
      readonly key: string;
      readonly epoch: number;
      readonly owner: string;
    }
  /** A repeated key was answered with the recorded result. */
  | { readonly kind: "repeated"; readonly call: string; readonly subject: string; readonly key: string }
  | {
      readonly kind: "refused";
      readonly call: string;
      readonly subject: string;
      readonly key: string;
      readonly code: string;
    }
  /** A scripted fault was applied. */
  | { readonly kind: "fault"; readonly call: string; readonly subject: string; readonly fault: string }
  /** The same thing was done twice under different keys. */
  | { readonly kind: "double-effect"; readonly call: string; readonly subject: string; readonly text: string }
  /** `byItself`: no call of a run caused it. */
  | {
      readonly kind: "host";
      readonly host: string;
      readonly state: "ready" | "stopped" | "unreachable";
      readonly byItself: boolean;
    }
  | { readonly kind: "cordon"; readonly host: string; readonly owner: string | null }
  /** Shares were put in force on a host, or (null) ended. */
  | { readonly kind: "shares"; readonly host: string; readonly owner: string | null }
  /** Another machine took a host's place, was taken out of it again, or the old one was ended. */
  | { readonly kind: "replacement"; readonly host: string; readonly what: "started" | "restored" | "discarded" }
  /** A command was started on a host. */
  | { readonly kind: "command"; readonly host: string; readonly command: string; readonly key: string }
  | { readonly kind: "version"; readonly host: string; readonly version: string }
  | {
      readonly kind: "replica";
      readonly replica: string;
      readonly workload: string;
      readonly host: string;
      readonly state: ReplicaState;
    }
  /** Healthy, serving copies from now on. */
  | {
      readonly kind: "availability";
      readonly workload: string;
      readonly available: number;
      readonly serving: readonly { readonly replica: string; readonly host: string }[];
    }
  /** Writes number `from` (included) to `to` (not included) were acknowledged by a copy. */
  | {
      readonly kind: "writes-acknowledged";
      readonly workload: string;
      readonly replica: string;
      readonly from: number;
      readonly to: number;
    }
  | { readonly kind: "writes-lost"; readonly workload: string; readonly replica: string; readonly count: number }
  | { readonly kind: "dual-writers"; readonly workload: string; readonly replicas: readonly string[] }
  | { readonly kind: "requests-failed"; readonly service: string; readonly count: number; readonly reason: string }
  | { readonly kind: "parked"; readonly service: string; readonly token: string }
  | {
      readonly kind: "unparked";
      readonly service: string;
      readonly token: string;
      readonly pauseMs: number;
      readonly parkedRequests: number;
      readonly outcome: "ended" | "reverted" | "completed-at-deadline";
    }
  /** A copy went to another host while it ran. */
  | {
      readonly kind: "migrated";
      readonly replica: string;
      readonly workload: string;
      readonly from: string;
      readonly to: string;
      readonly pauseMs: number;
    }
  /** A host's load went over its capacity. */
  | {
      readonly kind: "overload";
      readonly host: string;
      readonly resource: "cpuMillis" | "memoryBytes";
      readonly load: number;
      readonly capacity: number;
    }
  /** A function got more requests per second than it takes. */
  | { readonly kind: "function-overload"; readonly function: string; readonly load: number; readonly capacity: number };

/** One event with its wall time in ms. */
export type FleetEvent = { readonly atMs: number } & FleetHappening;

/** Events of one kind, typed. */
export function eventsOf<K extends FleetHappening["kind"]>(
  events: readonly FleetEvent[],
  kind: K,
): readonly Extract<FleetEvent, { readonly kind: K }>[] {
  return events.filter((event): event is Extract<FleetEvent, { readonly kind: K }> => event.kind === kind);
}
