/** `archipelago report FILE`: shows the report of a run. */
import { readFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { MistakeError, messageOf, type RunReport } from "../../sdk/model";
import { renderTextReport } from "../report/text-report";
import { UsageError, type Command } from "./command";

/** Renders a stored report as text. */
export const reportCommand: Command = {
  name: "report",
  summary: "show the report of a run",
  help: `Usage: archipelago report FILE

Shows the measured report of a run as text. FILE is the JSON that lies beside the report's page, in the folder
"reports" of the run store.`,
  async run(args) {
    const { positionals } = parseArgs({ args: [...args], options: {}, allowPositionals: true });
    const [file, ...others] = positionals;
    if (file === undefined || others.length > 0) throw new UsageError("name one report file, or see --help");
    console.log(renderTextReport(await readReport(file)));
    return 0;
  },
};

async function readReport(file: string): Promise<RunReport> {
  try {
    const report = JSON.parse(await readFile(file, "utf8")) as Partial<RunReport>;
    if (report.v === 1) return report as RunReport;
  } catch (error) {
    throw MistakeError.of(
      "FILE",
      file,
      `must be a readable report (${messageOf(error)})`,
      "name the .json beside the report's page",
    );
  }
  throw MistakeError.of("FILE", file, "is not a report of version 1", "use the version of archipelago that wrote it");
}
