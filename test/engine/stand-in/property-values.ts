/**
 * Property values as they travel between SDK, engine and providers: JSON in which a few objects carry a signature
 * (secrets, outputs, resource references) and unknown values are a fixed string.
 *
 * Not for: assets and archives, which are refused.
 */
import type { Struct as ProtoStruct } from "google-protobuf/google/protobuf/struct_pb";
import { Struct } from "google-protobuf/google/protobuf/struct_pb";
import type { JavaScriptValue } from "google-protobuf/google/protobuf/struct_pb";
import { REDACTED, UNKNOWN } from "../engine-session";

/** Properties of a resource. */
export type Properties = Readonly<Record<string, unknown>>;

const SIGNATURE_KEY = "4dabf18193072939515e22adb298388d";
const SECRET = "1b47061264138c4ac30d75fd1eb44270";
const OUTPUT = "d0e6a833031e9bbcd3f4e8bde6ca49a4";
const RESOURCE = "5cf8f73096256a8f31e491e813e4eb8e";
const ASSET = "c44067f5952c0a294b673a41bacd8c17";
const ARCHIVE = "0def7320c3a5731c473e5ecbe6d01bc7";

/** Reads a protobuf struct; an absent one is empty. */
export function fromStruct(struct: ProtoStruct | undefined): Properties {
  return struct ? struct.toJavaScript() : {};
}

/** Writes a protobuf struct. */
export function toStruct(properties: Properties): ProtoStruct {
  return Struct.fromJavaScript(properties as Record<string, JavaScriptValue>);
}

/** Marks a value as a secret. */
export function secret(value: unknown): unknown {
  return { [SIGNATURE_KEY]: SECRET, value };
}

/** True for a secret, but not for an object with one inside. */
export function isSecret(value: unknown): value is { readonly value: unknown } {
  return signatureOf(value) === SECRET;
}

/**
 * What the program sent, in the engine's form: output values become plain, secret or unknown ones.
 * @throws Error for assets and archives
 */
export function normalizeInputs(properties: Properties): Properties {
  return mapMembers(properties, normalizeInput);
}

/** What a provider that knows no secrets gets: everything as plain text, resources as their ids. */
export function toProvider(properties: Properties): Properties {
  return mapMembers(properties, plain);
}

/** What is shown: no secrets. */
export function toShown(properties: Properties): Properties {
  return mapMembers(properties, shown);
}

/** What tests see of the state: secrets as `{ secret: value }`. */
export function toReadable(properties: Properties): Properties {
  return mapMembers(properties, readable);
}

/** Marks those members of `outputs` as secret whose namesakes in `inputs` hold a secret. */
export function annotateSecrets(outputs: Properties, inputs: Properties): Properties {
  return Object.fromEntries(
    Object.entries(outputs).map(([key, value]) => {
      const input = inputs[key];
      if (isPlainObject(value) && isPlainObject(input)) return [key, annotateSecrets(value, input)];
      return [key, !isSecret(value) && containsSecret(input) ? secret(value) : value];
    }),
  );
}

/** Marks the named members as secret (`additionalSecretOutputs`). */
export function markSecret(outputs: Properties, names: readonly string[]): Properties {
  return Object.fromEntries(
    Object.entries(outputs).map(([key, value]) => [
      key,
      names.includes(key) && !isSecret(value) ? secret(value) : value,
    ]),
  );
}

/** True when the plain values are the same, whether secret or not. */
export function isSameValue(a: unknown, b: unknown): boolean {
  return canonical(plain(a)) === canonical(plain(b));
}

/** Names of the members that differ, sorted. */
export function changedKeys(olds: Properties, news: Properties): readonly string[] {
  const keys = new Set([...Object.keys(olds), ...Object.keys(news)]);
  return [...keys].filter((key) => !isSameValue(olds[key], news[key])).sort();
}

/** True when there is an unknown value anywhere inside. */
export function containsUnknown(value: unknown): boolean {
  if (value === UNKNOWN) return true;
  if (Array.isArray(value)) return value.some(containsUnknown);
  return isObject(value) && Object.values(value).some(containsUnknown);
}

function containsSecret(value: unknown): boolean {
  if (isSecret(value)) return true;
  if (Array.isArray(value)) return value.some(containsSecret);
  return isObject(value) && Object.values(value).some(containsSecret);
}

function normalizeInput(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(normalizeInput);
  if (!isObject(value)) return value;
  switch (signatureOf(value)) {
    case undefined:
      return mapMembers(value, normalizeInput);
    case SECRET:
      return secret(normalizeInput(value["value"]));
    case OUTPUT: {
      const inner = "value" in value ? normalizeInput(value["value"]) : UNKNOWN;
      return value["secret"] === true ? secret(inner) : inner;
    }
    case RESOURCE:
      return value;
    case ASSET:
    case ARCHIVE:
      throw new Error("the stand-in engine does not support assets and archives; use the pulumi CLI");
    default:
      throw new Error(
        `the stand-in engine does not know the signature ${String(signatureOf(value))}; use the pulumi CLI`,
      );
  }
}

function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (!isObject(value)) return value;
  if (isSecret(value)) return plain(value.value);
  if (signatureOf(value) === RESOURCE) return isIdKnown(value) ? value["id"] : "id" in value ? UNKNOWN : value["urn"];
  return mapMembers(value, plain);
}

/** A preview has resources whose id is not known yet: it is empty then. */
function isIdKnown(reference: Properties): boolean {
  return "id" in reference && reference["id"] !== "";
}

function readable(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(readable);
  if (!isObject(value)) return value;
  if (isSecret(value)) return { secret: readable(value.value) };
  return mapMembers(value, readable);
}

function shown(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(shown);
  if (!isObject(value)) return value;
  return isSecret(value) ? REDACTED : mapMembers(value, shown);
}

function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, member: unknown) =>
    isObject(member) ? Object.fromEntries(Object.entries(member).sort(([a], [b]) => (a < b ? -1 : 1))) : member,
  );
}

function signatureOf(value: unknown): unknown {
  return isObject(value) ? value[SIGNATURE_KEY] : undefined;
}

function mapMembers(properties: Properties, map: (value: unknown) => unknown): Properties {
  return Object.fromEntries(Object.entries(properties).map(([key, value]) => [key, map(value)]));
}

function isPlainObject(value: unknown): value is Properties {
  return isObject(value) && signatureOf(value) === undefined;
}

function isObject(value: unknown): value is Properties {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
