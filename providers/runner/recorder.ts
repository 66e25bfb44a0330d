/**
 * What is recorded beside a run, and the report made of it at the end. Recordings are kept in the store, so that the
 * report of a run that changed its process covers both.
 *
 * Not for: judging; the checker does (providers/guard).
 */
import * as fs from "node:fs/promises";
import * as path from "node:path";
import { isChange } from "../../sdk/model";
import type { RunState, Violation } from "../../sdk/model";
import { checkRun } from "../guard/checker";
import { NO_OBSERVATIONS, type Observations } from "../guard/observations";
import { observeContinuously } from "../guard/observer";
import { writeBundle } from "../journal/bundle";
import { buildReport, STEADY_MS, type Recordings } from "../report/build-report";
import { renderReportPage } from "../report/report-page";
import { verifyRun } from "../verify/verify-run";
import type { RunEnvironment } from "./environment";

/** Time between two looks at the platform. */
const EVERY_MS = 1000;
/** Looks from one question to all hosts to the next. */
const HOSTS_EVERY = 4;
/** How long reading the last recordings may take. */
const COLLECT_LIMIT_MS = 30_000;

/** Traffic further back is left out: a run that needed several openings is shown by its last one. */
const LONGEST_TRAFFIC_MS = 12 * 3_600_000;

/** Time between two looks at what workloads use; one point each in a report. */
const USAGE_STEP_MS = 5000;

/** What a workload used, all its copies together. */
interface UsagePoint {
  readonly atMs: number;
  readonly workload: string;
  readonly cpuMillis: number;
}

/** What is kept of a run in the store. */
interface Recording {
  readonly observations: Observations;
  readonly usage: readonly UsagePoint[];
}

/** A recording under way. */
export interface RunRecorder {
  /** Ends it and stores what was seen. */
  stop(): Promise<void>;
  /** Makes the report of the run that ended; returns the path of its page. */
  report(run: RunState, engine: string): Promise<string>;
}

/** Starts to record; reading only. */
export function recordRun(environment: RunEnvironment, runId: string): RunRecorder {
  const { platform, clock, store, spec } = environment;
  const stopped = new AbortController();
  const observing = observeContinuously({
    platform,
    clock,
    everyMs: EVERY_MS,
    hostsEvery: HOSTS_EVERY,
    signal: stopped.signal,
    probe: spec.update,
  });
  const following = followUsage(environment, stopped.signal);
  return {
    stop: async () => {
      stopped.abort();
      const [seen, usage] = await Promise.all([observing, following]);
      const earlier = await readRecording(environment, runId);
      const recording: Recording = {
        observations: join(earlier.observations, seen),
        usage: [...earlier.usage, ...usage],
      };
      await store.putDocument(recordingName(runId), JSON.stringify(recording));
    },
    report: (run, engine) => writeReport(environment, run, engine),
  };
}

async function writeReport(environment: RunEnvironment, run: RunState, engine: string): Promise<string> {
  const { store } = environment;
  const recording = await readRecording(environment, run.id);
  const { entries } = await store.read(run.id);
  const violations = checkRun({ entries, observations: recording.observations });
  const report = buildReport(run, await collect(environment, run, recording, violations), engine);
  const page = reportPath(environment.reportFolder, run.id);
  const base = page.slice(0, -REPORT_ENDING.length);
  await fs.mkdir(path.dirname(base), { recursive: true });
  await writeBundle(`${base}.bundle.json`, run.bundle);
  const text = `${JSON.stringify(report, null, 1)}\n`;
  const html = renderReportPage(report);
  await fs.writeFile(`${base}.json`, text);
  await fs.writeFile(page, html);
  // Beside a store in a folder the files are in everybody's reach already.
  if (!store.url.startsWith("file:")) {
    await store.putDocument(`reports/${run.id}.html`, html);
    await store.putDocument(`reports/${run.id}.json`, text);
  }
  return page;
}

const REPORT_ENDING = ".html";

/** Path of a run's report page; its data lie beside it. */
export function reportPath(reportFolder: string, runId: string): string {
  return path.join(reportFolder, `${runId}${REPORT_ENDING}`);
}

async function collect(
  environment: RunEnvironment,
  run: RunState,
  { observations, usage }: Recording,
  violations: readonly Violation[],
): Promise<Recordings> {
  const { platform } = environment;
  const signal = AbortSignal.timeout(COLLECT_LIMIT_MS);
  const startMs = run.startedAt ?? run.createdAt;
  const trafficFrom = Math.max(startMs - STEADY_MS, environment.clock.now() - LONGEST_TRAFFIC_MS);
  const attempted = run.steps.flatMap(({ step }) => (isChange(step) ? [step.host] : []));
  const before = run.bundle.fleet;
  const after = await environment.observe(signal, before);
  return {
    availability: observations.availability.map(({ atMs, workload, serving }) => ({
      atMs,
      workload,
      available: serving.length,
    })),
    pauses: observations.pauses,
    traffic: (await platform.recorder?.trafficSince(trafficFrom, signal)) ?? [],
    actual: run.bundle.fleet.workloads.map(({ name }) => ({
      workload: name,
      points: usage.filter(({ workload }) => workload === name),
    })),
    verification: verifyRun({ run: run.id, before, after, attempted }),
    violations,
    disclosures: await environment.disclosures(),
  };
}

/**
 * Follows what each workload uses: the sum over its copies of their mean in the last step. Followed while the run goes
 * on, because a host that restarts forgets what it sampled.
 */
async function followUsage({ platform, clock }: RunEnvironment, signal: AbortSignal): Promise<UsagePoint[]> {
  const points: UsagePoint[] = [];
  if (!platform.sampler) return points;
  for (;;) {
    await clock.sleep(USAGE_STEP_MS, signal);
    if (signal.aborted) return points;
    const atMs = clock.now();
    try {
      const usage = await platform.sampler.usageSince(atMs - USAGE_STEP_MS, AbortSignal.timeout(USAGE_STEP_MS));
      const sums = new Map<string, number>();
      for (const { workload, cpuMillis } of usage) sums.set(workload, (sums.get(workload) ?? 0) + mean(cpuMillis));
      for (const [workload, sum] of sums) points.push({ atMs, workload, cpuMillis: sum });
    } catch {
      // A missed sample is a gap in a plot, never a reason to disturb the run.
    }
  }
}

function mean(values: readonly (number | null)[]): number {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? 0 : known.reduce((sum, value) => sum + value, 0) / known.length;
}

async function readRecording({ store }: RunEnvironment, runId: string): Promise<Recording> {
  const stored = await store.getDocument(recordingName(runId));
  return stored === undefined ? { observations: NO_OBSERVATIONS, usage: [] } : (JSON.parse(stored) as Recording);
}

/** Observations of two processes, one after the other. */
function join(earlier: Observations, later: Observations): Observations {
  const first = earlier.first ?? later.first;
  const last = later.last ?? earlier.last;
  return {
    availability: [...earlier.availability, ...later.availability],
    loads: [...earlier.loads, ...later.loads],
    pauses: [...earlier.pauses, ...later.pauses],
    effects: [...earlier.effects, ...later.effects],
    leases: [...earlier.leases, ...later.leases],
    ...(first ? { first } : {}),
    ...(last ? { last } : {}),
  };
}

function recordingName(runId: string): string {
  return `recordings/${runId}.json`;
}
