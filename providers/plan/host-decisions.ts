/**
 * Which way of updating was taken for each host: the least disruptive one that the update, the host's driver and the
 * promise allow, and why not a less disruptive one.
 *
 * Not for: deciding about copies (stay.ts, wave-search.ts); what was decided there is told here.
 *
 * Invariant: every member host of the spec's islands has one decision; a blocked one has no action.
 */
import type { Blocker, Host, HostAction, HostDecision, Move, SkippedHost, UpdateSpec, Wave } from "../../sdk/model";
import { describeWay, formatDurationShort, hasTwoWays, HOST_ACTIONS, isMovesOnly, wayOf } from "../../sdk/model";

import { resolveBurst } from "./bursts";
import { resolveDurations, timeOfWay, type StepDurations } from "./durations";
import { percent } from "./explain";
import type { PlanInput } from "./plan-input";
import { compareText, type Problem } from "./problem";
import { disturbanceOn } from "./scores/disturbance";

/** Ways that keep the host's machine. */
const IN_PLACE: ReadonlySet<HostAction> = new Set(["live-patch", "restart", "detached", "live-migration", "move"]);

const NOT_OFFERED = "no driver of it offers that";

/** What was decided about hosts before waves were planned. */
export interface HostsDecided {
  /** As wanted already. */
  readonly skipped: readonly SkippedHost[];
  /** Left for another opening. */
  readonly deferred: readonly SkippedHost[];
  readonly blockers: readonly Blocker[];
  /** Why functions stand in for copies; absent: none does. */
  readonly burstReason?: string;
}

/** What reasons are made from. */
interface Facts {
  readonly problem: Problem;
  readonly input: PlanInput;
  readonly durations: StepDurations;
  readonly burstReason: string | undefined;
}

/** Decisions about all hosts, sorted by host. */
export function decideHosts(
  problem: Problem,
  input: PlanInput,
  waves: readonly Wave[],
  { skipped, deferred, blockers, burstReason }: HostsDecided,
): readonly HostDecision[] {
  const decided: HostDecision[] = [
    ...skipped.map(({ host, reason }): HostDecision => ({ host, action: "leave", reason, rejected: [] })),
    ...deferred.map(({ host, reason }): HostDecision => ({
      host,
      action: "defer",
      reason,
      rejected: [{ action: "move", reason }],
    })),
  ];
  const known = new Set(decided.map(({ host }) => host));
  const waveOf = new Map(
    waves.filter((wave) => !isMovesOnly(wave)).flatMap((wave) => wave.hosts.map((host) => [host, wave] as const)),
  );
  const copies = countCopies(problem);
  const movesFrom = Map.groupBy(
    waves.filter((wave) => !isMovesOnly(wave)).flatMap(({ moves }) => moves),
    ({ from }) => from,
  );
  const islands = new Set(input.spec.islands.map(({ name }) => name));
  const members = new Set(input.fleet.islands.filter(({ name }) => islands.has(name)).flatMap(({ hosts }) => hosts));
  const facts: Facts = { problem, input, durations: resolveDurations(input.spec, input.durations), burstReason };
  problem.sites.forEach(({ host: { id, role } }, site) => {
    if (role !== "member" || !members.has(id) || known.has(id)) return;
    const wave = waveOf.get(id);
    if (!wave) {
      const blocker = blockers.find(({ subject }) => subject === id) ?? blockers[0];
      decided.push({ host: id, reason: blocker?.reason ?? "no wave has it", rejected: [] });
      return;
    }
    const moves = movesFrom.get(id) ?? [];
    const { action, reason } = chooseAction(facts, site, moves, copies[site] ?? 0);
    const { way } = problem.sites[site] ?? {};
    decided.push({
      host: id,
      action,
      reason,
      ...(way !== undefined && hasTwoWays(input.spec.update) ? { way } : {}),
      rejected: rejectedBefore(action, facts, site, moves),
    });
  });
  return decided.sort((a, b) => compareText(a.host, b.host));
}

function countCopies({ sites, copies }: Problem): Int32Array {
  const counts = new Int32Array(sites.length);
  for (const { site } of copies) counts[site] = (counts[site] ?? 0) + 1;
  return counts;
}

