/**
 * Keeps a process from opening connections to hundreds of hosts at the same moment: a handshake is work for a CPU, and a
 * thousand of them at once let the deadlines of all pass before the first is through.
 *
 * Not for: calls on connections that are open.
 *
 * Invariant: who waits comes in the order of asking; a place that was given is given back exactly once.
 */

/** Places for connections that are being opened. */
export class ConnectionGate {
  private free: number;
  private readonly waiting: (() => void)[] = [];

  constructor(places: number) {
    this.free = places;
  }

  /**
   * Waits for a place. @returns gives it back; calling it again does nothing
   * @throws the signal's reason when it aborts while waiting
   */
  async enter(signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted();
    if (this.free > 0) this.free -= 1;
    else await this.wait(signal);
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      const next = this.waiting.shift();
      if (next) next();
      else this.free += 1;
    };
  }

  private wait(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const give = (): void => {
        signal.removeEventListener("abort", leave);
        resolve();
      };
      const leave = (): void => {
        this.waiting.splice(this.waiting.indexOf(give), 1);
        reject(signal.reason as Error);
      };
      this.waiting.push(give);
      signal.addEventListener("abort", leave, { once: true });
    });
  }
}
