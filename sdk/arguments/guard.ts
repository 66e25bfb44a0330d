/** Rules of what guards a run: stop rules, approval, notices, silences, kill switch; and their resolved form. */
import type {
  AlarmSpec,
  ApprovalSpec,
  BurnWindow,
  HostUpdateSpec,
  Mistake,
  NoticeTarget,
  SilenceTarget,
  StopRule,
} from "../model";
import {
  duration,
  list,
  numberBetween,
  object,
  oneOf,
  optional,
  percentage,
  required,
  text,
  texts,
  wholeNumber,
  type Resolved,
  type Rule,
  type SpecOf,
} from "./rules";

const MINUTE_MS = 60_000;
/** Fast and slow burn, for a run of hours instead of a month's watch; rates as in the SRE workbook, chapter 5. */
const DEFAULT_WINDOWS: readonly BurnWindow[] = [
  { longMs: 5 * MINUTE_MS, shortMs: 30_000, rate: 14.4 },
  { longMs: 60 * MINUTE_MS, shortMs: 5 * MINUTE_MS, rate: 6 },
];
const HIGHEST_RATE = 100_000;
/** Labels that name a host in most set-ups: `instance` is host and port. */
const DEFAULT_MATCHERS = { instance: "$host(:[0-9]+)?" };

const action = oneOf(["pause", "rollback"]);

/** The name of an environment variable. What stands there instead may be a secret: it is not repeated. */
const variableName: Rule<string> = (value, field, mistakes) => {
  if (typeof value === "string" && /^[A-Za-z_][A-Za-z0-9_]*$/.test(value)) return value;
  mistakes.push({
    field,
    value: "(hidden)",
    rule: "must be the name of an environment variable",
    remedy: 'name the variable that holds the secret, like "NOTICE_SECRET", not the secret itself',
  });
  return undefined;
};

const stopRules = object({
  errorBudget: optional(
    object({
      objective: optional(percentage, 0.999),
      windows: optional(
        list(
          object({
            long: required(duration(1000), 'give the long window, like "5 minutes"'),
            short: required(duration(1000), 'give the short window, like "30 seconds"'),
            rate: required(numberBetween(0, HIGHEST_RATE), "say how many times too fast is too fast, like 14.4"),
          }),
          1,
        ),
        undefined,
      ),
      minimumFailed: optional(wholeNumber(1, 1_000_000), 5),
      action: optional(action, "rollback" as const),
    }),
    undefined,
  ),
  failedMoves: optional(
    object({
      share: optional(percentage, 0.1),
      minimumMoves: optional(wholeNumber(1, 1_000_000), 3),
      action: optional(action, "pause" as const),
    }),
    undefined,
  ),
  forecastMiss: optional(
    object({
      quantile: optional(numberBetween(0, 1), 0.95),
      steps: optional(wholeNumber(1, 1000), 3),
      action: optional(action, "pause" as const),
    }),
    undefined,
  ),
  alarms: optional(
    object({
      any: required(
        list(
          object({
            prometheus: optional(
              object({
                url: required(text, 'give the address, like "http://prometheus:9090"'),
                alert: required(text, "give the name of the alerting rule"),
              }),
              undefined,
            ),
            cloudWatch: optional(
              object({
                region: required(text, 'give the region, like "eu-central-1"'),
                alarm: required(text, "give the alarm's name"),
              }),
              undefined,
            ),
          }),
          1,
        ),
        'list the alarms, like [{ prometheus: { url, alert: "HighErrorRate" } }]',
      ),
      action: optional(action, "pause" as const),
    }),
    undefined,
  ),
});

/** Labels of alerts. Without the host among them, a silence would cover the alerts of all hosts. */
const matchers: Rule<Readonly<Record<string, string>>> = (value, field, mistakes) => {
  const checked = texts(value, field, mistakes);
  if (!checked) return undefined;
  const before = mistakes.length;
  for (const [name, pattern] of Object.entries(checked)) {
    const at = `${field}.${name}`;
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
      mistakes.push({ field: at, value: name, rule: "must be the name of a label", remedy: 'like "instance"' });
    }
    if (!isPattern(pattern.replaceAll("$host", "host"))) {
      mistakes.push({
        field: at,
        value: pattern,
        rule: "must be a regular expression",
        remedy: "$host stands for the host, like $host(:[0-9]+)?",
      });
    }
  }
  if (!Object.values(checked).some((pattern) => pattern.includes("$host"))) {
    mistakes.push({
      field,
      value: JSON.stringify(checked),
      rule: "must name the host: as it stands, the alerts of every host would be silenced",
      remedy: 'write $host where the host stands, like { instance: "$host(:[0-9]+)?" }',
    });
  }
  return mistakes.length > before ? undefined : checked;
};

