import * as assert from "node:assert/strict";
import * as fs from "node:fs/promises";
import * as http from "node:http";
import type { AddressInfo } from "node:net";
import * as os from "node:os";
import * as path from "node:path";
import { dailySeries } from "../forecast/series-builders";
import { archipelago } from "./command-line";

describe("archipelago forecast and backtest", function () {
  this.timeout(60_000);

  let folder: string;
  let csv: string;

  before(async () => {
    folder = await fs.mkdtemp(path.join(os.tmpdir(), "archipelago-forecast-"));
    csv = path.join(folder, "cpu.csv");
    const [checkout, ledger] = [1, 2].map((seed) => dailySeries({ days: 14, seed }));
    const rows = Array.from(checkout?.values ?? [], (value, hour) => {
      const at = new Date((checkout?.startMs ?? 0) + hour * 3_600_000).toISOString();
      return `${at},${value.toFixed(1)},${(ledger?.values[hour] ?? 0).toFixed(1)}`;
    });
    await fs.writeFile(csv, `time,checkout,ledger\n${rows.join("\n")}\n`);
  });

  after(async () => {
    await fs.rm(folder, { recursive: true });
  });

  it("show what comes as sparklines, a table of quantiles and a page", async () => {
    const page = path.join(folder, "forecast.html");
    const args = ["forecast", csv, "--horizon", "48 hours", "--unit", "millicores", "--page", page];
    const { code, stdout } = await archipelago(args);
    assert.equal(code, 0);
    assert.match(stdout, /^checkout, millicores\n {2}known +336 values, one every 1 h, /m);
    assert.match(stdout, /P95 +[▁▂▃▄▅▆▇█]{48} /);
    assert.match(stdout, /highest in each 4 h:\n {2}from +P5 +P50 +P90 +P95 +P99\n {2}Mon 16 Nov 00:00 /);
    assert.match(stdout, /blend of .* \(\d+ %\)/);
    const html = await fs.readFile(page, "utf8");
    assert.match(html, /Forecast of .*cpu\.csv/);
    assert.match(html, /<h2 id="series-2-heading">ledger<\/h2>/);
  });

  it("print JSON with the rows of the levels that were asked for", async () => {
    const { stdout } = await archipelago(["forecast", csv, "--series", "ledger", "--quantiles", "0.9,0.5", "--json"]);
    const { v, series } = JSON.parse(stdout) as {
      v: number;
      series: readonly { id: string; levels: readonly number[]; rows: readonly (readonly number[])[] }[];
    };
    assert.equal(v, 1);
    assert.deepEqual(
      series.map(({ id, levels, rows }) => [id, levels, rows.map((row) => row.length)]),
      [["ledger", [0.5, 0.9], [24, 24]]],
    );
  });

  it("tell how good forecasts would have been, of every member, and what they would have reserved", async () => {
    const page = path.join(folder, "backtest.html");
    const { code, stdout } = await archipelago([
      "backtest",
      csv,
      "--series",
      "checkout",
      "--origins",
      "4",
      "--page",
      page,
    ]);
    assert.equal(code, 0);
    assert.match(stdout, /checkout: 4 forecasts of 24 h/);
    assert.match(stdout, /reserve +at P95 [\d,.]+ on average, (never exceeded|exceeded in)/);
    assert.match(stdout, /slot +the calmest 2 h was chosen in/);
    assert.match(stdout, /model +weight +relPin +WQL +MASE +c80 +c95 +u90 +u99\n {2}ensemble +0\.\d+/);
    assert.match(stdout, /the last season again +1\.000/);
    assert.match(await fs.readFile(page, "utf8"), /Backtest of/);
  });

  it("try classical models by name, and say which names there are", async () => {
    const args = ["backtest", csv, "--series", "ledger", "--origins", "2", "--also", "theta,damped-trend,histogram"];
    const { code, stdout } = await archipelago(args);
    assert.equal(code, 0);
    for (const name of ["Theta", "damped trend", "decaying histogram"]) {
      assert.match(stdout, new RegExp(`^ +${name} +[\\d.]+ % `, "m"), stdout);
    }
    const unknown = await archipelago(["forecast", csv, "--also", "thetta,arima", "--work", "much"]);
    assert.equal(unknown.code, 2);
    assert.match(unknown.stderr, /--also: unknown model "thetta"; did you mean "theta"\?/);
    assert.match(unknown.stderr, /--work \("much"\) must be a number of at least 0/);
  });

  it("ask a Prometheus, one series for each set of labels", async () => {
    const asked: string[] = [];
    const server = http.createServer((request, response) => {
      let body = "";
      request.on("data", (chunk: Buffer) => (body += chunk.toString()));
      request.on("end", () => {
        asked.push(`${request.url ?? ""} ${body}`);
        const form = new URLSearchParams(body);
        const [start, end, step] = ["start", "end", "step"].map((name) => Number(form.get(name)));
        const values: [number, string][] = [];
        for (let at = start ?? 0; at <= (end ?? 0); at += step ?? 1)
          values.push([at, String(10 + (at % 86_400) / 3600)]);
        const result = [{ metric: { job: "api" }, values }];
        response.setHeader("content-type", "application/json");
        response.end(JSON.stringify({ status: "success", data: { resultType: "matrix", result } }));
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
    const options = ["--query", "sum by (job) (rate(x[5m]))", "--since", "7 days", "--step", "1 hour", "--json"];
    const { code, stdout } = await archipelago(["forecast", "--prometheus", url, ...options]);
    server.close();
    assert.equal(code, 0);
    const { series } = JSON.parse(stdout) as { series: readonly { id: string; known: number }[] };
    assert.equal(series[0]?.id, '{job="api"}');
    assert.ok(series[0].known >= 168);
    assert.match(asked.join(), /^\/api\/v1\/query_range .*step=3600/);
  });

  it("name all mistakes at once", async () => {
    const { code, stderr } = await archipelago(["forecast", csv, "--horizon", "3 parsecs", "--quantiles", "0.5,95"]);
    assert.equal(code, 2);
    assert.match(stderr, /--horizon \("3 parsecs"\)[^]*--quantiles \("0\.5,95"\)/);
    const wrong = await archipelago(["backtest", "--query", "up", "--timezone", "Mars"]);
    assert.equal(wrong.code, 2);
    assert.match(wrong.stderr, /name a FILE[^]*--query needs --prometheus[^]*--timezone \("Mars"\)/);
    const unknown = await archipelago(["forecast", csv, "--series", "chekout"]);
    assert.match(unknown.stderr, /unknown series "chekout"; did you mean "checkout"\?/);
  });
});
