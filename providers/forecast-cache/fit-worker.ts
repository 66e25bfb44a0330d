/** Entry of a fitting thread: answers each order with the fits of its series; undefined for one that cannot be fitted. */
import { isKind, type Series } from "../../sdk/model";
import { ensemble } from "../forecast/ensemble";
import { pacedEnsemble, type EnsembleTuning } from "../forecast/paced-ensemble";
import { fitToKeep, type ForecastAsked, type KeptFit } from "../forecast/remembered";
import { answerQuestions } from "../threads";

/** A series to fit, and the forecasts wanted of it. */
export interface FitOrder {
  readonly series: Series;
  readonly asked: readonly ForecastAsked[];
  /** Fit the paced ensemble, with the weights that are known of it. @default the plain one */
  readonly paced?: { readonly known?: EnsembleTuning | undefined };
}

/** A fit, and what was weighed for it. */
export interface CarriedOut {
  /** Undefined for a series that cannot be fitted: whoever asks for it is told why then. */
  readonly fit: KeptFit | undefined;
  readonly weighed?: { readonly part: Series; readonly tuning: EnsembleTuning };
}

/** Answer to one message: one for each order of it. */
export type FitAnswer = readonly CarriedOut[];

/** Fits one series. */
export function carryOut({ series, asked, paced }: FitOrder): CarriedOut {
  let weighed: CarriedOut["weighed"];
  const memory = {
    // A series has one part that is weighed: what is known is of that.
    read: () => weighed?.tuning ?? paced?.known,
    write: (part: Series, tuning: EnsembleTuning) => {
      weighed = { part, tuning };
    },
  };
  try {
    const fit = fitToKeep(paced === undefined ? ensemble() : pacedEnsemble(memory), series, asked);
    return { fit, ...(weighed === undefined ? {} : { weighed }) };
  } catch (error) {
    if (isKind(error, "SeriesError")) return { fit: undefined };
    throw error;
  }
}

answerQuestions((orders: readonly FitOrder[]): FitAnswer => orders.map(carryOut));
