/**
 * How replicas are written in HAProxy: names of servers, addresses, weights. Pure.
 */

/** HAProxy's largest weight. */
const LARGEST_WEIGHT = 256;

/** A server's name for a replica's id: what HAProxy's names cannot hold is written as `:` and four hex digits. */
export function serverName(replica: string): string {
  return Array.from({ length: replica.length }, (_, i) => replica.charAt(i))
    .map((char) => (/[A-Za-z0-9._-]/.test(char) ? char : `:${char.charCodeAt(0).toString(16).padStart(4, "0")}`))
    .join("");
}

/** The replica's id for a server's name. */
export function replicaOf(server: string): string {
  return server.replaceAll(/:([0-9a-f]{4})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

/**
 * HAProxy's whole weights, at most 256, for any: the same ones where that is possible, else in proportion. A weight
 * above 0 stays above 0.
 */
export function scaleWeights(weights: readonly number[]): readonly number[] {
  const isExact = weights.every((weight) => Number.isInteger(weight) && weight <= LARGEST_WEIGHT);
  if (isExact) return weights;
  const largest = Math.max(...weights);
  return weights.map((weight) => (weight === 0 ? 0 : Math.max(1, Math.round((weight / largest) * LARGEST_WEIGHT))));
}

/** Host and port of `host:port`, brackets of IPv6 removed. */
export function splitAddress(address: string): { readonly host: string; readonly port: number } {
  const colon = address.lastIndexOf(":");
  return { host: address.slice(0, colon).replace(/^\[|\]$/g, ""), port: Number(address.slice(colon + 1)) };
}
