import { strict as assert } from "node:assert";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "mocha";
import { plan } from "../../providers/plan/plan";
import { readPageSource, writePageSource } from "../../providers/pulumi/page-source";
import { completePreview } from "../../providers/pulumi/preview";
import { findApprovalBlocker } from "../../providers/runner/approval-blocker";
import { createMemoryRunStore, createVirtualClock } from "../../providers/testing";
import { blockView, createPlanView, renderPlanTable } from "../../sdk/model";
import type { Bundle, MigrationPlan, PlanView } from "../../sdk/model";
import { createBundle } from "../simulate/sample-bundle";

describe("what a preview shows besides the plan", () => {
  let folder = "";
  let page = "";
  let bundle: Bundle;
  let planned: MigrationPlan;
  let view: PlanView;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "archipelago-preview-"));
    page = join(folder, "kernel.html");
    bundle = await createBundle(0.6);
    const { fleet, forecast, spec, slotMs, durations } = bundle;
    planned = plan({ fleet, forecast, spec, slotMs, nowMs: slotMs, durations });
    view = createPlanView(planned, "UTC", page);
    assert.equal(view.decision, "run");
  });
  after(() => rm(folder, { recursive: true }));

  it("is when simulated runs are over and whether they keep the promises, in the table and on the page", async () => {
    await writePageSource(page, { urn: "urn", madeAt: 0 }, { plan: planned, bundle });
    const completed = await completePreview({ spec: bundle.spec, urn: "urn", plan: view });
    assert.match(
      completed.simulated ?? "",
      /^20 runs, \d+ done: over by .* \(P50\), .* \(P95\); promises kept in all; over capacity in \d+$/,
    );
    assert.match(renderPlanTable(completed, "kernel"), /\n {2}simulated 20 runs/);
    const html = await readFile(page, "utf8");
    assert.match(html, /Over by, P95 simulated/);
    assert.match(html, /<h2[^>]*>Simulated runs/);
    assert.deepEqual((await readdir(folder)).sort(), ["kernel.html", "kernel.json"]);
  }).timeout(60_000);

  it("is no simulation of a large fleet, whose page is kept with what it was made of only where it may change", async () => {
    const hosts = Array.from({ length: 25 }, (_, at) => `host-${String(at)}`);
    const plan: MigrationPlan = { ...planned, envelope: { ...planned.envelope, hosts } };
    const large = { ...view, page: join(folder, "large.html") };
    await writePageSource(large.page, { urn: "urn", madeAt: 7 }, { plan, bundle });
    const { simulated } = await completePreview({ spec: bundle.spec, urn: "urn", plan: large });
    assert.match(simulated ?? "", /^not in previews of more than 24 hosts/);
    const source = await readPageSource(large.page);
    assert.equal(source?.parts(), undefined);
    assert.deepEqual(source?.facts.windows, bundle.spec.windows);
    assert.deepEqual(
      source.facts.plan.waves,
      planned.waves.map(({ startMs, endP95Ms }) => ({ startMs, endP95Ms })),
    );
    const approved = { ...bundle, spec: { ...bundle.spec, approval: { keys: {} } } };
    await writePageSource(large.page, { urn: "urn", madeAt: 7 }, { plan, bundle: approved });
    assert.equal((await readPageSource(large.page))?.parts()?.plan.digest, planned.digest);
  });

  it("is nothing more for a plan that was kept from elsewhere, and a warning where it cannot be found out", async () => {
    const elsewhere = { ...view, page: join(folder, "other.html") };
    assert.equal(await completePreview({ spec: bundle.spec, urn: "urn", plan: elsewhere }), elsewhere);
    const approval = { keys: { ada: "-----BEGIN PUBLIC KEY-----" } };
    const spec = { ...bundle.spec, approval, islands: [] };
    const { warnings } = await completePreview({ spec, urn: "urn", plan: view });
    assert.match(warnings.at(-1) ?? "", /whether it is approved and when it will end is not known: islands/);
  }).timeout(60_000);

  it("is that nobody has approved it, with how to, until somebody has", async () => {
    const clock = createVirtualClock(0);
    const place = { store: createMemoryRunStore(clock), clock, family: "kernel-1a2b3c4d" };
    const webhook = { url: "https://change.example", secretEnv: "NOT_ASKED" };
    const unapproved = { approval: { keys: { ada: "-----BEGIN PUBLIC KEY-----" }, webhook } };
    const blocker = await findApprovalBlocker(unapproved, planned, place);
    assert.ok(blocker);
    assert.match(blocker.reason, /^not approved: plan [0-9a-f]{12}: https:\/\/change\.example is asked when the run/);
    assert.match(
      blocker.fix,
      /^arm it with `pulumi up`, then look at the plan, then run `archipelago approve kernel-1a2b/,
    );
    const table = renderPlanTable(blockView(view, [blocker]), "kernel");
    assert.match(table, /^kernel: BLOCKED by 1 reason; nothing will start\. Planned: 3 hosts/);
    assert.match(table, /BLOCKED +not-approved kernel-1a2b3c4d: not approved: .*; fix: /);
    const approved = { approval: { keys: {}, digest: planned.digest } };
    assert.equal(await findApprovalBlocker(approved, planned, place), undefined);
    assert.equal(await findApprovalBlocker({}, planned, place), undefined);
  });
});
