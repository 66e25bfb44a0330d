/**
 * Certificates, keys and revocations of a caller, read once for the hundreds of clients that it has.
 *
 * Not for: servers, which have one of their own (providers/agent/tls-files.ts).
 *
 * Invariant: what is given was in the files when it was asked for, or after.
 */
import { createSecureContext, type SecureContext } from "node:tls";
import type { RevocationContent } from "../agent/revocations";
import { readTls, stampOf } from "../agent/tls-files";
import type { TlsFiles } from "./certificates";

/** What a connection is opened with. The same object as long as the files are the same. */
export interface CallerTls {
  readonly context: SecureContext;
  readonly revocations: RevocationContent;
}

interface Known extends CallerTls {
  readonly stamp: string;
}

/** By paths. */
const known = new Map<string, Known>();
const underWay = new Map<string, Promise<Known>>();

/**
 * Looks at the files, and reads those that have changed; who asks meanwhile shares the look.
 * @throws Error for files that are not there; DriverError for a list of revocations that the authority did not sign
 */
export function readCallerTls(files: TlsFiles): Promise<CallerTls> {
  const name = JSON.stringify([files.ca, files.certificate, files.key]);
  const look = underWay.get(name) ?? lookAt(name, files).finally(() => underWay.delete(name));
  underWay.set(name, look);
  return look;
}

async function lookAt(name: string, files: TlsFiles): Promise<Known> {
  const earlier = known.get(name);
  if (earlier !== undefined) {
    const stamp = await stampOf(files);
    if (stamp === earlier.stamp) return earlier;
  }
  const { ca, cert, key, revocations, stamp } = await readTls(files);
  const tls = { context: createSecureContext({ ca, cert, key, minVersion: "TLSv1.3" }), revocations, stamp };
  known.set(name, tls);
  return tls;
}
