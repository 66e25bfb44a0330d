/**
 * Ridge regression from sums that grow with every row, so that the fit at each of many origins costs one solution of a
 * small system.
 *
 * Source: Hoerl and Kennard, "Ridge Regression: Biased Estimation for Nonorthogonal Problems", Technometrics 12(1), 1970.
 */

/** Keeps the system solvable where features are the same. */
const JITTER = 1e-9;

/** X'WX and X'Wy of the rows seen so far. */
export class RidgeSums {
  private readonly gram: Float64Array;
  private readonly moment: Float64Array;
  private rows = 0;

  constructor(private readonly size: number) {
    this.gram = new Float64Array(size * size);
    this.moment = new Float64Array(size);
  }

  /** Adds matrix[from..from + size] with its wanted value. */
  add(matrix: Float64Array, from: number, wanted: number, weight = 1): void {
    const { size, gram, moment } = this;
    for (let i = 0; i < size; i++) {
      const xi = (matrix[from + i] as number) * weight;
      if (xi === 0) continue;
      moment[i] = (moment[i] as number) + xi * wanted;
      const row = i * size;
      for (let j = 0; j <= i; j++) gram[row + j] = (gram[row + j] as number) + xi * (matrix[from + j] as number);
    }
    this.rows++;
  }

  /**
   * Coefficients drawn to a prior as strongly as that many average rows would draw.
   * @param priorRows >= 0
   */
  solve(priorRows: number, prior: Float64Array): Float64Array {
    const { size } = this;
    const lower = Float64Array.from(this.gram);
    const result = Float64Array.from(this.moment);
    let trace = 0;
    for (let i = 0; i < size; i++) trace += lower[i * size + i] ?? 0;
    const least = (trace / size) * JITTER + Number.MIN_VALUE;
    const share = priorRows / Math.max(1, this.rows);
    for (let i = 0; i < size; i++) {
      const ridge = (lower[i * size + i] ?? 0) * share + least;
      lower[i * size + i] = (lower[i * size + i] ?? 0) + ridge;
      result[i] = (result[i] ?? 0) + ridge * (prior[i] ?? 0);
    }
    factorize(lower, size, least);
    substitute(lower, result, size);
    return result;
  }
}

/** Sum of coefficients times matrix[from...]; 0 without coefficients. */
export function predictLinear(beta: Float64Array | undefined, matrix: Float64Array, from: number): number {
  if (beta === undefined) return 0;
  let sum = 0;
  for (let j = 0; j < beta.length; j++) sum += (beta[j] as number) * (matrix[from + j] as number);
  return sum;
}

/** Cholesky, in the lower triangle. */
function factorize(lower: Float64Array, size: number, least: number): void {
  for (let i = 0; i < size; i++) {
    for (let j = 0; j <= i; j++) {
      const [own, other] = [i * size, j * size];
      let sum = lower[own + j] as number;
      for (let k = 0; k < j; k++) sum -= (lower[own + k] as number) * (lower[other + k] as number);
      lower[own + j] = i === j ? Math.sqrt(Math.max(sum, least)) : sum / (lower[other + j] as number);
    }
  }
}

function substitute(lower: Float64Array, result: Float64Array, size: number): void {
  for (let i = 0; i < size; i++) {
    let sum = result[i] ?? 0;
    for (let k = 0; k < i; k++) sum -= (lower[i * size + k] ?? 0) * (result[k] ?? 0);
    result[i] = sum / (lower[i * size + i] ?? 1);
  }
  for (let i = size - 1; i >= 0; i--) {
    let sum = result[i] ?? 0;
    for (let k = i + 1; k < size; k++) sum -= (lower[k * size + i] ?? 0) * (result[k] ?? 0);
    result[i] = sum / (lower[i * size + i] ?? 1);
  }
}
