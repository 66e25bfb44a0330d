/**
 * One request to an agent or the switch: its bytes, its deadline, and every failure as a DriverError.
 *
 * Not for: attempts, keys and turns (control-client.ts).
 */
import { request as httpsRequest, type Agent } from "node:https";
import type { IncomingMessage } from "node:http";
import { DriverError, messageOf, type Json } from "../../sdk/model";
import { errorFromBody, isDriverError, PROTOCOL, PROTOCOL_HEADER, versionError } from "../agent/control-protocol";
import { certificateRemedy } from "../agent/tls-files";

/** Answers are listings and outputs of at most 64 KiB each. */
const ANSWER_LIMIT_BYTES = 64 * 1024 * 1024;
const TOO_LARGE = "the answer is larger than 64 MiB";

/** What is asked. */
export interface Exchange {
  readonly agent: Agent;
  readonly url: URL;
  readonly method: string;
  readonly body: string | undefined;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** Called once the handshake of a new connection is over; not for one that was open. */
  readonly onConnected: () => void;
}

/** What came back. */
export interface Answer {
  readonly status: number;
  /** Version of the protocol that the server names. */
  readonly version?: string;
  readonly text: string;
}

/** One request and its whole answer, within the deadline. */
export async function exchange(asked: Exchange): Promise<Answer> {
  const deadline = AbortSignal.timeout(asked.timeoutMs);
  try {
    const response = await open({ ...asked, signal: AbortSignal.any([asked.signal, deadline]) });
    const version = versionOf(response);
    return {
      status: response.statusCode ?? 0,
      text: await readText(response),
      ...(version === undefined ? {} : { version }),
    };
  } catch (error) {
    if (deadline.aborted) throw new DeadlineError();
    throw error;
  }
}

/**
 * One request whose answer is lines, told as they come; a server that refuses answers as to any other.
 * @returns the refusal, where it is one
 */
export async function exchangeLines(
  asked: Omit<Exchange, "timeoutMs">,
  onLine: (line: string) => void,
): Promise<Answer | undefined> {
  const response = await open(asked);
  const version = versionOf(response);
  const answer = { status: response.statusCode ?? 0, ...(version === undefined ? {} : { version }) };
  if (answer.status !== 200 || isOtherVersion(version)) return { ...answer, text: await readText(response) };
  let rest = "";
  let length = 0;
  response.setEncoding("utf8");
  for await (const text of response as AsyncIterable<string>) {
    length += text.length;
    if (length > ANSWER_LIMIT_BYTES) throw new Error(TOO_LARGE);
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) onLine(line);
  }
  return undefined;
}

async function open({
  agent,
  url,
  method,
  body,
  signal,
  onConnected,
}: Omit<Exchange, "timeoutMs">): Promise<IncomingMessage> {
  const received = Promise.withResolvers<IncomingMessage>();
  const request = httpsRequest(url, {
    agent,
    method,
    signal,
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
  return await received.promise;
}

function versionOf({ headers }: IncomingMessage): string | undefined {
  const version = headers[PROTOCOL_HEADER];
  return typeof version === "string" ? version : undefined;
}

function isOtherVersion(version: string | undefined): boolean {
  return version !== undefined && version !== PROTOCOL;
}

/** Marks the deadline's abort apart from the caller's. */
export class DeadlineError extends Error {}

async function readText(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > ANSWER_LIMIT_BYTES) throw new Error(TOO_LARGE);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

/** The result in an answer. @throws DriverError what it says instead */
export function resultOf(answer: Answer, subject: string): Json {
  if (answer.version !== undefined && isOtherVersion(answer.version))
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
export function toDriverError(
  error: unknown,
  options: { readonly subject: string; readonly url: string },
  timeoutMs: number,
): DriverError {
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

/** True for errors after which another attempt may succeed. */
export function isRetryable(error: unknown): boolean {
  return isDriverError(error) && (error.code === "unreachable" || error.code === "timeout");
}
