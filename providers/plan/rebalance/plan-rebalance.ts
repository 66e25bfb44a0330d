/**
 * The plan of a rebalance: waves that move copies and change no host, where the load of the hours ahead asks for it.
 * It goes the way of every plan from there: envelope, journal, executor, report.
 *
 * Not for: which copies move (balance.ts) and when it is calm (calm.ts).
 *
 * Invariants
 * 1. No host is source and target in one wave: a source is cordoned while copies leave it.
 * 2. Every move keeps the promise of the update planner at every moment of the wave (placement.ts).
 * 3. No more moves than allowed are made in one run, however often it is planned again.
 */
import type { Blocker, MigrationPlan, Opening, RebalanceSpec, ShareChange } from "../../../sdk/model";

import { judgeFleet } from "../blockers";
import { createLoads } from "../capacity";
import { planCost } from "../cost";
import { envelopeDigest } from "../digest";
import { budgetRows, closedBlocker, describeBudget, undisturbedHosts, widerBudget } from "../disruption-budgets";
import { longestMove, resolveDurations, sumDurations } from "../durations";
import { resolveEnvelope } from "../envelope";
import { plural } from "../explain";
import { findOpenings, startIn, windowBlocker } from "../fit";
import { inputIn } from "../opening-limits";
import { Placement } from "../placement";
import { limitsOfHost, placesOf } from "../lanes";
import type { PlanInput } from "../plan-input";
import { compareText, createProblem, type Problem } from "../problem";
import {
  createScheduleContext,
  longestOfMoves,
  settleMoves,
  stepOptions,
  Timeline,
  withWorkloads,
  type ScheduleContext,
} from "../schedule";
import { decideUnits, type JudgeStay } from "../scores/unit-decisions";
import { stageBlockers } from "../stages";
import { isTooCostly, isWorthMoving } from "../stay";
import { createRebalanceSteps } from "../steps";
import { findUnusable } from "../unusable-input";
import { searchWave, type PlacedMove } from "../wave-search";
import { findBalance, type Balance, type WantedMove } from "./balance";
import { findCalmTime, firstTimeAbove } from "./calm";
import { createShareSteps, sharesToSet, withShares, type HostShares } from "./share-changes";

/** Waves of one run: moves that wait for others to make room are few. */
const MAXIMUM_WAVES = 50;
const MAXIMUM_TRIES = 1_000;
const NO_SCOPE = { hosts: [], skipped: [], unusable: [], blockers: [], warnings: [], probes: {} } as const;

/** Plans a rebalance, or what is left of one. */
export function planRebalance(declared: PlanInput): MigrationPlan {
  return planWith(declared, true);
}

/** @param judgesBudgets whether budgets that let nothing begin block the plan where a wider one would do */
function planWith(declared: PlanInput, judgesBudgets: boolean): MigrationPlan {
  const { rebalance } = declared.spec;
  if (!rebalance) throw new TypeError(`${declared.spec.name} declares no rebalance`);
  const openings = findOpenings(declared);
  const opening = openings.candidates[0];
  const input = inputIn(opening, declared);
  const startMs = startIn(opening, input);
  const problem = createProblem(input, [], startMs, startMs + rebalance.horizonMs);
  const unusable = findUnusable(input.fleet, input.forecast);
  const judgement = judgeFleet(input, problem, NO_SCOPE);
  const blockers: Blocker[] = [
    ...unusable,
    ...(opening ? [...judgement.blockers, ...stageBlockers(declared)] : [windowBlocker(input)]),
  ];
  const quantile = input.spec.pool?.quantile ?? Math.max(input.spec.confidence, 0.5);
  const mostMoves = rebalance.maximumMoves - movesMade(input);
  const untilMs = startMs + rebalance.horizonMs;
  const isBlocked = blockers.length > 0;
  const { balance, shares } = findRelief(input, problem, startMs, quantile, isBlocked ? 0 : mostMoves, isBlocked);
  if (judgesBudgets && !isBlocked) blockers.push(...budgetBlockers(declared, balance, shares));
  const timing = opening ? findTime(input, problem, balance.moves, startMs, opening, quantile) : undefined;
  const scheduled =
    timing?.isNow === false && input.progress === undefined
      ? undefined
      : schedule(input, problem, balance.moves, shares, timing?.startMs ?? startMs, quantile);
  const waves = scheduled?.waves ?? [];
  const envelope = resolveEnvelope(declared);
  return {
    v: 1,
    decision: blockers.length > 0 ? "blocked" : waves.length === 0 ? "nothing" : "run",
    slotMs: declared.slotMs,
    seed: declared.spec.seed,
    ...(opening ? { opening } : {}),
    nextOpenings: openings.next,
    ...(declared.stages ? { stages: declared.stages } : {}),
    envelope,
    digest: envelopeDigest(envelope),
    ...budgetRows(declared, opening),
    reserve: { hosts: [], reason: "a rebalance needs none" },
    waves,
    skipped: [],
    blockers,
    warnings: [...judgement.warnings, ...(scheduled?.warnings ?? [])],
    total: scheduled?.total ?? { p50Ms: 0, p95Ms: 0 },
    cost: planCost(scheduled, input),
    probes: {},
    units: decideUnits(problem, input, waves, quantile, judgeStay(balance, waves.length > 0, blockers, input)),
    balance: {
      reason: describeReason(balance, shares.length, waves.length, timing, mostMoves),
      untilMs,
      rows: balance.rows,
      uses: balance.uses,
      ...(balance.shares.length > 0 ? { shares: markCarriedOut(balance.shares, shares, untilMs) } : {}),
    },
  };
}

