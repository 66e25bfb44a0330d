import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtemp, rm, stat, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import type { Bundle, DemandPath } from "../../sdk/model";
import { parseBundle, renderBundle } from "../../providers/journal/bundle";
import { parseBatch, renderBatch } from "../../providers/journal/batch-file";
import { openFileStore } from "../../providers/journal/file-store";
import { packBundle, unpackBundle } from "../../providers/journal/packed-demand";
import { createEntry } from "../../providers/journal/replay";
import { createRandom } from "../../providers/testing";
import { refusalOf } from "./bundle-refusal";
import { buildBundle, buildPlan } from "./entries";

const PATHS = 100;
/** Values of a path: 500 workloads, 24 steps. */
const LONG = 12_000;

/** A bundle with the paths of a large fleet. */
function bundleWith(cpuMillis: readonly DemandPath[]): Bundle {
  const bundle = buildBundle();
  return { ...bundle, forecast: { ...bundle.forecast, demand: { ...bundle.forecast.demand, cpuMillis } } };
}

function largePaths(): readonly Float32Array[] {
  const random = createRandom(1);
  return Array.from({ length: PATHS }, () => Float32Array.from({ length: LONG }, () => random.integer(0, 4000)));
}

function pathsOf({ forecast }: Bundle): readonly (readonly number[])[] {
  return forecast.demand.cpuMillis.map((path) => Array.from(path));
}

function created(bundle: Bundle) {
  return createEntry({ kind: "created", digest: "d", attempt: 1, bundle, plan: buildPlan() }, 5, 1);
}

/** The text of batch 0 of run `r` with entries as they are, whatever they hold. */
function batchText(entries: readonly unknown[]): string {
  const body = JSON.stringify(entries);
  const sha256 = createHash("sha256").update(`r\n0\n${body}`).digest("hex");
  return `${JSON.stringify({ v: 1, seq: 0, at: 5, run: "r", sha256, previous: null }).slice(0, -1)},"entries":${body}}\n`;
}

describe("packed demand", () => {
  it("comes back number by number, whatever the numbers are", () => {
    const number = fc.oneof(
      fc.nat(50_000),
      fc.constantFrom(2 ** 24, 2 ** 24 + 1, 2 ** 32 - 1, 2 ** 32, 2 ** 53, 0.1, 1e-9),
    );
    fc.assert(
      fc.property(fc.array(number, { minLength: 1, maxLength: 20 }), (some) => {
        const paths = largePaths().map((path) => Float64Array.from(path));
        some.forEach((value, index) => paths[index % PATHS]?.set([value], index));
        const bundle = bundleWith(paths);
        const again = unpackBundle(JSON.parse(JSON.stringify(packBundle(bundle))) as ReturnType<typeof packBundle>);
        assert.deepEqual(pathsOf(again), pathsOf(bundle));
      }),
      { numRuns: 3 },
    );
  });

  it("keeps the numbers of small fleets readable, typed arrays too", () => {
    const text = renderBundle(bundleWith([Float32Array.of(1, 2.5), Float64Array.of(3)]));
    assert.match(text, /"cpuMillis":\[\[1,2\.5\],\[3\]\]/);
  });

  it("is less than half of its JSON, as bundle and as batch, and reads the same", () => {
    const bundle = bundleWith(largePaths());
    const plain = JSON.stringify(pathsOf(bundle)).length;
    const text = renderBundle(bundle);
    assert.ok(text.length < plain / 2, `${String(text.length)} of ${String(plain)} characters`);
    assert.deepEqual(pathsOf(parseBundle(text)), pathsOf(bundle));
    const batch = parseBatch("r", 0, renderBatch("r", 0, [created(bundle)], null));
    assert.ok(batch.kind === "ok" && batch.entries[0]?.kind === "created", batch.kind);
    assert.deepEqual(pathsOf(batch.entries[0].bundle), pathsOf(bundle));
  });

  it("is refused by name in a form of another version, and where it was damaged", () => {
    const stored = packBundle(bundleWith(largePaths()));
    const inForm = (cpuMillis: object): string =>
      JSON.stringify({ ...stored, forecast: { ...stored.forecast, demand: { ...stored.forecast.demand, cpuMillis } } });
    assert.match(
      refusalOf(inForm({ packed: 2, numbers: "u32", paths: [] })),
      /^version: bundle\.json: .*form 2.*knows 1/,
    );
    assert.match(refusalOf(inForm({ packed: 1, numbers: "u32", paths: ["AAAA"] })), /^corrupt: .*cannot be unpacked/);
    const entry = created(bundleWith([]));
    const later = { ...entry, bundle: JSON.parse(inForm({ packed: 2, numbers: "u32", paths: [] })) as unknown };
    const batch = parseBatch("r", 0, batchText([later]));
    assert.deepEqual(batch, { kind: "version", version: "1 with demand paths in form 2" });
  });

  it("survives a crash in a store: a batch that was acknowledged is whole, one that breaks off is left out", async () => {
    const folder = await mkdtemp(join(tmpdir(), "archipelago-packed-"));
    const file = join(folder, "runs", "r", "00000000.json");
    const open = () => openFileStore(`file:${folder}`);
    try {
      const bundle = bundleWith(largePaths());
      await (await open()).append("r", 0, [created(bundle)]);
      const again = await (await open()).read("r");
      assert.ok(again.entries[0]?.kind === "created");
      assert.deepEqual(pathsOf(again.entries[0].bundle), pathsOf(bundle));

      await truncate(file, Math.floor((await stat(file)).size / 2));
      const torn = await (await open()).read("r");
      assert.deepEqual(torn.entries, []);
      assert.match(torn.notices.join(), /torn/);

      // As an earlier version wrote it: numbers, however many.
      const demand = { ...bundle.forecast.demand, cpuMillis: pathsOf(bundle) };
      const plain = { ...created(bundle), bundle: { ...bundle, forecast: { ...bundle.forecast, demand } } };
      await writeFile(file, batchText([plain]));
      const earlier = await (await open()).read("r");
      assert.ok(earlier.entries[0]?.kind === "created");
      assert.deepEqual(pathsOf(earlier.entries[0].bundle), pathsOf(bundle));
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
