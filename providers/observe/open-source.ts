/**
 * Opens the metric source that an island's policy names. Sources load lazily: only the one that is used.
 *
 * Not for: asking it (history.ts).
 */
import type { MetricsSpec } from "../../sdk/model";
import { MistakeError } from "../../sdk/model";
import type { UsageSampler } from "../drivers/contracts";
import type { MetricSource } from "./metric-source";

/** What sources may need besides their spec. */
export interface OpenSourceOptions {
  /** The platform's own samples, where it has them. */
  readonly sampler?: UsageSampler;
  /** CPU capacity behind a subject, for sources that know shares only. @default unknown */
  readonly capacityCpuMillis?: (subject: string) => number | undefined;
}

/**
 * Opens a source.
 * @throws MistakeError for a file that cannot be read or parsed, or `agent` on a platform without samples
 */
export async function openMetricSource(spec: MetricsSpec, options: OpenSourceOptions = {}): Promise<MetricSource> {
  switch (spec.kind) {
    case "recorded": {
      const { createRecordedSource } = await import("./recorded.js");
      return createRecordedSource(spec.file);
    }
    case "agent": {
      if (options.sampler === undefined) {
        const rule = "must be another source: the hosts of this platform keep no samples of their own";
        throw MistakeError.of("metrics", "agent", rule, "name a recorded file or a monitoring system");
      }
      const { createAgentSource } = await import("./agent.js");
      return createAgentSource(options.sampler);
    }
    case "prometheus": {
      const { createPrometheusSource } = await import("./prometheus.js");
      const { url, scrapeIntervalMs, queries } = spec;
      return createPrometheusSource({ url, scrapeIntervalMs, ...(queries === undefined ? {} : { queries }) });
    }
    case "cloudWatch": {
      const { createCloudWatchSource } = await import("./cloudwatch.js");
      const { capacityCpuMillis } = options;
      return createCloudWatchSource({ region: spec.region, ...(capacityCpuMillis ? { capacityCpuMillis } : {}) });
    }
  }
}
