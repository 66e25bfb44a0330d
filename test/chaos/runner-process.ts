/**
 * The process that carries a host update out, for tests that kill it: `performHostUpdate` with a real environment, as
 * `pulumi up` and the runner do it. It waits for the leases of the one before it to lapse.
 *
 * Its parent may ask it to hold the steps of some kinds, as on a slow store, so that a kill from outside finds them
 * under way; and to end itself with SIGKILL right after a driver's call has taken effect, which nobody outside
 * could time.
 */
import { once } from "node:events";
import { appendFileSync } from "node:fs";
import { messageOf, isKind, type HostUpdateSpec, type JournalEntry, type StepKind } from "../../sdk/model";
import { systemClock } from "../../providers/clock";
import type { Platform } from "../../providers/drivers/contracts";
import type { RunStore } from "../../providers/journal/run-store";
import { openRunEnvironment } from "../../providers/runner/environment";
import { performHostUpdate, type UpdateOutcome } from "../../providers/runner/host-update";
import { runResource } from "../../providers/runner/leases";
import { readLatestRun } from "../../providers/runner/run-family";

/** What it is told at its start, as JSON. */
export interface RunnerOrder {
  readonly spec: HostUpdateSpec;
  readonly family: string;
  readonly owner: string;
  readonly leaseTtlMs: number;
  /** Driver calls after which it dies, such as `traffic.park`; the first that comes is the last. */
  readonly dieAfter: readonly string[];
  /** Calls after which the agent that answered is to be killed, each once. */
  readonly tellAfter: readonly string[];
  /** Where it notes the call it dies after. */
  readonly deaths: string;
}

/** What it is told later. */
export interface RunnerWish {
  /** Kinds of steps whose end is not stored before they are taken off this list, or a limit has passed. */
  readonly heldEnds: readonly StepKind[];
  /** Kinds of steps that have stored their intent and do nothing yet, likewise. */
  readonly heldStarts: readonly StepKind[];
  /** Go on after `answered`. */
  readonly goOn?: boolean;
}

/** What it says. */
export type RunnerNews =
  | { readonly kind: "line"; readonly text: string }
  /** A host has answered one of the calls to tell about; the next call follows when it was told to go on. */
  | { readonly kind: "answered"; readonly call: string; readonly host: string }
  | {
      readonly kind: "ended";
      readonly phase: UpdateOutcome["phase"];
      readonly reason: string;
      readonly report?: string;
    }
  | { readonly kind: "broken"; readonly reason: string };

/** Long enough that whoever follows the journal acts on a busy machine; who has acted ends it at once. */
const HELD_AT_MOST_MS = 5_000;
const HELD_AGAIN_MS = 10;
const ASK_AGAIN_MS = 100;

async function main(order: RunnerOrder): Promise<void> {
  const tell = (news: RunnerNews): void => {
    process.send?.(news);
  };
  let wish: Pick<RunnerWish, "heldEnds" | "heldStarts"> = { heldEnds: [], heldStarts: [] };
  process.on("message", (told: RunnerWish) => (wish = told));
  const tellAnswer = async (call: string, host: string): Promise<void> => {
    tell({ kind: "answered", call, host });
    for (;;) {
      const [wish] = (await once(process, "message")) as [RunnerWish];
      if (wish.goOn === true) return;
    }
  };
  process.on("disconnect", () => process.exit(0));
  const environment = await openRunEnvironment(order.spec, systemClock);
  const platform = watchCalls(environment.platform, order, tellAnswer);
  const store = holdSteps(environment.store, () => wish);
  const progress = { line: (text: string) => tell({ kind: "line", text }), status: () => undefined };
  const caller = { ...order, engine: "test", progress, signal: new AbortController().signal };
  for (;;) {
    await waitForLease(environment.store, order.family);
    try {
      const { phase, reason, report } = await performHostUpdate({ ...environment, platform, store }, caller);
      tell({ kind: "ended", phase, reason, ...(report === undefined ? {} : { report }) });
      break;
    } catch (error) {
      // The leases of hosts are renewed after the run's, so they lapse a little later. And on a machine that is too
      // busy to renew them in time they are lost; then a runner takes the run over, which may be this one.
      // A store that was full or away is tried again, as every runner does.
      if (!["LeaseHeldError", "LeaseLostError", "StoreError"].some((kind) => isKind(error, kind))) {
        tell({ kind: "broken", reason: messageOf(error) });
        break;
      }
    }
  }
  await environment.close();
  process.disconnect();
}

