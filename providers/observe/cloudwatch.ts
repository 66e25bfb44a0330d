/**
 * Metric source over Amazon CloudWatch, read with GetMetricData.
 *
 * | subject | unit | metric, statistic | dimension | turned into the unit by |
 * |--|--|--|--|--|
 * | `host/<id>` | cpuMillis | AWS/EC2 CPUUtilization, Average | InstanceId = id | percent of the host's capacity |
 * | `workload/<name>` | cpuMillis | AWS/EC2 CPUUtilization, Average | AutoScalingGroupName = name | percent of the capacity of its hosts together |
 * | `host/<id>` | memoryBytes | CWAgent mem_used, Average | InstanceId = id | as it is |
 * | `workload/<name>` | memoryBytes | CWAgent mem_used, Average | AutoScalingGroupName = name | as it is |
 *
 * Anything else is answered with undefined, unless `mapping` knows it. CPUUtilization is a share: without a known
 * capacity it cannot be turned into millicores, and the answer is undefined too, never a guess.
 *
 * Not for: high-resolution metrics; periods are whole minutes.
 */
import type { CloudWatchClient, GetMetricDataCommandOutput, MetricDataQuery } from "@aws-sdk/client-cloudwatch";
import type { Series } from "../../sdk/model";
import { DriverError, floorToGrid, messageOf, resampleSeries } from "../../sdk/model";
import type { MetricSelector, MetricSource, TimeRange } from "./metric-source";

/** Where a selector's values are found in CloudWatch. */
export interface CloudWatchMetric {
  readonly namespace: string;
  readonly name: string;
  readonly dimensions: Readonly<Record<string, string>>;
  readonly statistic: "Average" | "Sum" | "Maximum";
  /** What a value is multiplied by to get the selector's unit. */
  readonly factor: number;
}

/** Options of {@link createCloudWatchSource}. */
export interface CloudWatchOptions {
  readonly region: string;
  /** URL of an endpoint other than the region's own, such as a VPC endpoint. @default the region's */
  readonly endpoint?: string;
  /** CPU capacity behind a subject; for a workload that of its hosts together. @default unknown for all */
  readonly capacityCpuMillis?: (subject: string) => number | undefined;
  /** Asked before the table above; undefined goes on with the table. */
  readonly mapping?: (selector: MetricSelector) => CloudWatchMetric | undefined;
}

/** GetMetricData takes at most 500 queries a call. */
const QUERIES_PER_CALL = 500;
/** Largest number of values that one answer holds; more come in further pages. */
const VALUES_PER_PAGE = 100_800;
/** A token that never ends would loop for ever; this many pages are 100 million values. */
const MOST_PAGES = 1_000;
const MINUTE_MS = 60_000;
const ATTEMPTS = 4;
/** Errors that say "not you", by name. */
const DENIED = /AccessDenied|UnrecognizedClient|InvalidClientTokenId|ExpiredToken|Credentials|SignatureDoesNotMatch/i;

/**
 * Creates the source; the SDK is loaded and its default credentials are looked up with the first query.
 * @throws never; queries throw DriverError `unauthorized`, `unreachable` or `failed`
 */
export function createCloudWatchSource(options: CloudWatchOptions): MetricSource {
  let client: Promise<CloudWatchClient> | undefined;
  return {
    name: `cloudwatch ${options.region}`,
    query: async (selectors, range, stepMs, signal) => {
      client ??= createClient(options);
      const wanted = selectors.map((selector) => findMetric(selector, options));
      // CloudWatch aligns periods by whole minutes; a finer or odd step is resampled from there.
      const periodMs = Math.max(MINUTE_MS, floorToGrid(stepMs, MINUTE_MS));
      const values = await readMetrics(await client, wanted, range, periodMs, options.region, signal);
      return selectors.map((selector, index) => {
        const series = values.get(index);
        if (series === undefined) return undefined;
        return resampleSeries({ ...series, id: selector.subject, unit: selector.unit }, stepMs, range);
      });
    },
  };
}

async function createClient({ region, endpoint }: CloudWatchOptions): Promise<CloudWatchClient> {
  const sdk = await import("@aws-sdk/client-cloudwatch");
  return new sdk.CloudWatchClient({ region, maxAttempts: ATTEMPTS, ...(endpoint === undefined ? {} : { endpoint }) });
}

