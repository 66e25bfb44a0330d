/**
 * Loaded by mocha before the specs: properties are tried with the same cases every time, so that a test run says
 * something of the change and not of luck. `npm run test:properties` goes on with other seeds.
 */
import fc from "fast-check";

const USUAL_SEED = "1";
const { ARCHIPELAGO_PROPERTY_SEED: seed = USUAL_SEED } = process.env;
fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: Number(seed) });

/** True for the cases of every test run, of which more is known than holds for all that could be drawn. */
export const isUsualSeed = seed === USUAL_SEED;

/** How often a property has to meet what it is about: so often in the cases of every test run, once in all others. */
export function leastSeen(usual: number): number {
  return isUsualSeed ? usual : 1;
}
