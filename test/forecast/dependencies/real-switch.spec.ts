import { strict as assert } from "node:assert";
import { describe, it } from "mocha";
import { systemClock, type Clock } from "../../../providers/clock";
import type { Platform } from "../../../providers/drivers/contracts";
import { forecastFleet } from "../../../providers/forecast/forecast-fleet";
import { addBandwidth, observeCalls } from "../../../providers/observe/calls";
import { sampleSpec, sampleWorkloads } from "../../../providers/testing/builders";
import {
  callClient,
  callContext,
  Cleanup,
  createBackend,
  createSwitchFixture,
  HEALTH,
} from "../../traffic/switch-fixture";

const MINUTE_MS = 60_000;

describe("dependencies from a real switch", () => {
  it("are found in what a front end really calls, and give the bandwidth of services", async () => {
    const cleanup = new Cleanup();
    let skippedMs = 0;
    // Minutes pass in no time; everything else is real.
    const clock: Clock = { ...systemClock, now: () => Date.now() + skippedMs };
    try {
      const fixture = await createSwitchFixture(
        cleanup,
        [{ name: "front" }, { name: "pricing" }],
        {},
        "embedded",
        clock,
      );
      const pricing = await createBackend(cleanup, (_request, response) => response.end("p".repeat(2000)));
      const front = await createBackend(cleanup, (_request, response) => {
        const headers = { "x-archipelago-caller": "front" };
        const prices = [1, 2].map((item) =>
          callClient(`${fixture.url("pricing")}/price?item=${String(item)}`, { headers }),
        );
        void Promise.all(prices).then(() => response.end("page"));
      });
      for (const [service, { address }] of Object.entries({ front, pricing })) {
        await fixture.driver.setBackend(
          service,
          { replica: `${service}-0`, address, weight: 1, health: HEALTH },
          callContext(),
        );
      }
      const startMs = clock.now();
      for (let minute = 0; minute < 8; minute++) {
        await Promise.all(Array.from({ length: 5 + minute }, () => callClient(`${fixture.url("front")}/`)));
        if (minute < 4) await callClient(`${fixture.url("pricing")}/refresh`);
        skippedMs += MINUTE_MS;
      }
      const { driver } = fixture;
      const platform = { name: "sample", recorder: driver } as unknown as Platform;
      const signal = AbortSignal.timeout(10_000);
      const range = { fromMs: startMs - MINUTE_MS, toMs: clock.now() };
      const calls = await observeCalls(platform, sampleSpec(), range, signal);
      const workloads = sampleWorkloads();
      const fleet = { observedAt: 0, islands: [], hosts: [], workloads, replicas: [], services: [] };
      const histories = addBandwidth([{ workload: "pricing" }], fleet, calls, MINUTE_MS);
      const forecast = forecastFleet({
        ...{ histories, workloads, calls, fromMs: clock.now(), horizonMs: 10 * MINUTE_MS, stepMs: MINUTE_MS, seed: 1 },
      });
      const [found] = forecast.dependencies ?? [];
      assert.ok(found);
      assert.deepEqual([found.caller, found.called, found.basis], ["front", "pricing", "calls"]);
      assert.equal(found.callsPerRequest, 2);
      const all = 8 * 5 + 28;
      assert.equal(found.share, Math.round((2 * all * 10_000) / (2 * all + 4)) / 10_000);
      const price = forecast.functions?.find(({ workload, name }) => workload === "pricing" && name === "/price");
      assert.equal(price?.criticality, "critical", price?.reason);
      const bytes = histories[0]?.network?.values.reduce((sum, perSecond) => sum + perSecond * 60, 0) ?? 0;
      assert.ok(bytes > 0 && bytes <= (2 * all + 4) * 2000, String(bytes));
    } finally {
      await cleanup.run();
    }
  });
});
