/**
 * Progress to the engine: the status in the resource's row, and lines that stay.
 *
 * Invariant: telling never stops a run. After the CLI is gone every call fails, and nothing is done about it.
 */
import * as grpc from "@grpc/grpc-js";
import { EngineClient } from "@pulumi/pulumi/proto/engine_grpc_pb";
import { LogRequest, LogSeverity } from "@pulumi/pulumi/proto/engine_pb";
import { silentProgress, type Progress } from "../clock";

/** Longest time that a finished run waits for its last lines to be taken. */
const FLUSH_MS = 2000;

/** Progress of one resource, to be closed at its end. */
export interface EngineProgress extends Progress {
  warn(text: string): void;
  /** Waits until what was told has arrived, at most a moment. */
  close(): Promise<void>;
}

/** Connects to the engine whose address is the provider's first argument; silent where there is none. */
export function createEngineProgress(urn: string, engineAddress = process.argv[2]): EngineProgress {
  if (!engineAddress) return { ...silentProgress, warn: () => undefined, close: () => Promise.resolve() };
  const client = new EngineClient(engineAddress, grpc.credentials.createInsecure());
  const pending = new Set<Promise<void>>();
  const tell = (severity: LogSeverity, ephemeral: boolean, text: string): void => {
    // The stream id stays 0: the engine merges other ids, and the first message would decide for all.
    const request = new LogRequest().setSeverity(severity).setMessage(text).setUrn(urn).setEphemeral(ephemeral);
    const told = new Promise<void>((resolve) => {
      client.log(request, () => {
        resolve();
      });
    }).finally(() => pending.delete(told));
    pending.add(told);
  };
  return {
    line: (text) => {
      tell(LogSeverity.INFO, false, text);
    },
    status: (text) => {
      tell(LogSeverity.INFO, true, text);
    },
    warn: (text) => {
      tell(LogSeverity.WARNING, false, text);
    },
    close: async () => {
      const timeout = new Promise<void>((resolve) => setTimeout(resolve, FLUSH_MS).unref());
      await Promise.race([Promise.all(pending), timeout]);
      client.close();
    },
  };
}
