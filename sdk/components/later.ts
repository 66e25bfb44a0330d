/** Values that may still be Pulumi outputs. */
import * as pulumi from "@pulumi/pulumi";
import { text, type Rule, type SpecOf } from "../arguments";

/** A text that may still be an output. */
export type LateText = pulumi.Input<string>;

/** A spec whose texts, at any depth, may still be outputs. */
export type Later<T> = SpecOf<T, LateText>;

/** True when nothing at any depth of a value is still to come. */
export function isKnown(value: unknown): boolean {
  if (isLate(value)) return false;
  return typeof value !== "object" || value === null || Object.values(value).every(isKnown);
}

function isLate(value: unknown): boolean {
  return pulumi.Output.isInstance(value) || value instanceof Promise;
}

/** A text that may still be a Pulumi output: checked here when it is known, by the provider otherwise. */
export const lateText: Rule<LateText> = (value, field, mistakes) =>
  isLate(value) ? (value as LateText) : text(value, field, mistakes);
