/**
 * CPU time of one request, from CPU and requests that were measured at the same times: what is needed to tell calls of a
 * function from a forecast of CPU.
 *
 * Not for: how demand varies (the models), and functions' prices (providers/plan/cost.ts).
 */
import type { Forecast, Series, Workload, WorkloadHistory } from "../../sdk/model";
import { seriesEndMs } from "../../sdk/model";

const HOUR_MS = 3_600_000;
/** How far back is looked: releases change what a request costs. */
const SPAN_MS = 48 * HOUR_MS;
/** So many requests must have been counted for a mean to mean something. */
const FEWEST_REQUESTS = 100;

/** Of workloads that a function can serve and whose requests are counted beside their CPU before `beforeMs`. */
export function measureRequestCosts(
  workloads: readonly Pick<Workload, "name" | "burst">[],
  histories: readonly WorkloadHistory[],
  beforeMs: number,
): Pick<Forecast, "requestCosts"> {
  const known = new Map(histories.map((history) => [history.workload, history]));
  const requestCosts = workloads.flatMap(({ name, burst }) => {
    const { cpu, requests } = known.get(name) ?? {};
    const cpuMsPerRequest = burst && cpu && requests ? costOf(cpu, requests, beforeMs) : undefined;
    return cpuMsPerRequest === undefined ? [] : [{ workload: name, cpuMsPerRequest }];
  });
  return requestCosts.length === 0 ? {} : { requestCosts };
}

/** CPU milliseconds by request, weighted by requests; undefined where too few were counted. */
function costOf(cpu: Series, requests: Series, beforeMs: number): number | undefined {
  const endMs = Math.min(beforeMs, seriesEndMs(cpu), seriesEndMs(requests));
  let [cpuMs, count] = [0, 0];
  requests.values.forEach((perSecond, index) => {
    const atMs = requests.startMs + index * requests.stepMs;
    if (atMs < endMs - SPAN_MS || atMs + requests.stepMs > endMs) return;
    const millicores = cpu.values[Math.floor((atMs + requests.stepMs / 2 - cpu.startMs) / cpu.stepMs)] ?? Number.NaN;
    if (!Number.isFinite(perSecond) || !Number.isFinite(millicores)) return;
    const seconds = requests.stepMs / 1000;
    // A millicore is a CPU millisecond in a second.
    cpuMs += millicores * seconds;
    count += perSecond * seconds;
  });
  return count < FEWEST_REQUESTS || cpuMs <= 0 ? undefined : Math.round((cpuMs / count) * 1000) / 1000;
}
