/**
 * The engine's own messages, worded as the CLI words them.
 */
import { nameOf, REDACTED } from "../engine-session";
import type { Goal } from "./goal";
import { changedKeys, isSecret } from "./property-values";
import type { Properties } from "./property-values";

/** `+added-removed~changed`, each a list of names. */
export function renderDiff(olds: Properties, news: Properties): string {
  const keys = changedKeys(olds, news);
  const groups: readonly (readonly [string, readonly string[]])[] = [
    ["+", keys.filter((key) => !(key in olds))],
    ["-", keys.filter((key) => !(key in news))],
    ["~", keys.filter((key) => key in olds && key in news)],
  ];
  return groups.map(([sign, names]) => (names.length > 0 ? `${sign}${names.join(",")}` : "")).join("");
}

/** A mistake that check found, with the value beside it. */
export function renderCheckFailure(
  goal: Goal,
  inputs: Properties,
  failure: { readonly property: string; readonly reason: string },
): string {
  if (failure.property === "") return `${goal.type} resource '${nameOf(goal.urn)}' has a problem: ${failure.reason}`;
  const value = inputs[failure.property];
  const shown = isSecret(value) ? REDACTED : typeof value === "string" ? value : JSON.stringify(value);
  return `${goal.type} resource '${nameOf(goal.urn)}': property ${failure.property} value {${shown}} has a problem: ${failure.reason}`;
}

/** The reasons of a partial failure, as the CLI puts them; the error's own message is not among them. */
export function renderReasons(reasons: readonly string[]): string {
  const count = reasons.length === 1 ? "1 error" : `${String(reasons.length)} errors`;
  return `${count} occurred:\n${reasons.map((reason) => `\t* ${reason}`).join("\n")}\n`;
}

/** Why a protected resource stays. */
export function cannotDeleteMessage(urn: string): string {
  return (
    `resource "${urn}" cannot be deleted\n` +
    "because it is protected. To unprotect the resource, either remove the `protect` flag from the resource in your " +
    `Pulumi program and run \`pulumi up\`, or use the command:\n\`pulumi state unprotect '${urn}'\``
  );
}

/** Why a protected resource is not replaced. */
export function cannotReplaceMessage(urn: string): string {
  return (
    `unable to replace resource "${urn}"\n` +
    "as it is currently marked for protection. To unprotect the resource, remove the `protect` flag from the resource " +
    "in your Pulumi program and run `pulumi up`"
  );
}

/** The message of anything thrown; of a provider's error without the number of its kind. */
export function messageOf(error: unknown): string {
  if (typeof error === "object" && error !== null && "details" in error && typeof error.details === "string") {
    return error.details;
  }
  return error instanceof Error ? error.message : String(error);
}
