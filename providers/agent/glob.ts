/** Globs of probes: `*` is any text, `?` any one character, everything else itself. */

/** True when the whole text matches. */
export function matchesGlob(text: string, glob: string): boolean {
  const pattern = Array.from(glob)
    .map((char) => (char === "*" ? "[^]*" : char === "?" ? "[^]" : char.replace(/[\\^$.*+?()[\]{}|]/, "\\$&")))
    .join("")
    // Several stars in a row mean one, and would cost exponential time.
    .replace(/(?:\[\^\]\*)+/g, "[^]*");
  return new RegExp(`^${pattern}$`, "u").test(text);
}
