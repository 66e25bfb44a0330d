/** Rules of a table of prices, in arguments and in files, and their resolved form. */
import type { Mistake, PricesSpec, PriceTable } from "../model";
import { object, optional, text, type Rule, type SpecOf } from "./rules";

const rate: Rule<number> = (value, field, mistakes) => {
  if (typeof value === "number" && Number.isFinite(value) && value >= 0) return value;
  mistakes.push({ field, value, rule: "must be a number >= 0", remedy: "give the price of one unit" });
  return undefined;
};

const rates = {
  currency: optional(text, undefined),
  note: optional(text, undefined),
  reservedHostHour: optional(rate, undefined),
  cpuCoreHour: optional(rate, undefined),
  memoryGibHour: optional(rate, undefined),
  surgeCpuCoreHour: optional(rate, undefined),
  surgeMemoryGibHour: optional(rate, undefined),
  transferGibWithinZone: optional(rate, undefined),
  transferGibAcrossZones: optional(rate, undefined),
  functionMillionCalls: optional(rate, undefined),
};
const tableRule = object(rates);

/**
 * Field of an update that takes prices.
 * @param late rule of the texts that may come later
 */
export function pricesField<T>(late: Rule<T>) {
  return optional(object({ file: optional(late, undefined), ...rates }), undefined);
}

/** Reads a table of prices; what is left out of it is absent. */
export function resolvePrices(document: unknown, field: string, mistakes: Mistake[]): Partial<PriceTable> | undefined {
  const checked = tableRule(document, field, mistakes);
  return checked && given(checked);
}

/** Checks that need several fields at once. */
export function validatePrices<T>(prices: Checked<T> | undefined, mistakes: Mistake[]): void {
  if (!prices || prices.file !== undefined || prices.currency !== undefined) return;
  mistakes.push({
    field: "prices.currency",
    value: undefined,
    rule: "must be given, or a file that has one",
    remedy: 'write it like "EUR"',
  });
}

/** Checked arguments to policy. */
export function normalizePrices<T>({ file, ...table }: Checked<T>): SpecOf<PricesSpec, T> {
  const some = given(table);
  return {
    ...(file === undefined ? {} : { file }),
    ...(Object.keys(some).length === 0 ? {} : { table: some }),
  };
}

type Checked<T> = { readonly file: T | undefined } & NonNullable<ReturnType<typeof tableRule>>;

function given(table: NonNullable<ReturnType<typeof tableRule>>): Partial<PriceTable> {
  return Object.fromEntries(Object.entries(table).filter(([, value]) => value !== undefined));
}
