/**
 * Virtual time: a clock that stands still while there is work and jumps to the next timer when all work is waiting.
 * A night's run takes milliseconds and is the same every time.
 *
 * Not for: work on sockets or child processes, whose progress the clock cannot see. Files are seen and waited for.
 *
 * Invariants
 * 1. Time moves only in `run` and `advance`, and never while promises, immediates or file operations are under way.
 * 2. Timers fire one by one, ordered by time and then by the order in which they were set.
 * 3. Nothing hangs: virtual time and the number of events of one `run` are bounded, and a task that waits for
 *    something that is not on the clock is told so.
 */
import type { Clock } from "../clock";

/** Bounds of one `run`. */
export interface VirtualClockLimits {
  /** Longest virtual time of one `run`. @default 14 days */
  readonly maxElapsedMs?: number;
  /** Most timers fired in one `run`. @default 2,000,000 */
  readonly maxEvents?: number;
  /**
   * Nothing in it waits for files: one turn of the event loop is enough between two timers, which makes time pass about
   * twice as fast. @default false
   */
  readonly isMemoryOnly?: boolean;
}

/** A clock whose time is moved by the test. */
export interface VirtualClock extends Clock {
  /**
   * Runs a task to its end, moving time forward whenever everything waits.
   * @throws VirtualTimeError when the task waits for something not on the clock, or a bound is passed
   */
  run<T>(task: () => Promise<T>): Promise<T>;
  /** Moves time forward by `ms`, firing what is due on the way, each with all work it starts. */
  advance(ms: number): Promise<void>;
  /** Calls `fn` at the wall time `atMs`, or now when that is past. Returns how to cancel it. */
  at(atMs: number, fn: () => void): () => void;
  /** Calls `fn` after `ms`. Returns how to cancel it. */
  after(ms: number, fn: () => void): () => void;
  /** Moves wall time against monotonic time, as a corrected or wrong clock does. */
  shiftWallTime(ms: number): void;
  /** Timers waiting, for tests of leaks. */
  readonly pendingTimers: number;
}

/** A task cannot go on in virtual time, or goes on for ever. */
export class VirtualTimeError extends Error {
  override readonly name = "VirtualTimeError";
}

const DAY_MS = 86_400_000;
const DEFAULT_LIMITS: Required<VirtualClockLimits> = {
  maxElapsedMs: 14 * DAY_MS,
  maxEvents: 2_000_000,
  isMemoryOnly: false,
};

/** Kinds of Node's active resources that end by themselves soon: time must not pass while one is there. */
const SHORT_WORK: ReadonlySet<string> = new Set([
  "Immediate",
  "FSReqCallback",
  "FSReqPromise",
  "CloseReq",
  "RandomBytesRequest",
  "HashRequest",
]);

/** Turns of the event loop without short work before all counts as waiting. */
const QUIET_TURNS = 2;

interface Timer {
  readonly dueMs: number;
  readonly order: number;
  readonly fn: () => void;
  state: "waiting" | "fired" | "cancelled";
}

/**
 * Creates a virtual clock that shows `startMs`, milliseconds since the epoch.
 * @param limits bounds of one `run`
 */
