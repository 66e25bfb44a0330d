import { strict as assert } from "node:assert";
import fc from "fast-check";
import { describe, it } from "mocha";
import { ensemble } from "../../providers/forecast/ensemble";
import {
  pacedEnsemble,
  weighedPart,
  type EnsembleTuning,
  type TuningMemory,
} from "../../providers/forecast/paced-ensemble";
import { createRandom } from "../../providers/forecast/random";
import type { Series } from "../../sdk/model";
import { seriesEndMs } from "../../sdk/model";
import { dailySeries, HOUR_MS, seriesOf } from "./series-builders";

const LEVELS = [0.05, 0.5, 0.95];

/** Keeps weights as text, as a folder does. */
function memory(): TuningMemory & { readonly kept: Map<string, string>; writes: number } {
  const kept = new Map<string, string>();
  const keyOf = ({ startMs, values }: Series): string => `${String(startMs)} ${values.join()}`;
  const self = {
    kept,
    writes: 0,
    read: (part: Series) => {
      const text = kept.get(keyOf(part));
      return text === undefined ? undefined : (JSON.parse(text) as EnsembleTuning);
    },
    write: (part: Series, tuning: EnsembleTuning) => {
      self.writes++;
      kept.set(keyOf(part), JSON.stringify(tuning));
    },
  };
  return self;
}

/** A series of one of several kinds: with a day, without a season, mostly zero, with gaps. */
function loadOf(seed: number, count: number, from = 0): Series {
  const random = createRandom(seed);
  const kind = seed % 4;
  const values = Array.from({ length: from + count }, (_, i) => {
    const noise = 100 + 20 * random.normal();
    const gap = random.next() < 0.05;
    const quiet = random.next() < 0.8;
    if (kind === 0) return Math.max(0, noise + 60 * Math.sin((2 * Math.PI * i) / 24));
    if (kind === 1) return Math.max(0, noise);
    if (kind === 2) return quiet ? 0 : Math.max(0, noise);
    return gap ? Number.NaN : Math.max(0, noise + 30 * Math.sin((2 * Math.PI * i) / 24));
  });
  const { startMs } = seriesOf([]);
  return seriesOf(values.slice(from), { startMs: startMs + from * HOUR_MS, stepMs: HOUR_MS });
}

function said(memoryOfFit: TuningMemory | undefined, series: Series): unknown {
  const fitted = pacedEnsemble(memoryOfFit).fit(series);
  return [fitted.notes, fitted.residualCycles, fitted.predict(30, LEVELS, 2).rows, fitted.predict(5, [0.3]).rows];
}

describe("the paced ensemble", () => {
  it("says of a series that grew what a fit from nothing says, bit by bit, also where the window moved along", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 10_000 }),
        fc.integer({ min: 60, max: 400 }),
        fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 3 }),
        fc.boolean(),
        (seed, count, growths, isMoving) => {
          const kept = memory();
          let grown = 0;
          for (const growth of [0, ...growths]) {
            grown += growth;
            const series = isMoving ? loadOf(seed, count, grown) : loadOf(seed, count + grown);
            assert.deepEqual(said(kept, series), said(undefined, series));
          }
        },
      ),
      { numRuns: 8 },
    );
  });

  it("weighs anew once a pace, and not before", () => {
    const kept = memory();
    const whole = dailySeries({ days: 20, seed: 3 });
    const until = (count: number): Series => ({ ...whole, values: whole.values.slice(0, count) });
    // A pace is 16 values, and Monday midnight a multiple of it.
    const first = Math.ceil((whole.startMs / HOUR_MS + 300) / 16) * 16 - whole.startMs / HOUR_MS;
    said(kept, until(first));
    const { writes } = kept;
    assert.equal(kept.kept.size, 1);
    for (const more of [1, 5, 15]) said(kept, until(first + more));
    assert.deepEqual([kept.kept.size, kept.writes], [1, writes]);
    said(kept, until(first + 16));
    assert.equal(kept.kept.size, 2);
  });

  it("looks for its weights at all but a sixteenth of the oldest and of the newest values", () => {
    fc.assert(
      fc.property(fc.integer({ min: 32, max: 5000 }), fc.integer({ min: 0, max: 5000 }), (count, from) => {
        const series = loadOf(1, 1);
        const grown = { ...series, startMs: from * HOUR_MS, values: new Float64Array(count) };
        const part = weighedPart(grown);
        assert.ok(part);
        const steps = (ms: number): number => Math.round(ms / HOUR_MS);
        const [before, after] = [part.startMs - grown.startMs, seriesEndMs(grown) - seriesEndMs(part)].map(steps);
        assert.ok((before ?? -1) >= 0 && (before ?? count) <= count / 16);
        assert.ok((after ?? -1) >= 0 && (after ?? count) <= count / 16);
      }),
    );
    assert.equal(weighedPart(loadOf(1, 31)), undefined);
  });

  it("says what the plain ensemble says where the newest values were not foreseen, and of short series", () => {
    const calm = dailySeries({ days: 20, seed: 4 });
    // The last multiple of 16 lies before the jump.
    const jumped = { ...calm, values: calm.values.slice(0, 479).map((value, i) => (i >= 472 ? 9 * value : value)) };
    for (const series of [jumped, loadOf(1, 20), loadOf(5, 9)]) {
      const plain = ensemble().fit(series);
      const paced = pacedEnsemble().fit(series);
      assert.deepEqual(paced.notes, plain.notes);
      assert.deepEqual(paced.predict(12, LEVELS).rows, plain.predict(12, LEVELS).rows);
    }
  });

  it("makes no forecast from a part that is all gaps, but from the whole", () => {
    const values = Array.from({ length: 64 }, (_, i) => (i < 63 ? Number.NaN : 5));
    const series = seriesOf(values, { stepMs: HOUR_MS });
    assert.deepEqual(pacedEnsemble().fit(series).predict(3, LEVELS), ensemble().fit(series).predict(3, LEVELS));
  });
});
