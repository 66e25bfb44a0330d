/**
 * What a plan's page was made of, beside it: a line of facts for what comes after, then, where the page may have to be
 * made again, plan and bundle.
 *
 * Not for: the page itself (providers/report/plan-page.ts).
 *
 * Invariant: a file is read whole or not at all; one without its end is still being written, or of an earlier version.
 */
import * as fs from "node:fs/promises";
import type { Bundle, HostUpdateSpec, MigrationPlan, WindowSpec } from "../../sdk/model";
import { stagePlanOf, type StagePlan } from "../runner/stages";

/** What is to know of a page before the rest is read. */
export interface PageFacts {
  /** Of the resource that it is the plan of. */
  readonly urn: string;
  /** Wall time, ms since the epoch. */
  readonly madeAt: number;
  readonly hosts: number;
  /** For stages after this one. */
  readonly plan: StagePlan;
  readonly windows: readonly WindowSpec[];
}

/** What the page is made of. Of large fleets the bundle's forecast is condensed: see condense-forecast.ts. */
export interface PageParts {
  readonly plan: MigrationPlan;
  readonly bundle: Bundle;
}

/** Facts and parts of a page. */
export interface PageSource {
  readonly facts: PageFacts;
  /** Reads the parts; undefined where the page stays as it is. */
  parts(): PageParts | undefined;
}

/** Larger fleets would keep a preview waiting for simulated runs. */
const MOST_SIMULATED = 24;

/** True where simulated runs are part of a preview. */
export function isSimulated({ hosts }: Pick<PageFacts, "hosts">): boolean {
  return hosts <= MOST_SIMULATED;
}

/** Larger fleets, as a person is told. */
export const TOO_LARGE = `not in previews of more than ${String(MOST_SIMULATED)} hosts; \`archipelago simulate\` does it`;

/** Keeps what a page was made of. The parts of a large fleet are tens of megabytes: only where the page may change. */
export async function writePageSource(
  page: string,
  made: Pick<PageFacts, "urn" | "madeAt">,
  { plan, bundle }: PageParts,
): Promise<void> {
  const { spec } = bundle;
  const hosts = plan.envelope.hosts.length;
  const facts: PageFacts = { ...made, hosts, plan: stagePlanOf(plan), windows: spec.windows };
  const parts = await partsToKeep(spec, facts, { plan, bundle });
  const text = `${JSON.stringify(facts)}\n${parts ? JSON.stringify(parts) : ""}\n`;
  await fs.writeFile(pageSourcePath(page), text, { mode: 0o600 });
}

async function partsToKeep(
  { approval }: HostUpdateSpec,
  facts: PageFacts,
  parts: PageParts,
): Promise<PageParts | undefined> {
  if (isSimulated(facts)) return parts;
  if (!approval) return undefined;
  const { condenseForecast } = await import("../report/condense-forecast.js");
  const { bundle } = parts;
  return { ...parts, bundle: { ...bundle, forecast: condenseForecast(bundle.forecast, bundle.fleet.workloads) } };
}

/** What a page was made of; undefined where it was made elsewhere, as of a plan kept from an earlier preview. */
export async function readPageSource(page: string): Promise<PageSource | undefined> {
  const text = await fs.readFile(pageSourcePath(page), "utf8").catch(() => "");
  const [facts = "", parts = "", end] = text.split("\n", 3);
  if (end !== "") return undefined;
  return {
    facts: JSON.parse(facts) as PageFacts,
    parts: () => (parts === "" ? undefined : (JSON.parse(parts) as PageParts)),
  };
}

/** Where what a page was made of lies. */
export function pageSourcePath(page: string): string {
  return page.replace(/\.html$/, ".json");
}
