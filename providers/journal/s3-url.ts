/**
 * URLs of S3 run stores: `s3://bucket/prefix?region=eu-central-1&endpoint=https://...`.
 *
 * Not for: talking to S3 (s3-objects.ts).
 */
import { didYouMean, StoreError } from "../../sdk/model";

/** What the URL of an S3 store says. */
export interface S3Location {
  /** The URL in its shortest form. */
  readonly url: string;
  readonly bucket: string;
  /** Ends with a slash unless it is empty. */
  readonly prefix: string;
  /** Absent: AWS_REGION or the region of the profile. */
  readonly region?: string;
  /** Absent: Amazon S3. */
  readonly endpoint?: string;
  /** True: the bucket is part of the path, false: of the host's name. */
  readonly isPathStyle: boolean;
}

const PARAMETERS = ["region", "endpoint", "pathStyle"];
/** Amazon's rule for names of buckets, a little wider for others. */
const BUCKET = /^[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]$/;
/** Servers that are not Amazon's mostly ignore the region, but signatures need one. */
const REGION_OF_OTHERS = "us-east-1";

/**
 * Reads an `s3:` URL.
 * @throws StoreError unavailable with all that is wrong with it
 */
export function parseS3Url(text: string): S3Location {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== "s3:") throw refuse(text, ["must be like s3://bucket/prefix?region=eu-central-1"]);
  const mistakes: string[] = [];
  const bucket = url.host;
  if (!BUCKET.test(bucket)) {
    mistakes.push(
      `must name a bucket of 3 to 63 small letters, digits, dots and dashes, not ${JSON.stringify(bucket)}`,
    );
  }
  if (url.username !== "" || url.password !== "") {
    mistakes.push("must hold no credentials: they come from the environment, a profile or the machine's role");
  }
  for (const name of new Set(url.searchParams.keys())) {
    if (PARAMETERS.includes(name)) continue;
    const meant = didYouMean(name, PARAMETERS);
    mistakes.push(
      `has no parameter ${JSON.stringify(name)}${meant === undefined ? ` (there are ${PARAMETERS.join(", ")})` : `; did you mean ${meant}?`}`,
    );
  }
  const endpoint = url.searchParams.get("endpoint") ?? undefined;
  if (endpoint !== undefined && !/^https?:\/\/[^/]/.test(endpoint)) {
    mistakes.push(`endpoint must be an http or https URL, not ${JSON.stringify(endpoint)}`);
  }
  const pathStyle = url.searchParams.get("pathStyle") ?? undefined;
  if (pathStyle !== undefined && pathStyle !== "true" && pathStyle !== "false") {
    mistakes.push(`pathStyle must be true or false, not ${JSON.stringify(pathStyle)}`);
  }
  if (mistakes.length > 0) throw refuse(text, mistakes);
  const region = url.searchParams.get("region") ?? (endpoint === undefined ? undefined : REGION_OF_OTHERS);
  const path = decodeURIComponent(url.pathname).replace(/^\/+|\/+$/g, "");
  return {
    url: `s3://${bucket}${path === "" ? "" : `/${path}`}${url.search}`,
    bucket,
    prefix: path === "" ? "" : `${path}/`,
    ...(region === undefined ? {} : { region }),
    ...(endpoint === undefined ? {} : { endpoint }),
    isPathStyle: pathStyle === undefined ? endpoint !== undefined : pathStyle === "true",
  };
}

function refuse(text: string, mistakes: readonly string[]): StoreError {
  return new StoreError(
    "unavailable",
    `run store (${JSON.stringify(text.replace(/\/\/[^/@]*@/, "//***@"))}) ${mistakes.join("; it ")}`,
    { remedy: "write it like s3://bucket/prefix?region=eu-central-1" },
  );
}
