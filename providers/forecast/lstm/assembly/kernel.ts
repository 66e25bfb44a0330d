/**
 * An LSTM layer with a linear head: forward, backward through time and Adam, four numbers at a time.
 *
 * AssemblyScript, compiled to ../kernel-binary.ts by `npm run build:kernels`. Not for: choosing windows, epochs and rates
 * (../train.ts), and what the numbers mean (../residual-lstm.ts).
 *
 * Invariants
 * 1. Only IEEE operations on 32-bit floats in a fixed order: the same input gives the same bits on every machine.
 * 2. No garbage: everything lies in one block whose layout `setup` fixes. A second `setup` starts over.
 *
 * Layout of parameters: `gates[input + hidden + 1][4 * hidden]` (the last row is the bias; blocks of a row are the input,
 * forget and output gate and the candidate), then `head[hidden + 1][outputs]`, rows of the head padded to four.
 *
 * Sources: Hochreiter and Schmidhuber, "Long Short-Term Memory", Neural Computation 9(8), 1997, with the forget gate of
 * Gers, Schmidhuber and Cummins, 2000; Adam, Kingma and Ba, ICLR 2015; clipping by the global norm, Pascanu, Mikolov and
 * Bengio, ICML 2013; exp by the polynomial of Cephes' expf, S. L. Moshier.
 */

let inputs: i32 = 0;
let hidden: i32 = 0;
let gates: i32 = 0;
let outputs: i32 = 0;
let paddedOutputs: i32 = 0;
let window: i32 = 0;
let rows: i32 = 0;
let parameterCount: i32 = 0;

// Begins of blocks, in bytes.
let parameters: usize = 0;
let head: usize = 0;
let gradients: usize = 0;
let headGradients: usize = 0;
let momentum: usize = 0;
let variance: usize = 0;
let inputRows: usize = 0;
let targetRows: usize = 0;
let result: usize = 0;
let resultGradient: usize = 0;
let steps: usize = 0;
let activations: usize = 0;
let cells: usize = 0;
let squashed: usize = 0;
let preactivationGradients: usize = 0;
let hiddenGradient: usize = 0;
let cellGradient: usize = 0;

/** Bytes of a 32-bit float, as a shift. */
const F32: usize = 2;
/** Half-width of the region in which the loss is quadratic; beyond it an error pulls with constant force. */
const HUBER: f32 = 1;

function bytes(count: i32): usize {
  return (count as usize) << F32;
}

/**
 * Lays out memory for one network and clears it.
 * @param hiddenCount a multiple of 8
 * @param rowCount rows of inputs and targets, one for each moment of the series
 */
export function setup(inputCount: i32, hiddenCount: i32, outputCount: i32, windowSteps: i32, rowCount: i32): void {
  inputs = inputCount;
  hidden = hiddenCount;
  gates = 4 * hiddenCount;
  outputs = outputCount;
  paddedOutputs = (outputCount + 3) & ~3;
  window = windowSteps;
  rows = rowCount;
  const gateCount = (inputs + hidden + 1) * gates;
  parameterCount = gateCount + (hidden + 1) * paddedOutputs;

  let next: usize = (__heap_base + 15) & ~15;
  parameters = next;
  head = parameters + bytes(gateCount);
  next += bytes(parameterCount);
  gradients = next;
  headGradients = gradients + bytes(gateCount);
  next += bytes(parameterCount);
  momentum = next;
  next += bytes(parameterCount);
  variance = next;
  next += bytes(parameterCount);
  inputRows = next;
  next += bytes(rows * inputs);
  targetRows = next;
  next += bytes(rows * paddedOutputs);
  next = (next + 15) & ~15;
  result = next;
  next += bytes(paddedOutputs);
  resultGradient = next;
  next += bytes(paddedOutputs);
  steps = next;
  next += bytes(((window + 1) * (inputs + hidden + 1) + 3) & ~3);
  activations = next;
  next += bytes(window * gates);
  cells = next;
  next += bytes((window + 1) * hidden);
  squashed = next;
  next += bytes(window * hidden);
  preactivationGradients = next;
  next += bytes(window * gates);
  hiddenGradient = next;
  next += bytes(hidden);
  cellGradient = next;
  next += bytes(hidden);

  const pages = ((next + 0xffff) >> 16) as i32;
  if (pages > memory.size()) memory.grow(pages - memory.size());
  memory.fill(parameters, 0, next - parameters);
}

