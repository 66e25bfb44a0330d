/**
 * Who may import what, as one table and the lint rule that holds it.
 *
 * A row covers its folder and all below it, unless a later row names a deeper one. Every file may import from its own
 * row's folder. `may` are other folders (or files) of this repository, `types` those of which only types may be
 * imported, `packages` what comes from outside; `*` stands for any rest. What is not allowed is an error.
 */
export const BOUNDARIES = [
  // Plain data and pure functions, shared by program, provider and agent.
  { folder: "sdk/model", may: [], types: [], packages: [] },
  // Rules of what users write, for components and window files.
  { folder: "sdk/arguments", may: ["sdk/model"], types: [], packages: [] },
  // Run in the user's program.
  {
    folder: "sdk/components",
    may: ["sdk/model", "sdk/arguments", "providers/pulumi"],
    types: [],
    packages: ["@pulumi/*", "node:*"],
  },
  { folder: "sdk/index.ts", may: ["sdk/*"], types: [], packages: [] },

  // Pure: no clock, no I/O, no randomness but a seed. node:crypto is here for digests.
  {
    folder: "providers/calendar",
    may: ["sdk/model"],
    types: [],
    packages: ["croner", "rrule-temporal", "temporal-polyfill"],
  },
  { folder: "providers/forecast", may: ["sdk/model"], types: [], packages: [] },
  {
    folder: "providers/plan",
    may: ["sdk/model", "providers/calendar"],
    types: ["providers/forecast"],
    packages: ["node:crypto"],
  },
  // The way into the worker thread and out of it.
  {
    folder: "providers/plan/plan-in-worker.ts",
    may: ["sdk/model", "providers/plan", "providers/threads"],
    types: [],
    packages: ["node:*"],
  },
  { folder: "providers/plan/worker.ts", may: ["providers/plan", "providers/threads"], types: [], packages: [] },

  // Fits of many series: kept in a folder, made by threads.
  {
    folder: "providers/forecast-cache",
    may: ["sdk/model", "providers/forecast", "providers/threads"],
    types: [],
    packages: ["node:*"],
  },

  // Contracts with the world outside.
  { folder: "providers/clock.ts", may: ["sdk/model"], types: [], packages: ["node:*"] },
  { folder: "providers/threads.ts", may: ["sdk/model"], types: [], packages: ["node:*"] },
  { folder: "providers/niceness.ts", may: [], types: [], packages: ["node:*"] },
  { folder: "providers/http-json.ts", may: ["sdk/model", "providers/clock"], types: [], packages: ["node:*"] },
  {
    folder: "providers/metrics",
    may: ["sdk/model"],
    types: ["providers/journal"],
    packages: ["node:*", "prom-client"],
  },
  {
    folder: "providers/drivers",
    may: ["sdk/model", "providers/clock", "providers/agent", "providers/metrics"],
    types: [],
    packages: ["node:*", "@peculiar/x509"],
  },
  {
    folder: "providers/observe",
    may: [
      "sdk/model",
      "sdk/arguments",
      "providers/clock",
      "providers/http-json",
      "providers/drivers",
      "providers/forecast",
      "providers/calendar",
    ],
    types: [],
    packages: ["node:*", "@aws-sdk/*", "ical.js", "date-holidays"],
  },
  { folder: "providers/journal", may: ["sdk/model", "providers/clock"], types: [], packages: ["node:*", "@aws-sdk/*"] },

  // Runs on hosts: shares nothing with the provider but contracts.
  {
    folder: "providers/agent",
    may: ["sdk/model", "providers/clock", "providers/niceness", "providers/metrics"],
    types: ["providers/drivers"],
    packages: ["node:*"],
  },

  // Joining a fleet: short-lived commands and the authority's server, never part of a running agent.
  {
    folder: "providers/agent/enroll",
    may: ["sdk/model", "providers/clock", "providers/agent", "providers/drivers"],
    types: [],
    packages: ["node:*"],
  },

  // One program for both roles: `archipelago-agent switch` loads the traffic switch.
  {
    folder: "providers/agent/main.ts",
    may: [
      "sdk/model",
      "providers/clock",
      "providers/agent",
      "providers/agent/enroll",
      "providers/drivers/traffic/switch",
    ],
    types: ["providers/drivers"],
    packages: ["node:*"],
  },

  // A run. Cloud SDKs are in drivers only, Pulumi in providers/pulumi only.
  { folder: "providers/verify", may: ["sdk/model", "providers/clock"], types: ["providers/drivers"], packages: [] },
  // Knows nothing of the planner and of the executor.
  {
    folder: "providers/guard",
    may: ["sdk/model", "providers/clock", "providers/forecast/tracker"],
    types: ["providers/drivers", "providers/journal"],
    packages: ["node:crypto", "node:fs"],
  },
  {
    folder: "providers/execute",
    may: ["sdk/model", "providers/clock", "providers/journal", "providers/verify", "providers/guard"],
    types: ["providers/drivers"],
    packages: ["node:crypto"],
  },
  {
    folder: "providers/report",
    // Plans are shown as runs carry them out: with the same count of lanes and links.
    may: [
      "sdk/model",
      "providers/drivers",
      "providers/forecast/tracker",
      "providers/execute/lanes.ts",
      "providers/execute/link-gate.ts",
    ],
    types: ["providers/verify", "providers/forecast"],
    packages: ["node:*"],
  },
  {
    folder: "providers/notify",
    may: ["sdk/model", "providers/clock", "providers/http-json", "providers/guard/signed-body"],
    types: ["providers/journal"],
    packages: ["node:*"],
  },
  {
    folder: "providers/trace",
    may: ["sdk/model", "providers/clock"],
    types: ["providers/journal"],
    packages: ["node:crypto", "@opentelemetry/api"],
  },
  {
    folder: "providers/runner",
    may: [
      "sdk/model",
      "providers/clock",
      "providers/niceness",
      "providers/calendar",
      "providers/observe",
      "providers/forecast-cache",
      "providers/forecast",
      "providers/plan",
      "providers/execute",
      "providers/guard",
      "providers/verify",
      "providers/journal",
      "providers/drivers",
      "providers/report",
      "providers/notify",
      "providers/trace",
    ],
    types: [],
    packages: ["node:*"],
  },
  // The adapter to the engine: the only part of providers that knows Pulumi.
  {
    folder: "providers/pulumi",
    may: [
      "sdk/model",
      "providers/clock",
      "providers/calendar",
      "providers/runner",
      "providers/drivers",
      "providers/report",
      "providers/simulate",
      "providers/threads",
    ],
    types: [],
    packages: ["node:*", "@pulumi/*", "@grpc/grpc-js"],
  },
  {
    folder: "providers/cli",
    may: [
      "sdk/model",
      "sdk/arguments",
      "providers/clock",
      "providers/calendar",
      "providers/forecast",
      "providers/plan",
      "providers/guard",
      "providers/runner",
      "providers/drivers",
      "providers/journal",
      "providers/observe",
      "providers/forecast",
      "providers/http-json",
      "providers/simulate",
      "providers/metrics",
      "providers/report",
    ],
    types: [],
    packages: ["node:*", "yaml"],
  },

  // Plays plans in the fleet in memory, with the real planner, runner and checker.
  {
    folder: "providers/simulate",
    may: [
      "sdk/model",
      "providers/clock",
      "providers/calendar",
      "providers/observe",
      "providers/plan",
      "providers/guard",
      "providers/runner",
      "providers/report",
      "providers/testing",
      "providers/threads",
    ],
    types: ["providers/drivers"],
    packages: ["node:*"],
  },

  // The fleet in memory: for tests, of this package and of users.
  {
    folder: "providers/testing",
    may: ["sdk/model", "providers/clock", "providers/drivers", "providers/guard"],
    types: ["providers/journal", "providers/observe", "providers/forecast"],
    packages: ["node:crypto"],
  },
];

