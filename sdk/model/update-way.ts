/**
 * Which way a host is updated: in place, by a command, or by another machine that takes its place. It follows from what the
 * update gives and what the host's driver reports alone, never from load, time or learned durations, so that it can be part
 * of what is approved.
 *
 * Not for: what becomes of the copies on the host (decisions.ts).
 *
 * Invariant: where both ways are possible the least disruptive one is taken: one with a way back before one without, then
 * the one that copies may stay through, then the one that is declared to be shorter, then in place.
 */
import type { Host } from "./fleet";
import type { UpdateSpec } from "./policy";
import { formatDurationShort } from "./units";

/** `in-place`: a command changes the machine. `replacement`: another machine, made of an image, takes its place. */
export type UpdateWay = "in-place" | "replacement";

/** What of a host decides. */
export type ReplaceableHost = Pick<Host, "offers" | "immutable">;

/** The way of a host, and why it is not the other one. */
export interface ChosenWay {
  readonly way: UpdateWay;
  readonly why: WayReason;
}

/** `single`: the update gives one way only. `immutable`, `not-replaceable`: the host takes one only. Others: both are possible. */
export type WayReason =
  "single" | "immutable" | "not-replaceable" | "irreversible" | "copies-stay" | "shorter" | "no-second-machine";

/** Why a host can be updated in no way that the update gives. */
export interface NoWay {
  readonly why: "immutable" | "not-replaceable" | "neither";
}

/** Times of a replacement. */
export interface ReplacementTimes {
  readonly timeoutMs: number;
  /** P95; absent: not told. */
  readonly expectedMs?: number;
}

/** The ways that an update gives, in place first. */
export function waysOf({ command, image }: Pick<UpdateSpec, "command" | "image">): readonly UpdateWay[] {
  return [
    ...(command === undefined ? [] : (["in-place"] as const)),
    ...(image === undefined ? [] : (["replacement"] as const)),
  ];
}

/** True where each host's way has to be chosen. */
export function hasTwoWays(update: Pick<UpdateSpec, "command" | "image">): boolean {
  return waysOf(update).length > 1;
}

/** The way of a host, or why there is none. */
export function wayOf(update: UpdateSpec, host: ReplaceableHost): ChosenWay | NoWay {
  const given = waysOf(update);
  const possible = given.filter((way) =>
    way === "in-place" ? host.immutable === undefined : host.offers?.includes("replacement") === true,
  );
  const [way, other] = possible;
  if (way === undefined) {
    if (given.length > 1) return { why: "neither" };
    return { why: given[0] === "in-place" ? "immutable" : "not-replaceable" };
  }
  if (given.length === 1) return { way, why: "single" };
  if (other === undefined) return { way, why: way === "in-place" ? "not-replaceable" : "immutable" };
  if (update.undo === undefined) return { way: "replacement", why: "irreversible" };
  if (mayKeepCopies(update, host)) return { way: "in-place", why: "copies-stay" };
  if (isShorterReplaced(update)) return { way: "replacement", why: "shorter" };
  return { way: "in-place", why: "no-second-machine" };
}

/** True where copies may run on, or are restarted where they are, while the command works. */
function mayKeepCopies({ reboot, disturbs = "host" }: UpdateSpec, { offers }: ReplaceableHost): boolean {
  return !reboot && (disturbs !== "host" || offers?.includes("detached") === true);
}

/** Only times that are declared for each way are compared: guesses and what was learned must not change what is approved. */
function isShorterReplaced({ expectedMs, replacement }: UpdateSpec): boolean {
  return expectedMs !== undefined && replacement?.expectedMs !== undefined && replacement.expectedMs < expectedMs;
}

/** Times of a replacement: its own, or those of the update. */
export function replacementTimes({ timeoutMs, expectedMs, replacement }: UpdateSpec): ReplacementTimes {
  // An expected time of the update is no guess for a replacement that has a deadline of its own.
  const expected = replacement?.expectedMs ?? (replacement?.timeoutMs === undefined ? expectedMs : undefined);
  return {
    timeoutMs: replacement?.timeoutMs ?? timeoutMs,
    ...(expected === undefined ? {} : { expectedMs: expected }),
  };
}

/** In words: `it cannot be updated in place (read-only image)`. */
export function describeWay(
  { expectedMs = 0, replacement }: UpdateSpec,
  { immutable }: ReplaceableHost,
  { why }: ChosenWay | NoWay,
): string {
  const inPlace = `it cannot be updated in place (${immutable ?? "no reason"})`;
  const replaced = "its driver cannot replace its machine";
  switch (why) {
    case "single":
      return "the update gives no other way";
    case "immutable":
      return inPlace;
    case "not-replaceable":
      return replaced;
    case "neither":
      return `${inPlace}, and ${replaced}`;
    case "irreversible":
      return "the command cannot be taken back, and a machine that was replaced can be put back";
    case "copies-stay":
      return "copies may stay on it through the command, and none through a replacement";
    case "shorter": {
      const times = [expectedMs, replacement?.expectedMs ?? 0].map(formatDurationShort);
      return `the command takes ${times[0] ?? ""}, a replacement ${times[1] ?? ""} (P95 as declared)`;
    }
    case "no-second-machine":
      return "both ways are possible, and a command needs no second machine";
  }
}
