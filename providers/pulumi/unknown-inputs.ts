/** Inputs that are not known in a preview, because what they come from does not exist yet. */

/** How the engine hands an unknown input to `check`; an interpolation with one inside is wholly this text. */
export const UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

/** Paths of all unknown values below `value`, such as `islands[0].source.inventory`. */
export function findUnknown(value: unknown, path = ""): string[] {
  if (value === UNKNOWN) return [path];
  if (Array.isArray(value)) return value.flatMap((item, index) => findUnknown(item, `${path}[${String(index)}]`));
  if (typeof value === "object" && value !== null) {
    return Object.entries(value).flatMap(([key, member]) => findUnknown(member, path === "" ? key : `${path}.${key}`));
  }
  return [];
}
