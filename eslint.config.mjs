/** Lint rules: strict typed rules for all TypeScript, import boundaries and purity for the layers of the design. */
import eslint from "@eslint/js";
import tseslint from "typescript-eslint";
import { boundaries } from "./eslint.boundaries.mjs";

/** Time and chance are parameters; these are the ways around that. */
const AMBIENT_TIME = [
  { selector: "MemberExpression[object.name='Date'][property.name='now']", message: "Take the time from a Clock." },
  { selector: "NewExpression[callee.name='Date'][arguments.length=0]", message: "Take the time from a Clock." },
  { selector: "MemberExpression[object.name='performance']", message: "Take the time from a Clock." },
  { selector: "CallExpression[callee.name=/^set(Timeout|Interval|Immediate)$/]", message: "Wait with a Clock." },
];
const AMBIENT_CHANCE = [
  { selector: "MemberExpression[object.name='Math'][property.name='random']", message: "Draw from a seeded source." },
];
const AMBIENT_PROCESS = [
  {
    selector: "MemberExpression[object.name='process']",
    message: "Pure code knows no process; take it as a parameter.",
  },
  { selector: "CallExpression[callee.name='fetch']", message: "Pure code does no I/O." },
];
const NAMED_EXPORTS = [{ selector: "ExportDefaultDeclaration", message: "Use a named export." }];

export default tseslint.config(
  { ignores: ["dist/", ".build/", "coverage/", ".archipelago/", "node_modules/", "**/golden/"] },
  eslint.configs.recommended,
  {
    files: ["**/*.ts"],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    plugins: { boundaries },
    rules: {
      "boundaries/imports": "error",
      eqeqeq: "error",
      "no-restricted-syntax": ["error", ...NAMED_EXPORTS],
      "@typescript-eslint/switch-exhaustiveness-check": ["error", { considerDefaultExhaustiveForUnions: true }],
      "@typescript-eslint/no-unused-vars": ["error", { argsIgnorePattern: "^_", varsIgnorePattern: "^_" }],
      // `while (true)` and `for (;;)` with a break inside read best for some loops.
      "@typescript-eslint/no-unnecessary-condition": ["error", { allowConstantLoopConditions: true }],
      // JSON and index signatures are read as record["key"], which the compiler demands.
      "@typescript-eslint/dot-notation": "off",
      // Data is `interface`, unions are `type`; where both would do the reader does not care.
      "@typescript-eslint/consistent-type-definitions": "off",
      // Open and recursive shapes read well as interfaces with an index signature.
      "@typescript-eslint/consistent-indexed-object-style": "off",
      // It asks for `!`, which no-non-null-assertion forbids: `as` says what the value is.
      "@typescript-eslint/non-nullable-type-assertion-style": "off",
      // `() => stop()` is clear where the caller ignores results.
      "@typescript-eslint/no-confusing-void-expression": ["error", { ignoreArrowShorthand: true }],
      // Node hands out sockets as their base class, and says which they are in its documentation only.
      "@typescript-eslint/no-unsafe-class-instance-assignment": "off",
      // Tests and drivers implement async contracts with immediate answers.
      "@typescript-eslint/require-await": "off",
    },
  },
  {
    files: ["providers/{calendar,forecast,plan}/**/*.ts", "sdk/{arguments,model}/**/*.ts"],
    ignores: ["providers/plan/{plan-in-worker,worker}.ts"],
    rules: {
      "no-restricted-syntax": ["error", ...NAMED_EXPORTS, ...AMBIENT_TIME, ...AMBIENT_CHANCE, ...AMBIENT_PROCESS],
    },
  },
  {
    files: ["providers/{execute,runner,journal,guard,verify}/**/*.ts"],
    rules: { "no-restricted-syntax": ["error", ...NAMED_EXPORTS, ...AMBIENT_TIME, ...AMBIENT_CHANCE] },
  },
  {
    files: ["test/**/*.ts", "bench/**/*.ts"],
    rules: {
      // `const { promise, resolve } = Promise.withResolvers()` and fakes made of plain functions.
      "@typescript-eslint/unbound-method": "off",
    },
  },
  {
    // AssemblyScript: looks like TypeScript, has other types and is compiled by asc.
    files: ["**/assembly/*.ts"],
    extends: [tseslint.configs.disableTypeChecked],
    languageOptions: { parserOptions: { projectService: false } },
    // Exported tables are set from outside, by the name of the export.
    rules: { "no-undef": "off", "no-self-compare": "off", "prefer-const": "off" },
  },
  {
    // Plain JavaScript: scripts, configuration and example workloads.
    files: ["**/*.{js,mjs,cjs}"],
    languageOptions: {
      globals: Object.fromEntries(
        [
          "process",
          "console",
          "Buffer",
          "URL",
          "setTimeout",
          "clearTimeout",
          "setInterval",
          "clearInterval",
          "setImmediate",
          "fetch",
          "performance",
          "AbortController",
          "AbortSignal",
          "structuredClone",
          "TextDecoder",
          "TextEncoder",
        ].map((name) => [name, "readonly"]),
      ),
    },
  },
);
