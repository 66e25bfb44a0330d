/** Real Prometheus and Alertmanager processes, and small HTTP servers, for tests. */
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { rm } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A test must not hang on a program that does not come up; two busy cores are slow. */
const START_LIMIT_MS = 30_000;
const POLL_MS = 50;

/** True when all of these programs are on the path. */
export function hasPrograms(...programs: readonly string[]): boolean {
  return programs.every((program) => spawnSync("which", [program]).status === 0);
}

/** What a suite opened; closed in one go. */
export class Monitoring {
  readonly folder = mkdtempSync(join(tmpdir(), "archipelago-monitoring-"));
  private readonly closing: (() => Promise<void>)[] = [];

  /** Starts a program and waits until its URL answers 200. */
  async startProgram(program: string, args: readonly string[], readyUrl: string): Promise<void> {
    const child = spawn(program, args, { stdio: ["ignore", "ignore", "pipe"], cwd: this.folder });
    let said = "";
    child.stderr.on("data", (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-4000);
    });
    this.closing.push(() => endChild(child));
    await waitFor(async () => {
      if (child.exitCode !== null) throw new Error(`${program} ended with ${String(child.exitCode)}: ${said}`);
      return (await fetch(readyUrl).catch(() => undefined))?.ok === true;
    }, `${program} to answer: ${said}`);
  }

  /** Serves on a free port of this machine; answers with the URL. */
  async serve(answer: (request: IncomingMessage, response: ServerResponse, body: string) => void): Promise<string> {
    const server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => {
        answer(request, response, Buffer.concat(chunks).toString());
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    this.closing.push(
      () =>
        new Promise((resolve) => {
          server.close(() => {
            resolve();
          });
          server.closeAllConnections();
        }),
    );
    return `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
  }

  async close(): Promise<void> {
    await Promise.all(this.closing.map((close) => close()));
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** Waits for something of the outside world. */
export async function waitFor(isTrue: () => Promise<boolean>, what: string): Promise<void> {
  const end = performance.now() + START_LIMIT_MS;
  while (!(await isTrue())) {
    if (performance.now() > end) throw new Error(`waited ${String(START_LIMIT_MS / 1000)} s for ${what}`);
    await new Promise((wake) => setTimeout(wake, POLL_MS));
  }
}

async function endChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGKILL");
  await ended;
}
