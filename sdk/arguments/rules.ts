/**
 * Rules for arguments: what a user wrote is parsed to its resolved form, and every mistake is collected, none thrown.
 * Components and window files use the same ones.
 *
 * Not for: values that are still Pulumi outputs (sdk/components/later.ts).
 *
 * Invariant: a rule that returns undefined has reported at least one mistake.
 */
import {
  didYouMean,
  isKind,
  parseByteSize,
  parseCpu,
  parseDuration,
  parsePercentage,
  type Mistake,
  type MistakeError,
} from "../model";

/** Parses `value` found at `field`; reports mistakes and returns undefined when there is no usable result. */
export type Rule<T> = (value: unknown, field: string, mistakes: Mistake[]) => T | undefined;

/** A field of an object: its rule, and what it is when left out. */
export interface FieldRule<T> {
  readonly rule: Rule<T>;
  readonly missing:
    { readonly kind: "mistake"; readonly remedy: string } | { readonly kind: "default"; readonly value: T };
}

/** A field that must be there. */
export function required<T>(rule: Rule<T>, remedy: string): FieldRule<T> {
  return { rule, missing: { kind: "mistake", remedy } };
}

/** A field with a default. */
export function optional<T, D extends T | undefined>(rule: Rule<T>, value: D): FieldRule<T | D> {
  return { rule, missing: { kind: "default", value } };
}

/** A spec in which texts may be of a kind that is not known yet, such as Pulumi outputs. */
export type SpecOf<S, T> = S extends string
  ? string extends S
    ? T | string
    : S
  : S extends number | boolean | undefined
    ? S
    : { readonly [K in keyof S]: SpecOf<S[K], T> };

/** The resolved form of a table of fields. */
export type Resolved<F extends Readonly<Record<string, FieldRule<unknown>>>> = {
  readonly [K in keyof F]: F[K] extends FieldRule<infer T> ? T : never;
};

/** A check of what several fields say together, once each of them is right: reports what contradicts. */
export type Check<T> = (resolved: T, field: string, mistakes: Mistake[]) => void;

/**
 * An object with just these fields; an unknown one is a mistake with a "did you mean".
 * @param further checks of several fields at once: made where this object's fields are right, whatever is wrong elsewhere
 */
export function object<F extends Readonly<Record<string, FieldRule<unknown>>>>(
  fields: F,
  further?: Check<Resolved<F>>,
): Rule<Resolved<F>> {
  return (value, field, mistakes) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      mistakes.push({ field, value, rule: "must be an object", remedy: `give { ${Object.keys(fields).join(", ")} }` });
      return undefined;
    }
    const before = mistakes.length;
    const known = Object.keys(fields);
    for (const name of Object.keys(value)) {
      if (name in fields) continue;
      const near = didYouMean(name, known);
      mistakes.push({
        field: join(field, name),
        value: (value as Record<string, unknown>)[name],
        rule: "is not a known field",
        remedy: near ? `did you mean "${near}"?` : `known fields: ${known.join(", ")}`,
      });
    }
    const resolved: Record<string, unknown> = {};
    for (const [name, { rule, missing }] of Object.entries(fields)) {
      const member = (value as Record<string, unknown>)[name];
      if (member !== undefined) resolved[name] = rule(member, join(field, name), mistakes);
      else if (missing.kind === "default") resolved[name] = missing.value;
      else mistakes.push({ field: join(field, name), value: undefined, rule: "must be given", remedy: missing.remedy });
    }
    if (mistakes.length === before) further?.(resolved as Resolved<F>, field, mistakes);
    return mistakes.length > before ? undefined : (resolved as Resolved<F>);
  };
}

/** A list of objects with names that differ. */
export function namedList<T>(rule: Rule<T>, minimum: number): Rule<readonly T[]> {
  const items = list(rule, minimum);
  return (value, field, mistakes) => {
    const before = mistakes.length;
    const resolved = items(value, field, mistakes);
    const names = Array.isArray(value) ? value.map((item: unknown) => (item as { name?: unknown } | null)?.name) : [];
    names.forEach((own, index) => {
      if (typeof own !== "string" || names.indexOf(own) === index) return;
      const at = `${field}[${String(index)}].name`;
      mistakes.push({ field: at, value: own, rule: "must be unique", remedy: "rename one of them" });
    });
    return mistakes.length > before ? undefined : resolved;
  };
}

/** Members by name, at least one: `{ saturdays: { ... } }`. */
export function named<T>(rule: Rule<T>, what: string): Rule<Readonly<Record<string, T>>> {
  return (value, field, mistakes) => {
    if (typeof value !== "object" || value === null || Array.isArray(value) || Object.keys(value).length === 0) {
      const remedy = `write it like { ${what}: { ... } }`;
      mistakes.push({ field, value, rule: "must be an object with at least one member, by name", remedy });
      return undefined;
    }
    const before = mistakes.length;
    const resolved = Object.entries(value).map(([key, member]) => {
      name(key, join(field, key), mistakes);
      return [key, rule(member, join(field, key), mistakes)] as const;
    });
    return mistakes.length > before ? undefined : (Object.fromEntries(resolved) as Record<string, T>);
  };
}

