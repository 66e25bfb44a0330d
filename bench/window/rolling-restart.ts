/**
 * The baseline: a plain rolling restart. Host by host it runs the update, restarts the host and starts the same copies
 * again, as a service supervisor would. Nothing is drained, moved or handed over; the switch's health checks are all
 * that helps.
 */
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { CallContext, Platform, StartSpec } from "../../providers/drivers/contracts";

const OWNER = "rolling-restart";
/** Higher than any epoch of a run before it. */
const EPOCH = 1_000_000;
const HOST_LIMIT_MS = 60_000;
const GRACE_MS = 1000;
const POLL_MS = 100;

/** Updates every member host in turn. */
export async function rollingRestart(platform: Platform, command: string, tell: (line: string) => void): Promise<void> {
  const signal = AbortSignal.timeout(10 * HOST_LIMIT_MS);
  const hosts = (await platform.hosts.list(signal)).filter(({ role, state }) => role === "member" && state === "ready");
  for (const { id } of hosts) {
    tell(`rolling restart: ${id}`);
    const replicas = (await platform.workloads.list(signal)).filter(
      ({ host, state }) => host === id && state !== "stopped",
    );
    const specs = await Promise.all(replicas.map((replica) => platform.workloads.describe(id, replica.id, signal)));
    const update = await platform.hosts.startUpdate(id, { command, timeoutMs: HOST_LIMIT_MS }, context(signal));
    await finished(platform, id, update.key, signal);
    const reboot = await platform.hosts.reboot(id, context(signal));
    await finished(platform, id, reboot.key, signal);
    for (const spec of specs) await startAgain(platform, id, spec, signal);
  }
}

async function startAgain(platform: Platform, host: string, spec: StartSpec, signal: AbortSignal): Promise<void> {
  await platform.workloads.stop(host, spec.replica, GRACE_MS, context(signal));
  const replica = await platform.workloads.start(host, { ...spec, standby: false }, context(signal));
  const service = (await platform.traffic.observe(signal)).find(({ backends }) =>
    backends.some((backend) => backend.replica === spec.replica),
  );
  if (!service || replica.address === undefined) return;
  await platform.traffic.setBackend(
    service.name,
    { replica: spec.replica, address: replica.address, weight: 1, health: spec.process.health },
    context(signal),
  );
}

async function finished(platform: Platform, host: string, key: string, signal: AbortSignal): Promise<void> {
  const until = Date.now() + HOST_LIMIT_MS;
  while (Date.now() < until) {
    // A host that restarts does not answer for a moment.
    const operation = await platform.hosts.operation(host, key, signal).catch(() => undefined);
    if (operation?.state === "done") return;
    if (operation?.state === "failed") throw new Error(`${host}: ${operation.reason ?? "failed"}\n${operation.output}`);
    await sleep(POLL_MS);
  }
  throw new Error(`${host}: no end within ${String(HOST_LIMIT_MS)} ms`);
}

function context(signal: AbortSignal): CallContext {
  return { key: `${OWNER}/${randomUUID()}`, epoch: EPOCH, owner: OWNER, signal };
}
