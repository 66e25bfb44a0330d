/**
 * Functions of workloads that may be refused for a time: those that are declared sheddable, with their measured part of
 * the requests. While they are refused, a copy can pause and the others carry no more than before, or less more.
 *
 * Not for: judging functions (providers/forecast/behaviour) and refusing them (providers/execute).
 *
 * Invariant: what is refused frees nothing beyond the wave: what comes to a host stays when functions come back.
 */
import type { Fleet, Forecast, RefusedFunctions, Workload } from "../../sdk/model";

/** What may be refused of a workload; undefined where nothing is declared sheddable, is called, or the switch cannot. */
export function refusableOf(
  { name, service, exclusive, functions = [] }: Workload,
  { refusesPaths }: Pick<Fleet, "refusesPaths">,
  { functions: judged = [] }: Pick<Forecast, "functions">,
): RefusedFunctions | undefined {
  if (refusesPaths !== true || service === undefined || exclusive) return undefined;
  const shares = functions.flatMap(({ path, criticality }) => {
    const share = judged.find((one) => one.workload === name && one.name === path)?.share ?? 0;
    return criticality === "sheddable" && share > 0 ? [{ path, share }] : [];
  });
  const share = shares.reduce((sum, one) => sum + one.share, 0);
  if (shares.length === 0 || share >= 1) return undefined;
  return { paths: shares.map(({ path }) => path).sort(), share: Math.round(share * 1e4) / 1e4 };
}
