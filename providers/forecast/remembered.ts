/**
 * A model whose fits are kept: what was said of a series is told again without fitting it anew.
 *
 * Not for: where it is kept (providers/forecast-cache).
 *
 * Invariants
 * 1. A kept fit and a fresh one give the same numbers, bit by bit: both are rounded to 32-bit floats, which is how they
 *    are kept.
 * 2. What was not asked before is fitted when it is asked.
 */
import type { QuantileForecast, Series } from "../../sdk/model";
import type { FittedModel, Model } from "./model";

/** One forecast that was asked for. */
export interface ForecastAsked {
  readonly horizon: number;
  readonly levels: readonly number[];
  readonly skip: number;
}

/** A forecast as it is kept. */
export interface KeptForecast extends ForecastAsked {
  /** `rows[l * (horizon - skip) + h]`. */
  readonly rows: Float32Array;
}

/** What is kept of a fitted model; plain data that may cross threads. */
export interface KeptFit {
  readonly notes: readonly string[];
  readonly warnings?: readonly string[];
  /** Length of each cycle, and all of them one after the other. */
  readonly cycles: readonly number[];
  readonly residuals: Float32Array;
  readonly forecasts: readonly KeptForecast[];
}

/** Where fits are kept. */
export interface FitMemory {
  /** What is known of this very content, by this model; undefined: nothing. */
  read(series: Series, model: string): KeptFit | undefined;
  write(series: Series, model: string, fit: KeptFit): void;
}

/** A model that looks into a memory first. */
export function remembered(base: Model, memory: FitMemory): Model {
  return {
    name: base.name,
    fit: (series) => {
      const known = memory.read(series, base.name);
      // A series that cannot be fitted has to say so at once, as without a memory.
      return new RememberedFit(base, memory, series, known, known ? undefined : base.fit(series)).asFitted();
    },
  };
}

/** Fits a series and answers what is asked, as data to keep. @throws what the model throws */
export function fitToKeep(base: Model, series: Series, asked: readonly ForecastAsked[]): KeptFit {
  return keep(base.fit(series), asked);
}

class RememberedFit {
  private kept: KeptFit;

  constructor(
    private readonly base: Model,
    private readonly memory: FitMemory,
    private readonly series: Series,
    known: KeptFit | undefined,
    private fitted: FittedModel | undefined,
  ) {
    this.kept = known ?? keep(this.fitted ?? base.fit(series), []);
  }

  asFitted(): FittedModel {
    const { notes, warnings, cycles, residuals } = this.kept;
    let from = 0;
    return {
      name: this.base.name,
      notes,
      ...(warnings === undefined ? {} : { warnings }),
      residualCycles: cycles.map((length) => Array.from(residuals.subarray(from, (from += length)))),
      predict: (horizon, levels, skip = 0) => this.predict({ horizon, levels, skip }),
    };
  }

  private predict(asked: ForecastAsked): QuantileForecast {
    const found = this.kept.forecasts.find((one) => isSame(one, asked)) ?? this.addForecast(asked);
    const { startMs, stepMs, values, id } = this.series;
    const steps = asked.horizon - asked.skip;
    return {
      id,
      startMs: startMs + (values.length + asked.skip) * stepMs,
      stepMs,
      levels: asked.levels,
      rows: asked.levels.map((_, l) => Array.from(found.rows.subarray(l * steps, (l + 1) * steps))),
      model: this.base.name,
      notes: this.kept.notes,
    };
  }

  private addForecast(asked: ForecastAsked): KeptForecast {
    this.fitted ??= this.base.fit(this.series);
    const forecast = ask(this.fitted, asked);
    this.kept = { ...this.kept, forecasts: [...this.kept.forecasts, forecast] };
    this.memory.write(this.series, this.base.name, this.kept);
    return forecast;
  }
}

function keep(fitted: FittedModel, asked: readonly ForecastAsked[]): KeptFit {
  const { notes, warnings, residualCycles } = fitted;
  return {
    notes,
    ...(warnings === undefined ? {} : { warnings }),
    cycles: residualCycles.map(({ length }) => length),
    residuals: Float32Array.from(residualCycles.flat()),
    forecasts: asked.map((one) => ask(fitted, one)),
  };
}

function ask(fitted: FittedModel, { horizon, levels, skip }: ForecastAsked): KeptForecast {
  const { rows } = fitted.predict(horizon, levels, skip);
  return { horizon, levels, skip, rows: Float32Array.from(rows.flat()) };
}

function isSame(one: ForecastAsked, other: ForecastAsked): boolean {
  return (
    one.horizon === other.horizon &&
    one.skip === other.skip &&
    one.levels.length === other.levels.length &&
    one.levels.every((level, index) => level === other.levels[index])
  );
}
