import { strict as assert } from "node:assert";
import { describe, it } from "mocha";
import type { HostSchedule, HostUpdateSpec, WorkloadHistory } from "../../sdk/model";
import { signalEffects } from "../../providers/forecast/signals/signal-effects";
import { observeHostSchedules } from "../../providers/observe/host-schedules";
import type { IslandPlatforms } from "../../providers/observe/fleet";
import { DriverError } from "../../sdk/model";
import { dailySeries, DAY_MS, HOUR_MS } from "../forecast/series-builders";

const SERIES = dailySeries({ days: 14, seed: 3, stepMs: HOUR_MS / 4, noise: 20 });
const END_MS = SERIES.startMs + 14 * DAY_MS;
const RANGE = { fromMs: SERIES.startMs, toMs: END_MS + DAY_MS };

function job(program: string, cron: string, host = "host-01", timezone = "UTC"): HostSchedule {
  return { host, source: "/etc/cron.d/jobs", program, cron, timezone };
}

/** Only what is looked at. */
async function observe(answer: () => Promise<readonly HostSchedule[]>): ReturnType<typeof observeHostSchedules> {
  const platform = { schedules: { schedules: answer } };
  const spec = { islands: [{ name: "shop" }] } as unknown as HostUpdateSpec;
  const replicas = ["host-01", "host-02"].map((host) => ({ host, workload: "ledger" }));
  const platforms = platform as unknown as IslandPlatforms;
  return observeHostSchedules(platforms, spec, { replicas } as never, RANGE, END_MS, new AbortController().signal);
}

describe("jobs of hosts", () => {
  it("are signals of the workloads beside them, the same job of several hosts one", async () => {
    const jobs = [
      job("backup", "0 2 * * 1"),
      job("backup", "0 2 * * 1", "host-02"),
      job("dump", "0 4 * * 1", "host-09"),
    ];
    const found = await observe(() => Promise.resolve(jobs));
    assert.deepEqual(
      found.map(({ name, type, workloads }) => ({ name, type, workloads })),
      [{ name: "backup on host-01, host-02 (/etc/cron.d/jobs: 0 2 * * 1)", type: "cron", workloads: ["ledger"] }],
    );
    const starts = found[0]?.spans.map(({ fromMs }) => new Date(fromMs).toISOString());
    assert.deepEqual(starts, ["2026-11-02T02:00:00.000Z", "2026-11-09T02:00:00.000Z", "2026-11-16T02:00:00.000Z"]);
  });

  it("are left out where they run all the time, not in the time ahead, or not at all", async () => {
    const jobs = [
      job("poll", "*/10 * * * *"),
      job("friday", "0 2 * * 5"),
      job("never", "0 0 30 2 *"),
      job("wrong", "a b c d e"),
    ];
    assert.deepEqual(await observe(() => Promise.resolve(jobs)), []);
    assert.deepEqual(await observe(() => Promise.reject(new DriverError("unreachable", "host-01", "is silent"))), []);
  });

  it("have the effect on demand that they had before, and the plan names it", async () => {
    const signals = await observe(() => Promise.resolve([job("backup", "0 2 * * 1")]));
    const values = SERIES.values.map((value, index) => {
      const atMs = SERIES.startMs + index * SERIES.stepMs;
      return (signals[0]?.spans ?? []).some(({ fromMs, toMs }) => atMs >= fromMs && atMs < toMs) ? 1.6 * value : value;
    });
    const histories: WorkloadHistory[] = [{ workload: "ledger", cpu: { ...SERIES, values } }];
    const grid = { startMs: END_MS, stepMs: HOUR_MS / 4, steps: 24 };
    const { applied, factors } = signalEffects({ signals, histories, dependencies: [], grid });
    assert.equal(applied[0]?.basis, "learned");
    assert.match(applied[0].reason, /ledger \+\d+(\.\d+)?%, learned from 2 times/);
    const factor = factors.get("ledger")?.[8] ?? 0;
    assert.ok(factor > 1.4 && factor < 1.7, String(factor));
    assert.equal(factors.get("ledger")?.[12], 1);
  });
});
