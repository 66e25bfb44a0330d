/**
 * The two services that program and providers talk to, ResourceMonitor and Engine, over gRPC on this machine.
 *
 * Not for: deciding and doing (deployment.ts). What is not supported is refused by name, never ignored.
 */
import { Server, ServerCredentials, status } from "@grpc/grpc-js";
import type { ServerUnaryCall, sendUnaryData, UntypedServiceImplementation } from "@grpc/grpc-js";
import { Empty } from "google-protobuf/google/protobuf/empty_pb";
import * as engineRpc from "@pulumi/pulumi/proto/engine_grpc_pb";
import * as engineMessages from "@pulumi/pulumi/proto/engine_pb";
import * as monitorRpc from "@pulumi/pulumi/proto/resource_grpc_pb";
import * as monitorMessages from "@pulumi/pulumi/proto/resource_pb";
import { DeploymentStopped } from "./deployment";
import type { Deployment } from "./deployment";
import type { EventSink } from "./events";
import type { Goal } from "./goal";
import { fromStruct, normalizeInputs, toStruct } from "./property-values";
import { urnOf } from "./state";

/** What the services answer with. */
export interface ServiceOptions {
  readonly project: string;
  readonly stack: string;
  readonly dryRun: boolean;
  readonly parallel: number;
  readonly configuration: Readonly<Record<string, string>>;
  readonly secretKeys: readonly string[];
  /** Absent where no program runs (refresh, destroy). */
  readonly deployment?: Deployment;
  readonly emit: EventSink;
}

/** A running server. */
export interface Services {
  /** `127.0.0.1:port`, for program and providers. */
  readonly address: string;
  close(): void;
}

const FEATURES = [
  monitorMessages.ResourceMonitorFeature.RESOURCE_MONITOR_FEATURE_SECRETS,
  monitorMessages.ResourceMonitorFeature.RESOURCE_MONITOR_FEATURE_RESOURCE_REFERENCES,
  monitorMessages.ResourceMonitorFeature.RESOURCE_MONITOR_FEATURE_OUTPUT_VALUES,
  monitorMessages.ResourceMonitorFeature.RESOURCE_MONITOR_FEATURE_ALIAS_SPECS,
];

/** What the SDK may ask for and the stand-in has not. */
const UNSUPPORTED_MONITOR_CALLS = [
  "invoke",
  "call",
  "readResource",
  "existsResource",
  "registerStackTransform",
  "registerStackInvokeTransform",
  "registerResourceHook",
  "registerErrorHook",
  "registerPackage",
] as const;

/** Starts the server on a free port. */
export async function serve(options: ServiceOptions): Promise<Services> {
  // Plans and states may be large: no limit, as in the CLI.
  const server = new Server({ "grpc.max_receive_message_length": -1, "grpc.max_send_message_length": -1 });
  server.addService(engineRpc.EngineService, engineService(options));
  server.addService(monitorRpc.ResourceMonitorService, monitorService(options));
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) => {
      if (error) reject(error);
      else resolve(bound);
    });
  });
  return {
    address: `127.0.0.1:${String(port)}`,
    close: () => {
      server.forceShutdown();
    },
  };
}

function engineService(options: ServiceOptions): UntypedServiceImplementation {
  let rootUrn = "";
  return {
    log: unary((request: engineMessages.LogRequest) => {
      const severity = SEVERITIES[request.getSeverity()];
      if (severity !== undefined) {
        options.emit({
          kind: "log",
          severity,
          message: request.getMessage(),
          ...(request.getUrn() === "" ? {} : { urn: request.getUrn() }),
          ephemeral: request.getEphemeral(),
        });
      }
      return new Empty();
    }),
    getRootResource: unary(() => new engineMessages.GetRootResourceResponse().setUrn(rootUrn)),
    setRootResource: unary((request: engineMessages.SetRootResourceRequest) => {
      rootUrn = request.getUrn();
      return new engineMessages.SetRootResourceResponse();
    }),
    startDebugging: refuse("StartDebugging", options),
    requirePulumiVersion: unary(() => new engineMessages.RequirePulumiVersionResponse()),
  };
}

function monitorService(options: ServiceOptions): UntypedServiceImplementation {
  const { deployment } = options;
  const deploy = (): Deployment => {
    if (!deployment) throw new Error("no program runs in this operation");
    return deployment;
  };
  return {
    ...Object.fromEntries(UNSUPPORTED_MONITOR_CALLS.map((name) => [name, refuse(name, options)])),
    getDeploymentInfo: unary(() => deploymentInfo(options)),
    supportsFeature: unary(() => new monitorMessages.SupportsFeatureResponse().setHassupport(false)),
    registerResource: unary(async (request: monitorMessages.RegisterResourceRequest) => {
      const registered = await deploy().register(goalOf(request, options));
      return new monitorMessages.RegisterResourceResponse()
        .setUrn(registered.urn)
        .setId(registered.id)
        .setObject(toStruct(registered.outputs));
    }),
    registerResourceOutputs: unary(async (request: monitorMessages.RegisterResourceOutputsRequest) => {
      await deploy().registerOutputs(request.getUrn(), fromStruct(request.getOutputs()));
      return new Empty();
    }),
    // The program has ended well and waits here, its callbacks still alive, until the deletions are done.
    signalAndWaitForShutdown: unary(async () => {
      await deploy().deleteUnwanted();
      return new Empty();
    }),
  };
}

