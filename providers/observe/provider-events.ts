/**
 * Provider maintenance events from a JSON file, so that whatever lists them (a cloud's command line in a cron job, an
 * operator) can hand them over: `[{ "id", "hosts"?, "zones"?, "start", "end", "reason"? }]`, times in ISO 8601.
 *
 * Not for: events that stand in the arguments (sdk/arguments/events.ts, whose rules hold here too).
 */
import { readFile } from "node:fs/promises";
import { resolveEvents } from "../../sdk/arguments";
import { messageOf, MistakeError, type EventsSpec, type MaintenanceEvent, type Mistake } from "../../sdk/model";

/**
 * Declared events and those of the file, as of now.
 * @throws MistakeError when the file cannot be read, or with every mistake in it
 */
export async function observeEvents({ file, listed }: EventsSpec): Promise<readonly MaintenanceEvent[]> {
  if (file === undefined) return listed;
  let document: unknown;
  try {
    document = JSON.parse(await readFile(file, "utf8"));
  } catch (error) {
    const rule = `must be a JSON file that can be read (${messageOf(error)})`;
    throw MistakeError.of("events.file", file, rule, "correct the path, or write [] to it while there are no events");
  }
  const mistakes: Mistake[] = [];
  const events = resolveEvents(document, "events", mistakes);
  if (events === undefined || mistakes.length > 0) throw new MistakeError(`events file ${file}`, mistakes);
  return [...listed, ...events];
}
