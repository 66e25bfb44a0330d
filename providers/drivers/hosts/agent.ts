/**
 * Host driver over the agents of an inventory.
 *
 * Not for: what the calls do on a host (providers/agent).
 */
import { messageOf, type Host, type ProbeResult } from "../../../sdk/model";
import type { AgentConnections } from "../agent-connections";
import type { HostDriver, Operation } from "../contracts";
import type { CallLimits } from "../control-client";
import type { InventoryHost } from "../inventory";

/** Tells of hosts that do not answer whether that is normal. */
export interface StoppedHosts {
  /** True when the host is a standby one that nobody has started. */
  isStopped(host: string): Promise<boolean>;
}

/** Listing looks twice at each host, all at once, and is done within two seconds whatever is broken. */
const LIST_LIMITS: CallLimits = { timeoutMs: 900, attempts: 2 };
/** The agent itself ends a probe after 10 s and a check at its own deadline; then it needs a moment to answer. */
const PROBE_LIMITS: CallLimits = { timeoutMs: 12_000, attempts: 2 };
const ANSWER_MARGIN_MS = 2_000;

/** Makes the driver. The fence is enforced: agents refuse earlier epochs themselves. */
export function createAgentHostDriver(agents: AgentConnections, stopped: StoppedHosts): HostDriver {
  async function observeForList(host: InventoryHost, signal: AbortSignal): Promise<Host> {
    try {
      const seen = await agents.read<Host>(host.id, "host", {}, signal, LIST_LIMITS);
      return { ...seen, ...declaredOf(host, seen.devices) };
    } catch (error) {
      if (host.role === "standby" && (await stopped.isStopped(host.id))) return renderAbsent(host, "stopped");
      // Whoever shows the reason names the host.
      const reason = messageOf(error);
      const stateReason = reason.startsWith(`${host.id}: `) ? reason.slice(host.id.length + 2) : reason;
      return { ...renderAbsent(host, "unreachable"), stateReason };
    }
  }

  return {
    fence: "enforced",
    list: (signal) => Promise.all(agents.hosts.map((host) => observeForList(host, signal))),
    observe: async (host, signal) => await observeForList(agents.hostOf(host), signal),
    probe: (host, command, expect, signal) =>
      agents.read<ProbeResult>(host, "probe", { command, expect }, signal, PROBE_LIMITS),
    check: (host, { command, timeoutMs }, signal) =>
      agents.read<{ readonly ok: boolean; readonly output: string }>(host, "check", { command, timeoutMs }, signal, {
        timeoutMs: timeoutMs + ANSWER_MARGIN_MS,
      }),
    cordon: async (host, mark, context) => {
      // The mark's owner is who calls: an agent takes marks of nobody else.
      await agents.mutate(host, "cordon", { expiresAt: mark.expiresAt }, { ...context, owner: mark.owner });
    },
    uncordon: async (host, context) => {
      await agents.mutate(host, "uncordon", {}, context);
    },
    fenceOff: async (host, context) => {
      await agents.mutate(host, "fence-off", {}, context);
    },
    setShares: async (host, shares, context) => {
      await agents.mutate(host, "set-shares", { shares }, context);
    },
    startUpdate: (host, command, context) => agents.mutate<Operation>(host, "start-update", command, context),
    reboot: (host, context) => agents.mutate<Operation>(host, "reboot", {}, context),
    operation: async (host, key, signal) =>
      (await agents.read<Operation | null>(host, "operation", { key }, signal)) ?? undefined,
  };
}

/** What is known of a host that does not answer. */
function renderAbsent(host: InventoryHost, state: "stopped" | "unreachable"): Host {
  return {
    id: host.id,
    zone: host.zone,
    rack: host.rack ?? host.zone,
    role: host.role,
    capacity: host.capacity ?? { cpuMillis: 0, memoryBytes: 0 },
    state,
    bootId: "",
    ...declaredOf(host),
  };
}

/** What the inventory says of a host beside its address. */
function declaredOf(
  { labels, devices, overcommit, linkBytesPerSecond }: InventoryHost,
  seen?: Host["devices"],
): Pick<Host, "labels" | "devices" | "overcommit" | "linkBytesPerSecond"> {
  return {
    ...(labels ? { labels } : {}),
    ...(devices ? { devices: { ...seen, ...devices } } : {}),
    ...(overcommit ? { overcommit } : {}),
    ...(linkBytesPerSecond === undefined ? {} : { linkBytesPerSecond }),
  };
}
