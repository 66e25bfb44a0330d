/**
 * A workload for tests: health, hooks and the hand-over contract, its state one text file. `POST /write` appends the
 * body while active. `FIXTURE_STUBBORN=1` ignores SIGTERM; `FIXTURE_CHILD=1` starts a child that sleeps.
 */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { appendFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage } from "node:http";
import { join } from "node:path";

const file = join(process.env["ARCHIPELAGO_DATA"] ?? ".", "state.txt");
let mode = process.env["ARCHIPELAGO_STANDBY"] === "1" ? "standby" : "active";
const content = (): Buffer => (existsSync(file) ? readFileSync(file) : Buffer.alloc(0));
const sha256 = (): string => createHash("sha256").update(content()).digest("hex");

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function answer(request: IncomingMessage): Promise<{ status: number; body: string | Buffer }> {
  const body = await readBody(request);
  switch (`${request.method ?? ""} ${request.url ?? ""}`) {
    case "GET /health":
    case "POST /hooks/ok":
      return { status: 200, body: "ok" };
    case "POST /hooks/busy":
      return { status: 409, body: "not now" };
    case "GET /environment":
      return { status: 200, body: JSON.stringify(process.env) };
    case "GET /archipelago/state":
      return { status: 200, body: JSON.stringify({ state: mode, sha256: sha256() }) };
    case "POST /archipelago/quiesce":
      if (mode === "active") mode = "quiesced";
      return { status: 200, body: "" };
    case "POST /archipelago/activate":
      mode = "active";
      return { status: 200, body: "" };
    case "GET /archipelago/snapshot":
      return { status: mode === "quiesced" ? 200 : 409, body: content() };
    case "POST /archipelago/restore":
      if (mode !== "standby") return { status: 409, body: "" };
      writeFileSync(file, body);
      return { status: 200, body: JSON.stringify({ sha256: sha256() }) };
    case "POST /write":
      if (mode !== "active") return { status: 503, body: "" };
      appendFileSync(file, body);
      return { status: 201, body: "" };
    default:
      return { status: 404, body: "" };
  }
}

if (process.env["FIXTURE_STUBBORN"] === "1") process.on("SIGTERM", () => undefined);
if (process.env["FIXTURE_CHILD"] === "1") spawn("sleep", ["600"], { stdio: "ignore" });
createServer((request, response) => {
  answer(request).then(
    ({ status, body }) => response.writeHead(status).end(body),
    () => response.writeHead(500).end(),
  );
}).listen(Number(process.env["PORT"]), "127.0.0.1");
