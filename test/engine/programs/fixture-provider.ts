/**
 * The provider behind `Thing`: every call is written to the trace file, and what exists is kept as one file a thing,
 * so that a test can change the world behind the engine's back.
 *
 * Faults, chosen by the input `fault`: `check` (a check failure), `check-error`, `diff-error`, `create` and `update` (plain errors), `create-init`
 * and `update-init` (partial state with reasons), `no-diff` (diff says there is nothing to do), `slow` (create waits
 * for the file `go`), `undefined-output` (an output that no message can carry).
 */
import { appendFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { credentials } from "@grpc/grpc-js";
import { EngineClient } from "@pulumi/pulumi/proto/engine_grpc_pb";
import { LogRequest, LogSeverity } from "@pulumi/pulumi/proto/engine_pb";
import type * as pulumi from "@pulumi/pulumi";

type Properties = Record<string, unknown>;

/** What the fixture provider writes per call. */
export interface TraceEntry {
  readonly call: "configure" | "check" | "diff" | "create" | "update" | "read" | "delete";
  readonly [argument: string]: unknown;
}

/** Evaluated by the SDK's provider process. */
export function handler(): pulumi.dynamic.ResourceProvider {
  const folder = requireEnv("FIXTURE_FOLDER");
  const world = join(folder, "world");
  mkdirSync(world, { recursive: true });
  const trace = (entry: TraceEntry): void => {
    appendFileSync(join(folder, "trace.jsonl"), `${JSON.stringify(entry)}\n`);
  };

  return {
    configure(request) {
      trace({ call: "configure", greeting: request.config.get("greeting") ?? null });
      return Promise.resolve();
    },
    check(olds: Properties, news: Properties) {
      trace({ call: "check", olds, news });
      if (news["fault"] === "check-error") return Promise.reject(new Error("check itself failed"));
      if (news["fault"] === "check") {
        return Promise.resolve({ inputs: news, failures: [{ property: "fault", reason: "must not be check" }] });
      }
      const unknown = Object.entries(news).find(([, value]) => value === UNKNOWN);
      const plan = unknown ? UNKNOWN : `plan of size ${JSON.stringify(news["size"] ?? 0)}`;
      return Promise.resolve({ inputs: { ...news, plan } });
    },
    diff(id: string, olds: Properties, news: Properties) {
      trace({ call: "diff", id, olds, news });
      if (news["fault"] === "diff-error") return Promise.reject(new Error("diff itself failed"));
      if (news["fault"] === "no-diff") return Promise.resolve({ changes: false });
      if (olds["zone"] !== news["zone"]) {
        return Promise.resolve({
          changes: true,
          replaces: ["zone"],
          deleteBeforeReplace: news["note"] === "delete first",
        });
      }
      // Drift is what read saw: the size in the outputs differs from the one that is wanted.
      if (olds["size"] !== news["size"]) return Promise.resolve({ changes: true });
      return Promise.resolve({});
    },
    async create(news: Properties) {
      trace({ call: "create", news });
      if (typeof news["urnHint"] === "string") {
        await log(news["urnHint"], "half of it is there", true);
        await log(news["urnHint"], "it took\n  two lines to say this", false);
      }
      if (news["fault"] === "slow") {
        writeFileSync(join(folder, "began"), "");
        while (!existsSync(join(folder, "go"))) await sleep(20);
      }
      if (news["fault"] === "create") throw new Error("the thing cannot be made");
      const id = nextId(world);
      const properties = { ...news, serial: `serial-of-${id}` };
      writeFileSync(join(world, `${id}.json`), JSON.stringify(properties));
      if (news["fault"] === "create-init") throw initError(id, properties, "stopped half way");
      if (news["fault"] === "undefined-output") return { id, outs: { ...properties, hole: undefined } };
      return { id, outs: properties };
    },
    update(id: string, olds: Properties, news: Properties) {
      trace({ call: "update", id, olds, news });
      if (news["fault"] === "update") return Promise.reject(new Error("the thing cannot be changed"));
      const properties = { ...news, serial: `serial-of-${id}` };
      writeFileSync(join(world, `${id}.json`), JSON.stringify(properties));
      if (news["fault"] === "update-init") return Promise.reject(initError(id, properties, "stopped half way"));
      return Promise.resolve({ outs: properties });
    },
    read(id: string, properties: Properties) {
      trace({ call: "read", id, properties });
      const file = join(world, `${id}.json`);
      if (!existsSync(file)) return Promise.resolve({ id: "", props: {} });
      return Promise.resolve({ id, props: JSON.parse(readFileSync(file, "utf8")) as Properties });
    },
    delete(id: string, properties: Properties) {
      trace({ call: "delete", id, properties });
      rmSync(join(world, `${id}.json`), { force: true });
      return Promise.resolve();
    },
  } as pulumi.dynamic.ResourceProvider;
}

/** How an unknown value looks to a provider. */
const UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

/** Says something in the row of a resource; the address of the engine is the process's first argument. */
function log(urn: string, message: string, isEphemeral: boolean): Promise<void> {
  const client = new EngineClient(process.argv[2] ?? "", credentials.createInsecure());
  const request = new LogRequest()
    .setSeverity(LogSeverity.INFO)
    .setMessage(message)
    .setUrn(urn)
    .setEphemeral(isEphemeral);
  return new Promise((resolve, reject) => {
    client.log(request, (error) => {
      client.close();
      if (error) reject(error);
      else resolve();
    });
  });
}

function initError(id: string, properties: Properties, reason: string): Error {
  return Object.assign(new Error("the thing was left half done"), { id, properties, reasons: [reason] });
}

function nextId(world: string): string {
  const file = join(world, "last-id");
  const last = existsSync(file) ? Number(readFileSync(file, "utf8")) : 0;
  writeFileSync(file, String(last + 1));
  return `thing-${String(last + 1)}`;
}

function requireEnv(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} must be set; the engine tests set it`);
  return value;
}
