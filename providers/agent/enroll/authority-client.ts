/**
 * Calls to a fleet's authority, from a host.
 *
 * Invariant: a secret leaves the host only after the other side has proven to hold the certificate that the token names.
 */
import { X509Certificate } from "node:crypto";
import { request as httpsRequest, type RequestOptions } from "node:https";
import { checkServerIdentity, connect } from "node:tls";
import { DriverError, formatDurationShort, messageOf } from "../../../sdk/model";
import { errorFromBody, isDriverError, PROTOCOL, PROTOCOL_HEADER, versionError } from "../control-protocol";
import { fingerprintOf } from "./authority-server";
import { AUTHORITY_NAME, type Hello } from "./protocol";

const TIMEOUT_MS = 10_000;
/** Certificates tolerate this much; more would break the mutual trust of hosts. */
const CLOCK_TOLERANCE_MS = 4 * 60_000;

/**
 * The certificate of the authority that serves at the address, when it is the one meant.
 * @throws DriverError unauthorized for another authority, unreachable
 */
export async function fetchAuthority(url: string, fingerprint: string): Promise<string> {
  const { hostname, port } = new URL(url);
  const found = Promise.withResolvers<X509Certificate | undefined>();
  // Nothing is sent here: this only asks for the other side's certificates. All later calls verify them.
  const socket = connect({
    host: hostname,
    port: Number(port || 443),
    rejectUnauthorized: false,
    minVersion: "TLSv1.3",
  });
  socket.setTimeout(TIMEOUT_MS, () => {
    socket.destroy(new Error(`silent for ${formatDurationShort(TIMEOUT_MS)}`));
  });
  socket.once("error", found.reject);
  socket.once("secureConnect", () => {
    const { issuerCertificate } = socket.getPeerCertificate(true) as { issuerCertificate?: { raw: Buffer } };
    found.resolve(issuerCertificate && new X509Certificate(issuerCertificate.raw));
  });
  try {
    const ca = (await found.promise)?.toString();
    if (ca !== undefined && fingerprintOf(ca) === fingerprint) return ca;
  } catch (error) {
    throw unreachable(url, error);
  } finally {
    socket.destroy();
  }
  throw new DriverError("unauthorized", "authority", `${url} is served by another authority than the token names`, {
    remedy: "do not enrol there; check the address, and ask for a new token if the authority was replaced",
  });
}

/** Checks that both sides speak the same version and have the same time. @throws DriverError */
export async function checkAuthority(url: string, ca: string, nowMs: () => number): Promise<void> {
  // The clocks are compared first: with a wrong one, certificates look expired or not yet valid.
  const hello = await callAuthority<Hello>({ url, ca, path: "/v1/hello", isTimeUnknown: true });
  if (hello.protocol !== PROTOCOL) throw versionError("authority", hello.protocol, PROTOCOL);
  const skewMs = nowMs() - hello.nowMs;
  if (Math.abs(skewMs) <= CLOCK_TOLERANCE_MS) return;
  const text = `${formatDurationShort(Math.abs(skewMs))} ${skewMs > 0 ? "ahead of" : "behind"}`;
  throw new DriverError("refused", "clock", `of this host is ${text} that of the authority; nothing was changed`, {
    remedy: "set it (`timedatectl set-ntp true`), then run this again",
  });
}

/** One call. */
export interface AuthorityCall {
  readonly url: string;
  readonly ca: string;
  readonly path: string;
  readonly body?: unknown;
  /** Proves who calls, to renew. */
  readonly identity?: { readonly cert: string; readonly key: string };
  /** The clock may be wrong: a certificate of the authority counts whatever its dates are. */
  readonly isTimeUnknown?: boolean;
}

/** Calls the authority. @throws DriverError */
export async function callAuthority<T>(call: AuthorityCall): Promise<T> {
  const text = call.body === undefined ? undefined : JSON.stringify(call.body);
  const answered = Promise.withResolvers<{
    readonly status: number;
    readonly version?: string;
    readonly text: string;
  }>();
  const options: RequestOptions = {
    method: text === undefined ? "GET" : "POST",
    ca: call.ca,
    ...call.identity,
    agent: false,
    minVersion: "TLSv1.3",
    timeout: TIMEOUT_MS,
    rejectUnauthorized: !call.isTimeUnknown,
    headers: {
      [PROTOCOL_HEADER]: PROTOCOL,
      ...(text === undefined ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(text) }),
    },
    checkServerIdentity: (host, certificate) =>
      checkServerIdentity(host, certificate) ??
      (certificate.subject.CN === AUTHORITY_NAME ? undefined : new Error("certificate is not of the authority")),
  };
  const request = httpsRequest(new URL(call.path, call.url), options, (response) => {
    const chunks: Buffer[] = [];
    const version = response.headers[PROTOCOL_HEADER];
    const isTrusted = !call.isTimeUnknown || isOf(call.ca, response.socket);
    response.on("data", (chunk: Buffer) => chunks.push(chunk));
    response.once("error", answered.reject);
    response.once("end", () => {
      if (!isTrusted) answered.reject(new Error("certificate is not of the authority"));
      const result = { status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString("utf8") };
      answered.resolve(typeof version === "string" ? { ...result, version } : result);
    });
  });
  request.on("timeout", () => {
    request.destroy(new Error(`silent for ${formatDurationShort(TIMEOUT_MS)}`));
  });
  request.on("error", answered.reject);
  request.end(text);
  const answer = await answered.promise.catch((error: unknown) => {
    throw isDriverError(error) ? error : unreachable(call.url, error);
  });
  if (answer.version !== undefined && answer.version !== PROTOCOL) {
    throw versionError("authority", answer.version, PROTOCOL);
  }
  let body: unknown;
  try {
    body = JSON.parse(answer.text);
  } catch {
    body = undefined;
  }
  if (answer.status === 200) return (body as { readonly result: T }).result;
  throw errorFromBody(body, "authority", answer.status);
}

/** Whether the other side's certificate was signed by this authority, whatever the time is. */
function isOf(ca: string, socket: unknown): boolean {
  const certificate = (
    socket as { getPeerX509Certificate?: () => X509Certificate | undefined }
  ).getPeerX509Certificate?.();
  return certificate?.verify(new X509Certificate(ca).publicKey) === true;
}

function unreachable(url: string, error: unknown): DriverError {
  const code = (error as NodeJS.ErrnoException).code;
  return new DriverError("unreachable", "authority", `no answer from ${url} (${code ?? messageOf(error)})`, {
    remedy: "check that `archipelago-agent authority serve` runs there and that this host reaches it",
    cause: error,
  });
}
