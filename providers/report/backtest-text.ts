/** A backtest as text: what would have been reserved, the slots chosen, then every model beside the others. */
import { formatDurationShort } from "../../sdk/model";
import type { Backtest, ModelScore } from "../forecast/backtest";
import type { ReserveScore } from "../forecast/score-sum";
import { formatMoment, formatShare, formatValue, type ForecastLook } from "./forecast-view";

/** Columns of the table of models, with what a perfect one has. */
export const SCORE_COLUMNS: readonly { readonly name: string; readonly of: (model: ModelScore) => string }[] = [
  { name: "weight", of: ({ weight }) => (weight === undefined ? "" : formatShare(weight)) },
  { name: "relPin", of: ({ relativeLoss }) => relativeLoss.toFixed(3) },
  { name: "WQL", of: ({ wql }) => wql.toFixed(4) },
  { name: "MASE", of: ({ mase }) => (Number.isNaN(mase) ? "-" : mase.toFixed(3)) },
  { name: "c80", of: ({ c80 }) => percent(c80) },
  { name: "c95", of: ({ c95 }) => percent(c95) },
  { name: "u90", of: ({ u90 }) => percent(u90) },
  { name: "u99", of: ({ u99 }) => percent(u99) },
];

/** Renders one series. */
export function renderBacktestText(result: Backtest, { timezone, unit }: ForecastLook): string {
  const { id, horizon, stepMs, originsMs, models, notes } = result;
  const [blend] = models;
  const yardstick = models.at(-1);
  const [first, last] = [originsMs[0] ?? 0, originsMs.at(-1) ?? 0];
  const lines = [
    `${id}${unit === "" ? "" : `, ${unit}`}: ${String(originsMs.length)} forecasts of ${formatDurationShort(horizon * stepMs)}, made from ${formatMoment(first, timezone)} to ${formatMoment(last, timezone)} (${timezone})`,
  ];
  if (blend && yardstick) {
    lines.push(
      "",
      `  verdict   ${verdictOf(blend)}`,
      `  reserve   at P95 ${reserveInWords(blend.reserve.p95)}`,
      `            at P99 ${reserveInWords(blend.reserve.p99)}`,
      `  slot      ${slotInWords(result, blend, yardstick)}`,
    );
  }
  const cells = models.map((model) => [model.name, ...SCORE_COLUMNS.map(({ of }) => of(model))]);
  const head = ["model", ...SCORE_COLUMNS.map(({ name }) => name)];
  const widths = head.map((title, column) => Math.max(title.length, ...cells.map((row) => (row[column] ?? "").length)));
  const line = (row: readonly string[]): string =>
    `  ${row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0))).join("  ")}`;
  return [
    ...lines,
    "",
    line(head),
    ...cells.map(line),
    line(["(calibrated)", "", "", "", "", "80 %", "95 %", "10 %", "1 %"]),
    ...(notes.length === 0 ? [] : ["", ...notes.map((note) => `  ${note}`)]),
  ].join("\n");
}

/** Better or worse than the last season, and whether its tails hold, in one sentence. */
export function verdictOf({ relativeLoss, c80, u99 }: ModelScore): string {
  const gain = Math.round(100 * Math.abs(1 - relativeLoss));
  const compared =
    relativeLoss < 1
      ? `The forecast's loss is ${String(gain)} % below that of taking the last season again`
      : `The forecast's loss is ${String(gain)} % above that of taking the last season again`;
  return `${compared}; ${percent(c80)} of what came lay within P10 to P90, ${percent(u99)} above P99`;
}

/** What a reservation would have been and how often it was too small. */
export function reserveInWords({ mean, exceeded, meanExcess, worstExcess, idle }: ReserveScore): string {
  const passed =
    exceeded === 0
      ? "never exceeded"
      : `exceeded in ${formatShare(exceeded)} of the horizons, by ${formatShare(meanExcess)} on average and ${formatShare(worstExcess)} at worst`;
  return `${formatValue(mean)} on average, ${passed}; ${formatShare(idle)} above the peak that came`;
}

/** How good the choice of a slot would have been. */
export function slotInWords({ slotSteps, stepMs }: Backtest, { slot }: ModelScore, yardstick: ModelScore): string {
  const reserved =
    slot.exceeded === 0
      ? "its P99 was never exceeded"
      : `its P99 was exceeded in ${formatShare(slot.exceeded)} of them, by ${formatShare(slot.meanExcess)} on average`;
  return (
    `the calmest ${formatDurationShort(slotSteps * stepMs)} was chosen in ${formatShare(slot.hit)} of the horizons; ` +
    `regret ${formatShare(slot.regret)} of the mean load (last season ${formatShare(yardstick.slot.regret)}); ${reserved}`
  );
}

function percent(share: number): string {
  return `${(share * 100).toFixed(share > 0 && share < 0.1 ? 1 : 0)} %`;
}
