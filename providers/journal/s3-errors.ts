/**
 * Errors of S3 and of the SDK as StoreErrors that say what to do.
 *
 * Not for: failed conditions, which are answers, not errors (s3-objects.ts).
 */
import { messageOf, StoreError } from "../../sdk/model";
import type { S3Location } from "./s3-url";

/** What is read of an error of the SDK; all of it may be missing. */
export interface S3Failure {
  readonly name: string;
  readonly status: number | undefined;
  /** Requests that were sent, the first included. */
  readonly attempts: number;
  /** Where the bucket is, when the server says so. */
  readonly bucketRegion: string | undefined;
}

const NO_CREDENTIALS = /CredentialsProviderError|CredentialsError|NoCredentials|TokenProviderError/;
const EXPIRED = /^(ExpiredToken|ExpiredTokenException|TokenRefreshRequired|ExpiredCredentials)/;
const DENIED =
  /^(AccessDenied|AllAccessDisabled|AccountProblem|Forbidden|InvalidAccessKeyId|SignatureDoesNotMatch|InvalidToken|UnauthorizedAccess)/;
const WRONG_REGION = /^(PermanentRedirect|AuthorizationHeaderMalformed|IllegalLocationConstraint)/;
const SKEWED = /^(RequestTimeTooSkewed|RequestExpired|RequestInTheFuture)/;
const FULL = /QuotaExceeded|InsufficientStorage|StorageFull|XMinioStorageFull/;
const RETRYABLE = "nothing is lost of what was acknowledged; run again when it answers";

/** The fields of whatever was thrown. */
export function readFailure(error: unknown): S3Failure {
  const fields = (typeof error === "object" && error !== null ? error : {}) as Readonly<Record<string, unknown>>;
  const metadata = (fields["$metadata"] ?? {}) as Readonly<Record<string, unknown>>;
  const response = (fields["$response"] ?? {}) as { readonly headers?: Readonly<Record<string, string>> };
  const name = typeof fields["name"] === "string" ? fields["name"] : "";
  const code = typeof fields["Code"] === "string" ? fields["Code"] : fields["code"];
  return {
    name: typeof code === "string" && (name === "" || name === "Error" || name === "Unknown") ? code : name,
    status: typeof metadata["httpStatusCode"] === "number" ? metadata["httpStatusCode"] : undefined,
    attempts: typeof metadata["attempts"] === "number" ? metadata["attempts"] : 1,
    bucketRegion: response.headers?.["x-amz-bucket-region"],
  };
}

/**
 * Turns an error of a call into a StoreError.
 * @param what the call, such as "reading runs/a/00000001.json"
 */
export function toS3Error(location: S3Location, what: string, error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  const { name, status, bucketRegion } = readFailure(error);
  const create = (code: StoreError["code"], reason: string, remedy: string): StoreError =>
    new StoreError(code, `run store ${location.url}: ${what}: ${reason}`, { remedy, cause: error });

  if (NO_CREDENTIALS.test(name)) {
    return create(
      "denied",
      `no AWS credentials were found (${messageOf(error)})`,
      "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, name a profile with AWS_PROFILE, or give the machine a role",
    );
  }
  if (EXPIRED.test(name)) {
    return create(
      "denied",
      `the credentials have expired (${name})`,
      "sign in again, such as `aws sso login`, or renew the role's session, then run again; the run is carried on",
    );
  }
  if (SKEWED.test(name)) {
    return create(
      "denied",
      "this machine's clock is too far from the store's",
      "set the clock, such as `timedatectl set-ntp true`",
    );
  }
  if (name === "NoSuchBucket") {
    return create(
      "unavailable",
      `there is no bucket ${location.bucket}`,
      "create it, or correct the bucket, region or endpoint of the URL",
    );
  }
  if (WRONG_REGION.test(name) || status === 301) {
    const region = bucketRegion ?? "<the bucket's region>";
    return create("unavailable", "the bucket is in another region", `add ?region=${region} to the URL`);
  }
  if (/Region is missing/i.test(messageOf(error))) {
    return create("unavailable", "the region is not known", "add ?region=<region> to the URL, or set AWS_REGION");
  }
  if (name === "NotImplemented" || status === 501) {
    return create(
      "denied",
      "the server does not know conditional writes",
      "use Amazon S3, or a server that keeps If-None-Match and If-Match on PUT",
    );
  }
  if (FULL.test(name)) return create("full", `no space is left (${name})`, "free space or raise the quota");
  if (DENIED.test(name) || status === 403 || status === 401) {
    return create(
      "denied",
      `access is denied (${name})`,
      `allow s3:GetObject, s3:PutObject and s3:DeleteObject on arn:aws:s3:::${location.bucket}/${location.prefix}* and ` +
        `s3:ListBucket on arn:aws:s3:::${location.bucket} (and the use of its KMS key, if it has one)`,
    );
  }
  if (status !== undefined && status >= 500) {
    return create("unavailable", `the store failed with status ${String(status)} (${name})`, RETRYABLE);
  }
  if (status === 429 || /SlowDown|Throttl|TooManyRequests/.test(name)) {
    return create("unavailable", `the store asks to slow down (${name})`, RETRYABLE);
  }
  if (status === undefined) {
    return create(
      "unavailable",
      `no answer (${messageOf(error)})`,
      `check the network and ${location.endpoint ?? "the region"}; ${RETRYABLE}`,
    );
  }
  return create("unavailable", `${messageOf(error)} (${name}, status ${String(status)})`, RETRYABLE);
}
