/**
 * What a command that runs on this host uses: CPU and disk IO of its process group, as means over steps of two seconds;
 * steps grow with the command, so that the record stays small.
 *
 * Not for: copies of workloads (sampler.ts).
 */
import type { OperationLoad } from "../../sdk/model";
import { listProcesses, readDiskBytes, TICKS_PER_SECOND } from "./process-table";

const FIRST_STEP_MS = 2_000;
const MOST_STEPS = 120;

/** Watches one process group. */
export class LoadWatch {
  private stepMs = FIRST_STEP_MS;
  private readonly cpuMillis: number[] = [];
  private readonly disk: number[] = [];
  private last: { readonly atMs: number; readonly ticks: number; readonly bytes: number } | undefined;

  constructor(private readonly group: number) {}

  /** Takes a sample when a step is over. */
  look(nowMs: number): void {
    if (this.last && nowMs - this.last.atMs < this.stepMs) return;
    const members = listProcesses().filter(({ group }) => group === this.group);
    const now = {
      atMs: nowMs,
      // Members that ended went to their parents' sums, as long as these wait for them; the shell does.
      ticks: members.reduce((sum, { cpuTicks }) => sum + cpuTicks, 0),
      bytes: members.reduce((sum, { pid }) => sum + (readDiskBytes(pid) ?? 0), 0),
    };
    if (members.length === 0) return;
    if (this.last && nowMs > this.last.atMs) {
      const seconds = (nowMs - this.last.atMs) / 1000;
      this.cpuMillis.push(Math.round((Math.max(0, now.ticks - this.last.ticks) / TICKS_PER_SECOND / seconds) * 1000));
      this.disk.push(Math.round(Math.max(0, now.bytes - this.last.bytes) / seconds));
      if (this.cpuMillis.length >= MOST_STEPS) this.halve();
    }
    this.last = now;
  }

  /** What was seen; undefined for a command that was over before a step was. */
  result(): OperationLoad | undefined {
    if (this.cpuMillis.length === 0) return undefined;
    return { stepMs: this.stepMs, cpuMillis: [...this.cpuMillis], diskBytesPerSecond: [...this.disk] };
  }

  private halve(): void {
    this.stepMs *= 2;
    for (const values of [this.cpuMillis, this.disk]) {
      const pairs = values.flatMap((value, i) => (i % 2 === 0 ? [(value + (values[i + 1] ?? value)) / 2] : []));
      values.splice(0, values.length, ...pairs.map(Math.round));
    }
  }
}
