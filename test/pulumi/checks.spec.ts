import assert from "node:assert/strict";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "mocha";
import { canonicalJson, type HostUpdateSpec, type PackedSpec } from "../../sdk/model";
import { FAR_AWAY, openProviderFixture, type ProviderFixture } from "../bad-input/provider-fixture";

describe("checks of the provider, on a real fleet", function () {
  this.timeout(120_000);
  let fixture: ProviderFixture;
  before(async () => {
    fixture = await openProviderFixture();
  });
  after(() => fixture.close());

  it("plan for workloads that travel as texts as for others, and give them back as they came", async () => {
    const spec = fixture.spec({
      windows: [{ name: "far", cron: FAR_AWAY, durationMs: 3_600_000, timezone: "UTC", freezes: [] }],
    });
    const texts: PackedSpec = {
      ...spec,
      islands: spec.islands.map((island) => ({
        ...island,
        workloads: island.workloads.map((workload) => JSON.stringify([workload])),
      })),
    };
    const [plain, packed] = [await fixture.plan(spec), await fixture.plan(texts as HostUpdateSpec)];
    assert.equal(packed.decision, "run");
    assert.equal(canonicalJson({ ...packed, page: "" }), canonicalJson({ ...plain, page: "" }));
    const { outputs, error } = await fixture.create(texts as HostUpdateSpec);
    assert.equal(error, undefined);
    assert.equal(outputs?.phase, "armed");
    assert.deepEqual(outputs.spec, texts);
  });

  it("keep the pages of the last fifty plans of an update, and those of others", async () => {
    const folder = join(fixture.folder, ".archipelago", "plans");
    await mkdir(folder, { recursive: true });
    const pageOf = (name: string, minute: number): string =>
      `${name}-2026-01-01-00-${String(minute).padStart(2, "0")}-0123456789ab`;
    const old = Array.from({ length: 55 }, (_, minute) => pageOf("tool", minute));
    const others = [pageOf("tool-2", 1), pageOf("other", 1)];
    for (const page of [...old, ...others]) {
      for (const kind of ["html", "json"]) await writeFile(join(folder, `${page}.${kind}`), "");
    }
    await fixture.plan(fixture.spec());
    const kept = await readdir(folder);
    const pages = kept.filter((file) => file.endsWith(".html"));
    assert.equal(pages.filter((file) => file.startsWith("tool-2026-")).length, 50);
    assert.equal(kept.length, 2 * pages.length);
    assert.ok(!pages.includes(`${pageOf("tool", 0)}.html`));
    for (const page of [pageOf("tool", 54), ...others]) assert.ok(pages.includes(`${page}.html`), page);
  });
});
