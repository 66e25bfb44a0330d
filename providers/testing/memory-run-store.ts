/**
 * Run store in memory: the contract of providers/journal/run-store.ts with scripted faults and crashes.
 *
 * Not for: durability. What it holds dies with the test.
 *
 * Invariant: entries and documents go in and out as JSON text, so nothing that JSON cannot hold survives, and nobody
 * shares an object with the store.
 */
import { LeaseHeldError, LeaseLostError, StoreError } from "../../sdk/model";
import type { JournalEntry } from "../../sdk/model";
import type { Clock } from "../clock";
import type { Lease, RunRecord, RunStore } from "../journal/run-store";
import { bindToProcess } from "./simulated-process";
import type { SimulatedProcess } from "./simulated-process";

/** A call of the store that fails. */
export interface StoreFault {
  readonly call:
    | "append"
    | "read"
    | "list"
    | "acquire"
    | "renew"
    | "release"
    | "putDocument"
    | "createDocument"
    | "getDocument"
    | "listDocuments";
  /** Calls of that kind to let through first. @default 0 */
  readonly skip?: number;
  /** How many calls fail. @default 1 */
  readonly times?: number;
  readonly code: StoreError["code"];
  /** The call takes effect, only its answer is lost. @default false */
  readonly isDone?: boolean;
}

/** Run store for tests. */
export interface MemoryRunStore extends RunStore {
  /** The store as a process sees it; entries stored through it count towards `crashAfterEntries`. */
  asProcess(owner: SimulatedProcess): RunStore;
  /** Scripts a fault; the first that matches a call applies. */
  fail(fault: StoreFault): void;
  /** All entries of a run, for assertions. */
  entriesOf(run: string): readonly JournalEntry[];
  /** Takes a lease away from its owner, as another process with the right to it does; its epoch grows. */
  stealLease(resource: string, owner: string, ttlMs: number): Lease;
  /** All leases that have not lapsed. */
  liveLeases(): readonly Lease[];
  /** The whole content as text: equal before and after means that nothing was written. */
  dump(): string;
}

/** Creates an empty store whose time is the clock's. */
export function createMemoryRunStore(clock: Clock, url = "memory:runs"): MemoryRunStore {
  const runs = new Map<string, string[]>();
  const documents = new Map<string, string>();
  const leases = new MemoryLeases(clock);
  const faults: { fault: StoreFault; skip: number; times: number }[] = [];

  /** Runs the body unless a fault says otherwise; every call gives way once, as a real store's does. */
  const perform = async <T>(call: StoreFault["call"], subject: string, body: () => T): Promise<T> => {
    await Promise.resolve();
    const scripted = faults.find((entry) => entry.fault.call === call && entry.times > 0);
    if (!scripted) return body();
    if (scripted.skip > 0) {
      scripted.skip -= 1;
      return body();
    }
    scripted.times -= 1;
    if (scripted.fault.isDone) body();
    throw new StoreError(scripted.fault.code, `run store: ${call} of ${subject} failed (${scripted.fault.code})`, {
      remedy: "scripted by the test",
    });
  };

  const entriesOf = (run: string): JournalEntry[] =>
    (runs.get(run) ?? []).flatMap((batch) => JSON.parse(batch) as JournalEntry[]);

  const appendAs = (owner: SimulatedProcess | undefined): RunStore["append"] => {
    return (run, seq, entries) =>
      perform("append", run, () => {
        const batches = runs.get(run) ?? [];
        if (seq !== batches.length) {
          throw new StoreError(
            "conflict",
            `run ${run}: batch ${String(seq)} is not the next (${String(batches.length)})`,
            {
              remedy: "another process writes this run; stop and read it again",
            },
          );
        }
        batches.push(JSON.stringify(entries));
        runs.set(run, batches);
        owner?.noteStored(entries.length);
      });
  };

  const store: MemoryRunStore = {
    url,
    append: appendAs(undefined),
    read: (run) =>
      perform("read", run, (): RunRecord => {
        return { run, entries: entriesOf(run), nextSeq: runs.get(run)?.length ?? 0, notices: [] };
      }),
    list: () => perform("list", "runs", () => [...runs.keys()].reverse()),
    leases: {
      acquire: (resource, owner, ttlMs) => perform("acquire", resource, () => leases.acquire(resource, owner, ttlMs)),
      renew: (lease, ttlMs) => perform("renew", lease.resource, () => leases.renew(lease, ttlMs)),
      release: (lease) =>
        perform("release", lease.resource, () => {
          leases.release(lease);
        }),
      inspect: (resource) => Promise.resolve(leases.inspect(resource)),
    },
    putDocument: (name, content) =>
      perform("putDocument", name, () => {
        documents.set(name, content);
      }),
    createDocument: (name, content) =>
      perform("createDocument", name, () => {
        if (documents.has(name)) return false;
        documents.set(name, content);
        return true;
      }),
    listDocuments: (prefix) =>
      perform("listDocuments", prefix, () => [...documents.keys()].filter((name) => name.startsWith(prefix)).sort()),
    getDocument: (name) => perform("getDocument", name, () => documents.get(name)),
    deleteDocument: (name) => {
      documents.delete(name);
      return Promise.resolve();
    },
    now: () => Promise.resolve(clock.now()),

    asProcess: (owner) => bindToProcess<RunStore>({ ...store, append: appendAs(owner) }, owner),
    fail: (fault) => {
      faults.push({ fault, skip: fault.skip ?? 0, times: fault.times ?? 1 });
    },
    entriesOf,
    stealLease: (resource, owner, ttlMs) => leases.steal(resource, owner, ttlMs),
    liveLeases: () => leases.live(),
    dump: () => JSON.stringify([[...runs], [...documents], leases.live()]),
  };
  return store;
}

/** Leases by the store's time; kept after their end so that epochs only grow. */
class MemoryLeases {
  private readonly latest = new Map<string, Lease>();
  constructor(private readonly clock: Clock) {}

  acquire(resource: string, owner: string, ttlMs: number): Lease {
    const held = this.inspect(resource);
    if (held && held.owner !== owner) throw new LeaseHeldError(resource, held.owner, held.expiresAt);
    if (held) return this.put({ ...held, expiresAt: this.clock.now() + ttlMs });
    return this.steal(resource, owner, ttlMs);
  }

  steal(resource: string, owner: string, ttlMs: number): Lease {
    const epoch = (this.latest.get(resource)?.epoch ?? 0) + 1;
    return this.put({ resource, owner, epoch, expiresAt: this.clock.now() + ttlMs });
  }

  renew(lease: Lease, ttlMs: number): Lease {
    const held = this.inspect(lease.resource);
    if (!held) throw new LeaseLostError(lease.resource, "it has lapsed");
    if (held.epoch !== lease.epoch) throw new LeaseLostError(lease.resource, `${held.owner} has it now`);
    return this.put({ ...held, expiresAt: this.clock.now() + ttlMs });
  }

  release(lease: Lease): void {
    const held = this.latest.get(lease.resource);
    if (held?.epoch === lease.epoch) this.put({ ...held, expiresAt: Number.NEGATIVE_INFINITY });
  }

  inspect(resource: string): Lease | undefined {
    const lease = this.latest.get(resource);
    return lease && lease.expiresAt > this.clock.now() ? lease : undefined;
  }

  live(): readonly Lease[] {
    return [...this.latest.keys()].flatMap((resource) => this.inspect(resource) ?? []);
  }

  private put(lease: Lease): Lease {
    this.latest.set(lease.resource, lease);
    return lease;
  }
}
