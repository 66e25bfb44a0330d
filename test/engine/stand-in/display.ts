/**
 * What a user sees: rows with op and status while it runs, then diagnostics, outputs, a summary and the time, much as
 * the CLI shows them without a terminal.
 *
 * Not for: being equal to the CLI's display; only its parts and their order are.
 */
import { nameOf, REDACTED, UNKNOWN } from "../engine-session";
import type { StepOp } from "../engine-session";
import type { EngineEvent } from "./events";
import { changedKeys, containsUnknown, isSecret } from "./property-values";
import type { Properties } from "./property-values";
import { STACK_TYPE } from "./state";

/** Which operation is shown. */
export type Operation = "preview" | "up" | "refresh" | "destroy";

/** Turns events into lines. */
export class Display {
  readonly #operation: Operation;
  readonly #print: (line: string) => void;
  readonly #startMs: number;
  readonly #now: () => number;
  readonly #rows = new Map<string, Row>();
  readonly #messages = new Map<string, string[]>();
  readonly #counts = new Map<StepOp, number>();
  #failures = 0;
  #outputs: readonly string[] = [];
  #rootUrn = "";

  constructor(operation: Operation, stack: string, print: (line: string) => void, now: () => number) {
    this.#operation = operation;
    this.#print = print;
    this.#now = now;
    this.#startMs = now();
    this.#print(`${TITLES[operation]} (${stack}), by the stand-in engine:`);
    this.#print("");
  }

