import { strict as assert } from "node:assert";
import { after, before, describe, it } from "mocha";
import { verifyLedger, type LoadResult } from "../../bench/load";
import { MAX_PAUSE_MS, startChaosFleet, type ChaosFleet } from "./chaos-fleet";
import { runUnderChaos, STEP_KINDS, type ChaosOutcome } from "./chaos-run";
import { assertKept } from "./chaos-verdict";

/** Everything that a hand-over does to the ledger and its traffic, in order, until the new copy is active. */
const HAND_OVER_CALLS: readonly string[] = [
  "workloads.start",
  "traffic.park",
  "workloads.quiesce",
  "workloads.snapshot",
  "workloads.restore",
  "traffic.cutOver",
  "workloads.activate",
];
/** What a client sees beyond the pause itself: its own request, and a machine that is busy with tests. */
const MARGIN_MS = 500;
/** A source whose agent is away becomes active again only when somebody has started that agent. */
const AGENT_AWAY_MS = 2_000;

describe("chaos: kills on real processes", function () {
  this.timeout(300_000);
  let fleet: ChaosFleet | undefined;
  let measured: LoadResult | undefined;
  before(async () => {
    fleet = await startChaosFleet();
  });
  after(async () => {
    await fleet?.close();
  });

  // Each run is another one on the same fleet, with epochs of its own that begin anew: nobody refuses it as stale.
  it("goes on after a SIGKILL of the runner in the middle of each kind of step", async () => {
    const outcome = await carryOut("2.0.0", { victim: "runner", kinds: STEP_KINDS });
    assertEachKindMet(outcome);
  });

  it("goes on after a SIGKILL of an agent in the middle of each kind of step", async () => {
    const killAgentAfter = ["workloads.quiesce"];
    const outcome = await carryOut("3.0.0", { victim: "agent", kinds: STEP_KINDS, killAgentAfter });
    assertEachKindMet(outcome);
    assert.deepEqual(outcome.agentDeaths, killAgentAfter, "and once more while requests are parked");
  });

  it("hands the ledger over although the runner dies after each call of the hand-over", async () => {
    const outcome = await carryOut("4.0.0", { victim: "none", kinds: [], dieAfter: HAND_OVER_CALLS });
    assert.deepEqual([...outcome.deaths].sort(), [...HAND_OVER_CALLS].sort());
  });

  it("loses no request of a client and no acknowledged write over all of this", async () => {
    const { load, ledger } = present(fleet);
    measured = await load.stop();
    const verdict = await verifyLedger(ledger, measured.ackedLedgerIds);
    assert.deepEqual(measured.failures, []);
    assert.deepEqual([verdict.lost, verdict.doubled], [[], []]);
    assert.ok(verdict.acknowledged > 100, `${String(verdict.acknowledged)} writes were acknowledged`);
  });

  it("pauses the ledger no longer than allowed when a runner dies", () => {
    const { phases } = present(measured);
    for (const phase of ["2.0.0", "4.0.0"]) {
      const { maxMs } = present(phases[phase]).ledger;
      assert.ok(maxMs <= MAX_PAUSE_MS + MARGIN_MS, `a write of ${phase} took ${String(maxMs)} ms`);
    }
    const { maxMs } = present(phases["3.0.0"]).ledger;
    assert.ok(maxMs <= MAX_PAUSE_MS + AGENT_AWAY_MS + MARGIN_MS, `with agents away a write took ${String(maxMs)} ms`);
  });

  /** Updates the fleet to a version with kills meanwhile, and looks whether every promise was kept. */
  async function carryOut(
    version: string,
    chaos: Pick<Parameters<typeof runUnderChaos>[0], "victim" | "kinds" | "dieAfter" | "killAgentAfter">,
  ): Promise<ChaosOutcome> {
    const running = present(fleet);
    await running.load.mark(version);
    const outcome = await runUnderChaos({ fleet: running, spec: running.specFor(version), ...chaos });
    await assertKept(running, outcome, version);
    return outcome;
  }
});

function assertEachKindMet({ kills }: ChaosOutcome): void {
  const met = kills.filter(({ isInMiddle }) => isInMiddle).map(({ step }) => step.kind);
  assert.deepEqual(met.sort(), [...STEP_KINDS].sort(), "each kind was met in its middle once");
}

function present<T>(value: T | undefined): T {
  assert.ok(value !== undefined, "an earlier test of this file has failed");
  return value;
}
