/**
 * Workload driver over the agents of an inventory.
 *
 * Not for: what the calls do on a host (providers/agent).
 */
import { messageOf, type HostSchedule, type Replica } from "../../../sdk/model";
import type { Clock } from "../../clock";
import type { AgentConnections } from "../agent-connections";
import type {
  ReplicaListing,
  ReplicaUsage,
  ScheduleReader,
  StartSpec,
  StateReference,
  UsageSampler,
  WorkloadDriver,
} from "../contracts";
import type { CallLimits } from "../control-client";

/** As for hosts: one that does not answer must not hold the others up. */
const LIST_LIMITS: CallLimits = { timeoutMs: 900, attempts: 2 };
/** The agent polls the end of a killed process for 3 s after the grace. */
const STOP_MARGIN_MS = 5_000;
/** The agent ends a hook after 30 s. */
const HOOK_LIMITS: CallLimits = { timeoutMs: 32_000 };
/** State streams between agents; the hand-over's own deadline is what bounds it in practice. */
const STATE_LIMITS: CallLimits = { timeoutMs: 10 * 60_000 };
/** Steps in which recent use is asked for. */
const USAGE_STEP_MS = 5_000;

/** Makes the driver. The fence is enforced: agents refuse earlier epochs themselves. */
export function createAgentWorkloadDriver(agents: AgentConnections): WorkloadDriver {
  const survey: WorkloadDriver["survey"] = async (signal) => {
    const { answers, silent } = await fromEveryHost(agents, (host) =>
      agents.read<readonly Replica[]>(host, "replicas", {}, signal, LIST_LIMITS),
    );
    return { replicas: answers, silent };
  };
  return {
    fence: "enforced",
    list: async (signal) => (await survey(signal)).replicas,
    survey,
    describe: (host, replica, signal) => agents.read<StartSpec>(host, "replica", { replica }, signal),
    start: (host, spec, context) => agents.mutate<Replica>(host, "start", spec, context),
    stop: async (host, replica, graceMs, context) => {
      await agents.mutate(host, "stop", { replica, graceMs }, context, { timeoutMs: graceMs + STOP_MARGIN_MS });
    },
    hook: (host, replica, path, context) =>
      agents.mutate<"ok" | "notNow">(host, "hook", { replica, path }, context, HOOK_LIMITS),
    quiesce: async (host, replica, token, context) => {
      await agents.mutate(host, "quiesce", { replica, token }, context);
    },
    snapshot: (host, replica, context) =>
      agents.mutate<StateReference>(host, "snapshot", { replica }, context, STATE_LIMITS),
    restore: (host, replica, from, token, context) => {
      const source = { name: from.host, url: agents.hostOf(from.host).url };
      const { bytesPerSecond } = from;
      const rate = bytesPerSecond === undefined ? {} : { bytesPerSecond };
      const args = { replica, source, state: from.state, token, ...rate };
      return agents.mutate<{ readonly sha256: string }>(host, "restore", args, context, STATE_LIMITS);
    },
    activate: async (host, replica, context) => {
      await agents.mutate(host, "activate", { replica }, context);
    },
  };
}

/** Recent use of resources as the agents sample it. */
export function createAgentUsageSampler(agents: AgentConnections, clock: Clock): UsageSampler {
  return {
    usageSince: async (sinceMs, signal) => {
      const range = { fromMs: alignDown(sinceMs), toMs: alignDown(clock.now()), stepMs: USAGE_STEP_MS };
      const { answers } = await fromEveryHost(agents, (host) =>
        agents.isWorthAsking(host)
          ? agents.read<readonly ReplicaUsage[]>(host, "samples", range, signal, LIST_LIMITS)
          : Promise.resolve([]),
      );
      return answers;
    },
  };
}

/** What hosts start by the clock. Agents of an earlier version do not know the call: they tell of nothing. */
export function createAgentScheduleReader(agents: AgentConnections): ScheduleReader {
  return {
    schedules: async (signal) => {
      const { answers } = await fromEveryHost(agents, (host) =>
        agents.isWorthAsking(host)
          ? agents.read<readonly HostSchedule[]>(host, "schedules", {}, signal, LIST_LIMITS)
          : Promise.resolve([]),
      );
      return answers;
    },
  };
}

/** Asks all hosts at once and tells those without an answer apart. */
async function fromEveryHost<T>(
  agents: AgentConnections,
  ask: (host: string) => Promise<readonly T[]>,
): Promise<{ readonly answers: readonly T[]; readonly silent: ReplicaListing["silent"] }> {
  const silent: { host: string; reason: string }[] = [];
  const answers = await Promise.all(
    agents.hosts.map(({ id }) =>
      ask(id).catch((error: unknown): readonly T[] => {
        silent.push({ host: id, reason: messageOf(error) });
        return [];
      }),
    ),
  );
  return { answers: answers.flat(), silent };
}

function alignDown(ms: number): number {
  return Math.floor(ms / USAGE_STEP_MS) * USAGE_STEP_MS;
}
