/**
 * Calls an agent or the switch over mutual TLS: keep-alive, a deadline for each call, bounded retries, and every
 * failure as a DriverError.
 *
 * Not for: what single calls mean (hosts/agent.ts, workloads/agent.ts, traffic/switch-driver.ts).
 *
 * Invariants
 * 1. A mutating call is retried with the same key only, so that it has one effect however often it is sent.
 * 2. A deadline counts from when the call may be sent: waiting for a turn to open a connection is not the host's.
 */
import { Agent, request as httpsRequest } from "node:https";
import type { IncomingMessage } from "node:http";
import { checkServerIdentity, createSecureContext, type SecureContext } from "node:tls";
import { DriverError, messageOf, type Json } from "../../sdk/model";
import {
  errorFromBody,
  isDriverError,
  PROTOCOL,
  PROTOCOL_HEADER,
  versionError,
  type MutationBody,
} from "../agent/control-protocol";
import { certificateRemedy, readTls, refuseRevoked, stampOf, type TlsMaterial } from "../agent/tls-files";
import { systemClock, type Clock } from "../clock";
import type { TlsFiles } from "./certificates";
import { ConnectionGate } from "./connection-gate";
import type { CallContext } from "./contracts";

export interface ControlClientOptions {
  readonly url: string;
  readonly tls: TlsFiles;
  /** Host id or `switch`: subject of errors. */
  readonly subject: string;
  /**
   * Name in the server's certificate; another host of the fleet that answers there instead is refused.
   * @default not checked beyond the fleet's authority and the address
   */
  readonly serverName?: string;
  /** @default systemClock */
  readonly clock?: Clock;
}

/** Bounds of a call. */
export interface CallLimits {
  /** Deadline of each attempt, milliseconds. @default 5000 */
  readonly timeoutMs?: number;
  /** Attempts in all. @default 3 */
  readonly attempts?: number;
}

export interface ControlClient {
  readonly url: string;
  /** @throws DriverError */
  read(
    name: string,
    args: Readonly<Record<string, string | number>>,
    signal: AbortSignal,
    limits?: CallLimits,
  ): Promise<Json>;
  /** @throws DriverError */
  mutate(name: string, args: Json, context: CallContext, limits?: CallLimits): Promise<Json>;
  /** Ends idle connections. */
  close(): void;
}

const TIMEOUT_MS = 5_000;
const ATTEMPTS = 3;
/** Waits between attempts; an agent that restarts is back within the sum. */
const BACKOFF_MS: readonly number[] = [100, 400];
const MAX_SOCKETS = 32;
/** How often changed certificates and revocations are looked for. */
const RELOAD_MS = 5_000;
/** Connections that this process opens at once: a slow machine opens as many within the shortest deadline. */
const MOST_OPENING = 16;
/** Answers are listings and outputs of at most 64 KiB each. */
const ANSWER_LIMIT_BYTES = 64 * 1024 * 1024;

const gate = new ConnectionGate(MOST_OPENING);

