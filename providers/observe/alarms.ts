/**
 * Alarms of other people's monitoring: those that fire now.
 *
 * Not for: what a firing alarm does to a run (providers/guard).
 *
 * Invariant: an alarm that fires is told, whatever other sources do not answer; silence of a source is an error and
 * never "nothing fires".
 */
import type { CloudWatchClient } from "@aws-sdk/client-cloudwatch";
import type { Alarm, AlarmSource, AlarmSpec } from "../../sdk/model";
import { didYouMean, DriverError, messageOf } from "../../sdk/model";
import type { HttpJsonClient } from "../http-json";
import { createPrometheusClient, type PrometheusOptions } from "./prometheus";

/** Options of {@link createAlarmSource}. */
export interface AlarmSourceOptions extends Pick<PrometheusOptions, "environment" | "clock"> {
  /** CloudWatch's endpoint, where it is not the region's own. */
  readonly cloudWatchEndpoint?: string;
}

/** Bound of one question: a run's guard does not wait longer. */
const TIMEOUT_MS = 5_000;
/** DescribeAlarms takes at most 100 names. */
const NAMES_PER_CALL = 100;

/** Creates one source for all alarms of some rules. Nothing is asked yet. */
export function createAlarmSource(specs: readonly AlarmSpec[], options: AlarmSourceOptions = {}): AlarmSource {
  const readers = [...createPrometheusReaders(specs, options), ...createCloudWatchReaders(specs, options)];
  return {
    firing: async (signal) => {
      const answers = await Promise.allSettled(readers.map((read) => read(signal)));
      signal.throwIfAborted();
      const alarms = answers.flatMap((answer) => (answer.status === "fulfilled" ? answer.value : []));
      const failed = answers.find((answer) => answer.status === "rejected");
      if (alarms.length === 0 && failed) throw failed.reason;
      return alarms;
    },
  };
}

type Reader = (signal: AbortSignal) => Promise<readonly Alarm[]>;

function groupBy<T>(items: readonly T[], keyOf: (item: T) => string): readonly (readonly [string, readonly T[]])[] {
  const groups = new Map<string, T[]>();
  for (const item of items) groups.set(keyOf(item), [...(groups.get(keyOf(item)) ?? []), item]);
  return [...groups];
}

function createPrometheusReaders(specs: readonly AlarmSpec[], options: AlarmSourceOptions): readonly Reader[] {
  const own = specs.filter((spec) => spec.kind === "prometheus");
  return groupBy(own, ({ url }) => url).map(([url, group]) => {
    const client = createPrometheusClient({ ...options, url, timeoutMs: TIMEOUT_MS });
    const names = [...new Set(group.map(({ alert }) => alert))];
    return (signal) => readPrometheusAlarms(client, names, signal);
  });
}

interface AlertingRule {
  readonly type: string;
  readonly name: string;
  readonly alerts?: readonly {
    readonly state: string;
    readonly activeAt?: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  }[];
}

/** The rules, not just the alerts: only they tell an alarm that is calm from one that does not exist. */
async function readPrometheusAlarms(
  client: HttpJsonClient,
  names: readonly string[],
  signal: AbortSignal,
): Promise<readonly Alarm[]> {
  const answer = await client.call({ method: "GET", path: "/api/v1/rules?type=alert" }, signal);
  const groups = (answer as { readonly data?: { readonly groups?: unknown } } | undefined)?.data?.groups;
  if (!Array.isArray(groups)) throw new DriverError("failed", client.subject, "did not answer with its alerting rules");
  const rules = (groups as readonly { readonly rules: readonly AlertingRule[] }[]).flatMap((group) => group.rules);
  const known = [...new Set(rules.filter(({ type }) => type === "alerting").map(({ name }) => name))];
  const alarms = rules
    .filter(({ name }) => names.includes(name))
    .flatMap(({ name, alerts = [] }) =>
      alerts
        .filter(({ state }) => state === "firing")
        .map(({ labels, annotations = {}, activeAt }): Alarm => {
          const sinceMs = Date.parse(activeAt ?? "");
          const summary = annotations["summary"] ?? annotations["description"] ?? tellLabels(labels);
          return { name, source: client.subject, summary, ...(Number.isNaN(sinceMs) ? {} : { sinceMs }) };
        }),
    );
  const missing = names.find((name) => !known.includes(name));
  if (alarms.length > 0 || missing === undefined) return alarms;
  const near = didYouMean(missing, known);
  throw new DriverError("not-found", client.subject, `has no alerting rule ${missing}`, {
    remedy: near === undefined ? "name an alerting rule that it has" : `did you mean "${near}"?`,
  });
}

