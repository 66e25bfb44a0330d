/** `archipelago status [RUN]`: the runs of a store, or one run, now or live. */
import { HEARTBEAT_PREFIX, canonicalJson, type RunnerHeartbeat } from "../../sdk/model";
import { systemClock } from "../clock";
import { readKillSwitch } from "../guard/kill-switch";
import type { RunStore } from "../journal/run-store";
import { listRuns, resolveFamily } from "../runner/list-runs";
import { defineCommand } from "./command";
import { EXIT_CODES } from "./exit-codes";
import { renderRun, renderStatus, runJson, statusJson, type StoreStatus } from "./status-view";
import { openStore, STORE_OPTIONS } from "./store";
import { watchInterrupts } from "./interrupts";
import type { Terminal } from "./terminal";

/** Time between two looks at the store. */
const WATCH_EVERY_MS = 1000;

/** Shows the runs. */
export const statusCommand = defineCommand({
  name: "status",
  summary: "show the runs of a store, live with --watch",
  about: `Shows each HostUpdate's newest run: phase, hosts updated, the wave under way, and what happens next; the
runners that were seen; the kill switch. With RUN (an update's name, its family or a run's id), all about that
one. Ends with code 1 when a journal cannot be read.`,
  positionals: [{ name: "RUN", isOptional: true, completes: "runs" }],
  options: {
    ...STORE_OPTIONS,
    watch: {
      about: "go on showing it until Ctrl-C: redrawn on a terminal, else printed anew at every change",
    },
  },
  examples: [
    ["archipelago status", "the runs of the store"],
    ["archipelago status kernel --watch", "one update, live"],
    ["archipelago status --json | jq -r '.runs[] | select(.phase == \"failed\").run'", "for scripts"],
  ],
  async run({ options, positionals: [word], isJson, terminal }) {
    const { store } = await openStore(options);
    const family = word === undefined ? undefined : await resolveFamily(store, word);
    const look = async (): Promise<StoreStatus> => {
      const status = await readStatus(store);
      return family === undefined ? status : { ...status, runs: status.runs.filter((run) => run.family === family) };
    };
    const show = family === undefined ? renderAll : renderOne;
    if (options.watch) return watch(look, show, isJson, terminal);
    const status = await look();
    if (isJson) terminal.printJson(family === undefined ? statusJson(status) : oneJson(status));
    else terminal.print(show(status, terminal));
    return status.runs.some(({ problem }) => problem !== undefined) ? EXIT_CODES.failed : EXIT_CODES.done;
  },
});

/** Reads everything that a store says about its runs. */
async function readStatus(store: RunStore): Promise<StoreStatus> {
  // Looking must write nothing: the store's own time would need a file.
  const nowMs = systemClock.now();
  const [runs, runners, killSwitch] = await Promise.all([
    listRuns(store, nowMs),
    readHeartbeats(store),
    readKillSwitch(store),
  ]);
  return { url: store.url, nowMs, runs, runners, ...(killSwitch ? { killSwitch } : {}) };
}

/** Signs of life of runners; what was removed meanwhile, or is of another version, is left out. */
async function readHeartbeats(store: RunStore): Promise<readonly RunnerHeartbeat[]> {
  const names = await store.listDocuments(HEARTBEAT_PREFIX);
  const contents = await Promise.all(names.map((name) => store.getDocument(name)));
  return contents.flatMap((content) => parseHeartbeat(content ?? "") ?? []);
}

function parseHeartbeat(content: string): RunnerHeartbeat | undefined {
  try {
    const found = JSON.parse(content) as Partial<RunnerHeartbeat>;
    const isWhole = Number.isFinite(found.at) && Number.isFinite(found.everyMs) && Array.isArray(found.runs);
    return found.v === 1 && isWhole ? (found as RunnerHeartbeat) : undefined;
  } catch {
    return undefined;
  }
}

/** Shows it again and again until Ctrl-C, which is how watching ends well. */
async function watch(
  look: () => Promise<StoreStatus>,
  show: (status: StoreStatus, terminal: Terminal) => string,
  isJson: boolean,
  terminal: Terminal,
): Promise<number> {
  const interrupts = watchInterrupts();
  try {
    let shown = "";
    for (;;) {
      const status = await look();
      if (!isJson && terminal.isLive) {
        terminal.redraw(`${show(status, terminal)}\n\n${terminal.colours.dim("Ctrl-C ends")}`);
      } else {
        const text = isJson ? JSON.stringify(statusJson(status)) : show(status, terminal);
        const news = canonicalJson({ ...statusJson(status), at: "" });
        if (news !== shown) terminal.print(text);
        shown = news;
      }
      await systemClock.sleep(WATCH_EVERY_MS, interrupts.signal);
      if (interrupts.signal.aborted) return EXIT_CODES.done;
    }
  } finally {
    interrupts.close();
  }
}

function renderAll(status: StoreStatus, { columns, colours }: Terminal): string {
  return renderStatus(status, columns, colours);
}

function renderOne({ runs, nowMs }: StoreStatus, { colours }: Terminal): string {
  return runs.map((run) => renderRun(run, nowMs, colours)).join("\n\n");
}

function oneJson({ runs, nowMs, url }: StoreStatus): object {
  const [run] = runs;
  return {
    v: 1,
    store: url,
    at: new Date(nowMs).toISOString(),
    ...(run ? { run: runJson(run, nowMs), ...(run.state ? { state: run.state } : {}) } : {}),
  };
}
