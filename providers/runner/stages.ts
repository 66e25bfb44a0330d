/**
 * Stages: whether the updates that go before one are done, and have been for long enough. Regions and clusters are
 * updates of their own, each with its own approval.
 *
 * Not for: the order of hosts inside an update (providers/plan).
 */
import { formatDurationShort, type GuardVerdict, type StageSpec } from "../../sdk/model";
import type { Clock } from "../clock";
import type { RunStore } from "../journal/run-store";
import { readLatestRun, runFamily } from "./run-family";

/** Why a run must wait for an earlier stage; undefined when all are done. @throws StoreError */
export async function findUnfinishedStage(
  stages: readonly StageSpec[],
  { store, clock }: { readonly store: RunStore; readonly clock: Clock },
): Promise<GuardVerdict | undefined> {
  for (const { name, urn, soakMs } of stages) {
    const run = await readLatestRun(store, runFamily(name, urn));
    const hold = (reason: string, remedy: string): GuardVerdict => ({
      action: "hold",
      rule: "stage",
      subject: name,
      reason: `waits for stage ${name}: ${reason}`,
      remedy,
    });
    if (!run) return hold(`it has no run in ${store.url}`, `carry ${name} out first, or take it out of \`after\``);
    if (run.phase !== "done") {
      return hold(
        `its run ${run.id} is ${run.phase}`,
        `see \`archipelago status ${run.id}\`; it goes on once that is done`,
      );
    }
    const leftMs = (run.endedAt ?? 0) + soakMs - clock.now();
    if (leftMs > 0)
      return hold(`done, and watched for ${formatDurationShort(leftMs)} more`, "it goes on by itself after that");
  }
  return undefined;
}
