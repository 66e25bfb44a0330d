/**
 * A workload as a declaration that can be pasted into a program: every rule that was declared about it is there, so that
 * nothing is promised less once it is.
 *
 * Not for: what its platform knows by itself; that is discovered again.
 *
 * Invariant: read by the rules of arguments, it is what it was made from.
 */
import { formatByteSize, formatDuration, formatPercentage, type Workload } from "../../sdk/model";

/** Parts of a card are told as a fraction of so many at most. */
const MOST_PARTS = 1024;
const FRACTION_TOLERANCE = 1e-9;

/** Renders a workload as an object of a program. */
export function renderWorkload(workload: Workload): string {
  return renderValue(argumentsOf(workload));
}

function argumentsOf(workload: Workload): Readonly<Record<string, unknown>> {
  const { criticality, exclusive, copies, maxPauseMs, maxUnavailable, lifetimeMs, process, moves, burst } = workload;
  return {
    name: workload.name,
    criticality: criticality === "normal" ? undefined : criticality,
    copies: exclusive ? "exclusive" : copies,
    maxPause: exclusive ? formatDuration(maxPauseMs) : undefined,
    // Copies that come and go by themselves have no budget.
    budget: exclusive || lifetimeMs !== undefined ? undefined : { maxUnavailable },
    boost: map(workload.boost, formatPercentage),
    lifetime: map(lifetimeMs, formatDuration),
    transfer: map(workload.transferBytes, formatByteSize),
    devices: map(workload.devices, (devices) =>
      Object.fromEntries(Object.entries(devices).map(([kind, cards]) => [kind, renderCards(cards)])),
    ),
    within: workload.within,
    moves,
    spread: workload.spread,
    apartFrom: workload.apartFrom,
    command: process?.command,
    port: process?.port === 0 ? undefined : process?.port,
    health: map(process?.health, ({ path, intervalMs, timeoutMs }) => ({
      path,
      interval: formatDuration(intervalMs),
      timeout: formatDuration(timeoutMs),
    })),
    environment: isEmpty(process?.environment) ? undefined : process?.environment,
    hooks: isEmpty(workload.hooks) ? undefined : workload.hooks,
    dependsOn: workload.dependsOn?.map(({ workload: called, callsPerRequest, lagMs, within }) =>
      callsPerRequest === undefined && lagMs === undefined && within === undefined
        ? called
        : { workload: called, callsPerRequest, lag: map(lagMs, formatDuration), within },
    ),
    functions: workload.functions,
    burst: map(burst, ({ coldStartMs, cpuMsPerRequest, ...rest }) => ({
      ...rest,
      coldStart: formatDuration(coldStartMs),
      cpuPerRequest: map(cpuMsPerRequest, formatDuration),
    })),
  };
}

function map<T, R>(value: T | undefined, change: (value: T) => R): R | undefined {
  return value === undefined ? undefined : change(value);
}

function isEmpty(value: object | undefined): boolean {
  return value === undefined || Object.keys(value).length === 0;
}

/** Whole cards as a number, a part of one as a fraction. */
function renderCards(cards: number): number | string {
  if (Number.isInteger(cards)) return cards;
  for (let whole = 2; whole <= MOST_PARTS; whole++) {
    const part = Math.round(cards * whole);
    if (part > 0 && Math.abs(part / whole - cards) < FRACTION_TOLERANCE) return `${String(part)}/${String(whole)}`;
  }
  return cards;
}

/** A value as a program has it: names without quotes where they need none; what is undefined is left out. */
export function renderValue(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(renderValue).join(", ")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  const renderName = (name: string): string => (/^[A-Za-z_$][\w$]*$/.test(name) ? name : JSON.stringify(name));
  return `{ ${members.map(([name, member]) => `${renderName(name)}: ${renderValue(member)}`).join(", ")} }`;
}
