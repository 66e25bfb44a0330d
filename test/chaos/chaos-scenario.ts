/**
 * Tests of one host update in which something is killed: its own fleet under live traffic, the run to its end, and
 * what its clients saw of it. Each spec has one, so that they can run beside each other.
 *
 * Not for: what is judged of every run (chaos-verdict.ts).
 */
import { strict as assert } from "node:assert";
import { after, before, describe, it } from "mocha";
import { verifyLedger, type LoadResult } from "../../bench/load";
import { startChaosFleet, type ChaosFleet } from "./chaos-fleet";
import { runUnderChaos, STEP_KINDS, type ChaosOptions, type ChaosOutcome, type IncidentKind } from "./chaos-run";
import { assertKept } from "./chaos-verdict";
import type { StepKind } from "../../sdk/model";

/** What a client sees beyond the pause itself: its own request, and a machine that is busy with tests. */
const MARGIN_MS = 500;
const VERSION = "2.0.0";
const LIMIT_MS = 300_000;

/** One update with kills. */
export interface ChaosScenario extends Omit<ChaosOptions, "fleet" | "spec"> {
  /** A sentence about how the run goes on. */
  readonly title: string;
  /** How much longer than allowed the ledger may pause. @default 0 */
  readonly extraPauseMs?: number;
  /** Judges whether what was to be killed was killed. */
  readonly judge: (outcome: ChaosOutcome) => void;
}

/** Defines the tests of a scenario. */
export function chaosSuite(suite: string, scenario: ChaosScenario): void {
  const { title, extraPauseMs = 0, judge, ...kills } = scenario;
  describe(suite, function () {
    this.timeout(LIMIT_MS);
    let fleet: ChaosFleet | undefined;
    let measured: LoadResult | undefined;
    before(async () => {
      fleet = await startChaosFleet();
    });
    after(async () => {
      await fleet?.close();
    });

    it(title, async () => {
      const running = present(fleet);
      await running.load.mark(VERSION);
      const outcome = await runUnderChaos({ fleet: running, spec: running.specFor(VERSION), ...kills });
      await assertKept({ fleet: running, outcome, version: VERSION, extraPauseMs });
      judge(outcome);
    });

    it("loses no request of a client and no acknowledged write", async () => {
      const { load, ledger } = present(fleet);
      measured = await load.stop();
      const verdict = await verifyLedger(ledger, measured.ackedLedgerIds);
      assert.deepEqual(measured.failures, []);
      assert.deepEqual([verdict.lost, verdict.doubled], [[], []]);
      assert.ok(verdict.acknowledged > 100, `${String(verdict.acknowledged)} writes were acknowledged`);
    });

    it("pauses the ledger no longer than allowed", () => {
      const { maxMs } = present(present(measured).phases[VERSION]).ledger;
      assert.ok(maxMs <= present(fleet).maxPauseMs + extraPauseMs + MARGIN_MS, `a write took ${String(maxMs)} ms`);
    });
  });
}

/** The same incident in the middle of a step of each kind. */
export function inEachStep(incident: IncidentKind): ReadonlyMap<StepKind, IncidentKind> {
  return new Map(STEP_KINDS.map((kind) => [kind, incident]));
}

/** Each kind of step was under way when something was killed. */
export function assertEachKindMet({ kills }: ChaosOutcome): void {
  const met = kills.filter(({ isInMiddle }) => isInMiddle).map(({ step }) => step.kind);
  assert.deepEqual(met.sort(), [...STEP_KINDS].sort(), "each kind was met in its middle once");
}

function present<T>(value: T | undefined): T {
  assert.ok(value !== undefined, "an earlier test of this file has failed");
  return value;
}
