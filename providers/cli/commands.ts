/** All commands, in the order of the help: looking first, then steering, then the rest. */
import type { Command } from "./command";
import { planCommand } from "./plan";
import { reportCommand } from "./report";
import { statusCommand } from "./status";

export const COMMANDS: readonly Command[] = [statusCommand, planCommand, reportCommand];
