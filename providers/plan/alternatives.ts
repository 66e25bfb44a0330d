/**
 * Ways to pay less for a run with the same promise: each is a change that was planned again with and came out cheaper.
 *
 * Not for: plans that are blocked; what helps there is in fixes.ts.
 */
import type { CheaperPlan, CostLine, Opening, Wave } from "../../sdk/model";

import { planCost } from "./cost";
import type { PlanInput } from "./plan-input";
import type { Schedule, TriedSchedules } from "./schedule";

/** Each alternative is a whole plan: on larger fleets they would cost a preview seconds. */
const MOST_COPIES = 1_000;
/** Openings after the planned one that are tried. */
const OPENINGS_TRIED = 3;
/** Savings below this share of the cost are not worth a change. */
const WORTHWHILE_SHARE = 0.02;
const FACTORS: readonly number[] = [2, 4];

/**
 * Plans again; undefined when there is no plan that fits.
 * @param isQuick by the usual rules for lanes alone
 * @param tried of the same input and opening; kept for the closer look
 */
export type PlanAgain = (
  input: PlanInput,
  opening: Opening | undefined,
  isQuick: boolean,
  tried: TriedSchedules,
) => Schedule | undefined;

interface Alternative {
  readonly change: string;
  readonly input: PlanInput;
  readonly opening: Opening | undefined;
  /** What it can save at most: what it changes costs no more now. */
  readonly mostSaved: number;
}

/**
 * Finds cheaper plans, cheapest first; none where the cost has no amount, where a run is under way, or on fleets of
 * more than a thousand copies. Nothing is planned where what a change bears on costs too little to be worth it.
 */
export function findCheaper(
  input: PlanInput,
  cost: CostLine,
  waves: readonly Wave[],
  opening: Opening | undefined,
  candidates: readonly Opening[],
  planAgain: PlanAgain,
): readonly CheaperPlan[] {
  const { amount } = cost;
  if (amount === undefined || amount <= 0 || input.progress) return [];
  if (input.fleet.replicas.length > MOST_COPIES) return [];
  const worthwhile = amount * WORTHWHILE_SHARE;
  const isWorthwhile = ({ saves }: CheaperPlan): boolean => saves >= worthwhile;
  // A quick look first: most changes save nothing.
  const found = [
    ...widerWaves(input, opening, amount),
    ...noFailback(input, opening, cost, waves),
    ...otherOpenings(input, opening, candidates, amount),
  ]
    .filter(({ mostSaved }) => mostSaved >= worthwhile)
    .map((alternative) => ({ ...alternative, tried: new Map() as TriedSchedules }))
    .filter((alternative) => priceAlternative(alternative, amount, planAgain, true).some(isWorthwhile))
    .flatMap((alternative) => priceAlternative(alternative, amount, planAgain, false))
    .filter(isWorthwhile);
  return found.sort((a, b) => a.amount - b.amount || a.total.p50Ms - b.total.p50Ms);
}

function priceAlternative(
  { change, input, opening, tried }: Alternative & { readonly tried: TriedSchedules },
  before: number,
  planAgain: PlanAgain,
  isQuick: boolean,
): CheaperPlan[] {
  const schedule = planAgain(input, opening, isQuick, tried);
  const startMs = schedule?.waves[0]?.startMs;
  if (!schedule || startMs === undefined) return [];
  const amount = planCost(schedule, input).amount ?? 0;
  return [
    {
      change,
      amount,
      saves: Math.round((before - amount) * 10_000) / 10_000,
      total: schedule.total,
      reserveHosts: schedule.reserve.length,
      startMs,
    },
  ];
}

/** Reserve is paid by the hour: wider waves need it for a shorter time, if not more of it; and copies go elsewhere. */
function widerWaves(input: PlanInput, opening: Opening | undefined, mostSaved: number): Alternative[] {
  const { limits } = input.spec;
  return FACTORS.map((factor) => {
    const hostsAtOnce = limits.hostsAtOnce * factor;
    const hostsPerZone = limits.hostsPerZone * factor;
    const wider = { ...limits, hostsAtOnce, hostsPerZone };
    return {
      change: `limits: { hostsAtOnce: ${String(hostsAtOnce)}, hostsPerZone: ${String(hostsPerZone)} }`,
      input: { ...input, spec: { ...input.spec, limits: wider } },
      opening,
      mostSaved,
    };
  });
}

/** What need not come back is not moved twice. */
function noFailback(
  input: PlanInput,
  opening: Opening | undefined,
  cost: CostLine,
  waves: readonly Wave[],
): Alternative[] {
  if (input.spec.failback === "never") return [];
  const back = new Set(waves.flatMap(({ kind, index }) => (kind === "failback" ? [index] : [])));
  const mostSaved = (cost.waves ?? []).reduce((sum, { wave, amount = 0 }) => sum + (back.has(wave) ? amount : 0), 0);
  const never: PlanInput = { ...input, spec: { ...input.spec, failback: "never" } };
  return [{ change: 'failback: "never"', input: never, opening, mostSaved }];
}

/** At another time less may be wanted, and less reserve needed; only where the forecast reaches that far. */
function otherOpenings(
  input: PlanInput,
  planned: Opening | undefined,
  candidates: readonly Opening[],
  amount: number,
): Alternative[] {
  const { startMs: firstMs, stepMs, steps } = input.forecast.demand;
  return candidates
    .filter(({ startMs }) => startMs > (planned?.startMs ?? Infinity))
    .filter(({ endMs }) => endMs <= firstMs + steps * stepMs)
    .slice(0, OPENINGS_TRIED)
    .map((opening) => ({
      change: `the opening of ${new Date(opening.startMs).toISOString()}`,
      input,
      opening,
      mostSaved: amount,
    }));
}
