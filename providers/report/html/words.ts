/** Numbers with their noun, as people write them. */

/** The first names of a list that may be long: "a, b, c and 488 more". */
export function listOf(names: readonly string[], most = 20): string {
  if (names.length <= most) return names.join(", ");
  return `${names.slice(0, most).join(", ")} and ${(names.length - most).toLocaleString("en-US")} more`;
}

/** "1 host", "6 hosts", "90,791 requests". */
export function countOf(count: number, noun: string): string {
  return `${count.toLocaleString("en-US")} ${noun}${count === 1 ? "" : "s"}`;
}
