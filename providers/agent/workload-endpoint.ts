/**
 * HTTP calls of the agent to a workload on its own host: health, hooks and the hand-over contract
 * (docs/workload-contract.md).
 *
 * Not for: traffic; that goes through the switch.
 */
import { Agent, request as httpRequest, type IncomingMessage } from "node:http";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { DriverError, messageOf } from "../../sdk/model";

/** Where a copy serves. */
export interface WorkloadEndpoint {
  readonly replica: string;
  readonly port: number;
}

/** What a copy answered. */
export interface WorkloadAnswer {
  readonly status: number;
  readonly body: string;
}

const ANSWER_LIMIT_BYTES = 64 * 1024;
/** Copies serve on the loopback address of their host; the switch is what the outside sees. */
export const WORKLOAD_ADDRESS = "127.0.0.1";

const connections = new Agent({ keepAlive: true, maxFreeSockets: 2 });

/** One small call. @throws DriverError unreachable, timeout */
export async function callWorkload(
  endpoint: WorkloadEndpoint,
  method: "GET" | "POST",
  path: string,
  timeoutMs: number,
): Promise<WorkloadAnswer> {
  const response = await send(endpoint, method, path, timeoutMs);
  return { status: response.statusCode ?? 0, body: await readText(endpoint, path, response) };
}

/** Opens a stream of bytes from a copy. @throws DriverError failed for another status than 200 */
export async function openWorkloadStream(
  endpoint: WorkloadEndpoint,
  path: string,
  timeoutMs: number,
): Promise<Readable> {
  const response = await send(endpoint, "GET", path, timeoutMs);
  if (response.statusCode === 200) return response;
  throw refusal(endpoint, path, { status: response.statusCode ?? 0, body: await readText(endpoint, path, response) });
}

/** Sends a stream of bytes to a copy; its answer. @throws DriverError */
export async function sendWorkloadStream(
  endpoint: WorkloadEndpoint,
  path: string,
  content: Readable,
  timeoutMs: number,
): Promise<WorkloadAnswer> {
  const response = await send(endpoint, "POST", path, timeoutMs, content);
  return { status: response.statusCode ?? 0, body: await readText(endpoint, path, response) };
}

/** The error for an answer that is not 2xx. */
export function refusal(endpoint: WorkloadEndpoint, path: string, answer: WorkloadAnswer): DriverError {
  return new DriverError("failed", endpoint.replica, `answered ${path} with status ${String(answer.status)}`, {
    remedy: "see docs/workload-contract.md for what a copy must answer",
    ...(answer.body === "" ? {} : { output: answer.body }),
  });
}

async function send(
  endpoint: WorkloadEndpoint,
  method: "GET" | "POST",
  path: string,
  timeoutMs: number,
  content?: Readable,
): Promise<IncomingMessage> {
  const deadline = AbortSignal.timeout(timeoutMs);
  const received = Promise.withResolvers<IncomingMessage>();
  const request = httpRequest(
    {
      host: WORKLOAD_ADDRESS,
      port: endpoint.port,
      path,
      method,
      signal: deadline,
      // A kept connection may be closed by the copy just then, and neither a stream nor a POST can be sent twice.
      ...(method === "GET" ? { agent: connections } : { agent: false }),
      ...(method === "POST" && !content ? { headers: { "content-length": "0" } } : {}),
    },
    received.resolve,
  );
  request.on("error", received.reject);
  try {
    if (content) await Promise.all([pipeline(content, request), received.promise]);
    else request.end();
    return await received.promise;
  } catch (error) {
    received.promise.catch(() => undefined);
    request.destroy();
    throw toDriverError(endpoint, path, deadline.aborted ? timeoutMs : undefined, error);
  }
}

async function readText(endpoint: WorkloadEndpoint, path: string, response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      // The rest is read and dropped, so that the connection can be kept.
      if (bytes < ANSWER_LIMIT_BYTES) chunks.push(chunk);
      bytes += chunk.length;
    }
  } catch (error) {
    throw toDriverError(endpoint, path, undefined, error);
  }
  return Buffer.concat(chunks).subarray(0, ANSWER_LIMIT_BYTES).toString("utf8");
}

function toDriverError(
  endpoint: WorkloadEndpoint,
  path: string,
  timeoutMs: number | undefined,
  error: unknown,
): DriverError {
  if (timeoutMs !== undefined) {
    return new DriverError("timeout", endpoint.replica, `no answer to ${path} within ${String(timeoutMs)} ms`);
  }
  return new DriverError("unreachable", endpoint.replica, `no answer to ${path} (${messageOf(error)})`, {
    cause: error,
  });
}
