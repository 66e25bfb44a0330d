/** `archipelago audit [RUN]`: who did what, and why; and whether the log is whole. */
import { parseDuration, type AuditEntry } from "../../sdk/model";
import { systemClock } from "../clock";
import { readAudit } from "../guard/audit-log";
import { resolveFamily } from "../runner/list-runs";
import { defineCommand } from "./command";
import { EXIT_CODES } from "./exit-codes";
import { openStore, STORE_OPTIONS } from "./store";
import { renderTable } from "./table";
import type { Terminal } from "./terminal";

/** Shows the audit log. */
export const auditCommand = defineCommand({
  name: "audit",
  summary: "show who did what and why, and whether the log is whole",
  about: `Shows the append-only audit log of the store, oldest first: starts, pauses, cancellations, approvals, the kill
switch, recoveries, failures. Every entry holds the hash of the one before: what was changed or taken out is named,
and the command ends with code 1. Keep the head's hash elsewhere to find that a whole log was replaced.`,
  positionals: [{ name: "RUN", isOptional: true, completes: "runs" }],
  options: {
    ...STORE_OPTIONS,
    since: { value: "DURATION", about: 'only entries of this last time, like "7 days"' },
  },
  examples: [["archipelago audit kernel --since '7 days'", "the last week of kernel"]],
  async run({ options, positionals: [word], isJson, terminal }) {
    const sinceMs = options.since === undefined ? 0 : systemClock.now() - parseDuration(options.since, "--since");
    const { store } = await openStore(options);
    const family = word === undefined ? undefined : await resolveFamily(store, word);
    const { entries, problems, head } = await readAudit(store);
    const isMeant = ({ subject, at }: AuditEntry): boolean =>
      at >= sinceMs && (family === undefined || subject === word || subject.startsWith(`${family}-`));
    const shown = entries.filter(isMeant);
    if (isJson) {
      terminal.printJson({ v: 1, store: store.url, entries: shown.map(toJson), problems, ...(head ? { head } : {}) });
    } else {
      terminal.print(renderLog(shown, terminal));
      for (const problem of problems) terminal.note(terminal.colours.red(`the log is not whole: ${problem}`));
      if (head) terminal.print(terminal.colours.dim(`\nhead: entry ${String(head.n)}, ${head.hash}`));
    }
    return problems.length > 0 ? EXIT_CODES.failed : EXIT_CODES.done;
  },
});

function renderLog(entries: readonly AuditEntry[], { columns, colours }: Terminal): string {
  if (entries.length === 0) return "no entries";
  const rows = entries.map(({ n, at, who, what, subject, why }) => [
    String(n),
    new Date(at).toISOString().slice(0, 19).replace("T", " "),
    what === "failure" || what === "kill-on" ? colours.red(what) : what,
    subject,
    who,
    why,
  ]);
  return renderTable(["N", "WHEN (UTC)", "WHAT", "SUBJECT", "WHO", "WHY"], rows, columns);
}

function toJson({ at, ...entry }: AuditEntry): object {
  return { ...entry, at: new Date(at).toISOString() };
}
