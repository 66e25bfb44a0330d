/**
 * The prices of an update: those of its arguments, and those of a JSON file where one is named.
 *
 * Not for: what is priced (providers/plan/cost.ts).
 */
import { readFile } from "node:fs/promises";
import { resolvePrices } from "../../sdk/arguments";
import { messageOf, MistakeError, type Mistake, type PricesSpec, type PriceTable } from "../../sdk/model";

/**
 * The table as of now.
 * @throws MistakeError when the file cannot be read, with every mistake in it, or when no currency is given
 */
export async function observePrices({ file, table }: PricesSpec): Promise<PriceTable> {
  const { currency, ...rates } = { ...(file === undefined ? {} : await readPrices(file)), ...table };
  if (currency !== undefined) return { currency, ...rates };
  throw MistakeError.of("prices.currency", undefined, "must be given", 'write it like "EUR", here or in the file');
}

async function readPrices(file: string): Promise<Partial<PriceTable>> {
  let document: unknown;
  try {
    document = JSON.parse(await readFile(file, "utf8"));
  } catch (error) {
    const rule = `must be a JSON file that can be read (${messageOf(error)})`;
    throw MistakeError.of("prices.file", file, rule, "correct the path, or give the prices in the arguments");
  }
  const mistakes: Mistake[] = [];
  const table = resolvePrices(document, "prices", mistakes);
  if (table === undefined || mistakes.length > 0) throw new MistakeError(`prices file ${file}`, mistakes);
  return table;
}
