/**
 * Sends notices to webhooks and to Slack: in the background, in order, with a bounded number of tries.
 *
 * Not for: which events are told (notice.ts).
 *
 * Invariants
 * 1. A target that does not answer never holds a run up and never makes it fail: it is told of once and left out.
 * 2. URLs and secrets come from environment variables that are named in the arguments; neither is ever told or stored.
 * 3. Every try of one notice carries the same id, so that a receiver can tell repetitions.
 */
import { messageOf } from "../../sdk/model";
import type { JournalEntry, NoticeTarget, Severity } from "../../sdk/model";
import type { Clock, Progress } from "../clock";
import { SIGNATURE_HEADER, signBody } from "../guard/signed-body";
import type { JournalFollower } from "../journal/follower";
import { isSevereEnough, NoticeReader, type Notice } from "./notice";

const TRIES = 3;
const FIRST_BACK_OFF_MS = 500;
/** Longest time for one try. */
const ANSWER_LIMIT_MS = 5_000;
/** How long the end of a run waits for notices under way. */
const END_LIMIT_MS = 10_000;
/** Notices that wait for a slow target; older ones are dropped, the newest say how the run stands. */
const QUEUE_LENGTH = 100;
/** Slack refuses longer texts. */
const SLACK_TEXT_LENGTH = 2900;

/** Header with the notice's id. */
const ID_HEADER = "archipelago-notice";

const MARKS: Readonly<Record<Severity, string>> = {
  info: ":white_check_mark:",
  warning: ":warning:",
  critical: ":rotating_light:",
};

/** What sending needs from outside. */
export interface NoticeOptions {
  readonly targets: readonly NoticeTarget[];
  readonly clock: Clock;
  readonly progress: Progress;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** @default 500 ms */
  readonly firstBackOffMs?: number;
}

/** Follows a run and tells of it. */
export function createNoticeFollower(options: NoticeOptions): JournalFollower {
  const senders = options.targets.map((target, index) => new Sender(target, index, options));
  let reader: NoticeReader | undefined;
  return {
    begin: (run, stored) => {
      reader = new NoticeReader(run);
      // Whoever stored these has told of them.
      stored.forEach((entry, position) => reader?.read(entry, position));
    },
    follow: (entries: readonly JournalEntry[], position) => {
      entries.forEach((entry, index) => {
        const notice = reader?.read(entry, position + index);
        if (notice) for (const sender of senders) sender.add(notice);
      });
    },
    end: async () => {
      const ended = new AbortController();
      const allSent = Promise.all(senders.map((sender) => sender.settled())).then(() => {
        ended.abort();
      });
      await Promise.race([allSent, options.clock.sleep(END_LIMIT_MS, ended.signal)]);
      for (const sender of senders) sender.stop();
    },
  };
}

class Sender {
  private readonly queue: Notice[] = [];
  private readonly stopped = new AbortController();
  private sending: Promise<void> | undefined;
  private isTold = false;
  private readonly label: string;

  constructor(
    private readonly target: NoticeTarget,
    index: number,
    private readonly options: NoticeOptions,
  ) {
    this.label = `notices[${String(index)}] (${target.kind})`;
  }

  add(notice: Notice): void {
    if (!isSevereEnough(notice.severity, this.target.severity) || this.stopped.signal.aborted) return;
    this.queue.push(notice);
    if (this.queue.length > QUEUE_LENGTH) this.queue.shift();
    this.sending ??= this.sendAll().finally(() => {
      this.sending = undefined;
    });
  }

  async settled(): Promise<void> {
    await this.sending;
  }

  stop(): void {
    this.stopped.abort();
  }

  private async sendAll(): Promise<void> {
    for (let notice = this.queue.shift(); notice; notice = this.queue.shift()) {
      const problem = await this.send(notice);
      if (problem === undefined) {
        this.isTold = false;
        continue;
      }
      if (!this.isTold) this.options.progress.line(`${this.label} could not be delivered: ${problem}`);
      this.isTold = true;
    }
  }

