/** `archipelago kill on|off|status`: the one switch that stops all disruption on a store. */
import type { KillSwitch } from "../../sdk/model";
import { liftKillSwitch, readKillSwitch, setKillSwitch } from "../guard/kill-switch";
import { describePerson } from "./caller";
import { defineCommand, describeUnknown, UsageError } from "./command";
import { EXIT_CODES } from "./exit-codes";
import { openStore, STORE_OPTIONS } from "./store";

const WORDS = ["on", "off", "status"] as const;

/** Sets, lifts and shows the kill switch. */
export const killCommand = defineCommand({
  name: "kill",
  summary: "stop all disruption on a store, and let it go on",
  about: `While the switch is on, no run of the store begins a disruptive step: armed runs do not start, and runs under way
stop at the next step border, within 5 seconds even inside waits. What cannot be stopped halfway is brought to its end.
Recovery stays allowed: "cancel" and "recover" undo as always. Lifting it lets runs be carried on where they stopped.

The environment variables ARCHIPELAGO_KILL (any text but 0, false, off, no) and ARCHIPELAGO_KILL_FILE (a path: while the
file exists) stop one runner or one "pulumi up" without the store.`,
  positionals: [{ name: "on|off|status", completes: WORDS }],
  options: {
    ...STORE_OPTIONS,
    why: { value: "TEXT", about: "reason, for whoever looks at it; needed for on and off" },
  },
  examples: [
    ["archipelago kill on --why 'incident 4711'", "stop everything"],
    ["archipelago kill off --why 'incident 4711 is over'", "let it go on"],
  ],
  async run({ options, positionals: [word = ""], isJson, terminal }) {
    if (!WORDS.some((known) => known === word)) throw new UsageError(describeUnknown("word", word, WORDS));
    const why = options.why?.trim() ?? "";
    if (word !== "status" && why === "") {
      throw new UsageError(`--why is missing; say why the kill switch is turned ${word}, like --why 'incident 4711'`);
    }
    const { store } = await openStore(options);
    const show = (killed: KillSwitch | undefined, text: string): void => {
      if (isJson) terminal.printJson({ v: 1, store: store.url, isOn: killed !== undefined, ...toJson(killed) });
      else terminal.print(text);
    };
    if (word === "on") {
      const killed = await setKillSwitch(store, describePerson(), why);
      show(killed, `the kill switch of ${store.url} is ON: ${why}`);
    } else if (word === "off") {
      const lifted = await liftKillSwitch(store, describePerson(), why);
      show(
        undefined,
        lifted
          ? `the kill switch of ${store.url} is off; ${lifted.by} had turned it on: ${lifted.why}. Runners carry runs on by themselves; else run \`pulumi up\``
          : `the kill switch of ${store.url} was off already`,
      );
    } else {
      const killed = await readKillSwitch(store);
      const since = killed && Number.isFinite(killed.at) ? ` since ${new Date(killed.at).toISOString()}` : "";
      show(
        killed,
        killed
          ? `the kill switch of ${store.url} is ON${since}, by ${killed.by}: ${killed.why}`
          : `the kill switch of ${store.url} is off`,
      );
    }
    return EXIT_CODES.done;
  },
});

function toJson(killed: KillSwitch | undefined): object {
  if (!killed) return {};
  const { by, why, at } = killed;
  return { by, why, ...(Number.isFinite(at) ? { at: new Date(at).toISOString() } : {}) };
}
