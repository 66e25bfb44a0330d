/**
 * Links at run time: a step that carries data begins when every link that it goes over has room for its rate beside those
 * under way, so that links are never over their bandwidth, however long the transfers take.
 *
 * Not for: rates; the plan says (`bytesPerSecond` of steps), and drivers hold transfers to them.
 *
 * Invariant: what is under way over a link is at most its bandwidth, or a single transfer.
 */
import { linksBetween, type Fleet, type Host, type Link, type PlanStep, type Wave } from "../../sdk/model";

/** Rates are whole bytes a second: sums of as many as a link's bandwidth are not over it. */
const TOLERANCE = 1 + 1e-9;

/** Counts what transfers under way carry over each link. */
export class LinkGate {
  private readonly hosts: ReadonlyMap<string, Host>;
  private readonly origins: ReadonlyMap<string, string>;
  /** By link: bytes a second and transfers under way. */
  private readonly used = new Map<string, { bytesPerSecond: number; count: number }>();
  /** Steps under way with the links that they go over. */
  private readonly taken = new Map<string, readonly Link[]>();

  constructor(
    private readonly fleet: Pick<Fleet, "hosts" | "network">,
    wave: Pick<Wave, "moves">,
  ) {
    this.hosts = new Map(fleet.hosts.map((host) => [host.id, host]));
    this.origins = new Map(wave.moves.map(({ id, from }) => [id, from]));
  }

  /** True when a step may begin. */
  hasRoom(step: PlanStep): boolean {
    const rate = rateOf(step);
    if (rate === 0) return true;
    return this.linksOf(step).every(({ name, bytesPerSecond }) => {
      const used = this.used.get(name);
      return used === undefined || used.count === 0 || used.bytesPerSecond + rate <= bytesPerSecond * TOLERANCE;
    });
  }

  /** A step begins. */
  take(step: PlanStep): void {
    if (rateOf(step) === 0) return;
    const links = this.linksOf(step);
    this.taken.set(step.id, links);
    this.count(links, rateOf(step), 1);
  }

  /** A step is over, one way or the other. */
  leave(step: PlanStep): void {
    const links = this.taken.get(step.id);
    if (!links) return;
    this.taken.delete(step.id);
    this.count(links, -rateOf(step), -1);
  }

  private count(links: readonly Link[], rate: number, by: number): void {
    for (const { name } of links) {
      const used = this.used.get(name);
      if (!used) this.used.set(name, { bytesPerSecond: rate, count: by });
      else {
        used.bytesPerSecond += rate;
        used.count += by;
      }
    }
  }

  private linksOf(step: PlanStep): readonly Link[] {
    const ends = endsOf(step, this.origins);
    const [from, to] = [this.hosts.get(ends?.from ?? ""), this.hosts.get(ends?.to ?? "")];
    return from && to ? linksBetween(this.fleet, from, to) : [];
  }
}

/** What a step carries a second, 0: nothing that is counted. */
function rateOf(step: PlanStep): number {
  return "bytesPerSecond" in step ? (step.bytesPerSecond ?? 0) : 0;
}

/** Between which hosts a step carries data. */
function endsOf(
  step: PlanStep,
  origins: ReadonlyMap<string, string>,
): { readonly from: string; readonly to: string } | undefined {
  switch (step.kind) {
    case "start-copy": {
      const from = origins.get(step.move);
      return from === undefined ? undefined : { from, to: step.host };
    }
    case "hand-over":
    case "live-migrate":
      return { from: step.fromHost, to: step.toHost };
    default:
      return undefined;
  }
}
