/**
 * Objects of one bucket below one prefix, with conditional writes. Every error that leaves here is a StoreError with a
 * remedy; a condition that does not hold is an answer.
 *
 * Not for: what the objects mean (s3-batches.ts, s3-leases.ts, s3-store.ts).
 *
 * Invariants
 * 1. Calls are bounded: in tries and in time.
 * 2. A write whose answer was lost is not taken for another's: each carries a mark, and a failed condition after a
 *    repeated request is checked against it.
 * 3. Before the first conditional write it is proven that the server honours conditions: one that ignores them would
 *    give a lease to everybody.
 * 4. Nothing is written while this machine's clock is far from the store's.
 */
import type * as Sdk from "@aws-sdk/client-s3";
import { randomUUID } from "node:crypto";
import { StoreError } from "../../sdk/model";
import type { Clock } from "../clock";
import { readFailure, toS3Error } from "./s3-errors";
import type { S3Location } from "./s3-url";
import { checkClock, StoreTime } from "./store-time";

/** An object's content and the tag that a later write may demand. */
export interface S3Object {
  readonly text: string;
  readonly etag: string;
}

/** The object must not exist, or still have this tag. */
export type Condition = { readonly absent: true } | { readonly etag: string };

/** How long a call may take: a single request, and all its tries together. */
export interface CallLimits {
  readonly requestMs: number;
  readonly totalMs: number;
}

/** Leases: an answer that comes later than a part of their time is of no use. */
export const SHORT_CALL: CallLimits = { requestMs: 3000, totalMs: 8000 };
/** Batches and documents may be large. */
export const LONG_CALL: CallLimits = { requestMs: 20_000, totalMs: 60_000 };

const CONNECT_MS = 3000;
/** Requests of one call; the SDK waits longer from one to the next, with jitter. */
const TRIES = 4;
/** S3 answers 409 when two conditional writes meet; the write is then to be repeated. */
const CONFLICT_TRIES = 6;
const FIRST_BACK_OFF_MS = 50;
/** Pages of a listing, 1000 keys each: a bound against a server whose pages never end. */
const MOST_PAGES = 10_000;
const CONDITIONS_PROOF = "conditional-writes";

/** See the file's header. */
export class S3Objects {
  readonly time: StoreTime;
  private connection: Promise<{ readonly sdk: typeof Sdk; readonly client: Sdk.S3Client }> | undefined;
  private conditions: Promise<void> | undefined;

  constructor(
    readonly location: S3Location,
    private readonly clock: Clock,
  ) {
    this.time = new StoreTime(clock);
  }

  /** An object, or undefined when there is none. @param bytes only so many from its start */
  async get(key: string, limits: CallLimits, bytes?: number): Promise<S3Object | undefined> {
    const { sdk } = await this.connect();
    const range = bytes === undefined ? {} : { Range: `bytes=0-${String(bytes - 1)}` };
    return this.attempt(`reading ${key}`, async () => {
      try {
        const answer = await this.send(new sdk.GetObjectCommand({ ...this.at(key), ...range }), limits);
        return { text: (await answer.Body?.transformToString()) ?? "", etag: answer.ETag ?? "" };
      } catch (error) {
        if (isAbsent(error)) return undefined;
        throw error;
      }
    });
  }

  /** Writes an object, whatever was there. */
  async put(key: string, text: string): Promise<void> {
    await this.write(key, text, undefined, LONG_CALL);
  }

  /**
   * Writes an object if the condition holds.
   * @returns the new tag, or undefined when it does not hold; nothing was changed then
   */
  async putIf(condition: Condition, key: string, text: string, limits: CallLimits): Promise<string | undefined> {
    this.conditions ??= this.proveConditions();
    try {
      await this.conditions;
    } catch (error) {
      // A store that did not answer may answer the next time.
      this.conditions = undefined;
      throw error;
    }
    return this.write(key, text, condition, limits);
  }

