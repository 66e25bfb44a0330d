/**
 * A small JSON server with mutual TLS for agents and for the switch: a table of reads and of mutating calls, the
 * latter fenced, idempotent and counted. It knows nothing of hosts or services.
 *
 * Not for: traffic of services, and large uploads; a read may stream its answer.
 *
 * Invariants
 * 1. A caller without a certificate of the fleet's authority gets status 401 and reaches no route; the role in its
 *    certificate must be one the route allows. A revoked certificate is refused at the next call, on connections that
 *    are open already as well.
 * 2. A mutating call with an epoch below the highest seen of its resource has no effect (`stale-epoch`); the highest
 *    is on disk before an effect begins.
 * 3. A key that was answered is answered with the same result, without a second effect; a key under way is joined.
 *    Errors are not kept: after one the caller may try again with the same key, so effects look before they act.
 * 4. New certificates and a new list of revoked ones are used without a restart; no connection breaks for them.
 */
import { createServer, type Server } from "node:https";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createSecureContext, type TLSSocket } from "node:tls";
import { DriverError, messageOf, type Json } from "../../sdk/model";
import { CallLedger } from "./call-ledger";
import {
  errorToBody,
  PROTOCOL,
  PROTOCOL_HEADER,
  SEVERAL,
  STATUS_OF_CODE,
  versionError,
  type CalledRead,
  type Counters,
  type ErrorBody,
  type MutationBody,
  type ReadAnswer,
} from "./control-protocol";
import { certificateRemedy, readTls, revocationReason, stampOf, type TlsMaterial } from "./tls-files";

/** Role in the caller's certificate (its OU). `client` is a controller. */
export type CallerRole = "agent" | "switch" | "client";

/** Who calls, proven by the certificate. */
export interface Caller {
  readonly name: string;
  readonly role: CallerRole;
}

/** Arguments of a read, from the query string. */
export type ReadArguments = Readonly<Record<string, string>>;

/** A read. It changes nothing. */
export interface ReadRoute {
  /** @default ["client"] */
  readonly roles?: readonly CallerRole[];
  /** Answers with JSON, or with a stream of bytes that is sent as it is. */
  readonly answer: (args: ReadArguments, caller: Caller, signal: AbortSignal) => Promise<Json | Readable>;
}

/** What a mutating call carries besides its arguments. */
export interface MutationContext {
  readonly key: string;
  readonly epoch: number;
  readonly owner: string;
}

/** A mutating call. Only controllers may make it. */
export interface MutationRoute {
  /** What the epoch belongs to, such as `host` or `run/<id>`; calls on it by older epochs are refused. */
  readonly resource: (args: Json, context: MutationContext) => string;
  readonly apply: (args: Json, context: MutationContext) => Promise<Json>;
}

export interface ControlServerOptions {
  /** Host id or `switch`; the subject of errors. */
  readonly subject: string;
  /** How often changed certificates and revocations are looked for. @default 5000 */
  readonly reloadMs?: number;
  readonly tls: { readonly ca: string; readonly certificate: string; readonly key: string };
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  /** Where epochs and results are kept. Made when it is not there. */
  readonly stateFile: string;
  /** By name: `GET /v1/<name>`. `counters` and `fence?resource=` (the highest epoch seen) are there by themselves. */
  readonly reads: Readonly<Record<string, ReadRoute>>;
  /** By name: `POST /v1/<name>`. */
  readonly mutations: Readonly<Record<string, MutationRoute>>;
  /**
   * Runs once the port is held and before the first call is answered; calls wait for it. The port is the lock that
   * keeps two processes off the same state, so what is recovered from disk is recovered here.
   */
  readonly prepare?: () => Promise<void>;
}

export interface ControlServer {
  /**
   * Starts to serve; answers with its URL.
   * @throws Error EADDRINUSE, or ENOENT for a missing certificate
   */
  listen(): Promise<string>;
  counters(): Counters;
  /** Takes no new call, ends idle connections, and resolves when the calls under way are answered. */
  close(): Promise<void>;
}

