/**
 * A run: its phases and the entries of its journal. Replaying the entries gives the state; nothing else is trusted.
 *
 * Not for: storage (providers/journal) and effects (providers/execute).
 */
import type { RunRequest } from "./control";
import type { RunFailure } from "./errors";
import type { Bundle, MigrationPlan } from "./plan";
import type { PlanStep, Wave } from "./waves";

export type Phase =
  "armed" | "running" | "paused" | "recovering" | "done" | "failed" | "cancelled" | "skipped" | "expired";

/** True for phases that no runner leaves by itself. */
export function isFinalPhase(phase: Phase): boolean {
  return phase === "done" || phase === "failed" || phase === "cancelled" || phase === "skipped" || phase === "expired";
}

/** Any JSON value. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/**
 * One entry of a journal. `at` is wall time in ms, `epoch` the run lease's epoch of who wrote it, `v` the major
 * version of the format.
 */
export type JournalEntry = { readonly v: 1; readonly at: number; readonly epoch: number } & JournalEvent;

export type JournalEvent =
  | {
      readonly kind: "created";
      readonly digest: string;
      readonly attempt: number;
      readonly bundle: Bundle;
      readonly plan: MigrationPlan;
    }
  | { readonly kind: "phase"; readonly phase: Phase; readonly reason: string }
  | { readonly kind: "taken-over"; readonly owner: string; readonly previousOwner?: string }
  | { readonly kind: "wave-planned"; readonly wave: Wave; readonly note: string }
  | { readonly kind: "wave-done"; readonly index: number }
  | { readonly kind: "decision"; readonly text: string }
  /** A person's request is honoured from here on. */
  | { readonly kind: "asked"; readonly wish: RunRequest["wish"]; readonly by: string; readonly why: string }
  /** Before any effect of a step: what is about to happen and what its undo needs. */
  | { readonly kind: "step-intent"; readonly step: PlanStep; readonly key: string; readonly prior: Json }
  | { readonly kind: "step-started"; readonly id: string; readonly operation: string }
  | { readonly kind: "step-done"; readonly id: string; readonly result: Json; readonly alreadyDone: boolean }
  | { readonly kind: "step-failed"; readonly id: string; readonly reason: string; readonly output?: string }
  | { readonly kind: "undo-intent"; readonly id: string; readonly key: string }
  | { readonly kind: "undo-done"; readonly id: string; readonly note: string }
  | { readonly kind: "undo-failed"; readonly id: string; readonly reason: string }
  | { readonly kind: "failure"; readonly failure: RunFailure }
  | { readonly kind: "notice"; readonly text: string };

/** Where one step stands according to the journal. */
export interface StepRecord {
  readonly step: PlanStep;
  readonly key: string;
  readonly prior: Json;
  readonly status: "intended" | "started" | "done" | "failed" | "undoing" | "undone" | "undo-failed";
  readonly operation?: string;
  readonly result?: Json;
  readonly alreadyDone?: boolean;
  readonly reason?: string;
  /** What its undo brought back, for people. */
  readonly note?: string;
  readonly intentAt: number;
  readonly endAt?: number;
}

/** State of a run: the fold of its entries. */
export interface RunState {
  readonly id: string;
  readonly phase: Phase;
  readonly phaseReason: string;
  readonly attempt: number;
  readonly digest: string;
  readonly bundle: Bundle;
  readonly plan: MigrationPlan;
  /** Waves planned so far, in order. */
  readonly waves: readonly Wave[];
  readonly wavesDone: readonly number[];
  /** In the order of their intents. */
  readonly steps: readonly StepRecord[];
  readonly failure?: RunFailure;
  /** Set once somebody has cancelled it: what is left is the way to a safe state. */
  readonly cancelled?: { readonly by: string; readonly why: string };
  readonly decisions: readonly { readonly at: number; readonly text: string }[];
  readonly createdAt: number;
  readonly startedAt?: number;
  readonly endedAt?: number;
  /** Number of entries folded; the next sequence number. */
  readonly length: number;
}
