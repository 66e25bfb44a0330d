import assert from "node:assert/strict";
import * as fs from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { parseBundle, readBundle, renderBundle, writeBundle } from "../../providers/journal/bundle";
import { refusalOf } from "./bundle-refusal";
import { buildBundle } from "./entries";

describe("bundle", () => {
  it("is the same after it was written and read, for any demand", () => {
    const path = fc.array(fc.double({ min: 0, max: 1e9, noNaN: true, noDefaultInfinity: true }), { maxLength: 8 });
    fc.assert(
      fc.property(fc.array(path, { maxLength: 4 }), fc.string(), (paths, text) => {
        const bundle = buildBundle();
        const demand = { ...bundle.forecast.demand, cpuMillis: paths.map((row) => row.map((value) => value + 0)) };
        const changed = { ...bundle, packageVersion: text, forecast: { ...bundle.forecast, demand } };
        assert.deepEqual(parseBundle(renderBundle(changed)), changed);
      }),
    );
  });

  it("has one text, whatever order its members are in", () => {
    const bundle = buildBundle();
    const reversed = Object.fromEntries(Object.entries(bundle).reverse()) as typeof bundle;
    assert.equal(renderBundle(reversed), renderBundle(bundle));
  });

  it("goes through a file that only its owner reads", async () => {
    const folder = await fs.mkdtemp(join(tmpdir(), "archipelago-bundle-"));
    try {
      const file = join(folder, "bundle.json");
      await writeBundle(file, buildBundle());
      assert.deepEqual(await readBundle(file), buildBundle());
      assert.equal((await fs.stat(file)).mode & 0o777, 0o600);
    } finally {
      await fs.rm(folder, { recursive: true });
    }
  });

  it("cannot hold what JSON cannot", () => {
    assert.throws(() => renderBundle({ ...buildBundle(), slotMs: Number.NaN }), TypeError);
  });

  it("is refused with the reason when it is none, or of another format", async () => {
    assert.match(refusalOf("{"), /^corrupt: bundle\.json is no bundle of a run: it is no JSON/);
    assert.match(refusalOf("[]"), /^corrupt|^version/);
    assert.match(refusalOf('{"v":1,"slotMs":1}'), /^corrupt: .*it has no spec/);
    assert.match(refusalOf('{"v":2,"packageVersion":"9.9.9"}'), /^version: .*format 2.*9\.9\.9/);
    await assert.rejects(readBundle("/nowhere/bundle.json"), /cannot be read/);
  });
});
