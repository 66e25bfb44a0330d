/** `archipelago completion SHELL`: completion of commands, options and runs for bash, zsh and fish. */
import { defineCommand, UsageError, type Command } from "./command";
import { EXIT_CODES } from "./exit-codes";

const SHELLS = ["bash", "zsh", "fish"] as const;

/**
 * Prints a completion script. Commands and options are written into it; runs are asked of the store when they are
 * completed, without a word where there is none.
 * @param commandsOf all commands, this one included
 */
export function createCompletionCommand(commandsOf: () => readonly Command[]): Command {
  return defineCommand({
    name: "completion",
    summary: "print shell completion for bash, zsh or fish",
    about: `Completes commands, options and the names of runs.`,
    positionals: [{ name: "SHELL", completes: SHELLS }],
    options: { runs: { about: "print the names of the store's runs instead: what completion itself asks for" } },
    examples: [
      ["source <(archipelago completion bash)", "in ~/.bashrc"],
      ["source <(archipelago completion zsh)", "in ~/.zshrc, after compinit"],
      ["archipelago completion fish > ~/.config/fish/completions/archipelago.fish", "once"],
    ],
    async run({ options, positionals: [shell], isJson, terminal }) {
      const commands = commandsOf();
      if (options.runs) {
        for (const name of await runNames()) terminal.print(name);
        return EXIT_CODES.done;
      }
      const script = renderScript(shell ?? "", commands);
      if (isJson) terminal.printJson({ v: 1, shell, script });
      else terminal.print(script);
      return EXIT_CODES.done;
    },
  });
}

function renderScript(shell: string, commands: readonly Command[]): string {
  switch (shell) {
    case "bash":
      return renderBash(commands);
    case "zsh":
      return renderZsh(commands);
    case "fish":
      return renderFish(commands);
    default:
      throw new UsageError(`SHELL ("${shell}") must be ${SHELLS.join(", ")}; name one of these`);
  }
}

/** Names of updates and ids of runs; none where there is no store: completion must not disturb. */
async function runNames(): Promise<readonly string[]> {
  try {
    const { openStore } = await import("./store.js");
    const { listFamilies } = await import("../runner/run-family.js");
    const { store } = await openStore({ store: undefined, file: undefined });
    return (await listFamilies(store)).map(({ family }) => family);
  } catch {
    return [];
  }
}

/** Command that prints the runs, asked by the scripts. */
const ASK_RUNS = "archipelago completion bash --runs 2>/dev/null";

function flagsOf({ options }: Command): readonly string[] {
  return Object.keys(options).map((name) => `--${name}`);
}

/** Options whose value is a file or folder. */
function fileFlagsOf(commands: readonly Command[]): readonly string[] {
  const names = commands.flatMap(({ options }) =>
    Object.entries(options).flatMap(([name, { value }]) => (value === "FILE" ? [`--${name}`] : [])),
  );
  return [...new Set(names)].sort();
}

/** Shell words that complete the first argument of a command. */
function wordsOf({ positionals: [first] }: Command): string {
  const { completes } = first ?? {};
  if (completes === undefined || completes === "files") return "";
  return completes === "runs" ? `$(${ASK_RUNS})` : completes.join(" ");
}

function renderBash(commands: readonly Command[]): string {
  const cases = commands.map(
    (command) => `    ${command.name}) words="${flagsOf(command).join(" ")}"; names="${wordsOf(command)}" ;;`,
  );
  return `# bash completion of archipelago
_archipelago() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}" words="" names=""
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "${commands.map(({ name }) => name).join(" ")} --help --version" -- "$current"))
    return
  fi
  case "$previous" in
    ${fileFlagsOf(commands).join("|")}) COMPREPLY=($(compgen -f -- "$current")); return ;;
  esac
  case "\${COMP_WORDS[1]}" in
${cases.join("\n")}
  esac
  case "$current" in
    -*) COMPREPLY=($(compgen -W "$words" -- "$current")) ;;
    *) COMPREPLY=($(compgen -W "$names" -- "$current")) ;;
  esac
}
complete -o default -F _archipelago archipelago`;
}

function renderZsh(commands: readonly Command[]): string {
  const quote = (text: string): string => text.replace(/'/g, "'\\''").replace(/:/g, "\\:");
  const list = commands.map(({ name, summary }) => `    '${name}:${quote(summary)}'`);
  const cases = commands.map((command) => {
    const flags = Object.entries(command.options).map(([name, { value, about }]) => {
      const text = about.replace(/[[\]]/g, "").replace(/'/g, "'\\''").replace(/:/g, "\\:");
      const argument = value === undefined ? "" : `:${value}:${value === "FILE" ? "_files" : " "}`;
      return `'--${name}[${text}]${argument}'`;
    });
    const words = wordsOf(command);
    const first = words === "" ? [] : [`"*: :(${words})"`];
    return `    ${command.name}) _arguments ${[...flags, ...first].join(" ")} ;;`;
  });
  return `#compdef archipelago
_archipelago() {
  local -a commands
  commands=(
${list.join("\n")}
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  local command=$words[2]
  shift words
  (( CURRENT-- ))
  case $command in
${cases.join("\n")}
  esac
}
compdef _archipelago archipelago`;
}

function renderFish(commands: readonly Command[]): string {
  const quote = (text: string): string => `'${text.replace(/['\\]/g, "\\$&")}'`;
  const lines = commands.flatMap((command) => {
    const seen = `-n '__fish_seen_subcommand_from ${command.name}'`;
    const words = wordsOf(command).replace(/^\$\((.*)\)$/, "($1)");
    return [
      `complete -c archipelago -n __fish_use_subcommand -a ${command.name} -d ${quote(command.summary)}`,
      ...Object.entries(command.options).map(([name, { value, about }]) => {
        const argument = value === undefined ? "" : value === "FILE" ? " -r -F" : " -r";
        return `complete -c archipelago ${seen} -l ${name}${argument} -d ${quote(about)}`;
      }),
      ...(words === "" ? [] : [`complete -c archipelago ${seen} -a ${quote(words)}`]),
    ];
  });
  return ["# fish completion of archipelago", "complete -c archipelago -f", ...lines].join("\n");
}
