/**
 * An instance of the search's kernel (assembly/kernel.ts): WebAssembly with a memory of its own, into which tables are
 * put by the names that the kernel has for them.
 *
 * Not for: what the tables mean (assembly/tables.ts, search-state.ts).
 *
 * Invariant: no I/O; the module's bytes are part of this package.
 */
import { KERNEL_BASE64 } from "./kernel-binary";

/** What TypeScript's library of Node does not declare. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object, imports: object) => { readonly exports: unknown };
};

/** Functions of the kernel; see there. Processes and machines are numbers from 0, flags are 0 or 1. */
interface KernelFunctions {
  allocate(bytes: number): number;
  begin(pricePerUnit: number): void;
  cost(): number;
  ratedCost(): number;
  isFeasible(): number;
  setPrice(pricePerUnit: number): void;
  gainOf(process: number, machine: number): number;
  costOfPlacing(machine: number, process: number, limit: number): number;
  changeByReplacing(machine: number, leaving: number, process: number, limit: number): number;
  canPlace(process: number, machine: number): number;
  canSwap(process: number, other: number): number;
  hasRoom(process: number, machine: number): number;
  moveCostChange(process: number, from: number, to: number): number;
  shiftPrice(process: number, machine: number): number;
  swapPrice(process: number, other: number): number;
  move(process: number, machine: number): void;
  swap(process: number, other: number): void;
  processOn(machine: number, index: number): number;
  countOf(machine: number): number;
  excessOn(machine: number): number;
  drawPlace(process: number): number;
  takePresent(): void;
  keep(): void;
  restore(): void;
  beginWalk(): void;
  walk(least: number, temperature: number, front: number): number;
}

type Table = Float64Array | Int32Array | Uint32Array | Uint16Array | Uint8Array;

interface Global {
  value: number;
}

/** Compiled when the first search begins. */
let compiled: object | undefined;

export class Kernel {
  readonly functions: KernelFunctions;
  private readonly globals: Readonly<Record<string, Global>>;
  private readonly memory: { readonly buffer: ArrayBuffer };

  constructor() {
    compiled ??= new WebAssembly.Module(Buffer.from(KERNEL_BASE64, "base64"));
    const imports = { env: { abort: () => undefined } };
    const { exports } = new WebAssembly.Instance(compiled, imports);
    this.functions = exports as KernelFunctions;
    this.globals = exports as Record<string, Global>;
    this.memory = (exports as { readonly memory: { readonly buffer: ArrayBuffer } }).memory;
  }

  /** A number that the kernel holds. */
  get(name: string): number {
    return this.globalOf(name).value;
  }

  /** Sets sizes, flags and weights. */
  set(numbers: Readonly<Record<string, number>>): void {
    for (const [name, value] of Object.entries(numbers)) this.globalOf(name).value = value;
  }

  /** Copies tables into memory. */
  put(tables: Readonly<Record<string, Table>>): void {
    for (const [name, table] of Object.entries(tables)) {
      const address = this.functions.allocate(table.byteLength);
      const bytes = new Uint8Array(table.buffer, table.byteOffset, table.byteLength);
      new Uint8Array(this.memory.buffer, address, table.byteLength).set(bytes);
      this.globalOf(name).value = address;
    }
  }

  /** A view of a table of whole numbers, good until the kernel's memory grows, as it may with any move. */
  wholes(name: string, length: number): Int32Array {
    return new Int32Array(this.memory.buffer, this.get(name), length);
  }

  private globalOf(name: string): Global {
    const global = this.globals[name];
    if (global === undefined) throw new RangeError(`${name} (table) is not one of the search's kernel`);
    return global;
  }
}
