/** Who calls: for requests, leases and the audit log. */
import { randomBytes } from "node:crypto";
import * as os from "node:os";

/** The person at the command line, as `user@machine`. */
export function describePerson(): string {
  return `${userName()}@${os.hostname()}`;
}

/** Owner of leases: unique per process. */
export function describeProcess(): string {
  return `archipelago ${os.hostname()} ${String(process.pid)} ${randomBytes(3).toString("hex")}`;
}

/** In a container the user may have no name. */
function userName(): string {
  try {
    return os.userInfo().username;
  } catch {
    return String(process.getuid?.() ?? "unknown");
  }
}
