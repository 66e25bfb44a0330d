/**
 * The last look at a run: every host is updated or as before, every workload has its copies, nothing of the run is
 * left. Pure: it compares two observations.
 *
 * Not for: what happened in between (the report) and deciding anything (the guard watches while the run goes on).
 */
import type { Fleet, Host, HostReport, Replica, Workload } from "../../sdk/model";

/** What {@link verifyRun} compares. */
export interface VerifyRunInput {
  /** Run id, the owner of its marks. */
  readonly run: string;
  /** The fleet before the first step, from the run's bundle. */
  readonly before: Fleet;
  /** The fleet as observed now. */
  readonly after: Fleet;
  /** Hosts on which an update was begun, undone ones included. */
  readonly attempted: readonly string[];
}

/** Copies of one workload now. */
export interface WorkloadVerification {
  readonly workload: string;
  readonly desired: number;
  readonly healthy: number;
}

/** Result of {@link verifyRun}. */
export interface RunVerification {
  readonly ok: boolean;
  readonly hosts: readonly HostReport[];
  readonly workloads: readonly WorkloadVerification[];
  /** What is not as it should be, each with the subject first; empty when `ok`. */
  readonly problems: readonly string[];
}

/** Compares the fleet after the run with what it was and should be. */
export function verifyRun(input: VerifyRunInput): RunVerification {
  const hosts = input.before.hosts
    .filter((host) => host.role === "member")
    .map((host) =>
      verifyHost(
        host,
        input.after.hosts.find((other) => other.id === host.id),
        input.attempted,
      ),
    );
  const workloads = input.before.workloads.map((workload) => verifyWorkload(workload, input));
  const problems = [
    ...hosts.flatMap(({ problem }) => problem ?? []),
    ...workloads.flatMap(({ problem }) => problem ?? []),
    ...listLeftovers(input),
  ];
  return {
    ok: problems.length === 0,
    hosts: hosts.map(({ report }) => report),
    workloads: workloads.map(({ verification }) => verification),
    problems,
  };
}

function verifyHost(
  before: Host,
  after: Host | undefined,
  attempted: readonly string[],
): { readonly report: HostReport; readonly problem?: string } {
  const known = { host: before.id, zone: before.zone, before: before.probe?.output ?? "" };
  if (after?.state !== "ready") {
    const report: HostReport = { ...known, after: "", outcome: "lost" };
    // A host that was away before the run is not the run's doing.
    if (before.state !== "ready") return { report };
    const reason = after?.stateReason ?? "it is no longer listed";
    return { report, problem: `${before.id}: does not answer after the run (${reason})` };
  }
  const output = after.probe?.output ?? "";
  const wasBegun = attempted.includes(before.id);
  const report = (outcome: HostReport["outcome"]): HostReport => ({ ...known, after: output, outcome });
  if (after.probe?.matches === true) return { report: report(before.probe?.matches === true ? "skipped" : "updated") };
  if (after.probe?.error !== undefined && before.probe?.error === undefined) {
    return { report: report("lost"), problem: `${before.id}: its version cannot be read (${after.probe.error})` };
  }
  if (output === known.before) return { report: report(wasBegun ? "undone" : "unchanged") };
  const versions = `before "${known.before}", now "${output}"`;
  return { report: report("lost"), problem: `${before.id}: neither updated nor as before (${versions})` };
}

function verifyWorkload(
  workload: Workload,
  { before, after }: VerifyRunInput,
): { readonly verification: WorkloadVerification; readonly problem?: string } {
  const copies = copiesOf(workload, after);
  const healthy = copies.filter((copy) => copy.state === "healthy").length;
  const verification = { workload: workload.name, desired: workload.copies, healthy };
  const fail = (text: string): ReturnType<typeof verifyWorkload> => ({
    verification,
    problem: `${workload.name}: ${text}`,
  });
  // Copies that were missing or too many before the run are not the run's doing.
  const earlier = copiesOf(workload, before);
  const fewest = Math.min(workload.copies, earlier.filter((copy) => copy.state === "healthy").length);
  const most = Math.max(workload.copies, earlier.length);
  if (healthy < fewest) return fail(`${String(healthy)} healthy of ${String(workload.copies)} desired`);
  if (copies.length > most) return fail(`${String(copies.length)} copies, ${String(workload.copies)} are desired`);
  const service = workload.exclusive ? after.services.find(({ name }) => name === workload.service) : undefined;
  if (service?.exclusive === true && !copies.some((copy) => copy.id === service.owner && copy.state === "healthy")) {
    return fail(`the owner ${service.owner ?? "(none)"} of its service is not a healthy copy`);
  }
  return { verification };
}

function copiesOf(workload: Workload, fleet: Fleet): readonly Replica[] {
  return fleet.replicas.filter((replica) => replica.workload === workload.name && replica.state !== "stopped");
}

/** Marks of this run and requests that are still held. */
function listLeftovers({ run, after }: VerifyRunInput): readonly string[] {
  return [
    ...after.hosts.flatMap((host) => [
      ...(host.cordoned?.owner === run ? [`${host.id}: still cordoned by this run`] : []),
      ...(host.reserved?.owner === run ? [`${host.id}: still reserved by this run`] : []),
    ]),
    ...(after.endpoints ?? []).flatMap(({ id, owner, function: name, workload }) =>
      owner === run ? [`${workload}: function ${name} still stands in for a copy (${id})`] : [],
    ),
    ...after.services.flatMap(({ name, refused }) =>
      refused?.owner === run ? [`${name}: ${refused.paths.join(", ")} still refused by this run`] : [],
    ),
    ...after.services.flatMap((service) =>
      service.parked === undefined ? [] : [`${service.name}: requests are still parked`],
    ),
  ];
}
