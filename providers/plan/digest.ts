/**
 * Digests of plain data: SHA-256 of its canonical JSON.
 *
 * Not for: files and streams (providers/drivers/snapshots).
 */
import { hash } from "node:crypto";

import { canonicalJson, type Envelope, type UpdateSpec } from "../../sdk/model";

/** Characters of a digest used inside ids: 40 bits, enough within one run; collisions are checked all the same. */
const SHORT_LENGTH = 10;

/** SHA-256 of the canonical JSON of a value, hex. */
function digestOf(value: unknown): string {
  return hash("sha256", canonicalJson(value));
}

/** A plan's identity: the digest of its envelope, hex. */
export function envelopeDigest(envelope: Envelope): string {
  return digestOf(envelope);
}

/** Digest of what is done to a host: commands or image, probe, expectation, reboot, deadlines. */
export function updateDigest(update: UpdateSpec): string {
  return digestOf(update);
}

/** A short hash for ids, of parts that must not depend on the run's id or the time. */
export function shortDigest(parts: readonly (string | number)[]): string {
  // The same text as canonical JSON: texts and numbers have no members to sort.
  return hash("sha256", JSON.stringify(parts)).slice(0, SHORT_LENGTH);
}
