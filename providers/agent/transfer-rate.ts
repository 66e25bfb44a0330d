/**
 * Holds a stream to a rate: a token bucket, so that a transfer takes no more of a link than the plan has allotted to it.
 *
 * Not for: which rate that is; the plan says.
 */
import type { Clock } from "../clock";

/** A stream that was held up, by a slow reader or itself, may catch up by so much. */
const BURST_MS = 50;

/**
 * Passes a stream on at most so many bytes a second, in pieces of at most a burst.
 * @param bytesPerSecond above 0
 */
export async function* holdToRate(
  source: AsyncIterable<Uint8Array>,
  bytesPerSecond: number,
  clock: Clock,
): AsyncGenerator<Uint8Array, void, undefined> {
  const piece = Math.max(1, Math.floor((bytesPerSecond * BURST_MS) / 1000));
  /** When what has been passed on so far is paid for. */
  let paidAt = clock.monotonic();
  for await (const chunk of source) {
    for (let at = 0; at < chunk.byteLength; at += piece) {
      const part = chunk.subarray(at, at + piece);
      paidAt = Math.max(paidAt, clock.monotonic() - BURST_MS) + (1000 * part.byteLength) / bytesPerSecond;
      const waitMs = paidAt - clock.monotonic();
      if (waitMs > 0) await clock.sleep(waitMs);
      yield part;
    }
  }
}
