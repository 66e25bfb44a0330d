/**
 * Which headers pass the switch (RFC 9110, section 7.6.1: hop-by-hop fields end at each hop).
 *
 * Not for: framing of bodies; `content-length` passes as it came, `transfer-encoding` is written anew.
 *
 * Invariant: lists are flat, `[name, value, name, value, ...]`, in the order received and with repetitions, because
 * node reads and writes that form without building objects.
 */
import type { IncomingMessage } from "node:http";

const HOP_BY_HOP: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/**
 * True when the request says that a body follows: otherwise it ends with its head (RFC 9112, section 6.3).
 */
export function hasBody(request: IncomingMessage): boolean {
  const { headers } = request;
  return (
    headers["transfer-encoding"] !== undefined ||
    (headers["content-length"] !== undefined && headers["content-length"] !== "0")
  );
}

/** Headers to send to a backend for a client's request. */
export function forwardRequestHeaders(request: IncomingMessage): string[] {
  const client = request.socket.remoteAddress ?? "unknown";
  const dropped = namedByConnection(request.headers.connection);
  const forwarded: string[] = [];
  const raw = request.rawHeaders;
  let isForwardedFor = false;
  let hasLength = false;
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = raw[i] as string;
    const lower = name.toLowerCase();
    if (HOP_BY_HOP.has(lower) || dropped?.has(lower)) continue;
    // The switch answers the expectation itself, when it is ready to take the body (see exchange.ts).
    if (lower === "expect") continue;
    if (lower === "content-length") hasLength = true;
    if (lower === "x-forwarded-for") {
      if (isForwardedFor) continue;
      isForwardedFor = true;
      // IncomingMessage has joined repeated ones already.
      forwarded.push(name, `${String(request.headers["x-forwarded-for"])}, ${client}`);
      continue;
    }
    forwarded.push(name, raw[i + 1] as string);
  }
  if (!isForwardedFor) forwarded.push("X-Forwarded-For", client);
  if (request.headers["transfer-encoding"] !== undefined) {
    forwarded.push("Transfer-Encoding", "chunked");
  } else if (!hasLength && BODY_METHODS.has(request.method ?? "")) {
    // Without it node would announce chunks for a request that has no body.
    forwarded.push("Content-Length", "0");
  }
  return forwarded;
}

/** Headers of a backend's answer to pass to the client. */
export function forwardResponseHeaders(answer: IncomingMessage): string[] {
  const dropped = namedByConnection(answer.headers.connection);
  const forwarded: string[] = [];
  const raw = answer.rawHeaders;
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = raw[i] as string;
    const lower = name.toLowerCase();
    if (HOP_BY_HOP.has(lower) || dropped?.has(lower)) continue;
    forwarded.push(name, raw[i + 1] as string);
  }
  return forwarded;
}

const BODY_METHODS: ReadonlySet<string> = new Set(["POST", "PUT", "PATCH"]);

/** Further hop-by-hop headers that `Connection` names; undefined in the usual cases. */
function namedByConnection(connection: string | undefined): ReadonlySet<string> | undefined {
  if (connection === undefined || connection === "keep-alive" || connection === "close") return undefined;
  return new Set(connection.split(",").map((name) => name.trim().toLowerCase()));
}
