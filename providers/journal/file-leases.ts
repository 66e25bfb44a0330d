/**
 * Leases as versioned files, `leases/<resource>/00000012.json`: whoever creates the next version owns the resource.
 *
 * Not for: deciding what a lost lease means (providers/runner).
 *
 * Invariants
 * 1. Versions are created, never changed; the highest one tells the owner. Creating version n+1 needs to have seen n
 *    as the highest, and to still see n+1 as the highest afterwards: a late process that fills the place of a
 *    pruned version owns nothing.
 * 2. The epoch is the version at which the owner got the lease, so it grows with every change of owner, also over a
 *    damaged version whose content is lost.
 * 3. Time is the store's: a lease counts from the moment the file system says its version was written.
 */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { LeaseHeldError, LeaseLostError } from "../../sdk/model";
import type { Lease, LeaseStore } from "./run-store";
import { encodeName, type StoreFiles } from "./store-files";

/** Versions kept behind the latest. Only ones far behind go, so that a reader never meets an empty folder. */
const KEPT_VERSIONS = 16;
/** Pruning looks at every so many versions. */
const PRUNE_EVERY = 16;
/** Attempts to create the next version before the resource counts as too busy; each loss means that another won. */
const MAXIMUM_ATTEMPTS = 64;
/** How long an unreadable version counts as held: longer than any lease that a run takes. */
const DAMAGED_HOLD_MS = 15 * 60_000;
/** Kernels stamp files with a clock that ticks: a lease of another owner counts for one tick more. */
const TICK_MS = 20;
const VERSION_NAME = /^(\d{8})\.json$/;

interface LeaseVersion {
  readonly version: number;
  readonly owner: string;
  readonly epoch: number;
  readonly expiresAt: number;
  readonly isReleased: boolean;
}

interface LeaseContent {
  readonly resource: string;
  readonly owner: string;
  readonly epoch: number;
  readonly ttlMs: number;
  readonly released: boolean;
}

/** Leases in a folder of a file store. */
export class FileLeases implements LeaseStore {
  /**
   * @param storeNow the store's time
   * @param isFileTime false when `storeNow` is an injected clock, whose time then goes into the files
   */
  constructor(
    private readonly folder: string,
    private readonly files: StoreFiles,
    private readonly storeNow: () => Promise<number>,
    private readonly isFileTime: boolean,
  ) {}

  /** See {@link LeaseStore.acquire}. A live lease of this owner keeps its epoch. */
  async acquire(resource: string, owner: string, ttlMs: number): Promise<Lease> {
    await this.files.createFolder(this.folderOf(resource));
    for (let attempt = 0; attempt < MAXIMUM_ATTEMPTS; attempt += 1) {
      const latest = await this.latest(resource);
      const graceMs = this.isFileTime && latest?.owner !== owner ? TICK_MS : 0;
      const now = await this.storeNow();
      const isLive = latest !== undefined && !latest.isReleased && now < latest.expiresAt + graceMs;
      if (isLive && latest.owner !== owner) throw new LeaseHeldError(resource, latest.owner, latest.expiresAt);
      const version = (latest?.version ?? 0) + 1;
      const content = { resource, owner, epoch: isLive ? latest.epoch : version, ttlMs, released: false };
      const lease = await this.createVersion(version, content);
      if (lease) return lease;
    }
    throw new LeaseHeldError(resource, "other processes that take it at the same time", await this.storeNow());
  }

  /** See {@link LeaseStore.renew}. */
  async renew(lease: Lease, ttlMs: number): Promise<Lease> {
    for (let attempt = 0; attempt < MAXIMUM_ATTEMPTS; attempt += 1) {
      const latest = await this.latest(lease.resource);
      const reason = lossOf(lease, latest, await this.storeNow());
      if (reason !== undefined || !latest) throw new LeaseLostError(lease.resource, reason ?? "it is gone");
      const { resource, owner, epoch } = lease;
      const content = { resource, owner, epoch, ttlMs, released: false };
      const renewed = await this.createVersion(latest.version + 1, content);
      if (renewed) return renewed;
    }
    throw new LeaseLostError(lease.resource, "it could not be renewed against others that change it all the time");
  }

  /** See {@link LeaseStore.release}. */
  async release(lease: Lease): Promise<void> {
    for (let attempt = 0; attempt < MAXIMUM_ATTEMPTS; attempt += 1) {
      const latest = await this.latest(lease.resource);
      if (latest?.epoch !== lease.epoch || latest.owner !== lease.owner || latest.isReleased) return;
      const { resource, owner, epoch } = lease;
      if (await this.createVersion(latest.version + 1, { resource, owner, epoch, ttlMs: 0, released: true })) return;
    }
  }