/**
 * What helps: other shares alone where they are enough, for they move nobody; else moves, and then the shares with which
 * what they free is of use.
 */
function findRelief(
  input: PlanInput,
  problem: Problem,
  startMs: number,
  quantile: number,
  mostMoves: number,
  isBlocked: boolean,
): { readonly balance: Balance; readonly shares: readonly HostShares[] } {
  const { fleet, spec } = input;
  const rebalance = spec.rebalance as RebalanceSpec;
  const untilMs = startMs + rebalance.horizonMs;
  const balanceOf = (of: Problem, moves: number): Balance => findBalance(of, rebalance, quantile, spec.seed, moves);
  // Whatever drivers say, a run ends.
  const maySet = !isBlocked && (input.progress?.waveOffset ?? 0) < MAXIMUM_WAVES;
  if (maySet && fleet.hosts.some(({ offers }) => offers?.includes("shares"))) {
    const asIs = balanceOf(problem, 0);
    const set = sharesToSet(fleet, asIs.shares);
    if (set.length > 0) {
      const shifted = balanceOf(
        createProblem({ ...input, fleet: withShares(fleet, set, untilMs) }, [], startMs, untilMs),
        0,
      );
      if (shifted.cause === undefined) return { balance: withRowsAfter(asIs, shifted), shares: set };
    }
  }
  const balance = balanceOf(problem, mostMoves);
  return { balance, shares: maySet ? sharesToSet(fleet, balance.shares) : [] };
}

/**
 * Budgets that keep all that would help from being done: with a wider one copies would move. A plan for which others of an
 * island, or shares, are enough is made without its hosts.
 */
function budgetBlockers(
  declared: PlanInput,
  { cause, moves }: Balance,
  shares: readonly HostShares[],
): readonly Blocker[] {
  if (declared.progress || cause === undefined || moves.length > 0 || shares.length > 0) return [];
  const islands = new Set(undisturbedHosts(declared.fleet, "rebalance").values());
  return [...islands].flatMap((island) => {
    // One host at a time is enough for any move.
    const fix = widerBudget(declared, island.name, "rebalance", 1);
    if (planWith(fix.input, false).decision !== "run") return [];
    return [closedBlocker(island, "rebalance", `lets no copy leave its hosts, and ${cause}`, fix, true)];
  });
}

/** The balance as it is, with what it comes to. */
function withRowsAfter(asIs: Balance, shifted: Balance): Balance {
  const after = new Map(shifted.rows.map((row) => [`${row.host} ${row.island}`, row.after]));
  const rows = asIs.rows.map((row) => ({ ...row, after: after.get(`${row.host} ${row.island}`) ?? row.after }));
  const uses = asIs.uses.map((use) =>
    use.kind === "host"
      ? { ...use, after: Math.max(...rows.filter(({ host }) => host === use.name).map((row) => row.after)) }
      : use,
  );
  return { ...asIs, rows, uses };
}

