/**
 * A host, a switch or a caller joins a fleet, renews its certificate, and learns what is revoked.
 *
 * Invariants
 * 1. The key is made here and never leaves the host.
 * 2. Nothing is written before the authority has agreed; a refusal leaves the host as it was.
 * 3. Certificate and key are replaced in one step; who reads them sees the old pair or the new one.
 */
import { createPrivateKey, X509Certificate } from "node:crypto";
import { mkdir, readFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { DriverError, MistakeError } from "../../../sdk/model";
import { systemClock, type Clock } from "../../clock";
import { createSigningRequest, writeAtomically, type CertificateRole } from "../../drivers/certificates";
import { readAgentConfig, type AgentConfig } from "../agent-config";
import { parseRevocations, readRevocations, revocationFile } from "../revocations";
import { callAuthority, checkAuthority, fetchAuthority } from "./authority-client";
import { exists, hostLayout, makeFolder, writeHostFile, type HostLayout } from "./host-layout";
import type { EnrollBody, Granted, RenewBody } from "./protocol";
import { parseToken, type Token } from "./token";

export interface EnrollOptions {
  readonly token: string;
  /** @default "/" */
  readonly root?: string;
  readonly zone: string;
  readonly role: AgentConfig["role"];
  /** Where the agent serves. */
  readonly listen: AgentConfig["listen"];
  /** Control URL of the traffic switch. */
  readonly switchUrl?: string;
  /** @default systemClock */
  readonly clock?: Clock;
}

/** Attempts of the call that uses the token up, all with the same key: an answer may be lost. */
const ATTEMPTS = 3;
const PAUSE_MS = 500;

/** Files of a switch or a caller, in a folder of its own: no agent, only certificates. */
export interface IdentityFolder {
  readonly ca: string;
  /** Certificate and key in one file. */
  readonly identity: string;
  /** Name, and where it is renewed. */
  readonly enrolment: string;
}

/** The files below a folder. */
export function identityFolder(folder: string): IdentityFolder {
  return {
    ca: join(folder, "ca.pem"),
    identity: join(folder, "identity.pem"),
    enrolment: join(folder, "enrolment.json"),
  };
}

/**
 * Gets certificates for a switch or a caller.
 * @throws MistakeError for a bad token or a folder in use; DriverError for what the authority refuses
 */
export async function enrollIdentity(tokenText: string, folder: string, clock: Clock = systemClock): Promise<string> {
  const token = parseToken(tokenText);
  const files = identityFolder(folder);
  requireRole(token, ["client", "switch"], "a host enrols without --tls");
  if (await exists(files.enrolment)) {
    throw MistakeError.of(
      "--tls",
      folder,
      "must not hold an identity yet",
      "`archipelago-agent renew --tls` renews it",
    );
  }
  const { ca, identity } = await obtainIdentity(token, clock);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await writeAtomically(files.ca, ca, 0o644);
  await writeAtomically(files.identity, identity, 0o600);
  await writeAtomically(files.enrolment, `${JSON.stringify({ name: token.name, url: token.url })}\n`, 0o644);
  return token.name;
}

/**
 * Enrols this host.
 * @returns its layout and name
 * @throws MistakeError for a bad token or a host that is enrolled already; DriverError for what the authority refuses
 */
export async function enroll(options: EnrollOptions): Promise<{ readonly layout: HostLayout; readonly name: string }> {
  const { clock = systemClock } = options;
  const token = parseToken(options.token);
  const layout = hostLayout(options.root ?? "/");
  if (await exists(layout.config)) {
    throw MistakeError.of(
      "host",
      hostname(),
      `must not be enrolled yet, and ${layout.config} is there`,
      "`archipelago-agent uninstall` removes what an earlier enrolment left",
    );
  }
  requireRole(token, ["agent"], "a switch or a caller enrols with --tls DIR");
  const { ca, identity } = await obtainIdentity(token, clock);
  await makeFolder(layout, layout.state, 0o700);
  await writeHostFile(layout, layout.ca, ca, 0o644);
  await writeHostFile(layout, layout.identity, identity, 0o600);
  // Last: a host with this file is enrolled.
  await writeHostFile(layout, layout.config, renderConfig(options, token.name, token.url), 0o600);
  return { layout, name: token.name };
}

/** Makes a key, and has it certified by the authority that the token names. */
async function obtainIdentity(token: Token, clock: Clock): Promise<{ readonly ca: string; readonly identity: string }> {
  const ca = await fetchAuthority(token.url, token.fingerprint);
  await checkAuthority(token.url, ca, () => clock.now());
  const { csr, key } = await createSigningRequest(token.name);
  const body: EnrollBody = { id: token.id, secret: token.secret, csr };
  const granted = await askPatiently({ url: token.url, ca, path: "/v1/enroll", body }, clock);
  checkGranted(granted, ca, key, token.name);
  return { ca, identity: `${granted.certificate.trimEnd()}\n${key}` };
}

function requireRole(token: Token, roles: readonly CertificateRole[], remedy: string): void {
  if (roles.includes(token.role)) return;
  throw MistakeError.of("token", token.name, `must be for ${roles.join(" or ")}, and is for ${token.role}`, remedy);
}

/** Whose certificate is renewed, and where. */
export interface Enrolled {
  readonly name: string;
  readonly url: string;
  readonly ca: string;
  readonly identity: string;
}

/** What an agent's configuration says. @throws MistakeError for a host that was not enrolled */
export async function enrolledHost(configFile: string): Promise<Enrolled> {
  const { host, enrolment, tls } = await readAgentConfig(configFile);
  if (!enrolment || tls.certificate !== tls.key) {
    throw MistakeError.of(
      "enrolment",
      undefined,
      "must be in the agent's configuration, with certificate and key in one file",
      "only hosts that `archipelago-agent enroll` has joined renew their certificates",
    );
  }
  return { name: host, url: enrolment.url, ca: tls.ca, identity: tls.certificate };
}

/** What a folder of certificates says. @throws MistakeError for a folder without an identity */
export async function enrolledIdentity(folder: string): Promise<Enrolled> {
  const files = identityFolder(folder);
  const text = await readFile(files.enrolment, "utf8").catch(() => {
    throw MistakeError.of("--tls", folder, "must hold an identity", "run `archipelago-agent enroll --tls` first");
  });
  const { name, url } = JSON.parse(text) as { readonly name: string; readonly url: string };
  return { name, url, ca: files.ca, identity: files.identity };
}

/**
 * Renews a certificate, with a new key.
 * @returns when the new one expires, milliseconds since the epoch
 * @throws DriverError for what the authority refuses
 */
export async function renew(enrolled: Enrolled, clock: Clock = systemClock): Promise<number> {
  const [ca, identity] = await Promise.all([readFile(enrolled.ca, "utf8"), readFile(enrolled.identity, "utf8")]);
  await checkAuthority(enrolled.url, ca, () => clock.now());
  const { csr, key } = await createSigningRequest(enrolled.name);
  const body: RenewBody = { csr };
  const call = { url: enrolled.url, ca, path: "/v1/renew", body, identity: { cert: identity, key: identity } };
  const granted = await askPatiently(call, clock);
  const certificate = checkGranted(granted, ca, key, enrolled.name);
  await writeAtomically(enrolled.identity, granted.certificate.trimEnd() + "\n" + key, 0o600);
  return Date.parse(certificate.validTo);
}

/**
 * Fetches the list of revoked certificates and puts it beside the authority's certificate.
 * @returns whether it is newer than the one that was there
 * @throws DriverError unauthorized when the authority did not sign it
 */
export async function refreshRevocations(caFile: string, url: string): Promise<boolean> {
  const ca = await readFile(caFile, "utf8");
  const fetched = JSON.stringify(await callAuthority({ url, ca, path: "/v1/revocations" }));
  // An authority that never revoked anything has nothing to sign.
  if ((JSON.parse(fetched) as { readonly number: number }).number === 0) return false;
  const list = parseRevocations(fetched, ca, url);
  if (list.number <= (await readRevocations(caFile)).number) return false;
  await writeAtomically(revocationFile(caFile), fetched, 0o644);
  return true;
}

async function askPatiently(call: Parameters<typeof callAuthority>[0], clock: Clock): Promise<Granted> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await callAuthority<Granted>(call);
    } catch (error) {
      if (attempt >= ATTEMPTS || !(error instanceof DriverError && error.code === "unreachable")) throw error;
      await clock.sleep(PAUSE_MS);
    }
  }
}

/** Nothing is written that would not work. */
function checkGranted(granted: Granted, ca: string, key: string, name: string): X509Certificate {
  const certificate = new X509Certificate(granted.certificate);
  const isGood =
    certificate.verify(new X509Certificate(ca).publicKey) &&
    certificate.checkPrivateKey(createPrivateKey(key)) &&
    certificate.subject.split("\n").includes(`CN=${name}`);
  if (isGood) return certificate;
  throw new DriverError("failed", "authority", `answered with a certificate that is not for the key of ${name}`, {
    remedy: "bring archipelago on both sides to the same version",
  });
}

/** Paths are relative to the file, so that an image can be prepared below another root. */
function renderConfig({ zone, role, listen, switchUrl }: EnrollOptions, name: string, url: string): string {
  const config = {
    host: name,
    zone,
    role,
    platform: "linux",
    listen,
    directory: "../../var/lib/archipelago",
    root: "../..",
    tls: { ca: "tls/ca.pem", certificate: "tls/agent.pem", key: "tls/agent.pem" },
    enrolment: { url },
    ...(switchUrl === undefined ? {} : { switch: { url: switchUrl } }),
    environment: {},
  };
  return `${JSON.stringify(config, undefined, 2)}\n`;
}