  /** The lease that is held now; undefined when the resource is free. */
  async inspect(resource: string): Promise<Lease | undefined> {
    const latest = await this.latest(resource);
    if (!latest || latest.isReleased || (await this.storeNow()) >= latest.expiresAt) return undefined;
    return { resource, owner: latest.owner, epoch: latest.epoch, expiresAt: latest.expiresAt };
  }

  /** Creates a version. @returns undefined when another process was first */
  private async createVersion(version: number, content: LeaseContent): Promise<Lease | undefined> {
    const folder = this.folderOf(content.resource);
    const at = this.isFileTime ? undefined : await this.storeNow();
    const staged = await this.files.createIfAbsent(folder, versionName(version), renderLease(content, at));
    if (!staged) return undefined;
    const versions = await this.listVersions(content.resource);
    const highest = versions.at(-1) ?? 0;
    if (highest > version) {
      // Either others went on behind this version, which is a loss seen late, or it filled a pruned place (invariant 1).
      if (!versions.includes(version + 1)) await this.files.remove(join(folder, versionName(version)));
      return undefined;
    }
    if (version % PRUNE_EVERY === 0) await this.prune(content.resource, versions);
    const { resource, owner, epoch, ttlMs } = content;
    return { resource, owner, epoch, expiresAt: (at ?? staged.modifiedAt) + ttlMs };
  }

  private async latest(resource: string): Promise<LeaseVersion | undefined> {
    for (let attempt = 0; attempt < MAXIMUM_ATTEMPTS; attempt += 1) {
      const version = (await this.listVersions(resource)).at(-1);
      if (version === undefined) return undefined;
      const path = join(this.folderOf(resource), versionName(version));
      const [text, modifiedAt] = await Promise.all([this.files.read(path), this.files.modifiedAt(path)]);
      // Gone between listing and reading: pruned, or withdrawn by a late process. List again.
      if (text === undefined || modifiedAt === undefined) continue;
      return parseLease(resource, version, text, modifiedAt, path);
    }
    throw new LeaseHeldError(resource, "other processes that take it at the same time", await this.storeNow());
  }

  private async listVersions(resource: string): Promise<readonly number[]> {
    return (await this.files.list(this.folderOf(resource)))
      .map((name) => VERSION_NAME.exec(name)?.[1])
      .filter((digits) => digits !== undefined)
      .map(Number)
      .sort((a, b) => a - b);
  }

  private async prune(resource: string, versions: readonly number[]): Promise<void> {
    for (const version of versions.slice(0, -KEPT_VERSIONS)) {
      await this.files.remove(join(this.folderOf(resource), versionName(version)));
    }
  }

  private folderOf(resource: string): string {
    return join(this.folder, encodeName(resource));
  }
}

/** Why a lease is lost against the latest version, or undefined while it is held. */
function lossOf(lease: Lease, latest: LeaseVersion | undefined, now: number): string | undefined {
  if (!latest) return "the store does not know it";
  if (latest.owner !== lease.owner || latest.epoch !== lease.epoch) {
    return `${latest.owner} took it over with epoch ${String(latest.epoch)}`;
  }
  if (latest.isReleased) return "it was given back";
  return now >= latest.expiresAt ? `it lapsed at ${new Date(latest.expiresAt).toISOString()}` : undefined;
}

function versionName(version: number): string {
  return `${String(version).padStart(8, "0")}.json`;
}

/** @param at store time for injected clocks; absent: the file's own time counts */
function renderLease(content: LeaseContent, at: number | undefined): string {
  const body = { v: 1, ...content, ...(at === undefined ? {} : { at }) };
  return `${JSON.stringify({ ...body, sha256: checksum(JSON.stringify(body)) })}\n`;
}

function parseLease(resource: string, version: number, text: string, modifiedAt: number, path: string): LeaseVersion {
  try {
    const { sha256, ...body } = JSON.parse(text) as LeaseContent & { readonly at?: number; readonly sha256: string };
    if (sha256 === checksum(JSON.stringify(body)) && body.resource === resource) {
      const expiresAt = (body.at ?? modifiedAt) + body.ttlMs;
      return { version, owner: body.owner, epoch: body.epoch, expiresAt, isReleased: body.released };
    }
  } catch {
    // Not JSON: handled as damaged below.
  }
  const owner = `an unknown owner (${path} is damaged)`;
  return { version, owner, epoch: version, expiresAt: modifiedAt + DAMAGED_HOLD_MS, isReleased: false };
}

function checksum(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
