/** The HTML page of backtests: the verdict, what would have been reserved, forecasts beside what came, every model. */
import { formatDurationShort } from "../../sdk/model";
import type { Backtest, ModelScore } from "../forecast/backtest";
import { reserveInWords, SCORE_COLUMNS, slotInWords, verdictOf } from "./backtest-text";
import { formatMoment, formatShare, formatValue, type ForecastLook } from "./forecast-view";
import { lineChart } from "./html/line-chart";
import { markup, type Markup } from "./html/markup";
import { badge, plainList, renderPage, section, table, type Section, type Tile } from "./html/page";
import { countOf } from "./html/words";

/** Coverage of P10 to P90 that counts as calibrated. */
const CALIBRATED = { least: 0.7, most: 0.9 } as const;

/** Renders the page. Equal arguments give equal pages. */
export function renderBacktestPage(results: readonly Backtest[], source: string, look: ForecastLook): string {
  const blends = results.flatMap(({ models: [blend] }) => (blend ? [blend] : []));
  const better = blends.filter(({ relativeLoss }) => relativeLoss < 1).length;
  const isBetter = better === results.length;
  const [only] = blends;
  return renderPage({
    title: `Backtest of ${source}`,
    state: isBetter
      ? { word: "better than the last season", tone: "good" }
      : { word: "not better everywhere", tone: "warn" },
    answer:
      results.length === 1 && only
        ? `${verdictOf(only)}.`
        : `Better than taking the last season again on ${String(better)} of ${String(results.length)} series.`,
    meta: `Times in ${look.timezone}.${look.unit === "" ? "" : ` Values in ${look.unit}.`}`,
    tiles: results.length === 1 && only ? tilesOf(only) : [],
    sections: [
      ...(results.length > 1 ? [overview(results)] : []),
      ...results.map((result, index) => ({ ...renderSeries(result, look), id: `series-${String(index + 1)}` })),
    ],
    footer:
      "Made by archipelago backtest: at each moment the models saw only what came before it. relPin: loss beside that of taking the last season again, below 1 is better. " +
      "WQL: weighted quantile loss. MASE: error of the median beside that of the last season. c80, c95: share within P10 to P90 and P2.5 to P97.5. u90, u99: share above P90 and P99.",
  });
}

function tilesOf({ relativeLoss, c80, u99, reserve, slot }: ModelScore): readonly Tile[] {
  const isCalibrated = c80 >= CALIBRATED.least && c80 <= CALIBRATED.most;
  return [
    {
      label: "Loss beside the last season's",
      value: relativeLoss.toFixed(2),
      tone: relativeLoss < 1 ? "good" : "warn",
    },
    {
      label: "Within P10 to P90",
      value: formatShare(c80),
      detail: "80 % would be right",
      tone: isCalibrated ? "good" : "warn",
    },
    { label: "Above P99", value: formatShare(u99), detail: "1 % would be right", tone: u99 <= 0.02 ? "good" : "warn" },
    {
      label: "Reserved at P95",
      value: formatValue(reserve.p95.mean),
      detail: `exceeded in ${formatShare(reserve.p95.exceeded)} of the horizons`,
    },
    { label: "Regret of the slot chosen", value: formatShare(slot.regret), detail: "of the mean load" },
  ];
}

function overview(results: readonly Backtest[]): Section {
  const columns = ["relPin", "MASE", "c80", "u99", "P95 exceeded", "Slot regret"];
  return section(
    "All series",
    table({
      caption: "The blend on every series",
      columns: ["Series", ...columns],
      rows: results.flatMap(({ id, models: [blend] }) =>
        blend
          ? [
              [
                id,
                blend.relativeLoss.toFixed(3),
                Number.isNaN(blend.mase) ? "-" : blend.mase.toFixed(3),
                formatShare(blend.c80),
                formatShare(blend.u99),
                formatShare(blend.reserve.p95.exceeded),
                formatShare(blend.slot.regret),
              ],
            ]
          : [],
      ),
      numeric: columns,
    }),
  );
}

function renderSeries(result: Backtest, look: ForecastLook): Section {
  const { id, models, horizon, stepMs, originsMs } = result;
  const [blend] = models;
  const yardstick = models.at(-1);
  const said = blend &&
    yardstick && [
      `Reserved at P95: ${reserveInWords(blend.reserve.p95)}.`,
      `Reserved at P99: ${reserveInWords(blend.reserve.p99)}.`,
      `Slot: ${slotInWords(result, blend, yardstick)}.`,
    ];
  return section(
    id,
    [plot(result, look), said && plainList(said), modelTable(result), plainList(result.notes)],
    `${countOf(originsMs.length, "forecast")} of ${formatDurationShort(horizon * stepMs)}.`,
  );
}

/** What the blend said at each origin beside what came; overlapping horizons give way to the later forecast. */
function plot({ id, said, stepMs, horizon }: Backtest, { timezone, unit }: ForecastLook): Markup {
  const parts = said.map(({ originMs, actual, rows }, index) => {
    const until = said[index + 1]?.originMs ?? Number.POSITIVE_INFINITY;
    const steps = actual.map((_, step) => step).filter((step) => originMs + step * stepMs < until);
    return { originMs, actual, rows, steps };
  });
  const startMs = said[0]?.originMs ?? 0;
  const endMs = (said.at(-1)?.originMs ?? 0) + (horizon - 1) * stepMs;
  const collect = <T>(point: (part: (typeof parts)[number], step: number, x: number) => T): T[] =>
    parts.flatMap((part, index) => {
      const x = (step: number): number => part.originMs + step * stepMs;
      const next = parts[index + 1]?.originMs ?? 0;
      // Steps beyond the last one hold nothing: the line breaks where nothing was said until the next forecast.
      const ends = next > x(horizon) ? [point(part, horizon, x(horizon - 1))] : [];
      return [...part.steps.map((step) => point(part, step, x(step))), ...ends];
    });
  return lineChart({
    caption: `${id}: what was said and what came`,
    unit: unit === "" ? "value" : unit,
    summary: `Dotted upright lines are the moments of the ${countOf(said.length, "forecast")}, ${formatMoment(startMs, timezone)} the first.`,
    span: { startMs, endMs },
    timezone,
    bands: [
      {
        name: "P5 to P95",
        points: collect(({ rows }, step, x) => ({
          x,
          low: rows[0]?.[step] ?? Number.NaN,
          high: rows[2]?.[step] ?? Number.NaN,
        })),
      },
    ],
    lines: [
      {
        name: "measured",
        color: "var(--c5)",
        points: collect(({ actual }, step, x) => ({ x, y: actual[step] ?? Number.NaN })),
      },
      {
        name: "median",
        color: "var(--c1)",
        points: collect(({ rows }, step, x) => ({ x, y: rows[1]?.[step] ?? Number.NaN })),
      },
      {
        name: "P99",
        color: "var(--c4)",
        points: collect(({ rows }, step, x) => ({ x, y: rows[3]?.[step] ?? Number.NaN })),
      },
    ],
    marks: said.map(({ originMs }) => originMs),
  });
}

function modelTable({ id, models }: Backtest): Markup {
  const names = SCORE_COLUMNS.map(({ name }) => name);
  return markup`<h3>Models</h3>
${table({
  caption: `Models on ${id}`,
  columns: ["Model", "Role", ...names],
  rows: models.map((model) => [
    model.name,
    badge(model.role, model.role === "blend" ? "good" : "plain"),
    ...SCORE_COLUMNS.map(({ of }) => of(model)),
  ]),
  numeric: names,
})}`;
}