/** Changes with until when those hold that are carried out. */
function markCarriedOut(
  changes: readonly ShareChange[],
  set: readonly HostShares[],
  untilMs: number,
): readonly ShareChange[] {
  const hosts = new Set(set.map(({ host }) => host));
  return changes.map((change) => (hosts.has(change.host) ? { ...change, untilMs } : change));
}

interface Timing {
  readonly startMs: number;
  /** False when a calmer time comes soon enough. */
  readonly isNow: boolean;
}

/** Now where it is calm or the load comes soon; else when it is calm. */
function findTime(
  input: PlanInput,
  problem: Problem,
  moves: readonly WantedMove[],
  startMs: number,
  opening: Opening,
  quantile: number,
): Timing {
  const target = input.spec.rebalance?.target ?? 1;
  const loads = createLoads(problem);
  const firsts = problem.cells.flatMap(
    ({ cpuMillis }, cell) => firstTimeAbove(problem, loads[cell] as Float32Array, target * cpuMillis, quantile) ?? [],
  );
  const neededMs = moves.length * longestMove({ durations: resolveDurations(input.spec, input.durations) }).p95Ms;
  const untilMs = Math.min(opening.endMs, startMs + (input.spec.rebalance?.horizonMs ?? 0), ...firsts);
  const works = moves.map(({ copy }) => copy.work);
  const calmMs = findCalmTime(problem, works, startMs, untilMs, neededMs);
  return { startMs: calmMs, isNow: calmMs <= startMs };
}

/** Copies that are not where they were at the run's start. */
function movesMade({ fleet, progress }: PlanInput): number {
  if (!progress) return 0;
  const moved = fleet.workloads.map(({ name }) => {
    const left = [...(progress.origins[name] ?? [])];
    for (const { host, workload, state } of fleet.replicas) {
      if (workload !== name || state === "stopped") continue;
      const at = left.indexOf(host);
      if (at >= 0) left.splice(at, 1);
    }
    return left.length;
  });
  return moved.reduce((sum, count) => sum + count, 0);
}

function schedule(
  input: PlanInput,
  problem: Problem,
  wanted: readonly WantedMove[],
  shares: readonly HostShares[],
  startMs: number,
  quantile: number,
): Parameters<typeof planCost>[0] {
  if (wanted.length === 0 && shares.length === 0) return undefined;
  const durations = resolveDurations(input.spec, input.durations);
  const context = createScheduleContext(input, problem, durations, startMs);
  const placement = new Placement(problem, {
    allowedShare: 1 - input.spec.confidence,
    quantile,
    marginDeviates: 0,
  });
  const timeline = new Timeline(context, placement);
  const ids = new Set(input.fleet.replicas.map(({ id }) => id));
  let left = wanted;
  for (let wave = 1; wave <= MAXIMUM_WAVES && left.length > 0; wave += 1) {
    const sources = chooseSources(problem, left, input);
    const range = timeline.rangeOfNext(
      sumDurations([
        longestOfMoves(
          context,
          left.map(({ copy }) => ({ copy })),
        ),
        durations.validate,
      ]),
    );
    // A host over its share is why copies move: it is no reason not to.
    placement.beginWave(range, sources);
    const moves: PlacedMove[] = [];
    for (const { copy, home, migration } of left) {
      if (!sources.has(copy.site) || sources.has(home)) continue;
      const options = {
        index: timeline.nextIndex,
        style: "balanced",
        quantile,
        ids,
        tries: { left: MAXIMUM_TRIES },
        failback: true,
      } as const;
      const found = searchWave(problem, placement, [{ copy, home, onlyHome: true }], options);
      if ("moves" in found)
        moves.push(...found.moves.map((placed) => ({ ...placed, move: { ...placed.move, migration } })));
    }
    if (moves.length === 0) {
      const stuck = left.filter(({ copy }) => sources.has(copy.site));
      left = left.filter((move) => !stuck.includes(move));
      continue;
    }
    appendWave(context, timeline, moves, range);
    settleMoves(placement, moves);
    for (const { arrived } of moves) ids.add(arrived.id);
    const gone = new Set(moves.map(({ gone: copy }) => copy.id));
    left = left.filter(({ copy }) => !gone.has(copy.id));
  }
  if (shares.length > 0) {
    const range = timeline.rangeOfNext(sumDurations([durations["set-shares"], durations.validate]));
    placement.beginWave(range, new Set());
    const untilMs = startMs + (input.spec.rebalance?.horizonMs ?? 0);
    const steps = createShareSteps(timeline.nextIndex, shares, untilMs, durations);
    timeline.append(
      "move",
      shares.map(({ host }) => host),
      [],
      steps,
      range,
    );
  }
  return { waves: timeline.waves, reserve: [], reserveReason: "", warnings: [], total: timeline.total };
}

