/**
 * The certificates of one party of a fleet, read together with what the fleet no longer trusts.
 *
 * Not for: issuing (drivers/certificates.ts) and rotating them (rotation.ts).
 *
 * Invariant: files are replaced by renaming, so that a change is seen as another modification time or inode.
 */
import { readFile, stat } from "node:fs/promises";
import type { PeerCertificate } from "node:tls";
import { findRevocation, readRevocations, revocationFile, type RevocationContent } from "./revocations";

/** Paths of PEM files. Certificate and key may be in one file, which then is replaced in one step. */
export interface TlsPaths {
  readonly ca: string;
  readonly certificate: string;
  readonly key: string;
}

/** What was in them. */
export interface TlsMaterial {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
  readonly revocations: RevocationContent;
  /** Changes when one of the files does. */
  readonly stamp: string;
}

/** Reads all of it. @throws Error ENOENT; DriverError for a list that the authority did not sign */
export async function readTls(paths: TlsPaths): Promise<TlsMaterial> {
  // First, so that a file that changes while it is read is read again later.
  const stamp = await stampOf(paths);
  const [ca, cert, revocations] = await Promise.all([
    readFile(paths.ca, "utf8"),
    readFile(paths.certificate, "utf8"),
    readRevocations(paths.ca),
  ]);
  const key = paths.key === paths.certificate ? cert : await readFile(paths.key, "utf8");
  return { ca, cert, key, revocations, stamp };
}

/** Tells whether something changed without reading it. */
export async function stampOf(paths: TlsPaths): Promise<string> {
  const files = [paths.ca, paths.certificate, paths.key, revocationFile(paths.ca)];
  const stamps = await Promise.all(
    files.map((file) =>
      stat(file).then(
        ({ mtimeMs, ino, size }) => `${String(ino)}:${String(mtimeMs)}:${String(size)}`,
        () => "none",
      ),
    ),
  );
  return stamps.join(" ");
}

/** Why a certificate is refused though the authority signed it, or undefined. */
export function revocationReason(revocations: RevocationContent, serial: string | undefined): string | undefined {
  const entry = serial === undefined ? undefined : findRevocation(revocations, serial);
  return entry && `revoked ${new Date(entry.atMs).toISOString()}: ${entry.reason}`;
}

/** The error for a server whose certificate is revoked, for `checkServerIdentity`. */
export function refuseRevoked(revocations: RevocationContent, certificate: PeerCertificate): Error | undefined {
  const reason = revocationReason(revocations, certificate.serialNumber);
  return reason === undefined
    ? undefined
    : new Error(`certificate is of ${certificate.subject.CN as string}, ${reason}`);
}

/** What to do about a certificate that was refused, by OpenSSL's code. */
export function certificateRemedy(code: string | undefined): string {
  if (code === "CERT_NOT_YET_VALID") return "set the clocks of both machines: one of them is wrong";
  if (code === "CERT_HAS_EXPIRED") {
    return "set the clock if it is wrong, else renew the certificate (`archipelago-agent renew`, or enrol again)";
  }
  return "use the authority, certificate and key of this fleet, as its inventory names them";
}
