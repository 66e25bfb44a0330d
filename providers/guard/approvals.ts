/**
 * Whether a run is approved: by a digest in its arguments, by a signed approval in the run store or in a file, or by
 * the signed answer of a webhook.
 *
 * Not for: signatures (approval.ts) and what an unapproved run does (providers/runner).
 *
 * Invariants
 * 1. What cannot be read, asked or understood approves nothing; the reason says what is wrong with it.
 * 2. An answer that approves is kept in the store, so that it can be looked up afterwards.
 */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { APPROVAL_PREFIX, canonicalJson, messageOf } from "../../sdk/model";
import type { Approval, ApprovalSpec, Envelope, GuardVerdict } from "../../sdk/model";
import type { Clock } from "../clock";
import type { RunStore } from "../journal/run-store";
import { judgeApproval, parseApproval, shortOf } from "./approval";
import type { ApprovalWish } from "./approval";
import type { Environment } from "./kill-switch";
import { SIGNATURE_HEADER, signBody } from "./signed-body";

/** How long a webhook may take to answer. */
const ANSWER_LIMIT_MS = 10_000;
/** Longest answer that is read. */
const ANSWER_LENGTH = 64 * 1024;

/** What there is to approve. */
export interface ApprovalRequest {
  readonly run: string;
  readonly digest: string;
  readonly envelope: Envelope;
}

/** Where approvals are looked for. */
export interface ApprovalSources {
  readonly store: RunStore;
  readonly clock: Clock;
  readonly environment: Environment;
  /** A preview changes nothing and asks nobody: the webhook is left out. @default false */
  readonly isPreview?: boolean;
}

/** Who has approved, or why nobody has. */
export type ApprovalState =
  { readonly kind: "approved"; readonly by: string } | { readonly kind: "missing"; readonly verdict: GuardVerdict };

/** A way to be approved: an answer, or what it lacks. */
type Answer =
  { readonly kind: "approved"; readonly by: string } | { readonly kind: "refused"; readonly reason: string };

/** Looks for an approval, the cheapest way first. @throws StoreError */
export async function findApproval(
  spec: ApprovalSpec,
  request: ApprovalRequest,
  sources: ApprovalSources,
): Promise<ApprovalState> {
  const secretName = spec.webhook?.secretEnv;
  const wish: ApprovalWish = {
    digest: request.digest,
    keys: spec.keys,
    secret: secretName === undefined ? undefined : sources.environment[secretName],
    nowMs: sources.clock.now(),
  };
  const ways = [
    () => Promise.resolve(judgeDigest(spec, request)),
    () => judgeStored(wish, sources),
    () => judgeFile(spec, wish),
    () => askWebhook(spec, wish, request, sources),
  ];
  const refusals: string[] = [];
  for (const way of ways) {
    for (const answer of await way()) {
      if (answer.kind === "approved") return answer;
      refusals.push(answer.reason);
    }
  }
  return { kind: "missing", verdict: describeMissing(spec, request, refusals) };
}

/** Keeps an approval in the store, where runs find it. */
export async function storeApproval(store: RunStore, approval: Approval): Promise<void> {
  await store.createDocument(nameOf(approval), JSON.stringify(approval));
}

/** Approvals of the same content share a name. */
function nameOf(approval: Approval): string {
  const hash = createHash("sha256").update(canonicalJson(approval)).digest("hex").slice(0, 16);
  return `${APPROVAL_PREFIX}${approval.digest}/${hash}`;
}

function judgeDigest({ digest }: ApprovalSpec, request: ApprovalRequest): readonly Answer[] {
  if (digest === undefined) return [];
  if (digest === request.digest) return [{ kind: "approved", by: "approval.digest of the arguments" }];
  return [
    {
      kind: "refused",
      reason: `approval.digest is ${shortOf(digest)}, and the digest of this plan is ${request.digest}`,
    },
  ];
}

async function judgeStored(wish: ApprovalWish, { store }: ApprovalSources): Promise<readonly Answer[]> {
  const answers: Answer[] = [];
  for (const name of await store.listDocuments(`${APPROVAL_PREFIX}${wish.digest}/`)) {
    const content = await store.getDocument(name);
    if (content !== undefined) answers.push(judgeContent(content, `${name} of the run store`, wish));
  }
  return answers;
}

async function judgeFile({ file }: ApprovalSpec, wish: ApprovalWish): Promise<readonly Answer[]> {
  if (file === undefined) return [];
  try {
    return [judgeContent(await readFile(file, "utf8"), file, wish)];
  } catch (error) {
    const isMissing = (error as NodeJS.ErrnoException).code === "ENOENT";
    return [{ kind: "refused", reason: isMissing ? `there is no file ${file} yet` : messageOf(error) }];
  }
}

function judgeContent(content: string, where: string, wish: ApprovalWish): Answer {
  const approval = parseApproval(content);
  return approval ? judgeApproval(approval, wish) : { kind: "refused", reason: `${where} is not an approval` };
}

async function askWebhook(
  { webhook }: ApprovalSpec,
  wish: ApprovalWish,
  request: ApprovalRequest,
  { store, clock, isPreview = false }: ApprovalSources,
): Promise<readonly Answer[]> {
  if (!webhook) return [];
  if (isPreview) return [{ kind: "refused", reason: `${webhook.url} is asked when the run would start` }];
  const refused = (reason: string): readonly Answer[] => [{ kind: "refused", reason: `${webhook.url}: ${reason}` }];
  if (webhook.secretEnv !== undefined && (wish.secret === undefined || wish.secret === "")) {
    return refused(`not asked, because the environment variable ${webhook.secretEnv} is not set`);
  }
  const body = JSON.stringify({ v: 1, kind: "approval-request", ...request, at: clock.now() });
  try {
    const response = await fetch(webhook.url, {
      method: "POST",
      body,
      redirect: "error",
      signal: AbortSignal.timeout(ANSWER_LIMIT_MS),
      headers: {
        "content-type": "application/json",
        ...(wish.secret === undefined ? {} : { [SIGNATURE_HEADER]: signBody(body, wish.secret, clock.now()) }),
      },
    });
    if (response.status === 202 || response.status === 204) return refused("nobody has decided yet");
    const text = (await response.text()).slice(0, ANSWER_LENGTH);
    if (!response.ok) return refused(`answered ${String(response.status)}`);
    const approval = parseApproval(text);
    if (!approval) return refused("its answer is not an approval");
    const verdict = judgeApproval(approval, wish);
    if (verdict.kind === "approved") await storeApproval(store, approval);
    return verdict.kind === "approved" ? [verdict] : refused(verdict.reason);
  } catch (error) {
    const { cause } = error as { readonly cause?: unknown };
    return refused(`no answer (${messageOf(cause ?? error)})`);
  }
}

function describeMissing(spec: ApprovalSpec, request: ApprovalRequest, refusals: readonly string[]): GuardVerdict {
  const isSigned = Object.keys(spec.keys).length > 0;
  const ways = [
    ...(isSigned
      ? [`run \`archipelago approve ${request.run} --key FILE\` with the key of ${Object.keys(spec.keys).join(" or ")}`]
      : []),
    ...(spec.webhook ? [`let ${spec.webhook.url} answer`] : []),
    ...(spec.digest === undefined && isSigned ? [] : [`set approval.digest to "${request.digest}"`]),
  ];
  const why = refusals.length === 0 ? "nobody has approved it" : refusals.join("; ");
  return {
    action: "hold",
    rule: "approval",
    subject: request.run,
    reason: `not approved: plan ${shortOf(request.digest)}: ${why}`,
    remedy: `look at the plan, then ${ways.join(", or ")}`,
  };
}
