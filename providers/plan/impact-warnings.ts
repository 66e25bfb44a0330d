/**
 * The update's own load beside what stays on a host while it is updated: says where both together are more than the
 * host has, so that the update or the copies will be slow.
 *
 * Not for: capacity in service; a host that is updated counts as out of it (waves.ts).
 */
import { formatCpu, hostShares, peakQuantiles, sumPaths } from "../../sdk/model";
import { isMovesOnly, type UpdateImpact, type Wave } from "../../sdk/model";
import type { PlanInput } from "./plan-input";

const LEVEL = 0.95;

/** One line for each host that is too small for both. */
export function impactWarnings({ fleet, forecast }: PlanInput, waves: readonly Wave[]): readonly string[] {
  const { impact } = forecast;
  if (!impact) return [];
  const updateMillis = peakCpuMillis(impact);
  return waves
    .filter((wave) => !isMovesOnly(wave))
    .flatMap((wave) =>
      wave.hosts.flatMap((id) => {
        const capacity = fleet.hosts.find((host) => host.id === id)?.capacity.cpuMillis ?? 0;
        const leaving = new Set(wave.moves.filter(({ from }) => from === id).map(({ replica }) => replica));
        const staying = new Map(
          [...hostShares(fleet, id)].filter(([workload]) =>
            fleet.replicas.some(
              (replica) => replica.host === id && replica.workload === workload && !leaving.has(replica.id),
            ),
          ),
        );
        const demandMillis = peakQuantiles(sumPaths(forecast.demand, staying), [LEVEL])[0] ?? 0;
        if (demandMillis + updateMillis <= capacity) return [];
        const others = demandMillis > 0 ? ` beside ${formatCpu(Math.round(demandMillis))} of what stays on it` : "";
        return [
          `${id}: the update itself may take ${formatCpu(updateMillis)}${others}, and the host has ${formatCpu(capacity)}: it will be slower than planned`,
        ];
      }),
    );
}

/** Highest P95 of its CPU over its course. */
function peakCpuMillis({ parts }: UpdateImpact): number {
  return Math.max(0, ...parts.map(({ cpuMillis }) => cpuMillis.p95));
}
