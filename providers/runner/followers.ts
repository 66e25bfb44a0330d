/** Who follows every run that this process works on: the audit log, notices, silences and traces. */
import type { HostUpdateSpec } from "../../sdk/model";
import type { Clock, Progress } from "../clock";
import { createAuditFollower } from "../guard/audit-follower";
import { joinFollowers, type JournalFollower } from "../journal/follower";
import type { RunStore } from "../journal/run-store";
import { createNoticeFollower } from "../notify/send";
import { createSilenceFollower } from "../notify/silence-hosts";
import { createTraceFollower } from "../trace/run-trace";
import { packageVersion } from "./environment";

/** @param owner the process, as it stands in journals and leases */
export function createFollowers(
  parts: { readonly store: RunStore; readonly clock: Clock; readonly progress: Progress },
  { notices = [], silences = [] }: Pick<HostUpdateSpec, "notices" | "silences">,
  owner: string,
): JournalFollower {
  const { store, clock, progress } = parts;
  return joinFollowers([
    createAuditFollower({ store, clock, progress, owner }),
    createNoticeFollower({ targets: notices, clock, progress, environment: process.env }),
    createSilenceFollower({ targets: silences, clock, progress, environment: process.env }),
    createTraceFollower(packageVersion(), owner, clock),
  ]);
}
