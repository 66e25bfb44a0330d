/** Entry of a fitting thread: answers each order with the fits of its series; undefined for one that cannot be fitted. */
import { parentPort } from "node:worker_threads";
import { isKind, type Series } from "../../sdk/model";
import { ensemble } from "../forecast/ensemble";
import { fitToKeep, type ForecastAsked, type KeptFit } from "../forecast/remembered";

/** A series to fit, and the forecasts wanted of it. */
export interface FitOrder {
  readonly series: Series;
  readonly asked: readonly ForecastAsked[];
}

/** Answer to one message: a fit for each order of it. */
export type FitAnswer = readonly (KeptFit | undefined)[];

/** Fits one series. @returns undefined for one that cannot be fitted: whoever asks for it is told why then */
export function carryOut({ series, asked }: FitOrder): KeptFit | undefined {
  try {
    return fitToKeep(ensemble(), series, asked);
  } catch (error) {
    if (isKind(error, "SeriesError")) return undefined;
    throw error;
  }
}

parentPort?.on("message", (orders: readonly FitOrder[]) => {
  parentPort?.postMessage(orders.map(carryOut) satisfies FitAnswer);
});