function tellLabels(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .filter(([label]) => label !== "alertname")
    .map(([label, value]) => `${label}=${value}`)
    .join(", ");
}

function createCloudWatchReaders(specs: readonly AlarmSpec[], options: AlarmSourceOptions): readonly Reader[] {
  const own = specs.filter((spec) => spec.kind === "cloudWatch");
  return groupBy(own, ({ region }) => region).map(([region, group]) => {
    let client: Promise<CloudWatchClient> | undefined;
    const names = [...new Set(group.map(({ alarm }) => alarm))];
    return async (signal) => {
      client ??= createCloudWatchClient(region, options);
      return readCloudWatchAlarms(await client, region, names, signal);
    };
  });
}

async function createCloudWatchClient(
  region: string,
  { cloudWatchEndpoint }: AlarmSourceOptions,
): Promise<CloudWatchClient> {
  const { CloudWatchClient: Client } = await import("@aws-sdk/client-cloudwatch");
  return new Client({
    region,
    maxAttempts: 3,
    ...(cloudWatchEndpoint === undefined ? {} : { endpoint: cloudWatchEndpoint }),
  });
}

async function readCloudWatchAlarms(
  client: CloudWatchClient,
  region: string,
  names: readonly string[],
  signal: AbortSignal,
): Promise<readonly Alarm[]> {
  const { DescribeAlarmsCommand } = await import("@aws-sdk/client-cloudwatch");
  const source = `CloudWatch ${region}`;
  const alarms: Alarm[] = [];
  const known = new Set<string>();
  const bounded = AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]);
  for (let from = 0; from < names.length; from += NAMES_PER_CALL) {
    const input = {
      AlarmNames: names.slice(from, from + NAMES_PER_CALL),
      AlarmTypes: ["MetricAlarm" as const, "CompositeAlarm" as const],
    };
    const answer = await client
      .send(new DescribeAlarmsCommand(input), { abortSignal: bounded })
      .catch((error: unknown) => {
        signal.throwIfAborted();
        const isDenied =
          /AccessDenied|UnrecognizedClient|InvalidClientTokenId|ExpiredToken|Credentials|SignatureDoesNotMatch/i;
        const { name } = error as Error;
        const isUnauthorized = isDenied.test(name) || isDenied.test(messageOf(error));
        throw new DriverError(
          isUnauthorized ? "unauthorized" : "unreachable",
          source,
          `cannot read alarms: ${messageOf(error)}`,
          {
            remedy: isUnauthorized
              ? "allow cloudwatch:DescribeAlarms to these credentials"
              : "check region and network",
            cause: error,
          },
        );
      });
    for (const alarm of [...(answer.MetricAlarms ?? []), ...(answer.CompositeAlarms ?? [])]) {
      const { AlarmName: name = "", StateValue, StateReason = "", StateUpdatedTimestamp } = alarm;
      known.add(name);
      if (StateValue !== "ALARM") continue;
      const since = StateUpdatedTimestamp === undefined ? {} : { sinceMs: StateUpdatedTimestamp.getTime() };
      alarms.push({ name, source, summary: StateReason, ...since });
    }
  }
  const missing = names.find((name) => !known.has(name));
  if (alarms.length > 0 || missing === undefined) return alarms;
  const remedy = "name a metric or composite alarm of this region";
  throw new DriverError("not-found", source, `has no alarm ${missing}`, { remedy });
}