/** Arguments are paths, specs and commands: small. */
const BODY_LIMIT_BYTES = 1024 * 1024;
/** Reads carry their arguments in the URL: room for a long check command. */
const HEADER_LIMIT_BYTES = 64 * 1024;
/** Longer than the client keeps idle connections, so that it is the client who closes first and no call meets a reset. */
const KEEP_ALIVE_MS = 30_000;

/** How long `close` waits for mutating calls under way, and then for reads before it cuts their connections. */
const CLOSING_MS = 2_000;

const RELOAD_MS = 5_000;

/** Makes a server; see the file's header. */
export function createControlServer(options: ControlServerOptions): ControlServer {
  const counters = { reads: 0, mutations: 0 };
  const underWay = new Map<string, Promise<Json>>();
  /** Who is at the other end of each connection, or why it is refused. */
  const callers = new WeakMap<Socket, (Caller & { readonly serial: string }) | DriverError>();
  let material: TlsMaterial | undefined;
  let reloading: NodeJS.Timeout | undefined;
  let server: Server | undefined;
  let ledger: CallLedger | undefined;
  let isClosing = false;
  const prepared = Promise.withResolvers<undefined>();

  const reads: Readonly<Record<string, ReadRoute>> = {
    ...options.reads,
    counters: { answer: () => Promise.resolve({ ...counters }) },
    fence: { answer: (args) => Promise.resolve({ epoch: ledger?.epochOf(args["resource"] ?? "") ?? null }) },
  };

  async function respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const caller = callers.get(request.socket);
    if (!caller) throw refuseCaller(options.subject, "it was not checked");
    if (caller instanceof DriverError) throw caller;
    const revoked = material && revocationReason(material.revocations, caller.serial);
    if (revoked !== undefined) throw refuseCaller(options.subject, revoked);
    const version = request.headers[PROTOCOL_HEADER];
    if (typeof version === "string" && version !== PROTOCOL) throw versionError(options.subject, PROTOCOL, version);
    await prepared.promise;
    const url = new URL(request.url ?? "/", "https://agent");
    const name = /^\/v1\/([a-z-]+)$/.exec(url.pathname)?.[1] ?? "";
    if (request.method === "GET" && name === SEVERAL) {
      await respondSeveral(response, caller, parseCalls(options.subject, url.searchParams.get("calls")));
      return;
    }
    if (request.method === "GET" && Object.hasOwn(reads, name)) {
      const args = Object.fromEntries(url.searchParams);
      await sendAnswer(response, await answerRead(name, args, caller, closingOf(response)));
      return;
    }
    const mutation =
      request.method === "POST" && Object.hasOwn(options.mutations, name) ? options.mutations[name] : undefined;
    if (!mutation) throw unknownCall(`${request.method ?? ""} ${name}`);
    counters.mutations += 1;
    requireRole(options.subject, name, caller, ["client"]);
    await sendAnswer(response, await mutate(name, mutation, parseMutation(options.subject, await readBody(request))));
  }

  async function answerRead(
    name: string,
    args: ReadArguments,
    caller: Caller,
    signal: AbortSignal,
  ): Promise<Json | Readable> {
    const read = Object.hasOwn(reads, name) ? reads[name] : undefined;
    if (!read) throw unknownCall(`GET ${name}`);
    requireRole(options.subject, name, caller, read.roles ?? ["client"]);
    if (name !== "counters") counters.reads += 1;
    return await read.answer(args, caller, signal);
  }

  /** Answers come as soon as they are known: a slow one holds no other up. */
  async function respondSeveral(
    response: ServerResponse,
    caller: Caller,
    calls: readonly (readonly [string, ReadArguments])[],
  ): Promise<void> {
    const signal = closingOf(response);
    response.writeHead(200, { "content-type": "application/x-ndjson" });
    await Promise.all(
      calls.map(async ([name, args], call) => {
        const answer = await answerRead(name, args, caller, signal).then(
          (result): ReadAnswer => {
            if (!(result instanceof Readable)) return { call, result };
            result.destroy();
            return { call, error: errorToBody(unknownCall(`GET ${name} among several`), options.subject) };
          },
          (error: unknown): ReadAnswer => ({ call, error: errorToBody(error, options.subject) }),
        );
        response.write(`${JSON.stringify(answer)}\n`);
      }),
    );
    response.end();
  }

  function unknownCall(call: string): DriverError {
    return new DriverError("unsupported", options.subject, `has no call ${call}`);
  }

  async function mutate(route: string, mutation: MutationRoute, body: MutationBody): Promise<Json> {
    if (!ledger || isClosing) throw new DriverError("unreachable", options.subject, "is ending");
    const { args, ...context } = body;
    const resource = mutation.resource(args, context);
    if (!(await ledger.admitEpoch(resource, context.epoch))) {
      throw new DriverError(
        "stale-epoch",
        options.subject,
        `${route} with epoch ${String(context.epoch)} of ${resource} is refused: epoch ${String(ledger.epochOf(resource))} was seen`,
        { remedy: "a newer owner carries on; nothing has to be done here" },
      );
    }
    const recorded = ledger.callOf(context.key);
    if (recorded && recorded.route !== route) {
      throw new DriverError("conflict", options.subject, `key ${context.key} was used for ${recorded.route} before`);
    }
    if (recorded) return recorded.result;
    const joined = underWay.get(context.key);
    if (joined) return await joined;
    const call = carryOut(ledger, route, mutation, body).finally(() => underWay.delete(context.key));
    underWay.set(context.key, call);
    return await call;
  }

  async function listen(): Promise<string> {
    material = await readTls(options.tls);
    const { ca, cert, key } = material;
    const created = createServer({
      ca,
      cert,
      key,
      minVersion: "TLSv1.3",
      requestCert: true,
      // Checked in respond(): a refusal there can say what is wrong, one in the handshake cannot.
      rejectUnauthorized: false,
      maxHeaderSize: HEADER_LIMIT_BYTES,
      keepAliveTimeout: KEEP_ALIVE_MS,
    });
    created.on("secureConnection", (socket: TLSSocket) => {
      callers.set(socket, callerOf(options.subject, socket));
    });
    created.on("request", (request: IncomingMessage, response: ServerResponse) => {
      response.setHeader(PROTOCOL_HEADER, PROTOCOL);
      respond(request, response).catch((error: unknown) => {
        sendError(response, errorToBody(error, options.subject));
      });
    });
    created.on("tlsClientError", () => undefined); // A scan or a plain HTTP call; the socket is closed already.
    const opening = Promise.withResolvers<undefined>();
    created.once("error", opening.reject);
    created.listen(options.port, options.host, () => {
      opening.resolve(undefined);
    });
    await opening.promise;
    created.off("error", opening.reject);
    server = created;
    reloading = setInterval(() => {
      // What is half-written or wrong is looked at again the next time; until then the last good files hold.
      reload(created).catch(() => undefined);
    }, options.reloadMs ?? RELOAD_MS).unref();
    ledger = await CallLedger.open(options.stateFile);
    await options.prepare?.();
    prepared.resolve(undefined);
    return `https://${options.host}:${String((created.address() as AddressInfo).port)}`;
  }

  async function reload(serving: Server): Promise<void> {
    if ((await stampOf(options.tls)) === material?.stamp) return;
    const { ca, cert, key } = (material = await checkedTls(options.tls));
    serving.setSecureContext({ ca, cert, key, minVersion: "TLSv1.3" });
  }

  async function close(): Promise<void> {
    isClosing = true;
    clearInterval(reloading);
    // The port is given up last: it keeps another process off the state while calls here may still change it.
    await settledWithin(underWay.values(), CLOSING_MS);
    const closing = server;
    server = undefined;
    if (closing) {
      const closed = Promise.withResolvers<undefined>();
      closing.close(() => {
        closed.resolve(undefined);
      });
      closing.closeIdleConnections();
      const patience = setTimeout(() => {
        closing.closeAllConnections();
      }, CLOSING_MS);
      await closed.promise;
      clearTimeout(patience);
    }
    await ledger?.close();
    ledger = undefined;
  }

  return { listen, close, counters: () => ({ ...counters }) };
}

