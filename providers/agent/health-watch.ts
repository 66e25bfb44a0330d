/**
 * Watches the health of one copy by HTTP.
 *
 * Not for: whether its process lives; the process table knows that at once.
 */
import type { HealthCheck } from "../../sdk/model";
import type { Clock } from "../clock";
import { callWorkload, type WorkloadEndpoint } from "./workload-endpoint";

/** What the checks said so far: `starting` until the first success. */
export type Health = "starting" | "healthy" | "unhealthy";

/** A new copy is looked at often, so that a surge does not wait for a whole interval. */
const STARTING_INTERVAL_MS = 100;
/** A copy that was never healthy for so long counts as unhealthy. */
const STARTING_PATIENCE_MS = 60_000;
/** One late answer on a busy machine is no failure yet. */
const FAILURES_UNTIL_UNHEALTHY = 3;

/** The watch of one copy. */
export interface HealthWatch {
  health(): Health;
  /** Checks now, besides the regular checks. */
  check(): Promise<Health>;
  stop(): void;
}

/**
 * Begins to watch. A check without a path means a job without HTTP: it is healthy while it runs.
 * @param onFirstHealthy called once, when the copy has become healthy for the first time
 */
export function watchHealth(
  endpoint: WorkloadEndpoint,
  check: HealthCheck,
  clock: Clock,
  onFirstHealthy: () => void = () => undefined,
): HealthWatch {
  const abort = new AbortController();
  const since = clock.monotonic();
  let health: Health = check.path === "" ? "healthy" : "starting";
  let failures = 0;

  async function checkOnce(): Promise<Health> {
    if (check.path === "") return health;
    const isGreen = await callWorkload(endpoint, "GET", check.path, check.timeoutMs).then(
      ({ status }) => status >= 200 && status < 300,
      () => false,
    );
    failures = isGreen ? 0 : failures + 1;
    if (isGreen) {
      if (health === "starting") onFirstHealthy();
      health = "healthy";
    } else if (health === "healthy" && failures >= FAILURES_UNTIL_UNHEALTHY) health = "unhealthy";
    else if (health === "starting" && clock.monotonic() - since > STARTING_PATIENCE_MS) health = "unhealthy";
    return health;
  }

  async function watch(): Promise<void> {
    while (!abort.signal.aborted) {
      await checkOnce();
      await clock.sleep(health === "starting" ? STARTING_INTERVAL_MS : check.intervalMs, abort.signal);
    }
  }

  if (check.path === "") onFirstHealthy();
  else void watch();
  return {
    health: () => health,
    check: checkOnce,
    stop: () => {
      abort.abort();
    },
  };
}
