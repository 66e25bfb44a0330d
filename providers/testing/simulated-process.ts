/**
 * A process that can be killed inside one JavaScript process: what it was given (clock, platform, store) goes dead
 * with it. Its pending promises never settle, so that no `catch` or `finally` of a dead process has an effect.
 *
 * Not for: real processes; those are killed with a signal in their own tests.
 *
 * Invariants
 * 1. After `kill` no call made through the process's clock, platform or store starts or answers.
 * 2. A call that was on its way at that moment may still take effect, as a request on the wire does.
 */
import type { Clock } from "../clock";

/** Thrown by {@link SimulatedProcess.run} when the process was killed. */
export class SimulatedCrash extends Error {
  override readonly name = "SimulatedCrash";
}

/** Token of a process. */
export interface SimulatedProcess {
  readonly name: string;
  readonly isAlive: boolean;
  /** The clock as this process sees it: its sleeps never end after its death. */
  readonly clock: Clock;
  /** Entries this process has stored in run stores. */
  readonly entriesStored: number;
  /** Kills the process when its `count`-th entry has been stored, before the store's answer arrives. */
  crashAfterEntries(count: number): void;
  /** Ends the process at once. */
  kill(reason?: string): void;
  /**
   * Runs a task as this process.
   * @throws SimulatedCrash as soon as the process is killed, whatever the task is doing
   */
  run<T>(task: () => Promise<T>): Promise<T>;
  /** Makes a call of this process: it hangs for ever when the process is dead before or after it. */
  call<T>(body: () => Promise<T>): Promise<T>;
  /** Told by stores; counts towards `crashAfterEntries`. */
  noteStored(entries: number): void;
}

/** Creates a live process. */
export function createSimulatedProcess(name: string, clock: Clock): SimulatedProcess {
  let deathReason: string | undefined;
  let entriesStored = 0;
  let crashAt = Number.POSITIVE_INFINITY;
  const onDeath = new Set<(crash: SimulatedCrash) => void>();

  const kill = (reason = "killed"): void => {
    if (deathReason !== undefined) return;
    deathReason = reason;
    const crash = new SimulatedCrash(`process ${name}: ${reason}`);
    for (const listener of onDeath) listener(crash);
    onDeath.clear();
  };

  const call = <T>(body: () => Promise<T>): Promise<T> =>
    new Promise<T>((resolve) => {
      if (deathReason !== undefined) return;
      const answer = body();
      const pass = (): void => {
        if (deathReason === undefined) resolve(answer);
      };
      answer.then(pass, pass);
    });

  return {
    name,
    get isAlive() {
      return deathReason === undefined;
    },
    get entriesStored() {
      return entriesStored;
    },
    clock: {
      now: () => clock.now(),
      monotonic: () => clock.monotonic(),
      sleep: (ms, signal) => call(() => clock.sleep(ms, signal)),
    },
    crashAfterEntries(count) {
      crashAt = entriesStored + count;
    },
    kill,
    call,
    run: <T>(task: () => Promise<T>): Promise<T> =>
      new Promise<T>((resolve, reject) => {
        if (deathReason !== undefined) {
          reject(new SimulatedCrash(`process ${name}: ${deathReason}`));
          return;
        }
        onDeath.add(reject);
        task()
          .then(resolve, reject)
          .finally(() => onDeath.delete(reject));
      }),
    noteStored(entries) {
      entriesStored += entries;
      if (entriesStored >= crashAt) kill(`crash after entry ${String(entriesStored)}`);
    },
  };
}

/**
 * The same object as a process sees it: every method that returns a promise goes through the process, so that it
 * hangs when the process is dead. Nested objects, such as the drivers of a platform, are bound too.
 */
export function bindToProcess<T extends object>(target: T, owner: SimulatedProcess): T {
  return new Proxy(target, {
    get(object, property) {
      const member: unknown = Reflect.get(object, property, object);
      if (typeof member === "function") {
        return (...args: unknown[]) => {
          if (!owner.isAlive) return new Promise<never>(() => undefined);
          const result: unknown = Reflect.apply(member, object, args);
          return result instanceof Promise ? owner.call(() => result) : result;
        };
      }
      if (typeof member === "object" && member !== null && !Array.isArray(member)) return bindToProcess(member, owner);
      return member;
    },
  });
}
