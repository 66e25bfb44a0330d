/**
 * What a plan costs, from a table of prices: reserved hosts, copies that run twice during moves, machines beside those that
 * they replace, data that moves across zones, and calls of functions that stand in for copies; in total and per wave.
 *
 * Not for: what a run did cost (the report measures that), and ways to pay less (alternatives.ts).
 *
 * Invariant: the items of the waves add up to those of the whole.
 */
import type {
  CostItem,
  CostLine,
  Fleet,
  JointDemand,
  Move,
  PlanStep,
  PriceTable,
  Wave,
  WaveCost,
} from "../../sdk/model";
import { EXAMPLE_PRICES, reservedSpans, type ReservedSpan } from "../../sdk/model";

import type { PlanInput } from "./plan-input";
import type { Schedule } from "./schedule";

const HOUR_MS = 3_600_000;
const GIB = 2 ** 30;
const MILLION = 1e6;
/** Of quantities in words; items have them whole. */
const SHOWN_DIGITS = 4;

/** What pricing needs of the fleet, by name. */
interface Surroundings {
  readonly prices: PriceTable;
  readonly hosts: ReadonlyMap<string, Fleet["hosts"][number]>;
  readonly workloads: ReadonlyMap<string, Fleet["workloads"][number]>;
  /** P95 of the memory of one copy, by workload. */
  readonly memoryBytes: ReadonlyMap<string, number>;
  readonly reserved: readonly ReservedSpan[];
  readonly demand: JointDemand;
}

/** The prices that count for an input: the user's, else the pool's alone, else examples. */
function pricesOf({ fleet, spec }: Pick<PlanInput, "fleet" | "spec">): PriceTable {
  const poolPrice = spec.pool?.hostHourPrice;
  const table = fleet.prices ?? (poolPrice ? { currency: poolPrice.currency } : EXAMPLE_PRICES);
  if (poolPrice?.currency !== table.currency) return table;
  return { ...table, reservedHostHour: poolPrice.amount };
}

/** The cost of a schedule, at the median of its duration. */
export function planCost(schedule: Schedule | undefined, input: PlanInput): CostLine {
  const prices = pricesOf(input);
  if (!schedule) return createLine([], [], prices);
  const { demand } = input.forecast;
  const around: Surroundings = {
    prices,
    hosts: new Map(input.fleet.hosts.map((host) => [host.id, host])),
    workloads: new Map(input.fleet.workloads.map((workload) => [workload.name, workload])),
    memoryBytes: new Map(demand.workloads.map((name, index) => [name, demand.memoryBytes[index] ?? 0])),
    demand,
    reserved: reservedSpans({ waves: schedule.waves, reserve: { hosts: schedule.reserve, reason: "" } }),
  };
  const waves = schedule.waves.map((wave): WaveCost => {
    const items = costOfWave(wave, around);
    return { wave: wave.index, items, ...amountOf(items) };
  });
  return createLine(sumItems(waves.flatMap(({ items }) => items)), waves, prices);
}

/** Sum of the amounts of items with one; absent when none has one. */
function amountOf(items: readonly CostItem[]): { readonly amount?: number } {
  const amounts = items.flatMap(({ amount }) => (amount === undefined ? [] : [amount]));
  return amounts.length === 0 ? {} : { amount: round(amounts.reduce((sum, amount) => sum + amount, 0)) };
}

function costOfWave(wave: Wave, around: Surroundings): readonly CostItem[] {
  return [
    ...reservationItems(wave, around),
    ...surgeItems(wave, around),
    ...replacementItems(wave, around),
    ...transferItems(wave, around),
    ...burstItems(wave, around),
  ];
}

/** Hosts are paid from the start of the wave that reserves them to the end of the one that releases them. */
function reservationItems({ startMs, endMs }: Wave, { reserved, hosts, prices }: Surroundings): CostItem[] {
  const held = reserved.filter(({ fromMs, toMs }) => fromMs < endMs && toMs > startMs);
  if (held.length === 0) return [];
  let hours = 0;
  let amount: number | undefined = 0;
  for (const { host, fromMs, toMs } of held) {
    const hoursHere = (Math.min(endMs, toMs) - Math.max(startMs, fromMs)) / HOUR_MS;
    const rate = hostHour(hosts.get(host), prices);
    hours += hoursHere;
    amount = amount === undefined || rate === undefined ? undefined : amount + rate * hoursHere;
  }
  return [item("reservation", hours, "host hours", amount)];
}