/** The most disruptive way that something on the host goes decides. */
function chooseAction(
  { problem, input }: Facts,
  site: number,
  moves: readonly Move[],
  copies: number,
): { readonly action: HostAction; readonly reason: string } {
  const of = (method: Move["method"]): number => moves.filter((move) => move.method === method).length;
  const [shed, restarted, live, ending, burst] = [of("shed"), of("restart"), of("live"), of("end"), of("burst")];
  const leaving = moves.length - shed - restarted - ending - burst;
  const parts = [
    ...(ending > 0
      ? [
          `${plural(ending, "copy", "copies")} ${ending === 1 ? "ends" : "end"} by ${ending === 1 ? "itself" : "themselves"} before it`,
        ]
      : []),
    ...(leaving > 0
      ? [
          `${plural(leaving, "copy", "copies")} ${leaving === 1 ? "goes" : "go"} to other hosts before it${live === 0 ? "" : live === leaving ? " while running" : `, ${String(live)} of them while running`}`,
        ]
      : []),
    ...(restarted > 0 ? [`${String(restarted)} restarted in place after it`] : []),
    ...(burst > 0
      ? [
          `${namesOfFunctions(moves)} ${burst === 1 ? "serves" : "serve"} for ${plural(burst, "copy", "copies")} meanwhile`,
        ]
      : []),
    ...(shed > 0 ? [`${String(shed)} paused for it${describeRefused(moves)}`] : []),
  ];
  const isEmpty = copies === 0 && moves.length === 0;
  const { host, way } = problem.sites[site] as Problem["sites"][number];
  const { update } = input.spec;
  const taken = way === "replacement" ? `${describeReplaced(update, host)}; ` : "";
  if (shed > 0) return { action: "degrade", reason: taken + parts.join(", ") };
  if (burst > 0) return { action: "burst", reason: taken + parts.join(", ") };
  const disturbance = disturbanceOn(problem, site);
  const stays = disturbance === "nothing" && (leaving < copies || isEmpty);
  if (stays) {
    const reason = [isEmpty ? "nothing runs on it" : "what runs on it runs on", ...parts].join("; ");
    return { action: problem.scoring.disturbance === "host" ? "detached" : "live-patch", reason };
  }
  if (disturbance === "copies" && leaving === 0) return { action: "restart", reason: parts[0] ?? "nothing runs on it" };
  const reason = isEmpty ? "nothing runs on it" : parts.join(", ");
  if (way === "replacement") return { action: "replacement", reason: taken + reason };
  if (leaving === 0 && ending > 0 && ending === copies) return { action: "leave-to-end", reason };
  return { action: leaving > 0 && live === leaving ? "live-migration" : "move", reason };
}

function rejectedBefore(
  action: HostAction,
  facts: Facts,
  site: number,
  moves: readonly Move[],
): HostDecision["rejected"] {
  const less = HOST_ACTIONS.slice(0, HOST_ACTIONS.indexOf(action));
  // Of two ways the one not taken is always told.
  const isTold = action === "replacement" || less.includes("replacement") || !hasTwoWays(facts.input.spec.update);
  const others: readonly HostAction[] = isTold ? less : [...less, "replacement"];
  return others.map((other) => ({ action: other, reason: whyNot(other, facts, site, moves) }));
}

/** Why a way was not taken. */
function whyNot(action: HostAction, facts: Facts, site: number, moves: readonly Move[]): string {
  const { problem, input, burstReason } = facts;
  const { spec, fleet, forecast } = input;
  const { host, way } = problem.sites[site] as Problem["sites"][number];
  const { disturbance } = problem.scoring;
  const isReplaced = way === "replacement";
  const isChosen = hasTwoWays(spec.update);
  if (isReplaced && IN_PLACE.has(action)) {
    return isChosen ? whyNotOther(facts, site) : "the image comes with another machine";
  }
  const disturbs =
    disturbance === "reboot" ? "the update restarts the host" : "the update disturbs the host as a whole";
  const room = "beside the update its copies are better off elsewhere";
  switch (action) {
    case "leave":
      return host.probe?.error ?? `the probe prints "${host.probe?.output ?? ""}", wanted is "${spec.update.expect}"`;
    case "leave-to-end":
      return "what runs on it does not end by itself soon";
    case "live-patch":
      if (disturbance === "copies") return "copies have to be restarted to take the update";
      return disturbance === "nothing" ? room : disturbs;
    case "restart":
      if (disturbance === "nothing") return "a restart would change nothing";
      return disturbance === "copies" ? "room beside the update or budgets do not allow it for every copy" : disturbs;
    case "detached":
      if (disturbance === "reboot") return disturbs;
      if (disturbance !== "host") return "the update leaves the host as a whole alone";
      return host.offers?.includes("detached") === true ? room : NOT_OFFERED;
    case "move": {
      const staying = moves.filter(({ method }) => method === "shed" || method === "burst").length;
      return `no other host has room for ${String(staying)} of its copies${burstReason === undefined ? "" : `; ${burstReason}`}`;
    }
    case "live-migration":
      return host.offers?.includes("live-migration") === true ? whyNotLive(problem, moves) : NOT_OFFERED;
    case "replacement":
      if (isReplaced) return "its machine is replaced, but not every copy finds another host meanwhile";
      if (host.offers?.includes("replacement") !== true) return NOT_OFFERED;
      return isChosen ? whyNotOther(facts, site) : "the update is a command, not an image";
    case "burst":
      return whyNoBurst(problem, { fleet, forecast }, moves);
    case "degrade":
    case "defer":
      return "more disruptive";
  }
}

