/**
 * Links that transfers between hosts share: those of hosts, each way, and the uplinks of racks, each way.
 *
 * Not for: how long transfers take (providers/plan) and who may use a link now (providers/execute).
 */
import type { Fleet, Host } from "./fleet";

/** A link whose bandwidth is known, in one direction. */
export interface Link {
  /** As in `from host-1`, `to host-2`, `out of rack-a`, `into rack-b`. */
  readonly name: string;
  readonly bytesPerSecond: number;
}

/** A host as far as its links go. */
type Linked = Pick<Host, "id" | "rack" | "linkBytesPerSecond">;

/** Links with a known bandwidth that data goes over from one host to another; the first host's own one comes first. */
export function linksBetween({ network }: Pick<Fleet, "network">, from: Linked, to: Linked): readonly Link[] {
  if (from.id === to.id) return [];
  const links: Link[] = [];
  const add = (name: string, bytesPerSecond: number | undefined): void => {
    if (bytesPerSecond !== undefined) links.push({ name, bytesPerSecond });
  };
  const [away, here] = [namesOf(from), namesOf(to)];
  add(away.from, from.linkBytesPerSecond);
  add(here.to, to.linkBytesPerSecond);
  if (from.rack !== to.rack) {
    add(away.outOf, network?.rackBytesPerSecond);
    add(here.into, network?.rackBytesPerSecond);
  }
  return links;
}

/** Names of a host's links and of those of its rack. */
interface LinkNames {
  readonly from: string;
  readonly to: string;
  readonly outOf: string;
  readonly into: string;
}

/** Names that were put together: a plan asks for those of the same hosts tens of thousands of times. */
const knownNames = new WeakMap<Linked, LinkNames>();

function namesOf(host: Linked): LinkNames {
  let names = knownNames.get(host);
  if (!names) {
    const { id, rack } = host;
    names = { from: `from ${id}`, to: `to ${id}`, outOf: `out of ${rack}`, into: `into ${rack}` };
    knownNames.set(host, names);
  }
  return names;
}
