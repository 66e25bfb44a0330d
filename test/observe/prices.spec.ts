import assert from "node:assert/strict";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { observePrices } from "../../providers/observe/prices";

describe("prices", () => {
  let folder: string;
  before(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), "prices-"));
  });
  after(() => {
    fs.rmSync(folder, { recursive: true, force: true });
  });
  const write = (text: string): string => {
    const file = path.join(folder, "prices.json");
    fs.writeFileSync(file, text);
    return file;
  };

  it("of the arguments go before those of the file", async () => {
    const file = write(JSON.stringify({ currency: "EUR", cpuCoreHour: 0.05, note: "list of March" }));
    assert.deepEqual(await observePrices({ file, table: { cpuCoreHour: 0.04 } }), {
      currency: "EUR",
      cpuCoreHour: 0.04,
      note: "list of March",
    });
  });

  it("are refused with every mistake at once, and without a currency", async () => {
    const file = write(JSON.stringify({ currency: "EUR", cpuCoreHour: -1, gpuHour: 2 }));
    await assert.rejects(
      observePrices({ file }),
      /prices\.gpuHour \(2\) is not a known field[^]*prices\.cpuCoreHour \(-1\) must be a number >= 0/,
    );
    await assert.rejects(observePrices({ table: { cpuCoreHour: 1 } }), /prices\.currency \(missing\) must be given/);
    await assert.rejects(
      observePrices({ file: path.join(folder, "none.json") }),
      /prices\.file .* must be a JSON file/,
    );
  });
});