  /** Shows an event. */
  show(event: EngineEvent): void {
    switch (event.kind) {
      case "step-started": {
        if (event.type === STACK_TYPE) this.#rootUrn = event.urn;
        const row = { op: event.op, type: event.type, diff: event.diff, startMs: this.#now(), message: "" };
        this.#rows.set(event.urn, row);
        if (event.op !== "same") this.#printRow(event.urn, row, this.#runningWord(row));
        return;
      }
      case "step-done": {
        const row = this.#rows.get(event.urn);
        if (!row) return;
        row.op = event.op;
        row.message = "";
        this.#counts.set(event.op, (this.#counts.get(event.op) ?? 0) + 1);
        const isLogical = event.op === "create-replacement" || event.op === "delete-replaced";
        if (event.op !== "same" && !isLogical && this.#operation !== "preview") {
          const seconds = ((this.#now() - row.startMs) / 1000).toFixed(2);
          this.#printRow(event.urn, row, `${WORDS[event.op][2]} (${seconds}s)`);
        }
        return;
      }
      case "step-failed": {
        this.#failures += 1;
        const row = this.#rows.get(event.urn);
        if (row) this.#printRow(event.urn, row, `**${`${WORDS[event.op][1]} failed`.trim()}**`);
        return;
      }
      case "log":
        this.#showLog(event);
        return;
      case "outputs":
        if (event.urn === this.#rootUrn || event.urn.includes(`::${STACK_TYPE}::`)) {
          this.#outputs = renderOutputs(event.olds, event.news, this.#operation === "preview");
        }
    }
  }

  /** Shows that an interrupt was heard. */
  interrupted(): void {
    this.#print("^C received; cancelling. What is under way is finished first.");
  }

  /** Shows the end. */
  finish(): void {
    if (this.#messages.size > 0) this.#print("Diagnostics:");
    for (const [urn, messages] of this.#messages) {
      this.#print(`  ${typeOf(urn)} (${nameOf(urn)}):`);
      for (const message of messages) for (const line of message.split("\n")) this.#print(`    ${line}`.trimEnd());
      this.#print("");
    }
    if (this.#outputs.length > 0) {
      this.#print("Outputs:");
      for (const line of this.#outputs) this.#print(line);
      this.#print("");
    }
    this.#print("Resources:");
    for (const [op, sign, doing, done] of SUMMARY) {
      const count = this.#counts.get(op) ?? 0;
      if (count > 0)
        this.#print(`    ${sign} ${String(count)} ${this.#operation === "preview" ? `to ${doing}` : done}`);
    }
    const unchanged = this.#counts.get("same") ?? 0;
    if (unchanged > 0) this.#print(`    ${String(unchanged)} unchanged`);
    if (this.#failures > 0) this.#print(`    ${String(this.#failures)} errored`);
    if (this.#operation !== "preview") {
      this.#print("");
      this.#print(`Duration: ${String(Math.max(1, Math.round((this.#now() - this.#startMs) / 1000)))}s`);
    }
  }

  #showLog(event: EngineEvent & { kind: "log" }): void {
    const urn = event.urn ?? this.#rootUrn;
    const text = `${event.severity === "info" ? "" : `${event.severity}: `}${event.message.trimEnd()}`;
    const row = this.#rows.get(urn);
    if (row) {
      row.message = text.split("\n")[0] ?? "";
      this.#printRow(urn, row, this.#runningWord(row));
    }
    if (event.ephemeral) return;
    const messages = this.#messages.get(urn) ?? [];
    messages.push(text);
    this.#messages.set(urn, messages);
  }

  #runningWord(row: Row): string {
    const [plain, running] = WORDS[row.op];
    if (row.op === "same") return running;
    if (this.#operation === "preview") return plain;
    return `${running} (${((this.#now() - row.startMs) / 1000).toFixed(0)}s)`;
  }

  #printRow(urn: string, row: Row, word: string): void {
    const diff = row.diff === "" ? "" : ` [diff: ${row.diff}]`;
    const message = row.message === "" ? "" : `${diff === "" ? "" : ";"} ${row.message}`;
    this.#print(` ${SIGNS[row.op]} ${row.type} ${nameOf(urn)} ${word}${diff}${message}`.trimEnd());
  }
}

interface Row {
  op: StepOp;
  readonly type: string;
  readonly diff: string;
  readonly startMs: number;
  /** Status text: the first line of the last message. */
  message: string;
}

const TITLES: Readonly<Record<Operation, string>> = {
  preview: "Previewing update",
  up: "Updating",
  refresh: "Refreshing",
  destroy: "Destroying",
};

const SIGNS: Readonly<Record<StepOp, string>> = {
  create: "+ ",
  update: "~ ",
  same: "  ",
  delete: "- ",
  replace: "+-",
  "create-replacement": "++",
  "delete-replaced": "--",
  refresh: "~ ",
  read: "> ",
};

const SUMMARY: readonly (readonly [StepOp, string, string, string])[] = [
  ["create", "+", "create", "created"],
  ["update", "~", "update", "updated"],
  ["replace", "+-", "replace", "replaced"],
  ["delete", "-", "delete", "deleted"],
];

const WORDS: Readonly<Record<StepOp, readonly [plain: string, running: string, done: string]>> = {
  create: ["create", "creating", "created"],
  update: ["update", "updating", "updated"],
  same: ["", "running", ""],
  delete: ["delete", "deleting", "deleted"],
  replace: ["replace", "replacing", "replaced"],
  "create-replacement": ["create replacement", "creating replacement", "created replacement"],
  "delete-replaced": ["delete original", "deleting original", "deleted original"],
  refresh: ["refresh", "refreshing", "refreshed"],
  read: ["read", "reading", "read"],
};

function typeOf(urn: string): string {
  const qualified = urn.split("::")[2] ?? "";
  return qualified.split("$").at(-1) ?? qualified;
}

/** Outputs, and what changed in them; a preview of a stack that exists shows what is known to change. */
function renderOutputs(olds: Properties | undefined, news: Properties, isPreview: boolean): readonly string[] {
  const changed = new Set(changedKeys(olds ?? {}, news));
  const keys = [...new Set([...Object.keys(olds ?? {}), ...Object.keys(news)])]
    .filter((key) => !isPreview || !olds || (changed.has(key) && !containsUnknown(news[key])))
    .sort();
  const width = Math.max(0, ...keys.map((key) => key.length));
  return keys.map((key) => {
    const isOld = olds !== undefined && key in olds;
    const isNew = key in news;
    const sign = olds === undefined || !changed.has(key) ? " " : isOld && isNew ? "~" : isNew ? "+" : "-";
    const before = renderValue(olds?.[key]);
    const after = renderValue(news[key]);
    const value = sign === "~" ? `${before} => ${after}` : isNew ? after : before;
    return `  ${sign} ${key.padEnd(width)}: ${value}`;
  });
}

function renderValue(value: unknown): string {
  if (value === UNKNOWN) return "[unknown]";
  if (isSecret(value)) return REDACTED;
  return JSON.stringify(value, (_key, member: unknown) =>
    member === UNKNOWN ? "[unknown]" : isSecret(member) ? REDACTED : member,
  );
}
