/**
 * Plays a plan with drawn durations and drawn demand, and checks budgets, limits and capacity at every moment. Knows
 * nothing of how the plan was found: it reads the fleet, the waves and their steps alone.
 *
 * Not for: failures; those are the fault campaign's (test/faults).
 */
import { isMovesOnly, type MigrationPlan } from "../../sdk/model";
import { createRandom } from "../../providers/testing";
import { CopyHistory } from "./copy-history";
import { isBusy } from "./demand-process";
import type { GeneratedFleet } from "./generate-fleet";
import { compileWave, playWave, type CompiledWave, type PlayedWave } from "./played-wave";

/** What one simulated run was like. */
export interface RunOutcome {
  /** From the first step to the end of the last, ms. */
  readonly makespanMs: number;
  /** Moments at which a workload served with fewer copies than its budget wants. */
  readonly budgetViolations: number;
  /** Moments at which more hosts were under way than a limit allows. */
  readonly limitViolations: number;
  /** Islands in which some host was over its share at some time. */
  readonly overIslands: readonly number[];
}

/** Data that a plan moves, bytes, by whether the workload's island is busy at the planned time. */
export interface DataMoved {
  readonly busyBytes: number;
  readonly bytes: number;
}

const TABLE = 1 << 14;

/** A plan, compiled for being played many times. */
export class SimulatedPlan {
  private readonly waves: readonly CompiledWave[];
  private readonly normals: Float32Array;
  private readonly history: CopyHistory;

  constructor(
    private readonly generated: GeneratedFleet,
    private readonly plan: Pick<MigrationPlan, "waves">,
  ) {
    const random = createRandom(7);
    this.normals = Float32Array.from({ length: TABLE }, () => random.normal());
    this.waves = plan.waves.map((wave) => compileWave(wave, generated.input.fleet));
    this.history = new CopyHistory(generated.input.fleet, generated.input.forecast.demand, this.waves);
  }

  /** Plays one run. `withLoad` false: only times and limits are played. */
  play(run: number, withLoad = true): RunOutcome {
    const random = createRandom(run + 1);
    let state = random.integer(1, 2 ** 31);
    const normal = (): number => {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      return this.normals[state & (TABLE - 1)] as number;
    };
    const startMs = this.plan.waves[0]?.startMs ?? 0;
    let nowMs = startMs;
    let limitViolations = 0;
    const ends: Float64Array[] = [];
    for (const wave of this.waves) {
      const played = playWave(wave, nowMs, normal);
      ends.push(played.ends);
      nowMs = played.endMs;
      limitViolations += countOverLimits(this.generated, wave, played);
    }
    const makespanMs = nowMs - startMs;
    if (!withLoad) return { makespanMs, limitViolations, budgetViolations: 0, overIslands: [] };
    this.history.replay(ends, startMs, nowMs);
    const path = this.generated.process.draw(900_000_007 + run * 7919);
    return {
      makespanMs,
      limitViolations,
      budgetViolations: this.history.countDeficits(),
      overIslands: this.history.findOverIslands(path),
    };
  }

  /** Data moved, at the planned median times. */
  dataMoved(): DataMoved {
    const { fleet } = this.generated.input;
    const sources = new Map(fleet.workloads.map(({ name }, index) => [name, this.generated.sources[index]]));
    const bytesOf = new Map(fleet.workloads.map(({ name, transferBytes }) => [name, transferBytes ?? 0]));
    let busyBytes = 0;
    let bytes = 0;
    for (const wave of this.waves) {
      const played = playWave(wave, wave.wave.startMs, () => 0);
      wave.wave.steps.forEach((step, index) => {
        if (step.kind !== "stop-copy" && step.kind !== "hand-over" && step.kind !== "live-migrate") return;
        const moved = bytesOf.get(step.workload) ?? 0;
        const source = sources.get(step.workload);
        bytes += moved;
        if (source && isBusy(source, played.ends[index] as number)) busyBytes += moved;
      });
    }
    return { busyBytes, bytes };
  }
}

/** Limits of the policy, counted anew from when hosts were under way. */
function countOverLimits({ input }: GeneratedFleet, { wave, laneHosts }: CompiledWave, played: PlayedWave): number {
  const { limits } = input.spec;
  const hosts = new Map(input.fleet.hosts.map((host) => [host.id, host]));
  const check = (names: readonly string[], limitOf: (name: string) => number): number => {
    const counts = new Map<string, number>();
    let over = 0;
    for (const name of names) {
      const count = (counts.get(name) ?? 0) + 1;
      counts.set(name, count);
      if (count > limitOf(name)) over++;
    }
    return over;
  };
  const limitOf = (name: string): number =>
    name === "hosts"
      ? limits.hostsAtOnce
      : name.startsWith("zone")
        ? limits.hostsPerZone
        : (limits.hostsPerRack ?? 1e9);
  const namesOf = (host: string): string[] => [
    "hosts",
    `zone/${hosts.get(host)?.zone ?? ""}`,
    `rack/${hosts.get(host)?.rack ?? ""}`,
  ];
  // A failback without lanes empties one host.
  if (laneHosts.length === 0) return isMovesOnly(wave) ? 0 : check(wave.hosts.flatMap(namesOf), limitOf);
  const events = laneHosts
    .flatMap((host, lane) => [
      { atMs: played.laneStart[lane] as number, by: 1, host },
      { atMs: played.laneEnd[lane] as number, by: -1, host },
    ])
    .sort((a, b) => a.atMs - b.atMs || a.by - b.by);
  const counts = new Map<string, number>();
  let over = 0;
  for (const { by, host } of events) {
    for (const name of namesOf(host)) {
      const count = (counts.get(name) ?? 0) + by;
      counts.set(name, count);
      if (by > 0 && count > limitOf(name)) over++;
    }
  }
  return over;
}