function hostHour(host: Fleet["hosts"][number] | undefined, prices: PriceTable): number | undefined {
  if (prices.reservedHostHour !== undefined) return prices.reservedHostHour;
  if (!host || prices.cpuCoreHour === undefined || prices.memoryGibHour === undefined) return undefined;
  const { cpuMillis, memoryBytes } = host.capacity;
  return (cpuMillis / 1000) * prices.cpuCoreHour + (memoryBytes / GIB) * prices.memoryGibHour;
}

/** From the start of the new copy to the end of the old one there are two; on hosts that are paid they cost nothing. */
function surgeItems({ moves, steps }: Wave, { workloads, prices }: Surroundings): CostItem[] {
  const surges = moves.filter(({ method }) => method === "surge");
  if (surges.length === 0) return [];
  const durations = durationByMove(steps);
  let [hours, amount] = [0, 0];
  for (const move of surges) {
    const moveHours = (durations.get(move.id) ?? 0) / HOUR_MS;
    const request = workloads.get(move.workload)?.request;
    hours += moveHours;
    amount +=
      moveHours *
      (((request?.cpuMillis ?? 0) / 1000) * (prices.surgeCpuCoreHour ?? 0) +
        ((request?.memoryBytes ?? 0) / GIB) * (prices.surgeMemoryGibHour ?? 0));
  }
  return [item("surge", hours, "copy hours", amount)];
}

/** The steps of one move come one after the other. */
function durationByMove(steps: readonly PlanStep[]): ReadonlyMap<string, number> {
  const durations = new Map<string, number>();
  for (const step of steps) {
    if (!("move" in step)) continue;
    durations.set(step.move, (durations.get(step.move) ?? 0) + step.expected.p50Ms);
  }
  return durations;
}

/** From the start of the new machine to the end of the old one there are two. */
function replacementItems({ steps }: Wave, { hosts, prices }: Surroundings): CostItem[] {
  const replaced = new Set(steps.flatMap((step) => (step.kind === "replace" ? [step.host] : [])));
  if (replaced.size === 0) return [];
  let hours = 0;
  let amount: number | undefined = 0;
  for (const host of replaced) {
    const hoursHere =
      steps.reduce((sum, step) => sum + (hasTwoMachines(step, host) ? step.expected.p50Ms : 0), 0) / HOUR_MS;
    const rate = hostHour(hosts.get(host), prices);
    hours += hoursHere;
    amount = amount === undefined || rate === undefined ? undefined : amount + rate * hoursHere;
  }
  return [item("replacement", hours, "host hours", amount)];
}

/** True for steps of a host from the start of its new machine to the end of the old one, which follow each other. */
function hasTwoMachines(step: PlanStep, host: string): boolean {
  if (step.kind === "soak") return step.hosts.includes(host);
  const kinds: readonly PlanStep["kind"][] = ["replace", "validate", "uncordon", "discard-replaced"];
  return "host" in step && step.host === host && kinds.includes(step.kind);
}

/** State that goes along with a move; within a zone it is free nearly everywhere. */
function transferItems({ moves }: Wave, around: Surroundings): CostItem[] {
  const { prices } = around;
  let [within, across] = [0, 0];
  for (const move of moves) {
    const gib = bytesOf(move, around) / GIB;
    const [from, to] = [around.hosts.get(move.from)?.zone, around.hosts.get(move.to ?? move.from)?.zone];
    if (from === to) within += gib;
    else across += gib;
  }
  if (within + across === 0) return [];
  const rates = [prices.transferGibWithinZone, prices.transferGibAcrossZones] as const;
  const isPriced = (within === 0 || rates[0] !== undefined) && (across === 0 || rates[1] !== undefined);
  const amount = isPriced ? within * (rates[0] ?? 0) + across * (rates[1] ?? 0) : undefined;
  return [item("transfer", within + across, "GiB", amount)];
}

/** What is declared; a hand-over or live migration carries the copy's memory besides where that is more. */
function bytesOf({ method, workload, to }: Move, { memoryBytes, workloads }: Surroundings): number {
  if (to === undefined) return 0;
  const declared = workloads.get(workload)?.transferBytes ?? 0;
  if (method !== "hand-over" && method !== "live") return declared;
  return Math.max(declared, memoryBytes.get(workload) ?? workloads.get(workload)?.request.memoryBytes ?? 0);
}

