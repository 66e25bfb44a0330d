/**
 * What waits, in a fixed order, for room in every limit that it counts against. It lets begin exactly what a look at all
 * of it from first to last would, without looking again at what waits for a limit that still has none.
 *
 * Not for: other items that an item waits for; it is added when those are through.
 *
 * Invariants
 * 1. After `begin`, every item that waits is kept by a limit without room, or was told that it may not begin yet.
 * 2. Within one `begin`, items are looked at in the order of their numbers.
 */

/** Items by number, the lowest first. */
export class LimitedQueue {
  /** By limit: room that is left. */
  private readonly room: Int32Array;
  /** By limit: items that wait for it, as heaps with the lowest number on top. */
  private readonly waiting: readonly number[][];
  /** Items to look at, as such a heap, and by item the limit that it waited for last; -1: none. */
  private readonly candidates: number[] = [];
  private readonly waitedFor: Int32Array;
  /** Items that had room but might not begin: they are looked at each time. */
  private readonly aside: number[] = [];
  /** Limits in which room was given back since the last look. */
  private readonly freed: number[] = [];

  /**
   * @param usesOf by item: limits that it counts against; what is looked at first is what mostly has no room
   * @param places by limit: how many items may hold it at a time
   */
  constructor(
    private readonly usesOf: readonly Int32Array[],
    places: ArrayLike<number>,
  ) {
    this.room = Int32Array.from(places);
    this.waiting = Array.from(places, () => []);
    this.waitedFor = new Int32Array(usesOf.length).fill(-1);
  }

  /** An item waits from now on. */
  add(item: number): void {
    this.waitedFor[item] = -1;
    pushLowest(this.candidates, item);
  }

  /**
   * Calls `begin` for each item that may begin now; it holds its limits until it gives them back.
   * @param mayBegin false: it is held up by something beside limits. @default nothing is
   */
  begin(begin: (item: number) => void, mayBegin: (item: number) => boolean = () => true): void {
    for (const limit of this.freed) this.lookAtNext(limit);
    this.freed.length = 0;
    for (const item of this.aside) this.add(item);
    this.aside.length = 0;
    for (let item = popLowest(this.candidates); item !== undefined; item = popLowest(this.candidates)) {
      const before = this.waitedFor[item] as number;
      const full = this.fullLimitOf(item);
      if (full < 0 && !mayBegin(item)) this.aside.push(item);
      else if (full < 0) {
        for (const limit of this.usesOf[item] as Int32Array) this.room[limit] = (this.room[limit] as number) - 1;
        begin(item);
      } else {
        this.waitedFor[item] = full;
        pushLowest(this.waiting[full] as number[], item);
      }
      if (before >= 0) this.lookAtNext(before);
    }
  }

  /** An item that has begun holds its limits no longer. */
  giveBack(item: number): void {
    for (const limit of this.usesOf[item] as Int32Array) {
      this.room[limit] = (this.room[limit] as number) + 1;
      this.freed.push(limit);
    }
  }

  /** One of those that wait for a limit is looked at; the next one comes after it, for its number is higher. */
  private lookAtNext(limit: number): void {
    if ((this.room[limit] as number) <= 0) return;
    const item = popLowest(this.waiting[limit] as number[]);
    if (item !== undefined) pushLowest(this.candidates, item);
  }

  private fullLimitOf(item: number): number {
    for (const limit of this.usesOf[item] as Int32Array) if ((this.room[limit] as number) <= 0) return limit;
    return -1;
  }
}

function pushLowest(heap: number[], item: number): void {
  let at = heap.push(item) - 1;
  while (at > 0) {
    const parent = (at - 1) >> 1;
    if ((heap[parent] as number) <= item) break;
    heap[at] = heap[parent] as number;
    at = parent;
  }
  heap[at] = item;
}

function popLowest(heap: number[]): number | undefined {
  const [top] = heap;
  const last = heap.pop();
  if (last === undefined || heap.length === 0) return top;
  let at = 0;
  for (let child = 1; child < heap.length; child = 2 * at + 1) {
    if (child + 1 < heap.length && (heap[child + 1] as number) < (heap[child] as number)) child++;
    if ((heap[child] as number) >= last) break;
    heap[at] = heap[child] as number;
    at = child;
  }
  heap[at] = last;
  return top;
}
