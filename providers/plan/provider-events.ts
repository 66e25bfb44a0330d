/**
 * Maintenance that a provider has announced for hosts or zones: such a host takes no copies while it lasts, and is not
 * updated in an opening that meets it.
 *
 * Not for: times in which nothing may run at all; those are calendars (providers/calendar).
 */
import type { Blocker, Fleet, Host, MaintenanceEvent, Opening, SkippedHost } from "../../sdk/model";

/** A half-open stretch of time, ms since the epoch. */
interface TimeSpan {
  readonly startMs: number;
  readonly endMs: number;
}

/** Hosts by whether an opening is clear of provider events for them. */
export interface EventScope {
  readonly hosts: readonly Host[];
  /** Left for another opening, with the reason. */
  readonly deferred: readonly SkippedHost[];
}

/** The first event of a host that meets a stretch of time. */
export function eventOn(host: Host, fleet: Pick<Fleet, "events">, span: TimeSpan): MaintenanceEvent | undefined {
  return (fleet.events ?? [])
    .filter((event) => event.startMs < span.endMs && event.endMs > span.startMs)
    .filter(({ hosts, zones }) => hosts.includes(host.id) || zones.includes(host.zone))
    .sort((a, b) => a.startMs - b.startMs)[0];
}

/** Leaves hosts out whose provider works on them in the opening. */
export function deferForEvents(
  hosts: readonly Host[],
  fleet: Pick<Fleet, "events">,
  opening: Opening | undefined,
): EventScope {
  if (!opening || !fleet.events?.length) return { hosts, deferred: [] };
  const deferred = hosts.flatMap((host): SkippedHost[] => {
    const event = eventOn(host, fleet, opening);
    return event ? [{ host: host.id, reason: `left for another opening: ${describeEvent(event)}` }] : [];
  });
  const left = new Set(deferred.map(({ host }) => host));
  return { hosts: hosts.filter(({ id }) => !left.has(id)), deferred };
}

/**
 * Says that every host that is left has to wait for another opening: so does the run.
 * @param hasBudgets whether disruption budgets leave some of them alone
 */
export function deferralBlocker(deferred: readonly SkippedHost[], hasBudgets: boolean): Blocker {
  const [first] = deferred;
  return {
    code: "window",
    subject: deferred.map(({ host }) => host).join(", "),
    reason: first?.reason ?? "",
    fix: `wait for an opening after it, or correct the events that were declared; where room is missing, give more hosts in reserve${hasBudgets ? "; widen disruption budgets that let nothing begin" : ""}`,
  };
}

/** An event as `provider maintenance evt-1 (reboot) from 2026-11-28T02:00Z to 2026-11-28T04:00Z`. */
export function describeEvent({ id, reason, startMs, endMs }: MaintenanceEvent): string {
  const short = (ms: number): string => `${new Date(ms).toISOString().slice(0, 16)}Z`;
  return `provider maintenance ${id} (${reason}) from ${short(startMs)} to ${short(endMs)}`;
}

/** Events that take hosts of the update in any of some openings, for people: they may want to be done before. */
export function eventWarnings(
  hosts: readonly Host[],
  fleet: Pick<Fleet, "events">,
  openings: readonly Opening[],
): string[] {
  const last = Math.max(...openings.map(({ endMs }) => endMs));
  const first = Math.min(...openings.map(({ startMs }) => startMs));
  return (fleet.events ?? [])
    .filter((event) => event.startMs < last && event.endMs > first)
    .flatMap((event) => {
      const met = hosts.filter(({ id, zone }) => event.hosts.includes(id) || event.zones.includes(zone));
      if (met.length === 0) return [];
      const names = met.slice(0, 3).map(({ id }) => id);
      const more = met.length > names.length ? ` and ${String(met.length - names.length)} more` : "";
      return [`${names.join(", ")}${more}: ${describeEvent(event)}`];
    });
}
