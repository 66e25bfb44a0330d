/**
 * Invitations of a fleet: one-time secrets, kept as hashes beside the authority.
 *
 * Invariants
 * 1. A secret is never stored; who reads the folder cannot enrol with it.
 * 2. An invitation serves one key: the same key may ask again (its answer was lost), every other one is refused. The
 *    winner is decided by creating a file that must not exist.
 */
import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DriverError } from "../../../sdk/model";
import { writeAtomically, type CertificateRequest } from "../../drivers/certificates";

/** What an invitation grants. */
export interface Invitation extends CertificateRequest {
  readonly id: string;
  readonly expiresAtMs: number;
  /** SHA-256 of the secret, hexadecimal. */
  readonly secretHash: string;
}

const ID_BYTES = 9;
/** As long as a key: it cannot be guessed, so a plain hash keeps it. */
const SECRET_BYTES = 32;

/** Makes an invitation; its secret is only in the answer. */
export async function createInvitation(
  directory: string,
  grant: CertificateRequest,
  expiresAtMs: number,
): Promise<{ readonly id: string; readonly secret: string }> {
  const id = randomBytes(ID_BYTES).toString("base64url");
  const secret = randomBytes(SECRET_BYTES).toString("base64url");
  const invitation: Invitation = { ...grant, id, expiresAtMs, secretHash: sha256(secret).toString("hex") };
  await mkdir(folderOf(directory), { recursive: true, mode: 0o700 });
  await writeAtomically(fileOf(directory, id), JSON.stringify(invitation), 0o600);
  return { id, secret };
}

/**
 * Uses an invitation up for a key.
 * @throws DriverError unauthorized for an unknown one or a wrong secret, expired, or conflict when another key used it
 */
export async function redeemInvitation(
  directory: string,
  offer: { readonly id: string; readonly secret: string; readonly keyFingerprint: string },
  nowMs: number,
): Promise<Invitation> {
  const invitation = await readInvitation(directory, offer.id);
  if (!invitation || !timingSafeEqual(Buffer.from(invitation.secretHash, "hex"), sha256(offer.secret))) {
    throw refused("unauthorized", "this token is not of this fleet");
  }
  if (nowMs >= invitation.expiresAtMs) {
    throw refused(
      "expired",
      `this token for ${invitation.name} expired at ${new Date(invitation.expiresAtMs).toISOString()}`,
    );
  }
  const used = `${fileOf(directory, offer.id)}.used`;
  try {
    await writeFile(used, offer.keyFingerprint, { flag: "wx", mode: 0o600 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    if ((await readFile(used, "utf8")) !== offer.keyFingerprint)
      throw refused("conflict", `this token for ${invitation.name} was used before`);
  }
  return invitation;
}

/** Removes invitations that can no longer be used. */
export async function removeOldInvitations(directory: string, nowMs: number): Promise<void> {
  const names = await readdir(folderOf(directory)).catch(() => []);
  for (const name of names.filter((entry) => entry.endsWith(".json"))) {
    const id = name.slice(0, -".json".length);
    const invitation = await readInvitation(directory, id);
    if (!invitation || invitation.expiresAtMs > nowMs) continue;
    await rm(fileOf(directory, id), { force: true });
    await rm(`${fileOf(directory, id)}.used`, { force: true });
  }
}

async function readInvitation(directory: string, id: string): Promise<Invitation | undefined> {
  if (!/^[A-Za-z0-9_-]+$/.test(id)) return undefined;
  const text = await readFile(fileOf(directory, id), "utf8").catch(() => undefined);
  return text === undefined ? undefined : (JSON.parse(text) as Invitation);
}

function refused(code: "unauthorized" | "expired" | "conflict", message: string): DriverError {
  return new DriverError(code, "authority", message, {
    remedy: "ask for a new one: `archipelago-agent authority invite`",
  });
}

function folderOf(directory: string): string {
  return join(directory, "invitations");
}

function fileOf(directory: string, id: string): string {
  return join(folderOf(directory), `${id}.json`);
}

function sha256(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
