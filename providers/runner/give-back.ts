/**
 * Gives back what a run holds on the platform: marks, reserve, functions. For a run whose resource is deleted, and for
 * whatever a run left behind.
 *
 * Not for: workloads; they stay where they are, and functions that serve for them. A reserved host that runs a copy is kept and named.
 */
import { ArchipelagoError } from "../../sdk/model";
import { callUntil } from "../execute/calls";
import { leasedCall } from "../execute/execution";
import type { EffectScope } from "../execute/step";
import type { CallContext } from "../drivers/contracts";
import type { RunDependencies } from "./dependencies";
import { hostResource } from "./leases";
import { withSession, type RunSession } from "./session";

/** Time after which a host that does not answer is left; its marks lapse by themselves. */
const PATIENCE_MS = 30_000;

/**
 * Uncordons this run's hosts, releases its reserve and removes its functions.
 * @throws LeaseHeldError while another process carries the run; ArchipelagoError naming what could not be given back
 */
export async function giveBack(runId: string, deps: RunDependencies): Promise<void> {
  await withSession(runId, deps, async (session) => {
    const { platform, signal } = deps;
    const hosts = await platform.hosts.list(signal);
    const cordoned = hosts.filter((host) => host.cordoned?.owner === runId).map((host) => host.id);
    const reserved = hosts.filter((host) => host.reserved?.owner === runId).map((host) => host.id);
    await session.leases.acquire([...cordoned, ...reserved].map((host) => hostResource(platform.name, host)));
    for (const host of cordoned) {
      await effect(session, runId, `uncordon/${host}`, { host }, (call) => platform.hosts.uncordon(host, call));
    }
    const inUse = new Set(
      (await platform.workloads.list(signal)).filter(({ state }) => state !== "stopped").map(({ host }) => host),
    );
    await serveRefused(session, runId);
    const standing = await removeIdleFunctions(session, runId);
    const free = reserved.filter((host) => !inUse.has(host));
    if (free.length > 0) {
      await effect(session, runId, "release", "run", (call) => platform.capacity.release(free, call));
    }
    const doubled = hosts.filter(({ replaced }) => replaced?.owner === runId).map(({ id }) => id);
    const kept = reserved.filter((host) => inUse.has(host));
    assertAllGiven([
      [
        doubled,
        (what) => `machines that were replaced are still kept beside ${what}`,
        "look which of the two machines is good, and end the other one on the platform",
      ],
      [
        standing,
        (what) => `functions still stand in: ${what}`,
        "start the copies that they stand in for, drain them at the switch, and remove them",
      ],
      [
        kept,
        (what) => `reserve ${what} runs copies and is still held by run ${runId}`,
        "move the copies off, or let the run end with `pulumi up` first",
      ],
    ]);
  });
}

/** What is left of a kind, how that is told, and what to do. */
type Left = readonly [left: readonly string[], tell: (what: string) => string, remedy: string];

/** @throws ArchipelagoError naming all that is left, of whatever kind */
function assertAllGiven(kinds: readonly Left[]): void {
  const left = kinds.filter(([names]) => names.length > 0);
  if (left.length === 0) return;
  throw new ArchipelagoError(left.map(([names, tell]) => tell(names.join(", "))).join("; "), {
    remedy: left.map(([, , remedy]) => remedy).join("; "),
  });
}

async function serveRefused(session: RunSession, runId: string): Promise<void> {
  const { traffic } = session.deps.platform;
  const { refuse } = traffic;
  if (!refuse) return;
  for (const { name, refused } of await traffic.observe(session.deps.signal)) {
    if (refused?.owner !== runId) continue;
    await effect(session, runId, `serve/${name}`, "run", (call) => refuse(name, [], call));
  }
}

/** One that still serves stays, for its workload would have too few copies without it: those are named. */
async function removeIdleFunctions(session: RunSession, runId: string): Promise<readonly string[]> {
  const { platform, signal } = session.deps;
  const { functions } = platform;
  if (!functions) return [];
  const own = (await functions.list(signal)).filter(({ owner }) => owner === runId);
  if (own.length === 0) return [];
  const services = await platform.traffic.observe(signal);
  const serving = new Set(
    services.flatMap(({ backends }) => backends.flatMap(({ replica, weight }) => (weight > 0 ? [replica] : []))),
  );
  for (const { id } of own) {
    if (serving.has(id)) continue;
    for (const { name } of services.filter(({ backends }) => backends.some(({ replica }) => replica === id))) {
      await effect(session, runId, `remove-backend/${id}`, "run", (call) =>
        platform.traffic.removeBackend(name, id, call),
      );
    }
    await effect(session, runId, `remove/${id}`, "run", (call) => functions.remove(id, call));
  }
  return own.filter(({ id }) => serving.has(id)).map(({ id, workload }) => `${id} for ${workload}`);
}

function effect<T>(
  { deps, leases }: RunSession,
  runId: string,
  name: string,
  scope: EffectScope,
  call: (context: CallContext) => Promise<T>,
): Promise<T> {
  const { clock } = deps;
  const key = `${runId}/give-back/${String(clock.now())}/${name}`;
  const options = leasedCall(leases, clock, clock.now() + PATIENCE_MS);
  return callUntil(options, (signal) => call({ key, epoch: leases.epochOf(scope), owner: runId, signal }));
}
