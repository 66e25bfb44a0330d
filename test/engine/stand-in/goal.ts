/**
 * What the program wants of a resource, and what it becomes: plain data and pure functions.
 */
import type { Properties } from "./property-values";
import type { ResourceState } from "./state";

/** What the program wants, as it came by RegisterResource. */
export interface Goal {
  readonly urn: string;
  readonly type: string;
  readonly custom: boolean;
  readonly parent: string;
  readonly inputs: Properties;
  readonly dependencies: readonly string[];
  readonly protect: boolean;
  readonly retainOnDelete: boolean;
  readonly additionalSecretOutputs: readonly string[];
  readonly ignoreChanges: readonly string[];
  readonly deleteBeforeReplace?: boolean;
}

/** What the program gets back. */
export interface Registered {
  readonly urn: string;
  readonly id: string;
  readonly outputs: Properties;
}

/** The state of a resource as the program wants it, with what came out of it. */
export function stateOf(
  goal: Goal,
  inputs: Properties,
  from: { readonly id?: string; readonly outputs: Properties },
): ResourceState {
  return {
    urn: goal.urn,
    type: goal.type,
    custom: goal.custom,
    ...(goal.custom && from.id !== undefined ? { id: from.id } : {}),
    ...(goal.parent === "" ? {} : { parent: goal.parent }),
    inputs,
    outputs: from.outputs,
    dependencies: goal.dependencies,
    initErrors: [],
    protect: goal.protect,
    retainOnDelete: goal.retainOnDelete,
    additionalSecretOutputs: goal.additionalSecretOutputs,
    pendingDelete: false,
  };
}

/** What the program is told of a resource. */
export function registeredOf(state: ResourceState): Registered {
  return { urn: state.urn, id: state.id ?? "", outputs: state.outputs };
}

/** `ignoreChanges` puts the old inputs in place of the new ones before the provider sees them. */
export function withIgnored(goal: Goal, old: ResourceState): Properties {
  const path = goal.ignoreChanges.find((key) => /[.[*]/.test(key));
  if (path !== undefined) {
    throw new Error(`the stand-in engine does not support the path "${path}" in ignoreChanges; use the pulumi CLI`);
  }
  const isIgnored = ([key]: [string, unknown]): boolean => goal.ignoreChanges.includes(key);
  return Object.fromEntries([
    ...Object.entries(goal.inputs).filter((entry) => !isIgnored(entry)),
    ...Object.entries(old.inputs).filter(isIgnored),
  ]);
}
