import * as assert from "node:assert/strict";
import { histogramQuantile, summarizeLatency } from "../../providers/report/latency";
import { totalDemand } from "../../providers/report/joint-band";
import { renderPlanPage } from "../../providers/report/plan-page";
import { renderExplanation } from "../../providers/cli/explanation";
import { plan } from "../../providers/plan/plan";
import { withTwoWays } from "../plan/random-samples";
import { sampleInput } from "../plan/sample-fleets";
import { renderReportPage } from "../../providers/report/report-page";
import { renderResultLine, renderTextReport } from "../../providers/report/text-report";
import { LATENCY_BOUNDS_MS } from "../../providers/drivers/contracts";
import type { RunReport } from "../../sdk/model";
import { reportOfRun } from "./sample-report";

describe("the report of a run", () => {
  it("joins journal and recordings: hosts, waves, steps, traffic, pauses, budgets, cost", async () => {
    const { state, report } = await reportOfRun();
    assert.equal(report.phase, "done");
    assert.equal(report.hosts.filter(({ outcome }) => outcome === "updated").length, 6);
    assert.equal(report.steps.length, state.steps.length);
    assert.ok(report.steps.every(({ startMs, endMs }) => endMs >= startMs));
    const [front] = report.services;
    assert.deepEqual([front?.requests, front?.failed, front?.steady.requests, front?.window.requests], [40, 1, 10, 40]);
    assert.ok(report.pauses.length > 0, "the ledger was handed over");
    assert.ok(report.pauses.every(({ pauseMs, maxPauseMs }) => pauseMs <= maxPauseMs));
    assert.equal(report.budgets[0]?.workload, "front");
    assert.ok(report.cost.actualHostHours > 0, "a standby was reserved");
    assert.deepEqual(report.problems, []);
  });

  it("survives the way through JSON unchanged", async () => {
    const { report } = await reportOfRun();
    assert.deepEqual(JSON.parse(JSON.stringify(report)), report);
  });

  it("reads as text and in one line, with what is not measured said", async () => {
    const { report } = await reportOfRun();
    const text = renderTextReport(report);
    for (const part of [
      "done",
      "6 updated",
      "40 requests, 1 failed",
      "lowest headroom",
      "all kept",
      "load history is generated",
    ]) {
      assert.ok(text.includes(part), `${part} is missing in:\n${text}`);
    }
    assert.match(renderResultLine(report), /^done: 6 hosts updated in .*, 40 requests, 1 failed/);
  });

  it("is one self-contained page: nothing is loaded, and text from users is escaped", async () => {
    const { report } = await reportOfRun();
    const decisions = [{ at: report.startMs, text: "wave 2 was planned again" }];
    const page = renderReportPage({ ...report, name: "<script>alert(1)</script>", decisions });
    assertSelfContained(page);
    assert.equal(report.timezone, "UTC", "that of the window");
    assert.match(renderReportPage({ ...report, timezone: "Asia/Tokyo" }), /times in Asia\/Tokyo; run kernel-1/);
    assert.doesNotMatch(page, /<script/);
    for (const heading of [
      "Timeline",
      "Traffic of front",
      "Pauses",
      "Budget headroom",
      "Forecast and actual",
      "Hosts",
      "Decisions",
    ]) {
      assert.ok(page.includes(`>${heading}</h2>`), heading);
    }
  });

  it("shows a failure with its output and what to do", async () => {
    const { report } = await reportOfRun();
    const failure = {
      subject: "host-03",
      step: "update",
      reason: "exit code 28",
      output: "no space left",
      undone: ["update"],
      notUndone: [],
      remedy: "make room",
    };
    const failed: RunReport = { ...report, phase: "failed", failure };
    for (const text of [renderTextReport(failed), renderReportPage(failed)]) {
      for (const part of ["host-03", "exit code 28", "no space left", "make room"])
        assert.ok(text.includes(part), part);
    }
  });
});