/** A list; `minimum` items at least. */
export function list<T>(rule: Rule<T>, minimum = 0): Rule<readonly T[]> {
  return (value, field, mistakes) => {
    if (!Array.isArray(value)) {
      mistakes.push({ field, value, rule: "must be a list", remedy: "write it in square brackets" });
      return undefined;
    }
    if (value.length < minimum) {
      mistakes.push({
        field,
        value,
        rule: `must have at least ${String(minimum)} item${minimum === 1 ? "" : "s"}`,
        remedy: "add one",
      });
      return undefined;
    }
    const before = mistakes.length;
    const items = value.map((item: unknown, index) => rule(item, `${field}[${String(index)}]`, mistakes));
    return mistakes.length > before ? undefined : (items as T[]);
  };
}

/** A text that is not empty. */
export const text: Rule<string> = (value, field, mistakes) => {
  if (typeof value === "string" && value.trim() !== "") return value;
  mistakes.push({ field, value, rule: "must be a text that is not empty", remedy: "write it in quotes" });
  return undefined;
};

/** A name: lower-case letters, digits and dashes, 63 at most, so that it fits keys, host names and file names. */
export const name: Rule<string> = (value, field, mistakes) => {
  if (typeof value === "string" && /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(value)) return value;
  mistakes.push({
    field,
    value,
    rule: "must be lower-case letters, digits and dashes, at most 63",
    remedy: 'write it like "checkout" or "price-service"',
  });
  return undefined;
};

/** One of some words. */
export function oneOf<const T extends string>(words: readonly T[]): Rule<T> {
  return (value, field, mistakes) => {
    if (words.includes(value as T)) return value as T;
    const near = typeof value === "string" ? didYouMean(value, words) : undefined;
    mistakes.push({
      field,
      value,
      rule: `must be ${words.map((word) => `"${word}"`).join(" or ")}`,
      remedy: near ? `did you mean "${near}"?` : "choose one of these",
    });
    return undefined;
  };
}

/** Yes or no. */
export const flag: Rule<boolean> = (value, field, mistakes) => {
  if (typeof value === "boolean") return value;
  mistakes.push({ field, value, rule: "must be true or false", remedy: "leave out the quotes" });
  return undefined;
};

/** A whole number within bounds. */
export function wholeNumber(minimum: number, maximum: number): Rule<number> {
  return (value, field, mistakes) => {
    if (Number.isInteger(value) && (value as number) >= minimum && (value as number) <= maximum) return value as number;
    mistakes.push({
      field,
      value,
      rule: `must be a whole number from ${String(minimum)} to ${String(maximum)}`,
      remedy: "change the number",
    });
    return undefined;
  };
}

/** A number within bounds, both excluded. */
export function numberBetween(low: number, high: number): Rule<number> {
  return (value, field, mistakes) => {
    if (typeof value === "number" && value > low && value < high) return value;
    mistakes.push({
      field,
      value,
      rule: `must be a number between ${String(low)} and ${String(high)}`,
      remedy: "change the number",
    });
    return undefined;
  };
}

/** A duration to milliseconds, at least `minimumMs`. */
export function duration(minimumMs = 0): Rule<number> {
  return (value, field, mistakes) => {
    const ms = parsed(parseDuration, value, field, mistakes);
    if (ms === undefined || ms >= minimumMs) return ms;
    mistakes.push({ field, value, rule: `must be at least ${String(minimumMs)} ms`, remedy: "raise it" });
    return undefined;
  };
}

/** "30%" to 0.3. */
export const percentage: Rule<number> = (value, field, mistakes) => parsed(parsePercentage, value, field, mistakes);
/** "2 GiB" to bytes. */
export const byteSize: Rule<number> = (value, field, mistakes) => parsed(parseByteSize, value, field, mistakes);
/** "2 cores" to millicores. */
export const cpu: Rule<number> = (value, field, mistakes) => parsed(parseCpu, value, field, mistakes);

/** Texts by name, such as an environment. */
export const texts: Rule<Readonly<Record<string, string>>> = (value, field, mistakes) => {
  const before = mistakes.length;
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    mistakes.push({ field, value, rule: "must be an object of texts", remedy: 'write it like { MODE: "fast" }' });
    return undefined;
  }
  for (const [key, member] of Object.entries(value)) {
    if (typeof member !== "string") {
      mistakes.push({
        field: join(field, key),
        value: member as unknown,
        rule: "must be a text",
        remedy: "write it in quotes",
      });
    }
  }
  return mistakes.length > before ? undefined : (value as Record<string, string>);
};

function parsed(
  parse: (text: string, field: string) => number,
  value: unknown,
  field: string,
  mistakes: Mistake[],
): number | undefined {
  try {
    return parse(String(value), field);
  } catch (error) {
    if (!isKind(error, "MistakeError")) throw error;
    mistakes.push(...(error as MistakeError).mistakes.map((mistake) => ({ ...mistake, value })));
    return undefined;
  }
}

/** The field of a member: `windows.saturdays`. */
export function join(field: string, name: string): string {
  return field === "" ? name : `${field}.${name}`;
}
