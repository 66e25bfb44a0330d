/** `archipelago backtest`: how good forecasts of a history of the user's own would have been. */
import { writeFile } from "node:fs/promises";
import { isKind, messageOf } from "../../sdk/model";
import type { Backtest } from "../forecast/backtest";
import { defineCommand, UsageError } from "./command";
import { EXIT_CODES } from "./exit-codes";
import { createModel, HISTORY_OPTIONS, readAlso, readWork, readHistory, readMs } from "./history-options";
import { readShare, readWhole } from "./simulate-options";

const DEFAULT_HORIZON = "24 hours";
const DEFAULT_SLOT = "2 hours";
const DEFAULT_ORIGINS = 20;
const MOST_ORIGINS = 1000;
const DEFAULT_SHARE = 0.3;
const DAY_MS = 86_400_000;
const MOST_STEPS = 20_000;

/** Tests forecasts; changes nothing. */
export const backtestCommand = defineCommand({
  name: "backtest",
  summary: "how good forecasts of a history of your own would have been, and what they would have reserved",
  about: `Forecasts from moments of the past, at each of which only what came before is known, and compares with what
came: accuracy and calibration of the blend and of each of its members, what would have been reserved at P95 and P99
and how often that was exceeded, and whether the calmest slot was found. FILE is as for "archipelago forecast".`,
  positionals: [{ name: "FILE", isOptional: true, completes: "files" }],
  options: {
    horizon: { value: "DURATION", about: `length of each forecast; "${DEFAULT_HORIZON}" without it` },
    origins: {
      value: "NUMBER",
      about: `forecasts made, up to ${String(MOST_ORIGINS)}; ${String(DEFAULT_ORIGINS)} without it`,
    },
    share: {
      value: "PERCENT",
      about: `part of the history, from its end, that is tested; ${String(100 * DEFAULT_SHARE)}% without it`,
    },
    slot: { value: "DURATION", about: `length of the calm slot that is looked for; "${DEFAULT_SLOT}" without it` },
    ...HISTORY_OPTIONS,
    page: { value: "FILE", about: "write an HTML page with charts" },
  },
  examples: [
    ["archipelago backtest cpu.csv", "twenty forecasts of a day over the last 30 % of each column"],
    ["archipelago backtest cpu.csv --origins 100 --horizon '4 hours' --page backtest.html", "more of them, as a page"],
  ],
  async run({ options, positionals: [file], isJson, terminal }) {
    const mistakes: string[] = [];
    const horizonMs = readMs("--horizon", options.horizon ?? DEFAULT_HORIZON, mistakes) ?? 0;
    const slotMs = readMs("--slot", options.slot ?? DEFAULT_SLOT, mistakes) ?? 0;
    const origins = readWhole("--origins", options.origins, DEFAULT_ORIGINS, MOST_ORIGINS, mistakes);
    const share = readShare("--share", options.share, DEFAULT_SHARE, mistakes);
    const also = readAlso(options.also, mistakes);
    const work = readWork(options.work, mistakes);
    if (mistakes.length > 0) throw new UsageError(mistakes.join("\n  "));
    const history = await readHistory({ file, ...options }, terminal);
    const model = await createModel(options.lstm, also, work);
    const { backtest } = await import("../forecast/backtest.js");
    const results: Backtest[] = [];
    const failures: string[] = [];
    const { coarsen } = await import("../observe/samples.js");
    for (const [index, read] of history.series.entries()) {
      const { series, notes } = options.step === undefined ? coarsen(read, horizonMs, MOST_STEPS) : read;
      const { stepMs } = series;
      const horizon = Math.max(1, Math.ceil(horizonMs / stepMs));
      if (horizon > MOST_STEPS) {
        throw new UsageError(
          `--horizon is ${String(horizon)} steps of ${series.id}; at most ${String(MOST_STEPS)} are tested; name a longer --step or a shorter horizon`,
        );
      }
      const daySteps = Number.isInteger(DAY_MS / stepMs) ? DAY_MS / stepMs : 1;
      const slotSteps = Math.min(horizon, Math.max(1, Math.round(slotMs / stepMs)));
      const setting = { series, model, horizon, origins, share, season: daySteps, slotSteps };
      const place = `${String(index + 1)} of ${String(history.series.length)}: ${series.id}`;
      try {
        const result = backtest(setting, (turn) => {
          terminal.progress.status(`${place}, forecast ${String(turn + 1)} of ${String(origins)}`);
        });
        results.push({ ...result, notes: [...notes, ...result.notes] });
      } catch (error) {
        if (!isKind(error, "SeriesError")) throw error;
        failures.push(messageOf(error));
      }
    }
    terminal.progress.status("");
    const look = { timezone: history.timezone, unit: options.unit ?? "" };
    if (options.page !== undefined && results.length > 0) {
      const { renderBacktestPage } = await import("../report/backtest-page.js");
      await writeFile(options.page, renderBacktestPage(results, history.name, look));
    }
    if (isJson) terminal.printJson({ v: 1, series: results, failures });
    else {
      const { renderBacktestText } = await import("../report/backtest-text.js");
      for (const result of results) terminal.print(`${renderBacktestText(result, look)}\n`);
    }
    for (const failure of failures) terminal.note(`${terminal.colours.yellow("not tested:")} ${failure}`);
    return results.length > 0 ? EXIT_CODES.done : EXIT_CODES.failed;
  },
});