function isPattern(text: string): boolean {
  try {
    return new RegExp(text).source !== "";
  } catch {
    return false;
  }
}

/**
 * Fields of what guards an update.
 * @param late rule of the texts that may come later
 */
export function guardFields<T>(late: Rule<T>) {
  return {
    stopRules: optional(stopRules, undefined),
    approval: optional(
      object({
        digest: optional(late, undefined),
        file: optional(late, undefined),
        keys: optional(texts, {}),
        webhook: optional(
          object({
            url: required(late, "give the address that is asked"),
            secretEnv: optional(variableName, undefined),
          }),
          undefined,
        ),
      }),
      undefined,
    ),
    notices: optional(
      list(
        object({
          webhook: optional(
            object({
              url: optional(late, undefined),
              urlEnv: optional(variableName, undefined),
              secretEnv: optional(variableName, undefined),
            }),
            undefined,
          ),
          slack: optional(
            object({ urlEnv: required(variableName, "name the variable that holds the webhook's URL") }),
            undefined,
          ),
          severity: optional(oneOf(["info", "warning", "critical"]), "warning" as const),
        }),
      ),
      undefined,
    ),
    silences: optional(
      list(
        object({
          alertmanager: required(
            object({ url: required(late, 'give the address, like "http://alertmanager:9093"') }),
            "name the Alertmanager, like { alertmanager: { url } }",
          ),
          matchers: optional(matchers, DEFAULT_MATCHERS),
        }),
      ),
      undefined,
    ),
    killSwitch: optional(object({ file: required(late, "give the path of the file") }), undefined),
  };
}
/** The arguments once each field has been checked. */
export type CheckedGuard<T> = Resolved<ReturnType<typeof guardFields<T>>>;

/** Checks that need several fields at once. */
export function validateGuard<T>({ stopRules: rules, approval, notices }: CheckedGuard<T>, mistakes: Mistake[]): void {
  const wrong = (field: string, value: unknown, rule: string, remedy: string): void => {
    mistakes.push({ field, value, rule, remedy });
  };
  const { errorBudget } = rules ?? {};
  if (errorBudget && (errorBudget.objective <= 0 || errorBudget.objective >= 1)) {
    wrong(
      "stopRules.errorBudget.objective",
      errorBudget.objective,
      "must be above 0% and below 100%",
      'write it like "99.9%"',
    );
  }
  errorBudget?.windows?.forEach(({ long, short }, index) => {
    const field = `stopRules.errorBudget.windows[${String(index)}].short`;
    if (short >= long)
      wrong(field, `${String(short)} ms`, `must be shorter than long (${String(long)} ms)`, "lower it");
  });
  rules?.alarms?.any.forEach((alarm, index) => {
    requireOne(`stopRules.alarms.any[${String(index)}]`, {
      prometheus: alarm.prometheus,
      cloudWatch: alarm.cloudWatch,
    });
  });
  if (approval) {
    if (approval.digest === undefined && Object.keys(approval.keys).length === 0 && !approval.webhook?.secretEnv) {
      wrong(
        "approval",
        Object.keys(approval).filter((key) => approval[key as keyof typeof approval] !== undefined),
        "must say who may approve: nobody could",
        "give keys (public keys by name), a webhook with secretEnv, or the digest itself",
      );
    }
    for (const [name, pem] of Object.entries(approval.keys)) {
      if (pem.includes("-----BEGIN PUBLIC KEY-----")) continue;
      const isPrivate = pem.includes("PRIVATE KEY");
      wrong(
        `approval.keys.${name}`,
        isPrivate ? "(a private key)" : "(hidden)",
        "must be an ed25519 public key in PEM",
        isPrivate
          ? "give the public half (`openssl pkey -in KEY -pubout`), and make a new key: this one has been shown"
          : 'it begins with "-----BEGIN PUBLIC KEY-----"',
      );
    }
  }
  notices?.forEach((notice, index) => {
    const field = `notices[${String(index)}]`;
    requireOne(field, { webhook: notice.webhook, slack: notice.slack });
    if (notice.webhook && (notice.webhook.url === undefined) === (notice.webhook.urlEnv === undefined)) {
      wrong(`${field}.webhook`, Object.keys(notice.webhook), "must have exactly one of url and urlEnv", "name one");
    }
  });

  function requireOne(field: string, choices: Readonly<Record<string, unknown>>): void {
    const names = Object.keys(choices);
    const given = names.filter((name) => choices[name] !== undefined);
    if (given.length !== 1) wrong(field, given, `must have exactly one of ${names.join(" and ")}`, "name one");
  }
}

