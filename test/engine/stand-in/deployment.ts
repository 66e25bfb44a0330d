/**
 * One operation on a stack: turns what the program registers into calls of providers and into new state.
 *
 * Not for: gRPC (services.ts), processes (launch.ts), display (display.ts).
 *
 * Invariants:
 * 1. A preview calls Check and Diff only and writes nothing.
 * 2. Check and Diff run one after another, creations and updates at the same time.
 * 3. After a failure nothing new begins; what is under way ends and is recorded.
 */
import type { EngineEvent, EventSink } from "./events";
import { registeredOf, stateOf, withIgnored } from "./goal";
import type { Goal, Registered } from "./goal";
import {
  cannotDeleteMessage,
  cannotReplaceMessage,
  messageOf,
  renderCheckFailure,
  renderDiff,
  renderReasons,
} from "./messages";
import { containsUnknown, markSecret, normalizeInputs, toProvider, toShown } from "./property-values";
import type { Properties } from "./property-values";
import type { Applied, Provider } from "./providers";
import { STACK_TYPE } from "./state";
import type { ResourceState, Snapshot } from "./state";
import { decideComponent, decideExisting, decideRefresh } from "./steps";
import type { Decision } from "./steps";

/** The operation has failed or was interrupted; the message has been shown already. */
export class DeploymentStopped extends Error {}

/**
 * Why an operation ended early: a step failed, a step was refused before it began, the program failed, or a person
 * interrupted it.
 */
export type StopReason = "step" | "refused" | "program" | "interrupted";

/** What a deployment works with. */
export interface DeploymentOptions {
  readonly dryRun: boolean;
  readonly snapshot: Snapshot;
  readonly emit: EventSink;
  /** The provider of a type. @throws Error for a type that nothing provides */
  readonly provider: (type: string) => Promise<Provider>;
}

/** One operation. */
export class Deployment {
  readonly #options: DeploymentOptions;
  readonly #wanted = new Set<string>();
  readonly #underWay = new Set<Promise<unknown>>();
  readonly #failed = Promise.withResolvers<never>();
  #turn: Promise<unknown> = Promise.resolve();
  #failure: StopReason | undefined;
  #deleted = false;

  constructor(options: DeploymentOptions) {
    this.#options = options;
    this.#failed.promise.catch(() => undefined);
  }

  /** Why the operation failed; `undefined` while it has not. */
  get failure(): StopReason | undefined {
    return this.#failure;
  }

  /** Settles when the operation fails or is interrupted; never fulfills. */
  get stopped(): Promise<never> {
    return this.#failed.promise;
  }