/** Why copies of a host that offers live migration go in another way. */
function whyNotLive({ workOf, works }: Problem, moves: readonly Move[]): string {
  const others = moves.filter(({ method, to }) => method !== "live" && to !== undefined);
  const isFlexible = ({ workload }: Move): boolean => {
    const found = works[workOf.get(workload) ?? -1]?.workload;
    return found !== undefined && !found.exclusive && found.service !== undefined;
  };
  if (others.length === 0) return "no copy of it goes to another host";
  if (others.every(isFlexible)) return "a second copy is started first, which pauses nobody";
  return "the pause would be longer than allowed, or where its copies go does not offer it";
}

function describeRefused(moves: readonly Move[]): string {
  const refused = new Map(moves.flatMap(({ workload, refuses }) => (refuses ? [[workload, refuses] as const] : [])));
  return [...refused]
    .map(([workload, { paths, share }]) => ` while ${paths.join(", ")} of ${workload} (${percent(share)}) are refused`)
    .join(" and");
}

function namesOfFunctions(moves: readonly Move[]): string {
  const names = [...new Set(moves.flatMap(({ standIn }) => standIn?.function ?? []))].sort();
  return `function${names.length === 1 ? "" : "s"} ${names.join(", ")}`;
}

/** Why no function stands in for the copies that pause. */
function whyNoBurst(
  { works, workOf }: Problem,
  { fleet, forecast }: Pick<PlanInput, "fleet" | "forecast">,
  moves: readonly Move[],
): string {
  const paused = [...new Set(moves.flatMap(({ method, workload }) => (method === "shed" ? [workload] : [])))];
  const reasons = paused.map((name) => {
    const workload = works[workOf.get(name) ?? -1]?.workload;
    const found = workload && resolveBurst(workload, fleet, forecast);
    if (found === undefined) return `no function is declared that could serve for ${name}`;
    if (typeof found === "string") return `for ${name}: ${found}`;
    return `function ${found.target.function} does not take that many requests of ${name}`;
  });
  return reasons.length === 0 ? NOT_OFFERED : reasons.join("; ");
}

function plural(count: number, one: string, many: string): string {
  return `${String(count)} ${count === 1 ? one : many}`;
}

function describeReplaced(update: UpdateSpec, host: Host): string {
  const why = hasTwoWays(update) ? `, for ${describeChosen(update, host)}` : "";
  return `a machine of ${update.image ?? ""} takes its place${why}`;
}

/** Why a host is updated in the one of two ways that it is. */
function describeChosen(update: UpdateSpec, host: Host): string {
  return describeWay(update, host, wayOf(update, host));
}

/** Why the other one of two ways was not taken, with what each takes where both are possible. */
function whyNotOther({ problem, input, durations }: Facts, site: number): string {
  const { update } = input.spec;
  const { host } = problem.sites[site] as Problem["sites"][number];
  const reason = describeChosen(update, host);
  if (host.immutable !== undefined) return reason;
  const [inPlace, replaced] = (["in-place", "replacement"] as const).map((way) =>
    formatDurationShort(timeOfWay(way, update, durations).p95Ms),
  );
  if (input.durations.replace === undefined && update.replacement?.expectedMs === undefined) {
    return `${reason}; the change takes ${inPlace ?? ""} in place (P95), and update.replacement.expected does not tell what another machine takes`;
  }
  return `${reason}; the change takes ${inPlace ?? ""} in place and ${replaced ?? ""} with another machine (P95)`;
}
