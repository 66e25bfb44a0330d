/** Runs that something stops, holds or looks at, for the specs of what guards them. */
import { strict as assert } from "node:assert";
import type { RunDependencies } from "../../providers/runner/run";
import type { ServiceTraffic } from "../../providers/drivers/contracts";
import type { JournalEntry, StopRule } from "../../sdk/model";
import { createRunFixture, quickFleet, quickSpec, RUN, type RunFixture } from "./run-fixture";

export const FAMILY = "kernel";
export const HOUR_MS = 3_600_000;

export function createQuick(overrides: Parameters<typeof quickSpec>[0] = {}): RunFixture {
  return createRunFixture({ fleet: quickFleet(), spec: quickSpec(overrides) });
}

/** Runs until an entry of that kind is stored for the `count`-th time, and does something then. */
export function onEntry(
  { dependencies }: RunFixture,
  isMeant: (entry: JournalEntry) => boolean,
  act: () => Promise<unknown>,
): RunDependencies {
  let isDone = false;
  const deps = dependencies();
  return {
    ...deps,
    store: {
      ...deps.store,
      append: async (run, seq, entries) => {
        await deps.store.append(run, seq, entries);
        if (isDone || !entries.some(isMeant)) return;
        isDone = true;
        await act();
      },
    },
  };
}

export const isUpdate = (entry: JournalEntry): boolean => entry.kind === "step-intent" && entry.step.kind === "update";

export function intentsOf({ store }: RunFixture): readonly string[] {
  return store.entriesOf(RUN).flatMap((entry) => (entry.kind === "step-intent" ? [entry.step.kind] : []));
}

/** Traffic as it is, with so many requests failed in each second. */
export function failing(fixture: RunFixture, deps: RunDependencies, failed: (atMs: number) => number): RunDependencies {
  const { recorder } = fixture.fleet.platform;
  assert.ok(recorder);
  const spoil = (traffic: readonly ServiceTraffic[]): readonly ServiceTraffic[] =>
    traffic.map(({ service, buckets }) => ({
      service,
      buckets: buckets.map((bucket) => ({ ...bucket, failed: Math.min(bucket.requests, failed(bucket.atMs)) })),
    }));
  return {
    ...deps,
    platform: {
      ...deps.platform,
      recorder: { trafficSince: async (sinceMs, signal) => spoil(await recorder.trafficSince(sinceMs, signal)) },
    },
  };
}

export const ERROR_BUDGET: StopRule = {
  kind: "error-budget",
  objective: 0.999,
  windows: [{ longMs: 60_000, shortMs: 10_000, rate: 10 }],
  minimumFailed: 5,
  action: "rollback",
};
