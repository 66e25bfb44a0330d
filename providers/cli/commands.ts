/** All commands, in the order of the help: looking first, then steering, then the rest. */
import { approveCommand } from "./approve";
import { auditCommand } from "./audit";
import { backtestCommand } from "./backtest";
import { cancelCommand } from "./cancel";
import type { Command } from "./command";
import { createCompletionCommand } from "./completion";
import { forecastCommand } from "./forecast";
import { hostsCommand } from "./hosts";
import { killCommand } from "./kill";
import { pauseCommand } from "./pause";
import { planCommand } from "./plan";
import { recoverCommand } from "./recover";
import { reportCommand } from "./report";
import { resumeCommand } from "./resume";
import { runnerCommand } from "./runner";
import { simulateCommand } from "./simulate";
import { startCommand } from "./start";
import { statusCommand } from "./status";
import { waitCommand } from "./wait";

export const COMMANDS: readonly Command[] = [
  statusCommand,
  planCommand,
  simulateCommand,
  forecastCommand,
  backtestCommand,
  reportCommand,
  hostsCommand,
  approveCommand,
  startCommand,
  waitCommand,
  pauseCommand,
  resumeCommand,
  cancelCommand,
  recoverCommand,
  killCommand,
  runnerCommand,
  auditCommand,
  createCompletionCommand(() => COMMANDS),
];
