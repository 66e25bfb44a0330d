/**
 * Leases as objects that are replaced under the condition that nobody did so before: `leases/<resource>.json`.
 *
 * Not for: deciding what a lost lease means (providers/runner).
 *
 * Invariants
 * 1. A lease changes only from the version that was read: If-None-Match creates the first, If-Match replaces it. The
 *    text of each version differs (`revision`), so that no two have the same tag.
 * 2. The epoch grows with every change of owner, and an object is never removed, so that it never starts again.
 * 3. Time is the store's, known between two bounds (store-time.ts). A lease ends at the upper bound plus its time to
 *    live, and is taken over only when the lower bound has passed that: who believes in it for its time to live since
 *    it was asked for stops before anybody else begins.
 */
import { createHash } from "node:crypto";
import { LeaseHeldError, LeaseLostError, StoreError } from "../../sdk/model";
import type { Lease, LeaseStore } from "./run-store";
import { SHORT_CALL, type S3Objects } from "./s3-objects";
import { encodeName } from "./store-files";

/** Changes that may come in between before the resource counts as too busy; each loss means that another won. */
const MOST_ATTEMPTS = 64;

interface LeaseContent {
  readonly v: 1;
  readonly resource: string;
  readonly owner: string;
  readonly epoch: number;
  readonly revision: number;
  /** Store time, ms since the epoch. */
  readonly expiresAt: number;
  readonly released: boolean;
}

interface LeaseVersion extends LeaseContent {
  readonly etag: string;
}

/** Leases in a bucket. */
export class S3Leases implements LeaseStore {
  /** Versions that this process wrote last: changing one needs no reading while nobody else changed it. */
  private readonly own = new Map<string, LeaseVersion>();

  constructor(
    private readonly folder: string,
    private readonly objects: S3Objects,
  ) {}

