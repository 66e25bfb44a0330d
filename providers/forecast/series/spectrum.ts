/**
 * Periodogram and autocorrelation of a series, both from one Fourier transform.
 *
 * Not for: telling a season from them (find-season.ts).
 *
 * Source: fast Fourier transform, Cooley and Tukey, Mathematics of Computation 19, 1965; the autocorrelation is the
 * transform of the periodogram (Wiener and Khinchin), zero-padded so that the ends do not meet.
 */

/** Both, of a series whose mean was taken out. */
export interface Spectrum {
  /** Length of the transform; frequency k is k / size cycles a step. */
  readonly size: number;
  /** Power at frequencies 0 to size / 2. */
  readonly power: Float64Array;
  /** Correlation with the series `lag` steps ago, without the bias towards 0 that fewer pairs bring. */
  readonly correlation: Float64Array;
}

/** @param values without a trend, mean 0 */
export function createSpectrum(values: Float64Array, longestLag: number): Spectrum {
  let size = 2;
  while (size < 2 * values.length) size *= 2;
  const real = new Float64Array(size);
  const imaginary = new Float64Array(size);
  real.set(values);
  transform(real, imaginary);
  for (let k = 0; k < size; k++) {
    real[k] = (real[k] ?? 0) ** 2 + (imaginary[k] ?? 0) ** 2;
    imaginary[k] = 0;
  }
  const power = real.slice(0, size / 2 + 1);
  transform(real, imaginary);
  const count = values.length;
  const variance = (real[0] ?? 0) / count;
  const correlation = new Float64Array(Math.min(longestLag, count - 1) + 1);
  for (let lag = 0; lag < correlation.length; lag++) {
    correlation[lag] = variance > 0 ? (real[lag] ?? 0) / (count - lag) / variance : 0;
  }
  return { size, power, correlation };
}

/** In place; the lengths are a power of two. */
function transform(real: Float64Array, imaginary: Float64Array): void {
  const size = real.length;
  for (let i = 1, j = 0; i < size; i++) {
    let bit = size >> 1;
    for (; (j & bit) !== 0; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) {
      swap(real, i, j);
      swap(imaginary, i, j);
    }
  }
  for (let width = 2; width <= size; width *= 2) {
    const half = width / 2;
    const turn = (-2 * Math.PI) / width;
    for (let at = 0; at < half; at++) {
      const [cosine, sine] = [Math.cos(turn * at), Math.sin(turn * at)];
      for (let left = at; left < size; left += width) {
        const right = left + half;
        const [a, b] = [real[right] ?? 0, imaginary[right] ?? 0];
        const [x, y] = [a * cosine - b * sine, a * sine + b * cosine];
        real[right] = (real[left] ?? 0) - x;
        imaginary[right] = (imaginary[left] ?? 0) - y;
        real[left] = (real[left] ?? 0) + x;
        imaginary[left] = (imaginary[left] ?? 0) + y;
      }
    }
  }
}

function swap(values: Float64Array, i: number, j: number): void {
  const kept = values[i] ?? 0;
  values[i] = values[j] ?? 0;
  values[j] = kept;
}
