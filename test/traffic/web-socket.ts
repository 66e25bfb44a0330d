/** A WebSocket echo server and a raw client for tests: small frames only. */
import { createHash } from "node:crypto";
import type { Server } from "node:http";
import { connect } from "node:net";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";

const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const TEXT = 0x81;
const CLOSE = 0x88;

/** One frame that came. */
export interface Frame {
  readonly opcode: number;
  readonly payload: Buffer;
}

/** Makes a server answer text frames with the same text and its name, and a Close frame with a Close frame. */
export function echoWebSockets(
  server: Server,
  name: string,
): { readonly open: Set<Duplex>; readonly closes: number[] } {
  const open = new Set<Duplex>();
  const closes: number[] = [];
  server.on("upgrade", (request, socket) => {
    const key = String(request.headers["sec-websocket-key"]);
    const accept = createHash("sha1")
      .update(key + GUID)
      .digest("base64");
    const head = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"];
    socket.write(`${head.join("\r\n")}\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`);
    open.add(socket);
    socket.on("close", () => open.delete(socket));
    socket.on("error", () => socket.destroy());
    socket.on("end", () => socket.end());
    readFrames(socket, ({ opcode, payload }) => {
      if (opcode === CLOSE) {
        closes.push(payload.readUInt16BE(0));
        socket.end(frame(CLOSE, payload));
      } else socket.write(frame(TEXT, Buffer.concat([payload, Buffer.from(` of ${name}`)])));
    });
  });
  return { open, closes };
}

/** A client's end. */
export interface TestWebSocket {
  readonly socket: Socket;
  /** Sends a text and resolves with the next text. */
  ask(text: string): Promise<string>;
  /** Resolves with the status of the Close frame, 0 without one, when the connection has ended. */
  readonly closed: Promise<number>;
}

/** Opens a WebSocket; resolves with the status line's code and, for 101, the connection. */
export function openWebSocket(url: string): Promise<{ readonly status: number; readonly ws: TestWebSocket }> {
  const { port, host } = new URL(url);
  const socket = connect(Number(port), "127.0.0.1");
  const closed = Promise.withResolvers<number>();
  const answers: ((text: string) => void)[] = [];
  let closeStatus = 0;
  return new Promise((resolve, reject) => {
    socket.on("error", reject);
    socket.on("close", () => {
      closed.resolve(closeStatus);
      reject(new Error("the connection was closed"));
    });
    const head = [`GET /socket HTTP/1.1`, `Host: ${host}`, "Connection: Upgrade", "Upgrade: websocket"];
    socket.write(
      `${head.join("\r\n")}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`,
    );
    let text = Buffer.alloc(0);
    const readHead = (chunk: Buffer): void => {
      text = Buffer.concat([text, chunk]);
      const end = text.indexOf("\r\n\r\n");
      if (end < 0) return;
      socket.off("data", readHead);
      readFrames(socket, ({ opcode, payload }) => {
        if (opcode !== CLOSE) answers.shift()?.(payload.toString());
        else {
          closeStatus = payload.readUInt16BE(0);
          socket.end();
        }
      });
      const rest = text.subarray(end + 4);
      if (rest.length > 0) socket.unshift(rest);
      const ask = (question: string): Promise<string> =>
        new Promise((answer) => {
          answers.push(answer);
          socket.write(frame(TEXT, Buffer.from(question), true));
        });
      resolve({ status: Number(text.subarray(9, 12).toString()), ws: { socket, ask, closed: closed.promise } });
    };
    socket.on("data", readHead);
  });
}

function frame(opcode: number, payload: Buffer, isMasked = false): Buffer {
  const head = Buffer.from([opcode, (isMasked ? 0x80 : 0) | payload.length]);
  return Buffer.concat([head, ...(isMasked ? [Buffer.alloc(4)] : []), payload]);
}

function readFrames(socket: Duplex, onFrame: (frame: Frame) => void): void {
  let pending = Buffer.alloc(0);
  socket.on("data", (chunk: Buffer) => {
    pending = Buffer.concat([pending, chunk]);
    for (;;) {
      const second = pending[1];
      if (second === undefined) return;
      const at = 2 + ((second & 0x80) === 0 ? 0 : 4);
      const length = second & 0x7f;
      if (pending.length < at + length) return;
      const mask = pending.subarray(2, at);
      const payload = Buffer.from(pending.subarray(at, at + length));
      for (let i = 0; i < payload.length && mask.length > 0; i += 1)
        payload[i] = (payload[i] ?? 0) ^ (mask[i % 4] ?? 0);
      onFrame({ opcode: pending[0] ?? 0, payload });
      pending = pending.subarray(at + length);
    }
  });
}