/** Makes a client; certificates are read at the first call. */
export function createControlClient(options: ControlClientOptions): ControlClient {
  const clock = options.clock ?? systemClock;
  let agent: Promise<Agent> | undefined;
  let usedStamp = "";
  let lookedAt = clock.monotonic();
  /** Over when the first exchange has its connection to spare, or has failed. */
  let first: Promise<unknown> | undefined;

  /** New certificates or revocations: the next calls use connections of their own, calls under way end on theirs. */
  async function dropStaleAgent(): Promise<void> {
    if (!agent || clock.monotonic() - lookedAt < RELOAD_MS) return;
    lookedAt = clock.monotonic();
    if ((await stampOf(options.tls)) !== usedStamp) agent = undefined;
  }

  async function openAgent(): Promise<Agent> {
    const { ca, cert, key, revocations, stamp } = await readTls(options.tls).catch((error: unknown) => {
      throw new DriverError("unauthorized", options.subject, `cannot be called: ${messageOf(error)}`, {
        remedy: "check the files that tls names in the inventory",
        cause: error,
      });
    });
    usedStamp = stamp;
    return new Agent({
      secureContext: contextOf(options.tls, { ca, cert, key, stamp }),
      keepAlive: true,
      maxSockets: MAX_SOCKETS,
      checkServerIdentity: (host, certificate) => {
        const mismatch = checkServerIdentity(host, certificate);
        if (mismatch) return mismatch;
        const name = certificate.subject.CN;
        if (options.serverName !== undefined && name !== options.serverName)
          return new Error(`certificate is of ${String(name)}, not of ${options.serverName}`);
        return refuseRevoked(revocations, certificate);
      },
    });
  }

  async function attempt(
    method: string,
    path: string,
    body: string | undefined,
    timeoutMs: number,
    signal: AbortSignal,
  ) {
    await dropStaleAgent();
    agent ??= openAgent();
    const opened = await agent.catch((error: unknown) => {
      agent = undefined;
      throw error;
    });
    const asked = { agent: opened, url: new URL(path, options.url), method, body, timeoutMs, signal };
    return await exchangeInTurn(asked).then(
      (answer) => resultOf(answer, options.subject),
      (error: unknown) => {
        throw toDriverError(error, options, timeoutMs);
      },
    );
  }

  /** The first exchange opens a connection in its turn; those that are asked for meanwhile wait for it and use the same. */
  async function exchangeInTurn(asked: Omit<Exchange, "onConnected">): Promise<Answer> {
    if (first) {
      await first;
      return exchange({ ...asked, onConnected: () => undefined });
    }
    const over = Promise.withResolvers<undefined>();
    first = over.promise;
    try {
      const leave = await gate.enter(asked.signal);
      const onConnected = (): void => {
        leave();
        // The answer to a read comes soon, and its connection is free again; other calls may take minutes.
        if (asked.method !== "GET") over.resolve(undefined);
      };
      return await exchange({ ...asked, onConnected }).finally(leave);
    } finally {
      over.resolve(undefined);
    }
  }

  async function call(
    method: string,
    path: string,
    body: string | undefined,
    signal: AbortSignal,
    limits: CallLimits,
  ): Promise<Json> {
    const attempts = limits.attempts ?? ATTEMPTS;
    for (let count = 1; ; count += 1) {
      try {
        return await attempt(method, path, body, limits.timeoutMs ?? TIMEOUT_MS, signal);
      } catch (error) {
        const isLast = count >= attempts || signal.aborted;
        if (isLast || !isRetryable(error)) throw error;
        // An abort during the wait makes the next attempt the last: it fails at once.
        await clock.sleep(BACKOFF_MS[Math.min(count, BACKOFF_MS.length) - 1] ?? 0, signal);
      }
    }
  }

  return {
    url: options.url,
    read: (name, args, signal, limits = {}) => {
      const query = new URLSearchParams(
        Object.entries(args).map(([key, value]): [string, string] => [key, String(value)]),
      );
      return call("GET", `/v1/${name}?${query.toString()}`, undefined, signal, limits);
    },
    mutate: (name, args, context, limits = {}) => {
      const body: MutationBody = { key: context.key, epoch: context.epoch, owner: context.owner, args };
      return call("POST", `/v1/${name}`, JSON.stringify(body), context.signal, limits);
    },
    close: () => {
      void agent?.then(
        (opened) => {
          opened.destroy();
        },
        () => undefined,
      );
      agent = undefined;
    },
  };
}

/** By paths: the hundreds of clients of one caller share one, which is work for a CPU to make. */
const contexts = new Map<string, { readonly stamp: string; readonly context: SecureContext }>();

function contextOf(files: TlsFiles, { ca, cert, key, stamp }: Omit<TlsMaterial, "revocations">): SecureContext {
  const name = JSON.stringify([files.ca, files.certificate, files.key]);
  const known = contexts.get(name);
  if (known?.stamp === stamp) return known.context;
  const context = createSecureContext({ ca, cert, key, minVersion: "TLSv1.3" });
  contexts.set(name, { stamp, context });
  return context;
}

