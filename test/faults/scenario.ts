/**
 * A scenario: a fleet, an update and what goes wrong, as plain JSON, so that a failing one can be printed, shortened and
 * run again anywhere.
 *
 * Not for: how it is carried out (carry-out.ts) and judged (verdict.ts).
 */
import type { FailbackPolicy } from "../../sdk/model";
import type { Fault, StoreFault } from "../../providers/testing";

/** One thing that goes wrong. Times count from the start of the first process. */
export type Incident =
  /** A driver's call refuses, times out, does half of it, ... */
  | { readonly kind: "call"; readonly fault: Fault }
  /** A single call of the store fails. */
  | { readonly kind: "store"; readonly fault: StoreFault }
  /** Nobody reaches the store, or it takes nothing more, for a time. */
  | { readonly kind: "store-away"; readonly afterMs: number; readonly forMs: number; readonly isFull: boolean }
  /** Another process starts with the same run. */
  | { readonly kind: "rival"; readonly afterMs: number }
  /** Somebody else takes a lease: `run`, or that of a host. */
  | { readonly kind: "lease-lost"; readonly afterMs: number; readonly on: string; readonly forMs: number }
  /** The runner is killed and started again. */
  | { readonly kind: "crash"; readonly afterMs: number; readonly backAfterMs: number }
  /** The runner is killed while a call is on its way, which arrives later. */
  | {
      readonly kind: "crash-sending";
      readonly call: string;
      readonly nth: number;
      readonly arrivesAfterMs: number;
      readonly backAfterMs: number;
    }
  /** The runner stands still, as after SIGSTOP or in a laptop that sleeps, and then goes on. */
  | { readonly kind: "stall"; readonly afterMs: number; readonly forMs: number }
  /** The wall clock of the runner's machine jumps until it is started again. */
  | { readonly kind: "clock-step"; readonly afterMs: number; readonly byMs: number }
  /** Hosts lose power: one, or all of a zone; without `backAfterMs` for good. */
  | {
      readonly kind: "hosts-die";
      readonly afterMs: number;
      readonly hosts: readonly string[];
      readonly backAfterMs?: number;
    }
  /** The runner does not reach some hosts for a time; their workloads go on. */
  | { readonly kind: "split"; readonly afterMs: number; readonly hosts: readonly string[]; readonly forMs: number }
  /** A copy is unhealthy and healthy in turn. */
  | {
      readonly kind: "flap";
      readonly afterMs: number;
      readonly replica: string;
      readonly everyMs: number;
      readonly times: number;
    }
  /** A call that was answered arrives once more. */
  | { readonly kind: "duplicate"; readonly call: string; readonly nth: number; readonly againAfterMs: number };

/** What the update's command does on a host where it does not simply work. */
export type HostTrouble = "fails" | "fails-broken" | "hangs" | "lies";

/** Everything that a run depends on. */
export interface Scenario {
  readonly seed: number;
  readonly hosts: number;
  readonly zones: number;
  readonly standby: number;
  readonly hostsAtOnce: number;
  readonly canaryHosts: number;
  readonly reboot: boolean;
  /** `works`, fails when it is needed, or there is none. */
  readonly undo: "works" | "fails" | "none";
  readonly failback: FailbackPolicy;
  /** Factor on the sample demand. */
  readonly demand: number;
  readonly updateMs: number;
  readonly bootMs: number;
  readonly requestsPerSecond: number;
  /** How often the ledger answers "not now" before it is moved. */
  readonly notNow: number;
  /** Hosts offer live migration. @default false */
  readonly migratesLive?: boolean;
  /** Pricing finds room on no other host, and a function stands in for it. @default false */
  readonly bursts?: boolean;
  /** There is no reserve, and functions of the front may be refused. @default false */
  readonly refuses?: boolean;
  /** Hosts that are replaced by machines of an image instead of updated in place; some: every second one. @default "none" */
  readonly replaces?: "none" | "some" | "all";
  /** By host. */
  readonly troubles: Readonly<Record<string, HostTrouble>>;
  readonly incidents: readonly Incident[];
}

/** Id of a member host by its number from 1. */
export function hostId(number: number): string {
  return `host-${String(number).padStart(2, "0")}`;
}

/** Zone of a host by its number from 1, as the sample fleet lays them out. */
export function zoneOf(number: number, zones: number): number {
  return (number - 1) % zones;
}
