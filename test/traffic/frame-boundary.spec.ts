import assert from "node:assert/strict";
import fc from "fast-check";
import { FrameBoundary, goingAwayFrame } from "../../providers/drivers/traffic/switch/frame-boundary";

/** A frame with this payload, masked or not, its length written as its size demands. */
function frameOf(size: number, isMasked: boolean): Buffer {
  const mask = isMasked ? 0x80 : 0;
  const length =
    size < 126
      ? Buffer.from([mask | size])
      : size < 65_536
        ? Buffer.from([mask | 126, size >> 8, size & 0xff])
        : Buffer.from([mask | 127, 0, 0, 0, 0, size >>> 24, (size >> 16) & 0xff, (size >> 8) & 0xff, size & 0xff]);
  return Buffer.concat([Buffer.from([0x82]), length, Buffer.alloc((isMasked ? 4 : 0) + size, 0x88)]);
}

describe("frames of a WebSocket", () => {
  it("are told apart however the stream is cut", () => {
    const frame = fc.tuple(fc.oneof(fc.nat(200), fc.integer({ min: 65_530, max: 65_600 })), fc.boolean());
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 5 }), fc.array(fc.nat(70_000), { maxLength: 10 }), (frames, cuts) => {
        const parts = frames.map(([size, isMasked]) => frameOf(size, isMasked));
        const stream = Buffer.concat(parts);
        const ends = new Set<number>([0]);
        let end = 0;
        for (const part of parts) ends.add((end += part.length));
        const boundary = new FrameBoundary();
        let from = 0;
        for (const to of [...cuts.map((cut) => Math.min(cut, stream.length)), stream.length].sort((a, b) => a - b)) {
          const complete = boundary.push(stream.subarray(from, to));
          if (complete > 0) assert.ok(ends.has(from + complete));
          assert.equal(boundary.isBetween, ends.has(to));
          from = to;
        }
      }),
      { numRuns: 50 },
    );
  });

  it("a goodbye is a whole Close frame with status 1001, masked only towards a server", () => {
    assert.deepEqual([...goingAwayFrame("client")], [0x88, 2, 0x03, 0xe9]);
    assert.deepEqual([...goingAwayFrame("server")], [0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe9]);
    for (const to of ["client", "server"] as const) {
      const boundary = new FrameBoundary();
      boundary.push(goingAwayFrame(to));
      assert.ok(boundary.isBetween);
    }
  });
});
