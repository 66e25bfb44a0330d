/** `archipelago approve RUN`: signs the plan of a run. */
import { readFile, writeFile } from "node:fs/promises";
import { isFinalPhase, messageOf, MistakeError, parseDuration, type Envelope, type RunState } from "../../sdk/model";
import { systemClock } from "../clock";
import { judgeApproval, signApproval, type ApprovalStatement } from "../guard/approval";
import { storeApproval } from "../guard/approvals";
import { appendAudit } from "../guard/audit-log";
import { readLatestRun } from "../runner/run-family";
import { readRun } from "../runner/session";
import { describePerson } from "./caller";
import { defineCommand, UsageError } from "./command";
import { EXIT_CODES } from "./exit-codes";
import { chooseFamily, openStore, STORE_OPTIONS } from "./store";

const DEFAULT_TERM = "7 days";

/** Approves a plan. */
export const approveCommand = defineCommand({
  name: "approve",
  summary: "sign the plan of a run, so that it may start",
  about: `Signs the digest of the run's plan with your private key (ed25519) and puts the approval into the run store. The
run must name your public key in approval.keys. What is approved is the envelope: the update, hosts, budgets, widths of
waves, reserve and windows; the schedule inside it may still change. An approval ends by itself.

Make a key: openssl genpkey -algorithm ed25519 -out approver.pem
Its public half, for approval.keys: openssl pkey -in approver.pem -pubout`,
  positionals: [{ name: "RUN", isOptional: true, completes: "runs" }],
  options: {
    ...STORE_OPTIONS,
    key: { value: "FILE", about: "private key, PEM without a passphrase" },
    why: { value: "TEXT", about: "reason, for the audit log" },
    by: { value: "NAME", about: "who approves; without it user@machine" },
    for: { value: "DURATION", about: `how long the approval counts; without it ${DEFAULT_TERM}` },
    digest: { value: "HEX", about: "refuse to sign another plan than the one with this digest, such as of a preview" },
    out: { value: "FILE", about: "write the approval into a file (approval.file) instead of the run store" },
  },
  examples: [["archipelago approve kernel --key ~/approver.pem --why 'change 1234'", "approve kernel's armed run"]],
  async run({ options, positionals: [word], isJson, terminal }) {
    if (options.key === undefined) throw new UsageError("--key is missing; name the file of your private key");
    const termMs = parseDuration(options.for ?? DEFAULT_TERM, "--for");
    const opened = await openStore(options);
    const { store } = opened;
    const direct = word === undefined ? undefined : await readRun(store, word);
    const run = direct ?? (await readLatestRun(store, await chooseFamily(opened, word)));
    if (!run) throw new UsageError(`RUN (${word ?? "none"}) has no run in ${store.url}`);
    refuseMeaningless(run, options.digest);
    const at = systemClock.now();
    const statement: ApprovalStatement = {
      digest: run.digest,
      by: options.by ?? describePerson(),
      why: options.why ?? "",
      at,
      expiresAt: at + termMs,
    };
    const approval = signApproval(statement, await readKey(options.key));
    const keys = run.bundle.spec.approval?.keys ?? {};
    const verdict = judgeApproval(approval, { digest: run.digest, keys, nowMs: at });
    if (verdict.kind === "refused") {
      throw MistakeError.of(
        "--key",
        options.key,
        `would not count: ${verdict.reason}`,
        "sign with the private half of one of approval.keys, or add its public half there",
      );
    }
    if (options.out === undefined) {
      await storeApproval(store, approval);
      const text = `plan ${run.digest} until ${new Date(approval.expiresAt).toISOString()}`;
      const why = statement.why === "" ? text : `${statement.why}: ${text}`;
      await appendAudit(store, { who: statement.by, what: "approve", subject: run.id, why });
    } else {
      await writeFile(options.out, `${JSON.stringify(approval, null, 1)}\n`, { flag: "wx" });
    }
    if (isJson) terminal.printJson({ v: 1, run: run.id, approval });
    else terminal.print(describeApproved(run, approval.expiresAt, options.out));
    return EXIT_CODES.done;
  },
});

function refuseMeaningless(run: RunState, digest: string | undefined): void {
  if (isFinalPhase(run.phase)) {
    throw MistakeError.of("RUN", run.id, `is ${run.phase}`, "there is nothing to approve; approve the next run");
  }
  if (!run.bundle.spec.approval) {
    throw MistakeError.of("RUN", run.id, "needs no approval", "declare approval: { keys } where it shall need one");
  }
  if (digest !== undefined && digest !== run.digest) {
    throw MistakeError.of(
      "--digest",
      digest,
      `is not the digest of ${run.id} (${run.digest})`,
      "look at its plan again",
    );
  }
}

async function readKey(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    throw MistakeError.of("--key", file, `must be a readable file (${messageOf(error)})`, "correct the path");
  }
}

function describeApproved(run: RunState, expiresAt: number, out: string | undefined): string {
  const { envelope } = run.plan;
  const where = out === undefined ? "in the run store" : `in ${out}`;
  return [
    `approved: plan ${run.digest} of ${run.id}, until ${new Date(expiresAt).toISOString()}, ${where}`,
    `  update   ${envelope.update}`,
    `  hosts    ${envelope.hosts.join(", ")}`,
    ...replacedOf(envelope),
    `  at once  ${String(envelope.hostsAtOnce)} (canary ${String(envelope.canaryHosts)}), reserve of up to ${String(envelope.maximumReserveHosts)}`,
    `  windows  ${envelope.windows.join("; ")}`,
  ].join("\n");
}

/** Of hosts with two ways, those whose machine is replaced. */
function replacedOf({ ways = {} }: Envelope): readonly string[] {
  const replaced = Object.keys(ways).filter((host) => ways[host] === "replacement");
  return replaced.length === 0 ? [] : [`  replaced ${replaced.join(", ")}`];
}
