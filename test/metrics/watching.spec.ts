/** A real Prometheus scrapes what this package says of itself: rules load, and the dashboard's queries find series. */
import { strict as assert } from "node:assert";
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "mocha";
import { findFreePort } from "../../providers/agent/free-port";
import { createAgentMetrics } from "../../providers/metrics/agent-metrics";
import { startMetricsEndpoint, type MetricsEndpoint } from "../../providers/metrics/metrics-endpoint";
import { createRunMetrics } from "../../providers/metrics/run-metrics";
import { createSwitchMetrics } from "../../providers/metrics/switch-metrics";
import type { JournalEntry } from "../../sdk/model";
import { hasPrograms, Monitoring, waitFor } from "./monitoring-fixture";

const FOLDER = join(process.cwd(), "examples", "monitoring");
const isHere = hasPrograms("prometheus", "promtool");
const maybe = isHere ? describe : describe.skip;
const why = isHere ? "" : " (skipped: the Debian package prometheus is not installed)";

/** Rates need several scrapes; a busy machine needs its time for one. */
const SCRAPE = "1s";
const LOOKS_FOR = 3;

interface Dashboard {
  readonly panels: readonly { readonly title: string; readonly targets?: readonly { readonly expr: string }[] }[];
}

maybe(`what Prometheus makes of this package's metrics${why}`, function () {
  this.timeout(60_000);
  const monitoring = new Monitoring();
  const endpoints: MetricsEndpoint[] = [];
  let url = "";

  before(async () => {
    let calls = 0;
    const run = createRunMetrics();
    const replica = () => ({
      replica: "r1",
      workload: "front",
      cpuSeconds: (calls += 1) * 0.1,
      memoryBytes: 1024,
      diskBytes: 2048,
    });
    const service = () => ({ service: "front", requests: (calls += 1) * 10, failed: calls, parked: 0 });
    const registries = [
      createAgentMetrics({ host: "host-01", replicas: () => [replica()], isCordoned: () => true }),
      createSwitchMetrics(() => Promise.resolve([{ ...service(), backends: { healthy: 1, all: 2 } }])),
      run.registry,
    ];
    for (const registry of registries) endpoints.push(await startMetricsEndpoint(registry, { port: 0 }));
    playRun(run.follower());
    const jobs = ["agent", "switch", "runner"].map(
      (job, index) =>
        `  - { job_name: archipelago-${job}, static_configs: [{ targets: ["${new URL(endpoints[index]?.url ?? "").host}"] }] }`,
    );
    const { folder } = monitoring;
    const config = join(folder, "prometheus.yml");
    writeFileSync(
      config,
      `global: { scrape_interval: ${SCRAPE}, scrape_timeout: ${SCRAPE}, evaluation_interval: 1s }
rule_files: [${join(FOLDER, "alerts.yml")}]
scrape_configs:
${jobs.join("\n")}
`,
    );
    const port = await findFreePort("127.0.0.1");
    url = `http://127.0.0.1:${String(port)}`;
    const args = [
      `--config.file=${config}`,
      `--storage.tsdb.path=${join(folder, "data")}`,
      `--web.listen-address=127.0.0.1:${String(port)}`,
    ];
    await monitoring.startProgram("prometheus", args, `${url}/-/ready`);
    const looks = "min(count_over_time(up[1m])) >= ";
    await waitFor(async () => (await ask(`${looks}${String(LOOKS_FOR)}`)).length === 1, "three scrapes of each");
  });
  after(async () => {
    await Promise.all(endpoints.map((endpoint) => endpoint.close()));
    await monitoring.close();
  });

  /** Series that a query finds now. */
  async function ask(query: string): Promise<readonly unknown[]> {
    const answer = (await (await fetch(`${url}/api/v1/query?${new URLSearchParams({ query }).toString()}`)).json()) as {
      readonly status: string;
      readonly error?: string;
      readonly data?: { readonly result: readonly unknown[] };
    };
    assert.equal(answer.status, "success", `${query}: ${answer.error ?? ""}`);
    return answer.data?.result ?? [];
  }

  it("scrapes agent, switch and runner", async () => {
    await waitFor(async () => (await ask('up{job=~"archipelago-.*"} == 1')).length === 3, "a scrape of all three");
  });

  it("finds series for every query of the dashboard", async () => {
    const { panels } = JSON.parse(readFileSync(join(FOLDER, "dashboard.json"), "utf8")) as Dashboard;
    const asked = panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => ({ title, expr })));
    assert.ok(asked.length > 10);
    for (const { title, expr } of asked) {
      await waitFor(async () => (await ask(resolveVariables(expr))).length > 0, `a series of ${title}: ${expr}`);
    }
  });

  it("loads the alerts, names metrics that are there, and fires on a run that has failed", async () => {
    const checked = spawnSync("promtool", ["check", "rules", join(FOLDER, "alerts.yml")]);
    assert.equal(checked.status, 0, checked.stderr.toString());
    const example = spawnSync("promtool", ["check", "config", join(FOLDER, "prometheus.yml")]);
    assert.equal(example.status, 0, example.stdout.toString() + example.stderr.toString());
    const text = readFileSync(join(FOLDER, "alerts.yml"), "utf8");
    const names = [...new Set(text.match(/archipelago_[a-z_]+/g))];
    for (const name of names) await waitFor(async () => (await ask(`count({__name__="${name}"})`)).length > 0, name);
    await waitFor(
      async () => (await ask('ALERTS{alertname="ArchipelagoRunFailed", alertstate="firing"}')).length === 1,
      "the alert of a failed run",
    );
    const gone = 'ALERTS{alertname="ArchipelagoRunnerGone", alertstate="firing"}';
    assert.equal((await ask(gone)).length, 0);
  });
});

/** Grafana's variables as a dashboard has them that nothing was chosen in. */
function resolveVariables(expr: string): string {
  return expr.replace(/\$(update|service)/g, ".*").replaceAll("$__rate_interval", "1m");
}

/** A run with a wave, a hand-over and a failure. */
function playRun(follower: ReturnType<ReturnType<typeof createRunMetrics>["follower"]>): void {
  const entries = [
    { kind: "created", bundle: { spec: { name: "kernel" } } },
    { kind: "phase", phase: "running" },
    { kind: "taken-over", owner: "runner" },
    { kind: "step-intent", step: { id: "s1", kind: "reserve", hosts: ["spare-1"] }, key: "k", prior: null },
    { kind: "step-done", id: "s1", result: { pauseMs: 120 }, alreadyDone: false },
    { kind: "wave-done", index: 1 },
    { kind: "failure", failure: { step: "update" } },
    { kind: "phase", phase: "failed" },
  ].map((event, index) => ({ v: 1, at: 1000 * index, epoch: 1, ...event }) as JournalEntry);
  follower.begin("kernel-1", []);
  follower.follow(entries, 0);
}
