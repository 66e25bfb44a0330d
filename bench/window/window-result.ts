/** What the window benchmark measured: on the terminal, and in bench/results/window.json. */
import type { TrafficEngine } from "../../sdk/model";
import { readResults, writeResults } from "../results";
import type { ChaosCount } from "./chaos";

/** One window. */
export interface WindowResult {
  readonly engine: string;
  readonly requests: number;
  readonly requestsInWindow: number;
  readonly failed: number;
  readonly lostWrites: number;
  readonly p99SteadyMs: number;
  readonly p99WindowMs: number;
  readonly maxPauseMs: number;
  readonly windowSeconds: number;
  readonly slowRequests: number;
  readonly violations: number;
  /** A plain rolling restart; left out under chaos. */
  readonly baseline?: {
    readonly requests: number;
    readonly failed: number;
    readonly lostWrites: number;
    readonly p99Ms: number;
  };
  /** What was killed; only under chaos. */
  readonly kills?: ChaosCount;
}

/** The file: the embedded switch's window at the top, beside it the others. */
type ResultFile = WindowResult & {
  readonly haproxy?: WindowResult;
  readonly chaos?: Readonly<Partial<Record<TrafficEngine, WindowResult>>>;
};

/** Writes a result to its place; the others in the file stay. */
export function writeResult(result: WindowResult, traffic: TrafficEngine): void {
  const before = readResults<ResultFile>("window");
  const { haproxy, chaos } = before;
  const others = { ...(haproxy ? { haproxy } : {}), ...(chaos ? { chaos } : {}) };
  let file: Partial<ResultFile>;
  if (result.kills) file = { ...before, chaos: { ...chaos, [traffic]: result } };
  else if (traffic === "haproxy") file = { ...before, haproxy: result };
  else file = { ...result, ...others };
  writeResults("window", file);
}

/** Prints a result. */
export function printResult(result: WindowResult, traffic: TrafficEngine): void {
  const { baseline, kills } = result;
  const ratio = result.p99WindowMs / result.p99SteadyMs;
  const rows: readonly (readonly [string, string, string])[] = [
    ["", "Archipelago", baseline ? "rolling restart" : ""],
    ["requests", String(result.requests), String(baseline?.requests ?? "")],
    ["of them in the window", String(result.requestsInWindow), ""],
    ["failed", String(result.failed), String(baseline?.failed ?? "")],
    ["acknowledged writes lost", String(result.lostWrites), String(baseline?.lostWrites ?? "")],
    ["p99 steady", `${String(result.p99SteadyMs)} ms`, ""],
    [
      "p99 in the window",
      `${String(result.p99WindowMs)} ms (${ratio.toFixed(2)} x)`,
      baseline ? `${String(baseline.p99Ms)} ms` : "",
    ],
    ["longest pause", `${String(result.maxPauseMs)} ms`, ""],
    ["window", `${String(result.windowSeconds)} s`, ""],
    ["broken promises", String(result.violations), ""],
    ...(kills
      ? [
          [
            "killed",
            `runner ${String(kills.runner)} x, agents ${String(kills.agents)} x`,
            `seed ${String(kills.seed)}`,
          ] as const,
        ]
      : []),
  ];
  console.log(`\nEngine: ${result.engine}; traffic: ${traffic}`);
  for (const [label, ours, theirs] of rows) console.log(`${label.padEnd(26)}${ours.padEnd(28)}${theirs}`.trimEnd());
}
