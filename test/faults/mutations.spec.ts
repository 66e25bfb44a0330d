import { strict as assert } from "node:assert";
import { describe, it } from "mocha";
import { MUTATIONS, scenarioFor } from "./mutations";
import { playScenario } from "./play";
import { createScenario } from "./random-scenario";

/** Each bug is to be found among the first so many seeds. */
const MOST_RUNS = 120;

describe("faults: a suite that finds bugs", () => {
  for (const mutation of MUTATIONS) {
    const { name, tampering, install } = mutation;
    it(`notices a product that ${name}`, async () => {
      const restore = install?.();
      try {
        for (let seed = 1; seed <= MOST_RUNS; seed += 1) {
          const { faults } = await playScenario(scenarioFor(mutation, createScenario(seed)), tampering);
          if (faults.length > 0) return;
        }
      } finally {
        restore?.();
      }
      assert.fail(`${String(MOST_RUNS)} runs found nothing`);
    }).timeout(120_000);
  }
});
