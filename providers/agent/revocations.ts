/**
 * The list of certificates that a fleet no longer trusts, signed by its authority: JSON beside the authority's
 * certificate, so that who knows the one finds the other.
 *
 * Not for: making the list (enroll/authority-folder.ts).
 *
 * Invariants
 * 1. A list counts only with the signature of the fleet's authority: whoever changes it makes it unusable, not shorter.
 * 2. A fetched list never replaces one with a higher number.
 */
import { verify, X509Certificate, type KeyObject } from "node:crypto";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { canonicalJson, DriverError } from "../../sdk/model";

/** One certificate that is refused. */
export interface Revocation {
  /** Serial number: lower-case hexadecimal digits without leading zeros. */
  readonly serial: string;
  readonly name: string;
  readonly atMs: number;
  readonly reason: string;
}

/** What the authority signs. */
export interface RevocationContent {
  readonly v: 1;
  /** Rises with every change. */
  readonly number: number;
  readonly entries: readonly Revocation[];
}

/** A list as it lies on disk and travels. */
export interface RevocationList extends RevocationContent {
  /** ECDSA over the canonical JSON of the content, base64. */
  readonly signature: string;
}

/** Nothing is revoked: where there is no list. */
const NOTHING_REVOKED: RevocationContent = { v: 1, number: 0, entries: [] };

/** Where the list of a fleet lies, by the file of its authority's certificate. */
export function revocationFile(ca: string): string {
  return join(dirname(ca), "revoked.json");
}

/**
 * Reads the list beside an authority's certificate; nothing is revoked where there is none.
 * @throws DriverError unauthorized when the authority did not sign it
 */
export async function readRevocations(ca: string): Promise<RevocationContent> {
  const file = revocationFile(ca);
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return NOTHING_REVOKED;
    throw error;
  }
  return parseRevocations(text, await readFile(ca, "utf8"), file);
}

/**
 * Parses a list and checks its signature.
 * @param subject where it comes from, for the error
 * @throws DriverError unauthorized
 */
export function parseRevocations(text: string, caPem: string, subject: string): RevocationList {
  let list: RevocationList | undefined;
  try {
    list = JSON.parse(text) as RevocationList;
  } catch {
    list = undefined;
  }
  const key = new X509Certificate(caPem).publicKey;
  if (list?.v === 1 && typeof list.signature === "string" && isSigned(list, key)) return list;
  throw new DriverError(
    "unauthorized",
    subject,
    "is no list of revoked certificates that this fleet's authority signed",
    {
      remedy: "fetch it again with `archipelago-agent refresh`, and find out who changed it",
    },
  );
}

/** The bytes that are signed. */
export function signedContent({ v, number, entries }: RevocationContent): Buffer {
  return Buffer.from(canonicalJson({ v, number, entries }));
}

/** The entry of a certificate, by the serial number as TLS tells it. */
export function findRevocation(list: RevocationContent, serial: string): Revocation | undefined {
  const wanted = normalizeSerial(serial);
  return list.entries.find((entry) => entry.serial === wanted);
}

/** Serial numbers as lower-case digits without leading zeros. */
export function normalizeSerial(serial: string): string {
  return serial.toLowerCase().replace(/^0+(?=.)/, "");
}

function isSigned(list: RevocationList, key: KeyObject): boolean {
  try {
    return verify("sha256", signedContent(list), key, Buffer.from(list.signature, "base64"));
  } catch {
    return false;
  }
}
