/**
 * `set-shares`: islands of one host may use what others leave there. The shares lapse by themselves; undone by putting
 * those in force that were before.
 */
import { canonicalJson, DriverError, type HostShare, type SharesInForce } from "../../../sdk/model";
import type { Step, StepContext, StepOf } from "../step";
import { DONE, generousDeadlineMs } from "../step";
import { observeHost } from "./lookup";

const FLOOR_MS = 60_000;

type SharesContext = StepContext<StepOf<"set-shares">>;

export const setSharesStep: Step<StepOf<"set-shares">> = {
  async observe(context) {
    const { shares } = await observeHost(context, context.step.host);
    const isDone = shares?.owner === context.run && areEqual(shares.shares, context.step.shares);
    return isDone ? "after" : "before";
  },

  async prior(context) {
    const { shares } = await observeHost(context, context.step.host);
    return {
      shares: shares
        ? { ...shares, shares: shares.shares.map((share) => ({ ...share, workloads: [...share.workloads] })) }
        : null,
    };
  },

  async start(context) {
    const { step, run } = context;
    await setShares(context, { owner: run, expiresAt: step.untilMs, shares: step.shares });
    return DONE;
  },

  async undo(context, prior) {
    const { step, run } = context;
    const { shares: before } = prior as unknown as { readonly shares: SharesInForce | null };
    const { shares: now } = await observeHost(context, step.host);
    if (now?.owner !== run || !areEqual(now.shares, step.shares)) return undefined;
    await setShares(context, before);
    return `${step.host} has its shares of before`;
  },

  deadlineMs: ({ step }) => generousDeadlineMs(step, FLOOR_MS),
};

async function setShares({ step, platform, effect }: SharesContext, shares: SharesInForce | null): Promise<void> {
  const drive = platform.hosts.setShares;
  if (!drive) {
    throw new DriverError("unsupported", step.host, "its driver cannot change shares any more", {
      remedy: "plan again: what a host does not offer is not planned for",
    });
  }
  await effect(shares === null ? "end-shares" : "set-shares", { host: step.host }, (call) =>
    drive(step.host, shares, call),
  );
}

function areEqual(a: readonly HostShare[], b: readonly HostShare[]): boolean {
  return canonicalJson(a) === canonicalJson(b);
}
