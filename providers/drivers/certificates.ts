/**
 * Certificates of a fleet: its own authority, and one certificate per agent, switch and caller. The role is in the
 * subject's OU, the name in its CN; agents refuse what the fleet's authority did not sign, and check the role.
 *
 * Not for: serving or calling with them (agent/control-server.ts, control-client.ts).
 *
 * Invariants
 * 1. Private keys are written with mode 0600 into folders of mode 0700 and leave this machine only by hand.
 * 2. Both functions are idempotent: what exists already is kept, so that a half-made fleet can be finished.
 */
import { webcrypto } from "node:crypto";
import { mkdir, readFile, rename, stat, writeFile } from "node:fs/promises";
import { isIP } from "node:net";
import { join } from "node:path";
import { ensureReflectMetadata } from "./reflect-metadata";

/** Who a certificate is for. `client` is a controller: only it may change things on hosts. */
export type CertificateRole = "agent" | "switch" | "client";

/** Paths of PEM files, as in an inventory. */
export interface TlsFiles {
  readonly ca: string;
  readonly certificate: string;
  readonly key: string;
}

/** What to issue. */
export interface CertificateRequest {
  /** Host id, `switch`, or the caller's name; the certificate's CN and its file name. */
  readonly name: string;
  readonly role: CertificateRole;
  /** IP addresses and DNS names under which it serves; none for clients. */
  readonly addresses: readonly string[];
}

/** Local fleets are short-lived; an authority that outlives them for a few years is enough. */
const VALID_MS = 5 * 365 * 86_400_000;
/** Clocks of two hosts may differ a little; a certificate from "the future" would be refused. */
const CLOCK_SKEW_MS = 5 * 60_000;
const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const AUTHORITY = "authority";

/**
 * Makes the fleet's certificate authority in a folder, or keeps the one that is there.
 * @returns path of its certificate
 */
export async function createFleetAuthority(directory: string): Promise<{ readonly ca: string }> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const files = filesOf(directory, AUTHORITY);
  if (await allExist(files.certificate, files.key)) return { ca: files.certificate };
  const x509 = await loadX509();
  const keys = await createKeys();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: "CN=Archipelago fleet authority",
    ...validity(),
    signingAlgorithm: ALGORITHM,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  await writeKey(files.key, keys.privateKey);
  await writeAtomically(files.certificate, certificate.toString("pem"), 0o644);
  return { ca: files.certificate };
}

/**
 * Issues a certificate signed by the authority in the same folder, or keeps the one that is there.
 * @throws Error ENOENT when the folder has no authority
 */
export async function issueCertificate(directory: string, request: CertificateRequest): Promise<TlsFiles> {
  const authority = filesOf(directory, AUTHORITY);
  const files = filesOf(directory, request.name);
  const result = { ca: authority.certificate, certificate: files.certificate, key: files.key };
  if (await allExist(files.certificate, files.key)) return result;
  const x509 = await loadX509();
  const issuer = new x509.X509Certificate(await readFile(authority.certificate, "utf8"));
  const keys = await createKeys();
  const usages = [x509.ExtendedKeyUsage.clientAuth];
  if (request.role !== "client") usages.push(x509.ExtendedKeyUsage.serverAuth);
  const extensions: InstanceType<typeof x509.Extension>[] = [
    new x509.BasicConstraintsExtension(false, undefined, true),
    new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
    new x509.ExtendedKeyUsageExtension(usages),
    await x509.AuthorityKeyIdentifierExtension.create(issuer),
  ];
  if (request.addresses.length > 0) {
    extensions.push(
      new x509.SubjectAlternativeNameExtension(
        request.addresses.map((address) => ({ type: isIP(address) === 0 ? "dns" : "ip", value: address })),
      ),
    );
  }
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    issuer: issuer.subjectName,
    subject: new x509.Name([{ OU: [request.role] }, { CN: [request.name] }]),
    ...validity(),
    signingAlgorithm: ALGORITHM,
    publicKey: keys.publicKey,
    signingKey: await readKey(authority.key),
    extensions,
  });
  await writeKey(files.key, keys.privateKey);
  await writeAtomically(files.certificate, certificate.toString("pem"), 0o644);
  return result;
}

/** The X.509 library is heavy and only needed when a fleet is made: agents never load it. */
async function loadX509(): Promise<typeof import("@peculiar/x509")> {
  ensureReflectMetadata();
  const x509 = await import("@peculiar/x509");
  x509.cryptoProvider.set(globalThis.crypto);
  return x509;
}

function filesOf(directory: string, name: string): { readonly certificate: string; readonly key: string } {
  return { certificate: join(directory, `${name}.crt.pem`), key: join(directory, `${name}.key.pem`) };
}

function validity(): { readonly notBefore: Date; readonly notAfter: Date } {
  const now = Date.now();
  return { notBefore: new Date(now - CLOCK_SKEW_MS), notAfter: new Date(now + VALID_MS) };
}

/** 16 random bytes; the first is below 0x80 because serial numbers are positive (RFC 5280, 4.1.2.2). */
function serialNumber(): string {
  const bytes = webcrypto.getRandomValues(new Uint8Array(16));
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40;
  return Buffer.from(bytes).toString("hex");
}

async function createKeys(): Promise<webcrypto.CryptoKeyPair> {
  return await webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
}

async function readKey(path: string): Promise<webcrypto.CryptoKey> {
  const pem = await readFile(path, "utf8");
  const der = Buffer.from(pem.replace(/-----[^-]+-----/g, ""), "base64");
  return await webcrypto.subtle.importKey("pkcs8", der, ALGORITHM, false, ["sign"]);
}

async function writeKey(path: string, key: webcrypto.CryptoKey): Promise<void> {
  const der = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", key));
  const lines = der.toString("base64").match(/.{1,64}/g) ?? [];
  await writeAtomically(
    path,
    ["-----BEGIN PRIVATE KEY-----", ...lines, "-----END PRIVATE KEY-----", ""].join("\n"),
    0o600,
  );
}

/** A reader sees the whole file or none; the mode holds from the first byte on. */
async function writeAtomically(path: string, content: string, mode: number): Promise<void> {
  const draft = `${path}.${String(process.pid)}.new`;
  await writeFile(draft, content, { mode, flag: "w" });
  await rename(draft, path);
}

async function allExist(...paths: readonly string[]): Promise<boolean> {
  const found = await Promise.all(
    paths.map((path) =>
      stat(path).then(
        () => true,
        () => false,
      ),
    ),
  );
  return found.every(Boolean);
}
