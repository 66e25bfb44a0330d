/** What a preview can say of an update whose hosts do not exist yet. */
import { renderOpening, type HostUpdateSpec, type Unplanned, type UpdateSpec } from "../../sdk/model";
import { nextOpenings } from "../calendar";
import { systemClock } from "../clock";
import { UNKNOWN, findUnknown } from "./unknown-inputs";

const OPENINGS_SHOWN = 5;

/** Names the missing inputs and what is known without them. */
export function unplannedFor(spec: HostUpdateSpec, unknown: readonly string[]): Unplanned {
  const { update, windows } = spec;
  const openings = findUnknown(windows).length > 0 ? [] : nextOpenings(windows, systemClock.now(), OPENINGS_SHOWN);
  return {
    inputs: unknown,
    update: `${describeWays(update)}, until \`${shown(update.probe)}\` prints ${shown(update.expect)}`,
    openings: openings.map((opening) => renderOpening(opening, windows[0]?.timezone ?? "UTC")),
  };
}

/** Which of two ways each host has is not known before its driver was asked. */
function describeWays({ command, image }: UpdateSpec): string {
  const replaced = image === undefined ? "" : `replacement by ${shown(image)}`;
  if (command === undefined) return replaced;
  return image === undefined ? shown(command) : `${shown(command)} or ${replaced}, for each host as it allows`;
}

function shown(text: string): string {
  return text === UNKNOWN ? "(not known yet)" : text;
}