  /** Ends the operation: nothing new begins. The first reason counts. */
  stop(reason: StopReason): void {
    if (this.#failure !== undefined) return;
    this.#failure = reason;
    this.#failed.reject(new DeploymentStopped(reason));
  }

  /** Waits for what is under way. */
  async settle(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.allSettled([...this.#underWay]);
  }

  /** Creates, updates, replaces or leaves a resource. @throws DeploymentStopped */
  async register(goal: Goal): Promise<Registered> {
    const work = this.#register(goal);
    this.#underWay.add(work);
    try {
      return await work;
    } catch (error) {
      if (error instanceof DeploymentStopped) throw error;
      this.#fail(goal.urn, error);
      throw new DeploymentStopped("failed", { cause: error });
    } finally {
      this.#underWay.delete(work);
    }
  }

  /** Records the outputs of a component or of the stack. */
  async registerOutputs(urn: string, outputs: Properties): Promise<void> {
    const { snapshot, emit } = this.#options;
    const state = snapshot.current(urn);
    if (!state) throw new Error(`outputs of ${urn}, which was not registered`);
    const news = normalizeInputs(outputs);
    await snapshot.put({ ...state, outputs: news });
    emit({ kind: "outputs", urn, olds: snapshot.old(urn)?.outputs, news });
  }

  /** Deletes what the program wants no more, the newest first. Does so once. */
  async deleteUnwanted(): Promise<void> {
    if (this.#deleted || this.#failure !== undefined) return;
    this.#deleted = true;
    await this.#deleteAll();
  }

  /** Deletes everything, the newest first. */
  async destroy(): Promise<void> {
    await this.#deleteAll();
  }

  /** Ends what has no end of its own: components and the stack. */
  finish(): void {
    for (const urn of this.#components) {
      if (this.#failure === undefined) this.#end(urn);
      else if (this.#ops.get(urn)?.type === STACK_TYPE)
        this.#options.emit({ kind: "step-failed", op: this.#opOf(urn), urn });
    }
  }

  /** Reads every resource and shows what differs from what is wanted. */
  async refresh(): Promise<void> {
    for (const old of this.#options.snapshot.olds) {
      await this.#guard(old.urn, () => this.#refresh(old));
      if (this.#failure !== undefined) return;
    }
  }

  readonly #ops = new Map<string, EngineEvent & { kind: "step-started" }>();
  readonly #components = new Set<string>();
  readonly #replaced = new Set<ResourceState>();
  readonly #gone = new Set<ResourceState>();

  async #deleteAll(): Promise<void> {
    for (const old of [...this.#options.snapshot.olds].reverse()) {
      const isReplaced = old.pendingDelete || this.#replaced.has(old);
      if (this.#gone.has(old) || (this.#wanted.has(old.urn) && !isReplaced)) continue;
      await this.#guard(old.urn, () => this.#delete(old, isReplaced ? "delete-replaced" : "delete"));
      if (this.#failure !== undefined) return;
    }
  }

  async #register(goal: Goal): Promise<Registered> {
    this.#throwIfStopped();
    if (this.#wanted.has(goal.urn)) {
      this.#refuse(goal.urn, `Duplicate resource URN '${goal.urn}'; try giving it a unique name`);
    }
    this.#wanted.add(goal.urn);
    if (!goal.custom) return this.#registerComponent(goal);

    const provider = await this.#options.provider(goal.type);
    const old = this.#options.snapshot.old(goal.urn);
    const { decision, inputs } = await this.#inTurn(() => this.#decide(goal, old, provider));
    this.#throwIfStopped();
    return this.#apply(goal, inputs, old, decision, provider);
  }

  async #registerComponent(goal: Goal): Promise<Registered> {
    const old = this.#options.snapshot.old(goal.urn);
    const decision = decideComponent(old, goal.inputs);
    this.#begin(decision.kind === "replace" ? "update" : decision.kind, goal.urn, goal.type, goal.inputs, old);
    await this.#options.snapshot.put(stateOf(goal, goal.inputs, { outputs: old?.outputs ?? {} }));
    this.#components.add(goal.urn);
    return { urn: goal.urn, id: "", outputs: {} };
  }

  async #decide(
    goal: Goal,
    old: ResourceState | undefined,
    provider: Provider,
  ): Promise<{ readonly decision: Decision; readonly inputs: Properties }> {
    this.#throwIfStopped();
    const wanted = old ? withIgnored(goal, old) : goal.inputs;
    const inputs = await this.#check(goal, old?.inputs ?? {}, wanted, provider);
    if (!old) return { decision: { kind: "create" }, inputs };
    const diff = await provider.diff(goal.urn, old.id ?? "", old.inputs, old.outputs, inputs);
    const decision = decideExisting(
      old,
      inputs,
      diff,
      goal.deleteBeforeReplace === undefined ? {} : { deleteBeforeReplace: goal.deleteBeforeReplace },
    );
    if (decision.kind !== "replace") return { decision, inputs };
    if (goal.protect && old.protect) throw new Error(cannotReplaceMessage(goal.urn));
    return { decision, inputs: await this.#check(goal, {}, goal.inputs, provider) };
  }

  async #check(goal: Goal, olds: Properties, news: Properties, provider: Provider): Promise<Properties> {
    const { inputs, failures } = await provider.check(goal.urn, olds, news);
    if (failures.length > 0) {
      this.#refuse(goal.urn, ...failures.map((failure) => renderCheckFailure(goal, inputs, failure)));
    }
    if (!this.#options.dryRun && containsUnknown(toProvider(inputs))) {
      throw new Error("unexpected unknown property value: check returned one outside of a preview");
    }
    return inputs;
  }

  async #apply(
    goal: Goal,
    inputs: Properties,
    old: ResourceState | undefined,
    decision: Decision,
    provider: Provider,
  ): Promise<Registered> {
    const { dryRun, snapshot } = this.#options;
    switch (decision.kind) {
      case "same": {
        this.#begin("same", goal.urn, goal.type, inputs, old);
        const state = stateOf(goal, inputs, old ?? { outputs: {} });
        await snapshot.put(state);
        this.#end(goal.urn);
        return registeredOf(state);
      }
      case "create": {
        this.#begin("create", goal.urn, goal.type, inputs, old);
        const applied = dryRun ? { id: "", outputs: inputs } : await provider.create(goal.urn, inputs);
        return this.#record(goal, inputs, inputs, applied);
      }
      case "update": {
        this.#begin("update", goal.urn, goal.type, inputs, old);
        const id = old?.id ?? "";
        const applied = dryRun
          ? { id, outputs: inputs }
          : await provider.update(goal.urn, id, old?.inputs ?? {}, old?.outputs ?? {}, inputs);
        // A failed update keeps the old inputs, so that the next diff still sees what is missing.
        return this.#record(goal, inputs, old?.inputs ?? inputs, applied);
      }
      case "replace": {
        if (old && decision.deleteFirst) await this.#delete(old, "delete-replaced");
        this.#begin(decision.deleteFirst ? "replace" : "create-replacement", goal.urn, goal.type, inputs, old);
        if (decision.deleteFirst) this.#begin("create-replacement", goal.urn, goal.type, inputs, old);
        const applied = dryRun ? { id: "", outputs: inputs } : await provider.create(goal.urn, inputs);
        const keepOld = !decision.deleteFirst;
        if (old && keepOld) this.#replaced.add(old);
        const registered = await this.#record(goal, inputs, inputs, applied, keepOld);
        if (keepOld) {
          this.#begin("replace", goal.urn, goal.type, inputs, old);
          this.#end(goal.urn);
        }
        return registered;
      }
    }
  }

  /** Records a creation or update; one that was left half done fails the operation and stays in the state. */
  async #record(
    goal: Goal,
    inputs: Properties,
    inputsIfFailed: Properties,
    applied: Applied,
    keepOld = false,
  ): Promise<Registered> {
    const initErrors = applied.failure?.reasons ?? [];
    const state: ResourceState = {
      ...stateOf(goal, applied.failure ? inputsIfFailed : inputs, applied),
      outputs: markSecret(applied.outputs, goal.additionalSecretOutputs),
      id: applied.id,
      initErrors,
    };
    await this.#options.snapshot.put(state, { keepOld });
    if (applied.failure) throw new Error(renderReasons(initErrors));
    this.#end(goal.urn);
    return registeredOf(state);
  }

  async #delete(old: ResourceState, op: "delete" | "delete-replaced"): Promise<void> {
    const { dryRun, snapshot } = this.#options;
    this.#begin(op, old.urn, old.type, undefined, old);
    if (op === "delete" && old.protect) throw new Error(cannotDeleteMessage(old.urn));
    if (old.custom && !dryRun && !old.retainOnDelete) {
      const provider = await this.#options.provider(old.type);
      await provider.delete(old.urn, old.id ?? "", old.inputs, old.outputs);
    }
    this.#gone.add(old);
    await snapshot.remove(old);
    this.#end(old.urn);
  }

  async #refresh(old: ResourceState): Promise<void> {
    const { snapshot, emit } = this.#options;
    this.#begin("refresh", old.urn, old.type, old.inputs, old);
    if (!old.custom || old.pendingDelete) {
      if (!old.pendingDelete) await snapshot.put(old);
      if (old.type === STACK_TYPE) emit({ kind: "outputs", urn: old.urn, olds: old.outputs, news: old.outputs });
      emit({ kind: "step-done", op: "same", urn: old.urn });
      return;
    }
    const provider = await this.#options.provider(old.type);
    const observed = await provider.read(old.urn, old.id ?? "", old.inputs, old.outputs);
    if (!observed) {
      await snapshot.remove(old);
      emit({ kind: "step-done", op: "delete", urn: old.urn });
      return;
    }
    const inputs = observed.inputs ?? old.inputs;
    const diff = await provider.diff(old.urn, observed.id, inputs, observed.outputs, old.inputs);
    await snapshot.put({
      ...old,
      id: observed.id,
      inputs,
      outputs: markSecret(observed.outputs, old.additionalSecretOutputs),
      initErrors: [],
    });
    emit({ kind: "step-done", op: decideRefresh(inputs, old.inputs, diff), urn: old.urn });
  }

  /** Runs a step of the engine's own and turns what it throws into a failure of the operation. */
  async #guard(urn: string, step: () => Promise<void>): Promise<void> {
    try {
      this.#throwIfStopped();
      await step();
    } catch (error) {
      if (!(error instanceof DeploymentStopped)) this.#fail(urn, error);
    }
  }

  /** Invariant 2: one decision after another. */
  #inTurn<T>(decide: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(decide);
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  #begin(
    op: (EngineEvent & { kind: "step-started" })["op"],
    urn: string,
    type: string,
    inputs: Properties | undefined,
    old: ResourceState | undefined,
  ): void {
    const event = {
      kind: "step-started" as const,
      op,
      urn,
      type,
      ...(inputs ? { inputs: toShown(inputs) } : {}),
      diff: inputs && old ? renderDiff(old.inputs, inputs) : "",
    };
    this.#ops.set(urn, event);
    this.#options.emit(event);
  }

  #end(urn: string): void {
    this.#options.emit({ kind: "step-done", op: this.#opOf(urn), urn });
  }

  #opOf(urn: string): (EngineEvent & { kind: "step-started" })["op"] {
    return this.#ops.get(urn)?.op ?? "same";
  }

  #fail(urn: string, error: unknown): void {
    this.#error(urn, messageOf(error));
    const hasBegun = this.#ops.has(urn);
    if (hasBegun) this.#options.emit({ kind: "step-failed", op: this.#opOf(urn), urn });
    this.stop(hasBegun ? "step" : "refused");
  }

  /** Ends the operation before a step begins. */
  #refuse(urn: string, ...messages: readonly string[]): never {
    for (const message of messages) this.#error(urn, message);
    this.stop("refused");
    throw new DeploymentStopped("refused");
  }

  #error(urn: string, message: string): void {
    this.#options.emit({ kind: "log", severity: "error", message, urn, ephemeral: false });
  }

  #throwIfStopped(): void {
    if (this.#failure !== undefined) throw new DeploymentStopped(this.#failure);
  }
}
