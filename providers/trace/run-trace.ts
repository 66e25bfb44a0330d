/**
 * OpenTelemetry spans of a run: one for the time that this process works on it, below it one per wave, and below that
 * one per step and per undo. Made from the journal's entries, with their times.
 *
 * Without an OpenTelemetry SDK in the process the API does nothing, and so does this. All processes of a run put their
 * spans into one trace: its id is made of the run's id.
 *
 * Not for: metrics, and setting up an SDK or exporter.
 */
import { createHash } from "node:crypto";
import { ROOT_CONTEXT, SpanKind, SpanStatusCode, trace, TraceFlags } from "@opentelemetry/api";
import type { Attributes, Context, Span, Tracer } from "@opentelemetry/api";
import type { JournalEntry, PlanStep, Wave } from "../../sdk/model";
import type { Clock } from "../clock";
import type { JournalFollower } from "../journal/follower";

/** Name of the instrumentation scope. */
const TRACER_NAME = "pulumi-archipelago";

/** Follows a run with spans. @param owner the process */
export function createTraceFollower(version: string, owner: string, clock: Clock): JournalFollower {
  return new RunTrace(trace.getTracer(TRACER_NAME, version), owner, clock);
}

/** Id of the trace of a run: 32 hexadecimal digits. */
export function traceIdOf(run: string): string {
  return createHash("sha256").update(`trace/${run}`).digest("hex").slice(0, 32);
}

class RunTrace implements JournalFollower {
  private run: Span | undefined;
  private runContext: Context = ROOT_CONTEXT;
  private readonly waves = new Map<number, { readonly span: Span; readonly context: Context }>();
  private readonly waveOfStep = new Map<string, number>();
  private readonly stepOf = new Map<string, PlanStep>();
  private readonly steps = new Map<string, Span>();
  private readonly undos = new Map<string, Span>();

  constructor(
    private readonly tracer: Tracer,
    private readonly owner: string,
    private readonly clock: Clock,
  ) {}

  begin(run: string, stored: readonly JournalEntry[]): void {
    this.run = this.tracer.startSpan(
      "archipelago.run",
      {
        kind: SpanKind.INTERNAL,
        startTime: new Date(this.clock.now()),
        attributes: { "archipelago.run": run, "archipelago.owner": this.owner },
      },
      parentOf(run),
    );
    this.runContext = trace.setSpan(parentOf(run), this.run);
    const done = new Set(stored.flatMap((entry) => (entry.kind === "wave-done" ? [entry.index] : [])));
    for (const entry of stored) {
      if (entry.kind === "created" || entry.kind === "phase") this.describeRun(entry);
      if (entry.kind !== "wave-planned") continue;
      this.noteSteps(entry.wave);
      // A wave under way goes on here: its span in this process begins now.
      if (!done.has(entry.wave.index)) this.beginWave(entry.wave, this.clock.now());
    }
  }

  follow(entries: readonly JournalEntry[]): void {
    for (const entry of entries) this.followEntry(entry);
  }

  end(): Promise<void> {
    const nowMs = this.clock.now();
    // What is still open is not over: whoever goes on has spans of its own.
    for (const span of [...this.undos.values(), ...this.steps.values()]) endLeft(span, nowMs);
    for (const { span } of this.waves.values()) endLeft(span, nowMs);
    this.run?.end(new Date(nowMs));
    return Promise.resolve();
  }

