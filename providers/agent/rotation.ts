/**
 * Keeps an enrolled agent's certificate and its list of revoked certificates fresh, in a process of its own: the X.509
 * library stays out of the agent.
 *
 * Not for: using the new files (control-server.ts and peer.ts look for them), nor asking for them (enroll/).
 *
 * Invariant: a failure changes nothing; it is told once and tried again at the next look.
 */
import { execFile } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";
import { messageOf } from "../../sdk/model";
import type { Clock } from "../clock";
import type { AgentConfig } from "./agent-config";

export interface Rotation {
  close(): void;
}

export interface RotationOptions {
  readonly config: AgentConfig;
  readonly configFile: string;
  /** The agent's program. */
  readonly program: string;
  readonly clock: Clock;
  /** Told about failures, each once. */
  readonly warn: (text: string) => void;
}

const CHECK_MS = 60_000;
/** A certificate is renewed once this share of its time is over: the rest is for an authority that is away. */
const RENEW_SHARE = 2 / 3;
const CALL_MS = 60_000;

/** Starts to look; does nothing for agents that were not enrolled. */
export function startRotation(options: RotationOptions): Rotation {
  const { config, clock } = options;
  const { enrolment } = config;
  const abort = new AbortController();
  if (!enrolment) return { close: () => undefined };
  let told = "";
  const isClosed = (): boolean => abort.signal.aborted;

  const look = async (): Promise<void> => {
    const isDue = await isRenewalDue(config.tls.certificate, clock.now());
    const args = isDue ? ["renew"] : ["refresh"];
    await promisify(execFile)(process.execPath, [options.program, ...args, "--config", options.configFile], {
      timeout: CALL_MS,
      signal: abort.signal,
    });
    told = "";
  };
  const loop = async (): Promise<void> => {
    await clock.sleep(enrolment.checkEveryMs ?? CHECK_MS, abort.signal);
    while (!isClosed()) {
      await look().catch((error: unknown) => {
        const text = (error as { stderr?: string }).stderr?.trim() ?? messageOf(error);
        if (!isClosed() && text !== told) options.warn((told = text));
      });
      await clock.sleep(enrolment.checkEveryMs ?? CHECK_MS, abort.signal);
    }
  };
  void loop();
  return {
    close: () => {
      abort.abort();
    },
  };
}

/** True once most of a certificate's time is over. */
export async function isRenewalDue(certificateFile: string, nowMs: number): Promise<boolean> {
  const { validFrom, validTo } = new X509Certificate(await readFile(certificateFile, "utf8"));
  const [from, to] = [Date.parse(validFrom), Date.parse(validTo)];
  return nowMs >= from + (to - from) * RENEW_SHARE;
}
