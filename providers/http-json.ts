/**
 * Calls to monitoring systems that speak JSON over HTTP: with credentials from the environment, an own certificate
 * authority, a bound in time and size, and errors of the drivers' kind.
 *
 * Not for: agents and the switch, which speak mutual TLS (drivers/control-client.ts), and notices.
 *
 * Invariants
 * 1. Credentials come from the environment only, are sent by https or to this machine only, and are in no message.
 * 2. Redirects are not followed: credentials go where they were meant for.
 */
import { readFileSync } from "node:fs";
import { request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { DriverError, isKind, messageOf } from "../sdk/model";
import type { Clock } from "./clock";
import { systemClock } from "./clock";

/** Whom to call, and as whom. */
export interface HttpJsonOptions {
  /** Base URL; paths are put behind it. */
  readonly url: string;
  /** What it is, for messages, such as `Prometheus`. */
  readonly name: string;
  /**
   * Begin of the names of the environment's variables: `<prefix>_TOKEN` (bearer), `<prefix>_USERNAME` with
   * `<prefix>_PASSWORD` (basic), `<prefix>_CA` (path of a PEM file).
   */
  readonly environmentPrefix: string;
  /** @default the process's */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  readonly clock?: Clock;
  /** Bound of one call. @default 20 s */
  readonly timeoutMs?: number;
}

/** One call. */
export interface HttpJsonCall {
  readonly method: "GET" | "POST" | "DELETE";
  /** Below the base URL, beginning with a slash. */
  readonly path: string;
  /** Sent as a form. */
  readonly form?: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  readonly json?: unknown;
}

/** Calls one server. */
export interface HttpJsonClient {
  /** Name and address for people; without credentials. */
  readonly subject: string;
  /**
   * Answers with the parsed body of a 2xx, undefined when it is empty.
   * @throws DriverError unreachable, timeout, unauthorized, not-found, failed
   */
  call(call: HttpJsonCall, signal: AbortSignal): Promise<unknown>;
}

const DEFAULT_TIMEOUT_MS = 20_000;
const ATTEMPTS = 3;
const FIRST_WAIT_MS = 200;
/** Two weeks of 5-minute steps of some hundred workloads; more is a query without a bound. */
const LARGEST_ANSWER_BYTES = 128 * 2 ** 20;
/** Part of an answer that is told in an error. */
const TOLD_CHARACTERS = 300;
const LOOPBACK = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/;

interface Answer {
  readonly status: number;
  readonly text: string;
}

/** Makes a client; nothing is opened or read yet. */
export function createHttpJsonClient(options: HttpJsonOptions): HttpJsonClient {
  const { clock = systemClock } = options;
  const subject = `${options.name} ${withoutCredentials(options.url)}`;
  return {
    subject,
    call: async (call, signal) => {
      for (let attempt = 1; ; attempt += 1) {
        try {
          return readAnswer(await send(options, subject, call, signal), subject, options.environmentPrefix);
        } catch (error) {
          signal.throwIfAborted();
          if (attempt === ATTEMPTS || !isWorthRepeating(error)) throw error;
          await clock.sleep(FIRST_WAIT_MS * 2 ** (attempt - 1), signal);
          signal.throwIfAborted();
        }
      }
    },
  };
}

function isWorthRepeating(error: unknown): boolean {
  return isKind(error, "DriverError") && (error as DriverError).code === "unreachable";
}

function readAnswer({ status, text }: Answer, subject: string, prefix: string): unknown {
  if (status >= 200 && status < 300) {
    if (text.trim() === "") return undefined;
    try {
      return JSON.parse(text);
    } catch {
      throw new DriverError("failed", subject, `answered with no JSON: ${text.slice(0, TOLD_CHARACTERS)}`, {
        remedy: "check that the URL is that of the API and not of a login page",
      });
    }
  }
  if (status === 401 || status === 403) {
    throw new DriverError("unauthorized", subject, `refused the credentials (status ${String(status)})`, {
      remedy: `set ${prefix}_TOKEN, or ${prefix}_USERNAME and ${prefix}_PASSWORD, in the environment of this process`,
    });
  }
  const said = tellError(text);
  // What a proxy answers while its backend is away, and what asks to come again.
  const code = status >= 500 || status === 429 ? "unreachable" : status === 404 ? "not-found" : "failed";
  throw new DriverError(code, subject, `answered with status ${String(status)}${said === "" ? "" : `: ${said}`}`);
}

/** What an error's body says: the field `error` of Prometheus, the text of Alertmanager, or its beginning. */
function tellError(text: string): string {
  try {
    const body = JSON.parse(text) as unknown;
    if (typeof body === "string") return body.slice(0, TOLD_CHARACTERS);
    if (typeof body === "object" && body !== null && "error" in body)
      return String(body.error).slice(0, TOLD_CHARACTERS);
  } catch {
    // Not JSON: told as it is.
  }
  return text.trim().slice(0, TOLD_CHARACTERS);
}

async function send(
  options: HttpJsonOptions,
  subject: string,
  call: HttpJsonCall,
  signal: AbortSignal,
): Promise<Answer> {
  const { url, environmentPrefix, environment = process.env, timeoutMs = DEFAULT_TIMEOUT_MS } = options;
  const target = new URL(url.replace(/\/+$/, "") + call.path);
  const authorization = authorizationOf(target, environmentPrefix, environment, subject);
  const ca = readAuthority(environment[`${environmentPrefix}_CA`], `${environmentPrefix}_CA`, subject);
  const body =
    call.form !== undefined
      ? new URLSearchParams(call.form).toString()
      : call.json === undefined
        ? undefined
        : JSON.stringify(call.json);
  const isSecure = target.protocol === "https:";
  target.username = "";
  target.password = "";
  const timeout = AbortSignal.timeout(timeoutMs);
  try {
    return await new Promise<Answer>((resolve, reject) => {
      const request = (isSecure ? requestHttps : requestHttp)(
        target,
        {
          method: call.method,
          signal: AbortSignal.any([signal, timeout]),
          headers: {
            accept: "application/json",
            ...(authorization === undefined ? {} : { authorization }),
            ...(body === undefined
              ? {}
              : {
                  "content-type": call.form ? "application/x-www-form-urlencoded" : "application/json",
                  "content-length": Buffer.byteLength(body),
                }),
          },
          ...(ca === undefined ? {} : { ca }),
        },
        (response) => {
          const chunks: Buffer[] = [];
          let bytes = 0;
          response.on("data", (chunk: Buffer) => {
            bytes += chunk.length;
            if (bytes > LARGEST_ANSWER_BYTES) {
              request.destroy(
                new DriverError(
                  "failed",
                  subject,
                  `answered with more than ${String(LARGEST_ANSWER_BYTES / 2 ** 20)} MiB`,
                  {
                    remedy: "narrow the query, so that it answers with one series per workload",
                  },
                ),
              );
            } else chunks.push(chunk);
          });
          response.on("end", () => {
            resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString("utf8") });
          });
          response.on("error", reject);
        },
      );
      request.on("error", reject);
      request.end(body);
    });
  } catch (error) {
    signal.throwIfAborted();
    if (isKind(error, "DriverError")) throw error;
    if (timeout.aborted) {
      const remedy = "check that it is not overloaded, or narrow the query";
      throw new DriverError("timeout", subject, `no answer within ${String(timeoutMs / 1000)} s`, {
        remedy,
        cause: error,
      });
    }
    throw new DriverError("unreachable", subject, `cannot be reached: ${messageOf(error)}`, {
      remedy: "check its URL, and that it runs",
      cause: error,
    });
  }
}

