/** Inputs that the properties of plans draw. */
import * as fc from "fast-check";

import type { PlanInput } from "../../providers/plan/plan";
import { isMovesOnly, type MigrationPlan } from "../../sdk/model";
import { randomSample, withBursts, withRefusals, withRules, withImage, withTwoWays } from "./random-samples";
import { sampleInput, type Sample } from "./sample-fleets";
import { Simulation } from "./simulation";

/** Small fleets with and without rules about places. */
export function anySample(): fc.Arbitrary<Sample> {
  return fc.oneof(randomSample(), withRules(randomSample()));
}

/**
 * The input of a sample; by the seed, functions can stand in for copies of its services, or can be refused, and hosts are
 * replaced, all of them or some.
 */
export function drawnInput(sample: Sample, seed: number): PlanInput {
  const input = drawnWays(sample, seed);
  if (seed % 8 === 7) return withTwoWays(input, (at) => ((seed >> 3) & (1 << (at % 16)) ? "both" : "replacement"));
  return seed % 4 === 3 ? withImage(input) : input;
}

function drawnWays(sample: Sample, seed: number): PlanInput {
  if (seed % 3 === 0) return sampleInput(sample);
  return seed % 3 === 1 ? withBursts(sample, 10 + (seed % 1000)) : withRefusals(sample, (1 + (seed % 9)) / 10);
}

/** Host of each copy. */
export function placesOf(simulation: Simulation): Map<string, string> {
  return new Map([...simulation.copies].map(([id, { host }]) => [id, host]));
}

export function updatedHosts(result: MigrationPlan): string[] {
  return result.waves.flatMap((wave) => (isMovesOnly(wave) ? [] : wave.hosts)).sort();
}
