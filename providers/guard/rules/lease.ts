/** Leases and effects: no effect without its intent, none under an older epoch, nothing done twice. */
import type { Violation } from "../../../sdk/model";
import type { EffectObservation } from "../observations";
import type { Rule } from "./rule";

/**
 * Calls that belong to no step: fencing after a takeover, the upkeep of marks, and giving back what a run holds when
 * it ends or is recovered.
 */
const HOUSEKEEPING: ReadonlySet<string> = new Set([
  "hosts.fenceOff",
  "capacity.fenceOff",
  "hosts.uncordon",
  "capacity.release",
  "functions.fenceOff",
  "functions.remove",
  "traffic.refuse",
  "traffic.unpark",
]);

/** Everything that took effect was intended in the journal before. */
export const intendsBeforeEffect: Rule = (view, observations) => {
  const intents = view.entries.flatMap((entry) =>
    entry.kind === "step-intent" || entry.kind === "undo-intent" ? [{ key: entry.key, atMs: entry.at }] : [],
  );
  return ownEffects(view.run, observations.effects).flatMap((effect): readonly Violation[] => {
    if (HOUSEKEEPING.has(effect.call)) return [];
    const isIntended = intents.some(({ key, atMs }) => isOfKey(effect.key, key) && atMs <= effect.atMs);
    if (isIntended) return [];
    const text = `${effect.call} took effect without an intent in the journal (key ${effect.key})`;
    return [{ atMs: effect.atMs, rule: "double-effect", subject: effect.subject, text }];
  });
};

/** Epochs never fall: neither of effects on one host or switch, nor of the journal's entries. */
export const keepsEpochs: Rule = (view, observations) => {
  const violations: Violation[] = [];
  const highest = new Map<string, number>();
  for (const effect of observations.effects) {
    // The run's own lease fences the switch and the pool, so epochs of different runs cannot be compared there.
    const scope = effect.scope.startsWith("host/") ? effect.scope : `${effect.scope} of ${effect.owner}`;
    const seen = highest.get(scope) ?? 0;
    if (effect.epoch < seen) {
      const text = `${effect.call} took effect under epoch ${String(effect.epoch)} after ${String(seen)}`;
      violations.push({ atMs: effect.atMs, rule: "lease", subject: effect.subject, text });
    }
    highest.set(scope, Math.max(seen, effect.epoch));
  }
  let journalEpoch = 0;
  for (const entry of view.entries) {
    if (entry.epoch < journalEpoch) {
      const text = `entry ${entry.kind} was written under epoch ${String(entry.epoch)} after ${String(journalEpoch)}`;
      violations.push({ atMs: entry.at, rule: "lease", subject: view.run ?? "run", text });
    }
    journalEpoch = Math.max(journalEpoch, entry.epoch);
  }
  return violations;
};

/** A lease has one owner for each epoch, and its epochs only grow. */
export const keepsLeases: Rule = (_view, observations) => {
  const violations: Violation[] = [];
  const latest = new Map<string, { readonly owner: string; readonly epoch: number }>();
  for (const { atMs, resource, owner, epoch } of observations.leases) {
    const before = latest.get(resource);
    if (before && (epoch < before.epoch || (epoch === before.epoch && owner !== before.owner))) {
      const text = `${owner} holds epoch ${String(epoch)} after ${before.owner} held ${String(before.epoch)}`;
      violations.push({ atMs, rule: "lease", subject: resource, text });
    }
    latest.set(resource, { owner, epoch });
  }
  return violations;
};

/** A step is intended once, unless it ended or the run was taken over in between; and it ends once. */
export const doesNothingTwice: Rule = (view) => {
  const violations: Violation[] = [];
  const open = new Map<string, "open" | "done" | "ended">();
  const report = (atMs: number, subject: string, text: string): void => {
    violations.push({ atMs, rule: "double-effect", subject, text });
  };
  const takenOver = new Set<string>();
  for (const entry of view.entries) {
    switch (entry.kind) {
      case "taken-over":
        for (const [id, state] of open) if (state === "open") takenOver.add(id);
        break;
      case "step-intent": {
        const state = open.get(entry.step.id);
        const isRepeated = state === "open" && !takenOver.delete(entry.step.id);
        if (isRepeated) report(entry.at, entry.step.id, "was intended again while it was under way");
        if (state === "done") report(entry.at, entry.step.id, "was intended again after it was done");
        open.set(entry.step.id, "open");
        break;
      }
      case "step-done":
      case "step-failed": {
        const state = open.get(entry.id);
        if (state === undefined) report(entry.at, entry.id, "ended without an intent");
        else if (state !== "open") report(entry.at, entry.id, "ended twice");
        open.set(entry.id, entry.kind === "step-done" ? "done" : "ended");
        break;
      }
      case "undo-intent":
        if (!open.has(entry.id)) report(entry.at, entry.id, "is undone but was never intended");
        open.set(entry.id, "ended");
        break;
      default:
    }
  }
  return violations;
};

/** A key has one effect in each place. */
export const keepsKeys: Rule = (view, observations) => {
  const seen = new Set<string>();
  return ownEffects(view.run, observations.effects).flatMap((effect): readonly Violation[] => {
    const id = `${effect.scope} ${effect.key}`;
    const isRepeated = seen.has(id);
    seen.add(id);
    if (!isRepeated) return [];
    const text = `${effect.call} took effect twice under key ${effect.key}`;
    return [{ atMs: effect.atMs, rule: "double-effect", subject: effect.subject, text }];
  });
};

function ownEffects(run: string | undefined, effects: readonly EffectObservation[]): readonly EffectObservation[] {
  return run === undefined ? [] : effects.filter((effect) => effect.owner === run);
}

function isOfKey(effectKey: string, intentKey: string): boolean {
  return effectKey === intentKey || effectKey.startsWith(`${intentKey}/`);
}