function deploymentInfo(options: ServiceOptions): monitorMessages.DeploymentInfo {
  const info = new monitorMessages.DeploymentInfo()
    .setProject(options.project)
    .setStack(options.stack)
    .setOrganization("organization")
    .setDryrun(options.dryRun)
    .setParallel(options.parallel)
    .setConfigsecretkeysList([...options.secretKeys])
    .setSupportedfeaturesList(FEATURES);
  for (const [key, value] of Object.entries(options.configuration)) info.getConfigMap().set(key, value);
  return info;
}

function goalOf(request: monitorMessages.RegisterResourceRequest, options: ServiceOptions): Goal {
  const unsupported = unsupportedOption(request);
  if (unsupported !== undefined) throw refusal(`${unsupported} (${request.getName()})`, options);
  return {
    urn: urnOf(options.stack, options.project, request.getParent(), request.getType(), request.getName()),
    type: request.getType(),
    custom: request.getCustom(),
    parent: request.getParent(),
    inputs: normalizeInputs(fromStruct(request.getObject())),
    dependencies: request.getDependenciesList(),
    protect: request.getProtect() ?? false,
    retainOnDelete: request.getRetainondelete() ?? false,
    additionalSecretOutputs: request.getAdditionalsecretoutputsList(),
    ignoreChanges: request.getIgnorechangesList(),
    ...(request.getDeletebeforereplacedefined() ? { deleteBeforeReplace: request.getDeletebeforereplace() } : {}),
  };
}

/** The first resource option in use that the stand-in does not have. */
function unsupportedOption(request: monitorMessages.RegisterResourceRequest): string | undefined {
  const used: readonly (readonly [string, boolean])[] = [
    ["remote components", request.getRemote()],
    ["import", request.getImportid() !== ""],
    ["aliases", request.getAliasesList().length + request.getAliasurnsList().length > 0],
    ["provider", request.getProvider() !== ""],
    ["deletedWith", request.getDeletedwith() !== ""],
    ["replaceWith", request.getReplaceWithList().length > 0],
    ["replaceOnChanges", request.getReplaceonchangesList().length > 0],
    ["replacementTrigger", request.hasReplacementTrigger()],
    ["transforms", request.getTransformsList().length > 0],
    ["stateMigrations", request.getStateMigrationsList().length > 0],
    ["envVarMappings", request.getEnvvarmappingsMap().getLength() > 0],
  ];
  return used.find(([, isUsed]) => isUsed)?.[0];
}

const SEVERITIES: Readonly<Record<engineMessages.LogSeverity, "info" | "warning" | "error" | undefined>> = {
  [engineMessages.LogSeverity.DEBUG]: undefined,
  [engineMessages.LogSeverity.INFO]: "info",
  [engineMessages.LogSeverity.WARNING]: "warning",
  [engineMessages.LogSeverity.ERROR]: "error",
};

type UnaryHandler<Request, Response> = (
  call: ServerUnaryCall<Request, Response>,
  done: sendUnaryData<Response>,
) => void;

function unary<Request, Response>(
  answer: (request: Request) => Response | Promise<Response>,
): UnaryHandler<Request, Response> {
  return (call, done) => {
    Promise.resolve(call.request)
      .then(answer)
      .then(
        (response) => {
          done(null, response);
        },
        (error: unknown) => {
          // CANCELLED makes the SDK end the program without a message of its own: it has been shown already.
          if (error instanceof DeploymentStopped) done({ code: status.CANCELLED, details: error.message });
          else done({ code: status.UNKNOWN, details: error instanceof Error ? error.message : String(error) });
        },
      );
  };
}

function refuse(name: string, options: ServiceOptions): UnaryHandler<unknown, never> {
  return unary<unknown, never>(() => {
    throw refusal(name, options);
  });
}

/** Says what is not supported, once and by name, and ends the operation. */
function refusal(what: string, { emit, deployment }: ServiceOptions): DeploymentStopped {
  const message = `the stand-in engine does not support ${what}; use the pulumi CLI`;
  if (deployment?.failure === undefined) emit({ kind: "log", severity: "error", message, ephemeral: false });
  deployment?.stop("refused");
  return new DeploymentStopped(message);
}
