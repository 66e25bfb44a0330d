/**
 * What the engine asks of a provider, and the one provider there is: the SDK's own process for dynamic resources.
 *
 * Not for: plugins of clouds; their types are refused.
 */
import { credentials, Metadata } from "@grpc/grpc-js";
import type { ServiceError } from "@grpc/grpc-js";
import type { Any } from "google-protobuf/google/protobuf/any_pb";
import * as rpc from "@pulumi/pulumi/proto/provider_grpc_pb";
import * as messages from "@pulumi/pulumi/proto/provider_pb";
import { Status } from "@pulumi/pulumi/proto/status_pb";
import { annotateSecrets, fromStruct, toProvider, toStruct } from "./property-values";
import type { Properties } from "./property-values";

/** A mistake that `check` found. */
export interface CheckFailure {
  readonly property: string;
  readonly reason: string;
}

/** What `diff` said. `unknown` leaves the comparison of the inputs to the engine. */
export interface ProviderDiff {
  readonly changes: "some" | "none" | "unknown";
  readonly replaces: readonly string[];
  readonly deleteBeforeReplace: boolean;
}

/** A resource after `create` or `update`; with reasons when it was left half done. */
export interface Applied {
  readonly id: string;
  readonly outputs: Properties;
  readonly failure?: { readonly message: string; readonly reasons: readonly string[] };
}

/** A resource as `read` found it; `undefined` when it is gone. */
export type Observed = { readonly id: string; readonly outputs: Properties; readonly inputs?: Properties } | undefined;

/** Calls that the engine makes; secrets go in and come out as in the engine. */
export interface Provider {
  check(urn: string, olds: Properties, news: Properties): Promise<{ inputs: Properties; failures: CheckFailure[] }>;
  diff(urn: string, id: string, oldInputs: Properties, oldOutputs: Properties, news: Properties): Promise<ProviderDiff>;
  create(urn: string, inputs: Properties): Promise<Applied>;
  update(urn: string, id: string, oldInputs: Properties, olds: Properties, news: Properties): Promise<Applied>;
  read(urn: string, id: string, inputs: Properties, outputs: Properties): Promise<Observed>;
  delete(urn: string, id: string, inputs: Properties, outputs: Properties): Promise<void>;
  close(): void;
}

/** The SDK's provider process, reached by gRPC. It knows no secrets: they go as plain text, and namesakes come back marked. */
export class DynamicProvider implements Provider {
  readonly #client: rpc.ResourceProviderClient;

