/**
 * The best assignment that a search has seen. Taking it over from the state costs as much as has changed since the last
 * time, so that a search may do so after every step.
 *
 * Not for: judging what is better; the search does.
 */
import type { SearchState } from "./search-state";

export class Incumbent {
  readonly assignment: Int32Array;
  cost: number;
  private readonly changed: Int32Array;
  private readonly isChanged: Uint8Array;
  private changedCount = 0;
  private isBehind = false;

  /** Begins with the present assignment of the state; its cost is Infinity where that is not feasible. */
  constructor(private readonly state: SearchState) {
    const count = state.assignment.length;
    this.assignment = state.assignment.slice();
    this.cost = state.isFeasible ? state.cost : Infinity;
    this.changed = new Int32Array(count);
    this.isChanged = new Uint8Array(count);
  }

  /** To be called for each process that is moved. */
  note(process: number): void {
    if (this.isChanged[process] === 1) return;
    this.isChanged[process] = 1;
    this.changed[this.changedCount] = process;
    this.changedCount += 1;
  }

  /** The state is better than all before: it is taken over when `keep` is called, before it changes for the worse. */
  improve(): void {
    this.cost = this.state.cost;
    this.isBehind = true;
  }

  /** Takes over what `improve` announced. */
  keep(): void {
    if (!this.isBehind) return;
    this.isBehind = false;
    for (let index = 0; index < this.changedCount; index += 1) {
      const process = this.changed[index] as number;
      this.isChanged[process] = 0;
      this.assignment[process] = this.state.assignment[process] as number;
    }
    this.changedCount = 0;
  }

  /** Brings the state back to the best assignment; where none was feasible yet, the state is taken as it is. */
  restore(): void {
    if (this.cost === Infinity) this.isBehind = true;
    this.keep();
    for (let index = 0; index < this.changedCount; index += 1) {
      const process = this.changed[index] as number;
      this.isChanged[process] = 0;
      this.state.move(process, this.assignment[process] as number);
    }
    this.changedCount = 0;
  }

  /** Goes on from another assignment, better or not: it is the best from now on. */
  take(assignment: Int32Array): void {
    this.restore();
    assignment.forEach((machine, process) => {
      if (this.state.assignment[process] !== machine) this.state.move(process, machine);
    });
    this.assignment.set(assignment);
    this.cost = this.state.isFeasible ? this.state.cost : Infinity;
  }
}
