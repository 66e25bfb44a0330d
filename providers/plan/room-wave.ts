/**
 * A wave that moves copies of other hosts away, so that those of a host that is updated next find room: planned only where
 * there is no plan without it.
 *
 * Not for: which copies move (wave-room.ts).
 *
 * Invariants
 * 1. Every move is judged on all joint paths, at both ends, like those of any other wave.
 * 2. A room wave is appended only together with the wave that it makes room for.
 */
import type { StepRange } from "./capacity";
import { expectedFailback, FailbackLanes } from "./failback-lanes";
import type { Placement } from "./placement";
import { longestOfMoves, type ScheduleContext, type Timeline } from "./schedule";
import type { Room } from "./wave-room";
import { searchWave, type PlacedMove, type SearchOptions } from "./wave-search";

/** What a room wave is planned from. */
export interface RoomWaveOptions {
  readonly context: ScheduleContext;
  readonly placement: Placement;
  readonly timeline: Timeline;
  readonly search: SearchOptions;
  /** Until when what is moved must fit where it goes, for a wave in these steps. */
  readonly untilStep: (range: StepRange) => number;
  /** Standby hosts that have to be taken into use first; they are usable in the placement already. */
  readonly reserve: readonly number[];
}

/** Appends the wave; false where a copy finds no room on all paths. The placement has to be restored then. */
export function appendRoomWave(options: RoomWaveOptions, { displaced, targets }: Room): boolean {
  const { context, placement, timeline, search, reserve } = options;
  const { problem, durations } = context;
  const tasks = displaced.map(({ copy }) => ({ copy }));
  const sources = new Set(displaced.map(({ copy }) => copy.site));
  const time = expectedFailback(context, tasks.length, sources.size, longestOfMoves(context, tasks));
  const [p50Ms, p95Ms] = reserve.length > 0 ? [durations.reserve.p50Ms, durations.reserve.p95Ms] : [0, 0];
  const range = timeline.rangeOfNext({ p50Ms: time.p50Ms + p50Ms, p95Ms: time.p95Ms + p95Ms });
  // Hosts that copies leave may take others: what is there counts until the wave is over.
  if (placement.beginWave(range, new Set(), options.untilStep(range))) return false;
  const goals = new Map(displaced.map(({ copy, site }) => [copy.id, { site, why: "room" } as const]));
  const found = searchWave(problem, placement, tasks, { ...search, goals, index: timeline.nextIndex, mayShed: false });
  if ("stuck" in found) return false;
  const moves = found.moves.map((placed) => withReason(context, placed, targets));
  const lanes = new FailbackLanes(context, placement, "update");
  lanes.addAll(moves);
  lanes.append(timeline, [], range, { reserve });
  return true;
}

function withReason(
  { problem }: ScheduleContext,
  { move, gone, arrived }: PlacedMove,
  targets: Room["targets"],
): PlacedMove {
  const coming = [...targets].flatMap(([id, site]) => (site === gone.site ? [id] : []));
  const whom = coming.length === 0 ? "what comes there" : coming.sort().join(", ");
  const host = problem.sites[gone.site]?.host.id ?? "";
  return {
    gone,
    arrived,
    move: {
      ...move,
      reason: `makes room on ${host} for ${whom}, which no host has room for otherwise; ${move.reason}`,
    },
  };
}
