/**
 * The decision what to do with a resource, from its old state, its new inputs and what its provider says. Pure.
 *
 * Not for: calling providers and keeping state (deployment.ts).
 */
import { changedKeys } from "./property-values";
import type { Properties } from "./property-values";
import type { ProviderDiff } from "./providers";
import type { ResourceState } from "./state";

/** What to do with a resource that the program wants. */
export type Decision =
  | { readonly kind: "create" }
  | { readonly kind: "same" }
  | { readonly kind: "update"; readonly keys: readonly string[] }
  | {
      readonly kind: "replace";
      readonly keys: readonly string[];
      /** The old one goes first; else it goes after everything else has been done. */
      readonly deleteFirst: boolean;
    };

/** Decides on a component, which has no provider: its inputs alone count. */
export function decideComponent(old: ResourceState | undefined, inputs: Properties): Decision {
  if (!old) return { kind: "create" };
  const keys = changedKeys(old.inputs, inputs);
  return keys.length === 0 ? { kind: "same" } : { kind: "update", keys };
}

/**
 * Decides on a resource that exists.
 *
 * A creation or update that was left half done is taken up by an update, whatever the diff says. Where the provider
 * does not say whether there are changes, the inputs decide, old against new.
 */
export function decideExisting(
  old: Pick<ResourceState, "inputs" | "initErrors">,
  inputs: Properties,
  diff: ProviderDiff,
  options: { readonly deleteBeforeReplace?: boolean } = {},
): Decision {
  const keys = changedKeys(old.inputs, inputs);
  const hasChanges = diff.changes === "some" || (diff.changes === "unknown" && keys.length > 0);
  if (hasChanges && diff.replaces.length > 0) {
    return { kind: "replace", keys, deleteFirst: options.deleteBeforeReplace ?? diff.deleteBeforeReplace };
  }
  if (hasChanges || old.initErrors.length > 0) return { kind: "update", keys };
  return { kind: "same" };
}

/**
 * What a refresh shows: the difference that the next `up` would have to undo, seen from the other side.
 */
export function decideRefresh(observedInputs: Properties, wanted: Properties, diff: ProviderDiff): "update" | "same" {
  const hasChanges =
    diff.changes === "some" || (diff.changes === "unknown" && changedKeys(observedInputs, wanted).length > 0);
  return hasChanges ? "update" : "same";
}
