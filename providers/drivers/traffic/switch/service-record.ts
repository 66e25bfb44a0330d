/**
 * What the switch remembers of a service across restarts, and the rules by which it changes: backends, weights, the
 * owner of an exclusive service, and its hand-over.
 *
 * Not for: requests, health and timers (service.ts), storage (state-file.ts). Pure: time is an argument.
 *
 * Invariants
 * 1. A hand-over goes `parked -> cut-over -> ended` or `parked -> reverted`, never back; a token that left `parked`
 *    can never cut over.
 * 2. From the deadline on a parked hand-over is reverted, whoever asks first: nobody sees `parked` after it.
 * 3. The owner changes by a cut-over, or when an exclusive service that has none gets its first weighted backend.
 */
import { DriverError } from "../../../../sdk/model";
import type { HealthCheck } from "../../../../sdk/model";

/** A backend as declared. */
export interface BackendRecord {
  readonly replica: string;
  /** `host:port`. */
  readonly address: string;
  /** 0 drains. */
  readonly weight: number;
  readonly health: HealthCheck;
  /** Wall time in ms at which a draining backend's upgraded connections are closed. @default not closed */
  readonly closeUpgradesAt?: number;
}

/** What a pause cost, known when it is over. */
export interface PauseResult {
  /** From the park to the first request that could be sent again, ms. */
  readonly pauseMs: number;
  /** Requests that had to wait for it. */
  readonly parkedRequests: number;
  /** Longest time that one of them waited, ms. */
  readonly longestHeldMs: number;
}

/** The latest hand-over of an exclusive service. */
export interface HandOverRecord {
  readonly token: string;
  /** Wall time, ms. */
  readonly deadline: number;
  /** Wall time at which parking began, ms. */
  readonly parkedAt: number;
  readonly phase: "parked" | "cut-over" | "reverted" | "ended";
  readonly result?: PauseResult;
}

/** One service. */
export interface ServiceRecord {
  readonly name: string;
  readonly port: number;
  readonly exclusive: boolean;
  readonly owner?: string;
  readonly backends: readonly BackendRecord[];
  readonly handOver?: HandOverRecord;
  /** Beginnings of paths that are refused, sorted, and for whom. */
  readonly refused?: { readonly owner: string; readonly paths: readonly string[] };
}

/** Who owns an exclusive service, as agents ask at the deadline of a hand-over. */
export interface OwnerAnswer {
  readonly owner: string | null;
  /** Of the latest hand-over. */
  readonly token?: string;
  readonly state: "steady" | "parked" | "cut-over" | "reverted";
}

/**
 * True while new requests are held because of a hand-over. A parked one holds until its reversal is on record, not
 * just until its deadline: a cut-over that is being written at that moment must not meet a former owner at work.
 */
export function isHolding(record: ServiceRecord, nowMs: number): boolean {
  const handOver = record.handOver;
  return handOver?.phase === "parked" || (handOver?.phase === "cut-over" && nowMs < handOver.deadline);
}

/** The answer for agents. The record must be settled. */
export function ownerAnswer(record: ServiceRecord): OwnerAnswer {
  const { owner, handOver } = record;
  return {
    owner: owner ?? null,
    ...(handOver === undefined ? {} : { token: handOver.token }),
    state: handOver === undefined || handOver.phase === "ended" ? "steady" : handOver.phase,
  };
}

/** Applies the deadline (invariant 2). The same object when nothing changes. */
export function settle(record: ServiceRecord, nowMs: number): ServiceRecord {
  const handOver = record.handOver;
  if (handOver?.phase !== "parked" || nowMs < handOver.deadline) return record;
  return { ...record, handOver: { ...handOver, phase: "reverted" } };
}

/**
 * Adds a backend or changes it.
 * @throws DriverError refused for an address or weight that cannot be
 */
export function withBackend(record: ServiceRecord, backend: BackendRecord): ServiceRecord {
  validateBackend(record.name, backend);
  const others = record.backends.filter(({ replica }) => replica !== backend.replica);
  const isFirstOwner = record.exclusive && record.owner === undefined && backend.weight > 0;
  return {
    ...record,
    backends: [...others, backend].sort((a, b) => (a.replica < b.replica ? -1 : 1)),
    ...(isFirstOwner ? { owner: backend.replica } : {}),
  };
}

/**
 * Removes a backend; one that is not there is fine.
 * @throws DriverError conflict for the owner while a hand-over holds its requests
 */
export function withoutBackend(record: ServiceRecord, replica: string): ServiceRecord {
  if (!record.backends.some((backend) => backend.replica === replica)) return record;
  const { owner, ...rest } = record;
  const backends = record.backends.filter((backend) => backend.replica !== replica);
  if (owner !== replica) return { ...record, backends };
  if (record.handOver?.phase === "parked" || record.handOver?.phase === "cut-over") {
    throw new DriverError("conflict", record.name, `${replica} owns it and a hand-over is under way`, {
      remedy: "unpark the service, or wait for the deadline of the hand-over",
    });
  }
  return { ...rest, backends };
}

