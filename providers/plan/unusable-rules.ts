/**
 * Rules about places and devices that no host can keep, or that contradict each other: named before anything is searched.
 *
 * Not for: rules that can be kept but leave no room (blockers of capacity).
 */
import {
  cardsOf,
  describeHostRule,
  findUnknownNames,
  matchesHost,
  partitionsOf,
  type Blocker,
  type CallReach,
  type Fleet,
  type Host,
  type Island,
  type Overcommit,
  type Workload,
} from "../../sdk/model";

/** A blocker for each rule that cannot be kept, all at once, naming the item. */
export function findUnusableRules(fleet: Fleet): readonly Blocker[] {
  return [
    ...fleet.hosts.flatMap(judgeDevices),
    ...[...fleet.hosts.map(({ id, overcommit }) => ({ name: id, overcommit })), ...fleet.islands].flatMap(
      judgeOvercommit,
    ),
    ...fleet.islands.flatMap(judgeBudgets),
    ...fleet.islands.flatMap(({ name, within }) => (within ? judgeNames(name, within, fleet) : [])),
    ...fleet.workloads.flatMap((workload) => [
      ...(workload.within ? judgeNames(workload.name, workload.within, fleet) : []),
      ...judgeApart(workload, fleet),
      ...judgePlaces(workload, fleet),
      ...judgeNear(workload, fleet),
      ...judgeSpread(workload, fleet),
    ]),
  ];
}

/** An island or a host. */
interface OvercommitOf {
  readonly name: string;
  readonly overcommit?: Overcommit | undefined;
}

function inputBlocker(subject: string, reason: string, fix: string): Blocker {
  return { code: "input", subject, reason, fix };
}

function judgeDevices({ id, devices = {} }: Host): Blocker[] {
  return Object.entries(devices).flatMap(([kind, { count, partitions }]) =>
    [[`number of ${kind}`, count] as const, [`number of partitions of each ${kind}`, partitions] as const].flatMap(
      ([what, value]) =>
        Number.isInteger(value) && value >= 1
          ? []
          : [
              inputBlocker(
                id,
                `its ${what} (${String(value)}) must be a whole number of 1 or more`,
                `correct devices.${kind} of ${id} in the inventory`,
              ),
            ],
    ),
  );
}

function judgeOvercommit({ name, overcommit = {} }: OvercommitOf): Blocker[] {
  return (["cpu", "memory"] as const).flatMap((what) => {
    const factor = overcommit[what];
    if (factor === undefined || (factor >= 1 && factor < Infinity)) return [];
    const reason = `its overcommit of ${what} (${String(factor)}) must be 1 or more`;
    return [inputBlocker(name, reason, `correct overcommit.${what} of ${name}`)];
  });
}

function judgeBudgets({ name, disruptionBudgets = [] }: Island): Blocker[] {
  return disruptionBudgets.flatMap(({ hosts }, index) => {
    const isRight =
      typeof hosts === "number" ? Number.isInteger(hosts) && hosts >= 0 : hosts.share >= 0 && hosts.share <= 1;
    if (isRight) return [];
    const text = typeof hosts === "number" ? String(hosts) : `a share of ${String(hosts.share)}`;
    const reason = `its disruption budget (${text}) must be a whole number of hosts, or a share from 0 to 1`;
    return [inputBlocker(name, reason, `correct disruptionBudgets[${String(index)}].hosts of ${name}`)];
  });
}

/** A zone or label that no host has is a typing error. */
function judgeNames(subject: string, rule: NonNullable<Workload["within"]>, { hosts }: Fleet): Blocker[] {
  return findUnknownNames(rule, hosts).map((missing) =>
    inputBlocker(
      subject,
      `within names ${missing}, which no host has`,
      `correct within of ${subject}, or the inventory`,
    ),
  );
}

function judgeApart({ name, apartFrom = [] }: Workload, { workloads }: Fleet): Blocker[] {
  return apartFrom.flatMap((other) => {
    if (other !== name && workloads.some((workload) => workload.name === other)) return [];
    const what = other === name ? "itself" : `${other}, which is no workload of the update`;
    return [inputBlocker(name, `apartFrom names ${what}`, `correct apartFrom of ${name}`)];
  });
}

/** Hosts that a workload's copies may run on at all: of its island or the reserve, and of its rule. */
function possibleHosts({ island, within }: Workload, { islands, hosts }: Fleet): readonly Host[] {
  const own = islands.find(({ name }) => name === island);
  const members = new Set(own?.hosts);
  const listed = new Set(islands.flatMap((one) => one.hosts));
  return hosts.filter((host) => {
    const isOfPool = host.role === "standby" && !listed.has(host.id) && matchesHost(own?.within, host);
    return (members.has(host.id) || isOfPool) && matchesHost(within, host);
  });
}

