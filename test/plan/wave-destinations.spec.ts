import assert from "node:assert/strict";

import * as fc from "fast-check";

import { loadHighs, solveExactly, type Solve } from "../../bench/optimality/exact";
import { Placement } from "../../providers/plan/placement";
import { plan } from "../../providers/plan/plan";
import { createProblem } from "../../providers/plan/problem";
import { evaluateCost } from "../../providers/plan/search/evaluate";
import type { PlacementModel } from "../../providers/plan/search/model";
import {
  createDestinationModel,
  findDestinations,
  improveDestinations,
  restrictDestinations,
} from "../../providers/plan/wave-destinations";
import { placesOf, searchRefined } from "../../providers/plan/wave-refinement";
import { queryOf, searchWave, type FoundMoves, type SearchOptions } from "../../providers/plan/wave-search";
import { isMovesOnly } from "../../sdk/model";
import { pickFrom, randomSample, withRules } from "./random-samples";
import { OPENING_MS, sampleInput, type Sample } from "./sample-fleets";
import { simulate } from "./simulation";
import { comparePlan } from "./wave-optima";

const GIB = 2 ** 30;
const limits = { hostsAtOnce: 1, hostsPerZone: 1, canaryHosts: 1, soakMs: 0, drainMs: 30_000 } as const;
const asWanted = { probe: { output: "v2", matches: true } } as const;

/**
 * Host 2 is in the rack of host 1, host 3 in another zone, and neither has room for both copies. The large one, which is
 * placed first, is a little better off on host 2; the small one far better, for it has a sibling in the other zone.
 */
const crossed: Sample = {
  hosts: [
    { id: "host-1", zone: "a" },
    { id: "host-2", zone: "a", host: asWanted, memoryBytes: 8 * GIB },
    { id: "host-3", zone: "b", host: asWanted, memoryBytes: 8 * GIB },
    { id: "host-4", zone: "b", host: asWanted, memoryBytes: 4 * GIB },
  ],
  workloads: [
    { name: "large", on: ["host-1"], memoryBytes: 3 * GIB },
    { name: "small", on: ["host-1", "host-4"], memoryBytes: 2 * GIB },
  ],
  spec: { limits },
};

/** Whether copies may be put on a host, by site, where none of them is at first. */
type Within = (site: number) => boolean;

interface Search {
  readonly find: (refines: boolean) => FoundMoves | undefined;
  /** Where copies are; undefined where one has no host. */
  readonly placesOf: (found: FoundMoves) => Int32Array | undefined;
  /** Costs of places that are reached from some. */
  readonly modelFrom: (places: Int32Array) => PlacementModel | undefined;
}

/** The search for the copies of the first host of a sample; `of`: what holds in its lane. */
function searchOf(sample: Sample, of: Pick<SearchOptions, "waitOf"> & { readonly within?: Within } = {}): Search {
  const problem = createProblem(sampleInput(sample), ["host-1"], OPENING_MS, OPENING_MS + 3_600_000);
  const placement = new Placement(problem, { allowedShare: 0.05, quantile: 0.95, marginDeviates: 0 });
  placement.beginWave({ from: 0, to: 12 }, new Set([0]));
  const tasks = placement.copiesAt(0).map((copy) => ({ copy }));
  const options: SearchOptions = {
    index: 1,
    style: "balanced",
    quantile: 0.95,
    ids: new Set(),
    tries: { left: 1000 },
    mayShed: false,
    ...(of.waitOf ? { waitOf: of.waitOf } : {}),
  };
  const { within } = of;
  const queries = tasks.map((task) => queryOf(problem, task, options));
  const destinations = findDestinations(problem, placement, queries);
  return {
    find: (refines) => {
      const found = refines
        ? searchRefined(problem, placement, tasks, {
            ...options,
            refine: { seed: 1, ...(within ? { within: () => within } : {}) },
          })
        : searchWave(problem, placement, tasks, options);
      if ("stuck" in found) return undefined;
      found.undo();
      return found;
    },
    placesOf: (found) => destinations && placesOf(problem, destinations, found),
    modelFrom: (places) =>
      destinations &&
      createDestinationModel(
        problem,
        within ? restrictDestinations(problem, destinations, places, within) : destinations,
        places,
      ),
  };
}