const SOURCE_ROOTS = ["sdk/", "providers/"];

/** The row that covers a file, given relative to the repository with slashes; undefined outside sdk and providers. */
export function boundaryOf(file) {
  return BOUNDARIES.filter(({ folder }) => isWithin(file, folder)).sort((a, b) => b.folder.length - a.folder.length)[0];
}

/**
 * Why an import is not allowed, or undefined when it is.
 * @param file importing file, relative to the repository
 * @param specifier what it imports
 * @param isTypeOnly true for `import type`
 */
export function refusalOf(file, specifier, isTypeOnly) {
  if (!SOURCE_ROOTS.some((root) => file.startsWith(root))) return undefined;
  const row = boundaryOf(file);
  if (!row) return `${file} is in no row of eslint.boundaries.mjs; add one that says what it may import`;
  if (!specifier.startsWith(".")) {
    if (row.packages.some((pattern) => matches(specifier, pattern))) return undefined;
    return `${row.folder} must not import the package ${specifier}`;
  }
  const target = resolve(file, specifier);
  if (isWithin(target, row.folder) || row.may.some((pattern) => isWithin(target, pattern))) return undefined;
  const isTypeAllowed = row.types.some((pattern) => isWithin(target, pattern));
  if (isTypeAllowed && isTypeOnly) return undefined;
  return `${row.folder} must not import ${isTypeAllowed ? "more than types from " : ""}${target}`;
}

function matches(text, pattern) {
  return pattern.endsWith("*")
    ? text.startsWith(pattern.slice(0, -1))
    : text === pattern || text.startsWith(`${pattern}/`);
}

/** True for the folder or file itself and all below it; file endings of modules do not count. */
function isWithin(target, pattern) {
  return matches(target.replace(/\.[jt]s$/, ""), pattern.replace(/\.ts$/, ""));
}

function resolve(file, specifier) {
  const segments = file.split("/").slice(0, -1);
  for (const segment of specifier.split("/")) {
    if (segment === "..") segments.pop();
    else if (segment !== ".") segments.push(segment);
  }
  return segments.join("/");
}

/** The rule `boundaries/imports`. */
export const boundaries = {
  rules: {
    imports: {
      meta: { type: "problem", schema: [], messages: { refused: "{{reason}} (see eslint.boundaries.mjs)." } },
      create(context) {
        const root = `${context.cwd.replaceAll("\\", "/")}/`;
        const path = context.filename.replaceAll("\\", "/");
        const file = path.startsWith(root) ? path.slice(root.length) : path;
        const check = (node, source, isTypeOnly) => {
          if (typeof source?.value !== "string") return;
          const reason = refusalOf(file, source.value, isTypeOnly);
          if (reason) context.report({ node, messageId: "refused", data: { reason } });
        };
        const onlyTypes = (kind, specifiers, key) =>
          kind === "type" || (specifiers.length > 0 && specifiers.every((specifier) => specifier[key] === "type"));
        return {
          ImportDeclaration: (node) => {
            check(node, node.source, onlyTypes(node.importKind, node.specifiers, "importKind"));
          },
          ExportNamedDeclaration: (node) => {
            check(node, node.source, onlyTypes(node.exportKind, node.specifiers, "exportKind"));
          },
          ExportAllDeclaration: (node) => {
            check(node, node.source, node.exportKind === "type");
          },
          ImportExpression: (node) => {
            check(node, node.source, false);
          },
          TSImportType: (node) => {
            check(node, node.source ?? node.argument?.literal, true);
          },
        };
      },
    },
  },
};
