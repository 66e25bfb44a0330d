/**
 * Ends of drains: closes the upgraded connections of draining servers at their time, and keeps how many.
 *
 * Not for: requests, which always end by themselves.
 */
import type { BackendRecord } from "../service-record";

const LONGEST_TIMER_MS = 2 ** 31 - 1;

interface Drain {
  readonly closeAt: number;
  timer: NodeJS.Timeout | undefined;
  closed: number;
}

/** See the file's header. */
export class Drains {
  private readonly drains = new Map<string, Drain>();

  /** @param closeTunnels closes those of a replica; answers with how many */
  constructor(private readonly closeTunnels: (replica: string) => Promise<number>) {}

  /** Takes over the present backends; a drain that goes on keeps its timer and count. */
  follow(backends: readonly BackendRecord[], nowMs: number): void {
    const before = new Map(this.drains);
    for (const { replica, weight, closeUpgradesAt } of backends) {
      if (weight > 0 || closeUpgradesAt === undefined) continue;
      const known = before.get(replica);
      before.delete(replica);
      if (known?.closeAt === closeUpgradesAt) continue;
      clearTimeout(known?.timer);
      const drain: Drain = { closeAt: closeUpgradesAt, timer: undefined, closed: known?.closed ?? 0 };
      drain.timer = setTimeout(
        () => {
          this.closeTunnels(replica).then(
            (count) => {
              drain.closed += count;
            },
            () => undefined, // HAProxy is gone, and its connections with it.
          );
        },
        Math.max(0, Math.min(closeUpgradesAt - nowMs, LONGEST_TIMER_MS)),
      );
      this.drains.set(replica, drain);
    }
    for (const [replica, { timer }] of before) {
      clearTimeout(timer);
      this.drains.delete(replica);
    }
  }

  /** For what a service tells of a backend. */
  closedOf(replica: string): { readonly closedUpgrades?: number } {
    const closed = this.drains.get(replica)?.closed ?? 0;
    return closed === 0 ? {} : { closedUpgrades: closed };
  }

  close(): void {
    for (const { timer } of this.drains.values()) clearTimeout(timer);
    this.drains.clear();
  }
}
