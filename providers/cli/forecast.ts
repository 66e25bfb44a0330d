/** `archipelago forecast`: quantiles of what comes, from a history of the user's own. */
import { writeFile } from "node:fs/promises";
import { isKind, messageOf } from "../../sdk/model";
import { defineCommand, UsageError } from "./command";
import { EXIT_CODES } from "./exit-codes";
import { createModel, HISTORY_OPTIONS, readAlso, readWork, readHistory, readMs } from "./history-options";
import type { SeriesForecast } from "../report/forecast-view";
import type { NamedSeries } from "../observe/samples";

const DEFAULT_HORIZON = "24 hours";
const DEFAULT_LEVELS = "0.05,0.5,0.9,0.95,0.99";
/** More steps than this are no forecast that anybody reads, and each costs work. */
const MOST_STEPS = 20_000;

/** Forecasts a history; changes nothing. */
export const forecastCommand = defineCommand({
  name: "forecast",
  summary: "forecast a history of your own: CSV, CloudWatch export or Prometheus",
  about: `Shows what comes as quantiles, with the models that plans are made with: a sparkline, a table, and a page with
--page. Nothing is changed, and nothing but the file or the Prometheus is asked.

  FILE   CSV with the time in the first column and a value, or one for each series, behind it;
         CSV of the CloudWatch console; JSON of "aws cloudwatch get-metric-data", or of a Prometheus range query`,
  positionals: [{ name: "FILE", isOptional: true, completes: "files" }],
  options: {
    horizon: { value: "DURATION", about: `how far to forecast; "${DEFAULT_HORIZON}" without it` },
    quantiles: { value: "LIST", about: `levels between 0 and 1; ${DEFAULT_LEVELS} without it` },
    ...HISTORY_OPTIONS,
    page: { value: "FILE", about: "write an HTML page with charts" },
  },
  examples: [
    ["archipelago forecast cpu.csv", "the next 24 hours of each column"],
    ["archipelago forecast metrics.json --horizon '2 days' --page forecast.html", "a CloudWatch export as a page"],
    [
      "archipelago forecast --prometheus http://prometheus:9090 --query 'sum by (job) (rate(http_requests_total[5m]))'",
      "what Prometheus has",
    ],
  ],
  async run({ options, positionals: [file], isJson, terminal }) {
    const mistakes: string[] = [];
    const horizonMs = readMs("--horizon", options.horizon ?? DEFAULT_HORIZON, mistakes) ?? 0;
    const levels = readLevels(options.quantiles ?? DEFAULT_LEVELS, mistakes);
    const also = readAlso(options.also, mistakes);
    const work = readWork(options.work, mistakes);
    if (mistakes.length > 0) throw new UsageError(mistakes.join("\n  "));
    const history = await readHistory({ file, ...options }, terminal);
    const model = await createModel(options.lstm, also, work);
    const look = { timezone: history.timezone, unit: options.unit ?? "" };
    const forecasts: SeriesForecast[] = [];
    const failures: string[] = [];
    const { coarsen } = await import("../observe/samples.js");
    for (const [index, named] of history.series.entries()) {
      terminal.progress.status(`${String(index + 1)} of ${String(history.series.length)}: ${named.series.id}`);
      try {
        const series = options.step === undefined ? coarsen(named, horizonMs, MOST_STEPS) : named;
        forecasts.push(forecastOne(series, model, horizonMs, levels));
      } catch (error) {
        if (!isKind(error, "SeriesError")) throw error;
        failures.push(messageOf(error));
      }
    }
    terminal.progress.status("");
    if (options.page !== undefined && forecasts.length > 0) {
      const { renderForecastPage } = await import("../report/forecast-page.js");
      await writeFile(options.page, renderForecastPage(forecasts, history.name, look));
    }
    if (isJson) terminal.printJson({ v: 1, series: forecasts.map(toJson), failures });
    else {
      const { renderForecastText } = await import("../report/forecast-text.js");
      for (const one of forecasts) terminal.print(`${renderForecastText(one, look)}\n`);
    }
    for (const failure of failures) terminal.note(`${terminal.colours.yellow("not forecast:")} ${failure}`);
    return forecasts.length > 0 ? EXIT_CODES.done : EXIT_CODES.failed;
  },
});

function forecastOne(
  { series, notes }: NamedSeries,
  model: Awaited<ReturnType<typeof createModel>>,
  horizonMs: number,
  levels: readonly number[],
): SeriesForecast {
  const steps = Math.max(1, Math.ceil(horizonMs / series.stepMs));
  if (steps > MOST_STEPS) {
    throw new UsageError(
      `--horizon is ${String(steps)} steps of ${series.id}; at most ${String(MOST_STEPS)} are forecast; name a longer --step or a shorter horizon`,
    );
  }
  const forecast = model.fit(series).predict(steps, levels);
  return { series, forecast, notes: [...notes, ...forecast.notes] };
}

function toJson({ series, forecast, notes }: SeriesForecast): object {
  const { startMs, stepMs, levels, rows, model, warnings = [] } = forecast;
  return { id: series.id, known: series.values.length, startMs, stepMs, levels, rows, model, notes, warnings };
}

function readLevels(text: string, mistakes: string[]): readonly number[] {
  const levels = text.split(",").map(Number);
  if (levels.every((level) => level > 0 && level < 1)) return [...new Set(levels)].sort((a, b) => a - b);
  mistakes.push(`--quantiles ("${text}") must be numbers between 0 and 1, like ${DEFAULT_LEVELS}`);
  return [0.5];
}
