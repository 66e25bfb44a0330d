/**
 * Contract of the run store: one primitive, `append` as create-if-absent, and leases made of it.
 *
 * Not for: what entries mean (replay.ts).
 *
 * Invariants
 * 1. `append` with a sequence number that exists fails with StoreError conflict and changes nothing.
 * 2. What `append` acknowledged survives a crash of the machine.
 * 3. The epochs of a lease only grow; two owners never hold the same lease at the same store time.
 */
import type { JournalEntry } from "../../sdk/model";

export interface RunStore {
  readonly url: string;
  /**
   * Stores entries as batch `seq` of the run, seq counting batches from 0.
   * @throws StoreError conflict when that batch exists; full, unavailable, denied
   */
  append(run: string, seq: number, entries: readonly JournalEntry[]): Promise<void>;
  /**
   * All batches of a run in order, each checked against its checksum. Changes nothing: a torn last batch is left out and
   * reported in `notices`, and set aside by the append that takes its number.
   * @throws StoreError corrupt when one before the last is damaged; version for an unknown major version
   */
  read(run: string): Promise<RunRecord>;
  /** Ids of all runs, newest first. */
  list(): Promise<readonly string[]>;
  readonly leases: LeaseStore;
  /** A small document beside the runs (see sdk/model/control.ts for the names). Replaces atomically. */
  putDocument(name: string, content: string): Promise<void>;
  /** Stores a document unless one of that name exists. @returns false when it does; nothing was changed then */
  createDocument(name: string, content: string): Promise<boolean>;
  /** Undefined when there is none. */
  getDocument(name: string): Promise<string | undefined>;
  /** Names of all documents that begin with a prefix, in the order of their code units. */
  listDocuments(prefix: string): Promise<readonly string[]>;
  deleteDocument(name: string): Promise<void>;
  /** The store's time, ms since the epoch. */
  now(): Promise<number>;
}

export interface RunRecord {
  readonly run: string;
  readonly entries: readonly JournalEntry[];
  /** Sequence number of the next batch. */
  readonly nextSeq: number;
  /** What was repaired on reading. */
  readonly notices: readonly string[];
}

/** Leases on hosts, pools and runs, each with an epoch. */
export interface LeaseStore {
  /**
   * Takes the lease when it is free, lapsed or already this owner's.
   * @throws LeaseHeldError with owner and expiry
   */
  acquire(resource: string, owner: string, ttlMs: number): Promise<Lease>;
  /** @throws LeaseLostError when a newer epoch exists or the lease has lapsed */
  renew(lease: Lease, ttlMs: number): Promise<Lease>;
  /** Gives it back; a lost one is left alone. */
  release(lease: Lease): Promise<void>;
  inspect(resource: string): Promise<Lease | undefined>;
}

export interface Lease {
  readonly resource: string;
  readonly owner: string;
  /** Grows with every change of owner. */
  readonly epoch: number;
  /** Store time, ms since the epoch. */
  readonly expiresAt: number;
}
