import { strict as assert } from "node:assert";
import { describe, it } from "mocha";
import { playCampaign } from "./campaign";
import { playScenario } from "./play";
import { createScenario } from "./random-scenario";
import type { Scenario } from "./scenario";
import { renderAsTest, shrinkScenario } from "./shrink";

const RUNS = 500;
const FIRST_SEED = 20_260_307;

describe("faults: random fleets, plans and faults", () => {
  it(`keeps every promise in ${String(RUNS)} scenarios`, async () => {
    const { played, failing, phases, incidents } = await playCampaign({ runs: RUNS, seed: FIRST_SEED });
    const [first] = failing;
    if (first) {
      const shrunk = await shrinkScenario(createScenario(first.seed), first.finding, playScenario);
      assert.fail(`seed ${String(first.seed)}: ${shrunk.finding.faults.join("\n")}\n${renderAsTest(shrunk)}`);
    }
    assert.equal(played, RUNS);
    // Scenarios in which nothing happens would keep every promise, too.
    assert.ok((phases["done"] ?? 0) > RUNS / 3, JSON.stringify(phases));
    assert.ok((phases["failed"] ?? 0) > RUNS / 20, JSON.stringify(phases));
    assert.equal(Object.keys(incidents).length, 13, JSON.stringify(incidents));
  }).timeout(300_000);

  it("plays a seed the same way every time", async () => {
    for (const seed of [3, 17]) {
      assert.deepEqual(createScenario(seed), createScenario(seed));
      assert.deepEqual(await playScenario(createScenario(seed)), await playScenario(createScenario(seed)));
    }
  });

  it("shortens a failing scenario to what makes it fail, and prints it as a test", async () => {
    const scenario: Scenario = {
      ...createScenario(5),
      incidents: [
        { kind: "rival", afterMs: 4321 },
        { kind: "crash", afterMs: 2345, backAfterMs: 900 },
        { kind: "clock-step", afterMs: 77, byMs: 60_000 },
      ],
    };
    const play = (tried: Scenario): Promise<{ isPlanned: boolean; faults: readonly string[] }> =>
      Promise.resolve({ isPlanned: true, faults: tried.incidents.some(({ kind }) => kind === "crash") ? ["bad"] : [] });
    const shrunk = await shrinkScenario(scenario, await play(scenario), play);
    assert.deepEqual(shrunk.scenario.incidents, [{ kind: "crash", afterMs: 2000, backAfterMs: 900 }]);
    assert.equal(shrunk.scenario.hosts, 3);
    const text = renderAsTest(shrunk);
    assert.match(text, /it\("keeps every promise in the scenario of seed 1", async/);
    assert.match(text, /"kind": "crash"/);
  });
});
