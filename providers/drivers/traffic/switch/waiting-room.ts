/**
 * Requests that wait to be sent: while a service is parked, or while it has no backend that can take them.
 *
 * Not for: why they wait and who may go (service.ts).
 *
 * Invariants
 * 1. At most `capacity` wait; each at most until its own deadline.
 * 2. First come, first sent.
 */

/** One that waits. */
export interface Waiter {
  /** Monotonic time in ms at which it gives up. */
  readonly giveUpAt: number;
  /** Its turn: it tries to be sent, and may enter the room again. */
  proceed(): void;
  /** It waited too long. */
  giveUp(): void;
}

/** Bounded in number and time. */
export class WaitingRoom {
  private readonly waiters = new Set<Waiter>();
  private timer: NodeJS.Timeout | undefined;
  private timerAt = Number.POSITIVE_INFINITY;

  constructor(
    private readonly capacity: number,
    private readonly monotonic: () => number,
  ) {}

  /** How many wait. */
  get size(): number {
    return this.waiters.size;
  }

  /** False when it is full. */
  enter(waiter: Waiter): boolean {
    if (this.waiters.size >= this.capacity) return false;
    this.waiters.add(waiter);
    this.setTimer(waiter.giveUpAt);
    return true;
  }

  /** The waiter went away by itself. */
  leave(waiter: Waiter): void {
    this.waiters.delete(waiter);
  }

  /** Lets all who wait now try, in the order in which they came, as long as `mayProceed` holds. */
  release(mayProceed: () => boolean): void {
    // A copy: who cannot be sent after all enters again, at the end, and must not be tried for ever.
    for (const waiter of [...this.waiters]) {
      if (!mayProceed()) return;
      if (this.waiters.delete(waiter)) waiter.proceed();
    }
  }

  /** Ends all waiting; for the end of the switch. */
  close(): void {
    clearTimeout(this.timer);
    for (const waiter of [...this.waiters]) {
      this.waiters.delete(waiter);
      waiter.giveUp();
    }
  }

  /** Keeps one timer, for the one who gives up first: requests that are tried again keep their old deadline. */
  private schedule(): void {
    let first = Number.POSITIVE_INFINITY;
    for (const waiter of this.waiters) if (waiter.giveUpAt < first) first = waiter.giveUpAt;
    this.setTimer(first);
  }

  private setTimer(at: number): void {
    if (at >= this.timerAt) return;
    clearTimeout(this.timer);
    this.timerAt = at;
    this.timer = setTimeout(
      () => {
        this.timerAt = Number.POSITIVE_INFINITY;
        const now = this.monotonic();
        for (const waiter of [...this.waiters]) {
          if (waiter.giveUpAt <= now && this.waiters.delete(waiter)) waiter.giveUp();
        }
        this.schedule();
      },
      Math.max(1, Math.ceil(at - this.monotonic())),
    );
  }
}