/** The value of the header, from the environment. @throws DriverError unauthorized when it would be sent in the open */
function authorizationOf(
  target: URL,
  prefix: string,
  environment: Readonly<Record<string, string | undefined>>,
  subject: string,
): string | undefined {
  const token = environment[`${prefix}_TOKEN`];
  const username = environment[`${prefix}_USERNAME`];
  if (!token && !username) return undefined;
  if (target.protocol !== "https:" && !LOOPBACK.test(target.hostname)) {
    throw new DriverError("unauthorized", subject, "would get its credentials unencrypted, so they were not sent", {
      remedy: `use an https:// URL, or remove ${prefix}_${token ? "TOKEN" : "USERNAME"} from the environment`,
    });
  }
  if (token) return `Bearer ${token}`;
  const pair = `${username ?? ""}:${environment[`${prefix}_PASSWORD`] ?? ""}`;
  return `Basic ${Buffer.from(pair).toString("base64")}`;
}

function readAuthority(path: string | undefined, variable: string, subject: string): string | undefined {
  if (!path) return undefined;
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new DriverError("failed", subject, `${variable} (${path}) cannot be read: ${messageOf(error)}`, {
      remedy: "give the path of a PEM file with the certificate authority",
      cause: error,
    });
  }
}

function withoutCredentials(url: string): string {
  if (!URL.canParse(url)) return url;
  const { origin, pathname } = new URL(url);
  return origin + pathname.replace(/\/+$/, "");
}
