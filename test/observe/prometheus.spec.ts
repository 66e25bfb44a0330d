import { strict as assert } from "node:assert";
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "mocha";
import { findFreePort } from "../../providers/agent/free-port";
import { createAlarmSource } from "../../providers/observe/alarms";
import { createPrometheusSource } from "../../providers/observe/prometheus";
import { renderQuery } from "../../providers/observe/prometheus-queries";
import { floorToGrid } from "../../sdk/model";
import { hasPrograms, Monitoring, waitFor } from "../metrics/monitoring-fixture";

const SIGNAL = new AbortController().signal;
const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const CPU = { subject: "workload/checkout", unit: "cpuMillis" } as const;
const isHere = hasPrograms("prometheus", "promtool");
const maybe = isHere ? describe : describe.skip;
const why = isHere ? "" : " (skipped: the Debian package prometheus is not installed)";

maybe(`metrics from a real Prometheus${why}`, function () {
  this.timeout(90_000);
  const monitoring = new Monitoring();
  /** History ends an hour ago: what is scraped now stays apart. */
  const endMs = floorToGrid(Date.now() - HOUR_MS, HOUR_MS);
  const startMs = endMs - 3 * DAY_MS;
  const gap = { fromMs: startMs + DAY_MS, toMs: startMs + DAY_MS + HOUR_MS };
  const resetMs = startMs + DAY_MS / 2;
  let url = "";

  before(async () => {
    const history = join(monitoring.folder, "history.txt");
    writeFileSync(history, renderHistory(startMs, endMs, gap, resetMs));
    const made = spawnSync("promtool", [
      "tsdb",
      "create-blocks-from",
      "openmetrics",
      history,
      join(monitoring.folder, "data"),
    ]);
    assert.equal(made.status, 0, made.stderr.toString());
    let scrapes = 0;
    const exporter = await monitoring.serve((_, response) => {
      scrapes += 1;
      const lines = [
        "# TYPE node_cpu_seconds_total counter",
        `node_cpu_seconds_total{cpu="0",mode="user"} ${String(scrapes * 0.5)}`,
        `node_cpu_seconds_total{cpu="0",mode="idle"} ${String(scrapes * 5)}`,
        "# TYPE node_memory_MemTotal_bytes gauge",
        "node_memory_MemTotal_bytes 8e9",
        "# TYPE node_memory_MemAvailable_bytes gauge",
        "node_memory_MemAvailable_bytes 6e9",
      ];
      response.setHeader("content-type", "text/plain; version=0.0.4").end(`${lines.join("\n")}\n`);
    });
    writeFileSync(join(monitoring.folder, "rules.yml"), RULES);
    const target = new URL(exporter).host;
    writeFileSync(
      join(monitoring.folder, "prometheus.yml"),
      `global: { scrape_interval: 1s, evaluation_interval: 1s }
rule_files: [rules.yml]
scrape_configs:
  - job_name: node
    static_configs: [{ targets: ["${target}"], labels: { instance: "host-01:9100" } }]
`,
    );
    const port = await findFreePort("127.0.0.1");
    url = `http://127.0.0.1:${String(port)}`;
    const { folder } = monitoring;
    const args = [
      `--config.file=${join(folder, "prometheus.yml")}`,
      `--storage.tsdb.path=${join(folder, "data")}`,
      "--storage.tsdb.retention.time=30d",
      `--web.listen-address=127.0.0.1:${String(port)}`,
    ];
    await monitoring.startProgram("prometheus", args, `${url}/-/ready`);
  });
  after(() => monitoring.close());

  it("reads days of a pods' counter over a restart, and leaves a gap where nothing was measured", async () => {
    const source = createPrometheusSource({ url });
    const [cpu] = await source.query([CPU], { fromMs: startMs, toMs: endMs }, 5 * MINUTE_MS, SIGNAL);
    assert.ok(cpu);
    assert.equal(cpu.startMs, startMs);
    assert.equal(cpu.values.length, (3 * DAY_MS) / (5 * MINUTE_MS));
    const at = (ms: number): number => cpu.values[Math.floor((ms - startMs) / (5 * MINUTE_MS))] ?? Number.NaN;
    // Two pods of half a core each.
    for (const ms of [startMs + 6 * HOUR_MS, resetMs + 5 * MINUTE_MS, startMs + 2 * DAY_MS]) {
      assert.ok(Math.abs(at(ms) - 1000) < 20, `${String(at(ms))} at ${String(ms)}`);
    }
    // At the restart itself the little that the old process did after its last sample is lost; nothing is made up.
    assert.ok(at(resetMs - 1) > 700 && at(resetMs - 1) < 1010, String(at(resetMs - 1)));
    assert.ok(Number.isNaN(at(gap.fromMs + HOUR_MS / 2)));
    assert.ok(cpu.values.every((value) => Number.isNaN(value) || value < 1100));
  });

  it("asks for ranges beyond 11,000 points in parts", async () => {
    const stepMs = 20_000;
    const source = createPrometheusSource({ url, scrapeIntervalMs: MINUTE_MS });
    const [cpu] = await source.query([CPU], { fromMs: startMs, toMs: endMs }, stepMs, SIGNAL);
    assert.ok(cpu);
    assert.equal(cpu.values.length, (3 * DAY_MS) / stepMs);
    const known = cpu.values.filter((value) => !Number.isNaN(value)).length;
    assert.ok(known > 12_000, `${String(known)} values`);
  });

  it("tells workloads with alike names apart and knows nothing of one that is not there", async () => {
    const range = { fromMs: startMs, toMs: startMs + 6 * HOUR_MS };
    const selectors = ["checkout", "checkout-api", "nothing"].map((name) => ({
      subject: `workload/${name}`,
      unit: "cpuMillis" as const,
    }));
    const [checkout, api, nothing] = await createPrometheusSource({ url }).query(selectors, range, HOUR_MS, SIGNAL);
    assert.ok(Math.abs((checkout?.values[3] ?? 0) - 1000) < 20);
    assert.ok(Math.abs((api?.values[3] ?? 0) - 250) < 10);
    assert.equal(nothing, undefined);
  });

  it("takes the user's own queries and says what is wrong with one", async () => {
    const range = { fromMs: startMs, toMs: startMs + HOUR_MS };
    const ask = (cpuMillis: string) =>
      createPrometheusSource({ url, queries: { cpuMillis } }).query([CPU], range, 5 * MINUTE_MS, SIGNAL);
    const [own] = await ask('label_replace(vector(42), "workload", "checkout", "", "")');
    assert.equal(own?.values[2], 42);
    await assert.rejects(ask("sum(("), /parse error/);
    await assert.rejects(ask("vector(1)"), /gave no label workload/);
    const pods = 'label_replace(rate(container_cpu_usage_seconds_total[$interval]), "workload", "checkout", "", "")';
    await assert.rejects(ask(pods), /several series for workload checkout/);
  });

  it("follows a live exporter like node_exporter", async () => {
    const source = createPrometheusSource({ url, scrapeIntervalMs: 1000 });
    const host = (unit: "cpuMillis" | "memoryBytes") => ({ subject: "host/host-01", unit });
    await waitFor(async () => {
      const range = { fromMs: Date.now() - 30_000, toMs: Date.now() };
      const [cpu, memory] = await source.query([host("cpuMillis"), host("memoryBytes")], range, 2000, SIGNAL);
      const last = cpu?.values.findLast((value) => !Number.isNaN(value));
      return last !== undefined && last > 300 && last < 700 && memory?.values.some((value) => value === 2e9) === true;
    }, "the exporter's series");
  });

  it("tells a firing alert from a calm one and from one that does not exist", async () => {
    const source = (alert: string) => createAlarmSource([{ kind: "prometheus", url, alert }]);
    await waitFor(async () => (await source("AlwaysFires").firing(SIGNAL)).length > 0, "the alert to fire");
    const [alarm] = await source("AlwaysFires").firing(SIGNAL);
    assert.equal(alarm?.name, "AlwaysFires");
    assert.equal(alarm.summary, "it is on");
    assert.ok(Math.abs((alarm.sinceMs ?? 0) - Date.now()) < 120_000);
    assert.deepEqual(await source("NeverFires").firing(SIGNAL), []);
    await assert.rejects(
      source("AlwaysFire").firing(SIGNAL),
      /has no alerting rule AlwaysFire; did you mean "AlwaysFires"/,
    );
  });
});

