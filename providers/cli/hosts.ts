/** `archipelago hosts`: the hosts of a fleet as they are now: state, version, copies, marks, owners. */
import { formatDurationShort, type Host, type Mark, type Replica, type SharesInForce } from "../../sdk/model";
import { systemClock } from "../clock";
import type { Lease } from "../journal/run-store";
import type { RunEnvironment } from "../runner/environment";
import { hostResource } from "../runner/leases";
import { defineCommand } from "./command";
import { EXIT_CODES } from "./exit-codes";
import { STORE_OPTIONS } from "./store";
import { renderTable } from "./table";
import type { Terminal } from "./terminal";
import { chooseUpdate, openUpdate } from "./update";

/** A host that takes longer is shown without its version. */
const OBSERVE_LIMIT_MS = 15_000;

/** Shows hosts; asks every agent, changes nothing. */
export const hostsCommand = defineCommand({
  name: "hosts",
  summary: "show the hosts of an update: state, version, copies, marks, owners",
  about: `Asks every host of the fleet of RUN, or of a window file. The version is what the update's probe prints;
a host that matches what is expected is "as wanted". Nothing is changed. Ends with code 1 when a host cannot
be reached.`,
  positionals: [{ name: "RUN", isOptional: true, completes: "runs" }],
  options: STORE_OPTIONS,
  async run({ options, positionals: [word], isJson, terminal }) {
    const environment = await openUpdate(await chooseUpdate(options, word));
    terminal.progress.status("asking the hosts ...");
    try {
      const rows = await observeHosts(environment);
      terminal.progress.status("");
      if (isJson) terminal.printJson({ v: 1, platform: environment.platform.name, hosts: rows.map(hostJson) });
      else terminal.print(renderHosts(rows, terminal));
      return rows.some(({ host }) => host.state === "unreachable") ? EXIT_CODES.failed : EXIT_CODES.done;
    } finally {
      await environment.close();
    }
  },
});

/** A host with what else is known of it. */
interface HostRow {
  readonly host: Host;
  readonly replicas: readonly Replica[];
  /** The lease on it, where one is held. */
  readonly lease?: Lease;
}

async function observeHosts({ platform, store, spec }: RunEnvironment): Promise<readonly HostRow[]> {
  const signal = AbortSignal.timeout(OBSERVE_LIMIT_MS);
  const [hosts, replicas] = await Promise.all([platform.hosts.list(signal), platform.workloads.list(signal)]);
  const nowMs = systemClock.now();
  return Promise.all(
    hosts.map(async (host) => {
      const probe =
        host.state === "ready"
          ? await platform.hosts.probe(host.id, spec.update.probe, spec.update.expect, signal).catch(() => undefined)
          : undefined;
      const lease = await store.leases.inspect(hostResource(platform.name, host.id));
      return {
        host: probe ? { ...host, probe } : host,
        replicas: replicas.filter((replica) => replica.host === host.id && replica.state !== "stopped"),
        ...(lease && lease.expiresAt > nowMs ? { lease } : {}),
      };
    }),
  );
}

function hostJson({ host, replicas, lease }: HostRow): object {
  return {
    id: host.id,
    zone: host.zone,
    role: host.role,
    state: host.state,
    ...(host.stateReason === undefined ? {} : { stateReason: host.stateReason }),
    ...(host.probe ? { version: host.probe.output, isAsWanted: host.probe.matches } : {}),
    replicas: replicas.map(({ id, workload, state }) => ({ id, workload, state })),
    ...(host.cordoned ? { cordoned: markJson(host.cordoned) } : {}),
    ...(host.reserved ? { reserved: markJson(host.reserved) } : {}),
    ...(host.shares ? { shares: sharesJson(host.shares) } : {}),
    ...(host.replaced ? { replaced: { owner: host.replaced.owner } } : {}),
    ...(host.immutable === undefined ? {} : { immutable: host.immutable }),
    ...(lease ? { owner: { name: lease.owner, until: new Date(lease.expiresAt).toISOString() } } : {}),
  };
}

function markJson({ owner, expiresAt }: Mark): object {
  return { owner, expiresAt: new Date(expiresAt).toISOString() };
}

function sharesJson(shares: SharesInForce): object {
  return { ...markJson(shares), shares: shares.shares.map(({ island, cpu }) => ({ island, cpu })) };
}

function renderHosts(rows: readonly HostRow[], { columns, colours }: Terminal): string {
  const cells = rows.map(({ host, replicas, lease }) => [
    host.id,
    host.zone,
    host.role,
    paintState(host, colours),
    host.probe ? (host.probe.matches ? colours.green : colours.yellow)(host.probe.output || "(empty)") : "-",
    countCopies(replicas),
    [...describeMarks(host), ...(lease ? [`owned by ${lease.owner}`] : [])].join(", ") || "-",
  ]);
  const table = renderTable(["HOST", "ZONE", "ROLE", "STATE", "VERSION", "COPIES", "MARKS"], cells, columns);
  const reasons = rows.flatMap(({ host }) =>
    host.stateReason === undefined ? [] : [colours.red(`${host.id}: ${host.stateReason}`)],
  );
  return [table, ...reasons].join("\n");
}

function paintState({ state }: Host, colours: Terminal["colours"]): string {
  return state === "unreachable" ? colours.red(state) : state;
}

function countCopies(replicas: readonly Replica[]): string {
  const counts = new Map<string, number>();
  for (const { workload } of replicas) counts.set(workload, (counts.get(workload) ?? 0) + 1);
  const texts = [...counts]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, count]) => (count === 1 ? name : `${name} x${String(count)}`));
  return texts.join(" ") || "-";
}

function describeMarks({ cordoned, reserved, shares, replaced, immutable }: Host): readonly string[] {
  const nowMs = systemClock.now();
  const until = ({ expiresAt }: Mark): string =>
    expiresAt > nowMs ? `for ${formatDurationShort(expiresAt - nowMs)}` : "lapsed";
  return [
    ...(cordoned ? [`cordoned by ${cordoned.owner} ${until(cordoned)}`] : []),
    ...(reserved ? [`reserved by ${reserved.owner} ${until(reserved)}`] : []),
    ...(shares ? [`${describeShares(shares)} by ${shares.owner} ${until(shares)}`] : []),
    ...(replaced ? [`the machine before it kept by ${replaced.owner}`] : []),
    ...(immutable === undefined ? [] : [`not updated in place: ${immutable}`]),
  ];
}

/** `shop 60 %, back 40 %`. */
function describeShares({ shares }: SharesInForce): string {
  return shares.map(({ island, cpu }) => `${island} ${String(Math.round(cpu * 100))} %`).join(", ");
}