  private constructor(port: number) {
    this.#client = new rpc.ResourceProviderClient(`127.0.0.1:${String(port)}`, credentials.createInsecure(), {
      "grpc.max_receive_message_length": -1,
      "grpc.max_send_message_length": -1,
    });
  }

  /** Connects and hands over the stack's configuration, which is the provider's. */
  static async connect(port: number, configuration: Readonly<Record<string, string>>): Promise<DynamicProvider> {
    const provider = new DynamicProvider(port);
    const request = new messages.ConfigureRequest();
    request.setArgs(toStruct(configuration));
    request.setAcceptsecrets(true);
    request.setAcceptresources(true);
    await provider.#call<messages.ConfigureResponse>((done) => provider.#client.configure(request, done));
    return provider;
  }

  async check(
    urn: string,
    olds: Properties,
    news: Properties,
  ): Promise<{ inputs: Properties; failures: CheckFailure[] }> {
    const request = new messages.CheckRequest();
    request.setUrn(urn);
    request.setOlds(toStruct(toProvider(olds)));
    request.setNews(toStruct(toProvider(news)));
    const response = await this.#call<messages.CheckResponse>((done) => this.#client.check(request, done));
    return {
      inputs: annotateSecrets(fromStruct(response.getInputs()), news),
      failures: response
        .getFailuresList()
        .map((failure) => ({ property: failure.getProperty(), reason: failure.getReason() })),
    };
  }

  async diff(
    urn: string,
    id: string,
    oldInputs: Properties,
    oldOutputs: Properties,
    news: Properties,
  ): Promise<ProviderDiff> {
    const request = new messages.DiffRequest();
    request.setUrn(urn);
    request.setId(id);
    request.setOldInputs(toStruct(toProvider(oldInputs)));
    request.setOlds(toStruct(toProvider(oldOutputs)));
    request.setNews(toStruct(toProvider(news)));
    const response = await this.#call<messages.DiffResponse>((done) => this.#client.diff(request, done));
    return {
      changes: CHANGES[response.getChanges()],
      replaces: response.getReplacesList(),
      deleteBeforeReplace: response.getDeletebeforereplace(),
    };
  }

  async create(urn: string, inputs: Properties): Promise<Applied> {
    const request = new messages.CreateRequest();
    request.setUrn(urn);
    request.setProperties(toStruct(toProvider(inputs)));
    try {
      const response = await this.#call<messages.CreateResponse>((done) => this.#client.create(request, done));
      if (response.getId() === "") throw new Error(`plugin returned empty resource.ID from create '${urn}'`);
      return { id: response.getId(), outputs: annotateSecrets(fromStruct(response.getProperties()), inputs) };
    } catch (error) {
      return halfDone(error, inputs);
    }
  }

  async update(urn: string, id: string, oldInputs: Properties, olds: Properties, news: Properties): Promise<Applied> {
    const request = new messages.UpdateRequest();
    request.setUrn(urn);
    request.setId(id);
    request.setOldInputs(toStruct(toProvider(oldInputs)));
    request.setOlds(toStruct(toProvider(olds)));
    request.setNews(toStruct(toProvider(news)));
    try {
      const response = await this.#call<messages.UpdateResponse>((done) => this.#client.update(request, done));
      return { id, outputs: annotateSecrets(fromStruct(response.getProperties()), news) };
    } catch (error) {
      return { ...halfDone(error, news), id };
    }
  }

  async read(urn: string, id: string, inputs: Properties, outputs: Properties): Promise<Observed> {
    const request = new messages.ReadRequest();
    request.setUrn(urn);
    request.setId(id);
    request.setInputs(toStruct(toProvider(inputs)));
    request.setProperties(toStruct(toProvider(outputs)));
    const response = await this.#call<messages.ReadResponse>((done) => this.#client.read(request, done));
    if (response.getId() === "") return undefined;
    return {
      id: response.getId(),
      outputs: annotateSecrets(fromStruct(response.getProperties()), outputs),
      ...(response.hasInputs() ? { inputs: annotateSecrets(fromStruct(response.getInputs()), inputs) } : {}),
    };
  }

  async delete(urn: string, id: string, inputs: Properties, outputs: Properties): Promise<void> {
    const request = new messages.DeleteRequest();
    request.setUrn(urn);
    request.setId(id);
    request.setOldInputs(toStruct(toProvider(inputs)));
    request.setProperties(toStruct(toProvider(outputs)));
    await this.#call((done) => this.#client.delete(request, done));
  }

  close(): void {
    this.#client.close();
  }

  #call<T>(start: (done: (error: ServiceError | null, response: T) => void) => unknown): Promise<T> {
    return new Promise((resolve, reject) => {
      start((error, response) => {
        if (error) reject(error);
        else resolve(response);
      });
    });
  }
}

const CHANGES: Readonly<Record<messages.DiffResponse.DiffChanges, ProviderDiff["changes"]>> = {
  [messages.DiffResponse.DiffChanges.DIFF_UNKNOWN]: "unknown",
  [messages.DiffResponse.DiffChanges.DIFF_NONE]: "none",
  [messages.DiffResponse.DiffChanges.DIFF_SOME]: "some",
};

/**
 * The partial state that comes with an error, where there is one.
 * @throws the error itself where there is none
 */
function halfDone(error: unknown, inputs: Properties): Applied {
  const detail = initFailureOf(error);
  if (!detail) throw error;
  return {
    id: detail.getId(),
    outputs: annotateSecrets(fromStruct(detail.getProperties()), inputs),
    failure: { message: (error as ServiceError).details, reasons: detail.getReasonsList() },
  };
}

function initFailureOf(error: unknown): messages.ErrorResourceInitFailed | undefined {
  const metadata = (error as Partial<ServiceError>).metadata;
  const [packed] = metadata instanceof Metadata ? metadata.get("grpc-status-details-bin") : [];
  if (packed === undefined || typeof packed === "string") return undefined;
  const [detail]: readonly Any[] = Status.deserializeBinary(packed).getDetailsList();
  return (
    detail?.unpack<messages.ErrorResourceInitFailed>(
      (bytes) => messages.ErrorResourceInitFailed.deserializeBinary(bytes),
      "pulumirpc.ErrorResourceInitFailed",
    ) ?? undefined
  );
}