describe("metrics from a Prometheus with faults", () => {
  const monitoring = new Monitoring();
  after(() => monitoring.close());
  const range = { fromMs: 0, toMs: HOUR_MS };
  const matrix = JSON.stringify({ status: "success", data: { resultType: "matrix", result: [] } });

  it("sends a token or a password from the environment, and tells who refuses it", async () => {
    const seen: (string | undefined)[] = [];
    const url = await monitoring.serve((request, response) => {
      seen.push(request.headers.authorization);
      response.statusCode = request.headers.authorization === "Bearer right" ? 200 : 401;
      response.end(matrix);
    });
    const ask = (environment: Record<string, string>) =>
      createPrometheusSource({ url, environment }).query([CPU], range, HOUR_MS, SIGNAL);
    await ask({ ARCHIPELAGO_PROMETHEUS_TOKEN: "right" });
    const basic = ask({ ARCHIPELAGO_PROMETHEUS_USERNAME: "ann", ARCHIPELAGO_PROMETHEUS_PASSWORD: "pass" });
    await assert.rejects(basic, (error: Error & { code?: string }) => {
      assert.equal(error.code, "unauthorized");
      assert.match(error.message, /ARCHIPELAGO_PROMETHEUS_TOKEN/);
      assert.doesNotMatch(error.message, /pass\b/);
      return true;
    });
    assert.deepEqual(seen, ["Bearer right", `Basic ${Buffer.from("ann:pass").toString("base64")}`]);
  });

  it("does not send credentials in the open", async () => {
    const source = createPrometheusSource({
      url: "http://prometheus.example",
      environment: { ARCHIPELAGO_PROMETHEUS_TOKEN: "t" },
    });
    await assert.rejects(source.query([CPU], range, HOUR_MS, SIGNAL), /would get its credentials unencrypted/);
  });

  it("asks again when a proxy has no backend for a moment, and gives up after three times", async () => {
    let calls = 0;
    const url = await monitoring.serve((_, response) => {
      calls += 1;
      response.statusCode = calls === 2 ? 200 : 503;
      response.end(calls === 2 ? matrix : "no backend");
    });
    const source = createPrometheusSource({ url });
    assert.deepEqual(await source.query([CPU], range, HOUR_MS, SIGNAL), [undefined]);
    await assert.rejects(source.query([CPU], range, HOUR_MS, SIGNAL), /status 503: no backend/);
    assert.equal(calls, 5);
  });

  it("says that a server which is no Prometheus is none", async () => {
    const url = await monitoring.serve((_, response) => response.end("<html>Log in</html>"));
    await assert.rejects(createPrometheusSource({ url }).query([CPU], range, HOUR_MS, SIGNAL), /answered with no JSON/);
  });

  it("gives up on a server that accepts and says nothing", async () => {
    const url = await monitoring.serve(() => undefined);
    const source = createPrometheusSource({ url, timeoutMs: 200 });
    await assert.rejects(source.query([CPU], range, HOUR_MS, SIGNAL), /no answer within 0.2 s/);
  });

  it("tells a firing alarm though another source does not answer, and an error when none fires", async () => {
    const rules = (state: string) => ({
      data: {
        groups: [
          { rules: [{ type: "alerting", name: "A", alerts: [{ state, labels: { alertname: "A", zone: "a" } }] }] },
        ],
      },
    });
    let state = "firing";
    const url = await monitoring.serve((_, response) => response.end(JSON.stringify(rules(state))));
    const source = createAlarmSource([
      { kind: "prometheus", url, alert: "A" },
      { kind: "prometheus", url: "http://127.0.0.1:9", alert: "B" },
    ]);
    assert.deepEqual(await source.firing(SIGNAL), [{ name: "A", source: `Prometheus ${url}`, summary: "zone=a" }]);
    state = "pending";
    await assert.rejects(source.firing(SIGNAL), /Prometheus http:\/\/127.0.0.1:9: cannot be reached/);
  });

  it("reads CloudWatch's alarms", async () => {
    const url = await monitoring.serve((request, response, body) => {
      response.setHeader("content-type", "application/x-amz-json-1.0");
      const isKnown = body.includes("errors");
      const alarm = { AlarmName: "errors", StateValue: "ALARM", StateReason: "5 of 5 points above 10" };
      response.end(JSON.stringify({ MetricAlarms: isKnown ? [alarm] : [] }));
      assert.equal(request.method, "POST");
    });
    const kept = { id: process.env["AWS_ACCESS_KEY_ID"], secret: process.env["AWS_SECRET_ACCESS_KEY"] };
    Object.assign(process.env, { AWS_ACCESS_KEY_ID: "test", AWS_SECRET_ACCESS_KEY: "test" });
    try {
      const source = (alarm: string) =>
        createAlarmSource([{ kind: "cloudWatch", region: "eu-central-1", alarm }], { cloudWatchEndpoint: url });
      const [alarm] = await source("errors").firing(SIGNAL);
      assert.deepEqual([alarm?.name, alarm?.summary], ["errors", "5 of 5 points above 10"]);
      await assert.rejects(source("latency").firing(SIGNAL), /CloudWatch eu-central-1: has no alarm latency/);
    } finally {
      if (kept.id === undefined) delete process.env["AWS_ACCESS_KEY_ID"];
      else process.env["AWS_ACCESS_KEY_ID"] = kept.id;
      if (kept.secret === undefined) delete process.env["AWS_SECRET_ACCESS_KEY"];
      else process.env["AWS_SECRET_ACCESS_KEY"] = kept.secret;
    }
  });

  it("writes names into a query so that they mean nothing else", () => {
    assert.equal(
      renderQuery('x{a=~"$names"}[$interval]', ["a.b", 'q"', "long-name"], 60_000),
      'x{a=~"long-name|a\\\\.b|q\\""}[60000ms]',
    );
  });
});