export function createVirtualClock(startMs: number, limits: VirtualClockLimits = {}): VirtualClock {
  const { maxElapsedMs, maxEvents, isMemoryOnly } = { ...DEFAULT_LIMITS, ...limits };
  const timers = new TimerQueue();
  const settle = isMemoryOnly ? turn : settleFiles;
  let elapsedMs = 0;
  let wallOffsetMs = startMs;

  const after = (ms: number, fn: () => void): (() => void) => timers.add(elapsedMs + Math.max(0, ms), fn);

  const fireNext = (untilMs: number): boolean => {
    const timer = timers.takeDue(untilMs);
    if (!timer) return false;
    elapsedMs = Math.max(elapsedMs, timer.dueMs);
    timer.fn();
    return true;
  };

  return {
    // Whole milliseconds, as Date.now() tells them.
    now: () => Math.floor(wallOffsetMs + elapsedMs),
    monotonic: () => elapsedMs,
    sleep: (ms, signal) =>
      new Promise((resolve) => {
        if (signal?.aborted) {
          resolve();
          return;
        }
        const finish = (): void => {
          cancel();
          signal?.removeEventListener("abort", finish);
          resolve();
        };
        const cancel = after(ms, finish);
        signal?.addEventListener("abort", finish, { once: true });
      }),
    after,
    at: (atMs, fn) => after(atMs - wallOffsetMs - elapsedMs, fn),
    shiftWallTime: (ms) => {
      wallOffsetMs += ms;
    },
    get pendingTimers() {
      return timers.size;
    },

    async advance(ms) {
      const untilMs = elapsedMs + ms;
      await settle();
      while (fireNext(untilMs)) await settle();
      elapsedMs = untilMs;
    },

    async run<T>(task: () => Promise<T>): Promise<T> {
      const startedMs = elapsedMs;
      let outcome: { readonly value: T } | { readonly error: unknown } | undefined;
      task().then(
        (value) => (outcome = { value }),
        (error: unknown) => (outcome = { error }),
      );
      for (let events = 0; ; events += 1) {
        await settle();
        // The assertion undoes narrowing: the callbacks above assign while settle() waits.
        const ended = outcome as { readonly value: T } | { readonly error: unknown } | undefined;
        if (ended && "error" in ended) throw ended.error;
        if (ended) return ended.value;
        if (events >= maxEvents)
          throw new VirtualTimeError(`more than ${String(maxEvents)} events; it goes in a circle`);
        if (elapsedMs - startedMs > maxElapsedMs) {
          throw new VirtualTimeError(`more than ${String(maxElapsedMs)} ms of virtual time passed; it waits for ever`);
        }
        if (!fireNext(Number.POSITIVE_INFINITY)) {
          throw new VirtualTimeError("the task waits for something that is not on the clock; nothing would wake it");
        }
      }
    },
  };
}

/** All promises that can settle do so before the event loop turns. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Lets everything run that can run without time passing. */
async function settleFiles(): Promise<void> {
  for (let quiet = 0; quiet < QUIET_TURNS;) {
    await turn();
    quiet = process.getActiveResourcesInfo().some((kind) => SHORT_WORK.has(kind)) ? 0 : quiet + 1;
  }
}

/** Binary heap of timers by due time, then by order of setting. */
class TimerQueue {
  private readonly heap: Timer[] = [];
  private nextOrder = 0;
  /** Timers that were neither fired nor cancelled. */
  size = 0;

  add(dueMs: number, fn: () => void): () => void {
    const timer: Timer = { dueMs, order: this.nextOrder++, fn, state: "waiting" };
    this.heap.push(timer);
    this.siftUp(this.heap.length - 1);
    this.size += 1;
    return () => {
      if (timer.state !== "waiting") return;
      timer.state = "cancelled";
      this.size -= 1;
    };
  }

  takeDue(untilMs: number): Timer | undefined {
    for (;;) {
      const first = this.heap[0];
      if (!first) return undefined;
      if (first.state === "waiting" && first.dueMs > untilMs) return undefined;
      this.removeFirst();
      if (first.state === "cancelled") continue;
      first.state = "fired";
      this.size -= 1;
      return first;
    }
  }

  private removeFirst(): void {
    const last = this.heap.pop();
    if (last && this.heap.length > 0) {
      this.heap[0] = last;
      this.siftDown(0);
    }
  }

  private siftUp(start: number): void {
    for (let index = start; index > 0;) {
      const parent = (index - 1) >> 1;
      if (!this.isBefore(index, parent)) return;
      this.swap(index, parent);
      index = parent;
    }
  }

  private siftDown(start: number): void {
    for (let index = start; ;) {
      const left = 2 * index + 1;
      const right = left + 1;
      let first = index;
      if (left < this.heap.length && this.isBefore(left, first)) first = left;
      if (right < this.heap.length && this.isBefore(right, first)) first = right;
      if (first === index) return;
      this.swap(index, first);
      index = first;
    }
  }

  private isBefore(a: number, b: number): boolean {
    const left = this.heap[a] as Timer;
    const right = this.heap[b] as Timer;
    return left.dueMs !== right.dueMs ? left.dueMs < right.dueMs : left.order < right.order;
  }

  private swap(a: number, b: number): void {
    const left = this.heap[a] as Timer;
    this.heap[a] = this.heap[b] as Timer;
    this.heap[b] = left;
  }
}