interface Exchange {
  readonly agent: Agent;
  readonly url: URL;
  readonly method: string;
  readonly body: string | undefined;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** Called once the handshake of a new connection is over; not for one that was open. */
  readonly onConnected: () => void;
}

interface Answer {
  readonly status: number;
  /** Version of the protocol that the server names. */
  readonly version?: string;
  readonly text: string;
}

/** One request and its whole answer, within the deadline. */
async function exchange({ agent, url, method, body, timeoutMs, signal, onConnected }: Exchange): Promise<Answer> {
  const deadline = AbortSignal.timeout(timeoutMs);
  const received = Promise.withResolvers<IncomingMessage>();
  const request = httpsRequest(url, {
    agent,
    method,
    signal: AbortSignal.any([signal, deadline]),
    headers:
      body === undefined
        ? { [PROTOCOL_HEADER]: PROTOCOL }
        : {
            [PROTOCOL_HEADER]: PROTOCOL,
            "content-type": "application/json",
            "content-length": String(Buffer.byteLength(body)),
          },
  });
  request.on("response", received.resolve);
  request.on("error", received.reject);
  request.once("socket", (socket) => {
    if (!request.reusedSocket) socket.once("secureConnect", onConnected);
  });
  request.end(body);
  try {
    const response = await received.promise;
    const version = response.headers[PROTOCOL_HEADER];
    return {
      status: response.statusCode ?? 0,
      text: await readText(response),
      ...(typeof version === "string" ? { version } : {}),
    };
  } catch (error) {
    if (deadline.aborted) throw new DeadlineError();
    throw error;
  }
}

/** Marks the deadline's abort apart from the caller's. */
class DeadlineError extends Error {}

async function readText(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > ANSWER_LIMIT_BYTES) throw new Error("the answer is larger than 64 MiB");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function resultOf(answer: Answer, subject: string): Json {
  if (answer.version !== undefined && answer.version !== PROTOCOL)
    throw versionError(subject, answer.version, PROTOCOL);
  let body: unknown;
  try {
    body = JSON.parse(answer.text);
  } catch {
    body = undefined;
  }
  if (answer.status === 200 && typeof body === "object" && body !== null && "result" in body)
    return body.result as Json;
  throw errorFromBody(body, subject, answer.status);
}

/** What the network or TLS said, in the words of the contract. */
function toDriverError(error: unknown, options: ControlClientOptions, timeoutMs: number): DriverError {
  if (isDriverError(error)) return error;
  if (error instanceof DeadlineError) {
    return new DriverError("timeout", options.subject, `no answer from ${options.url} within ${String(timeoutMs)} ms`, {
      remedy: "check that the host is up and not overloaded",
    });
  }
  const code = (error as NodeJS.ErrnoException | undefined)?.code ?? "";
  if (isCertificateError(code, messageOf(error))) {
    return new DriverError(
      "unauthorized",
      options.subject,
      `${options.url} and this caller do not trust each other (${messageOf(error)})`,
      { remedy: certificateRemedy(code), cause: error },
    );
  }
  return new DriverError(
    "unreachable",
    options.subject,
    `no answer from ${options.url} (${code || messageOf(error)})`,
    {
      remedy: "check that the host and its archipelago-agent are up",
      cause: error,
    },
  );
}

/** Codes of OpenSSL's verification and of Node's name check; TLS alerts come as text. */
function isCertificateError(code: string, message: string): boolean {
  return (
    /CERT|SIGNATURE|SELF_SIGNED|ISSUER/.test(code) ||
    /certificate is of|is no list of revoked|alert.*(certificate|unknown ca)/i.test(message)
  );
}

function isRetryable(error: unknown): boolean {
  return isDriverError(error) && (error.code === "unreachable" || error.code === "timeout");
}
