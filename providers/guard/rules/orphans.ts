/** Orphans: what a run leaves behind when it has ended, and hosts that are neither updated nor as before. */
import type { JournalEntry, Phase, Violation } from "../../../sdk/model";
import type { PlatformState } from "../observations";
import { hostsOf } from "../run-view";
import type { RunView } from "../run-view";
import { endOf } from "./rule";
import type { Rule } from "./rule";

/** Phases after which nothing of the run may be left. */
const ENDS: ReadonlySet<Phase> = new Set(["done", "failed", "cancelled", "skipped", "expired"]);

/** When a run has ended, no mark, reservation, parked service, extra copy, function or replaced machine of it is left. */
export const leavesNothing: Rule = (view, { first, last }) => {
  const phase = lastPhase(view.entries);
  if (!last || phase === undefined || !ENDS.has(phase)) return [];
  const named = namedAsNotUndone(view);
  return [
    ...findMarks(view, last, first),
    ...findCopies(view, last),
    ...findEndpoints(view, last),
    ...findTraffic(view, last),
  ]
    .filter(({ subject }) => !named.some((text) => text.includes(subject)))
    .map(({ subject, text }): Violation => ({ atMs: endOf(view), rule: "orphan", subject, text }));
};

/** When a run has ended, each host is updated or exactly as before, unless the failure names it. */
export const leavesNoHalfState: Rule = (view, { last }) => {
  const phase = lastPhase(view.entries);
  const { plan, bundle } = view;
  if (!last?.probes || !plan || !bundle || phase === undefined || !ENDS.has(phase)) return [];
  const named = namedAsNotUndone(view);
  const isUpdated = globTest(bundle.spec.update.expect);
  return plan.envelope.hosts.flatMap((host): readonly Violation[] => {
    const now = last.probes?.[host];
    const before = plan.probes[host]?.output;
    if (now === undefined || before === undefined || named.some((text) => text.includes(host))) return [];
    if (isUpdated(now) || (phase !== "done" && now === before)) return [];
    const text = `is at "${now}", neither updated (${bundle.spec.update.expect}) nor as before ("${before}")`;
    return [{ atMs: endOf(view), rule: "orphan", subject: host, text }];
  });
};

interface Leftover {
  readonly subject: string;
  readonly text: string;
}

function findMarks(view: RunView, last: PlatformState, first: PlatformState | undefined): readonly Leftover[] {
  const { run } = view;
  return last.hosts.flatMap((host): readonly Leftover[] => {
    const before = first?.hosts.find((other) => other.id === host.id);
    const isStarted = host.role === "standby" && host.state === "ready" && before?.state === "stopped";
    const isOwnReserve = host.reserved === undefined || host.reserved.owner === run;
    return [
      ...(run !== undefined && host.cordoned?.owner === run ? [{ subject: host.id, text: "is still cordoned" }] : []),
      ...(isStarted && isOwnReserve ? [{ subject: host.id, text: "is still started as reserve" }] : []),
      ...(run !== undefined && host.replaced?.owner === run
        ? [{ subject: host.id, text: "still has the machine that was replaced beside it" }]
        : []),
    ];
  });
}

function findCopies(view: RunView, last: PlatformState): readonly Leftover[] {
  // What ends by itself is started again by whoever started it, not by the run.
  const ended = new Set([...view.moves.values()].flatMap((move) => (move.method === "end" ? [move.workload] : [])));
  return view.workloads.flatMap((workload): readonly Leftover[] => {
    const copies = last.replicas.filter((copy) => copy.workload === workload.name && copy.state !== "stopped");
    const inactive = copies.filter((copy) => copy.state === "standby" || copy.state === "quiesced");
    const extra = copies.length - inactive.length - workload.copies;
    return [
      ...inactive.map((copy) => ({ subject: copy.id, text: `is left ${copy.state} on ${copy.host}` })),
      ...(extra > 0 ? [{ subject: workload.name, text: `has ${String(extra)} more copies than it wants` }] : []),
      ...(extra < 0 && !ended.has(workload.name)
        ? [{ subject: workload.name, text: `lacks ${String(-extra)} copies` }]
        : []),
    ];
  });
}

function findEndpoints({ run }: RunView, { endpoints = [] }: PlatformState): readonly Leftover[] {
  return endpoints
    .filter(({ owner }) => owner === run)
    .map(({ id, function: name }) => ({ subject: id, text: `is still deployed, of function ${name}` }));
}

function findTraffic({ run }: RunView, last: PlatformState): readonly Leftover[] {
  const copies = last.replicas.filter((copy) => copy.state !== "stopped");
  const running = new Set([...copies, ...(last.endpoints ?? [])].map(({ id }) => id));
  return last.services.flatMap((service): readonly Leftover[] => [
    ...(service.refused && service.refused.owner === run
      ? [{ subject: service.name, text: `still refuses ${service.refused.paths.join(", ")}` }]
      : []),
    ...(service.parked ? [{ subject: service.name, text: `is still parked by ${service.parked.token}` }] : []),
    ...service.backends
      .filter((backend) => !running.has(backend.replica))
      .map((backend) => ({ subject: service.name, text: `still has the backend ${backend.replica}, which is gone` })),
    ...service.backends
      .filter((backend) => running.has(backend.replica) && backend.weight === 0)
      .map((backend) => ({ subject: service.name, text: `still drains ${backend.replica}` })),
  ]);
}

/**
 * What the run said it could not put back: named, so not a hidden leftover. Where it names something, the hosts, copies
 * and workloads of steps whose undo failed count as named.
 */
function namedAsNotUndone(view: RunView): readonly string[] {
  const named = [
    ...view.entries.flatMap((entry) => (entry.kind === "failure" ? entry.failure.notUndone : [])),
    ...machinesLeft(view),
  ];
  if (named.length === 0) return [];
  const failed = view.spans.filter((span) => span.undo === "failed").map(({ step }) => step);
  return [
    ...named,
    ...failed.flatMap(hostsOf),
    ...failed.flatMap((step) => ("workload" in step ? [step.workload] : [])),
    ...failed.flatMap((step) => ("replica" in step ? [step.replica] : [])),
    ...failed.flatMap((step) => ("endpoint" in step ? [step.endpoint] : [])),
  ];
}

/** Hosts whose replaced machines the run said it could not end. */
function machinesLeft({ entries, spans }: RunView): readonly string[] {
  const discards = new Map(
    spans.flatMap(({ step }) => (step.kind === "discard-replaced" ? [[step.id, step.host] as const] : [])),
  );
  return entries.flatMap((entry) => {
    const host = entry.kind === "step-done" ? discards.get(entry.id) : undefined;
    return host !== undefined && entry.kind === "step-done" && entry.result !== null ? [host] : [];
  });
}

function lastPhase(entries: readonly JournalEntry[]): Phase | undefined {
  return entries.findLast((entry) => entry.kind === "phase")?.phase;
}

/** `*` stands for any characters, `?` for one. */
function globTest(glob: string): (text: string) => boolean {
  const source = glob
    .replace(/[.+^${}()|[\]\\]/g, "\\$&")
    .replaceAll("*", ".*")
    .replaceAll("?", ".");
  const pattern = new RegExp(`^${source}$`, "s");
  return (text) => pattern.test(text);
}