  /** Removes an object. One that is not there is success. */
  async remove(key: string): Promise<void> {
    const { sdk } = await this.connect();
    await this.attempt(`removing ${key}`, async () => {
      await this.send(new sdk.DeleteObjectCommand(this.at(key)), LONG_CALL);
    });
  }

  /** Names right below a folder that begin with `start`: of objects, or of folders, in the order of their bytes. */
  async list(folder: string, kind: "objects" | "folders", start = ""): Promise<readonly string[]> {
    const { sdk } = await this.connect();
    const prefix = this.location.prefix + folder;
    return this.attempt(`listing ${folder}`, async () => {
      const names: string[] = [];
      let token: string | undefined;
      for (let page = 0; page < MOST_PAGES; page += 1) {
        const answer: Sdk.ListObjectsV2CommandOutput = await this.send(
          new sdk.ListObjectsV2Command({
            Bucket: this.location.bucket,
            Prefix: prefix + start,
            Delimiter: "/",
            ...(token === undefined ? {} : { ContinuationToken: token }),
          }),
          LONG_CALL,
        );
        const keys =
          kind === "objects"
            ? (answer.Contents ?? []).map(({ Key = "" }) => Key)
            : (answer.CommonPrefixes ?? []).map(({ Prefix = "" }) => Prefix.slice(0, -1));
        for (const key of keys) names.push(key.slice(prefix.length));
        token = answer.IsTruncated === true ? answer.NextContinuationToken : undefined;
        if (token === undefined) return names;
      }
      throw new StoreError("corrupt", `run store ${this.location.url}: the listing of ${folder} does not end`, {
        remedy: "check that the endpoint is an S3 server",
      });
    });
  }

  /** Asks the store for its time. */
  async askTime(): Promise<void> {
    // A key that is never there: cheaper than a listing, and the right to read objects is needed anyway.
    await this.get("time", SHORT_CALL);
  }

  private async write(
    key: string,
    text: string,
    condition: Condition | undefined,
    limits: CallLimits,
  ): Promise<string | undefined> {
    const { sdk } = await this.connect();
    return this.attempt(`writing ${key}`, async () => {
      if (this.time.isUnknown) await this.askTime();
      const mark = randomUUID();
      const input = {
        ...this.at(key),
        Body: text,
        ContentType: "application/json",
        Metadata: { write: mark },
        ...(condition === undefined ? {} : "absent" in condition ? { IfNoneMatch: "*" } : { IfMatch: condition.etag }),
      };
      let isRepeated = false;
      for (let attempt = 1; ; attempt += 1) {
        try {
          return (await this.send(new sdk.PutObjectCommand(input), limits)).ETag ?? "";
        } catch (error) {
          const failure = readFailure(error);
          isRepeated ||= failure.attempts > 1;
          if (condition !== undefined && isConditionFailed(error)) {
            return isRepeated ? await this.tagOfMark(key, mark, limits) : undefined;
          }
          if (failure.status !== 409 || attempt >= CONFLICT_TRIES) throw error;
          isRepeated = true;
          await this.clock.sleep(FIRST_BACK_OFF_MS * 2 ** (attempt - 1));
        }
      }
    });
  }

  /** Tag of the object if it is the one that was written with the mark (invariant 2). */
  private async tagOfMark(key: string, mark: string, limits: CallLimits): Promise<string | undefined> {
    const { sdk } = await this.connect();
    try {
      const { Metadata, ETag } = await this.send(new sdk.HeadObjectCommand(this.at(key)), limits);
      return Metadata?.["write"] === mark ? ETag : undefined;
    } catch (error) {
      if (isAbsent(error)) return undefined;
      throw error;
    }
  }

