/**
 * What came before a shift of the level, moved to the level after it: the shape of those days is worth keeping, their
 * height is not.
 *
 * Not for: finding the shift (find-level-shift.ts).
 */
import type { Series } from "../../../sdk/model";
import { findLevelShift } from "./find-level-shift";

/** What was done. */
export interface LeveledShift {
  /** For people. @param series that the values are of */
  describe(series: Pick<Series, "startMs" | "stepMs">): string;
}

/** Moves the values before the last shift in place; undefined where there is none. @param values without gaps */
export function levelOut(values: Float64Array, seasonSteps: number): LeveledShift | undefined {
  const shift = findLevelShift(values, seasonSteps);
  if (!shift) return undefined;
  const { at, before, after } = shift;
  const ratio = after / before;
  const isScaled = before > 0 && ratio > 0 && growsWithLevel(values, at, ratio);
  for (let index = 0; index < at; index++) {
    const value = values[index] ?? 0;
    values[index] = isScaled ? value * ratio : Math.max(0, value + after - before);
  }
  const number = (value: number): string => String(Number(value.toPrecision(3)));
  return {
    describe: ({ startMs, stepMs }) => {
      const time = `${new Date(startMs + at * stepMs).toISOString().slice(0, 16)}Z`;
      return (
        `the level went from ${number(before)} to ${number(after)} at ${time} and stayed: ` +
        `what came before it was ${isScaled ? "scaled" : "moved"} to the new one`
      );
    },
  };
}

/** Whether the steps from value to value grew like the level, rather than staying what they were. */
function growsWithLevel(values: Float64Array, at: number, ratio: number): boolean {
  const [before, after] = [roughness(values, 1, at), roughness(values, at + 1, values.length)];
  if (before === 0 || after === 0) return false;
  return Math.abs(Math.log(after / before / ratio)) <= Math.abs(Math.log(after / before));
}

function roughness(values: Float64Array, from: number, to: number): number {
  let sum = 0;
  for (let index = from; index < to; index++) sum += Math.abs((values[index] ?? 0) - (values[index - 1] ?? 0));
  return to > from ? sum / (to - from) : 0;
}