/** The metric of a selector by the user's mapping, else by the table of this file's header. */
function findMetric(selector: MetricSelector, options: CloudWatchOptions): CloudWatchMetric | undefined {
  const mapped = options.mapping?.(selector);
  if (mapped !== undefined) return mapped;
  const [kind = "", ...rest] = selector.subject.split("/");
  const name = rest.join("/");
  const dimension = kind === "host" ? "InstanceId" : kind === "workload" ? "AutoScalingGroupName" : undefined;
  if (dimension === undefined || name === "") return undefined;
  const dimensions = { [dimension]: name };
  if (selector.unit === "memoryBytes") {
    return { namespace: "CWAgent", name: "mem_used", dimensions, statistic: "Average", factor: 1 };
  }
  const capacity = options.capacityCpuMillis?.(selector.subject);
  if (selector.unit !== "cpuMillis" || capacity === undefined) return undefined;
  return { namespace: "AWS/EC2", name: "CPUUtilization", dimensions, statistic: "Average", factor: capacity / 100 };
}

/** A series that has no name yet. */
type Values = Pick<Series, "startMs" | "stepMs" | "values">;

/** Reads all metrics, 500 a call, page by page; the key is the index in `wanted`. Without a value there is no entry. */
async function readMetrics(
  client: CloudWatchClient,
  wanted: readonly (CloudWatchMetric | undefined)[],
  range: TimeRange,
  periodMs: number,
  region: string,
  signal: AbortSignal,
): Promise<ReadonlyMap<number, Values>> {
  const startMs = floorToGrid(range.fromMs, periodMs);
  const count = Math.max(0, Math.ceil((range.toMs - startMs) / periodMs));
  const found = new Map<number, Values>();
  const queries = wanted.flatMap((metric, index) =>
    metric === undefined ? [] : [createQuery(metric, index, periodMs)],
  );
  for (let from = 0; from < queries.length; from += QUERIES_PER_CALL) {
    const input = {
      MetricDataQueries: queries.slice(from, from + QUERIES_PER_CALL),
      StartTime: new Date(startMs),
      EndTime: new Date(startMs + count * periodMs),
      ScanBy: "TimestampAscending" as const,
      MaxDatapoints: VALUES_PER_PAGE,
    };
    for await (const result of readPages(client, input, region, signal)) {
      const index = Number(result.Id?.slice(1));
      const factor = wanted[index]?.factor ?? 1;
      const series = found.get(index) ?? {
        startMs,
        stepMs: periodMs,
        values: new Float64Array(count).fill(Number.NaN),
      };
      result.Timestamps?.forEach((time, i) => {
        const slot = Math.round((time.getTime() - startMs) / periodMs);
        if (slot >= 0 && slot < count) series.values[slot] = (result.Values?.[i] ?? Number.NaN) * factor;
      });
      if ((result.Values?.length ?? 0) > 0) found.set(index, series);
    }
  }
  return found;
}

/** Ids must begin with a lower-case letter. */
function createQuery(metric: CloudWatchMetric, index: number, periodMs: number): MetricDataQuery {
  return {
    Id: `m${String(index)}`,
    MetricStat: {
      Metric: {
        Namespace: metric.namespace,
        MetricName: metric.name,
        Dimensions: Object.entries(metric.dimensions).map(([Name, Value]) => ({ Name, Value })),
      },
      Period: periodMs / 1_000,
      Stat: metric.statistic,
    },
  };
}

async function* readPages(
  client: CloudWatchClient,
  input: ConstructorParameters<typeof import("@aws-sdk/client-cloudwatch").GetMetricDataCommand>[0],
  region: string,
  signal: AbortSignal,
): AsyncGenerator<NonNullable<GetMetricDataCommandOutput["MetricDataResults"]>[number]> {
  const { GetMetricDataCommand } = await import("@aws-sdk/client-cloudwatch");
  let token: string | undefined;
  for (let page = 0; page < MOST_PAGES; page++) {
    const command = new GetMetricDataCommand(token === undefined ? input : { ...input, NextToken: token });
    let output: GetMetricDataCommandOutput;
    try {
      output = await client.send(command, { abortSignal: signal });
    } catch (error) {
      signal.throwIfAborted();
      throw toDriverError(error, region);
    }
    yield* output.MetricDataResults ?? [];
    token = output.NextToken;
    if (token === undefined) return;
  }
}

function toDriverError(error: unknown, region: string): DriverError {
  const subject = `cloudwatch ${region}`;
  const name = error instanceof Error ? error.name : "";
  const status = (error as { readonly $metadata?: { readonly httpStatusCode?: number } }).$metadata?.httpStatusCode;
  const message = `${name || "error"}: ${messageOf(error)}`;
  if (DENIED.test(name)) {
    const remedy = "give credentials that may call cloudwatch:GetMetricData";
    return new DriverError("unauthorized", subject, message, { remedy, cause: error });
  }
  if (status === undefined || status >= 500) {
    const remedy = "check the network, the region and the endpoint";
    return new DriverError("unreachable", subject, message, { remedy, cause: error });
  }
  return new DriverError("failed", subject, message, { remedy: "correct what the answer names", cause: error });
}