  /** Invariant 3: the same object cannot be created twice, nor replaced under a tag that it does not have. */
  private async proveConditions(): Promise<void> {
    const text = "Shows that this store honours If-None-Match and If-Match.\n";
    const absent: Condition = { absent: true };
    const isCreated = (await this.write(CONDITIONS_PROOF, text, absent, SHORT_CALL)) !== undefined;
    const isCreatedAgain = isCreated && (await this.write(CONDITIONS_PROOF, text, absent, SHORT_CALL)) !== undefined;
    const other: Condition = { etag: '"00000000000000000000000000000000"' };
    const isReplaced = (await this.write(CONDITIONS_PROOF, text, other, SHORT_CALL)) !== undefined;
    if (!isCreatedAgain && !isReplaced) return;
    throw new StoreError(
      "denied",
      `run store ${this.location.url}: the server ignores ${isCreatedAgain ? "If-None-Match" : "If-Match"} on PUT, so ` +
        "two runs could work on one host",
      { remedy: "use Amazon S3, or a server with conditional writes, and run again; nothing was started" },
    );
  }

  private async attempt<T>(what: string, action: () => Promise<T>): Promise<T> {
    try {
      return await action();
    } catch (error) {
      throw toS3Error(this.location, what, error);
    }
  }

  /** One command with its limits. Whatever the answer is, a clock that is far off comes first. */
  private async send<Output>(
    command: { readonly input: unknown } & Sendable<Output>,
    { requestMs, totalMs }: CallLimits,
  ): Promise<Output> {
    const { client } = await this.connect();
    this.checkClock();
    let failure: { readonly error: unknown } | undefined;
    let output: Output | undefined;
    try {
      const options = { requestTimeout: requestMs, abortSignal: AbortSignal.timeout(totalMs) };
      output = (await client.send(command as never, options)) as Output;
    } catch (error) {
      failure = { error };
    }
    this.checkClock();
    if (failure) throw failure.error;
    return output as Output;
  }

  private checkClock(): void {
    const storeMs = this.time.earliest();
    if (storeMs !== undefined) checkClock(this.location.url, storeMs, this.clock);
  }

  private connect(): Promise<{ readonly sdk: typeof Sdk; readonly client: Sdk.S3Client }> {
    this.connection ??= this.createClient();
    return this.connection;
  }

  private async createClient(): Promise<{ readonly sdk: typeof Sdk; readonly client: Sdk.S3Client }> {
    const sdk = await import("@aws-sdk/client-s3");
    const { region, endpoint, isPathStyle } = this.location;
    const client = new sdk.S3Client({
      ...(region === undefined ? {} : { region }),
      // Servers that are not Amazon's need not know the checksums that are the SDK's default.
      ...(endpoint === undefined
        ? {}
        : { endpoint, requestChecksumCalculation: "WHEN_REQUIRED", responseChecksumValidation: "WHEN_REQUIRED" }),
      forcePathStyle: isPathStyle,
      maxAttempts: TRIES,
      requestHandler: { connectionTimeout: CONNECT_MS, throwOnRequestTimeout: true },
    });
    client.middlewareStack.add(
      (next) => async (args) => {
        const sentAt = this.clock.monotonic();
        const result = await next(args);
        const { headers } = result.response as { readonly headers?: Readonly<Record<string, string>> };
        const dateMs = Date.parse(headers?.["date"] ?? "");
        if (!Number.isNaN(dateMs)) this.time.observe(dateMs, sentAt);
        return result;
      },
      // Innermost, so that every single request is timed, failed and repeated ones too.
      { name: "archipelagoStoreTime", step: "deserialize", priority: "low" },
    );
    return { sdk, client };
  }

  private at(key: string): { readonly Bucket: string; readonly Key: string } {
    return { Bucket: this.location.bucket, Key: this.location.prefix + key };
  }
}

/** A command of the SDK, seen by its output. */
interface Sendable<Output> {
  resolveMiddleware(...args: never[]): (...args: never[]) => Promise<{ readonly output: Output }>;
}

function isAbsent(error: unknown): boolean {
  const { name, status } = readFailure(error);
  return name !== "NoSuchBucket" && (name === "NoSuchKey" || name === "NotFound" || status === 404);
}

/** 412, or 404 when the object that should still have the tag is gone. */
function isConditionFailed(error: unknown): boolean {
  const { name, status } = readFailure(error);
  return status === 412 || name === "PreconditionFailed" || isAbsent(error);
}