describe("the destinations of a wave", () => {
  let solve: Solve;
  before(async () => {
    solve = await loadHighs();
  });

  it("cost at most 1 % more than the cheapest ones in the mean and 5 % at worst, in plans of a fixed sample of small fleets", () => {
    const samples = fc.sample(randomSample(), { numRuns: 100, seed: 7 });
    const compared = samples.flatMap((sample) => comparePlan(solve, sampleInput(sample))?.waves ?? []);
    assert.ok(compared.length >= 40, `${String(compared.length)} waves`);
    for (const { gap, isProven } of compared) {
      assert.ok(isProven);
      assert.ok(gap >= -1e-6 && gap <= 0.05, String(gap));
    }
    const mean = compared.reduce((sum, { gap }) => sum + gap, 0) / compared.length;
    assert.ok(mean <= 0.01, String(mean));
  });

  it("that the search has chosen keep capacity and budgets in any order of steps, and the plan says that it has", () => {
    let chosen = 0;
    for (const [seed, sample] of fc.sample(randomSample(), { numRuns: 100, seed: 7 }).entries()) {
      const input = sampleInput(sample);
      const result = plan(input);
      const moves = result.waves.flatMap((wave) => (isMovesOnly(wave) ? [] : wave.moves));
      if (!moves.some(({ reason }) => reason.endsWith("as the wave's copies are better off together"))) continue;
      chosen++;
      simulate(input, result, pickFrom(seed));
    }
    assert.ok(chosen >= 2, `only ${String(chosen)} plans`);
  });

  it("never cost more together than one by one, and are those of the same search again", () => {
    let cheaper = 0;
    fc.assert(
      fc.property(fc.oneof(randomSample(), withRules(randomSample())), (sample) => {
        const { find, placesOf: places, modelFrom } = searchOf(sample);
        const before = find(false);
        const refined = find(true);
        assert.equal(refined === undefined, before === undefined);
        if (!before || !refined) return;
        assert.deepEqual(find(true)?.moves, refined.moves);
        assert.deepEqual(find(false)?.moves, before.moves, "the placement is as it was");
        const [start, end] = [places(before), places(refined)];
        const model = start && modelFrom(start);
        if (!model || !end) return;
        const [cost, after] = [evaluateCost(model, start).total, evaluateCost(model, end).total];
        assert.ok(after <= cost, `${String(after)} for ${String(cost)}`);
        if (after < cost) cheaper++;
      }),
      { numRuns: 400 },
    );
    assert.ok(cheaper >= 2, `only ${String(cheaper)} searches found anything`);
  });

  it("in a lane keep to the hosts that make no lane wait longer, and cost hardly more than the cheapest ones on those", () => {
    const lanes = fc.record({
      sample: randomSample(),
      waits: fc.array(fc.constantFrom(0, 0.5, 1), { minLength: 8, maxLength: 8 }),
      open: fc.array(fc.boolean(), { minLength: 8, maxLength: 8 }),
    });
    const [gaps, ones]: [number[], number[]] = [[], []];
    for (const { sample, waits, open } of fc.sample(lanes, { numRuns: 250, seed: 7 })) {
      const within: Within = (site) => open[site % open.length] === true;
      const {
        find,
        placesOf: places,
        modelFrom,
      } = searchOf(sample, { within, waitOf: (site) => waits[site % waits.length] ?? 0 });
      const [before, refined] = [find(false), find(true)];
      const [start, end] = [before && places(before), refined && places(refined)];
      const model = start && modelFrom(start);
      if (!model || !end || !before || !refined || start.length < 2) continue;
      const siteOf = ({ moves }: FoundMoves): number[] => moves.map(({ arrived }) => arrived.site);
      const used = new Set(siteOf(before));
      assert.ok(siteOf(refined).every((site) => used.has(site) || within(site)));
      const { cost, isOptimal } = solveExactly(solve, model, 10);
      assert.ok(isOptimal);
      const gapOf = (at: Int32Array): number => (evaluateCost(model, at).total - cost) / Math.max(Number.EPSILON, cost);
      gaps.push(gapOf(end));
      ones.push(gapOf(start));
    }
    const mean = (of: readonly number[]): number => of.reduce((sum, gap) => sum + gap, 0) / of.length;
    assert.ok(mean(ones) > mean(gaps) && Math.max(...ones) > 0.05, "one by one they cost more");
    assert.ok(gaps.length >= 40, `${String(gaps.length)} lanes`);
    assert.ok(Math.min(...gaps) >= -1e-6);
    assert.ok(Math.max(...gaps) <= 0.05, String(Math.max(...gaps)));
    assert.ok(mean(gaps) <= 0.01, String(mean(gaps)));
  });

  it("are improved to the optimum where copies that come one by one do not reach it, and left alone there", () => {
    const { find, placesOf: places, modelFrom } = searchOf(crossed);
    const [before, refined] = [find(false), find(true)];
    assert.ok(before && refined);
    const targetsOf = ({ moves }: FoundMoves): readonly unknown[] => moves.map(({ move }) => [move.workload, move.to]);
    assert.deepEqual(targetsOf(before), [
      ["large", "host-2"],
      ["small", "host-3"],
    ]);
    assert.deepEqual(targetsOf(refined), [
      ["large", "host-3"],
      ["small", "host-2"],
    ]);
    const end = places(refined);
    const model = end && modelFrom(end);
    assert.ok(model);
    const { cost, isOptimal } = solveExactly(solve, model, 10);
    assert.ok(isOptimal);
    assert.ok(Math.abs(evaluateCost(model, end).total - cost) < 1e-6);
    assert.equal(improveDestinations(model, end, 1), undefined);
  });
});
