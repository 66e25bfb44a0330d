/** `archipelago runner`: starts armed runs when their window opens and carries on those that lost their process. */
import { parseDuration } from "../../sdk/model";
import { systemClock } from "../clock";
import type { MetricsAddress, MetricsEndpoint } from "../metrics/metrics-endpoint";
import type { RunMetrics } from "../metrics/run-metrics";
import { defineCommand, UsageError } from "./command";
import { EXIT_CODES } from "./exit-codes";
import { watchInterrupts } from "./interrupts";
import { openStore, STORE_OPTIONS } from "./store";

const DEFAULT_EVERY = "10 seconds";
const SHORTEST_EVERY_MS = 1000;

/** Serves the runs of a store. */
export const runnerCommand = defineCommand({
  name: "runner",
  summary: "start armed runs when their window opens, carry on what lost its process",
  about: `Looks at all runs of the store: starts armed ones while a window is open, carries on those whose process died,
brings half-done ones to a safe state outside of their windows, pauses, resumes and cancels what was asked, and ends
what has no opening left. Several runners on one store are safe. Ctrl-C and SIGTERM stop it at a step border; a
second one ends it at once.

Exit codes: 0 stopped, or nothing went wrong in the pass; 1 a run of the pass failed or could not be worked on, or
the store cannot be used; 2 wrong usage. With --json each line is an object { at, run, text }.`,
  options: {
    ...STORE_OPTIONS,
    every: {
      value: "DURATION",
      about: `time between two looks, and between two signs of life (default: "${DEFAULT_EVERY}")`,
    },
    metrics: {
      value: "[HOST:]PORT",
      about: "serve GET /metrics for Prometheus there, without TLS (default host: 127.0.0.1)",
    },
    once: { about: "one pass: work on everything that is due now, to its end, then exit; for cron jobs" },
  },
  examples: [
    ["archipelago runner --store file:/srv/archipelago", "as a service"],
    ["archipelago runner --store file:/srv/archipelago --once", "every five minutes in a CI's schedule"],
  ],
  async run({ options, isJson, terminal }) {
    const everyMs = parseDuration(options.every ?? DEFAULT_EVERY, "--every");
    if (everyMs < SHORTEST_EVERY_MS)
      throw new UsageError(`--every ("${String(options.every)}") must be at least 1 second`);
    const address = options.metrics === undefined ? undefined : parseAddress(options.metrics);
    const { store } = await openStore(options, true);
    const say = (text: string, run?: string): void => {
      const at = new Date(systemClock.now()).toISOString();
      if (isJson) process.stdout.write(`${JSON.stringify({ at, run, text })}\n`);
      else terminal.print(`${at} ${run === undefined ? "" : `${run}: `}${text}`);
    };
    const interrupts = watchInterrupts(() => {
      say("stopping at the next step border; once more to stop at once");
    });
    const { openRunEnvironment } = await import("../runner/environment.js");
    const { createRunnerIdentity, serveRuns } = await import("../runner/serve-runs.js");
    const identity = createRunnerIdentity(everyMs);
    const metrics = address && (await serveMetrics(address));
    if (metrics) say(`metrics at ${metrics.endpoint.url}`);
    say(`runner ${identity.runner} ${options.once ? "passes once over" : "serves"} ${store.url}`);
    try {
      const { phases, problems } = await serveRuns({
        store,
        clock: systemClock,
        identity,
        once: options.once,
        signal: interrupts.signal,
        openEnvironment: openRunEnvironment,
        ...(metrics ? { follower: metrics.follower } : {}),
        say,
      });
      const isBad = problems.size > 0 || [...phases.values()].includes("failed");
      return options.once && isBad ? EXIT_CODES.failed : EXIT_CODES.done;
    } finally {
      interrupts.close();
      await metrics?.endpoint.close();
    }
  },
});

function parseAddress(text: string): MetricsAddress {
  const [, host, port] = /^(?:(.+):)?(\d{1,5})$/.exec(text) ?? [];
  if (port === undefined || Number(port) > 65_535) {
    throw new UsageError(`--metrics ("${text}") must be a port or HOST:PORT, like 9464`);
  }
  return { port: Number(port), ...(host === undefined ? {} : { host }) };
}

/** Loaded only where it is wanted. */
async function serveMetrics(
  address: MetricsAddress,
): Promise<{ readonly endpoint: MetricsEndpoint; readonly follower: RunMetrics["follower"] }> {
  const { createRunMetrics } = await import("../metrics/run-metrics.js");
  const { startMetricsEndpoint } = await import("../metrics/metrics-endpoint.js");
  const { registry, follower } = createRunMetrics();
  return { endpoint: await startMetricsEndpoint(registry, address), follower };
}
