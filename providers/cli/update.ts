/**
 * The host update that a command means, opened: its store, its newest run and its surroundings.
 *
 * Not for: what is done with it.
 */
import { MistakeError, type HostUpdateSpec, type RunState } from "../../sdk/model";
import { systemClock } from "../clock";
import { openRunEnvironment, type RunEnvironment } from "../runner/environment";
import { readLatestRun } from "../runner/run-family";
import { chooseFamily, openStore, type OpenedStore } from "./store";

/** One host update. */
export interface ChosenUpdate {
  readonly opened: OpenedStore;
  /** Name that its runs share. */
  readonly family: string;
  /** Its newest run, where there is one. */
  readonly latest: RunState | undefined;
  /** What the window file says, else what its newest run was made of. */
  readonly spec: HostUpdateSpec;
}

/**
 * Finds the update of RUN, or of the window file.
 * @throws MistakeError when there is neither a run nor a window file
 */
export async function chooseUpdate(
  options: { readonly store: string | undefined; readonly file: string | undefined },
  word: string | undefined,
): Promise<ChosenUpdate> {
  const opened = await openStore(options);
  const family = await chooseFamily(opened, word);
  const latest = await readLatestRun(opened.store, family);
  const { windowFile } = opened;
  const spec = windowFile?.family === family ? windowFile.spec : latest?.bundle.spec;
  if (!spec) {
    throw MistakeError.of("run", family, "has no run in this store", "start it with --file WINDOW-FILE");
  }
  return { opened, family, latest, spec };
}

/** Opens what the update needs, as it is declared now; the spec may name its store otherwise, from another folder. */
export async function openUpdate(update: ChosenUpdate): Promise<RunEnvironment> {
  const { opened, spec, latest } = update;
  if (opened.windowFile?.spec !== spec && latest) return openLatest(update, latest);
  const environment = await openRunEnvironment({ ...spec, store: opened.url }, systemClock);
  return { ...environment, spec };
}

/** Opens what a run needs, as it was approved. */
export function openLatest({ opened }: Pick<ChosenUpdate, "opened">, { bundle }: RunState): Promise<RunEnvironment> {
  const { spec, folder } = bundle;
  return openRunEnvironment(spec, systemClock, { store: opened.store, ...(folder === undefined ? {} : { folder }) });
}
