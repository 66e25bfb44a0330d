/**
 * Disruption budgets: no more hosts of an island are disrupted at once than were approved for the reason.
 *
 * Not for: limits of the update as a whole (order.ts) and copies of workloads (budget.ts).
 */
import type { DisruptionReason, PlanStep, Violation, Wave } from "../../../sdk/model";
import type { RunView, StepSpan } from "../run-view";
import type { Rule } from "./rule";

/** From the first to the last of a host's steps in a wave that disrupt it, as positions in the journal. */
interface Disrupted {
  readonly host: string;
  readonly from: number;
  readonly fromMs: number;
  to: number;
}

/** At any moment of a wave as many hosts of an island are disrupted as its strictest budget allows. */
export const keepsDisruptionBudgets: Rule = (view) => {
  const approved = view.plan?.envelope.disruptionBudgets;
  if (!approved) return [];
  return view.waves.flatMap((wave) => {
    const reason = reasonOf(view, wave);
    const disrupted = disruptedIn(view, wave);
    return Object.entries(approved).flatMap(([name, budgets]): readonly Violation[] => {
      const most = budgets[reason];
      const hosts = new Set(view.bundle?.fleet.islands.find((island) => island.name === name)?.hosts);
      const own = disrupted.filter(({ host }) => hosts.has(host));
      if (most === undefined) return [];
      return own.flatMap(({ host, from, fromMs }) => {
        const count = own.filter((other) => other.from <= from && other.to > from).length;
        if (count <= most) return [];
        const text = `${String(count)} hosts of ${name} are disrupted at once for ${reason}, ${String(most)} were approved`;
        return [{ atMs: fromMs, rule: "envelope", subject: host, text }];
      });
    });
  });
};

function reasonOf({ bundle }: RunView, { kind }: Wave): DisruptionReason {
  if (kind === "failback") return "failback";
  // In an update such a wave makes room for what is updated next.
  return kind === "move" && bundle?.spec.rebalance ? "rebalance" : "update";
}

function disruptedIn(view: RunView, wave: Wave): readonly Disrupted[] {
  const ids = new Set(wave.steps.map(({ id }) => id));
  const found = new Map<string, Disrupted>();
  for (const span of view.spans) {
    const host = ids.has(span.step.id) ? hostDisruptedBy(span.step, view) : undefined;
    if (host === undefined) continue;
    const known = found.get(host);
    if (known) known.to = Math.max(known.to, endOf(span));
    else found.set(host, { host, from: span.index, fromMs: span.intentMs, to: endOf(span) });
  }
  return [...found.values()];
}

/** The host that a step empties or changes; undefined for what disrupts none. */
function hostDisruptedBy(step: PlanStep, view: RunView): string | undefined {
  switch (step.kind) {
    case "drain":
    case "stop-copy":
    case "hand-over":
    case "live-migrate":
    case "await-end": {
      const move = view.moves.get(step.move);
      // A function that stood in for a copy is drained when the host works again.
      return step.kind === "drain" && step.replica !== move?.replica ? undefined : move?.from;
    }
    case "update":
    case "replace":
    case "reboot":
      return step.host;
    default:
      return undefined;
  }
}

function endOf({ endIndex, undoIndex }: StepSpan): number {
  return endIndex ?? undoIndex ?? Number.POSITIVE_INFINITY;
}