/** Calls of functions from the wave's start to its end: some of that time is before and after they serve. */
function burstItems({ moves, startMs, endMs }: Wave, { demand, workloads, prices }: Surroundings): CostItem[] {
  const bursts = moves.flatMap(({ workload, standIn }) => (standIn ? [{ workload, standIn }] : []));
  if (bursts.length === 0) return [];
  let [calls, amount]: [number, number | undefined] = [0, 0];
  for (const { workload, standIn } of bursts) {
    const price = workloads.get(workload)?.burst?.pricePerMillionCalls ?? prices.functionMillionCalls;
    const millicores = meanDemand(demand, workload, startMs, endMs);
    const here = ((millicores * standIn.share) / standIn.cpuMsPerRequest) * ((endMs - startMs) / 1000);
    calls += here;
    amount = amount === undefined || price === undefined ? undefined : amount + (here / MILLION) * price;
  }
  return [item("burst", Math.ceil(calls), "calls", amount)];
}

/** Mean over all paths of what a workload needs in a span of time, millicores. */
function meanDemand(demand: JointDemand, workload: string, fromMs: number, toMs: number): number {
  const row = demand.workloads.indexOf(workload);
  const last = demand.steps - 1;
  if (row < 0 || last < 0 || demand.cpuMillis.length === 0) return 0;
  const stepAt = (timeMs: number): number =>
    Math.min(last, Math.max(0, Math.floor((timeMs - demand.startMs) / demand.stepMs)));
  const [from, to] = [stepAt(fromMs), stepAt(Math.max(fromMs, toMs - 1))];
  let sum = 0;
  for (const path of demand.cpuMillis) {
    for (let step = from; step <= to; step++) sum += path[row * demand.steps + step] ?? 0;
  }
  return sum / (demand.cpuMillis.length * (to - from + 1));
}

function sumItems(items: readonly CostItem[]): CostItem[] {
  const sums = new Map<CostItem["kind"], CostItem>();
  for (const one of items) {
    const before = sums.get(one.kind);
    const isPriced = one.amount !== undefined && (!before || before.amount !== undefined);
    const amount = isPriced ? (before?.amount ?? 0) + (one.amount ?? 0) : undefined;
    sums.set(one.kind, item(one.kind, (before?.quantity ?? 0) + one.quantity, one.unit, amount));
  }
  return [...sums.values()];
}

function createLine(items: readonly CostItem[], waves: readonly WaveCost[], prices: PriceTable): CostLine {
  const reservedHostHours = round(items.find(({ kind }) => kind === "reservation")?.quantity ?? 0);
  const total = amountOf(items);
  const shown = items.filter(({ kind, amount }) => kind === "reservation" || kind === "burst" || (amount ?? 0) > 0);
  const isPriced = total.amount !== undefined && shown.every(({ amount }) => amount !== undefined);
  const parts = shown.map(({ kind, quantity, unit, amount }) => {
    const name = kind === "reservation" ? "reserved" : kind;
    const priced = amount === undefined ? "" : `, ${amount.toFixed(2)} ${prices.currency}`;
    return `${name} ${String(Number(quantity.toPrecision(SHOWN_DIGITS)))} ${unit}${priced}`;
  });
  const what = parts.length === 0 ? "no reserved hosts, no extra cost" : parts.join("; ");
  const sum = parts.length > 1 && isPriced ? `${(total.amount ?? 0).toFixed(2)} ${prices.currency}: ` : "";
  const why =
    parts.length === 0 ? "" : isPriced ? (prices.note === undefined ? "" : ` (${prices.note})`) : "; no price is known";
  return {
    reservedHostHours,
    ...(isPriced ? total : {}),
    currency: prices.currency,
    note: `${sum}${what}${why}`,
    items,
    waves,
  };
}

function item(kind: CostItem["kind"], quantity: number, unit: string, amount: number | undefined): CostItem {
  return { kind, quantity: round(quantity), unit, ...(amount === undefined ? {} : { amount: round(amount) }) };
}

/** To a ten-thousandth: waves of minutes cost fractions of a cent. */
function round(value: number): number {
  return Math.round(value * 10_000) / 10_000;
}