  /** Undefined when it was delivered, else why not. */
  private async send(notice: Notice): Promise<string | undefined> {
    const address = this.resolve();
    if ("problem" in address) return address.problem;
    const { clock, firstBackOffMs = FIRST_BACK_OFF_MS } = this.options;
    const body = JSON.stringify(this.target.kind === "slack" ? renderSlack(notice) : renderWebhook(notice));
    let problem = "";
    for (let tries = 1; tries <= TRIES && !this.stopped.signal.aborted; tries++) {
      const answer = await this.post(address.url, body, notice, address.secret);
      if (answer === undefined) return undefined;
      problem = answer.problem;
      if (!answer.isWorthRepeating) break;
      if (tries < TRIES) await clock.sleep(firstBackOffMs * 2 ** (tries - 1), this.stopped.signal);
    }
    return problem;
  }

  private resolve(): { readonly url: string; readonly secret: string | undefined } | { readonly problem: string } {
    const { environment } = this.options;
    const { target } = this;
    const read = (name: string): string | undefined => (environment[name] === "" ? undefined : environment[name]);
    const url =
      target.urlEnv === undefined ? (target.kind === "webhook" ? target.url : undefined) : read(target.urlEnv);
    if (url === undefined) return { problem: `the environment variable ${target.urlEnv ?? "?"} is not set` };
    if (!URL.canParse(url)) return { problem: `what ${target.urlEnv ?? "url"} holds is not a URL` };
    if (target.kind === "slack" || target.secretEnv === undefined) return { url, secret: undefined };
    const secret = read(target.secretEnv);
    if (secret === undefined) return { problem: `the environment variable ${target.secretEnv} is not set` };
    return { url, secret };
  }

  private async post(
    url: string,
    body: string,
    { id }: Notice,
    secret: string | undefined,
  ): Promise<{ readonly problem: string; readonly isWorthRepeating: boolean } | undefined> {
    try {
      const response = await fetch(url, {
        method: "POST",
        body,
        redirect: "error",
        signal: AbortSignal.any([AbortSignal.timeout(ANSWER_LIMIT_MS), this.stopped.signal]),
        headers: {
          "content-type": "application/json",
          [ID_HEADER]: id,
          ...(secret === undefined ? {} : { [SIGNATURE_HEADER]: signBody(body, secret, this.options.clock.now()) }),
        },
      });
      await response.body?.cancel();
      if (response.ok) return undefined;
      const isWorthRepeating = response.status >= 500 || response.status === 429 || response.status === 408;
      return { problem: `it answered ${String(response.status)}`, isWorthRepeating };
    } catch (error) {
      const { cause } = error as { readonly cause?: { readonly code?: unknown } };
      // Only the code: a message may hold the address, which may be a secret.
      const code =
        typeof cause?.code === "string" ? cause.code : error instanceof Error ? error.name : messageOf(error);
      return { problem: `no answer (${code})`, isWorthRepeating: true };
    }
  }
}

/** What a webhook gets. */
function renderWebhook({ id, event, severity, run, at, title, text }: Notice): object {
  return { v: 1, id, event, severity, run, at: new Date(at).toISOString(), title, text };
}

/** What Slack's incoming webhooks take: a line for notifications, and blocks. */
function renderSlack({ severity, at, title, text }: Notice): object {
  const escaped = escapeSlack(text).slice(0, SLACK_TEXT_LENGTH);
  const head = `${MARKS[severity]} *${escapeSlack(title)}*`;
  const seconds = String(Math.floor(at / 1000));
  const when = `<!date^${seconds}^{date_short_pretty} {time_secs}|${new Date(at).toISOString()}>`;
  return {
    text: `${MARKS[severity]} ${escapeSlack(title)}`,
    blocks: [
      { type: "section", text: { type: "mrkdwn", text: escaped === "" ? head : `${head}\n${escaped}` } },
      { type: "context", elements: [{ type: "mrkdwn", text: `Archipelago · ${severity} · ${when}` }] },
    ],
  };
}

/** The three characters that Slack treats as control characters. */
function escapeSlack(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
