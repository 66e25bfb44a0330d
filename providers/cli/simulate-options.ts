/** Numbers among the options of `archipelago simulate`. Mistakes are collected, so that all are told at once. */

/** A whole number from 1 on; `fallback` where none is given. */
export function readWhole<T>(
  name: string,
  text: string | undefined,
  fallback: T,
  most: number,
  mistakes: string[],
): number | T {
  if (text === undefined) return fallback;
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= 1 && value <= most) return value;
  mistakes.push(`${name} ("${text}") must be a whole number from 1 to ${String(most)}`);
  return fallback;
}

/** Failures in 30 days: a number, or a fraction such as `1/60`. */
export function readPerMonth(text: string | undefined, fallback: number, mistakes: string[]): number {
  if (text === undefined) return fallback;
  const [above = "", below = "1", ...rest] = text.split("/");
  const value = Number(above) / Number(below);
  if (above.trim() !== "" && rest.length === 0 && Number.isFinite(value) && value >= 0 && value <= 1000) return value;
  mistakes.push(`--host-failures ("${text}") must be a number from 0 to 1000, such as 0.5 or 1/60`);
  return fallback;
}

/** A share in percent, with or without the sign, as 0..1. */
export function readShare(name: string, text: string | undefined, fallback: number, mistakes: string[]): number {
  if (text === undefined) return fallback;
  const number = text.replace(/\s*%$/, "");
  const value = Number(number);
  if (number.trim() !== "" && value >= 0 && value <= 100) return value / 100;
  mistakes.push(`${name} ("${text}") must be a percentage from 0 to 100, such as 2%`);
  return fallback;
}
