/**
 * One LSTM layer with a linear head in WebAssembly: its memory, its parameters, and one step of each kind.
 *
 * Not for: the arithmetic (assembly/kernel.ts) and the order of training (train.ts).
 *
 * Invariants
 * 1. Deterministic: parameters come from a seed, and the arithmetic is that of IEEE floats in a fixed order.
 * 2. No I/O: the module's bytes are part of this package.
 */
import type { Random } from "../random";
import { KERNEL_BASE64 } from "./kernel-binary";

/** Sizes of a network. */
export interface NetworkShape {
  /** Numbers per moment that go in. */
  readonly inputs: number;
  /** Width of the hidden state, a multiple of 8. */
  readonly hidden: number;
  /** Numbers that come out at the end of a window. */
  readonly outputs: number;
  /** Moments that are read before each forecast. */
  readonly window: number;
}

/** One step of Adam. */
export interface UpdateStep {
  readonly rate: number;
  /** Windows whose gradients were added up. */
  readonly windows: number;
  /** Gradients with a larger norm are scaled down to it. */
  readonly largestNorm: number;
  /** From 1 on. */
  readonly turn: number;
}

/** What TypeScript's library of Node does not declare. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object, imports: object) => { readonly exports: unknown };
};

interface Kernel {
  readonly memory: { readonly buffer: ArrayBuffer };
  setup(inputs: number, hidden: number, outputs: number, window: number, rows: number): void;
  parametersAt(): number;
  gradientsAt(): number;
  countParameters(): number;
  inputsAt(): number;
  targetsAt(): number;
  targetStride(): number;
  resultAt(): number;
  predict(row: number): void;
  lossOf(row: number): number;
  accumulate(row: number): number;
  clearGradients(): void;
  update(rate: number, scale: number, largestNorm: number, turn: number): void;
}

/** Compiled when the first network is made. */
let kernelModule: object | undefined;

/** A network with room for the rows of one series. Row r is a moment; a window is the row and those before it. */
export class LstmNetwork {
  private readonly kernel: Kernel;
  /** Gates' rows first, then the head's; see assembly/kernel.ts. */
  readonly parameters: Float32Array;
  readonly gradients: Float32Array;
  private readonly inputRows: Float32Array;
  private readonly targetRows: Float32Array;
  private readonly result: Float32Array;
  private readonly targetStride: number;

  constructor(
    readonly shape: NetworkShape,
    rows: number,
  ) {
    kernelModule ??= new WebAssembly.Module(Buffer.from(KERNEL_BASE64, "base64"));
    const imports = { env: { abort: () => undefined } };
    const kernel = new WebAssembly.Instance(kernelModule, imports).exports as Kernel;
    const { inputs, hidden, outputs, window } = shape;
    kernel.setup(inputs, hidden, outputs, window, rows);
    const view = (at: number, length: number): Float32Array => new Float32Array(kernel.memory.buffer, at, length);
    const count = kernel.countParameters();
    this.kernel = kernel;
    this.targetStride = kernel.targetStride();
    this.parameters = view(kernel.parametersAt(), count);
    this.gradients = view(kernel.gradientsAt(), count);
    this.inputRows = view(kernel.inputsAt(), rows * inputs);
    this.targetRows = view(kernel.targetsAt(), rows * this.targetStride).fill(Number.NaN);
    this.result = view(kernel.resultAt(), outputs);
  }

  /**
   * Draws all parameters anew: uniform within the root of one over the numbers that come in (LeCun et al., "Efficient
   * BackProp", 1998), a forget gate that is open at first (Gers et al., 2000), and a head near 0, so that an untrained
   * network says "no deviation".
   */
  initialize(random: Random): void {
    const { inputs, hidden } = this.shape;
    const width = inputs + hidden;
    const gates = 4 * hidden;
    const bound = Math.sqrt(1 / width);
    this.parameters.fill(0);
    for (let at = 0; at < width * gates; at++) this.parameters[at] = (2 * random.next() - 1) * bound;
    this.parameters.fill(1, width * gates + hidden, width * gates + 2 * hidden);
    const head = (width + 1) * gates;
    const { outputs } = this.shape;
    for (let j = 0; j < hidden; j++) {
      for (let k = 0; k < outputs; k++)
        this.parameters[head + j * this.targetStride + k] = ((2 * random.next() - 1) * HEAD_SHARE) / Math.sqrt(hidden);
    }
  }

  setInputs(row: number, values: ArrayLike<number>): void {
    this.inputRows.set(values, row * this.shape.inputs);
  }

  /** @param values one for each output; NaN does not count */
  setTargets(row: number, values: ArrayLike<number>): void {
    this.targetRows.set(values, row * this.targetStride);
  }

  /** Outputs of the window that ends with a row. */
  predict(row: number): Float32Array {
    this.kernel.predict(row);
    return this.result.slice();
  }

  /** Mean Huber loss of the window that ends with a row. */
  lossOf(row: number): number {
    return this.kernel.lossOf(row);
  }

  /** Like {@link lossOf}; adds the loss's gradient to {@link gradients}. */
  accumulate(row: number): number {
    return this.kernel.accumulate(row);
  }

  clearGradients(): void {
    this.kernel.clearGradients();
  }

  update({ rate, windows, largestNorm, turn }: UpdateStep): void {
    this.kernel.update(rate, 1 / windows, largestNorm, turn);
  }
}

/** Size of the head's first parameters beside those of the gates. */
const HEAD_SHARE = 0.1;
