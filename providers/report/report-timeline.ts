/** What happened on each host over the time of a run. */
import type { RunReport, StepKind } from "../../sdk/model";
import { lanesChart, type BarStyle, type Lane } from "./html/lanes-chart";
import { section, type Section } from "./html/page";
import type { TimeSpan } from "./html/time-axis";

const STYLES = {
  reserve: { name: "reserve", color: "var(--c6)" },
  move: { name: "move", color: "var(--c2)", pattern: "striped" },
  handOver: { name: "hand-over", color: "var(--c3)", pattern: "crossed" },
  cordon: { name: "cordon and snapshot", color: "var(--c5)", pattern: "lined" },
  update: { name: "update", color: "var(--c4)" },
  restart: { name: "restart", color: "var(--warn)", pattern: "lined" },
  validate: { name: "validate and soak", color: "var(--good)", pattern: "dotted" },
} as const satisfies Record<string, BarStyle>;

const STEP_STYLES: Readonly<Record<StepKind, BarStyle>> = {
  reserve: STYLES.reserve,
  release: STYLES.reserve,
  "start-copy": STYLES.move,
  admit: STYLES.move,
  drain: STYLES.move,
  "stop-copy": STYLES.move,
  "hand-over": STYLES.handOver,
  "live-migrate": STYLES.move,
  "await-end": STYLES.move,
  "set-shares": STYLES.reserve,
  "refuse-paths": STYLES.move,
  "serve-paths": STYLES.move,
  "deploy-function": STYLES.move,
  "remove-function": STYLES.move,
  cordon: STYLES.cordon,
  uncordon: STYLES.cordon,
  snapshot: STYLES.cordon,
  update: STYLES.update,
  reboot: STYLES.restart,
  replace: STYLES.update,
  "discard-replaced": STYLES.reserve,
  validate: STYLES.validate,
  soak: STYLES.validate,
};
const WAVE: BarStyle = { name: "wave", color: "var(--band)", pattern: "pale" };

/** The section with the lanes of all hosts. */
export function timeline(report: RunReport, timezone: string): Section {
  const lanes: Lane[] = [
    {
      name: "waves",
      bars: report.waves.map((wave) => ({
        ...waveSpan(report, wave.index),
        label: `wave ${String(wave.index)}: ${wave.kind}`,
        text: `${String(wave.index)} ${wave.kind}`,
        style: WAVE,
      })),
    },
    ...laneHosts(report).map((host) => ({
      name: host,
      bars: report.steps
        .filter((step) => step.hosts.includes(host))
        .map((step) => ({
          startMs: step.startMs,
          endMs: step.endMs,
          label: `${step.kind}${step.workload === undefined ? "" : ` ${step.workload}`} (${step.status})`,
          style: STEP_STYLES[step.kind],
          outline: step.status !== "done",
        })),
    })),
  ];
  return section(
    "Timeline",
    lanesChart({
      caption: "What happened on each host",
      span: runSpan(report),
      lanes,
      legend: Object.values(STYLES),
      timezone,
    }),
    "One lane a host; dashed outlines failed or were undone.",
  );
}

/** From the start to the end of a run, at least a second. */
export function runSpan(report: RunReport): TimeSpan {
  return { startMs: report.startMs, endMs: Math.max(report.endMs, report.startMs + 1000) };
}

/** When the waves began. */
export function waveMarks(report: RunReport): number[] {
  return report.waves.map(({ index }) => waveSpan(report, index).startMs);
}

function waveSpan(report: RunReport, index: number): TimeSpan {
  const steps = report.steps.filter(({ id }) => id.startsWith(`w${String(index)}/`));
  if (steps.length === 0) return report;
  return {
    startMs: Math.min(...steps.map(({ startMs }) => startMs)),
    endMs: Math.max(...steps.map(({ endMs }) => endMs)),
  };
}

function laneHosts(report: RunReport): string[] {
  return [...new Set([...report.hosts.map(({ host }) => host), ...report.steps.flatMap((step) => step.hosts)])].sort();
}
