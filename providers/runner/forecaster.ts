/**
 * The forecast of a planning slot from all that is observed: histories, calls, signals, jobs of hosts, users.
 *
 * Not for: observing (providers/observe) and forecasting (providers/forecast) themselves.
 *
 * Invariant: a slot gives one forecast, and so do all slots within one step of a coarser grid; nothing measured after the
 * slot's start is used.
 */
import { floorToGrid, type Fleet, type Forecast, type HostUpdateSpec } from "../../sdk/model";
import { currentOpening, nextOpenings } from "../calendar";
import type { Platform } from "../drivers/contracts";
import { createFitter } from "../forecast-cache/fitter";
import { forecastFleet, listFits } from "../forecast/forecast-fleet";
import { chooseGrid, FINEST_STEP_MS, onGrid } from "../forecast/forecast-grid";
import { readAccessLog } from "../observe/access-log";
import { addBandwidth, observeCalls } from "../observe/calls";
import { observeHistory, stampHistory } from "../observe/history";
import { observeHostSchedules } from "../observe/host-schedules";
import { observeSignals } from "../observe/signals";

/** A window that is never open is forecast for this long. */
const SHORTEST_HORIZON_MS = 5 * 60_000;
/** Workloads from which on a forecast is kept for a while: the fits of fewer are read in no time. */
const FEWEST_KEPT = 100;
/** History that a forecast looks at: two whole weeks, so that a weekly season is seen twice. */
const HISTORY_MS = 14 * 86_400_000;
/** Counted calls that it looks at: less than the six hours that a switch keeps, so that a slot gives one answer. */
const CALLS_MS = 5 * 3_600_000;
/** Forecasts do not reach further than this beyond the opening's start. */
const MAXIMUM_HORIZON_MS = 12 * 3_600_000;

/** Options of {@link RunEnvironment.forecast}. */
export interface ForecastOptions {
  /** What goes before the run is done by then: the forecast is of an opening after it. @default at once */
  readonly readyMs?: number;
  /** It follows others of the same run: fits are updated, not made anew; see paced-ensemble.ts. @default false */
  readonly isRepeated?: boolean;
}

/** Makes forecasts for one spec. */
export interface Forecaster {
  /** As {@link RunEnvironment.forecast}. */
  forecast(fleet: Fleet, slotMs: number, signal: AbortSignal, options?: ForecastOptions): Promise<Forecast>;
  close(): Promise<void>;
}

/** @param version of the package: what another one fitted is not used */
export function createForecaster(platform: Platform, spec: HostUpdateSpec, version: string): Forecaster {
  const fitter = createFitter({ version });
  return {
    forecast: async (fleet, slotMs, signal, { readyMs = 0, isRepeated = false } = {}) => {
      const earliestMs = Math.max(slotMs, readyMs);
      const opening = currentOpening(spec.windows, earliestMs) ?? nextOpenings(spec.windows, earliestMs, 1)[0];
      const opensMs = Math.max(earliestMs, opening?.startMs ?? earliestMs);
      // A rebalance looks further than its window: it moves before the load comes.
      const atLeastMs = Math.max(SHORTEST_HORIZON_MS, spec.rebalance?.horizonMs ?? 0);
      const horizonOf = (fromMs: number): number =>
        Math.min(MAXIMUM_HORIZON_MS, Math.max(atLeastMs, (opening?.endMs ?? fromMs) - fromMs));
      const grid = chooseGrid(fleet.workloads.length, horizonOf(opensMs));
      // Large fleets take longer to forecast than a slot lasts: on whole steps, one forecast serves all slots of a step.
      const fromMs = floorToGrid(opensMs, grid.stepMs);
      const horizonMs = horizonOf(fromMs);
      const measuredMs = floorToGrid(slotMs, grid.stepMs);
      const range = { fromMs: measuredMs - HISTORY_MS, toMs: fromMs + horizonMs };
      const [calls, signals, jobs, users] = await Promise.all([
        observeCalls(platform, spec, { fromMs: measuredMs - CALLS_MS, toMs: measuredMs }, signal),
        observeSignals(spec, range),
        observeHostSchedules(platform, spec, fleet, range, fromMs, signal),
        Promise.all(
          spec.islands.flatMap(({ users: log }) =>
            log
              ? [readAccessLog(log.accessLog, measuredMs).then((visits) => ({ workload: log.workload, visits }))]
              : [],
          ),
        ),
      ]);
      const asked = {
        calls,
        signals: [...signals, ...jobs],
        users,
        workloads: fleet.workloads,
        nowMs: measuredMs,
        fromMs,
        horizonMs,
        ...grid,
        seed: spec.seed,
      };
      const facts =
        fleet.workloads.length < FEWEST_KEPT
          ? undefined
          : { asked, isRepeated, stamp: await stampHistory(spec), ...factsOfHistory(spec, fleet) };
      const kept = facts && fitter.forecasts.read(facts);
      if (kept) return kept;
      const observed = await observeHistory(
        platform,
        spec,
        fleet,
        { fromMs: measuredMs - HISTORY_MS, toMs: measuredMs },
        FINEST_STEP_MS,
        signal,
      );
      const histories = onGrid(addBandwidth(observed, fleet, calls, FINEST_STEP_MS), grid);
      const input = { ...asked, histories };
      const forecast = forecastFleet({ ...input, model: await fitter.prepare(listFits(input), { isRepeated }) });
      fitter.flush();
      // A source that did not know a workload may be mended a moment later.
      if (facts && forecast.missing.length === 0) fitter.forecasts.write(facts, forecast);
      return forecast;
    },
    close: () => fitter.close(),
  };
}

/** What the history of a slot depends on besides the slot: who is asked, and on which hosts copies are. */
function factsOfHistory({ islands }: HostUpdateSpec, { hosts, replicas }: Fleet): object {
  return {
    metrics: islands.map(({ name, metrics }) => [name, metrics]),
    hosts: hosts.map(({ id, capacity }) => [id, capacity]),
    replicas: replicas.map(({ workload, host }) => [workload, host]),
  };
}
