/**
 * `npm run bench:forecast -- --scale`: ten thousand generated series forecast by threads, from nothing and from what was
 * kept, with CPU and memory; and one fit of the LSTM. Writes bench/results/forecast-scale.json.
 */
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { fitResidualLstm } from "../../providers/forecast/lstm/residual-lstm";
import { LstmNetwork } from "../../providers/forecast/lstm/network";
import { trainNetwork } from "../../providers/forecast/lstm/train";
import { prepareSeries } from "../../providers/forecast/prepare";
import { createRandom } from "../../providers/forecast/random";
import { pacedEnsemble, type EnsembleTuning } from "../../providers/forecast/paced-ensemble";
import { remembered } from "../../providers/forecast/remembered";
import { ensemble } from "../../providers/forecast/ensemble";
import { openFitCache } from "../../providers/forecast-cache/fit-cache";
import { createFitPool } from "../../providers/forecast-cache/fit-pool";
import type { FitOrder } from "../../providers/forecast-cache/fit-worker";
import { writeResults } from "../results";
import { seriesEndMs } from "../../sdk/model";
import type { Series } from "../../sdk/model";

const SERIES = 10_000;
const QUICK_SERIES = 500;
const POINTS = 840;
const HORIZON = 48;
const LEVELS = [0.05, 0.1, 0.5, 0.9, 0.95, 0.99];
const THREADS = 2;
const HOUR_MS = 3_600_000;
const GOALS = { cpuMinutes: 4, rssMb: 1024, lstmSeconds: 5 } as const;

/** Runs it. */
export async function runScale(isQuick: boolean): Promise<void> {
  const count = isQuick ? QUICK_SERIES : SERIES;
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "archipelago-scale-"));
  const pool = createFitPool(THREADS);
  let rssMb = 0;
  const look = (): void => {
    rssMb = Math.max(rssMb, process.memoryUsage.rss() / 2 ** 20);
  };
  try {
    const cold = await measure(async () => {
      const cache = openFitCache({ folder, version: "scale" });
      let kept = 0;
      await pool.fit(ordersOf(count), ({ series }, { fit }) => {
        if (fit) cache.write(series, "ensemble", fit);
        // As many as a fleet asks at once; what is written does not have to be held.
        if (++kept % 500 === 0) cache.flush();
        look();
      });
      cache.flush();
    });
    const warm = await measure(() => {
      const cache = openFitCache({ folder, version: "scale" });
      const model = remembered(ensemble(), cache);
      for (const { series } of ordersOf(count)) model.fit(series).predict(HORIZON, LEVELS);
      if (cache.counts.missed > 0) throw new Error(`${String(cache.counts.missed)} fits were not kept`);
      look();
      return Promise.resolve();
    });
    const grown = measureGrown();
    const lstm = measureLstm();
    const result = {
      series: count,
      points: POINTS,
      horizon: HORIZON,
      threads: THREADS,
      cpuMsPerSeries: round(cold.cpuMs / count),
      cpuMinutes: round(cold.cpuMs / 60_000),
      cpuMinutesFor10000: round((cold.cpuMs / count) * (10_000 / 60_000)),
      wallSeconds: round(cold.wallMs / 1000),
      keptCpuMsPerSeries: round(warm.cpuMs / count),
      grown,
      rssMb: Math.round(rssMb),
      ...lstm,
    };
    print(result);
    writeResults("forecast-scale", result);
  } finally {
    await pool.close();
    fs.rmSync(folder, { recursive: true });
  }
}

function print(result: {
  readonly series: number;
  readonly cpuMsPerSeries: number;
  readonly cpuMinutesFor10000: number;
  readonly keptCpuMsPerSeries: number;
  readonly grown: ReturnType<typeof measureGrown>;
  readonly rssMb: number;
  readonly wallSeconds: number;
  readonly lstmFitCpuSeconds: number;
  readonly lstmAllEpochsCpuSeconds: number;
}): void {
  const row = (what: string, measured: string, goal: string): void =>
    console.log(`${what.padEnd(52)}${measured.padStart(12)}${goal.padStart(12)}`);
  row(`${String(result.series)} series of ${String(POINTS)} points, ${String(THREADS)} threads`, "measured", "goal");
  row("CPU a series, ms", String(result.cpuMsPerSeries), "25");
  row("CPU for 10,000 series, minutes", String(result.cpuMinutesFor10000), String(GOALS.cpuMinutes));
  row("wall time, s", String(result.wallSeconds), "");
  row("CPU a series that was kept, ms", String(result.keptCpuMsPerSeries), "");
  const { freshCpuMs, updates } = result.grown;
  row("the same fit from nothing, one thread, ms", String(freshCpuMs), "");
  for (const { values, cpuMs, weighed } of updates) {
    const share = weighed === 0 ? "" : `, ${String(Math.round(100 * weighed))} % weighed anew`;
    row(`updated for ${String(values)} more value${values === 1 ? "" : "s"}${share}, ms`, String(cpuMs), "");
  }
  row("largest resident memory, MB", String(result.rssMb), String(GOALS.rssMb));
  row("LSTM, one fit with early stopping, CPU s", String(result.lstmFitCpuSeconds), String(GOALS.lstmSeconds));
  row("LSTM, all 20 epochs on 840 points, CPU s", String(result.lstmAllEpochsCpuSeconds), String(GOALS.lstmSeconds));
}

