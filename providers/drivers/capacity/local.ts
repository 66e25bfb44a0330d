/**
 * Capacity driver of a local fleet: a standby host is an agent process that is started as the reserve and stopped
 * afterwards. Reservations are small files in the fleet's folder.
 *
 * Not for: hosts that cost money; those have drivers of their clouds.
 *
 * Invariant: the fence is enforced. One call at a time has an effect on this machine, and under the same lock a file
 * keeps the highest epoch of each run: whoever has raised it sees no effect of an earlier owner any more.
 */
import { createHash } from "node:crypto";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { DriverError, type Mark, type Replica } from "../../../sdk/model";
import type { Clock } from "../../clock";
import type { AgentConnections } from "../agent-connections";
import type { CallContext, CapacityDriver } from "../contracts";
import type { StoppedHosts } from "../hosts/agent";
import { startLocalHost } from "../local-fleet";
import { runExclusively } from "../local-fleet/exclusive";
import { fleetLayout, readJson, writeJson, type FleetLayout } from "../local-fleet/layout";
import { isProcessRunning, stopFleetProcess } from "../local-fleet/processes";

/** Makes the driver of a fleet's folder. */
export function createLocalCapacityDriver(
  directory: string,
  agents: AgentConnections,
  clock: Clock,
): CapacityDriver & StoppedHosts {
  const layout = fleetLayout(directory);
  const reservationOf = (host: string): string => join(layout.reservations, `${host}.json`);

  /** The mark that holds now, whoever's it is. */
  async function observeReservation(host: string): Promise<Mark | undefined> {
    const mark = (await readJson(reservationOf(host))) as Mark | undefined;
    return mark && mark.expiresAt > clock.now() ? mark : undefined;
  }

  async function refuseForeign(host: string, owner: string): Promise<void> {
    if (agents.hostOf(host).role !== "standby") {
      throw new DriverError("refused", host, "is not a standby host", { remedy: "reserve standby hosts only" });
    }
    const held = await observeReservation(host);
    if (!held || held.owner === owner) return;
    const until = new Date(held.expiresAt).toISOString();
    throw new DriverError("conflict", host, `is reserved by ${held.owner} until ${until}`, {
      remedy: "wait for that run, or cancel it",
    });
  }

  async function refuseOccupied(host: string, signal: AbortSignal): Promise<void> {
    if (!(await isProcessRunning(layout.host(host)))) return;
    const replicas = await agents.read<readonly Replica[]>(host, "replicas", {}, signal);
    const running = replicas.find(({ state }) => state !== "stopped");
    if (!running) return;
    throw new DriverError("conflict", host, `${running.id} still runs on it`, { remedy: "move it away first" });
  }

  /** Alone on this machine, and only for an owner that is not an earlier one. */
  const fenced = (context: CallContext, effect: () => Promise<unknown>): Promise<void> =>
    runExclusively(`reserve of ${layout.directory}`, clock, context.signal, async () => {
      await checkEpoch(layout, context);
      await effect();
    });

  return {
    fence: "enforced",
    fenceOff: (context) => fenced(context, () => Promise.resolve()),
    reserve: (hosts, mark, context) =>
      fenced(context, async () => {
        await Promise.all(hosts.map((host) => refuseForeign(host, mark.owner)));
        await Promise.all(
          hosts.map(async (host) => {
            await writeJson(reservationOf(host), mark);
            await startLocalHost(directory, host, clock);
          }),
        );
      }),
    release: (hosts, context) =>
      fenced(context, async () => {
        // All are looked at before the first is stopped.
        for (const host of hosts) {
          await refuseForeign(host, context.owner);
          await refuseOccupied(host, context.signal);
        }
        await Promise.all(
          hosts.map(async (host) => {
            await stopFleetProcess(layout.host(host), clock);
            await rm(reservationOf(host), { force: true });
          }),
        );
      }),
    isStopped: async (host) => !(await observeReservation(host)) && !(await isProcessRunning(layout.host(host))),
  };
}

async function checkEpoch(layout: FleetLayout, { owner, epoch }: CallContext): Promise<void> {
  // Owners may hold characters that file names do not.
  const name = createHash("sha256").update(owner).digest("hex").slice(0, 32);
  const path = join(layout.reservations, "epochs", `${name}.json`);
  const seen = (await readJson(path)) as { readonly epoch: number } | undefined;
  if (seen && epoch < seen.epoch) {
    throw new DriverError("stale-epoch", owner, `epoch ${String(epoch)} is refused: ${String(seen.epoch)} was seen`, {
      remedy: "a newer owner carries on; nothing has to be done here",
    });
  }
  if (seen?.epoch !== epoch) await writeJson(path, { owner, epoch });
}
