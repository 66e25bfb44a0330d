/**
 * What hosts are in while a plan is made: usable at all, yet to be updated, emptied now, or updated within the wave.
 *
 * Not for: what runs on them (copy-places.ts).
 */
import type { Kept } from "./cell-loads";
import type { Problem } from "./problem";

const USABLE = 1;
const CLOSED = 2;
const PENDING = 4;
const LEAVING = 8;
const VACATED = 16;

/** States of all hosts. */
export class SiteStates {
  private readonly flags: Uint8Array;
  private leaving: readonly number[] = [];
  private vacated: number[] = [];

  /** No standby host is reserved. */
  constructor({ sites, columns }: Pick<Problem, "sites" | "columns">) {
    this.flags = Uint8Array.from(
      sites,
      ({ host, pending }, site) =>
        (host.role === "member" ? USABLE : 0) | (columns.isClosed[site] === 1 ? CLOSED : 0) | (pending ? PENDING : 0),
    );
  }

  /** True for member hosts and reserved standby hosts. */
  isUsable(site: number): boolean {
    return (this.flagsOf(site) & USABLE) !== 0;
  }

  /** True for hosts that this update has yet to change, also within the wave. */
  isPending(site: number): boolean {
    return (this.flagsOf(site) & (PENDING | VACATED)) === PENDING;
  }

  /** True for hosts that are updated in this wave and take copies from then on. */
  isVacated(site: number): boolean {
    return (this.flagsOf(site) & VACATED) !== 0;
  }

  /** True for hosts that are emptied now. */
  isLeaving(site: number): boolean {
    return (this.flagsOf(site) & (LEAVING | VACATED)) === LEAVING;
  }

  /** True for hosts on which no copy may be put in the whole run. */
  isClosed(site: number): boolean {
    return (this.flagsOf(site) & CLOSED) !== 0;
  }

  /** True where a copy may be put now, as far as the host's state goes. */
  takesCopies(site: number): boolean {
    const flags = this.flagsOf(site);
    return (flags & (USABLE | CLOSED)) === USABLE && (flags & (LEAVING | VACATED)) !== LEAVING;
  }

  /** True for open hosts that are not emptied in the wave, updated in it or not. */
  isInService(site: number): boolean {
    return (this.flagsOf(site) & (USABLE | CLOSED | LEAVING)) === USABLE;
  }

  /** A new wave: no host has been updated in it. */
  beginWave(): void {
    for (const site of this.vacated) this.flags[site] = this.flagsOf(site) & ~VACATED;
    this.vacated = [];
  }

  setLeaving(sites: Iterable<number>): void {
    for (const site of this.leaving) this.flags[site] = this.flagsOf(site) & ~LEAVING;
    this.leaving = [...sites];
    for (const site of this.leaving) this.flags[site] = this.flagsOf(site) | LEAVING;
  }

  vacate(site: number): void {
    this.flags[site] = this.flagsOf(site) | VACATED;
    this.vacated.push(site);
  }

  markUpdated(sites: Iterable<number>): void {
    for (const site of sites) this.flags[site] = this.flagsOf(site) & ~PENDING;
  }

  /** Standby hosts are usable while they are reserved. */
  setUsable(sites: Iterable<number>, isUsable: boolean): void {
    for (const site of sites) this.flags[site] = isUsable ? this.flagsOf(site) | USABLE : this.flagsOf(site) & ~USABLE;
  }

  /** Keeps all states as they are now. */
  keep(): Kept {
    const flags = this.flags.slice();
    const { leaving } = this;
    const vacated = [...this.vacated];
    return {
      restore: () => {
        this.flags.set(flags);
        this.leaving = leaving;
        this.vacated = [...vacated];
      },
      drop: () => undefined,
    };
  }

  private flagsOf(site: number): number {
    return this.flags[site] as number;
  }
}
