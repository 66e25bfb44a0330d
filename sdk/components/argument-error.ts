/** How mistakes in arguments reach the user: all at once, in one error that Pulumi shows without a stack. */
import * as pulumi from "@pulumi/pulumi";
import type { Rule } from "../arguments";
import { MistakeError, type Mistake } from "../model";

/** Mistakes in a component's arguments. The SDK's runner shows a RunError's message alone, without a stack. */
export class ArgumentError extends pulumi.RunError {
  readonly kind = "ArgumentError";
  readonly mistakes: readonly Mistake[];

  constructor(subject: string, mistakes: readonly Mistake[]) {
    super(new MistakeError(subject, mistakes).message);
    this.mistakes = mistakes;
  }
}

/**
 * Applies a rule to a component's arguments and further checks over the whole.
 * @throws ArgumentError with every mistake found
 */
export function parseArguments<T>(
  subject: string,
  args: unknown,
  rule: Rule<T>,
  further?: (resolved: T, mistakes: Mistake[]) => void,
): T {
  const mistakes: Mistake[] = [];
  const resolved = rule(args, "", mistakes);
  if (resolved !== undefined) further?.(resolved, mistakes);
  if (resolved === undefined || mistakes.length > 0) throw new ArgumentError(subject, mistakes);
  return resolved;
}
