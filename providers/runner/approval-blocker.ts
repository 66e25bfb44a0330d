/**
 * What a preview says of a plan that nobody has approved yet: a blocker, with how to approve it.
 *
 * Not for: the run itself, which asks before it starts (guarding.ts), and plans that are stored: approving a plan does
 * not change it.
 */
import * as path from "node:path";
import type { Blocker, HostUpdateSpec, MigrationPlan } from "../../sdk/model";
import type { Clock } from "../clock";
import { findApproval } from "../guard/approvals";
import type { RunStore } from "../journal/run-store";
import { readLatestRun } from "./run-family";

/** Where approvals are looked for. */
export interface ApprovalPlace {
  readonly store: RunStore;
  readonly clock: Clock;
  /** Name that the update's runs share. */
  readonly family: string;
  /** Relative paths begin here. @default the current folder */
  readonly folder?: string;
}

/** The blocker of a plan that is not approved; undefined when it is or needs none. Asks no webhook. @throws StoreError */
export async function findApprovalBlocker(
  { approval }: Pick<HostUpdateSpec, "approval">,
  { digest, envelope }: Pick<MigrationPlan, "digest" | "envelope">,
  { store, clock, family, folder = "." }: ApprovalPlace,
): Promise<Blocker | undefined> {
  if (!approval) return undefined;
  const file = approval.file === undefined ? {} : { file: path.resolve(folder, approval.file) };
  const request = { run: family, digest, envelope };
  const sources = { store, clock, environment: process.env, isPreview: true };
  const found = await findApproval({ ...approval, ...file }, request, sources);
  if (found.kind === "approved") return undefined;
  const { subject, reason, remedy } = found.verdict;
  const isArmed = (await readLatestRun(store, family))?.digest === digest;
  return { code: "not-approved", subject, reason, fix: isArmed ? remedy : `arm it with \`pulumi up\`, then ${remedy}` };
}
