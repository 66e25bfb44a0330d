/**
 * What a plan costs, in total and by wave, and cheaper plans beside it. Plain data, readable as JSON.
 *
 * Not for: prices (prices.ts) and how costs are found (providers/plan/cost.ts).
 */
import type { DurationQuantiles } from "./waves";

/** What a plan costs; golden journals of earlier versions have no items. */
export interface CostLine {
  readonly reservedHostHours: number;
  /** Absent when no price is known. */
  readonly amount?: number;
  readonly currency?: string;
  readonly note: string;
  readonly items?: readonly CostItem[];
  readonly waves?: readonly WaveCost[];
  /** Plans that cost less and keep the promise as well, cheapest first. */
  readonly cheaper?: readonly CheaperPlan[];
}

/** One kind of cost. */
export interface CostItem {
  readonly kind: "reservation" | "surge" | "replacement" | "transfer" | "burst";
  readonly quantity: number;
  /** Such as `host hours`. */
  readonly unit: string;
  /** Absent when it has no price. */
  readonly amount?: number;
}

/** What one wave costs. */
export interface WaveCost {
  readonly wave: number;
  readonly items: readonly CostItem[];
  readonly amount?: number;
}

/** Another plan that was found by planning again with one change. */
export interface CheaperPlan {
  /** The change, as in `limits.hostsAtOnce: 4`. */
  readonly change: string;
  readonly amount: number;
  /** How much less than the plan. */
  readonly saves: number;
  /** What it takes in exchange. */
  readonly total: DurationQuantiles;
  readonly reserveHosts: number;
  readonly startMs: number;
}
