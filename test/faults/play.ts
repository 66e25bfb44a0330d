/** One scenario from its seed to its verdict. */
import { messageOf } from "../../sdk/model";
import { carryOutScenario, type Tampering } from "./carry-out";
import type { Scenario } from "./scenario";
import { judge } from "./verdict";

/** What a scenario showed. */
export interface Finding {
  readonly isPlanned: boolean;
  /** Phase in which the run was left; undefined where nothing ran. */
  readonly phase?: string;
  readonly faults: readonly string[];
}

/** Carries a scenario out and judges it; what the machinery itself throws is a fault as well. */
export async function playScenario(scenario: Scenario, tampering?: Tampering): Promise<Finding> {
  try {
    const outcome = await carryOutScenario(scenario, tampering);
    const faults = judge(outcome);
    const phase = outcome.fixture.store.entriesOf("kernel-1").findLast((entry) => entry.kind === "phase")?.phase;
    return { isPlanned: outcome.isPlanned, ...(phase === undefined ? {} : { phase }), faults };
  } catch (error) {
    return {
      isPlanned: true,
      faults: [`it broke: ${error instanceof Error ? (error.stack ?? "") : messageOf(error)}`],
    };
  }
}
