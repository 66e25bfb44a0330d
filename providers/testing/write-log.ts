/**
 * The state of an exclusive workload: the set of writes it holds, numbered in the order they were sent, as ranges.
 *
 * Not for: contents of writes; a number is enough to tell whether one was lost.
 */
import { createHash } from "node:crypto";

/** Half-open range of write numbers. */
export type WriteRange = readonly [from: number, to: number];

/** An immutable set of writes. */
export class WriteLog {
  static readonly empty = new WriteLog([]);

  /** Sorted, disjoint, not touching. */
  private constructor(readonly ranges: readonly WriteRange[]) {}

  /** The log with the writes `from` (included) to `to` (not included). */
  with(from: number, to: number): WriteLog {
    if (to <= from) return this;
    const last = this.ranges.at(-1);
    if (last?.[1] === from) return new WriteLog([...this.ranges.slice(0, -1), [last[0], to]]);
    const merged: WriteRange[] = [];
    for (const range of [...this.ranges, [from, to] as const].sort((a, b) => a[0] - b[0])) {
      const previous = merged.at(-1);
      if (previous && range[0] <= previous[1]) {
        merged[merged.length - 1] = [previous[0], Math.max(previous[1], range[1])];
      } else merged.push(range);
    }
    return new WriteLog(merged);
  }

  /** Number of writes. */
  get size(): number {
    return this.ranges.reduce((sum, [from, to]) => sum + to - from, 0);
  }

  /** How many writes of `other` are not in this log. */
  countMissing(other: WriteLog): number {
    let missing = 0;
    for (const [from, to] of other.ranges) {
      missing += to - from;
      for (const [start, end] of this.ranges) missing -= Math.max(0, Math.min(to, end) - Math.max(from, start));
    }
    return missing;
  }

  /** The first half of the log, as a transfer that broke off leaves it. */
  firstHalf(): WriteLog {
    let left = Math.floor(this.size / 2);
    let half = WriteLog.empty;
    for (const [from, to] of this.ranges) {
      const taken = Math.min(left, to - from);
      half = half.with(from, from + taken);
      left -= taken;
    }
    return half;
  }

  /** SHA-256 of the content, hex. */
  hash(): string {
    return createHash("sha256").update(JSON.stringify(this.ranges)).digest("hex");
  }
}