async function waitForLease(store: RunStore, family: string): Promise<void> {
  const run = await readLatestRun(store, family);
  if (!run) return;
  while (await store.leases.inspect(runResource(run.id))) await systemClock.sleep(ASK_AGAIN_MS);
}

/** Holds steps of some kinds back: before they do anything, or before their end is stored. */
function holdSteps(store: RunStore, wish: () => Pick<RunnerWish, "heldEnds" | "heldStarts">): RunStore {
  const kinds = new Map<string, StepKind>();
  const hold = async (isHeld: () => boolean): Promise<void> => {
    for (let heldMs = 0; isHeld() && heldMs < HELD_AT_MOST_MS; heldMs += HELD_AGAIN_MS)
      await systemClock.sleep(HELD_AGAIN_MS);
  };
  const isEndHeld = (entry: JournalEntry): boolean => {
    const kind = entry.kind === "step-done" ? kinds.get(entry.id) : undefined;
    return kind !== undefined && wish().heldEnds.includes(kind);
  };
  const isStartHeld = (entry: JournalEntry): boolean =>
    entry.kind === "step-intent" && wish().heldStarts.includes(entry.step.kind);
  return {
    url: store.url,
    leases: store.leases,
    append: async (run, seq, entries) => {
      for (const entry of entries) if (entry.kind === "step-intent") kinds.set(entry.step.id, entry.step.kind);
      await hold(() => entries.some(isEndHeld));
      await store.append(run, seq, entries);
      await hold(() => entries.some(isStartHeld));
    },
    read: (run) => store.read(run),
    list: () => store.list(),
    putDocument: (name, content) => store.putDocument(name, content),
    createDocument: (name, content) => store.createDocument(name, content),
    getDocument: (name) => store.getDocument(name),
    listDocuments: (prefix) => store.listDocuments(prefix),
    deleteDocument: (name) => store.deleteDocument(name),
    now: () => store.now(),
  };
}

/** The platform with some calls after which this process ends, or tells who has answered. */
function watchCalls(
  platform: Platform,
  { dieAfter, tellAfter, deaths }: RunnerOrder,
  tellAnswer: (call: string, host: string) => Promise<void>,
): Platform {
  const told = new Set<string>();
  const afterCall = async (call: string, subject: string): Promise<void> => {
    if (dieAfter.includes(call)) {
      appendFileSync(deaths, `${call}\n`);
      process.kill(process.pid, "SIGKILL");
    }
    if (!tellAfter.includes(call) || told.has(call)) return;
    told.add(call);
    await tellAnswer(call, subject);
  };
  const watched = <T extends object>(part: string, driver: T): T =>
    new Proxy(driver, {
      get: (target, name, receiver) => {
        const value: unknown = Reflect.get(target, name, receiver);
        if (typeof value !== "function") return value;
        return async (...args: unknown[]): Promise<unknown> => {
          const result = await (value as (...args: unknown[]) => Promise<unknown>).apply(target, args);
          await afterCall(`${part}.${String(name)}`, String(args[0]));
          return result;
        };
      },
    });
  return {
    ...platform,
    workloads: watched("workloads", platform.workloads),
    traffic: watched("traffic", platform.traffic),
  };
}

main(JSON.parse(process.argv[2] ?? "") as RunnerOrder).catch((error: unknown) => {
  process.send?.({ kind: "broken", reason: messageOf(error) } satisfies RunnerNews);
  process.exitCode = 1;
  process.disconnect();
});
