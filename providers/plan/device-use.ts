/**
 * Devices in use on hosts while a plan is made, and whether a host has some for one more copy.
 *
 * Which card a copy is on is its host's affair, and changes with the order in which copies come. So a copy is put on a
 * host only if it finds what it asks for wherever the others are: cards that are too full for it are counted as if the
 * others had been spread in the worst way.
 *
 * Not for: CPU and memory (cell-loads.ts, copy-places.ts).
 *
 * Invariants
 * 1. A copy that leaves counts until its wave is over, like its memory: both ends of a move hold their devices.
 * 2. Copies that come in one wave find their devices in every order of their arrivals.
 */
import { cardsOf, partitionsOf, type DeviceRequest, type HostDevices } from "../../sdk/model";

import type { Kept } from "./cell-loads";
import type { Copy, Problem } from "./problem";

/** A copy's devices of one kind. */
interface Holding {
  readonly copy: string;
  readonly request: number;
  /** True for copies that come in the wave. */
  isArriving: boolean;
}

/** Holdings by kind on one host. */
type HostHoldings = Map<string, Holding[]>;

/** Devices in use on all hosts; nothing is kept of copies that ask for none. */
export class DeviceUse {
  private holdings = new Map<number, HostHoldings>();

  constructor(private readonly problem: Pick<Problem, "works" | "sites">) {}

  /** True when the host has devices for one more copy of the workload. */
  hasFor(work: number, site: number): boolean {
    const wanted = this.requestOf(work);
    if (wanted === undefined) return true;
    const { devices = {} } = this.problem.sites[site]?.host ?? {};
    return Object.entries(wanted).every(([kind, request]) => {
      const offered = devices[kind];
      if (!offered) return false;
      const others = this.holdings.get(site)?.get(kind) ?? [];
      const newcomer = { copy: "", request, isArriving: true };
      const all = [...others, newcomer];
      return all.every(
        (holding) =>
          !holding.isArriving ||
          findsDevices(
            holding.request,
            all.filter((other) => other !== holding).map((other) => other.request),
            offered,
          ),
      );
    });
  }

  occupy({ id, work, site }: Copy, isArriving: boolean): void {
    const wanted = this.requestOf(work);
    if (wanted === undefined) return;
    const host = this.holdings.get(site) ?? new Map<string, Holding[]>();
    this.holdings.set(site, host);
    for (const [kind, request] of Object.entries(wanted)) {
      const held = host.get(kind) ?? [];
      held.push({ copy: id, request, isArriving });
      host.set(kind, held);
    }
  }

  vacate({ id, work, site }: Copy): void {
    const host = this.holdings.get(site);
    for (const kind of Object.keys(this.requestOf(work) ?? {})) {
      const held = host?.get(kind) ?? [];
      const at = held.findIndex(({ copy }) => copy === id);
      if (at >= 0) held.splice(at, 1);
    }
  }

  /** A wave is over: its copies have come. */
  settle(): void {
    for (const host of this.holdings.values())
      for (const held of host.values()) for (const holding of held) holding.isArriving = false;
  }

  /** Keeps all of it as it is now. */
  keep(): Kept {
    const kept = copyOf(this.holdings);
    return { restore: () => (this.holdings = copyOf(kept)), drop: () => undefined };
  }

  private requestOf(work: number): DeviceRequest | undefined {
    return this.problem.works[work]?.workload.devices;
  }
}

/**
 * True when a request finds its devices wherever the others are. A card is too full for `p` of `P` partitions from
 * `P - p + 1` in use on. Holdings of that size fill one each, the smaller ones together at most the sum of theirs over
 * it: an upper bound of bin covering (Assmann et al. 1984), so that no order of arrivals can be worse.
 */
export function findsDevices(request: number, others: readonly number[], offered: HostDevices): boolean {
  const tooFull = offered.partitions - partitionsOf(request, offered) + 1;
  let filled = 0;
  let small = 0;
  for (const other of others) {
    const size = partitionsOf(other, offered);
    if (other >= 1) filled += cardsOf(other);
    else if (size >= tooFull) filled++;
    else small += size;
  }
  filled += Math.floor(small / tooFull);
  return filled + Math.max(1, cardsOf(request)) <= offered.count;
}

function copyOf(holdings: ReadonlyMap<number, HostHoldings>): Map<number, HostHoldings> {
  return new Map(
    [...holdings].map(([site, host]) => [
      site,
      new Map([...host].map(([kind, held]) => [kind, held.map((holding) => ({ ...holding }))])),
    ]),
  );
}
