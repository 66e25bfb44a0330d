/**
 * Child process of contention.ts: several runners that contend for one lease until standard input ends. What a runner does
 * while it believes in its lease is a call to a host's fence under the lease's epoch.
 *
 * Tells on standard output, one JSON line each, when a runner believed in its lease: `{owner, epoch, from, until}`, by
 * the machine's monotonic time in ms, which all processes share; with `isRefused` when the host refused it although it
 * still believed.
 */
import { createControlClient, type ControlClient } from "../../providers/drivers/control-client";
import type { TlsFiles } from "../../providers/drivers/certificates";
import { systemClock } from "../../providers/clock";
import { openRunStore } from "../../providers/journal/open-store";
import { isKind } from "../../sdk/model";

/** What the parent hands over as one argument. */
export interface ContentionSetup {
  readonly url: string;
  readonly resource: string;
  readonly owners: readonly string[];
  readonly ttlMs: number;
  /** A runner that found the lease held asks again after up to so long. */
  readonly pauseMs: number;
  readonly fence: { readonly url: string; readonly tls: TlsFiles };
}

/** The machine's monotonic time in ms, the same for all processes. */
export function machineTime(): number {
  return Number(process.hrtime.bigint() / 1000n) / 1000;
}

let isOver = false;
const NO_ABORT = new AbortController().signal;

async function contend(setup: ContentionSetup, owner: string, host: ControlClient): Promise<void> {
  const { leases } = await openRunStore(setup.url);
  const { ttlMs } = setup;
  for (let round = 0; !isOver; round += 1) {
    let askedAt = machineTime();
    let held: { readonly owner: string; readonly epoch: number; readonly from: number } | undefined;
    const tell = (isRefused: boolean): void => {
      const until = Math.min(machineTime(), askedAt + ttlMs);
      process.stdout.write(`${JSON.stringify({ ...held, until, ...(isRefused ? { isRefused } : {}) })}\n`);
    };
    try {
      const lease = await leases.acquire(setup.resource, owner, ttlMs);
      held = { owner, epoch: lease.epoch, from: machineTime() };
      // Some holds are long and renewed, most are given back, some are left to lapse as after a crash.
      for (let effect = 0; effect < (round % 3) + 1; effect += 1) {
        if (machineTime() >= askedAt + ttlMs) break;
        await act(host, owner, lease.epoch, `${owner}/${String(lease.epoch)}/${String(effect)}`);
        if (effect > 0) {
          const renewedAt = machineTime();
          await leases.renew(lease, ttlMs);
          askedAt = renewedAt;
        }
      }
      tell(false);
      if (Math.random() < 0.9) await leases.release(lease);
    } catch (error) {
      // A call that a newer owner's epoch refuses is what the fence is for, if this runner was too slow.
      const isFenced = isKind(error, "DriverError") && (error as { readonly code: string }).code === "stale-epoch";
      // A store that is too busy to answer is asked again later, as a run does.
      const isBusy = isKind(error, "StoreError") && (error as { readonly code: string }).code === "unavailable";
      if (!isFenced && !isBusy && !isKind(error, "LeaseHeldError") && !isKind(error, "LeaseLostError")) throw error;
      if (held) tell(isFenced && machineTime() < askedAt + ttlMs);
    }
    await systemClock.sleep((0.2 + 0.8 * Math.random()) * setup.pauseMs);
  }
}

async function act(host: ControlClient, owner: string, epoch: number, key: string): Promise<void> {
  await host.mutate("work", { owner }, { key, epoch, owner, signal: NO_ABORT }, { timeoutMs: 30_000 });
}

async function main(setup: ContentionSetup): Promise<void> {
  const host = createControlClient({ url: setup.fence.url, tls: setup.fence.tls, subject: "host-01" });
  try {
    await Promise.all(setup.owners.map((owner) => contend(setup, owner, host)));
  } finally {
    host.close();
  }
}

if (require.main === module) {
  process.stdin.on("end", () => (isOver = true)).resume();
  void main(JSON.parse(process.argv[2] ?? "{}") as ContentionSetup).catch((error: unknown) => {
    console.error(error);
    process.exitCode = 1;
  });
}
