/**
 * What the plans are compared with, each as the tools that people have do it: one host at a time (kured), a fixed number
 * of hosts at a time (instance refresh), consolidation by the load now (Watcher), and this planner without a forecast.
 *
 * Not for: judging them; they are played like the plans (simulated-run.ts).
 */
import { stepRange } from "../../providers/plan/capacity";
import { resolveDurations, waveDuration } from "../../providers/plan/durations";
import { Placement } from "../../providers/plan/placement";
import type { PlanInput } from "../../providers/plan/plan";
import { byHostLeft, transferTimes } from "../../providers/plan/links";
import { createProblem } from "../../providers/plan/problem";
import { marginOf } from "../../providers/plan/try-schedule";
import { createScheduleContext, withWorkloads } from "../../providers/plan/schedule";
import { createUpdateSteps } from "../../providers/plan/steps";
import { searchWave, type PlacedMove } from "../../providers/plan/wave-search";
import type { Forecast, MigrationPlan, PlanStep, Wave } from "../../sdk/model";

/** Waves of a baseline as a plan that can be played. */
export type BaselineWaves = Pick<MigrationPlan, "waves">;

/** A search of a fixed batch that takes longer than so many plans gives up with the best so far. */
const MOST_TRIES = 7;

/** About what a batch takes. */
const BATCH_MS = 5 * 60_000;

/** The largest number of hosts at a time that breaks no limit, from the opening's start on. */
export function findFixedBatch(input: PlanInput): { readonly hosts: number; readonly waves: readonly Wave[] } {
  let low = 1;
  let high = input.spec.limits.hostsAtOnce;
  let best = { hosts: 0, waves: [] as readonly Wave[] };
  for (let tries = 0; tries < MOST_TRIES && low <= high; tries++) {
    // The limits themselves are often what binds: they are tried first.
    const hosts = tries === 0 ? high : Math.floor((low + high) / 2);
    const waves = planFixed(input, hosts);
    if (waves) {
      best = { hosts, waves };
      low = hosts + 1;
    } else high = hosts - 1;
  }
  return best;
}

/**
 * Batches of a fixed number of hosts, all of a batch at once, rack by rack in turns. A host for whose copies there is no
 * room comes again at the end; undefined when a limit, a budget or the capacity does not allow a batch, or a host again.
 */
function planFixed(input: PlanInput, count: number): readonly Wave[] | undefined {
  const { spec, fleet } = input;
  const startMs = input.slotMs;
  const durations = resolveDurations(spec, input.durations);
  const left = byRacksInTurns(fleet.hosts.filter(({ role }) => role === "member"));
  const problem = createProblem(input, left, startMs, startMs + (spec.windows[0]?.durationMs ?? 0));
  const context = createScheduleContext(input, problem, durations, startMs);
  const placement = new Placement(problem, {
    allowedShare: 1 - spec.confidence,
    quantile: context.quantile,
    // The same promise for all: with the paths alone it would be broken in simulated runs.
    marginDeviates: marginOf(context, spec.confidence),
  });
  const ids = new Set(fleet.replicas.map(({ id }) => id));
  const waves: Wave[] = [];
  let nowMs = startMs;
  const end = stepRange(problem.demand, startMs, startMs + (3 * left.length * BATCH_MS) / count).to;
  const longestMs = 3 * (durations.update.p95Ms + durations.reboot.p95Ms + spec.limits.soakMs);
  const putOff = new Set<string>();
  while (left.length > 0) {
    const batch = left.splice(0, count);
    const hosts: string[] = [];
    if (breaksLimits(input, batch)) return undefined;
    const sites = batch.map((host) => problem.siteOf.get(host) ?? 0);
    if (placement.beginWave(stepRange(problem.demand, nowMs, nowMs + longestMs), new Set(sites), end)) return undefined;
    const moves: PlacedMove[] = [];
    for (const host of batch) {
      const site = problem.siteOf.get(host) ?? 0;
      const tasks = placement.copiesAt(site).map((copy) => ({ copy }));
      const options = {
        index: waves.length + 1,
        style: "balanced" as const,
        quantile: context.quantile,
        ids,
        tries: { left: 200 },
      };
      const found = searchWave(problem, placement, tasks, options);
      if ("moves" in found) {
        hosts.push(host);
        moves.push(...found.moves);
        continue;
      }
      if (putOff.has(host)) return undefined;
      putOff.add(host);
      left.push(host);
    }
    if (hosts.length === 0) return undefined;
    placement.endWave(
      moves.map(({ gone }) => gone),
      moves.filter(({ move }) => move.to === undefined).map(({ arrived }) => arrived),
    );
    placement.markUpdated(hosts.map((host) => problem.siteOf.get(host) ?? 0));
    for (const { arrived } of moves) ids.add(arrived.id);
    const transferMs = transferTimes(problem, fleet, byHostLeft(moves));
    const steps = createUpdateSteps(waves.length + 1, hosts, withWorkloads(problem, moves), [], {
      spec,
      durations,
      wayOf: () => "in-place",
      transferOf: (host) => transferMs.get(host) ?? 0,
    });
    const endMs = nowMs + waveDuration(steps).p50Ms;
    waves.push({
      index: waves.length + 1,
      kind: "update",
      hosts,
      startMs: nowMs,
      endMs,
      endP95Ms: endMs,
      moves: moves.map(({ move }) => move),
      steps,
      overCapacityShare: 0,
      capacityCpuMillis: 0,
      demandCpuMillis: 0,
    });
    nowMs = endMs;
  }
  return waves;
}

