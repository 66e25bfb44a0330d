/** Paths of signals begin in the folder of the program or file that declares them. */
import * as path from "node:path";
import type { SignalSpec } from "../../sdk/model";

/** The signal with the path of its iCalendar file made absolute. */
export function resolveSignal(signal: SignalSpec, folder: string): SignalSpec {
  const { times } = signal;
  return times.kind === "file" ? { ...signal, times: { ...times, file: path.resolve(folder, times.file) } } : signal;
}
