/**
 * Which Node.js runs the program. An older one fails somewhere deep inside with a message that names no cause, so every
 * entrance asks first.
 *
 * Invariant: the oldest version is that of `engines` in package.json.
 */

/** Oldest Node.js that everything works on. */
export const OLDEST_NODE = "22.12";

/**
 * Why a Node.js cannot be used and what to do; undefined where it can.
 * @param version as in `process.versions.node`
 */
export function refuseNode(version: string, program: string): string | undefined {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const [oldestMajor = 0, oldestMinor = 0] = OLDEST_NODE.split(".").map(Number);
  if (major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)) return undefined;
  return `pulumi-archipelago needs Node.js ${OLDEST_NODE} or newer, and ${program} is ${version}; put a newer node first on the path`;
}