/** Made one by one, so that all of them never lie in memory together. */
function* ordersOf(count: number): Generator<FitOrder> {
  for (let seed = 1; seed <= count; seed++) {
    yield { series: seriesOf(seed), asked: [{ horizon: HORIZON, levels: LEVELS, skip: 0 }] };
  }
}

/** Series that are updated, and by how many values they grow. */
const GROWN_SERIES = 60;
const GROWTHS = [1, 12, 48] as const;

/** What an update of the paced ensemble costs beside a fit of the plain one from nothing, after each of some growths. */
function measureGrown(): {
  readonly freshCpuMs: number;
  /** `weighed`: share of the series whose next pace was reached. */
  readonly updates: readonly { readonly values: number; readonly cpuMs: number; readonly weighed: number }[];
} {
  const cpuOf = (work: () => void): number => {
    const before = process.cpuUsage();
    work();
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1000;
  };
  const sums = GROWTHS.map((values) => ({ values, cpuMs: 0, weighed: 0 }));
  let freshCpuMs = 0;
  for (let seed = 1; seed <= GROWN_SERIES; seed++) {
    const whole = seriesOf(seed, POINTS + Math.max(...GROWTHS));
    // Where a series begins decides when its next pace is: all phases are tried.
    const startMs = seed * HOUR_MS;
    const until = (count: number): Series => ({ ...whole, startMs, values: whole.values.slice(0, count) });
    const kept = new Map<number, EnsembleTuning>();
    const model = pacedEnsemble({
      read: (part) => kept.get(seriesEndMs(part)),
      write: (part, tuning) => kept.set(seriesEndMs(part), tuning),
    });
    model.fit(until(POINTS)).predict(HORIZON, LEVELS);
    freshCpuMs += cpuOf(() => ensemble().fit(until(POINTS)).predict(HORIZON, LEVELS));
    for (const sum of sums) {
      const before = new Map(kept);
      sum.cpuMs += cpuOf(() => model.fit(until(POINTS + sum.values)).predict(HORIZON, LEVELS));
      if (kept.size > before.size) sum.weighed++;
      // Each growth begins from the same fit.
      for (const end of kept.keys()) if (!before.has(end)) kept.delete(end);
    }
  }
  return {
    freshCpuMs: round(freshCpuMs / GROWN_SERIES),
    updates: sums.map(({ values, cpuMs, weighed }) => ({
      values,
      cpuMs: round(cpuMs / GROWN_SERIES),
      weighed: round(weighed / GROWN_SERIES),
    })),
  };
}

/** A load with a day, quieter weekends, a slow wander and bursts, in shares that differ from series to series. */
function seriesOf(seed: number, count = POINTS): Series {
  const random = createRandom(seed);
  const [amplitude, weekend, noise, burst] = [random.next(), random.next(), 0.3 * random.next(), random.next() * 0.05];
  const phase = 24 * random.next();
  let wander = 0;
  const values = Float64Array.from({ length: count }, (_, hour) => {
    wander = 0.9 * wander + noise * random.normal();
    const day = 1 + amplitude * Math.sin((2 * Math.PI * (hour + phase)) / 24);
    const week = Math.floor(hour / 24) % 7 >= 5 ? weekend : 1;
    return Math.max(0, 1000 * (day * week + wander + (random.next() < burst ? 2 * random.next() : 0)));
  });
  return { id: `series/${String(seed)}`, unit: "cpuMillis", startMs: 0, stepMs: HOUR_MS, values };
}

/** One whole fit as `withLstm` makes it, and all epochs over all windows without stopping early. */
function measureLstm(): { readonly lstmFitCpuSeconds: number; readonly lstmAllEpochsCpuSeconds: number } {
  const series = seriesOf(1);
  const before = process.cpuUsage();
  const prepared = prepareSeries(series, 24);
  fitResidualLstm({ prepared, startMs: 0, stepMs: HOUR_MS }, Math.floor(POINTS * 0.7));
  const lstmFitCpuSeconds = secondsSince(before);
  const network = new LstmNetwork({ inputs: 6, hidden: 32, outputs: 12, window: 48 }, POINTS);
  const random = createRandom(1);
  network.initialize(random);
  for (let row = 0; row < POINTS; row++) {
    network.setInputs(
      row,
      Array.from({ length: 6 }, () => random.normal()),
    );
    network.setTargets(
      row,
      Array.from({ length: 12 }, () => random.normal()),
    );
  }
  const rows = Int32Array.from({ length: POINTS - 48 }, (_, index) => index + 47);
  const start = process.cpuUsage();
  trainNetwork(network, { training: rows, heldBack: rows.subarray(0, 100), epochs: 20, patience: 20 }, random);
  return { lstmFitCpuSeconds, lstmAllEpochsCpuSeconds: secondsSince(start) };
}

async function measure(work: () => Promise<void>): Promise<{ readonly cpuMs: number; readonly wallMs: number }> {
  const before = process.cpuUsage();
  const startMs = performance.now();
  await work();
  const { user, system } = process.cpuUsage(before);
  return { cpuMs: (user + system) / 1000, wallMs: performance.now() - startMs };
}

function secondsSince(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before);
  return round((user + system) / 1e6);
}

function round(value: number): number {
  return Number(value.toFixed(2));
}
