/** The bundle of the sample fleet's update, to simulate and to show. */
import { observeFleet } from "../../providers/observe/fleet";
import {
  createMemoryFleet,
  createVirtualClock,
  SAMPLE_OPENING_MS,
  sampleFleet,
  sampleForecast,
} from "../../providers/testing";
import type { Bundle } from "../../sdk/model";
import { quickSpec } from "../runner/run-fixture";

export const HOUR_MS = 3_600_000;

/** What a run of the sample fleet's update stores an hour before its window. */
export async function createBundle(demand = 1): Promise<Bundle> {
  const slotMs = SAMPLE_OPENING_MS - HOUR_MS;
  const clock = createVirtualClock(slotMs);
  const { platform } = createMemoryFleet(sampleFleet({ hosts: 3 }), clock, 1);
  const observed = quickSpec({}, 3);
  const fleet = await clock.run(() => observeFleet(platform, observed, new AbortController().signal, clock));
  const spec = { ...observed, update: { ...observed.update, probe: "cat VERSION", expect: "v2.?.*" } };
  const forecast = sampleForecast({ paths: 60, scale: demand });
  return { v: 1, packageVersion: "test", spec, fleet, forecast, slotMs, durations: {} };
}
