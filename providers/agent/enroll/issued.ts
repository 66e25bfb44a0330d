/**
 * What an authority has issued, and what it no longer stands for: one record a certificate, and the signed list of
 * revoked ones beside the authority's certificate.
 *
 * Invariant: a certificate is on record before anybody gets it, so that it can be revoked.
 */
import { createPrivateKey, sign } from "node:crypto";
import { mkdir, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { MistakeError } from "../../../sdk/model";
import {
  authorityFiles,
  signRequest,
  writeAtomically,
  type CertificateRequest,
  type CertificateRole,
  type IssuedCertificate,
  type Validity,
} from "../../drivers/certificates";
import {
  normalizeSerial,
  readRevocations,
  revocationFile,
  signedContent,
  type Revocation,
  type RevocationList,
} from "../revocations";

/** One certificate on record. */
export interface IssuedRecord {
  readonly name: string;
  readonly role: CertificateRole;
  readonly addresses: readonly string[];
  readonly serial: string;
  readonly issuedAtMs: number;
  readonly notAfterMs: number;
}

/** Signs a request and puts the certificate on record. @throws DriverError refused */
export async function issueOnRecord(
  directory: string,
  csr: string,
  grant: CertificateRequest,
  validity: Validity,
): Promise<IssuedCertificate> {
  const issued = await signRequest(directory, csr, grant, validity);
  const { name, role, addresses } = grant;
  const serial = normalizeSerial(issued.serial);
  const record: IssuedRecord = {
    name,
    role,
    addresses,
    serial,
    issuedAtMs: validity.nowMs,
    notAfterMs: issued.notAfterMs,
  };
  await mkdir(folderOf(directory), { recursive: true, mode: 0o700 });
  await writeAtomically(join(folderOf(directory), `${serial}.json`), JSON.stringify(record), 0o600);
  return issued;
}

/** The record of a certificate. */
export async function findIssued(directory: string, serial: string): Promise<IssuedRecord | undefined> {
  return (await listIssued(directory)).find((record) => record.serial === normalizeSerial(serial));
}

/** All certificates on record, oldest first. */
export async function listIssued(directory: string): Promise<readonly IssuedRecord[]> {
  const names = await readdir(folderOf(directory)).catch(() => []);
  const texts = await Promise.all(
    names.filter((name) => name.endsWith(".json")).map((name) => readFile(join(folderOf(directory), name), "utf8")),
  );
  return texts.map((text) => JSON.parse(text) as IssuedRecord).sort((a, b) => a.issuedAtMs - b.issuedAtMs);
}

/**
 * Revokes every certificate of a name that has not expired.
 * @returns what was revoked by this call; nothing when all were before
 * @throws MistakeError when nothing was ever issued to the name
 */
export async function revoke(
  directory: string,
  name: string,
  reason: string,
  nowMs: number,
): Promise<readonly Revocation[]> {
  const records = await listIssued(directory);
  const known = [...new Set(records.map((record) => record.name))];
  if (!known.includes(name)) {
    const remedy = known.length === 0 ? "this authority has issued none" : `it has issued to ${known.join(", ")}`;
    throw MistakeError.of("name", name, "must be of a certificate that this authority has issued", remedy);
  }
  const { certificate, key } = authorityFiles(directory);
  const before = await readRevocations(certificate);
  const revoked = new Set(before.entries.map(({ serial }) => serial));
  const added = records
    .filter((record) => record.name === name && record.notAfterMs > nowMs && !revoked.has(record.serial))
    .map(({ serial }): Revocation => ({ serial, name, atMs: nowMs, reason }));
  if (added.length === 0) return [];
  const content = { v: 1, number: before.number + 1, entries: [...before.entries, ...added] } as const;
  const signature = sign("sha256", signedContent(content), createPrivateKey(await readFile(key))).toString("base64");
  const list: RevocationList = { ...content, signature };
  await writeAtomically(revocationFile(certificate), JSON.stringify(list), 0o644);
  return added;
}

function folderOf(directory: string): string {
  return join(directory, "issued");
}
