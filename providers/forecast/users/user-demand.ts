/**
 * Demand of the next minutes as users' sessions foretell it: where the gate is open, the first steps of a workload's
 * forecast follow what its users are doing now.
 *
 * Not for: later steps; what users do now tells nothing of the next hour.
 */
import type { JointDemand, UserForecast } from "../../../sdk/model";
import type { DemandFactors } from "../dependencies/propagate";
import { learnChain, predictLoads, type Visit } from "./session-chain";
import { judgeSessions, USERS_AHEAD_MINUTES } from "./session-gate";

/** The log of one workload. */
export interface UserLog {
  readonly workload: string;
  /** Before `nowMs`, in order of time. */
  readonly visits: readonly Visit[];
}

const MINUTE_MS = 60_000;
/** The forecast's level is that of the last minutes. */
const LEVEL_MINUTES = 15;
/** What the sessions foretell is held within these. */
const [LEAST, MOST] = [0.5, 3];

/** Factors on the first steps, and what the gate said of each log. */
export function foretellDemand(
  logs: readonly UserLog[],
  grid: Pick<JointDemand, "startMs" | "stepMs" | "steps">,
  nowMs: number,
): { readonly users: readonly UserForecast[]; readonly factors: DemandFactors } {
  const factors = new Map<string, Float64Array>();
  const users = logs.map(({ workload, visits }): UserForecast => {
    const gate = judgeSessions(visits);
    const covered = grid.startMs < nowMs + USERS_AHEAD_MINUTES * MINUTE_MS;
    if (!gate.isOpen || !covered) {
      const later = gate.isOpen ? "; the window begins later than it looks" : "";
      return { workload, isOn: false, reason: `${gate.reason}${later}` };
    }
    const loads = predictLoads(learnChain(visits, nowMs), visits, nowMs, USERS_AHEAD_MINUTES);
    const minutes = Float64Array.from({ length: USERS_AHEAD_MINUTES }, (_, m) =>
      [...loads.values()].reduce((sum, values) => sum + (values[m] ?? 0), 0),
    );
    const recent = visits.filter(({ atMs }) => atMs >= nowMs - LEVEL_MINUTES * MINUTE_MS).length / LEVEL_MINUTES;
    factors.set(
      workload,
      Float64Array.from({ length: grid.steps }, (_, h) => {
        const from = Math.floor((grid.startMs + h * grid.stepMs - nowMs) / MINUTE_MS);
        const to = Math.floor((grid.startMs + (h + 1) * grid.stepMs - nowMs) / MINUTE_MS);
        const inside = minutes.subarray(Math.max(0, from), Math.max(0, Math.min(USERS_AHEAD_MINUTES, to)));
        if (inside.length === 0 || recent === 0) return 1;
        const mean = inside.reduce((sum, value) => sum + value, 0) / inside.length;
        return Math.min(MOST, Math.max(LEAST, mean / recent));
      }),
    );
    return { workload, isOn: true, reason: gate.reason };
  });
  return { users, factors };
}