export function parametersAt(): usize {
  return parameters;
}
export function gradientsAt(): usize {
  return gradients;
}
export function countParameters(): i32 {
  return parameterCount;
}
export function inputsAt(): usize {
  return inputRows;
}
export function targetsAt(): usize {
  return targetRows;
}
/** Targets of a row lie so many numbers apart. */
export function targetStride(): i32 {
  return paddedOutputs;
}
export function resultAt(): usize {
  return result;
}

/** Runs the window that ends with a row; the outputs lie at `resultAt` afterwards. */
export function predict(row: i32): void {
  forward(row);
}

/** Mean Huber loss of the window that ends with a row; targets that are NaN do not count. */
export function lossOf(row: i32): f64 {
  forward(row);
  return judge(row);
}

/** Like `lossOf`, and adds the loss's gradient to the gradients. */
export function accumulate(row: i32): f64 {
  forward(row);
  const loss = judge(row);
  backward();
  return loss;
}

export function clearGradients(): void {
  memory.fill(gradients, 0, bytes(parameterCount));
}

/**
 * One step of Adam.
 * @param scale factor on the summed gradients, such as one over the number of windows
 * @param largestNorm gradients with a larger norm are scaled down to it
 * @param turn number of this step, from 1 on
 */
export function update(rate: f32, scale: f32, largestNorm: f32, turn: i32): void {
  let squares: f64 = 0;
  for (let i = 0; i < parameterCount; i++) {
    const gradient = (load<f32>(gradients + bytes(i)) * scale) as f64;
    squares += gradient * gradient;
  }
  const norm = sqrt(squares) as f32;
  const factor = norm > largestNorm ? (scale * largestNorm) / norm : scale;
  const keepMomentum: f32 = 0.9;
  const keepVariance: f32 = 0.999;
  const unbiasMomentum: f32 = 1 - (power(0.9, turn) as f32);
  const unbiasVariance: f32 = 1 - (power(0.999, turn) as f32);
  const scales = f32x4.splat(factor);
  const keepM = f32x4.splat(keepMomentum);
  const addM = f32x4.splat(1 - keepMomentum);
  const keepV = f32x4.splat(keepVariance);
  const addV = f32x4.splat(1 - keepVariance);
  const rates = f32x4.splat(rate / unbiasMomentum);
  const unbias = f32x4.splat(1 / unbiasVariance);
  const tiny = f32x4.splat(1e-8);
  const end = bytes(parameterCount);
  for (let at: usize = 0; at < end; at += 16) {
    const gradient = f32x4.mul(v128.load(gradients + at), scales);
    const m = f32x4.add(f32x4.mul(keepM, v128.load(momentum + at)), f32x4.mul(addM, gradient));
    const v = f32x4.add(f32x4.mul(keepV, v128.load(variance + at)), f32x4.mul(addV, f32x4.mul(gradient, gradient)));
    v128.store(momentum + at, m);
    v128.store(variance + at, v);
    const change = f32x4.div(f32x4.mul(rates, m), f32x4.add(f32x4.sqrt(f32x4.mul(v, unbias)), tiny));
    v128.store(parameters + at, f32x4.sub(v128.load(parameters + at), change));
  }
}

function power(base: f64, exponent: i32): f64 {
  let value: f64 = 1;
  for (let i = 0; i < exponent; i++) value *= base;
  return value;
}

function forward(row: i32): void {
  const width = inputs + hidden + 1;
  const first = row - window + 1;
  memory.fill(cells, 0, bytes(hidden));
  memory.fill(steps + bytes(inputs), 0, bytes(hidden));
  for (let t = 0; t < window; t++) {
    const step = steps + bytes(t * width);
    memory.copy(step, inputRows + bytes((first + t) * inputs), bytes(inputs));
    store<f32>(step + bytes(inputs + hidden), 1);
    const gate = activations + bytes(t * gates);
    multiply(step, width, gate);
    activate(gate, cells + bytes(t * hidden), squashed + bytes(t * hidden), step + bytes(width + inputs));
  }
  const last = steps + bytes(window * width + inputs);
  for (let k: usize = 0; k < bytes(paddedOutputs); k += 16) {
    let sum = v128.load(head + bytes(hidden * paddedOutputs) + k);
    for (let j = 0; j < hidden; j++) {
      const weight = v128.load(head + bytes(j * paddedOutputs) + k);
      sum = f32x4.add(sum, f32x4.mul(v128.load32_splat(last + bytes(j)), weight));
    }
    v128.store(result + k, sum);
  }
}

