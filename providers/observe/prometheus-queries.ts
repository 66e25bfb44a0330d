/**
 * What is asked of Prometheus for each kind of subject and unit: the user's own queries, else defaults for the metrics
 * of this package's agents and switch, cAdvisor (Kubernetes) and node_exporter.
 *
 * Not for: asking (prometheus.ts).
 *
 * Placeholders: `$names` is a regular expression of the names asked for, `$interval` the window of a rate. A query's
 * result carries the subject's name in the label `workload` (or `host`), one series each.
 */
import type { MetricUnit, PrometheusQueries } from "../../sdk/model";

/** Kinds of subjects; also the label that carries the name in a result. */
export type SubjectKind = "workload" | "host";

/** Letters that Kubernetes makes random names of; `api` and most words are none of them. */
const RANDOM = "[bcdfghjklmnpqrstvwxz2456789]";
/** Endings of pods of a Deployment, a DaemonSet and a StatefulSet. */
const POD = `-(?:${RANDOM}{6,10}-${RANDOM}{5}|${RANDOM}{5}|[0-9]+)`;
const CONTAINERS = `container!="",container!="POD",pod=~"(?:$names)${POD}"`;
/** The network belongs to a pod, not to one of its containers. */
const PODS = `pod=~"(?:$names)${POD}"`;
/** node_exporter is known by its address; the port does not belong to the name. */
const INSTANCES = 'instance=~"(?:$names)(?::[0-9]+)?"';

const byPod = (series: string): string => `label_replace(${series}, "workload", "$1", "pod", "($names)${POD}")`;
const byInstance = (series: string): string =>
  `label_replace(${series}, "host", "$1", "instance", "($names)(?::[0-9]+)?")`;

/** Where two systems know a workload, the first one's values win. */
const DEFAULTS: Readonly<Record<SubjectKind, Readonly<Partial<Record<MetricUnit, string>>>>> = {
  workload: {
    cpuMillis:
      'sum by (workload) (rate(archipelago_replica_cpu_seconds_total{workload=~"$names"}[$interval])) * 1000 or ' +
      `sum by (workload) (${byPod(`rate(container_cpu_usage_seconds_total{${CONTAINERS}}[$interval])`)}) * 1000`,
    memoryBytes:
      'avg by (workload) (avg_over_time(archipelago_replica_memory_bytes{workload=~"$names"}[$interval])) or ' +
      `avg by (workload) (sum by (workload, pod) (${byPod(`avg_over_time(container_memory_working_set_bytes{${CONTAINERS}}[$interval])`)}))`,
    requestsPerSecond:
      'sum by (workload) (label_replace(rate(archipelago_switch_requests_total{service=~"$names"}[$interval]), "workload", "$1", "service", "(.*)")) or ' +
      'sum by (workload) (label_replace(rate(http_requests_total{job=~"$names"}[$interval]), "workload", "$1", "job", "(.*)"))',
    diskBytesPerSecond:
      'sum by (workload) (rate(archipelago_replica_disk_bytes_total{workload=~"$names"}[$interval])) or ' +
      `sum by (workload) (${byPod(`rate(container_fs_reads_bytes_total{${CONTAINERS}}[$interval])`)} + ${byPod(`rate(container_fs_writes_bytes_total{${CONTAINERS}}[$interval])`)})`,
    networkBytesPerSecond: `sum by (workload) (${byPod(`rate(container_network_receive_bytes_total{${PODS}}[$interval])`)} + ${byPod(`rate(container_network_transmit_bytes_total{${PODS}}[$interval])`)})`,
  },
  host: {
    cpuMillis: `sum by (host) (${byInstance(`rate(node_cpu_seconds_total{mode!~"idle|iowait",${INSTANCES}}[$interval])`)}) * 1000`,
    memoryBytes: `sum by (host) (${byInstance(
      `avg_over_time(node_memory_MemTotal_bytes{${INSTANCES}}[$interval]) - avg_over_time(node_memory_MemAvailable_bytes{${INSTANCES}}[$interval])`,
    )})`,
    diskBytesPerSecond: `sum by (host) (${byInstance(
      `rate(node_disk_read_bytes_total{${INSTANCES}}[$interval]) + rate(node_disk_written_bytes_total{${INSTANCES}}[$interval])`,
    )})`,
    networkBytesPerSecond: `sum by (host) (${byInstance(
      `rate(node_network_receive_bytes_total{device!="lo",${INSTANCES}}[$interval]) + rate(node_network_transmit_bytes_total{device!="lo",${INSTANCES}}[$interval])`,
    )})`,
  },
};

/** The query of a kind and unit with its placeholders; undefined where nothing is known. */
export function queryFor(
  kind: SubjectKind,
  unit: MetricUnit,
  queries: PrometheusQueries | undefined,
): string | undefined {
  if (kind === "workload") {
    const own =
      unit === "cpuMillis"
        ? queries?.cpuMillis
        : unit === "memoryBytes"
          ? queries?.memoryBytes
          : unit === "requestsPerSecond"
            ? queries?.requestsPerSecond
            : undefined;
    if (own !== undefined) return own;
  }
  return DEFAULTS[kind][unit];
}

/** Puts the placeholders in. Longer names come first: of two that fit a pod, the longer one is meant. */
export function renderQuery(query: string, names: readonly string[], intervalMs: number): string {
  const expression = [...names]
    .sort((a, b) => b.length - a.length || (a < b ? -1 : 1))
    // Once for the regular expression, once for the string it stands in.
    .map((name) =>
      name
        .replaceAll(/[\\^$.*+?()[\]{}|]/g, "\\$&")
        .replaceAll("\\", "\\\\")
        .replaceAll('"', '\\"'),
    )
    .join("|");
  return query.replaceAll("$names", () => expression).replaceAll("$interval", () => `${String(intervalMs)}ms`);
}
