/**
 * This host's part in the hand-over of an exclusive workload: quiesce, snapshot, restore, activate, and what happens
 * when nobody calls any more.
 *
 * Not for: parking requests and choosing the owner; that is the switch's.
 *
 * Invariants
 * 1. At most one copy is active: a quiesced or standby copy becomes active by a controller's call, or after the
 *    token's deadline when the switch names it as the owner and no longer waits for the cutover.
 * 2. Token and deadline are on disk before the copy is told anything, so that a restarted agent ends what it began.
 * 3. While the switch cannot be asked the copy stays as it is: a longer pause is better than two writers.
 */
import { Readable } from "node:stream";
import { DriverError, messageOf } from "../../sdk/model";
import type { HandOverToken, StateReference } from "../drivers/contracts";
import type { OwnerAnswer } from "../drivers/traffic/switch/service-record";
import type { Clock } from "../clock";
import type { HostFolder } from "./host-folder";
import type { PeerAddress } from "./peer";
import type { HandOverPart, ReplicaRecord } from "./replica-record";
import type { Replicas } from "./replicas";
import { createHashTap, storeSnapshot } from "./snapshots";
import { holdToRate } from "./transfer-rate";
import {
  callWorkload,
  openWorkloadStream,
  refusal,
  sendWorkloadStream,
  type WorkloadAnswer,
  type WorkloadEndpoint,
} from "./workload-endpoint";

/** What the hand-over needs from the outside. */
export interface HandOverSurroundings {
  readonly host: string;
  readonly replicas: Replicas;
  readonly folder: HostFolder;
  readonly clock: Clock;
  /** Undefined when the fleet has no switch: then nobody can have cut over. */
  readonly readOwner: ((service: string) => Promise<OwnerAnswer>) | undefined;
  readonly openSnapshot: (peer: PeerAddress, id: string) => Promise<Readable>;
}

/** Small calls of the contract; they write to disk at most. */
const CALL_TIMEOUT_MS = 5_000;
/** A state streams; its size is bounded by what fits into the pause, this only ends a hang. */
const STREAM_TIMEOUT_MS = 10 * 60_000;
/** First and longest wait between two questions to the switch. */
const ASK_AGAIN_MS = 100;
const ASK_AGAIN_MAX_MS = 5_000;
/** A copy that lost its service serves nobody; it gets a moment to write out what it has. */
const LOSER_GRACE_MS = 1_000;

/** A stream that does not fit into buffers and is slower than this looks dead to the agent that sends it. */
const BUFFERED_BYTES = 64 * 1024;
const LEAST_BYTES_PER_SECOND = 64 * 1024;

function heldToRate(
  content: Readable,
  { bytes }: StateReference,
  bytesPerSecond: number | undefined,
  clock: Clock,
): AsyncIterable<Uint8Array> {
  if (bytesPerSecond === undefined) return content;
  const least = bytes > BUFFERED_BYTES ? LEAST_BYTES_PER_SECOND : 1;
  return holdToRate(content, Math.max(bytesPerSecond, least), clock);
}

/** See the file's header. */
export class HandOver {
  readonly #at: HandOverSurroundings;
  readonly #watches = new Map<string, AbortController>();

  constructor(surroundings: HandOverSurroundings) {
    this.#at = surroundings;
  }

  /** Takes up the hand-overs that the records know of. */
  recover(): void {
    for (const record of this.#at.replicas.records()) if (record.handOver) this.#watchDeadline(record.spec.replica);
  }

  /** Stops waiting for deadlines; the records stay. */
  close(): void {
    for (const watch of this.#watches.values()) watch.abort();
    this.#watches.clear();
  }

  /** Stops writes of a copy until it is activated, stopped, or the deadline passes. */
  async quiesce(replica: string, token: HandOverToken): Promise<void> {
    const { replicas, clock } = this.#at;
    await replicas.exclusively(replica, async () => {
      const record = replicas.record(replica);
      if (token.deadline <= clock.now()) throw expired(replica, token);
      if (record.mode === "standby") {
        throw new DriverError("refused", replica, "is a standby copy and has nothing to quiesce");
      }
      const quiesced: ReplicaRecord = { ...record, mode: "quiesced", handOver: { token, role: "source" } };
      await replicas.save(quiesced);
      this.#watchDeadline(replica);
      try {
        await post(endpointOf(record), "/archipelago/quiesce");
      } catch (error) {
        await this.#makeActive(quiesced).catch(() => undefined); // The deadline's watch tries again.
        throw error;
      }
    });
  }

  /** Takes the state of a quiesced copy and checks it against the hash the copy itself reports. */
  async snapshot(replica: string): Promise<StateReference> {
    const record = this.#at.replicas.record(replica);
    if (record.mode !== "quiesced") {
      throw new DriverError("refused", replica, `is ${record.mode}; only the state of a quiesced copy stands still`, {
        remedy: "quiesce it first",
      });
    }
    const endpoint = endpointOf(record);
    const state = await storeSnapshot(
      this.#at.folder,
      await openWorkloadStream(endpoint, "/archipelago/snapshot", STREAM_TIMEOUT_MS),
    );
    const reported = parseHash(
      endpoint,
      "/archipelago/state",
      await callWorkload(endpoint, "GET", "/archipelago/state", CALL_TIMEOUT_MS),
    );
    if (reported === state.sha256) return state;
    throw new DriverError("failed", replica, `sent a state with hash ${state.sha256} but reports ${reported}`, {
      remedy: "the workload's snapshot must be exactly its state while it is quiesced",
    });
  }

  /**
   * Pulls a state from the agent that holds it into a standby copy.
   * @param bytesPerSecond what it may carry over the network. @default no bound
   */
  async restore(
    replica: string,
    source: PeerAddress,
    state: StateReference,
    token: HandOverToken,
    bytesPerSecond?: number,
  ): Promise<{ readonly sha256: string }> {
    const { replicas, clock } = this.#at;
    return await replicas.exclusively(replica, async () => {
      const record = replicas.record(replica);
      if (token.deadline <= clock.now()) throw expired(replica, token);
      if (record.mode !== "standby") {
        throw new DriverError("refused", replica, `is ${record.mode}; a state is restored into a standby copy only`);
      }
      await replicas.save({ ...record, handOver: { token, role: "target" } });
      this.#watchDeadline(replica);
      const endpoint = endpointOf(record);
      const tap = createHashTap();
      const content = await this.#at.openSnapshot(source, state.id);
      const answer = await sendWorkloadStream(
        endpoint,
        "/archipelago/restore",
        Readable.from(tap.through(heldToRate(content, state, bytesPerSecond, clock))),
        STREAM_TIMEOUT_MS,
      );
      const sent = tap.result();
      if (sent.sha256 !== state.sha256 || sent.bytes !== state.bytes) {
        throw new DriverError("failed", replica, `got a state with hash ${sent.sha256}, not ${state.sha256}`, {
          remedy: "the snapshot was damaged on its way; take it again",
        });
      }
      return { sha256: parseHash(endpoint, "/archipelago/restore", answer) };
    });
  }

  /** Makes a quiesced or standby copy active. */
  async activate(replica: string): Promise<void> {
    await this.#at.replicas.exclusively(replica, () => this.#makeActive(this.#at.replicas.record(replica)));
  }

  async #makeActive(record: ReplicaRecord): Promise<void> {
    await post(endpointOf(record), "/archipelago/activate");
    const { handOver: ended, ...rest } = record;
    await this.#at.replicas.save({ ...rest, mode: "active" });
    if (ended) this.#stopWatching(record.spec.replica);
  }

  #stopWatching(replica: string): void {
    this.#watches.get(replica)?.abort();
    this.#watches.delete(replica);
  }