/** `to[gates]` = `step[width]` times the gates' parameters, 32 of them at a time. */
function multiply(step: usize, width: i32, to: usize): void {
  const rowBytes = bytes(gates);
  for (let block: usize = 0; block < rowBytes; block += 128) {
    let weights = parameters + block;
    let s0 = f32x4.splat(0);
    let s1 = f32x4.splat(0);
    let s2 = f32x4.splat(0);
    let s3 = f32x4.splat(0);
    let s4 = f32x4.splat(0);
    let s5 = f32x4.splat(0);
    let s6 = f32x4.splat(0);
    let s7 = f32x4.splat(0);
    for (let j = 0; j < width; j++) {
      const x = v128.load32_splat(step + bytes(j));
      s0 = f32x4.add(s0, f32x4.mul(x, v128.load(weights)));
      s1 = f32x4.add(s1, f32x4.mul(x, v128.load(weights, 16)));
      s2 = f32x4.add(s2, f32x4.mul(x, v128.load(weights, 32)));
      s3 = f32x4.add(s3, f32x4.mul(x, v128.load(weights, 48)));
      s4 = f32x4.add(s4, f32x4.mul(x, v128.load(weights, 64)));
      s5 = f32x4.add(s5, f32x4.mul(x, v128.load(weights, 80)));
      s6 = f32x4.add(s6, f32x4.mul(x, v128.load(weights, 96)));
      s7 = f32x4.add(s7, f32x4.mul(x, v128.load(weights, 112)));
      weights += rowBytes;
    }
    const at = to + block;
    v128.store(at, s0);
    v128.store(at, s1, 16);
    v128.store(at, s2, 32);
    v128.store(at, s3, 48);
    v128.store(at, s4, 64);
    v128.store(at, s5, 80);
    v128.store(at, s6, 96);
    v128.store(at, s7, 112);
  }
}

/** Gates in place, then the next cell (behind the given one), its squashed form and the next hidden state. */
function activate(gate: usize, cell: usize, squash: usize, nextHidden: usize): void {
  const block = bytes(hidden);
  for (let at: usize = 0; at < block; at += 16) {
    const input = sigmoid(v128.load(gate + at));
    const forget = sigmoid(v128.load(gate + block + at));
    const output = sigmoid(v128.load(gate + 2 * block + at));
    const candidate = tanh(v128.load(gate + 3 * block + at));
    v128.store(gate + at, input);
    v128.store(gate + block + at, forget);
    v128.store(gate + 2 * block + at, output);
    v128.store(gate + 3 * block + at, candidate);
    const next = f32x4.add(f32x4.mul(forget, v128.load(cell + at)), f32x4.mul(input, candidate));
    const level = tanh(next);
    v128.store(cell + block + at, next);
    v128.store(squash + at, level);
    v128.store(nextHidden + at, f32x4.mul(output, level));
  }
}

/** Loss of the outputs at hand, and its gradient by them. */
function judge(row: i32): f64 {
  let loss: f64 = 0;
  let count = 0;
  for (let k = 0; k < outputs; k++) {
    const target = load<f32>(targetRows + bytes(row * paddedOutputs + k));
    let pull: f32 = 0;
    if (!isNaN(target)) {
      const error = load<f32>(result + bytes(k)) - target;
      const size = abs(error);
      loss += size <= HUBER ? 0.5 * ((error * error) as f64) : ((HUBER * (size - 0.5 * HUBER)) as f64);
      pull = size <= HUBER ? error : HUBER * (error > 0 ? (1 as f32) : (-1 as f32));
      count++;
    }
    store<f32>(resultGradient + bytes(k), pull);
  }
  if (count === 0) return 0;
  for (let k = 0; k < outputs; k++) {
    const at = resultGradient + bytes(k);
    store<f32>(at, load<f32>(at) / (count as f32));
  }
  return loss / (count as f64);
}