/** Reads certificates that are to replace good ones: a certificate and a key that belong together. */
async function checkedTls(tls: ControlServerOptions["tls"]): Promise<TlsMaterial> {
  const material = await readTls(tls);
  createSecureContext(material);
  return material;
}

async function settledWithin(calls: Iterable<Promise<unknown>>, patienceMs: number): Promise<void> {
  const patience = Promise.withResolvers<undefined>();
  const timer = setTimeout(patience.resolve, patienceMs, undefined);
  await Promise.race([Promise.allSettled(calls), patience.promise]);
  clearTimeout(timer);
}

async function carryOut(
  ledger: CallLedger,
  route: string,
  mutation: MutationRoute,
  { args, ...context }: MutationBody,
): Promise<Json> {
  const result = await mutation.apply(args, context);
  await ledger.record({ key: context.key, route, result });
  return result;
}

function callerOf(subject: string, socket: TLSSocket): (Caller & { readonly serial: string }) | DriverError {
  const certificate = socket.getPeerCertificate();
  if (Object.keys(certificate).length === 0) return refuseCaller(subject, undefined);
  if (!socket.authorized) {
    // Typed as an Error, but OpenSSL's reason arrives as a string.
    const reason: unknown = socket.authorizationError;
    return refuseCaller(subject, messageOf(reason));
  }
  const { CN, OU } = certificate.subject;
  const role = Array.isArray(OU) ? OU[0] : OU;
  const name = Array.isArray(CN) ? CN[0] : CN;
  if (name === undefined || (role !== "agent" && role !== "switch" && role !== "client")) {
    return refuseCaller(subject, "it names no role");
  }
  return { name, role, serial: certificate.serialNumber };
}

