/** The services of a fleet that is made up: each workload's own, with its copies as backends that share traffic evenly. */
import type { Fleet, Replica, Service, Workload } from "../../sdk/model";

/** Services of the workloads that have one, in their order; a writer's owner is its first copy. */
export function generateServices({ workloads, replicas }: Pick<Fleet, "workloads" | "replicas">): Service[] {
  const byWorkload = Map.groupBy(replicas, ({ workload }) => workload);
  return workloads.flatMap((workload) => createService(workload, byWorkload.get(workload.name) ?? []));
}

function createService({ service, exclusive }: Workload, replicas: readonly Replica[]): Service[] {
  if (service === undefined) return [];
  const [first] = replicas;
  return [
    {
      name: service,
      exclusive,
      ...(exclusive && first ? { owner: first.id } : {}),
      backends: replicas.map(({ id, address = "" }) => ({
        replica: id,
        address,
        weight: 100,
        inFlight: 0,
        healthy: true,
      })),
    },
  ];
}
