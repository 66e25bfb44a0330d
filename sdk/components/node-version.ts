/**
 * Which Node.js runs the program. An older one fails somewhere deep inside with a message that names no cause.
 *
 * Invariant: the oldest version is that of `engines` in package.json.
 */
import * as pulumi from "@pulumi/pulumi";

/** Oldest Node.js that everything works on. */
export const OLDEST_NODE = "22.12";

/**
 * @param version as in `process.versions.node`
 * @throws pulumi.RunError, which the SDK's runner shows without a stack, when it is too old
 */
export function requireNode(version: string = process.versions.node, program: string = process.execPath): void {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const [oldestMajor = 0, oldestMinor = 0] = OLDEST_NODE.split(".").map(Number);
  if (major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)) return;
  throw new pulumi.RunError(
    `pulumi-archipelago needs Node.js ${OLDEST_NODE} or newer, and ${program} is ${version}; put a newer node first on the path`,
  );
}