const RULES = `groups:
  - name: test
    rules:
      - { alert: AlwaysFires, expr: vector(1), annotations: { summary: it is on } }
      - { alert: NeverFires, expr: vector(1) > 2 }
`;

/** Counters of three pods, a sample a minute. */
function renderHistory(startMs: number, endMs: number, gap: { fromMs: number; toMs: number }, resetMs: number): string {
  const pods = [
    { pod: "checkout-7d9f8b6c5d-x2x4z", rate: 0.5, resetMs },
    { pod: "checkout-7d9f8b6c5d-bbbbb", rate: 0.5, resetMs: 0 },
    { pod: "checkout-api-7d9f8b6c5d-ccccc", rate: 0.25, resetMs: 0 },
  ];
  const lines = ["# TYPE container_cpu_usage_seconds counter"];
  for (const { pod, rate, resetMs: restartMs } of pods) {
    for (let ms = startMs; ms <= endMs; ms += MINUTE_MS) {
      if (ms > gap.fromMs && ms < gap.toMs) continue;
      const sinceMs = restartMs > 0 && ms >= restartMs ? restartMs : startMs;
      const value = ((ms - sinceMs) / 1000) * rate;
      lines.push(
        `container_cpu_usage_seconds_total{container="app",pod="${pod}"} ${String(value)} ${String(ms / 1000)}`,
      );
    }
  }
  return `${lines.join("\n")}\n# EOF\n`;
}
