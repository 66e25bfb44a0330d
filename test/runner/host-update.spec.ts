import { strict as assert } from "node:assert";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { planNow } from "../../providers/runner/environment";
import { carryOnRun, performHostUpdate, type UpdateOutcome } from "../../providers/runner/host-update";
import { runResource } from "../../providers/runner/leases";
import { readLatestRun } from "../../providers/runner/run-family";
import { SAMPLE_OPENING_MS } from "../../providers/testing";
import type { HostUpdateSpec, RunState } from "../../sdk/model";
import { createRunFixture, quickFleet, quickSpec, type FixtureOptions, type RunFixture } from "./run-fixture";
import { openTestEnvironment } from "./store-environment";

const FAMILY = "kernel-12345678";
const HOUR_MS = 3_600_000;
const CLOSED_MS = SAMPLE_OPENING_MS - 48 * HOUR_MS;
const OPEN_MS = SAMPLE_OPENING_MS + 60_000;

describe("runner: a host update", () => {
  let reportFolder: string;
  before(async () => {
    reportFolder = await mkdtemp(join(tmpdir(), "archipelago-reports-"));
  });
  after(async () => {
    await rm(reportFolder, { recursive: true });
  });

  const create = (options: FixtureOptions = {}): RunFixture =>
    createRunFixture({ fleet: quickFleet(), spec: quickSpec(), startMs: OPEN_MS, ...options });

  /** What `pulumi up` does with these arguments now. */
  function perform(
    fixture: RunFixture,
    spec: HostUpdateSpec = fixture.spec,
    signal = new AbortController().signal,
  ): Promise<UpdateOutcome> {
    const environment = openTestEnvironment(fixture, reportFolder, spec);
    const { owner } = environment;
    const caller = { family: FAMILY, owner, engine: "test", progress: fixture.progress, signal };
    return fixture.clock.run(() => performHostUpdate(environment, caller));
  }

  const latest = (fixture: RunFixture): Promise<RunState | undefined> =>
    fixture.clock.run(() => readLatestRun(fixture.store, FAMILY));

  it("carries out what there is to do and writes its report, bundle and page", async () => {
    const fixture = create();
    const outcome = await perform(fixture);
    assert.equal(outcome.phase, "done", outcome.reason);
    assert.equal(outcome.run?.id, `${FAMILY}-1`);
    const files = await readdir(reportFolder);
    for (const ending of [".html", ".json", ".bundle.json"]) assert.ok(files.includes(`${FAMILY}-1${ending}`), ending);
  });

  it("learns from earlier runs how long steps take, and tells what the package takes from a host", async () => {
    const fixture = create();
    await perform(fixture);
    const update = { ...fixture.spec.update, package: { bytes: 50_000_000, load: "disk" as const } };
    const environment = openTestEnvironment(fixture, reportFolder, { ...fixture.spec, update });
    const { bundle } = await fixture.clock.run(() => planNow(environment, new AbortController().signal));
    const { durations, forecast } = bundle;
    // The fleet in memory updates in 2 s; the guess was half a minute and more.
    assert.ok((durations.update?.p50Ms ?? 0) < 4000, JSON.stringify(durations.update));
    assert.ok((durations.update?.p95Ms ?? 0) >= 2000 && (durations["start-copy"]?.p50Ms ?? 0) > 0);
    assert.equal(forecast.impact?.measuredHosts, 0);
  });

  it("puts report and page into the store as well, where all who reach it find them", async () => {
    const fixture = create();
    const run = (await perform(fixture)).run?.id ?? "";
    const [report, page] = await fixture.clock.run(() =>
      Promise.all([fixture.store.getDocument(`reports/${run}.json`), fixture.store.getDocument(`reports/${run}.html`)]),
    );
    assert.equal((JSON.parse(report ?? "{}") as { readonly run?: string }).run, run);
    assert.match(page ?? "", /^<!doctype html>/i);
  });

  it("makes no run where every host matches", async () => {
    const fixture = create();
    await perform(fixture);
    const again = await perform(fixture);
    assert.deepEqual([again.phase, again.run, again.reason], ["done", undefined, "every host matches already"]);
    assert.equal((await latest(fixture))?.id, `${FAMILY}-1`);
  });

  it("arms, skips or fails while the window is closed, as it was told", async () => {
    const armed = create({ startMs: CLOSED_MS });
    const outcome = await perform(armed);
    assert.equal(outcome.phase, "armed");
    assert.match(outcome.reason, /opens 2026-03-07T02:00/);
    assert.equal((await latest(armed))?.phase, "armed");

    for (const [whenClosed, phase] of [
      ["skip", "skipped"],
      ["fail", "failed"],
    ] as const) {
      const spec = quickSpec({ whenClosed });
      const fixture = create({ startMs: CLOSED_MS, spec });
      assert.equal((await perform(fixture)).phase, phase);
      assert.equal(await latest(fixture), undefined, "no run was made");
    }
  });

  it("starts an armed run once its window is open, as the same run", async () => {
    const fixture = create({ startMs: CLOSED_MS });
    await perform(fixture);
    await fixture.clock.run(() => fixture.clock.sleep(OPEN_MS - fixture.clock.now()));
    const outcome = await perform(fixture);
    assert.deepEqual([outcome.phase, outcome.run?.id], ["done", `${FAMILY}-1`]);
  });

  it("replaces an armed run whose arguments changed", async () => {
    const fixture = create({ startMs: CLOSED_MS });
    await perform(fixture);
    const outcome = await perform(fixture, quickSpec({ confidence: 0.9 }));
    assert.deepEqual([outcome.phase, outcome.run?.id], ["armed", `${FAMILY}-2`]);
  });

  it("repeats a failure until the arguments change, and then tries again", async () => {
    const spec = quickSpec({ update: { ...quickSpec().update, command: "install broken" } });
    const fixture = create({ spec });
    const failed = await perform(fixture);
    assert.equal(failed.phase, "failed");
    const again = await perform(fixture);
    assert.equal(again.run?.id, failed.run?.id, "the same run");
    assert.deepEqual(again.run?.failure, failed.run?.failure);
    const repaired = await perform(fixture, quickSpec({ attempt: 2 }));
    assert.deepEqual([repaired.phase, repaired.run?.id], ["done", `${FAMILY}-2`]);
  });

  it("shows what blocks and waits, or fails when it was told to", async () => {
    const crowded = quickFleet({ standby: 0 });
    const shown = await perform(create({ fleet: crowded }));
    assert.equal(shown.phase, "armed");
    assert.match(shown.reason, /^blocked: .*fix:/);
    assert.equal((await perform(create({ fleet: crowded, spec: quickSpec({ whenBlocked: "fail" }) }))).phase, "failed");
  });

  it("is blocked by a stage without a run, and keeps what it waits for where status shows it", async () => {
    const after = [{ name: "eu", urn: "urn", soakMs: 0 }];
    const fixture = create({ spec: quickSpec({ after }) });
    const made = await perform(fixture);
    assert.equal(made.phase, "armed");
    assert.match(made.reason, /^blocked: eu: it has no run in memory:runs \(fix: carry eu out first/);
    const { run } = made;
    assert.ok(run);
    const environment = openTestEnvironment(fixture, reportFolder, fixture.spec);
    const runner = { family: FAMILY, owner: "runner seven", engine: "test", role: "runner" } as const;
    const { progress } = fixture;
    const { signal } = new AbortController();
    await fixture.clock.run(() => carryOnRun(environment, { ...runner, progress, signal }, run));
    assert.match(
      (await latest(fixture))?.phaseReason ?? "",
      /^waits for stage eu: it has no run in memory:runs; carry eu/,
    );
  });

  it("takes its run up again where it has lost its own leases, and tells so", async () => {
    const fixture = create();
    fixture.clock.after(8000, () => {
      fixture.clock.shiftWallTime(60_000);
    });
    const outcome = await perform(fixture);
    assert.equal(outcome.phase, "done", outcome.reason);
    const told = fixture.progress.lines.filter((line) => line.includes("taken up again"));
    assert.match(
      told.join("\n"),
      /^lease on run\/kernel-\w+-1: wall time moved by 60000 ms .*; run kernel-\w+-1 is taken up/,
    );
    assert.equal(told.length, 1);
  });

  it("follows the run where another process has taken its lease", async () => {
    const fixture = create();
    fixture.clock.after(8000, () => {
      fixture.store.stealLease(runResource(`${FAMILY}-1`), "runner seven", 20_000);
    });
    const outcome = await perform(fixture);
    assert.equal(outcome.phase, "done", "nobody has carried it on, so it was taken up again");
    assert.ok(fixture.progress.lines.some((line) => line === `run ${FAMILY}-1 is carried out by runner seven`));
  });

  it("brings a half-done run to its end before it begins one with other arguments", async () => {
    const fixture = create();
    const stop = new AbortController();
    const line = fixture.progress.line.bind(fixture.progress);
    const stopping = {
      ...fixture,
      progress: {
        ...fixture.progress,
        line: (text: string) => {
          line(text);
          if (text.includes("wave 2")) stop.abort();
        },
      },
    };
    await assert.rejects(perform(stopping, fixture.spec, stop.signal), /stop|interrupt/i);
    const half = Object.values(fixture.fleet.versions()).filter((version) => version === "v2").length;
    assert.ok(half > 0 && half < 6, `half done: ${String(half)}`);
    const outcome = await perform(fixture, quickSpec({ confidence: 0.9 }));
    assert.equal(outcome.phase, "done", outcome.reason);
    assert.equal((await latest(fixture))?.id, `${FAMILY}-1`, "nothing was left for a second run");
  });
});
