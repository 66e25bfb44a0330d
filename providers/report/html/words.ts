/** Numbers with their noun, as people write them. */

/** "1 host", "6 hosts", "90,791 requests". */
export function countOf(count: number, noun: string): string {
  return `${count.toLocaleString("en-US")} ${noun}${count === 1 ? "" : "s"}`;
}
