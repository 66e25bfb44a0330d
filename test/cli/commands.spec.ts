import * as assert from "node:assert/strict";
import { execFile, spawnSync } from "node:child_process";
import * as fs from "node:fs/promises";
import * as os from "node:os";
import * as path from "node:path";
import { promisify } from "node:util";
import { COMMANDS } from "../../providers/cli/commands";
import { appendAudit } from "../../providers/guard/audit-log";
import { writeBundle } from "../../providers/journal/bundle";
import type { JournalEntry, RunState } from "../../sdk/model";
import { createRunFixture, RUN } from "../runner/run-fixture";
import { archipelago, contentOf, createStore, MAIN, startArchipelago } from "./command-line";

const FAMILY = "kernel-0123abcd";
const OTHER = "tool-4567cdef";
const NOBODY = 65_534;
/** Root may read everything: it has to look with the eyes of somebody else. */
const isRoot = process.getuid?.() === 0;
const withoutOthers =
  isRoot && spawnSync(process.execPath, ["--check", MAIN], { uid: NOBODY, cwd: os.tmpdir() }).status !== 0
    ? " (skipped: only root may read this clone)"
    : "";

describe("the command line", () => {
  let folder: string;
  let done: RunState;
  let entries: readonly JournalEntry[];
  let armed: readonly JournalEntry[];

  before(async () => {
    const fixture = createRunFixture();
    done = await fixture.run();
    entries = fixture.store.entriesOf(RUN);
    const waiting = createRunFixture();
    await waiting.clock.run(() => waiting.arm());
    armed = waiting.store.entriesOf(RUN);
  });
  beforeEach(async () => {
    folder = await fs.mkdtemp(path.join(os.tmpdir(), "archipelago-cli-"));
  });
  afterEach(() => fs.rm(folder, { recursive: true }));

  /** A store with a run that is done and one that is armed; the URL of it. */
  const twoRuns = async (): Promise<string> => {
    await createStore(path.join(folder, "store"), { [`${FAMILY}-1`]: entries, [`${OTHER}-1`]: armed });
    return `file:${path.join(folder, "store")}`;
  };

  it("rebuilds the plan of a run from its bundle, the same everywhere", async () => {
    const bundle = path.join(folder, "bundle.json");
    const page = path.join(folder, "plan.html");
    await writeBundle(bundle, done.bundle);
    const { code, stdout } = await archipelago(["plan", "--bundle", bundle, "--json", "--page", page]);
    assert.equal(code, 0);
    assert.deepEqual(JSON.parse(stdout), JSON.parse(JSON.stringify(done.plan)));
    assert.match(await fs.readFile(page, "utf8"), /^<!doctype html>/);
    assert.match((await archipelago(["plan", "--bundle", bundle])).stdout, /6 hosts in \d waves/);
  });

  it("shows the plan of a run in the store, and why it is as it is", async () => {
    const store = await twoRuns();
    const { stdout } = await archipelago(["plan", FAMILY, "--explain", "--store", store]);
    assert.match(stdout, /6 hosts in \d waves/);
    assert.match(stdout, /wave 1 \(canary\): over capacity on \d+\.\d % of the joint paths/);
    assert.match(stdout, /host-\d+: -?[\d.]+ = \w+ /, "scores and their parts");
    const { stdout: front } = await archipelago(["plan", FAMILY, "--workload", "front", "--store", store]);
    assert.match(front, /\nfront: \d+ moves\n {2}\S+ of front: host-\d+ > \S+ \(surge\) in wave \d+/);
    const { stdout: none } = await archipelago(["plan", FAMILY, "--workload", "other", "--store", store]);
    assert.match(none, /other: no copy of it is on a host of this plan/);
  });

  it("answers what if a workload had more or less to do, with all mistakes in the question at once", async () => {
    const bundle = path.join(folder, "bundle.json");
    const dependency = { caller: "front", called: "pricing", share: 0.5, lagMs: 0, confidence: 1, reason: "counted" };
    const dependencies = [{ ...dependency, basis: "calls" as const }];
    await writeBundle(bundle, { ...done.bundle, forecast: { ...done.bundle.forecast, dependencies } });
    const asked = async (what: string) => archipelago(["plan", "--bundle", bundle, "--what-if", what]);
    const answer = (await asked("front=300%, reports=moved")).stdout;
    assert.match(answer, /front at 300% of its demand reaches pricing \(50% of its load: counted\)/);
    assert.match(answer, /pricing: at most \d+\.\d\d cores 19 times of 20, instead of \d+\.\d\d/);
    assert.match(answer, /reports is moved by surge/);
    const { code, stderr } = await asked("fornt=2,front=much");
    assert.equal(code, 2);
    assert.match(
      stderr,
      /"fornt" is no workload of this plan; did you mean "front"\?[^]*"front=much" must end in a share/,
    );
    assert.doesNotMatch(stderr, /\bat .*:\d+:\d+/);
  });

  it("shows help, for all and for each command, with every option", async () => {
    const { stdout } = await archipelago(["--help"]);
    for (const { name, summary, help, options } of COMMANDS) {
      assert.ok(stdout.includes(`  ${name} `) && stdout.includes(summary), name);
      assert.ok(help.startsWith(`Usage: archipelago ${name}`), name);
      for (const option of Object.keys(options)) assert.ok(help.includes(`--${option}`), `${name} --${option}`);
    }
    assert.match((await archipelago(["help", "status"])).stdout, /^Usage: archipelago status \[RUN\] \[options\]/);
    assert.match((await archipelago(["--version"])).stdout, /^\d+\.\d+\.\d+$/m);
  });

  it("answers mistakes with code 2, all at once, with what was meant and no stack trace", async () => {
    const url = await twoRuns();
    const before = await contentOf(folder);
    for (const [args, expected] of [
      [["statsu"], /unknown command "statsu"; did you mean "status"\?/],
      [["plan"], /no run store is named; give --store URL/],
      [["plan", "--bunlde", "x"], /unknown option "--bunlde"; did you mean "--bundle"\?/],
      [["status", "--wacth", "--json=1", "--store"], /"--watch"\?\n {2}--json takes no value[^]*--store needs a value/],
      [["status", "a", "b", "--store", url], /"b" is one argument too many/],
      [["status", "kernle", "--store", url], /run \("kernle"\) is not in this store; did you mean "kernel"\?/],
      [["status", "--store", `file:${folder}/nothing`], /must be a run store, and there is no folder/],
      [["pause", "--store", url], /RUN is missing; there are: /],
      [["pause", FAMILY, "--store", url], /is done \(every host is updated and validated\); there is nothing to pause/],
      [["start", "--store", url], /name a RUN, or --file WINDOW-FILE/],
      [["start", "--file", path.join(folder, "none.yaml")], /must be a file, and there is none; correct the path/],
      [["report", path.join(folder, "nothing.json")], /nothing\.json.* must be a readable report/],
      [
        ["audit", "--since", "yesterday", "--store", url],
        /--since \("yesterday"\) must be a number and a unit of time/,
      ],
      [["completion", "tcsh"], /SHELL \("tcsh"\) must be bash, zsh, fish/],
    ] as const) {
      const { code, stdout, stderr } = await archipelago(args);
      assert.equal(code, 2, `${args.join(" ")}: ${stderr}`);
      assert.equal(stdout, args.includes("--json=1" as never) ? stdout : "");
      assert.match(stderr, expected);
      assert.doesNotMatch(stderr, /^\s+at /m);
    }
    assert.deepEqual(await contentOf(folder), before, "nothing was written");
  });

  it("says errors as JSON where JSON was asked for", async () => {
    const { code, stdout } = await archipelago(["status", "--store", `file:${folder}/nothing`, "--json"]);
    const { v, error } = JSON.parse(stdout) as { v: number; error: { kind: string; message: string; mistakes: [] } };
    assert.deepEqual([code, v, error.kind, error.mistakes.length], [2, 1, "MistakeError", 1]);
    assert.match(error.message, /must be a run store/);
  });

  it("fails with code 1 for a bundle that is damaged", async () => {
    const file = path.join(folder, "damaged.json");
    await fs.writeFile(file, "{");
    const { code, stderr } = await archipelago(["plan", "--bundle", file]);
    assert.equal(code, 1);
    assert.match(stderr, /damaged\.json/);
    assert.doesNotMatch(stderr, /^\s+at /m);
  });

  it("shows the runs of a store as a table and as JSON, and writes nothing", async () => {
    const url = await twoRuns();
    const before = await contentOf(folder);
    const { code, stdout } = await archipelago(["status"], { env: { ARCHIPELAGO_STORE: url } });
    assert.equal(code, 0);
    assert.match(stdout, /^kernel-0123abcd-1 +done +6\/6 +- +every host is updated and validated$/m);
    assert.match(stdout, /^tool-4567cdef-1 +armed +0\/6 +- +/m);
    assert.match(stdout, /no runner was seen/);
    const json = JSON.parse((await archipelago(["status", "--store", url, "--json"])).stdout) as {
      v: number;
      runs: readonly { run: string; phase: string; updated: number; hosts: number; family: string }[];
    };
    assert.equal(json.v, 1);
    const run = json.runs.find(({ family }) => family === FAMILY);
    assert.deepEqual([run?.run, run?.phase, run?.updated, run?.hosts], [`${FAMILY}-1`, "done", 6, 6]);
    const one = await archipelago(["status", "kernel-0123abcd", "--store", url]);
    assert.match(one.stdout, /wave 1 canary host-\d+: done, \d+ of \d+ steps/);
    assert.deepEqual(await contentOf(folder), before, "nothing was written");
  });

  it("shows the kill switch and the runners, also where a document is damaged", async () => {
    const url = await twoRuns();
    const store = await createStore(path.join(folder, "store"), {});
    const runner = { v: 1, runner: "r1", host: "desk", pid: 7, packageVersion: "1.0.0", everyMs: 10_000, runs: [] };
    await store.putDocument("runners/r1", JSON.stringify({ ...runner, at: Date.now(), startedAt: 0 }));
    await store.putDocument("runners/r2", "{");
    await archipelago(["kill", "on", "--why", "incident 4711", "--store", url]);
    const on = await archipelago(["status", "--store", url]);
    assert.match(on.stdout, /KILL SWITCH on for .* by \S+@\S+: incident 4711/);
    assert.match(on.stdout, /runner on desk \(process 7\): seen .* ago, idle/);
    await store.putDocument("kill-switch", "{");
    const { code, stdout } = await archipelago(["status", "--store", url, "--json"]);
    const { killSwitch, runners } = JSON.parse(stdout) as { killSwitch?: object; runners: readonly object[] };
    assert.deepEqual([code, killSwitch !== undefined, runners.length], [0, true, 1]);
  });

  it("takes the store of an option before that of the environment, and that before a window file's", async () => {
    const url = await twoRuns();
    await createStore(path.join(folder, "other"), { "other-89abcdef-1": armed });
    const cwd = path.join(folder, "work");
    await fs.mkdir(cwd);
    const text = `v: 1
name: kernel
islands: { shop: { hosts: { agents: { inventory: i.json } }, workloads: [{ name: front }] } }
windows: { nights: { cron: 0 2 * * *, duration: 1 hour } }
update: { probe: p, expect: e, command: c, irreversible: true }
store: file:../other
`;
    await fs.writeFile(path.join(cwd, "archipelago.yaml"), text);
    const runsOf = async (args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<readonly string[]> => {
      const { stdout, stderr } = await archipelago(["status", "--json", ...args], { cwd, env });
      assert.equal(stderr, "");
      return (JSON.parse(stdout) as { runs: readonly { family: string }[] }).runs.map(({ family }) => family).sort();
    };
    const other = `file:${path.join(folder, "other")}`;
    assert.deepEqual(await runsOf([]), ["other-89abcdef"]);
    assert.deepEqual(await runsOf([], { ARCHIPELAGO_STORE: "" }), ["other-89abcdef"]);
    assert.deepEqual(await runsOf([], { ARCHIPELAGO_STORE: url }), [FAMILY, OTHER]);
    assert.deepEqual(await runsOf(["--file", "archipelago.yaml"], { ARCHIPELAGO_STORE: url }), ["other-89abcdef"]);
    assert.deepEqual(await runsOf(["--store", other], { ARCHIPELAGO_STORE: url }), ["other-89abcdef"]);
  });

  it("names a journal that was tampered with, shows the other runs, and changes nothing", async () => {
    const url = await twoRuns();
    // Damage of the last batch may be a torn write; before it somebody has been there.
    await (await createStore(path.join(folder, "store"), {})).append(`${FAMILY}-1`, 1, entries.slice(-1));
    const batch = path.join(folder, "store", "runs", `${FAMILY}-1`, "00000000.json");
    await fs.writeFile(
      batch,
      (await fs.readFile(batch, "utf8")).replace("every host is updated", "every host is upgraded"),
    );
    const before = await contentOf(folder);
    const { code, stdout } = await archipelago(["status", "--store", url]);
    assert.equal(code, 1);
    assert.match(stdout, /^kernel-0123abcd-1: journal file .*00000000\.json is damaged/m);
    assert.match(stdout, /^tool-4567cdef-1 +armed/m);
    for (const command of ["pause", "cancel", "recover", "plan", "hosts"]) {
      const { code: refused, stderr } = await archipelago([command, FAMILY, "--store", url]);
      assert.equal(refused, 1, `${command}: ${stderr}`);
      assert.match(stderr, /journal file .*00000000\.json is damaged/);
      assert.doesNotMatch(stderr, /^\s+at /m);
    }
    assert.deepEqual(await contentOf(folder), before, "nothing was written");
  });

  it(`says who may not read a store${withoutOthers}`, async function () {
    if (withoutOthers !== "") this.skip();
    const url = await twoRuns();
    await fs.chmod(folder, 0o755);
    if (!isRoot) await fs.chmod(path.join(folder, "store", "runs"), 0o000);
    const { code, stdout, stderr } = await archipelago(["status", "--store", url], isRoot ? { uid: NOBODY } : {});
    if (!isRoot) await fs.chmod(path.join(folder, "store", "runs"), 0o700);
    assert.deepEqual([code, stdout], [1, ""]);
    assert.match(stderr, /must not write or read there \(EACCES\); give this user read and write access/);
  });

  it(`says who may not write to a store that can be read, and changes nothing${withoutOthers}`, async function () {
    if (withoutOthers !== "") this.skip();
    const url = await twoRuns();
    const store = path.join(folder, "store");
    const mode = async (folders: number, files: number): Promise<void> => {
      for (const entry of await fs.readdir(store, { recursive: true, withFileTypes: true }))
        await fs.chmod(path.join(entry.parentPath, entry.name), entry.isDirectory() ? folders : files);
      await fs.chmod(store, folders);
    };
    await fs.chmod(folder, 0o755);
    await mode(0o555, 0o444);
    const before = await contentOf(folder);
    for (const command of [
      ["pause", "tool-4567cdef"],
      ["kill", "on", "--why", "drill"],
      ["runner", "--once"],
    ]) {
      const asOther = isRoot ? { uid: NOBODY } : {};
      const { code, stderr } = await archipelago([...command, "--store", url], asOther);
      assert.equal(code, 1, command.join(" "));
      assert.match(stderr, /run store \S+store: this user must not write .*give this user read and write access/);
    }
    assert.deepEqual(await contentOf(folder), before);
    await mode(0o755, 0o644);
  });

  it("asks a run to pause, and takes it back", async () => {
    const url = await twoRuns();
    const paused = await archipelago(["pause", "tool-4567cdef", "--why", "incident 4711", "--store", url]);
    assert.equal(paused.code, 0, paused.stderr);
    assert.match(paused.stdout, /is armed, and no process works on it.*archipelago resume tool-4567cdef/);
    assert.match(
      (await archipelago(["status", "--store", url])).stdout,
      /pause asked by \S+@\S+ .* ago: incident 4711/,
    );
    const { stdout } = await archipelago(["resume", OTHER, "--store", url, "--json"]);
    const { request } = JSON.parse(stdout) as { request: { wish: string; run: string } };
    assert.deepEqual([request.wish, request.run], ["resume", `${OTHER}-1`]);
    const cancel = await archipelago(["cancel", OTHER, "--no-wait", "--store", url]);
    assert.match(cancel.stdout, /asked to cancel; whoever carries it on honours it/);
  });

  it("shows the audit log and says when it is not whole", async () => {
    const url = await twoRuns();
    const store = await createStore(path.join(folder, "store"), {});
    for (const why of ["first", "second", "third"]) {
      await appendAudit(store, { who: "ann@desk", what: "pause", subject: `${OTHER}-1`, why });
    }
    const whole = await archipelago(["audit", "--store", url]);
    assert.equal(whole.code, 0);
    assert.match(whole.stdout, /^2 +\S+ \S+ +pause +tool-4567cdef-1 +ann@desk +second$/m);
    assert.match((await archipelago(["audit", FAMILY, "--store", url])).stdout, /^no entries$/m);
    const [, second = ""] = await store.listDocuments("audit/");
    await store.deleteDocument(second);
    const { code, stderr, stdout } = await archipelago(["audit", "--store", url, "--json"]);
    assert.equal(code, 1, stderr);
    assert.equal((JSON.parse(stdout) as { problems: readonly string[] }).problems.length > 0, true);
  });

  it("watches: prints anew at every change, and Ctrl-C is how it ends well", async () => {
    const url = await twoRuns();
    const watching = startArchipelago("status", "--watch", "--store", url);
    await watching.seen("kernel-0123abcd-1");
    await archipelago(["pause", OTHER, "--store", url]);
    await watching.seen("pause asked by");
    watching.signal("SIGINT");
    const { code, stdout } = await watching.ended;
    assert.equal(code, 0);
    assert.equal(stdout.match(/^RUN /gm)?.length, 2, stdout);
  });

  it("paints on terminals only, and not where NO_COLOR is set", async function () {
    const url = await twoRuns();
    const onTerminal = async (env: Record<string, string>): Promise<string> => {
      const command = `'${process.execPath}' '${MAIN}' status --store '${url}'`;
      const { stdout } = await promisify(execFile)("script", ["-qec", command, "/dev/null"], {
        env: { PATH: process.env["PATH"] ?? "", TERM: "xterm", ...env },
      });
      return stdout;
    };
    const escape = "\u001b[";
    assert.ok((await onTerminal({})).includes(`${escape}32mdone`));
    assert.ok(!(await onTerminal({ NO_COLOR: "1" })).includes(escape));
    const piped = await archipelago(["status", "--store", url]);
    assert.ok(!piped.stdout.includes(escape));
    const forced = await archipelago(["status", "--store", url], { env: { FORCE_COLOR: "1" } });
    assert.ok(forced.stdout.includes(`${escape}32mdone`));
  });

  it("completes commands, options and runs in a real bash", async () => {
    const url = await twoRuns();
    const bin = path.join(folder, "bin");
    await fs.mkdir(bin);
    await fs.writeFile(path.join(bin, "archipelago"), `#!/bin/sh\nexec '${process.execPath}' '${MAIN}' "$@"\n`, {
      mode: 0o755,
    });
    const complete = async (...words: readonly string[]): Promise<readonly string[]> => {
      const script = `source <(archipelago completion bash); COMP_WORDS=(archipelago ${words.map((word) => `'${word}'`).join(" ")}); COMP_CWORD=${String(words.length)}; _archipelago; printf '%s\\n' "\${COMPREPLY[@]}"`;
      const { stdout } = await promisify(execFile)("bash", ["--norc", "-c", script], {
        env: { PATH: `${bin}:${process.env["PATH"] ?? ""}`, ARCHIPELAGO_STORE: url },
        cwd: folder,
      });
      return stdout.trim().split("\n");
    };
    assert.deepEqual(await complete("st"), ["status", "start"]);
    assert.deepEqual(await complete("status", "--w"), ["--watch"]);
    assert.deepEqual((await complete("pause", "")).toSorted(), [FAMILY, OTHER]);
  });
});
