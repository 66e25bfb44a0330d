/**
 * What goes over the wire between a controller and an agent or the switch: JSON over HTTPS with client certificates.
 *
 * `GET /v1/<read>?<arguments>` reads; `POST /v1/<mutation>` with a {@link MutationBody} changes. Both answer
 * `{"result": ...}` with status 200, or an {@link ErrorBody}. `GET /v1/several?calls=` with a JSON list of
 * {@link CalledRead} answers each with a line, a {@link ReadAnswer}, as soon as it is known.
 *
 * Not for: what single routes do.
 */
import { DriverError, isKind, messageOf, type DriverErrorCode, type Json } from "../../sdk/model";

/** Version of this protocol. Both sides name theirs; another one is refused before anything happens. */
export const PROTOCOL = "2";
/** Header in which both sides name their version; one that names none is of version 1. */
export const PROTOCOL_HEADER = "x-archipelago-protocol";

/** Name of the read of several reads. */
export const SEVERAL = "several";

/** A read and its arguments. */
export type CalledRead = readonly [name: string, args: Readonly<Record<string, string | number>>];

/** Answer of one of several reads. */
export type ReadAnswer =
  | { /** Place in the list. */ readonly call: number; readonly result: Json }
  | { readonly call: number; readonly error: ErrorBody };

/** Body of a mutating call: what makes it safe to repeat and to fence, and its arguments. */
export interface MutationBody {
  readonly key: string;
  readonly epoch: number;
  readonly owner: string;
  readonly args: Json;
}

/** Answer of a call that was refused or failed. */
export interface ErrorBody {
  readonly code: DriverErrorCode;
  readonly subject: string;
  readonly message: string;
  readonly remedy?: string;
  readonly output?: string;
}

/** Calls since the server's process started, refused and repeated ones included. `counters` itself is not counted. */
export interface Counters {
  readonly reads: number;
  readonly mutations: number;
}

/** The error of two sides that do not speak the same version. */
export function versionError(subject: string, server: string, caller: string): DriverError {
  return new DriverError(
    "unsupported",
    subject,
    `speaks protocol ${server} and its caller ${caller}; nothing was done`,
    {
      remedy: "bring archipelago on the host and where runs are started to the same version",
    },
  );
}

/** HTTP status of each error; the body's `code` is what counts. */
export const STATUS_OF_CODE: Readonly<Record<DriverErrorCode, number>> = {
  unreachable: 502,
  timeout: 504,
  "stale-epoch": 409,
  refused: 422,
  failed: 500,
  "not-found": 404,
  conflict: 409,
  unauthorized: 401,
  expired: 410,
  unsupported: 501,
};

/** An error as it travels. Anything but a DriverError is a defect of the server and travels as `failed`. */
export function errorToBody(error: unknown, subject: string): ErrorBody {
  if (!isDriverError(error)) return { code: "failed", subject, message: messageOf(error) };
  // The class puts subject and remedy into the message; they travel as fields and are put back on the other side.
  const prefix = `${error.subject}: `;
  const suffix = error.remedy === undefined ? "" : `; ${error.remedy}`;
  let message = error.message;
  if (message.startsWith(prefix)) message = message.slice(prefix.length);
  if (suffix !== "" && message.endsWith(suffix)) message = message.slice(0, -suffix.length);
  return {
    code: error.code,
    subject: error.subject,
    message,
    ...(error.remedy === undefined ? {} : { remedy: error.remedy }),
    ...(error.output === undefined ? {} : { output: error.output }),
  };
}

/** The error that a body stands for; a body that is none of ours becomes `failed`. */
export function errorFromBody(body: unknown, subject: string, status: number): DriverError {
  if (!isErrorBody(body)) {
    return new DriverError("failed", subject, `answered with status ${String(status)} and no reason`, {
      remedy: "check that both sides run the same version",
    });
  }
  return new DriverError(body.code, body.subject, body.message, {
    ...(body.remedy === undefined ? {} : { remedy: body.remedy }),
    ...(body.output === undefined ? {} : { output: body.output }),
  });
}

/** True for a DriverError, also one of another copy of the package. */
export function isDriverError(error: unknown): error is DriverError {
  return isKind(error, "DriverError");
}

function isErrorBody(body: unknown): body is ErrorBody {
  if (typeof body !== "object" || body === null) return false;
  const { code, subject, message } = body as Record<string, unknown>;
  return (
    typeof code === "string" && code in STATUS_OF_CODE && typeof subject === "string" && typeof message === "string"
  );
}
