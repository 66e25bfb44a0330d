/**
 * Child process of file-leases.spec.ts: contends for one lease until its time is over and tells on standard output,
 * one JSON line each, what it held: `{owner, epoch, fromMs, untilMs}` in the machine's wall time.
 */
import { appendFile } from "node:fs/promises";
import { isKind } from "../../sdk/model";
import { openFileStore } from "../../providers/journal/file-store";
import { systemClock } from "../../providers/clock";

const TTL_MS = 250;

async function contend(url: string, owner: string, untilMs: number, log: string): Promise<void> {
  const store = await openFileStore(url);
  // Each contender has another rhythm: some give the lease back, some let it lapse, some renew it.
  for (let round = 0; Date.now() < untilMs; round += 1) {
    try {
      let lease = await store.leases.acquire("host/host-01", owner, TTL_MS);
      const fromMs = Date.now();
      if (round % 3 === 0) {
        await systemClock.sleep(20);
        lease = await store.leases.renew(lease, TTL_MS);
      }
      // O_APPEND keeps lines of several processes whole; the line stands for the effect that the lease guards.
      const heldMs = Math.max(0, Math.min(15, lease.expiresAt - Date.now() - 50));
      await systemClock.sleep(heldMs);
      const isProven = Date.now() < lease.expiresAt - 20;
      if (isProven) {
        await appendFile(log, `${JSON.stringify({ owner, epoch: lease.epoch, fromMs, untilMs: Date.now() })}\n`);
      }
      if (round % 4 !== 3) await store.leases.release(lease);
    } catch (error) {
      if (!isKind(error, "LeaseHeldError") && !isKind(error, "LeaseLostError")) throw error;
      await systemClock.sleep(5);
    }
  }
}

const [url = "", owner = "", untilMs = "0", log = ""] = process.argv.slice(2);
void contend(url, owner, Number(untilMs), log).catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