/** Aborts when whoever asked is gone. */
function closingOf(response: ServerResponse): AbortSignal {
  const abort = new AbortController();
  response.once("close", () => {
    abort.abort();
  });
  return abort.signal;
}

function parseCalls(subject: string, text: string | null): readonly (readonly [string, ReadArguments])[] {
  try {
    const calls = JSON.parse(text ?? "") as readonly CalledRead[];
    return calls.map(([name, args]) => [
      name,
      Object.fromEntries(Object.entries(args).map(([key, value]) => [key, String(value)])),
    ]);
  } catch (error) {
    throw new DriverError("refused", subject, "calls must be a JSON list of [name, arguments]", { cause: error });
  }
}

function refuseCaller(subject: string, reason: string | undefined): DriverError {
  const text = reason === undefined ? "refuses callers without a certificate" : `refuses this certificate (${reason})`;
  return new DriverError("unauthorized", subject, text, {
    remedy: certificateRemedy(reason),
  });
}

function requireRole(subject: string, route: string, caller: Caller, roles: readonly CallerRole[]): void {
  if (roles.includes(caller.role)) return;
  throw new DriverError("unauthorized", subject, `${route} is not for ${caller.role} ${caller.name}`, {
    remedy: `call with a certificate of role ${roles.join(" or ")}`,
  });
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > BODY_LIMIT_BYTES) throw new DriverError("refused", "request", "body is larger than 1 MiB");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function parseMutation(subject: string, text: string): MutationBody {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch (error) {
    throw new DriverError("refused", subject, "body must be JSON", { cause: error });
  }
  const { key, epoch, owner, args } = (body ?? {}) as Record<string, unknown>;
  if (typeof key !== "string" || key === "" || typeof owner !== "string" || !Number.isSafeInteger(epoch)) {
    throw new DriverError("refused", subject, "a mutating call must carry key, epoch and owner");
  }
  return { key, owner, epoch: epoch as number, args: (args ?? null) as Json };
}

async function sendAnswer(response: ServerResponse, answer: Json | Readable): Promise<void> {
  if (answer instanceof Readable) {
    response.writeHead(200, { "content-type": "application/octet-stream" });
    // A break in the middle ends the connection: the reader sees a torn stream, never a short one.
    await pipeline(answer, response);
    return;
  }
  const text = JSON.stringify({ result: answer });
  response.writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(text) });
  response.end(text);
}

function sendError(response: ServerResponse, body: ErrorBody): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  // A body that was not read would be taken for the next request: such a connection is not kept.
  const text = JSON.stringify(body);
  response.writeHead(STATUS_OF_CODE[body.code], {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(text),
    ...(response.req.complete ? {} : { connection: "close" }),
  });
  response.end(text);
}