/**
 * Begins a hand-over. Repeating it with the same token while it is parked changes nothing.
 * @throws DriverError unsupported for a service that is not exclusive, conflict while another hand-over is under way,
 *   expired when the token or its deadline is over
 */
export function park(record: ServiceRecord, token: string, deadline: number, nowMs: number): ServiceRecord {
  if (!record.exclusive) {
    throw new DriverError("unsupported", record.name, "is not exclusive: its requests are never parked", {
      remedy: "move its copies by surge",
    });
  }
  const current = record.handOver;
  if (current?.token === token) {
    if (current.phase === "parked") return record;
    throw expired(record, token);
  }
  if (current !== undefined && (current.phase === "parked" || current.phase === "cut-over")) {
    throw new DriverError("conflict", record.name, `is parked by hand-over ${current.token}`, {
      remedy: `wait until ${new Date(current.deadline).toISOString()}`,
    });
  }
  if (nowMs >= deadline) throw expired(record, token);
  return { ...record, handOver: { token, deadline, parkedAt: nowMs, phase: "parked" } };
}

/**
 * Makes another replica the owner. Repeating it with the same token and replica changes nothing.
 * @throws DriverError expired when the token is over or unknown, conflict when it was cut over to another replica
 */
export function cutOver(
  record: ServiceRecord,
  token: string,
  to: Omit<BackendRecord, "weight">,
  nowMs: number,
): ServiceRecord {
  const handOver = record.handOver;
  if (handOver?.token !== token) throw expired(record, token);
  if (handOver.phase === "cut-over" || handOver.phase === "ended") {
    if (record.owner === to.replica) return record;
    if (handOver.phase === "ended") throw expired(record, token);
    throw new DriverError("conflict", record.name, `was cut over to ${record.owner ?? "nobody"} by this hand-over`);
  }
  if (handOver.phase === "reverted" || nowMs >= handOver.deadline) throw expired(record, token);
  const previous = record.owner;
  const changed = withBackend(record, { ...to, weight: 1 });
  return {
    ...changed,
    // The former owner stays listed, drained, until somebody removes it: its address is still observable.
    backends: changed.backends.map((backend) =>
      backend.replica === previous && previous !== to.replica ? { ...backend, weight: 0 } : backend,
    ),
    owner: to.replica,
    handOver: { ...handOver, phase: "cut-over" },
  };
}

/**
 * Ends the holding of requests; without a cut-over the hand-over is reverted. One that is over stays as it is.
 * @throws DriverError not-found for an unknown token
 */
export function unpark(record: ServiceRecord, token: string): ServiceRecord {
  const handOver = record.handOver;
  if (handOver?.token !== token) {
    throw new DriverError("not-found", record.name, `has no hand-over ${token}`, {
      remedy: "nothing has to be done when a later hand-over took its place",
    });
  }
  if (handOver.phase === "ended" || handOver.phase === "reverted") return record;
  return { ...record, handOver: { ...handOver, phase: handOver.phase === "cut-over" ? "ended" : "reverted" } };
}

/**
 * Refuses requests by the beginnings of their paths, in place of what was refused before; none where `paths` is empty.
 * @throws DriverError conflict while another owner refuses some
 */
export function withRefused(record: ServiceRecord, owner: string, paths: readonly string[]): ServiceRecord {
  const { refused, ...rest } = record;
  if (refused !== undefined && refused.owner !== owner) {
    throw new DriverError("conflict", record.name, `${refused.owner} refuses ${refused.paths.join(", ")} of it`);
  }
  return paths.length === 0 ? rest : { ...rest, refused: { owner, paths: [...paths].sort() } };
}

/** True for a request target that is refused: a path itself, and all below it. */
export function isRefused({ refused }: Pick<ServiceRecord, "refused">, target: string): boolean {
  return refused?.paths.some((path) => target.startsWith(path) && /^([/?]|$)/.test(target.slice(path.length))) === true;
}

/** Keeps what a hand-over cost, when requests flow again; this also ends one that was cut over and never unparked. */
export function endHandOver(record: ServiceRecord, result: PauseResult): ServiceRecord {
  const handOver = record.handOver;
  if (handOver === undefined || handOver.result !== undefined) return record;
  const phase = handOver.phase === "reverted" ? "reverted" : "ended";
  return { ...record, handOver: { ...handOver, phase, result } };
}

function expired(record: ServiceRecord, token: string): DriverError {
  return new DriverError("expired", record.name, `hand-over ${token} is over`, {
    remedy: "begin a new hand-over with a new token",
  });
}

function validateBackend(service: string, { replica, address, weight, health }: BackendRecord): void {
  const port = Number(/:(\d{1,5})$/.exec(address)?.[1]);
  if (!(port >= 1 && port <= 65_535)) {
    throw new DriverError("refused", service, `address of ${replica} (${JSON.stringify(address)}) must be host:port`);
  }
  if (!Number.isFinite(weight) || weight < 0) {
    throw new DriverError("refused", service, `weight of ${replica} (${String(weight)}) must be 0 or more`);
  }
  if (!health.path.startsWith("/") || !(health.intervalMs > 0) || !(health.timeoutMs > 0)) {
    throw new DriverError("refused", service, `health check of ${replica} must have a path, an interval and a timeout`);
  }
}
