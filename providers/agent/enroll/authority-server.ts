/**
 * The fleet's authority as a small HTTPS server: enrols invited hosts, renews certificates, tells what is revoked.
 *
 * Not for: keeping the authority (drivers/certificates.ts, issued.ts).
 *
 * Invariants
 * 1. It signs for a token that is valid, or for the holder of a certificate that is neither expired nor revoked; what it
 *    signs is what was granted, never what was asked for.
 * 2. Its own key lives in this process only and is certified anew with every start.
 */
import { X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { TLSSocket } from "node:tls";
import { DriverError } from "../../../sdk/model";
import { systemClock, type Clock } from "../../clock";
import { authorityFiles, createSigningRequest, keyFingerprint, signRequest } from "../../drivers/certificates";
import { errorToBody, PROTOCOL, PROTOCOL_HEADER, STATUS_OF_CODE, versionError } from "../control-protocol";
import { findRevocation, readRevocations, revocationFile } from "../revocations";
import { redeemInvitation } from "./invitations";
import { findIssued, issueOnRecord } from "./issued";
import { AUTHORITY_NAME, type EnrollBody, type Granted, type Hello, type RenewBody } from "./protocol";

export interface AuthorityOptions {
  /** Folder of the authority. */
  readonly directory: string;
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  /** Names and addresses under which hosts reach it. */
  readonly addresses: readonly string[];
  /** How long certificates of hosts are good. @default 30 days */
  readonly validMs?: number;
  /** @default systemClock */
  readonly clock?: Clock;
}

export interface RunningAuthority {
  readonly url: string;
  close(): Promise<void>;
}

const DAY_MS = 86_400_000;
const VALID_MS = 30 * DAY_MS;
/** The server's own certificate; it is certified anew long before. */
const OWN_VALID_MS = 30 * DAY_MS;
const BODY_LIMIT_BYTES = 64 * 1024;
const REQUEST_MS = 10_000;
const EMPTY_LIST = { v: 1, number: 0, entries: [], signature: "" } as const;

/** Starts the server. @throws Error EADDRINUSE, or ENOENT when the folder has no authority */
export async function startAuthority(options: AuthorityOptions): Promise<RunningAuthority> {
  const { directory, clock = systemClock, validMs = VALID_MS } = options;
  const files = authorityFiles(directory);
  const ca = await readFile(files.certificate, "utf8");

  async function certifyItself(): Promise<{ cert: string; key: string; ca: string }> {
    const { csr, key } = await createSigningRequest(AUTHORITY_NAME);
    const grant = { name: AUTHORITY_NAME, role: "authority", addresses: options.addresses } as const;
    const { certificate } = await signRequest(directory, csr, grant, { validMs: OWN_VALID_MS, nowMs: clock.now() });
    return { cert: `${certificate}\n${ca}`, key, ca };
  }

  async function enroll(body: EnrollBody): Promise<Granted> {
    const offer = { id: body.id, secret: body.secret, keyFingerprint: await keyFingerprint(body.csr) };
    const grant = await redeemInvitation(directory, offer, clock.now());
    const { certificate } = await issueOnRecord(directory, body.csr, grant, { validMs, nowMs: clock.now() });
    return { certificate, ca };
  }

  async function renew(body: RenewBody, socket: TLSSocket): Promise<Granted> {
    const serial = socket.authorized ? socket.getPeerCertificate().serialNumber : undefined;
    const record = serial === undefined ? undefined : await findIssued(directory, serial);
    if (!record) throw refuse("only a certificate that this authority issued, and that is still good, can be renewed");
    const revoked = findRevocation(await readRevocations(files.certificate), record.serial);
    if (revoked) throw refuse(`the certificate of ${record.name} was revoked: ${revoked.reason}`);
    const { certificate } = await issueOnRecord(directory, body.csr, record, { validMs, nowMs: clock.now() });
    return { certificate, ca };
  }

  async function answer(request: IncomingMessage): Promise<unknown> {
    const version = request.headers[PROTOCOL_HEADER];
    if (typeof version === "string" && version !== PROTOCOL) throw versionError("authority", PROTOCOL, version);
    switch (`${request.method ?? ""} ${request.url ?? ""}`) {
      case "GET /v1/hello":
        return { protocol: PROTOCOL, nowMs: clock.now() } satisfies Hello;
      case "GET /v1/revocations":
        return JSON.parse(
          await readFile(revocationFile(files.certificate), "utf8").catch(() => JSON.stringify(EMPTY_LIST)),
        );
      case "POST /v1/enroll":
        return enroll(await readBody(request, ["id", "secret", "csr"]));
      case "POST /v1/renew":
        return renew(await readBody(request, ["csr"]), request.socket as TLSSocket);
      default:
        throw new DriverError("unsupported", "authority", `has no call ${request.method ?? ""} ${request.url ?? ""}`);
    }
  }

  const server = createServer({
    ...(await certifyItself()),
    minVersion: "TLSv1.3",
    requestCert: true,
    // Hosts that enrol have no certificate yet; renew() looks at it.
    rejectUnauthorized: false,
    requestTimeout: REQUEST_MS,
  });
  server.on("request", (request: IncomingMessage, response: ServerResponse) => {
    answer(request).then(
      (result) => {
        send(response, 200, { result });
      },
      (error: unknown) => {
        const body = errorToBody(error, "authority");
        send(response, STATUS_OF_CODE[body.code], body);
      },
    );
  });
  server.on("tlsClientError", () => undefined);
  const opening = Promise.withResolvers<undefined>();
  server.once("error", opening.reject);
  server.listen(options.port, options.host, () => {
    opening.resolve(undefined);
  });
  await opening.promise;
  const certifying = setInterval(() => {
    certifyItself().then(
      (secrets) => {
        server.setSecureContext({ ...secrets, minVersion: "TLSv1.3" });
      },
      // The one in use is good for weeks; tomorrow it is tried again.
      () => undefined,
    );
  }, DAY_MS).unref();
  return {
    url: `https://${options.addresses[0] ?? options.host}:${String((server.address() as AddressInfo).port)}`,
    close: async () => {
      clearInterval(certifying);
      const closed = Promise.withResolvers<undefined>();
      server.close(() => {
        closed.resolve(undefined);
      });
      server.closeAllConnections();
      await closed.promise;
    },
  };
}

/** SHA-256 of an authority's certificate, hexadecimal. */
export function fingerprintOf(caPem: string): string {
  return new X509Certificate(caPem).fingerprint256.replaceAll(":", "").toLowerCase();
}

async function readBody<T>(request: IncomingMessage, fields: readonly (keyof T & string)[]): Promise<T> {
  let text = "";
  for await (const chunk of request as AsyncIterable<Buffer>) {
    text += chunk.toString("utf8");
    if (text.length > BODY_LIMIT_BYTES) throw new DriverError("refused", "authority", "body is larger than 64 KiB");
  }
  let body: Readonly<Record<string, unknown>> = {};
  try {
    body = (JSON.parse(text) ?? {}) as typeof body;
  } catch {
    // Not JSON: no field is there.
  }
  const missing = fields.filter((field) => typeof body[field] !== "string");
  if (missing.length === 0) return body as T;
  throw new DriverError("refused", "authority", `a call must carry ${missing.join(", ")}`);
}

function refuse(message: string): DriverError {
  return new DriverError("unauthorized", "authority", message, {
    remedy: "enrol the host again with a new token: `archipelago-agent authority invite`",
  });
}

function send(response: ServerResponse, status: number, body: unknown): void {
  const text = JSON.stringify(body);
  response.writeHead(status, {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(text),
    [PROTOCOL_HEADER]: PROTOCOL,
    connection: "close",
  });
  response.end(text);
}