  /** See {@link LeaseStore.acquire}. A live lease of this owner keeps its epoch. */
  async acquire(resource: string, owner: string, ttlMs: number): Promise<Lease> {
    for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt += 1) {
      const latest = await this.read(resource);
      const isLive = latest !== undefined && !latest.released && this.earliest() < latest.expiresAt;
      if (isLive && latest.owner !== owner) throw new LeaseHeldError(resource, latest.owner, latest.expiresAt);
      const epoch = isLive ? latest.epoch : (latest?.epoch ?? 0) + 1;
      const lease = await this.replace(latest, { resource, owner, epoch, ttlMs });
      if (lease) return lease;
    }
    throw new LeaseHeldError(resource, "other processes that take it at the same time", this.latest());
  }

  /** See {@link LeaseStore.renew}. */
  async renew(lease: Lease, ttlMs: number): Promise<Lease> {
    const { resource, owner, epoch } = lease;
    for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt += 1) {
      const known = this.takeOwn(lease);
      const latest = known ?? (await this.read(resource));
      const reason = this.lossOf(lease, latest);
      // What this process remembers may be behind what the store has.
      if (reason !== undefined && known) continue;
      if (reason !== undefined) throw new LeaseLostError(resource, reason);
      const renewed = await this.replace(latest, { resource, owner, epoch, ttlMs });
      if (renewed) return renewed;
    }
    throw new LeaseLostError(resource, "it could not be renewed against others that change it all the time");
  }

  /** See {@link LeaseStore.release}. */
  async release(lease: Lease): Promise<void> {
    const { resource, owner, epoch } = lease;
    for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt += 1) {
      const latest = this.takeOwn(lease) ?? (await this.read(resource));
      if (latest?.epoch !== epoch || latest.owner !== owner || latest.released) return;
      if (await this.replace(latest, { resource, owner, epoch, ttlMs: 0, released: true })) return;
    }
  }

  /** The lease that is held now; undefined when the resource is free. */
  async inspect(resource: string): Promise<Lease | undefined> {
    const latest = await this.read(resource);
    if (!latest || latest.released || this.earliest() >= latest.expiresAt) return undefined;
    return { resource, owner: latest.owner, epoch: latest.epoch, expiresAt: latest.expiresAt };
  }

  /** Writes the next version. @returns undefined when another process was first */
  private async replace(
    latest: LeaseVersion | undefined,
    next: Pick<LeaseContent, "resource" | "owner" | "epoch"> & { readonly ttlMs: number; readonly released?: boolean },
  ): Promise<Lease | undefined> {
    const { resource, owner, epoch, ttlMs, released = false } = next;
    const expiresAt = this.latest() + ttlMs;
    const content = {
      v: 1,
      resource,
      owner,
      epoch,
      revision: (latest?.revision ?? 0) + 1,
      expiresAt,
      released,
    } as const;
    const condition = latest ? { etag: latest.etag } : ({ absent: true } as const);
    const etag = await this.objects.putIf(condition, this.keyOf(resource), renderLease(content), SHORT_CALL);
    if (etag === undefined) return undefined;
    this.own.set(resource, { ...content, etag });
    return { resource, owner, epoch, expiresAt };
  }

  /** The version that this process wrote for the lease, if it can be judged without asking; it is given out once. */
  private takeOwn({ resource, owner, epoch }: Lease): LeaseVersion | undefined {
    const known = this.own.get(resource);
    this.own.delete(resource);
    const isOf = known?.owner === owner && known.epoch === epoch;
    return isOf && !this.objects.time.isUnknown ? known : undefined;
  }

  private async read(resource: string): Promise<LeaseVersion | undefined> {
    const key = this.keyOf(resource);
    const object = await this.objects.get(key, SHORT_CALL);
    if (this.objects.time.isUnknown) await this.objects.askTime();
    if (!object) return undefined;
    const content = parseLease(resource, object.text);
    if (content) return { ...content, etag: object.etag };
    const { bucket, prefix } = this.objects.location;
    throw new StoreError(
      "corrupt",
      `lease file s3://${bucket}/${prefix}${key} is damaged: it is not what was written`,
      {
        remedy:
          "nothing was changed; restore an earlier version of that object (if the bucket keeps versions). Do not remove " +
          "it: agents refuse the epochs of a lease that starts again",
      },
    );
  }

  /** Why a lease is lost against the latest version, or undefined while it is held. */
  private lossOf(lease: Lease, latest: LeaseVersion | undefined): string | undefined {
    if (!latest) return "the store does not know it";
    if (latest.owner !== lease.owner || latest.epoch !== lease.epoch) {
      return `${latest.owner} took it over with epoch ${String(latest.epoch)}`;
    }
    if (latest.released) return "it was given back";
    const isOver = this.latest() >= latest.expiresAt;
    return isOver ? `it lapsed at ${new Date(latest.expiresAt).toISOString()}` : undefined;
  }

  private earliest(): number {
    return this.objects.time.earliest() ?? this.unknownTime();
  }

  private latest(): number {
    return this.objects.time.latest() ?? this.unknownTime();
  }

  private unknownTime(): never {
    throw new StoreError("unavailable", `run store ${this.objects.location.url} does not tell its time`, {
      remedy: "its answers need a Date header; check that a proxy in between does not remove it",
    });
  }

  private keyOf(resource: string): string {
    return `${this.folder}${encodeName(resource)}.json`;
  }
}

function renderLease(content: LeaseContent): string {
  return `${JSON.stringify({ ...content, sha256: checksum(JSON.stringify(content)) })}\n`;
}

/** Undefined when it is damaged. */
function parseLease(resource: string, text: string): LeaseContent | undefined {
  try {
    const { sha256, ...content } = JSON.parse(text) as LeaseContent & { readonly sha256: string };
    return sha256 === checksum(JSON.stringify(content)) && content.resource === resource ? content : undefined;
  } catch {
    return undefined;
  }
}

function checksum(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
