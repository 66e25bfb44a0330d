/**
 * State of a stack: its resources and configuration, one JSON file, written after every step so that a crash loses
 * nothing that was done.
 *
 * Not for: encryption. Secrets are marked, not hidden; the file says so.
 */
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import type { Properties } from "./property-values";

/** A resource in the state. */
export interface ResourceState {
  readonly urn: string;
  readonly type: string;
  readonly custom: boolean;
  readonly id?: string;
  readonly parent?: string;
  readonly inputs: Properties;
  readonly outputs: Properties;
  readonly dependencies: readonly string[];
  /** Reasons of an incomplete creation or update; the next `up` updates whatever the diff says. */
  readonly initErrors: readonly string[];
  readonly protect: boolean;
  readonly retainOnDelete: boolean;
  readonly additionalSecretOutputs: readonly string[];
  /** Replaced by a newer one; deleted at the end, or by the next `up`. */
  readonly pendingDelete: boolean;
}

/** A value of the configuration. */
export interface ConfigValue {
  readonly value: string;
  readonly secret: boolean;
}

/** What the file holds. */
export interface StackFile {
  readonly v: 1;
  readonly note: string;
  readonly config: Readonly<Record<string, ConfigValue>>;
  /** In an order in which each comes after what it depends on. */
  readonly resources: readonly ResourceState[];
}

const NOTE = "State of the stand-in engine of the tests. Secrets are marked, NOT encrypted.";

/** A stack without resources. */
const EMPTY_STACK: StackFile = { v: 1, note: NOTE, config: {}, resources: [] };

/** Reads a stack's file; a missing one is an empty stack. */
export async function readStack(file: string): Promise<StackFile> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return EMPTY_STACK;
    throw error;
  }
  const stack = JSON.parse(text) as StackFile;
  if ((stack.v as number) !== 1) throw new Error(`${file}: version ${String(stack.v)} is not known; delete the file`);
  return stack;
}

/** Replaces a stack's file whole. */
export async function writeStack(file: string, stack: StackFile): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  await writeFile(`${file}.new`, `${JSON.stringify(stack, null, 2)}\n`);
  await rename(`${file}.new`, file);
}

/** The URN of a resource: parents' types are part of it, the stack's is not. */
export function urnOf(stack: string, project: string, parent: string, type: string, name: string): string {
  const parentType = parent === "" ? "" : (parent.split("::")[2] ?? "");
  const qualified = parentType === "" || parentType === STACK_TYPE ? type : `${parentType}$${type}`;
  return `urn:pulumi:${stack}::${project}::${qualified}::${name}`;
}

/** Type of the resource that stands for the stack. */
export const STACK_TYPE = "pulumi:pulumi:Stack";

/** The resources of a deployment: what was there, what has been done, and the file that holds both. */
export class Snapshot {
  readonly #file: string | undefined;
  readonly #stack: StackFile;
  readonly #olds: readonly ResourceState[];
  readonly #news: ResourceState[] = [];
  readonly #gone = new Set<ResourceState>();
  #writing: Promise<void> = Promise.resolve();

  /** @param file where it is written; a preview has none */
  constructor(file: string | undefined, stack: StackFile) {
    this.#file = file;
    this.#stack = stack;
    this.#olds = stack.resources;
  }

  /** The resource as it was before this deployment. */
  old(urn: string): ResourceState | undefined {
    return this.#olds.find((state) => state.urn === urn && !state.pendingDelete);
  }

  /** All resources as they were before, in order. */
  get olds(): readonly ResourceState[] {
    return this.#olds;
  }

  /** The resource as this deployment has it. */
  current(urn: string): ResourceState | undefined {
    return this.#news.find((state) => state.urn === urn);
  }

  /** Records a resource; `keepOld` leaves a replaced one in the state until it is deleted. */
  async put(state: ResourceState, options: { readonly keepOld?: boolean } = {}): Promise<void> {
    const at = this.#news.findIndex((other) => other.urn === state.urn);
    if (at >= 0) this.#news[at] = state;
    else this.#news.push(state);
    const old = this.old(state.urn);
    if (old && !options.keepOld) this.#gone.add(old);
    await this.#write();
  }

  /** Records that an old resource exists no more. */
  async remove(state: ResourceState): Promise<void> {
    this.#gone.add(state);
    await this.#write();
  }

  /** What the file holds after this deployment. */
  get resources(): readonly ResourceState[] {
    const left = this.#olds.filter((state) => !this.#gone.has(state));
    const kept = left.map((state) => (this.current(state.urn) ? { ...state, pendingDelete: true } : state));
    return [...this.#news, ...kept];
  }

  /** Writes are one after another, the newest content each time. */
  async #write(): Promise<void> {
    const file = this.#file;
    if (file === undefined) return;
    const write = this.#writing.then(() => writeStack(file, { ...this.#stack, resources: this.resources }));
    this.#writing = write;
    await write;
  }
}
