/** `archipelago plan --bundle FILE`: rebuilds a plan from the inputs that a run stored. */
import { parseArgs } from "node:util";
import { createPlanView, renderPlanTable } from "../../sdk/model";
import { UsageError, type Command } from "./command";

/** Plans again from a bundle: the same plan on any machine. */
export const planCommand: Command = {
  name: "plan",
  summary: "rebuild a plan from the bundle of a run",
  help: `Usage: archipelago plan --bundle FILE [--json] [--page FILE]

Plans again from the inputs that a run stored: fleet, forecast, policy, slot and seed. The same bundle gives
the same plan anywhere; nothing is asked of the fleet and nothing is changed.

  --bundle FILE  the bundle, or the report folder's <run>.bundle.json
  --json         print the whole plan as JSON
  --page FILE    write the plan's HTML page`,
  async run(args) {
    const { values } = parseArgs({
      args: [...args],
      options: { bundle: { type: "string" }, json: { type: "boolean", default: false }, page: { type: "string" } },
    });
    if (values.bundle === undefined) throw new UsageError("--bundle is missing; name the file, or see --help");
    const { readBundle } = await import("../journal/bundle.js");
    const { plan } = await import("../plan/plan.js");
    const bundle = await readBundle(values.bundle);
    const { spec, fleet, forecast, slotMs, durations } = bundle;
    const result = plan({ fleet, forecast, spec, slotMs, nowMs: slotMs, durations });
    if (values.page !== undefined) {
      const { writeFile } = await import("node:fs/promises");
      const { renderPlanPage } = await import("../report/plan-page.js");
      await writeFile(values.page, renderPlanPage(spec, result, forecast));
    }
    const timezone = spec.windows[0]?.timezone ?? "UTC";
    console.log(
      values.json
        ? JSON.stringify(result, null, 2)
        : renderPlanTable(createPlanView(result, timezone, values.page ?? "(none; see --page)"), spec.name),
    );
    return 0;
  },
};
