/**
 * An S3 server for tests: moto from the Python environment that scripts/setup.mjs makes, with one bucket.
 *
 * Moto keeps If-None-Match and If-Match on PUT as S3 does. It differs where moto-server.py says, checks no signatures
 * and no policies, and never answers 409 or 503: what S3 answers then is tested with test/journal/scripted-s3.ts.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";

const PYTHON = join(process.cwd(), ".build", "python");

/** Why the server is not there, as the end of a test's title; empty when it is. */
export const NO_MOTO = existsSync(join(PYTHON, "installed"))
  ? ""
  : " (skipped: no S3 server in .build/python; scripts/setup.mjs says why)";

/** Credentials that any server of these tests takes. */
export const TEST_CREDENTIALS: Readonly<Record<string, string>> = {
  AWS_ACCESS_KEY_ID: "test",
  AWS_SECRET_ACCESS_KEY: "test",
  AWS_EC2_METADATA_DISABLED: "true",
};

/** A server that runs. */
export interface Moto {
  readonly endpoint: string;
  /** URL of a store in its bucket. */
  url(prefix: string): string;
  close(): Promise<void>;
}

/** Starts a server on a free port and creates its bucket. */
export async function startMoto(): Promise<Moto> {
  const child = spawn(join(PYTHON, "bin", "python"), [join(process.cwd(), "test", "journal", "moto-server.py")], {
    // It ends with its standard input, so it does not outlive a test run that was killed.
    stdio: ["pipe", "pipe", "inherit"],
  });
  const [port] = (await once(createInterface(child.stdout), "line")) as [string];
  const endpoint = `http://127.0.0.1:${port}`;
  const created = await fetch(`${endpoint}/store`, { method: "PUT" });
  if (!created.ok) throw new Error(`moto did not create the bucket: ${String(created.status)}`);
  return {
    endpoint,
    url: (prefix) => `s3://store/${prefix}?endpoint=${encodeURIComponent(endpoint)}`,
    close: async () => {
      const exit = once(child, "exit");
      child.stdin.end();
      await exit;
    },
  };
}

/** Sets environment variables until the returned function is called. */
export function setEnvironment(variables: Readonly<Record<string, string>>): () => void {
  const before = Object.keys(variables).map((name) => [name, process.env[name]] as const);
  Object.assign(process.env, variables);
  return () => {
    for (const [name, value] of before) {
      if (value === undefined) Reflect.deleteProperty(process.env, name);
      else process.env[name] = value;
    }
  };
}
