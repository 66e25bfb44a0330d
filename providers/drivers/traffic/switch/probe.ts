/**
 * Active checks of a backend: is it healthy, and is the copy of an exclusive workload the active one.
 *
 * Not for: when to check (backend.ts).
 */
import { request } from "node:http";
import type { IncomingMessage } from "node:http";

/** `health`: 2xx on the health path. `owner`: the workload's own word that it is active, or its health without one. */
export type ProbeKind = "health" | "owner";

/** Part of the workload contract, see the quickstart's workloads. */
const STATE_PATH = "/archipelago/state";
/** A state is some dozen bytes; a longer answer is not one. */
const LARGEST_STATE_BYTES = 16_384;

/** Asks once, on a connection of its own, so that accepting connections is part of what is checked. Never throws. */
export async function probe(
  host: string,
  port: number,
  kind: ProbeKind,
  healthPath: string,
  timeoutMs: number,
): Promise<boolean> {
  if (kind === "health") return isSuccess((await ask(host, port, healthPath, timeoutMs))?.status);
  const answer = await ask(host, port, STATE_PATH, timeoutMs);
  if (answer === undefined) return false;
  if (answer.status === 404 || answer.status === 501) return probe(host, port, "health", healthPath, timeoutMs);
  return isSuccess(answer.status) && stateOf(answer.body) === "active";
}

function isSuccess(status: number | undefined): boolean {
  return status !== undefined && status >= 200 && status < 300;
}

function stateOf(body: string): unknown {
  try {
    const answer = JSON.parse(body) as unknown;
    return typeof answer === "object" && answer !== null && "state" in answer ? answer.state : undefined;
  } catch {
    return undefined;
  }
}

function ask(
  host: string,
  port: number,
  path: string,
  timeoutMs: number,
): Promise<{ readonly status: number; readonly body: string } | undefined> {
  return new Promise((resolve) => {
    const call = request({ host, port, path, agent: false, headers: { connection: "close" } });
    const timer = setTimeout(() => call.destroy(), timeoutMs);
    const finish = (result: { readonly status: number; readonly body: string } | undefined): void => {
      clearTimeout(timer);
      resolve(result);
    };
    call.on("error", () => {
      finish(undefined);
    });
    call.on("close", () => {
      finish(undefined);
    });
    call.on("response", (answer: IncomingMessage) => {
      let body = "";
      answer.setEncoding("utf8");
      answer.on("data", (text: string) => {
        if (body.length + text.length > LARGEST_STATE_BYTES) call.destroy();
        else body += text;
      });
      answer.on("end", () => {
        finish({ status: answer.statusCode ?? 0, body });
      });
    });
    call.end();
  });
}