function appendWave(
  context: ScheduleContext,
  timeline: Timeline,
  moves: readonly PlacedMove[],
  range: Parameters<Timeline["append"]>[4],
): void {
  const hosts = [...new Set(moves.map(({ move }) => move.from))].sort(compareText);
  const steps = createRebalanceSteps(
    timeline.nextIndex,
    hosts,
    withWorkloads(context.problem, moves),
    stepOptions(context, moves),
  );
  timeline.append("move", hosts, moves, steps, range);
}

/** Hosts that copies leave in one wave, within the limits; those with most moves first. */
function chooseSources(problem: Problem, wanted: readonly WantedMove[], input: PlanInput): ReadonlySet<number> {
  const counts = new Map<number, number>();
  for (const { copy } of wanted) counts.set(copy.site, (counts.get(copy.site) ?? 0) + 1);
  const order = [...counts].sort(([a, x], [b, y]) => y - x || a - b).map(([site]) => site);
  const sources = new Set<number>();
  const taken = new Map<string, number>();
  for (const site of order) {
    const limits = limitsOfHost({ problem, input }, site, "rebalance");
    if (limits.some((name) => (taken.get(name) ?? 0) >= placesOf({ input }, name))) continue;
    // Two hosts that exchange copies do so one after the other.
    if (
      wanted.some(
        ({ copy, home }) => (home === site && sources.has(copy.site)) || (copy.site === site && sources.has(home)),
      )
    )
      continue;
    sources.add(site);
    for (const name of limits) taken.set(name, (taken.get(name) ?? 0) + 1);
  }
  return sources;
}

/** Why a unit stays where it is in the plan of a rebalance. */
function judgeStay(
  { moves, dropped }: Balance,
  isMoving: boolean,
  blockers: readonly Blocker[],
  { fleet }: PlanInput,
): JudgeStay {
  const undisturbed = undisturbedHosts(fleet, "rebalance");
  const wanted = new Set(moves.map(({ copy }) => copy.id));
  const refused = new Map(dropped.map(({ copy, migration }) => [copy.id, migration]));
  return ({ id }, host, scored) => {
    const [blocker] = blockers;
    if (blocker) return { outcome: "blocked", reason: blocker.reason };
    const island = undisturbed.get(host);
    if (island)
      return { outcome: "skipped", reason: `${describeBudget(island, "rebalance")} lets no copy leave its host` };
    if (wanted.has(id)) {
      const reason = isMoving ? "no host can take it in this run" : "it waits for a calmer time, or for room";
      return { outcome: isMoving ? "blocked" : "skipped", reason };
    }
    const migration = refused.get(id);
    const numbers = migration ? { migration } : {};
    if (isTooCostly(migration ?? scored)) {
      return { outcome: "too-costly", reason: "a move costs more than is accepted", ...numbers };
    }
    const reason = isWorthMoving(migration ?? scored)
      ? "no place was found that wins more than the move costs"
      : "its score is not above the threshold";
    return { outcome: "skipped", reason, ...numbers };
  };
}

function describeReason(
  { cause, moves, dropped }: Balance,
  shares: number,
  waves: number,
  timing: Timing | undefined,
  mostMoves: number,
): string {
  const wanted = moves.length;
  if (cause === undefined) return "no host would be over its target, and none stands idle beside a full one";
  if (mostMoves <= 0) return `${cause}; as many moves were made as one run may make`;
  if (wanted === 0 && shares > 0) return `${cause}; shares of ${plural(shares, "host")} change instead of a move`;
  if (wanted === 0 && dropped.length > 0) {
    return `${cause}; ${plural(dropped.length, "move")} that would help ${dropped.length === 1 ? "is" : "are"} not worth it or too costly`;
  }
  if (wanted === 0) return `${cause}; no move is worth its cost`;
  if (waves === 0 && timing?.isNow === false)
    return `${cause}; waits for a calmer time, ${new Date(timing.startMs).toISOString()}`;
  if (waves === 0) return `${cause}; no host can take the copies that would have to move`;
  return cause;
}