function judgePlaces(workload: Workload, fleet: Fleet): Blocker[] {
  const { name, island, within, devices = {} } = workload;
  // Most workloads have no such rule, and looking at all hosts for each of thousands takes longer than planning.
  if (!within && Object.keys(devices).length === 0) return [];
  const possible = possibleHosts(workload, fleet);
  // Unknown names say more; and an island without hosts is a mistake of its own.
  const isKnown = !within || findUnknownNames(within, fleet.hosts).length === 0;
  const hasHosts = fleet.islands.some((one) => one.name === island && one.hosts.length > 0);
  if (possible.length === 0) {
    if (!within || !isKnown || !hasHosts) return [];
    const reason = `no host of ${island} is within ${describeHostRule(within)}`;
    return [inputBlocker(name, reason, `widen within of ${name} or of ${island}: together they leave no host`)];
  }
  return Object.entries(devices).flatMap(([kind, request]) => {
    const isAmount = request > 0 && request < Infinity && (request < 1 || Number.isInteger(request));
    if (!isAmount) {
      const reason = `its ${kind} (${String(request)}) must be a whole number of cards, or a part of one`;
      return [inputBlocker(name, reason, `correct devices.${kind} of ${name}`)];
    }
    const holds = ({ devices: offered = {} }: Host): boolean => {
      const cards = offered[kind];
      return cards !== undefined && Math.max(1, cardsOf(request)) <= cards.count && partitionsOf(request, cards) > 0;
    };
    if (possible.some(holds)) return [];
    const most = Math.max(0, ...possible.map((host) => host.devices?.[kind]?.count ?? 0));
    const reason = `one copy needs ${String(Math.max(1, cardsOf(request)))} ${kind}, and no host that it may run on has more than ${String(most)}`;
    return [inputBlocker(name, reason, `correct devices.${kind} of ${name}, or add a host with enough of them`)];
  });
}

/** Copies can be in no more zones than there are with hosts for them, nor in more than there are copies. */
function judgeSpread(workload: Workload, fleet: Fleet): Blocker[] {
  const { name, spread } = workload;
  if (!spread) return [];
  const { over, atLeast } = spread;
  const asked = `its copies must be in at least ${String(atLeast)} ${over}s`;
  if (!(Number.isInteger(atLeast) && atLeast >= 2)) {
    return [inputBlocker(name, `${asked}: that must be a whole number of 2 or more`, `correct spread of ${name}`)];
  }
  const parts = new Set(possibleHosts(workload, fleet).map((host) => partOf(host, over)));
  if (parts.size < atLeast) {
    const reason = `${asked}, and the hosts that they may run on are in ${String(parts.size)}`;
    return [inputBlocker(name, reason, `lower spread.atLeast of ${name}, or add hosts in another ${over}`)];
  }
  if (workload.copies >= atLeast) return [];
  const reason = `${asked}, and it has ${String(workload.copies)}`;
  return [inputBlocker(name, reason, `start more copies of ${name}, or lower its spread.atLeast`)];
}

/** Who must be near whom needs a part of the fleet where both may be, and somebody to be near to. */
function judgeNear(caller: Workload, fleet: Fleet): Blocker[] {
  const isRunning = (name: string): boolean =>
    fleet.replicas.some(({ workload, state }) => workload === name && state !== "stopped");
  return (caller.dependsOn ?? []).flatMap(({ workload: called, within }) => {
    const other = fleet.workloads.find(({ name }) => name === called);
    if (within === undefined || !other) return [];
    if (isRunning(caller.name) && !isRunning(called)) {
      const reason = `its calls to ${called} must stay within a ${within}, and no copy of ${called} runs`;
      return [inputBlocker(caller.name, reason, `start ${called}, or leave within out of dependsOn of ${caller.name}`)];
    }
    const parts = new Set(possibleHosts(other, fleet).map((host) => partOf(host, within)));
    if (parts.size === 0 || possibleHosts(caller, fleet).some((host) => parts.has(partOf(host, within)))) return [];
    const reason = `its calls to ${called} must stay within a ${within}, and no ${within} has hosts that both may run on`;
    return [inputBlocker(caller.name, reason, `widen within of ${caller.name} or of ${called}`)];
  });
}

function partOf(host: Host, reach: CallReach): string {
  return reach === "zone" ? host.zone : `${host.zone}/${host.rack}`;
}