  #watchDeadline(replica: string): void {
    this.#stopWatching(replica);
    const abort = new AbortController();
    this.#watches.set(replica, abort);
    void this.#settleAfterDeadline(replica, abort.signal);
  }

  /** Waits for the deadline, then asks the switch until the copy's fate is known. */
  async #settleAfterDeadline(replica: string, signal: AbortSignal): Promise<void> {
    const { replicas, clock } = this.#at;
    let askAgainMs = ASK_AGAIN_MS;
    while (!signal.aborted) {
      const part = replicas.records().find(({ spec }) => spec.replica === replica)?.handOver;
      if (!part) return;
      const leftMs = part.token.deadline - clock.now();
      if (leftMs > 0) {
        await clock.sleep(leftMs, signal);
        continue;
      }
      const isSettled = await this.#settle(replica, part).catch(() => false);
      if (isSettled) return;
      await clock.sleep(askAgainMs, signal);
      askAgainMs = Math.min(2 * askAgainMs, ASK_AGAIN_MAX_MS);
    }
  }

  async #settle(replica: string, part: HandOverPart): Promise<boolean> {
    const { replicas } = this.#at;
    const verdict = await this.#askSwitch(replica, part);
    if (verdict === "unknown") return false;
    // A controller's calls may have ended this hand-over while the switch was asked, and begun another.
    const isMeant = ({ handOver }: ReplicaRecord): boolean => handOver?.token.token === part.token.token;
    if (verdict === "loser") {
      await replicas.stop(replica, LOSER_GRACE_MS, { discardData: part.role === "target", isMeant });
      return true;
    }
    await replicas.exclusively(replica, async () => {
      const record = replicas.records().find(({ spec }) => spec.replica === replica);
      if (record && isMeant(record)) await this.#makeActive(record);
    });
    return true;
  }

  async #askSwitch(replica: string, part: HandOverPart): Promise<"owner" | "loser" | "unknown"> {
    if (!this.#at.readOwner) return part.role === "source" ? "owner" : "loser";
    const answer = await this.#at.readOwner(part.token.service);
    // By its own clock the switch may still accept the cutover: then nothing is decided yet.
    if (answer.state === "parked" && answer.token === part.token.token) return "unknown";
    if (answer.owner === null) return "unknown";
    return answer.owner === replica ? "owner" : "loser";
  }
}

function endpointOf(record: ReplicaRecord): WorkloadEndpoint {
  return { replica: record.spec.replica, port: record.port };
}

async function post(endpoint: WorkloadEndpoint, path: string): Promise<void> {
  const answer = await callWorkload(endpoint, "POST", path, CALL_TIMEOUT_MS);
  if (answer.status < 200 || answer.status > 299) throw refusal(endpoint, path, answer);
}

function parseHash(endpoint: WorkloadEndpoint, path: string, answer: WorkloadAnswer): string {
  if (answer.status !== 200) throw refusal(endpoint, path, answer);
  let body: unknown;
  try {
    body = JSON.parse(answer.body);
  } catch (error) {
    throw new DriverError("failed", endpoint.replica, `answered ${path} without JSON (${messageOf(error)})`);
  }
  const hash = (body as { readonly sha256?: unknown } | null)?.sha256;
  if (typeof hash === "string") return hash;
  throw new DriverError("failed", endpoint.replica, `answered ${path} without a sha256`, {
    remedy: "see docs/workload-contract.md",
  });
}

function expired(replica: string, token: HandOverToken): DriverError {
  return new DriverError("expired", replica, `hand-over ${token.token} is over`, { remedy: "begin a new one" });
}
