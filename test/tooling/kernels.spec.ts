import assert from "node:assert/strict";
import path from "node:path";
import { pathToFileURL } from "node:url";

import { KERNEL_BASE64 as LSTM } from "../../providers/forecast/lstm/kernel-binary";
import { KERNEL_BASE64 as SEARCH } from "../../providers/plan/search/kernel-binary";

const SHIPPED: Readonly<Record<string, string>> = { lstm: LSTM, search: SEARCH };

interface Kernels {
  readonly KERNELS: object;
  readonly compileKernel: (name: string) => Promise<Uint8Array>;
}

describe("the kernels in WebAssembly", () => {
  it("are compiled from the sources beside them", async function () {
    this.timeout(120_000);
    const script = pathToFileURL(path.join(process.cwd(), "scripts", "kernels.mjs")).href;
    const { KERNELS, compileKernel } = (await import(script)) as Kernels;
    assert.deepEqual(Object.keys(KERNELS), Object.keys(SHIPPED));
    for (const [name, shipped] of Object.entries(SHIPPED)) {
      const compiled = Buffer.from(await compileKernel(name)).toString("base64");
      assert.ok(compiled === shipped, `${name} is stale; run npm run build:kernels`);
    }
  });
});
