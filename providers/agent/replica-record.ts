/**
 * The durable record of one copy: what was started, as which process, and where it stands in a hand-over.
 *
 * Not for: health, which is observed and never stored.
 */
import type { HandOverToken, StartSpec } from "../drivers/contracts";
import type { ProcessIdentity } from "./process-table";

/** `standby`: not yet active; `quiesced`: takes no writes. What this agent last told the copy to be. */
export type ReplicaMode = "active" | "quiesced" | "standby";

/** A hand-over that this copy takes part in. */
export interface HandOverPart {
  readonly token: HandOverToken;
  readonly role: "source" | "target";
}

export interface ReplicaRecord {
  readonly spec: StartSpec;
  /** Unique per start; in the environment of its processes, so that they are found when the record has no pid yet. */
  readonly instance: string;
  readonly port: number;
  /** Absent between the intent to start and the start. */
  readonly process?: ProcessIdentity;
  readonly mode: ReplicaMode;
  readonly handOver?: HandOverPart;
  /** A stop that was begun; a restarted agent ends it. */
  readonly stopping?: boolean;
}
