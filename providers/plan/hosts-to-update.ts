/**
 * Which hosts the update is for: the members of its islands whose probe does not match yet.
 *
 * Not for: order and time (waves.ts).
 *
 * Invariant: every member host of the islands is in exactly one of `hosts`, `skipped` and `unusable`.
 */
import type {
  Blocker,
  Fleet,
  Host,
  HostUpdateSpec,
  NoWay,
  ProbeResult,
  SkippedHost,
  UpdateSpec,
} from "../../sdk/model";
import { describeWay, wayOf } from "../../sdk/model";

import type { PlanProgress } from "./plan-input";

/** The member hosts of an update, sorted by id. */
export interface HostsToUpdate {
  readonly hosts: readonly Host[];
  /** Hosts that are as wanted, with the reason. */
  readonly skipped: readonly SkippedHost[];
  /** Hosts that cannot be judged or reached; each has a blocker. */
  readonly unusable: readonly string[];
  readonly blockers: readonly Blocker[];
  readonly warnings: readonly string[];
  readonly probes: Readonly<Record<string, ProbeResult>>;
}

/** Sorts the member hosts into those to update, those to skip and those that block. */
export function findHostsToUpdate(fleet: Fleet, spec: HostUpdateSpec, progress?: PlanProgress): HostsToUpdate {
  const members = memberHosts(fleet, spec);
  const updated = new Set(progress?.updatedHosts);
  const hosts: Host[] = [];
  const skipped: SkippedHost[] = [];
  const blockers: Blocker[] = [];

  for (const host of members) {
    if (updated.has(host.id)) {
      skipped.push({ host: host.id, reason: "updated by this run" });
      continue;
    }
    // A host that is known to be as wanted need not even answer.
    if (host.probe?.matches) {
      skipped.push({ host: host.id, reason: `the probe already prints ${quote(host.probe.output)}` });
      continue;
    }
    const blocker = hostBlocker(host, spec);
    if (blocker) blockers.push(blocker);
    else hosts.push(host);
  }

  return {
    hosts,
    skipped,
    unusable: blockers.map((blocker) => blocker.subject),
    blockers: [...emptyIslandBlockers(fleet, spec), ...blockers],
    warnings: silentProbeWarnings(members, spec),
    probes: Object.fromEntries(members.flatMap((host) => (host.probe ? [[host.id, host.probe] as const] : []))),
  };
}

/** Member hosts of the spec's islands, sorted by id. Standby hosts belong to the pool and are not updated. */
function memberHosts(fleet: Fleet, spec: HostUpdateSpec): readonly Host[] {
  const names = new Set(spec.islands.map((island) => island.name));
  const ids = new Set(fleet.islands.filter((island) => names.has(island.name)).flatMap((island) => island.hosts));
  return fleet.hosts
    .filter((host) => host.role === "member" && ids.has(host.id))
    .sort((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0));
}

function hostBlocker(host: Host, spec: HostUpdateSpec): Blocker | undefined {
  if (host.state !== "ready") {
    const reason =
      host.state === "stopped" ? "the host is stopped" : `the host does not answer: ${host.stateReason ?? "no reason"}`;
    return {
      code: "unreachable",
      subject: host.id,
      reason,
      fix: `bring ${host.id} back, or take it out of its island`,
    };
  }
  if (host.probe?.error !== undefined || host.probe === undefined) {
    return {
      code: "probe",
      subject: host.id,
      reason: host.probe
        ? `the probe ${quote(spec.update.probe)} failed: ${host.probe.error ?? ""}`
        : `the probe ${quote(spec.update.probe)} has no result from this host`,
      fix: `make ${quote(spec.update.probe)} end with exit code 0 on ${host.id}, before the update too; try it there by hand`,
    };
  }
  return wayBlocker(host, spec.update);
}

/** A host is changed only in a way that its driver offers, and beside a machine that is kept no second one is. */
function wayBlocker(host: Host, update: UpdateSpec): Blocker | undefined {
  const { id, replaced } = host;
  const chosen = wayOf(update, host);
  if (!("way" in chosen)) {
    return { code: "input", subject: id, reason: noWayReason(update, host, chosen), fix: noWayFix(host, chosen) };
  }
  if (!replaced || chosen.way !== "replacement") return undefined;
  return {
    code: "foreign-mark",
    subject: id,
    reason: `the machine that run ${replaced.owner} replaced is still kept`,
    fix: `look which of the two machines is good, and end the other one on the platform`,
  };
}

function noWayReason(update: UpdateSpec, host: Host, none: NoWay): string {
  const text = describeWay(update, host, none);
  if (none.why === "neither") return text;
  return `the update is ${none.why === "immutable" ? "a command" : "an image"}, and ${text}`;
}

function noWayFix({ id, offers, immutable }: Host, { why }: NoWay): string {
  const otherwise = `take ${id} out of its island`;
  if (why === "immutable" && offers?.includes("replacement") === true) {
    return `give update.image beside update.command, or ${otherwise}`;
  }
  if (why === "not-replaceable" && immutable === undefined) {
    return `give update.command and undo beside or in place of update.image, or ${otherwise}`;
  }
  return `let its driver replace it or its agent run commands, or ${otherwise}`;
}

function emptyIslandBlockers(fleet: Fleet, spec: HostUpdateSpec): Blocker[] {
  return spec.islands.flatMap((island): Blocker[] => {
    const found = fleet.islands.find((candidate) => candidate.name === island.name);
    const ids = new Set(found?.hosts);
    if (fleet.hosts.some((host) => host.role === "member" && ids.has(host.id))) return [];
    return [
      {
        code: "input",
        subject: island.name,
        reason: "the island has no hosts",
        fix: `check where the hosts of ${island.name} come from (its ${island.source.kind} source), or remove it`,
      },
    ];
  });
}

/** A probe that prints nothing anywhere was most likely written wrongly: it would never match. */
function silentProbeWarnings(members: readonly Host[], spec: HostUpdateSpec): string[] {
  const silent = members.length > 0 && members.every((host) => host.probe?.output === "" && !host.probe.matches);
  return silent
    ? [
        `the probe ${quote(spec.update.probe)} prints nothing on any host; after the update it must match "${spec.update.expect}"`,
      ]
    : [];
}

function quote(text: string): string {
  return `"${text.length > 60 ? `${text.slice(0, 57)}...` : text}"`;
}
