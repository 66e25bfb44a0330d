/**
 * What stands between a runner and its platform and store in a scenario: calls that arrive twice or after their
 * sender's death, a store that is away, a process that stands still, a wall clock that jumps.
 *
 * Not for: faults of single calls; the in-memory fleet and store have those.
 */
import { StoreError } from "../../sdk/model";
import type { Clock } from "../../providers/clock";
import type { CallContext, Platform } from "../../providers/drivers/contracts";
import type { RunStore } from "../../providers/journal/run-store";
import type { SimulatedProcess, VirtualClock } from "../../providers/testing";
import type { Incident } from "./scenario";

const NEVER = new AbortController().signal;

type Body = (...args: unknown[]) => Promise<unknown>;

/** Counts calls over all processes of a scenario and knows what is to happen to which. */
export class Interference {
  private readonly seen = new Map<Incident, number>();
  private readonly stalls = new Map<SimulatedProcess, Promise<void>>();
  private storeFault: StoreError["code"] | undefined;

  constructor(
    private readonly clock: VirtualClock,
    private readonly incidents: readonly Incident[],
    /** The runner is killed while it sends; it is started again after this time. */
    private readonly onCrashSending: (process: SimulatedProcess, backAfterMs: number) => void,
  ) {}

  /** Holds everything that a process does. */
  stall(process: SimulatedProcess, forMs: number): void {
    this.stalls.set(
      process,
      this.clock.sleep(forMs).then(() => {
        this.stalls.delete(process);
      }),
    );
  }

  /** Nothing of the store works for a time. */
  loseStore(forMs: number, isFull: boolean): void {
    this.storeFault = isFull ? "full" : "unavailable";
    this.clock.after(forMs, () => {
      this.storeFault = undefined;
    });
  }

  /** The clock as a process sees it. @param offsetMs how far its wall clock is off now */
  clockOf(process: SimulatedProcess, offsetMs: () => number): Clock {
    const { clock } = process;
    return {
      now: () => clock.now() + offsetMs(),
      monotonic: () => clock.monotonic(),
      sleep: async (ms, signal) => {
        await clock.sleep(ms, signal);
        await this.stalls.get(process);
      },
    };
  }

  /** The platform as a process sees it. */
  platformOf(platform: Platform, direct: Platform, process: SimulatedProcess): Platform {
    const bind = <K extends "hosts" | "workloads" | "traffic" | "capacity">(part: K): Platform[K] =>
      wrap(platform[part], (name, call, args) =>
        this.pass(`${part}.${name}`, call, args, direct[part] as unknown as Readonly<Record<string, Body>>, process),
      );
    const { functions } = platform;
    const replacement =
      platform.hosts.replacement &&
      wrap(platform.hosts.replacement, (name, call, args) => {
        const bodies = direct.hosts.replacement as unknown as Readonly<Record<string, Body>>;
        return this.pass(`replacement.${name}`, call, args, bodies, process);
      });
    const directly = direct.functions as unknown as Readonly<Record<string, Body>>;
    return {
      ...platform,
      ...(functions
        ? {
            functions: wrap(functions, (name, call, args) =>
              this.pass(`functions.${name}`, call, args, directly, process),
            ),
          }
        : {}),
      hosts: { ...bind("hosts"), ...(replacement ? { replacement } : {}) },
      workloads: bind("workloads"),
      traffic: bind("traffic"),
      capacity: bind("capacity"),
    };
  }

  /** The store as a process sees it. */
  storeOf(store: RunStore, process: SimulatedProcess): RunStore {
    const guard = async (name: string, call: Body, args: readonly unknown[]): Promise<unknown> => {
      await this.stalls.get(process);
      const { storeFault } = this;
      if (storeFault === "unavailable" || (storeFault === "full" && name === "append")) {
        throw new StoreError(storeFault, `run store: ${name} failed (${storeFault})`);
      }
      const answer = await call(...args);
      await this.stalls.get(process);
      return answer;
    };
    return { ...wrap(store, guard), leases: wrap(store.leases, guard) };
  }

  private async pass(
    name: string,
    call: Body,
    args: readonly unknown[],
    direct: Readonly<Record<string, Body>>,
    process: SimulatedProcess,
  ): Promise<unknown> {
    await this.stalls.get(process);
    const again = (): Promise<unknown> => {
      const method = name.slice(name.indexOf(".") + 1);
      const repeated = args.map((value) => (isContext(value) ? { ...value, signal: NEVER } : value));
      return (direct[method] as Body)(...repeated).catch(() => undefined);
    };
    const incident = args.some(isContext) ? this.next(name) : undefined;
    if (incident?.kind === "crash-sending") {
      this.clock.after(incident.arrivesAfterMs, () => void again());
      this.onCrashSending(process, incident.backAfterMs);
    }
    const answer = await call(...args);
    if (incident?.kind === "duplicate") this.clock.after(incident.againAfterMs, () => void again());
    await this.stalls.get(process);
    return answer;
  }

  /** The incident that is due for this call, counting it. */
  private next(name: string): Incident | undefined {
    let due: Incident | undefined;
    for (const incident of this.incidents) {
      if (incident.kind !== "duplicate" && incident.kind !== "crash-sending") continue;
      if (incident.call !== name) continue;
      const seen = (this.seen.get(incident) ?? 0) + 1;
      this.seen.set(incident, seen);
      if (seen === incident.nth) due ??= incident;
    }
    return due;
  }
}

function isContext(value: unknown): value is CallContext {
  return typeof value === "object" && value !== null && "key" in value && "epoch" in value && "signal" in value;
}

/** The same object with every method that returns a promise going through `pass`. */
function wrap<T extends object>(
  target: T,
  pass: (name: string, call: Body, args: readonly unknown[]) => Promise<unknown>,
): T {
  const entries = Object.keys(target).map((name) => {
    const member: unknown = Reflect.get(target, name);
    if (typeof member !== "function") return [name, member] as const;
    return [name, (...args: unknown[]) => pass(name, (...given) => callOf(target, name)(...given), args)] as const;
  });
  return Object.fromEntries(entries) as T;
}

function callOf(target: object, name: string): Body {
  return (...args) => Reflect.apply(Reflect.get(target, name) as Body, target, args);
}
