import { strict as assert } from "node:assert";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "mocha";
import type { HostUpdateSpec, MetricsSpec } from "../../sdk/model";
import { DriverError, MistakeError } from "../../sdk/model";
import type { Platform, UsageSampler } from "../../providers/drivers/contracts";
import { observeFleet } from "../../providers/observe/fleet";
import { listDisclosures, observeHistory } from "../../providers/observe/history";
import { generateHistory, renderRecordedCsv } from "../../providers/observe/history-generator";
import {
  createMemoryFleet,
  createVirtualClock,
  SAMPLE_OPENING_MS,
  sampleFleet,
  sampleSpec,
} from "../../providers/testing";

const SIGNAL = new AbortController().signal;
const STEP_MS = 300_000;
const RANGE = { fromMs: SAMPLE_OPENING_MS - 86_400_000, toMs: SAMPLE_OPENING_MS };

function specWith(metrics: MetricsSpec): HostUpdateSpec {
  const spec = sampleSpec();
  return { ...spec, islands: spec.islands.map((island) => ({ ...island, metrics })) };
}

const SAMPLER: UsageSampler = {
  usageSince: (sinceMs) =>
    Promise.resolve([
      {
        replica: "front-0",
        workload: "front",
        host: "host-01",
        startMs: sinceMs,
        stepMs: 60_000,
        cpuMillis: new Array<number>(15).fill(77),
        memoryBytes: new Array<number>(15).fill(1),
      },
    ]),
};

const FAILING: UsageSampler = {
  usageSince: () => Promise.reject(new DriverError("unreachable", "host-01", "does not answer")),
};

describe("load history", () => {
  const clock = createVirtualClock(SAMPLE_OPENING_MS);
  const memory = createMemoryFleet(sampleFleet(), clock, 1);
  let folder = "";
  let file = "";

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "archipelago-history-"));
    file = join(folder, "history.csv");
    const series = generateHistory({
      workloads: [{ name: "front", peakCpuMillis: 6000, memoryBytes: 1e8 }],
      endMs: SAMPLE_OPENING_MS,
      seed: 1,
    });
    await writeFile(file, renderRecordedCsv(series, "made up"));
  });
  after(async () => {
    await rm(folder, { recursive: true });
  });

  function platformWith(sampler?: UsageSampler): Platform {
    return sampler === undefined ? memory.platform : { ...memory.platform, sampler };
  }

  async function historyOf(metrics: MetricsSpec, sampler?: UsageSampler): ReturnType<typeof observeHistory> {
    const spec = specWith(metrics);
    const fleet = await clock.run(() => observeFleet(memory.platform, spec, SIGNAL, clock));
    return observeHistory(platformWith(sampler), spec, fleet, RANGE, STEP_MS, SIGNAL);
  }

  it("has an entry for each workload, with what its source knows and the last minutes live", async () => {
    const histories = await historyOf({ kind: "recorded", file }, SAMPLER);
    assert.deepEqual(
      histories.map(({ workload }) => workload),
      ["front", "pricing", "ledger", "reports"],
    );
    const [front, pricing] = histories;
    assert.equal(front?.cpu?.values.length, 288);
    assert.ok(front.memory);
    assert.deepEqual(Array.from(front.live?.values ?? []), new Array<number>(15).fill(77));
    assert.deepEqual(pricing, { workload: "pricing" });
  });

  it("does without live samples when the hosts do not answer", async () => {
    const [front] = await historyOf({ kind: "recorded", file }, FAILING);
    assert.ok(front?.cpu);
    assert.equal(front.live, undefined);
  });

  it("takes the agents' own samples as the history when they are the source", async () => {
    const [front] = await historyOf({ kind: "agent" }, SAMPLER);
    assert.equal(front?.cpu?.values[0], 77);
    assert.equal(front.live, undefined);
  });

  it("refuses the agents as a source where the platform has no samples", async () => {
    await assert.rejects(historyOf({ kind: "agent" }), (error: unknown) => {
      assert.ok(error instanceof MistakeError);
      assert.match(error.message, /must be another source/);
      return true;
    });
  });

  it("passes on what the sources disclose, once", async () => {
    const [shop] = specWith({ kind: "recorded", file }).islands;
    assert.ok(shop);
    const spec = sampleSpec({ islands: [shop, { ...shop, name: "second" }] });
    assert.deepEqual(await listDisclosures(memory.platform, spec), ["made up"]);
  });
});
