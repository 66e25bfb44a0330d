/**
 * Certificates of a fleet: its own authority, and one certificate per agent, switch and caller. The role is in the
 * subject's OU, the name in its CN; agents refuse what the fleet's authority did not sign, and check the role.
 *
 * Not for: serving or calling with them (agent/control-server.ts, control-client.ts).
 *
 * Invariants
 * 1. Private keys are written with mode 0600 into folders of mode 0700 and leave this machine only by hand.
 * 2. Making an authority and issuing are idempotent: what exists is kept, so that a half-made fleet can be finished.
 * 3. Names, roles and addresses in a certificate are those the authority was told, never those a request asks for.
 */
import { createHash, webcrypto } from "node:crypto";
import { mkdir, readFile, rename, stat, writeFile } from "node:fs/promises";
import { isIP } from "node:net";
import { join } from "node:path";
import { DriverError } from "../../sdk/model";
import { ensureReflectMetadata } from "./reflect-metadata";

/** Who a certificate is for. `client` is a controller: only it may change things on hosts. */
export type CertificateRole = "agent" | "switch" | "client" | "authority";

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
  const keys = await createKeys();
  const { certificate } = await sign(directory, request, keys.publicKey, { validMs: VALID_MS, nowMs: Date.now() });
  await writeKey(files.key, keys.privateKey);
  await writeAtomically(files.certificate, certificate, 0o644);
  return result;
}

/** A key that has not left this process, and the request to have it certified. */
export interface SigningRequest {
  /** PKCS #10, PEM. */
  readonly csr: string;
  /** PKCS #8, PEM. */
  readonly key: string;
}

/** Makes a key and a request for a certificate of it. */
export async function createSigningRequest(name: string): Promise<SigningRequest> {
  const x509 = await loadX509();
  const keys = await createKeys();
  const csr = await x509.Pkcs10CertificateRequestGenerator.create({
    name: new x509.Name([{ CN: [name] }]),
    keys,
    signingAlgorithm: ALGORITHM,
  });
  return { csr: csr.toString("pem"), key: await exportKey(keys.privateKey) };
}

/** How long a certificate is good. */
export interface Validity {
  readonly validMs: number;
  readonly nowMs: number;
}

/** A certificate as it was issued. */
export interface IssuedCertificate {
  /** PEM. */
  readonly certificate: string;
  /** Hexadecimal. */
  readonly serial: string;
  readonly notAfterMs: number;
}

/**
 * Signs a request with the authority in the folder.
 * @throws DriverError refused when the request is none, or its sender does not hold its key, or it is of another name
 */
export async function signRequest(
  directory: string,
  csr: string,
  request: CertificateRequest,
  validity: Validity,
): Promise<IssuedCertificate> {
  const { name, publicKey } = await readSigningRequest(csr);
  if (name !== request.name) {
    throw new DriverError("refused", request.name, `this request is for ${name}`, {
      remedy: "ask for the name that the token was made for",
    });
  }
  return sign(directory, request, publicKey, validity);
}

/** Fingerprint of the key in a request. @throws DriverError refused */
export async function keyFingerprint(csr: string): Promise<string> {
  const { publicKey } = await readSigningRequest(csr);
  const spki = await webcrypto.subtle.exportKey("spki", publicKey);
  return createHash("sha256").update(Buffer.from(spki)).digest("hex");
}

async function readSigningRequest(
  csr: string,
): Promise<{ readonly name: string; readonly publicKey: webcrypto.CryptoKey }> {
  const x509 = await loadX509();
  try {
    const request = new x509.Pkcs10CertificateRequest(csr);
    const spki = request.publicKey.rawData;
    const publicKey = await webcrypto.subtle.importKey("spki", spki, ALGORITHM, true, ["verify"]);
    if (await request.verify()) return { name: request.subjectName.getField("CN")[0] ?? "", publicKey };
  } catch {
    // Not a request at all: the same answer.
  }
  throw new DriverError("refused", "authority", "is no request that its sender could sign with the key in it", {
    remedy: "run the enrolment again",
  });
}

async function sign(
  directory: string,
  request: CertificateRequest,
  publicKey: webcrypto.CryptoKey,
  { validMs, nowMs }: Validity,
): Promise<IssuedCertificate> {
  const x509 = await loadX509();
  const authority = filesOf(directory, AUTHORITY);
  const issuer = new x509.X509Certificate(await readFile(authority.certificate, "utf8"));
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
  const serial = serialNumber();
  const notAfterMs = Math.min(nowMs + validMs, issuer.notAfter.getTime());
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serial,
    issuer: issuer.subjectName,
    subject: new x509.Name([{ OU: [request.role] }, { CN: [request.name] }]),
    notBefore: new Date(nowMs - CLOCK_SKEW_MS),
    notAfter: new Date(notAfterMs),
    signingAlgorithm: ALGORITHM,
    publicKey,
    signingKey: await readKey(authority.key),
    extensions,
  });
  return { certificate: certificate.toString("pem"), serial, notAfterMs };
}

/** Files of the authority in a folder. */
export function authorityFiles(directory: string): { readonly certificate: string; readonly key: string } {
  return filesOf(directory, AUTHORITY);
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
  await writeAtomically(path, await exportKey(key), 0o600);
}

async function exportKey(key: webcrypto.CryptoKey): Promise<string> {
  const der = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", key));
  const lines = der.toString("base64").match(/.{1,64}/g) ?? [];
  return ["-----BEGIN PRIVATE KEY-----", ...lines, "-----END PRIVATE KEY-----", ""].join("\n");
}

/** A reader sees the whole file or none; the mode holds from the first byte on. */
export async function writeAtomically(path: string, content: string, mode: number): Promise<void> {
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