function backward(): void {
  const width = inputs + hidden + 1;
  const block = bytes(hidden);
  const last = steps + bytes(window * width + inputs);
  headBackward(last);
  memory.fill(cellGradient, 0, block);
  for (let t = window - 1; t >= 0; t--) {
    const gate = activations + bytes(t * gates);
    const cell = cells + bytes(t * hidden);
    const squash = squashed + bytes(t * hidden);
    const pre = preactivationGradients + bytes(t * gates);
    const one = f32x4.splat(1);
    for (let at: usize = 0; at < block; at += 16) {
      const input = v128.load(gate + at);
      const forget = v128.load(gate + block + at);
      const output = v128.load(gate + 2 * block + at);
      const candidate = v128.load(gate + 3 * block + at);
      const level = v128.load(squash + at);
      const byHidden = v128.load(hiddenGradient + at);
      const byLevel = f32x4.mul(f32x4.mul(byHidden, output), f32x4.sub(one, f32x4.mul(level, level)));
      const byCell = f32x4.add(v128.load(cellGradient + at), byLevel);
      v128.store(pre + at, f32x4.mul(f32x4.mul(byCell, candidate), slope(input)));
      v128.store(pre + block + at, f32x4.mul(f32x4.mul(byCell, v128.load(cell + at)), slope(forget)));
      v128.store(pre + 2 * block + at, f32x4.mul(f32x4.mul(byHidden, level), slope(output)));
      const bend = f32x4.sub(one, f32x4.mul(candidate, candidate));
      v128.store(pre + 3 * block + at, f32x4.mul(f32x4.mul(byCell, input), bend));
      v128.store(cellGradient + at, f32x4.mul(byCell, forget));
    }
    if (t > 0) hiddenBackward(pre);
  }
  gateBackward(width);
}

/** Gradients of the head, and of the last hidden state. */
function headBackward(last: usize): void {
  for (let j = 0; j <= hidden; j++) {
    const state = j < hidden ? v128.load32_splat(last + bytes(j)) : f32x4.splat(1);
    const weights = head + bytes(j * paddedOutputs);
    const to = headGradients + bytes(j * paddedOutputs);
    let sum = f32x4.splat(0);
    for (let k: usize = 0; k < bytes(paddedOutputs); k += 16) {
      const pull = v128.load(resultGradient + k);
      v128.store(to + k, f32x4.add(v128.load(to + k), f32x4.mul(state, pull)));
      sum = f32x4.add(sum, f32x4.mul(v128.load(weights + k), pull));
    }
    if (j < hidden) store<f32>(hiddenGradient + bytes(j), sumOf(sum));
  }
}

/** Gradient of the hidden state before a step from those of its gates. */
function hiddenBackward(pre: usize): void {
  const rowBytes = bytes(gates);
  for (let j = 0; j < hidden; j++) {
    const weights = parameters + bytes((inputs + j) * gates);
    let s0 = f32x4.splat(0);
    let s1 = f32x4.splat(0);
    let s2 = f32x4.splat(0);
    let s3 = f32x4.splat(0);
    for (let at: usize = 0; at < rowBytes; at += 64) {
      s0 = f32x4.add(s0, f32x4.mul(v128.load(weights + at), v128.load(pre + at)));
      s1 = f32x4.add(s1, f32x4.mul(v128.load(weights + at, 16), v128.load(pre + at, 16)));
      s2 = f32x4.add(s2, f32x4.mul(v128.load(weights + at, 32), v128.load(pre + at, 32)));
      s3 = f32x4.add(s3, f32x4.mul(v128.load(weights + at, 48), v128.load(pre + at, 48)));
    }
    store<f32>(hiddenGradient + bytes(j), sumOf(f32x4.add(f32x4.add(s0, s1), f32x4.add(s2, s3))));
  }
}