/** The parts of a spec that guard its runs; what was not declared is left out. */
export function normalizeGuard<T>(
  checked: CheckedGuard<T>,
): SpecOf<Pick<HostUpdateSpec, "stopRules" | "approval" | "notices" | "silences" | "killSwitchFile">, T> {
  const { stopRules: rules, approval, notices, silences, killSwitch } = checked;
  return {
    ...(rules ? { stopRules: normalizeStopRules(rules) } : {}),
    ...(approval ? { approval: normalizeApproval<T>(approval) } : {}),
    ...(notices ? { notices: notices.map((notice) => normalizeNotice<T>(notice)) } : {}),
    ...(silences ? { silences: silences.map((silence) => normalizeSilence<T>(silence)) } : {}),
    ...(killSwitch ? { killSwitchFile: killSwitch.file } : {}),
  };
}

function normalizeStopRules(rules: NonNullable<CheckedGuard<never>["stopRules"]>): readonly StopRule[] {
  const { errorBudget, failedMoves, forecastMiss, alarms } = rules;
  const found: StopRule[] = [];
  if (errorBudget) {
    const { objective, minimumFailed, action: whatToDo } = errorBudget;
    const windows = errorBudget.windows?.map(({ long, short, rate }) => ({ longMs: long, shortMs: short, rate }));
    found.push({
      kind: "error-budget",
      objective,
      windows: windows ?? DEFAULT_WINDOWS,
      minimumFailed,
      action: whatToDo,
    });
  }
  if (failedMoves) found.push({ kind: "failed-moves", ...failedMoves });
  if (forecastMiss) found.push({ kind: "forecast-miss", ...forecastMiss });
  if (alarms) found.push({ kind: "alarms", alarms: alarms.any.flatMap(normalizeAlarm), action: alarms.action });
  return found;
}

function normalizeAlarm(alarm: {
  readonly prometheus: { readonly url: string; readonly alert: string } | undefined;
  readonly cloudWatch: { readonly region: string; readonly alarm: string } | undefined;
}): readonly AlarmSpec[] {
  if (alarm.prometheus) return [{ kind: "prometheus", ...alarm.prometheus }];
  return alarm.cloudWatch ? [{ kind: "cloudWatch", ...alarm.cloudWatch }] : [];
}

function normalizeApproval<T>(approval: NonNullable<CheckedGuard<T>["approval"]>): SpecOf<ApprovalSpec, T> {
  const { digest, file, keys, webhook } = approval;
  return {
    ...(digest === undefined ? {} : { digest }),
    ...(file === undefined ? {} : { file }),
    keys,
    ...(webhook
      ? { webhook: { url: webhook.url, ...(webhook.secretEnv === undefined ? {} : { secretEnv: webhook.secretEnv }) } }
      : {}),
  };
}

function normalizeSilence<T>({
  alertmanager,
  matchers: labels,
}: NonNullable<CheckedGuard<T>["silences"]>[number]): SpecOf<SilenceTarget, T> {
  return { kind: "alertmanager", url: alertmanager.url, matchers: labels };
}

function normalizeNotice<T>(notice: NonNullable<CheckedGuard<T>["notices"]>[number]): SpecOf<NoticeTarget, T> {
  const { webhook, slack, severity } = notice;
  if (slack) return { kind: "slack", urlEnv: slack.urlEnv, severity };
  const { url, urlEnv, secretEnv } = webhook ?? {};
  return {
    kind: "webhook",
    ...(url === undefined ? {} : { url }),
    ...(urlEnv === undefined ? {} : { urlEnv }),
    ...(secretEnv === undefined ? {} : { secretEnv }),
    severity,
  };
}
