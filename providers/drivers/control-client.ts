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
import { Agent } from "node:https";
import { checkServerIdentity } from "node:tls";
import { DriverError, messageOf, type Json } from "../../sdk/model";
import { SEVERAL, type MutationBody } from "../agent/control-protocol";
import { refuseRevoked } from "../agent/tls-files";
import { systemClock, type Clock } from "../clock";
import { readCallerTls, type CallerTls } from "./caller-tls";
import type { TlsFiles } from "./certificates";
import { ConnectionGate } from "./connection-gate";
import type { CallContext } from "./contracts";
import { exchange, exchangeLines, isRetryable, resultOf, toDriverError } from "./control-exchange";
import { ReadBatch } from "./read-batch";

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
const gate = new ConnectionGate(MOST_OPENING);

/** Makes a client; certificates are read at the first call. */
export function createControlClient(options: ControlClientOptions): ControlClient {
  const clock = options.clock ?? systemClock;
  let agent: Agent | undefined;
  let tls: CallerTls | undefined;
  let lookedAt = clock.monotonic();
  /** Over when the first exchange has its connection to spare, or has failed. */
  let first: Promise<unknown> | undefined;
  /** Reads that will be sent together. */
  let gathering: ReadBatch | undefined;

  /** With new certificates or revocations the next calls use connections of their own, calls under way end on theirs. */
  async function currentAgent(): Promise<Agent> {
    if (agent && clock.monotonic() - lookedAt < RELOAD_MS) return agent;
    const current = await readCallerTls(options.tls).catch((error: unknown) => {
      agent = undefined;
      throw new DriverError("unauthorized", options.subject, `cannot be called: ${messageOf(error)}`, {
        remedy: "check the files that tls names in the inventory",
        cause: error,
      });
    });
    lookedAt = clock.monotonic();
    if (!agent || current !== tls) agent = createAgent(current);
    tls = current;
    return agent;
  }

  function createAgent({ context, revocations }: CallerTls): Agent {
    return new Agent({
      secureContext: context,
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

  async function attemptMutation(path: string, body: string, timeoutMs: number, signal: AbortSignal): Promise<Json> {
    const shared = await currentAgent();
    const asked = { agent: shared, url: new URL(path, options.url), method: "POST", body, timeoutMs, signal };
    try {
      // Its answer may take minutes: others do not wait for it.
      const answer = await inTurn(signal, (onConnected, spare) =>
        exchange({
          ...asked,
          onConnected: () => {
            onConnected();
            spare();
          },
        }),
      );
      return resultOf(answer, options.subject);
    } catch (error) {
      throw toDriverError(error, options, timeoutMs);
    }
  }

  /** Reads that are asked for at the same moment, or while a connection is waited for, go in one request. */
  function attemptRead(
    name: string,
    args: Readonly<Record<string, string | number>>,
    timeoutMs: number,
    signal: AbortSignal,
  ): Promise<Json> {
    const read = { name, args, timeoutMs, signal };
    const batch = gathering?.hasRoomFor(read) === true ? gathering : new ReadBatch(options);
    const answer = batch.add(read);
    if (batch !== gathering) {
      gathering = batch;
      void sendReads(batch);
    }
    return answer;
  }

  async function sendReads(batch: ReadBatch): Promise<void> {
    try {
      const shared = await currentAgent();
      await inTurn(batch.signal, async (onConnected) => {
        if (gathering === batch) gathering = undefined;
        const url = new URL(`/v1/${SEVERAL}?${batch.begin()}`, options.url);
        const asked = { agent: shared, url, method: "GET", body: undefined, signal: batch.signal, onConnected };
        batch.end(
          await exchangeLines(asked, (line) => {
            batch.answer(line);
          }),
        );
      });
    } catch (error) {
      batch.fail(error);
    } finally {
      if (gathering === batch) gathering = undefined;
    }
  }

  /**
   * The first exchange opens a connection in its turn; those that are asked for meanwhile wait for it and use the same.
   * @param send told what to call once it is connected, and once its connection is of no more use to others
   */
  async function inTurn<T>(
    signal: AbortSignal,
    send: (onConnected: () => void, spare: () => void) => Promise<T>,
  ): Promise<T> {
    const nothing = (): void => undefined;
    if (first) {
      await first;
      return send(nothing, nothing);
    }
    const over = Promise.withResolvers<undefined>();
    const spare = (): void => {
      over.resolve(undefined);
    };
    first = over.promise;
    try {
      const leave = await gate.enter(signal);
      return await send(leave, spare).finally(leave);
    } finally {
      spare();
    }
  }

  async function patiently(
    attempt: (timeoutMs: number) => Promise<Json>,
    signal: AbortSignal,
    { attempts = ATTEMPTS, timeoutMs = TIMEOUT_MS }: CallLimits,
  ): Promise<Json> {
    for (let count = 1; ; count += 1) {
      try {
        return await attempt(timeoutMs);
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
    read: (name, args, signal, limits = {}) =>
      patiently((timeoutMs) => attemptRead(name, args, timeoutMs, signal), signal, limits),
    mutate: (name, args, { signal, ...context }, limits = {}) => {
      const body = JSON.stringify({ ...context, args } satisfies MutationBody);
      return patiently((timeoutMs) => attemptMutation(`/v1/${name}`, body, timeoutMs, signal), signal, limits);
    },
    close: () => {
      agent?.destroy();
      agent = undefined;
    },
  };
}