/** Gradients of the gates' parameters: all steps of a block of 32 before the next one, so that sums stay in registers. */
function gateBackward(width: i32): void {
  const rowBytes = bytes(gates);
  const stepBytes = bytes(width);
  for (let j = 0; j < width; j++) {
    const row = gradients + bytes(j * gates);
    for (let block: usize = 0; block < rowBytes; block += 128) {
      const to = row + block;
      let s0 = v128.load(to);
      let s1 = v128.load(to, 16);
      let s2 = v128.load(to, 32);
      let s3 = v128.load(to, 48);
      let s4 = v128.load(to, 64);
      let s5 = v128.load(to, 80);
      let s6 = v128.load(to, 96);
      let s7 = v128.load(to, 112);
      let x = steps + bytes(j);
      let pre = preactivationGradients + block;
      for (let t = 0; t < window; t++) {
        const value = v128.load32_splat(x);
        s0 = f32x4.add(s0, f32x4.mul(value, v128.load(pre)));
        s1 = f32x4.add(s1, f32x4.mul(value, v128.load(pre, 16)));
        s2 = f32x4.add(s2, f32x4.mul(value, v128.load(pre, 32)));
        s3 = f32x4.add(s3, f32x4.mul(value, v128.load(pre, 48)));
        s4 = f32x4.add(s4, f32x4.mul(value, v128.load(pre, 64)));
        s5 = f32x4.add(s5, f32x4.mul(value, v128.load(pre, 80)));
        s6 = f32x4.add(s6, f32x4.mul(value, v128.load(pre, 96)));
        s7 = f32x4.add(s7, f32x4.mul(value, v128.load(pre, 112)));
        x += stepBytes;
        pre += rowBytes;
      }
      v128.store(to, s0);
      v128.store(to, s1, 16);
      v128.store(to, s2, 32);
      v128.store(to, s3, 48);
      v128.store(to, s4, 64);
      v128.store(to, s5, 80);
      v128.store(to, s6, 96);
      v128.store(to, s7, 112);
    }
  }
}

/** Slope of a sigmoid, by its value. */
function slope(value: v128): v128 {
  return f32x4.mul(value, f32x4.sub(f32x4.splat(1), value));
}

function sumOf(value: v128): f32 {
  const low = f32x4.extract_lane(value, 0) + f32x4.extract_lane(value, 1);
  return low + (f32x4.extract_lane(value, 2) + f32x4.extract_lane(value, 3));
}

function sigmoid(x: v128): v128 {
  const one = f32x4.splat(1);
  return f32x4.div(one, f32x4.add(one, exp(f32x4.neg(x))));
}

function tanh(x: v128): v128 {
  const one = f32x4.splat(1);
  const two = f32x4.splat(2);
  return f32x4.sub(one, f32x4.div(two, f32x4.add(exp(f32x4.mul(x, two)), one)));
}

/** e to the power of x, relative error below 2e-7; x is kept within +-80. */
function exp(x: v128): v128 {
  const bounded = f32x4.max(f32x4.splat(-80), f32x4.min(f32x4.splat(80), x));
  const whole = f32x4.nearest(f32x4.mul(bounded, f32x4.splat(1.4426950408889634)));
  let rest = f32x4.sub(bounded, f32x4.mul(whole, f32x4.splat(0.693359375)));
  rest = f32x4.sub(rest, f32x4.mul(whole, f32x4.splat(-2.1219444e-4)));
  let sum = f32x4.splat(1.98756915e-4);
  sum = f32x4.add(f32x4.mul(sum, rest), f32x4.splat(1.3981999507e-3));
  sum = f32x4.add(f32x4.mul(sum, rest), f32x4.splat(8.3334519073e-3));
  sum = f32x4.add(f32x4.mul(sum, rest), f32x4.splat(4.1665795894e-2));
  sum = f32x4.add(f32x4.mul(sum, rest), f32x4.splat(1.6666665459e-1));
  sum = f32x4.add(f32x4.mul(sum, rest), f32x4.splat(5.0000001201e-1));
  sum = f32x4.add(f32x4.add(f32x4.mul(sum, f32x4.mul(rest, rest)), rest), f32x4.splat(1));
  const exponent = i32x4.shl(i32x4.add(i32x4.trunc_sat_f32x4_s(whole), i32x4.splat(127)), 23);
  return f32x4.mul(sum, exponent);
}
