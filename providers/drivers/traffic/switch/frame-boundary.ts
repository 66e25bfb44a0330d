/**
 * Follows a stream of WebSocket frames (RFC 6455, section 5.2) and knows when it stands between two of them: only there
 * may somebody else put a frame of his own. Pure.
 *
 * Not for: messages; a frame's content is never looked at.
 */

/** Status of a Close frame: the endpoint goes away (RFC 6455, section 7.4.1). */
const GOING_AWAY = 1001;
const CLOSE = 0x88;
const MASKED = 0x80;

/** One direction of a connection. */
export class FrameBoundary {
  /** Bytes of the present frame's head that were seen. */
  private readonly head = Buffer.alloc(14);
  private headLength = 0;
  private payloadLeft = 0;

  /** True when the last byte seen was the last of a frame. */
  get isBetween(): boolean {
    return this.headLength === 0 && this.payloadLeft === 0;
  }

  /** Takes the next bytes; answers with the number of leading ones after which the stream stood between frames. */
  push(chunk: Buffer): number {
    let boundary = 0;
    let at = 0;
    while (at < chunk.length) {
      if (this.payloadLeft > 0) {
        const taken = Math.min(this.payloadLeft, chunk.length - at);
        this.payloadLeft -= taken;
        at += taken;
      } else {
        this.head[this.headLength] = chunk[at] ?? 0;
        this.headLength += 1;
        at += 1;
        if (this.headLength === this.wantedHead()) {
          this.payloadLeft = this.payloadLength();
          this.headLength = 0;
        }
      }
      if (this.isBetween) boundary = at;
    }
    return boundary;
  }

  private wantedHead(): number {
    if (this.headLength < 2) return 2;
    const second = this.head[1] ?? 0;
    const length = second & 0x7f;
    const extended = length === 126 ? 2 : length === 127 ? 8 : 0;
    return 2 + extended + ((second & MASKED) === 0 ? 0 : 4);
  }

  private payloadLength(): number {
    const length = (this.head[1] ?? 0) & 0x7f;
    if (length === 126) return this.head.readUInt16BE(2);
    return length === 127 ? Number(this.head.readBigUInt64BE(2)) : length;
  }
}

/** A Close frame with status 1001; one to a server is masked, with a key of zeros. */
export function goingAwayFrame(to: "client" | "server"): Buffer {
  const status = Buffer.alloc(2);
  status.writeUInt16BE(GOING_AWAY);
  if (to === "client") return Buffer.concat([Buffer.from([CLOSE, 2]), status]);
  return Buffer.concat([Buffer.from([CLOSE, MASKED | 2, 0, 0, 0, 0]), status]);
}
