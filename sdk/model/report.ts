/**
 * The measured report of a run; `v` is its schema's version. One JSON, rendered as text and as HTML elsewhere.
 *
 * Not for: rendering (providers/report).
 */
import type { RunFailure } from "./errors";
import type { QuantileForecast } from "./forecast";
import type { CostLine } from "./plan-cost";
import type { Move, StepKind, Wave } from "./waves";
import type { Phase } from "./run";

/** Latency of requests in milliseconds. */
export interface LatencySummary {
  readonly requests: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** Traffic of one service over one bucket of time, as the switch saw it. */
export interface TrafficBucket {
  readonly atMs: number;
  readonly requests: number;
  /** Answers 5xx made by the switch or a backend that broke off; what the client saw fail. */
  readonly failed: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

export interface ServiceReport {
  readonly service: string;
  readonly requests: number;
  readonly failed: number;
  readonly steady: LatencySummary;
  readonly window: LatencySummary;
  readonly buckets: readonly TrafficBucket[];
}

/** One pause of an exclusive workload. */
export interface PauseReport {
  readonly workload: string;
  readonly atMs: number;
  readonly pauseMs: number;
  readonly maxPauseMs: number;
  readonly parkedRequests: number;
}

/** Healthy, serving replicas of a workload over time against what its budget asks for. */
export interface BudgetLine {
  readonly workload: string;
  readonly required: number;
  /** Step function: from `atMs` on. */
  readonly points: readonly { readonly atMs: number; readonly available: number }[];
  readonly lowestHeadroom: number;
}

export interface StepReport {
  readonly id: string;
  readonly kind: StepKind;
  /** Hosts it concerned: its own, those it reserved or watched, or both ends of a hand-over. */
  readonly hosts: readonly string[];
  readonly workload?: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly status: "done" | "failed" | "undone" | "undo-failed" | "open";
}

/** Actual CPU demand beside its forecast. */
export interface ForecastReport {
  readonly workload: string;
  readonly forecast: QuantileForecast;
  readonly actual: readonly { readonly atMs: number; readonly cpuMillis: number }[];
  /** Share of forecast steps whose measured mean is within P5 to P95; absent without measurements. */
  readonly insideBand?: number;
  /** Stretches outside P5 to P95 in words, with what explains them; absent: none. */
  readonly misses?: readonly string[];
}

export interface HostReport {
  readonly host: string;
  readonly zone: string;
  readonly before: string;
  readonly after: string;
  readonly outcome: "updated" | "skipped" | "unchanged" | "undone" | "lost";
}

/** A broken promise, found by the independent checker (providers/guard) in journal and observations. */
export interface Violation {
  readonly atMs: number;
  /**
   * `order`: phases or steps in an order that the promise forbids; `envelope`: more than was approved; `place`: a copy where
   * its rules or devices forbid it.
   */
  readonly rule:
    "budget" | "capacity" | "lease" | "pause" | "orphan" | "double-effect" | "order" | "envelope" | "place";
  readonly subject: string;
  readonly text: string;
}

export interface RunReport {
  readonly v: 1;
  readonly run: string;
  readonly name: string;
  readonly engine: string;
  readonly phase: Phase;
  readonly digest: string;
  readonly update: string;
  /** IANA zone of the window, for times that people read; absent in reports of earlier versions. */
  readonly timezone?: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly plannedEndMs: number;
  readonly hosts: readonly HostReport[];
  readonly waves: readonly Wave[];
  readonly moves: readonly Move[];
  readonly steps: readonly StepReport[];
  readonly services: readonly ServiceReport[];
  readonly pauses: readonly PauseReport[];
  readonly budgets: readonly BudgetLine[];
  readonly forecasts: readonly ForecastReport[];
  readonly cost: { readonly planned: CostLine; readonly actualHostHours: number; readonly amount?: number };
  readonly violations: readonly Violation[];
  /** What is not as it should be at the end, each with its subject first. */
  readonly problems: readonly string[];
  readonly failure?: RunFailure;
  readonly decisions: readonly { readonly at: number; readonly text: string }[];
  /** What in this report is not measured but made, such as a generated load history. */
  readonly disclosures: readonly string[];
}