describe("the page of a plan", () => {
  it("is self-contained, the same for the same plan, and shows waves, moves with scores and the envelope", async () => {
    const { state } = await reportOfRun();
    const render = (): string => renderPlanPage(state.bundle.spec, state.plan, state.bundle.forecast);
    const page = render();
    assert.equal(page, render());
    assertSelfContained(page);
    for (const part of ["Timeline", "Demand and capacity", "Moves", "What is approved", state.digest, "(chosen)"]) {
      assert.ok(page.includes(part), part);
    }
  });

  it("shows the band of each workload, which models spoke, and where the forecast is weak", async () => {
    const { state } = await reportOfRun();
    const [first, ...rest] = state.bundle.forecast.bands;
    assert.ok(first);
    const weak = {
      ...first,
      notes: ["blend of <b>days</b> (60 %)", "40 % were missing"],
      warnings: ["40 % were missing"],
    };
    const page = renderPlanPage(state.bundle.spec, state.plan, { ...state.bundle.forecast, bands: [weak, ...rest] });
    assert.ok(page.includes("Forecast by workload") && page.includes("Who spoke, and why"));
    assert.ok(page.includes(`Forecast of ${first.id.replace("workload/", "")}`));
    assert.match(page, /blend of &#60;b&#62;days&#60;\/b&#62; \(60 %\)/);
    assert.match(page, /<span class="badge warn">weak<\/span>/);
  });

  it("says for an update with two ways which hosts have which, why, and what the way back of each is", () => {
    const shop = { name: "shop", on: ["host-1", "host-2"], demand: [300] };
    const sample = sampleInput({ hosts: [{ id: "host-1" }, { id: "host-2" }, { id: "host-3" }], workloads: [shop] });
    const input = withTwoWays(sample, (at) => (at === 1 ? "replacement" : "both"));
    const made = plan(input);
    const page = renderPlanPage(input.spec, made, input.forecast);
    assertSelfContained(page);
    const text = page.replaceAll(/<[^>]*>/g, " ").replaceAll(/\s+/g, " ");
    for (const part of [
      "Command install v2 Updated in place host-1, host-3 Way back in place install v1",
      "Replacement by image image-2 Replaced host-2 Way back of those replaced the old machine, kept until",
      "replacement host-2 a machine of image-2 takes its place, for it cannot be updated in place (read-only image)",
      "not replacement: both ways are possible, and a command needs no second machine; the change takes",
    ])
      assert.ok(text.includes(part), part);
    assert.match(renderExplanation(made), /^host-2: replacement: .*for it cannot be updated in place/m);
    assert.match(renderExplanation(made), /^ {4}not .*; not replacement: both ways are possible/m);
  });

  it("leads with blockers and their fixes", async () => {
    const { state } = await reportOfRun();
    const blockers = [
      { code: "capacity" as const, subject: "shop", reason: "too little", fix: "one more host of 8 cores" },
    ];
    const page = renderPlanPage(
      state.bundle.spec,
      { ...state.plan, decision: "blocked", waves: [], blockers },
      state.bundle.forecast,
    );
    assert.ok(page.includes("one more host of 8 cores"));
    assert.ok(page.includes("What blocks it"));
  });
});

describe("latency from histograms", () => {
  it("interpolates within the bucket that holds the rank", () => {
    const histogram = LATENCY_BOUNDS_MS.map((bound) => (bound === 2 ? 100 : bound === 100 ? 1 : 0));
    const p50 = histogramQuantile([...histogram, 0], 0.5, 95);
    assert.ok(p50 > 1.75 && p50 <= 2, String(p50));
    assert.ok(histogramQuantile([...histogram, 0], 0.999, 95) > 90);
  });

  it("is zero without requests", () => {
    assert.deepEqual(summarizeLatency([]), { requests: 0, p50Ms: 0, p95Ms: 0, p99Ms: 0, maxMs: 0 });
  });
});

describe("total demand", () => {
  it("sums within a path before it takes quantiles", () => {
    // Two workloads that are never high together: the sum of their highs would be 200, the highest sum is 110.
    const cpuMillis = [
      [100, 10],
      [10, 100],
    ];
    const [point] = totalDemand({
      startMs: 0,
      stepMs: 1,
      steps: 1,
      workloads: ["a", "b"],
      cpuMillis,
      memoryBytes: [0, 0],
    });
    assert.equal(point?.high, 110);
  });
});

function assertSelfContained(page: string): void {
  assert.doesNotMatch(page, /\b(?:src|href)="(?!#)/, "nothing is loaded from elsewhere");
  assert.doesNotMatch(page, /url\(|@import/);
}
