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

/** Links with a known bandwidth that data goes over from one host to another; the first host's own one comes first. */
export function linksBetween(
  { network }: Pick<Fleet, "network">,
  from: Pick<Host, "id" | "rack" | "linkBytesPerSecond">,
  to: Pick<Host, "id" | "rack" | "linkBytesPerSecond">,
): readonly Link[] {
  if (from.id === to.id) return [];
  const links: Link[] = [];
  const add = (name: string, bytesPerSecond: number | undefined): void => {
    if (bytesPerSecond !== undefined) links.push({ name, bytesPerSecond });
  };
  add(`from ${from.id}`, from.linkBytesPerSecond);
  add(`to ${to.id}`, to.linkBytesPerSecond);
  if (from.rack !== to.rack) {
    add(`out of ${from.rack}`, network?.rackBytesPerSecond);
    add(`into ${to.rack}`, network?.rackBytesPerSecond);
  }
  return links;
}
