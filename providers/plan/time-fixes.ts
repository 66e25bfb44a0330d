/**
 * What would help when a run does not end in time: a longer opening, wider limits, shorter soaks, faster links. Every fix
 * named here was checked by planning again with it.
 *
 * Not for: room (fixes.ts).
 */
import type { Opening } from "../../sdk/model";
import { formatDurationShort, HOST_LIMITS } from "../../sdk/model";

import { findWiderBudgets } from "./disruption-budgets";
import type { Fix, IsPlannable } from "./fixes";
import type { PlanInput } from "./plan-input";
import {
  describeTime,
  formatRate,
  withCalendarLimits,
  withLimit,
  withLinks,
  withLonger,
  withUplinks,
} from "./promises";
import type { Schedule } from "./schedule";

const MINUTE_MS = 60_000;
/** Load at the end of a longer opening may ask for other waves; beyond twice the time something else is wrong. */
const LONGER_TRIED: readonly number[] = [0, 5, 15, 30, 60, 120];
/** Limits that are tried: each is a whole plan. */
const PLACES_TRIED: readonly number[] = [2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 100];
const FACTORS_TRIED: readonly number[] = [2, 4, 8];
const SOAKS_TRIED: readonly number[] = [1 / 2, 1 / 4, 0];
/** Larger fleets are offered a longer opening and more hosts at once only: each other try is a whole plan as well. */
const MOST_COPIES = 1_000;

/**
 * The smallest change of each kind that helps.
 * @param missingMs time that the opening is too short by
 */
export function findTimeFixes(
  input: PlanInput,
  opening: Opening,
  missingMs: number,
  schedule: Schedule,
  fits: IsPlannable,
): readonly Fix[] {
  const longer = longerFix(input, opening, missingMs, fits);
  // What a run under way may do is approved; only time can be more than was thought.
  if (input.progress) return longer ? [longer] : [];
  const isLarge = input.fleet.replicas.length > MOST_COPIES;
  const tried = isLarge || input.searchesFixes === false ? (["hostsAtOnce"] as const) : HOST_LIMITS;
  return [
    longer,
    ...tried.map((name) => limitFix(input, name, fits)),
    ...findWiderBudgets(input, fits),
    ...(isLarge || input.searchesFixes === false
      ? []
      : [
          ...HOST_LIMITS.map((name) => calendarFix(input, opening, name, fits)),
          soakFix(input, fits),
          linkFix(input, schedule, fits),
          uplinkFix(input, fits),
        ]),
  ].filter((fix) => fix !== undefined);
}

/** The least whole minutes by which the opening has to be longer. */
function longerFix(input: PlanInput, opening: Opening, missingMs: number, fits: IsPlannable): Fix | undefined {
  const least = Math.ceil(missingMs / MINUTE_MS);
  return firstThat(
    LONGER_TRIED.map((more) => least + more),
    fits,
    (minutes) => ({
      text: `an opening that is ${String(minutes)} min longer`,
      input: withLonger(input, opening, minutes * MINUTE_MS),
    }),
  );
}

function limitFix(input: PlanInput, name: (typeof HOST_LIMITS)[number], fits: IsPlannable): Fix | undefined {
  const now = input.spec.limits[name];
  if (now === undefined) return undefined;
  return firstThat(placesAbove(now, input), fits, (places) => ({
    text: `${name}: ${String(places)}`,
    input: withLimit(input, name, places),
  }));
}

/** A wider limit of the calendars at the time of the opening. */
function calendarFix(
  input: PlanInput,
  opening: Opening,
  name: (typeof HOST_LIMITS)[number],
  fits: IsPlannable,
): Fix | undefined {
  const now = opening.limits?.[name];
  if (now === undefined) return undefined;
  return firstThat(placesAbove(now, input), fits, (places) => ({
    text: `${name}: ${String(places)} ${describeTime(opening)}`,
    input: withCalendarLimits(input, opening, (limits) =>
      limits[name] === undefined ? limits : { ...limits, [name]: Math.max(limits[name], places) },
    ),
  }));
}

function placesAbove(now: number, { fleet }: PlanInput): readonly number[] {
  return PLACES_TRIED.filter((places) => places > now && places <= fleet.hosts.length);
}

function soakFix(input: PlanInput, fits: IsPlannable): Fix | undefined {
  const { soakMs } = input.spec.limits;
  if (soakMs === 0) return undefined;
  return firstThat(
    SOAKS_TRIED.map((share) => Math.round(soakMs * share)),
    fits,
    (shorter) => ({ text: `soakTime of ${formatDurationShort(shorter)}`, input: withLimit(input, "soakMs", shorter) }),
  );
}

/** A faster link of the host whose transfers take longest, or of all hosts. */
function linkFix(input: PlanInput, schedule: Schedule, fits: IsPlannable): Fix | undefined {
  const slowest = slowestSource(input, schedule);
  if (slowest === undefined) return undefined;
  const rates = new Map(
    input.fleet.hosts.flatMap(({ id, linkBytesPerSecond }) =>
      linkBytesPerSecond === undefined ? [] : [[id, linkBytesPerSecond] as const],
    ),
  );
  const own = rates.get(slowest) ?? 0;
  return (
    firstThat(FACTORS_TRIED, fits, (factor) => ({
      text: `a link of ${slowest} with ${formatRate(own * factor)} (${String(factor)} x)`,
      input: withLinks(input, factor, slowest),
    })) ??
    firstThat(FACTORS_TRIED, fits, (factor) => ({
      text: `links of hosts with ${formatRate(Math.min(...rates.values()) * factor)} at least (${String(factor)} x)`,
      input: withLinks(input, factor),
    }))
  );
}

function uplinkFix(input: PlanInput, fits: IsPlannable): Fix | undefined {
  const now = input.fleet.network?.rackBytesPerSecond;
  if (now === undefined) return undefined;
  return firstThat(FACTORS_TRIED, fits, (factor) => ({
    text: `uplinks of racks with ${formatRate(now * factor)} (${String(factor)} x)`,
    input: withUplinks(input, factor),
  }));
}

/** The host with a known link that data needs longest to leave. */
function slowestSource({ fleet }: PlanInput, { waves }: Schedule): string | undefined {
  const bytesOf = new Map(fleet.workloads.map(({ name, transferBytes = 0 }) => [name, transferBytes]));
  const bytes = new Map<string, number>();
  for (const { from, to, workload } of waves.flatMap(({ moves }) => moves)) {
    if (to !== undefined) bytes.set(from, (bytes.get(from) ?? 0) + (bytesOf.get(workload) ?? 0));
  }
  let slowest: { readonly id: string; readonly seconds: number } | undefined;
  for (const { id, linkBytesPerSecond } of fleet.hosts) {
    const seconds = (bytes.get(id) ?? 0) / (linkBytesPerSecond ?? Number.POSITIVE_INFINITY);
    if (seconds > (slowest?.seconds ?? 0)) slowest = { id, seconds };
  }
  return slowest?.id;
}

function firstThat<T>(values: readonly T[], fits: IsPlannable, make: (value: T) => Fix): Fix | undefined {
  for (const value of values) {
    const fix = make(value);
    if (fits(fix.input)) return fix;
  }
  return undefined;
}
