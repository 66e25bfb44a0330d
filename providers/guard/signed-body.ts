/**
 * Signature of what is sent to webhooks, by a shared secret and with its time, so that it cannot be sent again later.
 */
import { createHmac } from "node:crypto";

/** Header with the signature. */
export const SIGNATURE_HEADER = "archipelago-signature";

/** `t=<seconds since the epoch>,v1=<hex HMAC-SHA256 of "<t>.<body>">`. */
export function signBody(body: string, secret: string, nowMs: number): string {
  const seconds = String(Math.floor(nowMs / 1000));
  return `t=${seconds},v1=${createHmac("sha256", secret).update(`${seconds}.${body}`).digest("hex")}`;
}
