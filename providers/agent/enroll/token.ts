/**
 * What an invited host is given: where the fleet's authority is, how to know it, and a secret that works once.
 *
 * Not for: keeping invitations (invitations.ts).
 */
import { MistakeError } from "../../../sdk/model";
import type { CertificateRole } from "../../drivers/certificates";

/** What a token says. */
export interface Token {
  readonly url: string;
  /** SHA-256 of the authority's certificate, hexadecimal: whoever answers there must have it. */
  readonly fingerprint: string;
  /** Host id, or the name of a switch or caller. */
  readonly name: string;
  /** What the certificate will be for. */
  readonly role: CertificateRole;
  /** Of the invitation. */
  readonly id: string;
  readonly secret: string;
}

const PREFIX = "archipelago-1.";

/** A token as one word. */
export function renderToken(token: Token): string {
  return PREFIX + Buffer.from(JSON.stringify(token)).toString("base64url");
}

/** @throws MistakeError; the token itself is not in its message */
export function parseToken(text: string): Token {
  const word = text.trim();
  if (word.startsWith(PREFIX)) {
    try {
      const token = JSON.parse(Buffer.from(word.slice(PREFIX.length), "base64url").toString("utf8")) as Partial<Token>;
      const parts = [token.url, token.fingerprint, token.name, token.role, token.id, token.secret];
      if (parts.every((part) => typeof part === "string" && part !== "")) return token as Token;
    } catch {
      // Cut off or mistyped: the same answer.
    }
  }
  throw MistakeError.of(
    "token",
    `${word.slice(0, PREFIX.length)}...`,
    "must be a whole token as `archipelago-agent authority invite` printed it",
    "copy it again, or ask for a new one",
  );
}
