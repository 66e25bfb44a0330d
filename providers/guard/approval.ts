/**
 * Approvals: signed statements that the envelope with a certain digest may be carried out until some time. Signing and
 * judging them; pure but for the cryptography.
 *
 * Not for: where approvals come from (approvals.ts).
 *
 * Invariants
 * 1. The signature covers everything that is said: digest, who, why, from when and until when.
 * 2. A public key of another kind, a wrong key, another digest and a time that is over never count.
 * 3. Messages never show secrets or private keys.
 */
import { createHmac, createPrivateKey, createPublicKey, sign, timingSafeEqual, verify } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { canonicalJson, MistakeError } from "../../sdk/model";
import type { Approval, ApprovalSpec } from "../../sdk/model";

/** Signed texts begin with it, so that a signature over something else can never be one over an approval. */
const DOMAIN = "archipelago approval 1\n";
/** Clocks of who approves and who runs may differ by this. */
const CLOCK_TOLERANCE_MS = 60_000;
/** Digits of a digest that are shown. */
const SHOWN_DIGITS = 12;

/** What an approval says, before it is signed. */
export type ApprovalStatement = Omit<Approval, "v" | "signature">;

/** What a run wants to be approved, and by whom. */
export interface ApprovalWish {
  readonly digest: string;
  readonly keys: ApprovalSpec["keys"];
  /** Secret that the webhook and this process share. */
  readonly secret?: string | undefined;
  readonly nowMs: number;
}

/** Whether an approval counts. */
export type ApprovalVerdict =
  { readonly kind: "approved"; readonly by: string } | { readonly kind: "refused"; readonly reason: string };

/**
 * Signs with an ed25519 private key.
 * @param privateKey PEM
 * @throws MistakeError for a key that is none, or of another kind
 */
export function signApproval(statement: ApprovalStatement, privateKey: string): Approval {
  const value = sign(null, Buffer.from(approvalText(statement)), readPrivateKey(privateKey)).toString("base64");
  return { v: 1, ...statement, signature: { kind: "ed25519", value } };
}

/** Signs with a shared secret; what a webhook does for its answer. */
export function signApprovalBySecret(statement: ApprovalStatement, secret: string): Approval {
  return { v: 1, ...statement, signature: { kind: "hmac", value: hmacOf(statement, secret).toString("base64") } };
}

/** The exact text that is signed. */
function approvalText({ digest, by, why, at, expiresAt }: ApprovalStatement): string {
  return DOMAIN + canonicalJson({ v: 1, digest, by, why, at, expiresAt });
}

/** Reads an approval that came from outside; undefined when it is none. */
export function parseApproval(content: string): Approval | undefined {
  try {
    const found = JSON.parse(content) as Partial<Approval> | null;
    const { signature } = found ?? {};
    const isWhole =
      found?.v === 1 &&
      [found.digest, found.by, found.why, signature?.value].every((text) => typeof text === "string") &&
      [found.at, found.expiresAt].every(Number.isFinite) &&
      (signature?.kind === "ed25519" || signature?.kind === "hmac");
    return isWhole ? (found as Approval) : undefined;
  } catch {
    return undefined;
  }
}

/** Judges one approval. */
export function judgeApproval(approval: Approval, wish: ApprovalWish): ApprovalVerdict {
  const { digest, by, at, expiresAt } = approval;
  const name = findSigner(approval, wish);
  const claim = `the approval by ${by}`;
  if (name === undefined) return { kind: "refused", reason: `${claim} ${describeWrongSigner(approval, wish)}` };
  if (digest !== wish.digest) {
    return {
      kind: "refused",
      reason: `${claim} is for the plan ${shortOf(digest)}, and this one is ${shortOf(wish.digest)}: the plan has changed since, or it is for another run`,
    };
  }
  if (expiresAt <= wish.nowMs) {
    return { kind: "refused", reason: `${claim} expired at ${new Date(expiresAt).toISOString()}` };
  }
  if (at > wish.nowMs + CLOCK_TOLERANCE_MS) {
    return {
      kind: "refused",
      reason: `${claim} is from the future (${new Date(at).toISOString()}); a clock is wrong`,
    };
  }
  return { kind: "approved", by: name === by ? by : `${by} (key ${name})` };
}

/** The first digits of a digest, for people. */
export function shortOf(digest: string): string {
  return digest.slice(0, SHOWN_DIGITS);
}

/** Name of the key that has signed, or of the webhook; undefined when none of those that may approve has. */
function findSigner(approval: Approval, { keys, secret }: ApprovalWish): string | undefined {
  const { signature } = approval;
  const value = Buffer.from(signature.value, "base64");
  if (signature.kind === "hmac") {
    if (secret === undefined || secret === "") return undefined;
    const expected = hmacOf(approval, secret);
    return expected.length === value.length && timingSafeEqual(expected, value) ? "webhook" : undefined;
  }
  const text = Buffer.from(approvalText(approval));
  return Object.entries(keys).find(([, pem]) => {
    const key = readPublicKey(pem);
    return key !== undefined && verify(null, text, key, value);
  })?.[0];
}

function describeWrongSigner({ signature }: Approval, { keys, secret }: ApprovalWish): string {
  if (signature.kind === "hmac") {
    return secret === undefined
      ? "is signed by a secret, and none is set for this run"
      : "is signed by another secret, or was changed";
  }
  const names = Object.keys(keys);
  return names.length === 0
    ? "is signed by a key, and approval.keys names none"
    : `is not signed by any of the keys that may approve (${names.join(", ")}), or was changed`;
}

function hmacOf(statement: ApprovalStatement, secret: string): Buffer {
  return createHmac("sha256", secret).update(approvalText(statement)).digest();
}

/** Undefined for a key that cannot be read or is of another kind. */
function readPublicKey(pem: string): KeyObject | undefined {
  try {
    const key = createPublicKey(pem);
    return key.asymmetricKeyType === "ed25519" ? key : undefined;
  } catch {
    return undefined;
  }
}

function readPrivateKey(pem: string): KeyObject {
  const wrong = (rule: string): MistakeError =>
    MistakeError.of(
      "key",
      "(hidden)",
      rule,
      "make one with `openssl genpkey -algorithm ed25519 -out approver.pem`, and its public half with `openssl pkey -in approver.pem -pubout`",
    );
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
  } catch {
    throw wrong("must be a private key in PEM without a passphrase");
  }
  if (key.asymmetricKeyType !== "ed25519") throw wrong(`must be an ed25519 key, not ${String(key.asymmetricKeyType)}`);
  return key;
}