  private followEntry(entry: JournalEntry): void {
    switch (entry.kind) {
      case "created":
        this.describeRun(entry);
        break;
      case "phase":
        this.run?.addEvent(`phase ${entry.phase}`, { "archipelago.reason": entry.reason }, new Date(entry.at));
        this.describeRun(entry);
        if (entry.phase === "failed") this.run?.setStatus({ code: SpanStatusCode.ERROR, message: entry.reason });
        break;
      case "wave-planned":
        this.noteSteps(entry.wave);
        this.beginWave(entry.wave, entry.at);
        break;
      case "wave-done":
        this.waves.get(entry.index)?.span.end(new Date(entry.at));
        this.waves.delete(entry.index);
        break;
      case "step-intent":
        this.stepOf.set(entry.step.id, entry.step);
        this.steps.get(entry.step.id)?.end(new Date(entry.at));
        this.steps.set(entry.step.id, this.beginStep(entry.step, `archipelago.step ${entry.step.kind}`, entry.at));
        break;
      case "step-done":
        this.endStep(this.steps, entry.id, entry.at, undefined, { "archipelago.step.already_done": entry.alreadyDone });
        break;
      case "step-failed":
        this.endStep(this.steps, entry.id, entry.at, entry.reason);
        break;
      case "undo-intent": {
        const step = this.stepOf.get(entry.id);
        if (step) this.undos.set(entry.id, this.beginStep(step, `archipelago.undo ${step.kind}`, entry.at));
        break;
      }
      case "undo-done":
        this.endStep(this.undos, entry.id, entry.at, undefined, { "archipelago.undo.note": entry.note });
        break;
      case "undo-failed":
        this.endStep(this.undos, entry.id, entry.at, entry.reason);
        break;
      case "decision":
      case "notice":
        this.run?.addEvent(entry.kind, { "archipelago.text": entry.text }, new Date(entry.at));
        break;
      case "asked":
        this.run?.addEvent(
          `asked to ${entry.wish}`,
          { "archipelago.by": entry.by, "archipelago.why": entry.why },
          new Date(entry.at),
        );
        break;
      case "failure":
        this.run?.addEvent("failure", { "archipelago.reason": entry.failure.reason }, new Date(entry.at));
        break;
      case "taken-over":
      case "step-started":
        break;
    }
  }

  private describeRun(entry: Extract<JournalEntry, { readonly kind: "created" | "phase" }>): void {
    this.run?.setAttributes(
      entry.kind === "phase"
        ? { "archipelago.phase": entry.phase }
        : {
            "archipelago.digest": entry.digest,
            "archipelago.attempt": entry.attempt,
            "archipelago.update": entry.bundle.spec.name,
          },
    );
  }

  private noteSteps(wave: Wave): void {
    for (const step of wave.steps) {
      this.waveOfStep.set(step.id, wave.index);
      this.stepOf.set(step.id, step);
    }
  }

  private beginWave(wave: Wave, atMs: number): void {
    const span = this.tracer.startSpan(
      `archipelago.wave ${wave.kind}`,
      {
        kind: SpanKind.INTERNAL,
        startTime: new Date(atMs),
        attributes: {
          "archipelago.wave.index": wave.index,
          "archipelago.wave.kind": wave.kind,
          "archipelago.wave.hosts": [...wave.hosts],
          "archipelago.wave.moves": wave.moves.length,
        },
      },
      this.runContext,
    );
    this.waves.set(wave.index, { span, context: trace.setSpan(this.runContext, span) });
  }

  private beginStep(step: PlanStep, name: string, atMs: number): Span {
    const wave = this.waves.get(this.waveOfStep.get(step.id) ?? Number.NaN);
    return this.tracer.startSpan(
      name,
      { kind: SpanKind.INTERNAL, startTime: new Date(atMs), attributes: describeStep(step) },
      wave?.context ?? this.runContext,
    );
  }

  private endStep(
    spans: Map<string, Span>,
    id: string,
    atMs: number,
    failure: string | undefined,
    attributes: Attributes = {},
  ): void {
    const span = spans.get(id);
    if (!span) return;
    spans.delete(id);
    span.setAttributes(attributes);
    if (failure !== undefined) span.setStatus({ code: SpanStatusCode.ERROR, message: failure });
    span.end(new Date(atMs));
  }
}

/** A parent that exists in no process: it only gives all spans of a run one trace. */
function parentOf(run: string): Context {
  const spanId = createHash("sha256").update(`span/${run}`).digest("hex").slice(0, 16);
  return trace.setSpanContext(ROOT_CONTEXT, {
    traceId: traceIdOf(run),
    spanId,
    traceFlags: TraceFlags.SAMPLED,
    isRemote: true,
  });
}

function describeStep(step: PlanStep): Attributes {
  return {
    "archipelago.step.id": step.id,
    "archipelago.step.kind": step.kind,
    ...("host" in step ? { "archipelago.host": step.host } : {}),
    ...("hosts" in step ? { "archipelago.hosts": [...step.hosts] } : {}),
    ...("workload" in step ? { "archipelago.workload": step.workload } : {}),
  };
}

function endLeft(span: Span, nowMs: number): void {
  span.setAttribute("archipelago.left_open", true);
  span.end(new Date(nowMs));
}
