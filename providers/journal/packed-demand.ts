/**
 * Demand paths of large fleets as text: the numbers of each path as bytes, compressed, in base64. As JSON numbers the paths
 * of tens of thousands of workloads come near to the longest string there is; packed they take half of it or less.
 *
 * Not for: small fleets, whose journals stay readable.
 *
 * Invariants
 * 1. Every number comes back as it was.
 * 2. What is in another form is named, never guessed.
 */
import { deflateRawSync, inflateRawSync } from "node:zlib";
import type { Bundle, DemandPath, JointDemand } from "../../sdk/model";

/** Form of packed paths that this package writes. */
const FORM = 1;
/** Values up to which paths stay numbers: some megabytes of JSON. */
const MOST_PLAIN = 1_000_000;
/** Whole numbers up to this one are exact as 32-bit floats. */
const MOST_EXACT = 2 ** 24;
/** Fast: most of the gain is in bytes that are zero. */
const LEVEL = 1;

/** Paths as they lie in a journal. */
interface PackedPaths {
  readonly packed: number;
  /** Whole numbers of 4 bytes, or floats of 8. */
  readonly numbers: "u32" | "f64";
  /** One for each path. */
  readonly paths: readonly string[];
}

/** Demand as it is stored. */
type StoredDemand = Omit<JointDemand, "cpuMillis"> & { readonly cpuMillis: readonly DemandPath[] | PackedPaths };

/** A bundle as it is stored. */
export type StoredBundle = Omit<Bundle, "forecast"> & {
  readonly forecast: Omit<Bundle["forecast"], "demand"> & { readonly demand: StoredDemand };
};

/** A form that this package does not know. */
export class UnknownFormError extends Error {
  constructor(readonly form: unknown) {
    super(`demand paths have form ${String(form)}, this package knows ${String(FORM)}`);
  }
}

/** A bundle to be stored: paths stay numbers where there are few, else they are packed. */
export function packBundle(bundle: Bundle): StoredBundle {
  return { ...bundle, forecast: { ...bundle.forecast, demand: packDemand(bundle.forecast.demand) } };
}

/**
 * A bundle that was stored.
 * @throws UnknownFormError for paths that another version packed
 */
export function unpackBundle(stored: StoredBundle): Bundle {
  return { ...stored, forecast: { ...stored.forecast, demand: unpackDemand(stored.forecast.demand) } };
}

function packDemand(demand: JointDemand): StoredDemand {
  const { cpuMillis } = demand;
  const count = cpuMillis.reduce((sum, { length }) => sum + length, 0);
  if (count <= MOST_PLAIN) return { ...demand, cpuMillis: cpuMillis.map(toPlain) };
  const isWhole = cpuMillis.every(isWholePath);
  const paths = cpuMillis.map((path) => {
    const numbers = isWhole ? Uint32Array.from(path) : Float64Array.from(path);
    const bytes = new Uint8Array(numbers.buffer);
    return deflateRawSync(toPlanes(bytes, numbers.BYTES_PER_ELEMENT), { level: LEVEL }).toString("base64");
  });
  return { ...demand, cpuMillis: { packed: FORM, numbers: isWhole ? "u32" : "f64", paths } };
}

function unpackDemand(stored: StoredDemand): JointDemand {
  const { cpuMillis } = stored;
  if (!isPacked(cpuMillis)) return { ...stored, cpuMillis };
  const { packed, numbers, paths } = cpuMillis;
  if (packed !== FORM || !["u32", "f64"].includes(numbers)) throw new UnknownFormError(packed);
  const size = numbers === "u32" ? 4 : 8;
  return {
    ...stored,
    cpuMillis: paths.map((text) => {
      const bytes = fromPlanes(inflateRawSync(Buffer.from(text, "base64")), size);
      if (numbers === "f64") return new Float64Array(bytes.buffer);
      const whole = new Uint32Array(bytes.buffer);
      return whole.every((value) => value <= MOST_EXACT) ? Float32Array.from(whole) : Float64Array.from(whole);
    }),
  };
}

function isPacked(paths: readonly DemandPath[] | PackedPaths): paths is PackedPaths {
  return !Array.isArray(paths);
}

/** Typed arrays are no arrays to JSON. */
function toPlain(path: DemandPath): DemandPath {
  return path instanceof Float32Array || path instanceof Float64Array ? Array.from(path) : path;
}

function isWholePath(path: DemandPath): boolean {
  for (const value of path) {
    // Also false for -0, which no whole number without a sign is.
    if (!Object.is(value >>> 0, value)) return false;
  }
  return true;
}

/** All first bytes, then all second ones, and so on: the high ones are alike, which compresses well. */
function toPlanes(bytes: Uint8Array, size: number): Uint8Array {
  const count = bytes.length / size;
  const planes = new Uint8Array(bytes.length);
  for (let byte = 0; byte < size; byte++) {
    for (let at = 0; at < count; at++) planes[byte * count + at] = bytes[at * size + byte] as number;
  }
  return planes;
}

function fromPlanes(planes: Uint8Array, size: number): Uint8Array<ArrayBuffer> {
  const count = planes.length / size;
  const bytes = new Uint8Array(planes.length);
  for (let byte = 0; byte < size; byte++) {
    for (let at = 0; at < count; at++) bytes[at * size + byte] = planes[byte * count + at] as number;
  }
  return bytes;
}
