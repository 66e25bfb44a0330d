/**
 * Metrics of the runs that one process works on, by what is stored in their journals.
 *
 * Not for: runs of other processes; each tells of its own. What an earlier process stored is not counted again.
 */
import { Counter, Gauge, Histogram, Registry } from "prom-client";
import type { JournalEntry, PlanStep } from "../../sdk/model";
import type { JournalFollower } from "../journal/follower";

/** Registry of a process, and followers that feed it. */
export interface RunMetrics {
  readonly registry: Registry;
  /** One for each run. */
  readonly follower: () => JournalFollower;
}

const PHASES = [
  "armed",
  "running",
  "paused",
  "recovering",
  "done",
  "failed",
  "cancelled",
  "skipped",
  "expired",
] as const;
/** Steps take from a call to a reboot with a long installation. */
const SECONDS = [0.1, 0.5, 1, 5, 15, 30, 60, 300, 900, 3600];

/** Makes them; all begin at zero. */
export function createRunMetrics(): RunMetrics {
  const registry = new Registry();
  const registers = [registry];
  const phase = new Gauge({
    name: "archipelago_run_phase",
    help: "1 for the phase of a run that this process works on or worked on last.",
    labelNames: ["update", "phase"],
    registers,
  });
  const steps = new Counter({
    name: "archipelago_run_steps_total",
    help: "Steps that ended, by kind and outcome.",
    labelNames: ["update", "kind", "outcome"],
    registers,
  });
  const durations = new Histogram({
    name: "archipelago_run_step_duration_seconds",
    help: "Time from a step's intent to its end.",
    labelNames: ["kind"],
    buckets: SECONDS,
    registers,
  });
  const pauses = new Histogram({
    name: "archipelago_handover_pause_seconds",
    help: "Time for which hand-overs held the requests of exclusive workloads.",
    labelNames: ["update"],
    buckets: [0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10],
    registers,
  });
  const waves = new Counter({
    name: "archipelago_run_waves_total",
    help: "Waves that ended.",
    labelNames: ["update"],
    registers,
  });
  const failures = new Counter({
    name: "archipelago_run_failures_total",
    help: "Failures of runs, by the step that failed.",
    labelNames: ["update", "step"],
    registers,
  });
  const takeovers = new Counter({
    name: "archipelago_run_takeovers_total",
    help: "Times that this process took a run over to work on it.",
    labelNames: ["update"],
    registers,
  });
  const reserved = new Gauge({
    name: "archipelago_run_reserved_hosts",
    help: "Standby hosts that a run holds.",
    labelNames: ["update"],
    registers,
  });

  /** Feeds on one run. */
  function createFollower(): JournalFollower {
    let update = "";
    const open = new Map<string, { readonly step: PlanStep; readonly at: number }>();
    const held = new Set<string>();

    function note(entry: JournalEntry, isNew: boolean): void {
      switch (entry.kind) {
        case "created":
          update = entry.bundle.spec.name;
          return;
        case "phase":
          for (const one of PHASES) phase.set({ update, phase: one }, one === entry.phase ? 1 : 0);
          return;
        case "step-intent":
          open.set(entry.step.id, { step: entry.step, at: entry.at });
          return;
        case "step-done":
          noteReserve(entry.id);
          if (isNew) noteEnd(entry.id, entry.alreadyDone ? "already-done" : "done", entry.at);
          if (isNew) notePause(entry.result);
          return;
        case "step-failed":
          if (isNew) noteEnd(entry.id, "failed", entry.at);
          return;
        case "undo-done":
          if (open.get(entry.id)?.step.kind === "reserve") releaseAll(entry.id);
          if (isNew) noteEnd(entry.id, "undone", entry.at);
          return;
        case "undo-failed":
          if (isNew) noteEnd(entry.id, "undo-failed", entry.at);
          return;
        case "wave-done":
          if (isNew) waves.inc({ update });
          return;
        case "failure":
          if (isNew) failures.inc({ update, step: entry.failure.step });
          return;
        case "taken-over":
          if (isNew) takeovers.inc({ update });
          return;
        default:
          return;
      }
    }

    function noteEnd(id: string, outcome: string, at: number): void {
      const found = open.get(id);
      const kind = found?.step.kind ?? "unknown";
      steps.inc({ update, kind, outcome });
      if (found && (outcome === "done" || outcome === "failed")) {
        durations.observe({ kind }, Math.max(0, at - found.at) / 1000);
      }
    }

    function notePause(result: unknown): void {
      const pauseMs = (result as { readonly pauseMs?: unknown } | null)?.pauseMs;
      if (typeof pauseMs === "number") pauses.observe({ update }, pauseMs / 1000);
    }

    function noteReserve(id: string): void {
      const step = open.get(id)?.step;
      if (step?.kind === "reserve") for (const host of step.hosts) held.add(host);
      else if (step?.kind === "release") releaseAll(id);
      reserved.set({ update }, held.size);
    }

    function releaseAll(id: string): void {
      const step = open.get(id)?.step;
      if (step && "hosts" in step) for (const host of step.hosts) held.delete(host);
      reserved.set({ update }, held.size);
    }

    return {
      begin: (_run, entries) => {
        for (const entry of entries) note(entry, false);
      },
      follow: (entries) => {
        for (const entry of entries) note(entry, true);
      },
      end: () => Promise.resolve(),
    };
  }
  return { registry, follower: createFollower };
}
