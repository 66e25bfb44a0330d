/** What goes into Pulumi's state. */

/**
 * Sends a value through JSON: one stray `undefined`, function or bigint anywhere in outputs would fail a finished
 * create with "Unexpected struct type", and the resource would not be in the state.
 */
export function toState<T extends object>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T;
}