/** The first hosts of a batch alone: the canary that the policy wants before the first wave. */
export function canaryOf(wave: Wave, count: number): Wave {
  const hosts = wave.hosts.slice(0, count);
  const moves = wave.moves.filter(({ from }) => hosts.includes(from));
  const ids = new Set(moves.map(({ id }) => id));
  const kept = wave.steps.filter((step) =>
    "move" in step ? ids.has(step.move) : !("host" in step) || hosts.includes(step.host),
  );
  const known = new Set(kept.map(({ id }) => id));
  const steps = kept.map((step) => ({ ...step, after: step.after.filter((id) => known.has(id)) }));
  return { ...wave, kind: "canary", hosts, moves, steps };
}

/** The same batches, but each host as soon as one of those before it is done. */
export function rollFixed(waves: readonly Wave[], hosts: number): BaselineWaves {
  const [first] = waves;
  if (!first) return { waves: [] };
  const all = waves.flatMap((wave) => wave.hosts);
  const soakMs = waves.flatMap(({ steps }) => steps).find((step) => step.kind === "soak")?.expected ?? {
    p50Ms: 0,
    p95Ms: 0,
  };
  const steps = waves.flatMap((wave) =>
    wave.steps.flatMap((step): readonly PlanStep[] =>
      step.kind !== "soak"
        ? [step]
        : wave.hosts.map((host) => ({
            ...step,
            id: `${step.id}/${host}`,
            hosts: [host],
            after: step.after.filter((id) => id.includes(`/${host}/`)),
            expected: soakMs,
          })),
    ),
  );
  const lanes = { limits: { hosts }, uses: Object.fromEntries(all.map((host) => [host, ["hosts"]])) };
  return { waves: [{ ...first, hosts: all, moves: waves.flatMap(({ moves }) => moves), steps, lanes }] };
}

function breaksLimits({ spec, fleet }: PlanInput, hosts: readonly string[]): boolean {
  const { hostsAtOnce, hostsPerZone, hostsPerRack = hostsPerZone } = spec.limits;
  if (hosts.length > hostsAtOnce) return true;
  const wanted = new Set(hosts);
  const counts = new Map<string, number>();
  for (const { id, zone, rack } of fleet.hosts) {
    if (!wanted.has(id)) continue;
    for (const name of [`zone ${zone}`, `rack ${rack}`]) counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return [...counts].some(([name, count]) => count > (name.startsWith("zone") ? hostsPerZone : hostsPerRack));
}

/** One host of each rack, then the next one of each: batches spread as far as they can. */
function byRacksInTurns(hosts: PlanInput["fleet"]["hosts"]): string[] {
  const turns = new Map<string, number>();
  return hosts
    .map(({ id, rack }) => {
      const turn = turns.get(rack) ?? 0;
      turns.set(rack, turn + 1);
      return { id, rack, turn };
    })
    .sort((a, b) => a.turn - b.turn || (a.rack < b.rack ? -1 : a.rack > b.rack ? 1 : 0))
    .map(({ id }) => id);
}

/** The same input for who does not look ahead: each workload needs what it needs at its busiest, at any time. */
export function withoutForecast(input: PlanInput): PlanInput {
  return {
    ...input,
    searchesFixes: false,
    forecast: flatten(input.forecast, (values) => Math.max(...values)),
    spec: { ...input.spec, timing: "soonest" },
  };
}

/** The same input for who looks at the load now alone. */
export function withLoadNow(input: PlanInput): PlanInput {
  return {
    ...input,
    searchesFixes: false,
    forecast: flatten(input.forecast, (values) => values[0] ?? 0),
    spec: { ...input.spec, timing: "soonest" },
  };
}

/** One path on which every workload stays at one of its means over paths. */
function flatten(forecast: Forecast, pick: (means: readonly number[]) => number): Forecast {
  const { demand } = forecast;
  const path = new Float32Array(demand.workloads.length * demand.steps);
  demand.workloads.forEach((_, row) => {
    const means = Array.from({ length: demand.steps }, (_unused, step) => {
      let sum = 0;
      for (const values of demand.cpuMillis) sum += values[row * demand.steps + step] ?? 0;
      return sum / Math.max(1, demand.cpuMillis.length);
    });
    path.fill(pick(means), row * demand.steps, (row + 1) * demand.steps);
  });
  return { ...forecast, demand: { ...demand, cpuMillis: [path] } };
}
