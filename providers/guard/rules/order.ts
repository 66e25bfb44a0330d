/** Order: legal phases, steps only while running, surge before eviction, nothing outside of the envelope. */
import { isChange } from "../../../sdk/model";
import type { Move, Phase, PlanStep, StepKind, Violation } from "../../../sdk/model";
import { hostsOf, isDoneBefore } from "../run-view";
import type { RunView, StepSpan } from "../run-view";
import type { Rule } from "./rule";

/** Which phases may follow which. The same phase again is legal: whoever takes a run over may say it again. */
const NEXT_PHASES: Readonly<Record<Phase, readonly Phase[]>> = {
  armed: ["running", "paused", "recovering", "failed", "cancelled", "skipped", "expired", "done"],
  running: ["armed", "paused", "recovering", "done", "failed", "cancelled", "expired"],
  paused: ["running", "armed", "recovering", "failed", "cancelled", "expired"],
  recovering: ["armed", "running", "paused", "done", "failed", "cancelled", "expired"],
  // An end is left only to recover what it could not give back.
  done: ["recovering"],
  failed: ["recovering"],
  cancelled: ["recovering"],
  skipped: [],
  expired: ["recovering"],
};

/** A run goes from phase to phase only as phases may follow each other. */
export const keepsPhases: Rule = (view) => {
  let phase: Phase = "armed";
  return view.entries.flatMap((entry): readonly Violation[] => {
    if (entry.kind !== "phase") return [];
    const before = phase;
    phase = entry.phase;
    if (before === phase || NEXT_PHASES[before].includes(phase)) return [];
    return [{ atMs: entry.at, rule: "order", subject: view.run ?? "run", text: `went from ${before} to ${phase}` }];
  });
};

/** Steps start while the run is running; outside of that it only recovers. */
export const startsStepsWhileRunning: Rule = (view) => {
  let phase: Phase = "armed";
  return view.entries.flatMap((entry): readonly Violation[] => {
    if (entry.kind === "phase") phase = entry.phase;
    if (entry.kind !== "step-intent" || phase === "running" || phase === "recovering") return [];
    return [{ atMs: entry.at, rule: "order", subject: entry.step.id, text: `was started in phase ${phase}` }];
  });
};

/** Everything that a step comes after is done when it starts. */
export const keepsDependencies: Rule = (view) =>
  view.spans.flatMap((span) =>
    span.step.after
      .filter((id) => !view.spans.some((other) => other.step.id === id && isDoneBefore(other, span.index)))
      .map((id) => violationOf(span, `was started before ${id} was done`)),
  );

/** Surge before evict: the old copy of a move stays until the new one serves. */
export const surgesFirst: Rule = (view) =>
  view.spans.flatMap((span): readonly Violation[] => {
    const { step } = span;
    if (step.kind !== "drain" && step.kind !== "stop-copy") return [];
    const move = view.moves.get(step.move);
    if (move?.replica !== step.replica) return [];
    return missingBefore(view, span, move, move.method === "surge" ? move.newReplica : move.standIn?.endpoint);
  });

/** Only functions that can be shed are refused, and before the copy that others then carry for leaves. */
export const refusesWhatCanBeShed: Rule = (view) =>
  view.spans.flatMap((span): readonly Violation[] => {
    const { step } = span;
    if (step.kind === "refuse-paths") {
      const declared = view.workloads.find(({ name }) => name === step.workload)?.functions ?? [];
      return step.paths
        .filter((path) => !declared.some((one) => one.path === path && one.criticality === "sheddable"))
        .map((path) => violationOf(span, `refuses ${path}, which is not declared sheddable`));
    }
    if (step.kind !== "drain" && step.kind !== "stop-copy") return [];
    const move = view.moves.get(step.move);
    if (!move?.refuses || step.replica !== move.replica) return [];
    const wave = view.waves.find(({ steps }) => steps.some(({ id }) => id === step.id));
    const refusals = wave?.steps.filter((other) => other.kind === "refuse-paths" && other.workload === step.workload);
    return (refusals ?? [])
      .filter((other) => !isDone(view, other, span.index))
      .map((other) => violationOf(span, `was started before ${other.id} was done`));
  });

/** Bursts come back: a function that stands in for a copy serves until that one serves again. */
export const fallsBackFirst: Rule = (view) =>
  view.spans.flatMap((span): readonly Violation[] => {
    const { step } = span;
    if (step.kind !== "drain" && step.kind !== "remove-function") return [];
    const move = view.moves.get(step.move);
    const leaving = step.kind === "drain" ? step.replica : step.endpoint;
    return move?.standIn?.endpoint === leaving ? missingBefore(view, span, move, move.newReplica) : [];
  });

/** Steps that bring `arriving` into traffic and are not done when another one begins. */
function missingBefore(view: RunView, span: StepSpan, move: Move, arriving: string | undefined): readonly Violation[] {
  return stepsOfMove(view, move)
    .filter(
      (other) =>
        ((other.kind === "start-copy" || other.kind === "admit") && other.replica === arriving) ||
        (other.kind === "deploy-function" && other.endpoint === arriving),
    )
    .filter((other) => !isDone(view, other, span.index))
    .map((other) => violationOf(span, `was started before ${other.kind} of ${arriving ?? ""} was done`));
}

/** Steps that take a copy off its host by themselves. */
const LEAVES_ALONE: ReadonlySet<StepKind> = new Set(["hand-over", "live-migrate", "await-end"]);

/** A host is changed only when it is cordoned and every copy that had to leave it has left. */
export const emptiesHostsFirst: Rule = (view) =>
  view.spans.flatMap((span): readonly Violation[] => {
    const { step } = span;
    if (!isChange(step) && step.kind !== "reboot") return [];
    const wave = view.waves.find((candidate) => candidate.steps.some((other) => other.id === step.id));
    if (!wave) return [violationOf(span, "belongs to no planned wave")];
    const leaving = wave.moves
      // What is restarted in place leaves and comes back after the change.
      .filter((move) => move.from === step.host && move.method !== "restart")
      .flatMap((move) =>
        stepsOfMove(view, move).filter(
          (other) => LEAVES_ALONE.has(other.kind) || (other.kind === "stop-copy" && other.replica === move.replica),
        ),
      );
    const cordons = wave.steps.filter((other) => other.kind === "cordon" && other.host === step.host);
    const missing = [...cordons, ...leaving].filter((other) => !isDone(view, other, span.index));
    return [
      ...(cordons.length === 0 ? [violationOf(span, "changes a host that is not cordoned")] : []),
      ...missing.map((other) => violationOf(span, `was started before ${other.id} was done`)),
    ];
  });

/** A machine that was replaced is ended only when the one in its place has proven itself. */
export const keepsReplaced: Rule = (view) =>
  view.spans.flatMap((span): readonly Violation[] => {
    const { step } = span;
    if (step.kind !== "discard-replaced") return [];
    const wave = view.waves.find(({ steps }) => steps.some(({ id }) => id === step.id));
    return (wave?.steps ?? [])
      .filter((other) =>
        other.kind === "soak" ? other.hosts.includes(step.host) : other.kind === "validate" && other.host === step.host,
      )
      .filter((other) => !isDone(view, other, span.index))
      .map((other) => violationOf(span, `was started before ${other.id} was done`));
  });

/** Only what was approved is changed, and not more of it at once. */
export const keepsEnvelope: Rule = (view) => {
  const envelope = view.plan?.envelope;
  if (!envelope) return [];
  const zones = new Map(view.bundle?.fleet.hosts.map((host) => [host.id, host.zone]));
  const racks = new Map(view.bundle?.fleet.hosts.map((host) => [host.id, host.rack]));
  const violations: Violation[] = [];
  const changing = view.spans.filter(({ step }) => isChange(step) || step.kind === "reboot");
  for (const span of changing) {
    const atOnce = new Set(
      changing.filter((other) => isOverlapping(other, span.index)).flatMap((other) => hostsOf(other.step)),
    );
    const [host = ""] = hostsOf(span.step);
    const inZone = [...atOnce].filter((other) => zones.get(other) === zones.get(host)).length;
    const add = (text: string): void => {
      violations.push({ atMs: span.intentMs, rule: "envelope", subject: host, text });
    };
    if (!envelope.hosts.includes(host)) add("is changed but was not approved");
    else if (envelope.ways && isChange(span.step)) {
      const way = span.step.kind === "replace" ? "replacement" : "in-place";
      const approved = envelope.ways[host] ?? "no way";
      if (approved !== way) add(`is changed by ${way}, and ${approved} was approved for it`);
    }
    if (atOnce.size > envelope.hostsAtOnce) {
      add(`${String(atOnce.size)} hosts are changed at once, ${String(envelope.hostsAtOnce)} were approved`);
    }
    if (inZone > envelope.hostsPerZone) {
      add(`${String(inZone)} hosts of its zone are changed at once, ${String(envelope.hostsPerZone)} were approved`);
    }
    const { hostsPerRack, hostsPerIsland } = envelope;
    const inRack = [...atOnce].filter((other) => racks.get(other) === racks.get(host)).length;
    if (hostsPerRack !== undefined && inRack > hostsPerRack) {
      add(`${String(inRack)} hosts of its rack are changed at once, ${String(hostsPerRack)} were approved`);
    }
    for (const island of view.bundle?.fleet.islands ?? []) {
      if (hostsPerIsland === undefined || !island.hosts.includes(host)) continue;
      const ofIsland = [...atOnce].filter((other) => island.hosts.includes(other)).length;
      if (ofIsland <= hostsPerIsland) continue;
      add(`${String(ofIsland)} hosts of ${island.name} are changed at once, ${String(hostsPerIsland)} were approved`);
    }
  }
  for (const { step, intentMs } of view.spans) {
    if (step.kind !== "deploy-function" || envelope.bursts?.[step.workload] === step.function) continue;
    const text = `function ${step.function} stands in for it, which was not approved`;
    violations.push({ atMs: intentMs, rule: "envelope", subject: step.workload, text });
  }
  const reserved = new Set(view.spans.flatMap(({ step }) => (step.kind === "reserve" ? step.hosts : [])));
  if (reserved.size > envelope.maximumReserveHosts) {
    const text = `${String(reserved.size)} hosts are reserved, ${String(envelope.maximumReserveHosts)} were approved`;
    violations.push({ atMs: view.spans[0]?.intentMs ?? 0, rule: "envelope", subject: "reserve", text });
  }
  return violations;
};

function stepsOfMove(view: RunView, move: Move): readonly Extract<PlanStep, { readonly move: string }>[] {
  return view.waves
    .flatMap((wave) => wave.steps)
    .filter((step): step is Extract<PlanStep, { readonly move: string }> => "move" in step && step.move === move.id);
}

function isDone(view: RunView, step: PlanStep, index: number): boolean {
  return view.spans.some((span) => span.step.id === step.id && isDoneBefore(span, index));
}

/** True when the span had begun and not ended at the entry `index`. */
function isOverlapping(span: StepSpan, index: number): boolean {
  return span.index <= index && (span.endIndex === undefined || span.endIndex > index);
}

function violationOf(span: StepSpan, text: string): Violation {
  return { atMs: span.intentMs, rule: "order", subject: span.step.id, text };
}
