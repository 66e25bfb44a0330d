/**
 * Trains a network on windows in a seeded order, and keeps the parameters that did best on windows it was not trained
 * on.
 *
 * Not for: which windows there are (residual-lstm.ts).
 *
 * Invariant: the work is counted, not timed: the same windows and seed give the same parameters.
 *
 * Source: early stopping, Prechelt, "Early Stopping - But When?", 1998; the falling rate, Loshchilov and Hutter,
 * "SGDR", ICLR 2017.
 */
import type { Random } from "../random";
import type { LstmNetwork } from "./network";

/** Order of training. */
export interface TrainingPlan {
  /** Rows whose windows are learned from. */
  readonly training: Int32Array;
  /** Rows whose windows decide when to stop. */
  readonly heldBack: Int32Array;
  readonly epochs: number;
  /** Epochs without improvement after which training ends. */
  readonly patience: number;
}

/** How a training went. */
export interface TrainingRecord {
  /** Epochs that were run. */
  readonly epochs: number;
  /** The epoch whose parameters were kept, from 1 on; 0: none was better than the untrained network. */
  readonly bestEpoch: number;
  /** Mean loss on the windows held back, before training and at its best. */
  readonly lossBefore: number;
  readonly lossAtBest: number;
}

const WINDOWS_PER_STEP = 16;
const FIRST_RATE = 0.01;
const LAST_RATE_SHARE = 0.05;
/** Recurrent gradients explode now and then; one such step would throw away what was learned. */
const LARGEST_NORM = 1;

/** Trains in place; ends with the best parameters. */
export function trainNetwork(network: LstmNetwork, plan: TrainingPlan, random: Random): TrainingRecord {
  const order = plan.training.slice();
  const lossBefore = meanLoss(network, plan.heldBack);
  let best = { epoch: 0, loss: lossBefore, parameters: network.parameters.slice() };
  let epoch = 0;
  let turn = 0;
  const turns = plan.epochs * Math.ceil(order.length / WINDOWS_PER_STEP);
  while (epoch < plan.epochs && epoch - best.epoch < plan.patience) {
    epoch++;
    shuffle(order, random);
    for (let from = 0; from < order.length; from += WINDOWS_PER_STEP) {
      const batch = order.subarray(from, from + WINDOWS_PER_STEP);
      network.clearGradients();
      for (const row of batch) network.accumulate(row);
      const progress = turn / turns;
      turn++;
      const fall = LAST_RATE_SHARE + ((1 - LAST_RATE_SHARE) * (1 + Math.cos(Math.PI * progress))) / 2;
      network.update({ rate: FIRST_RATE * fall, windows: batch.length, largestNorm: LARGEST_NORM, turn });
    }
    const loss = meanLoss(network, plan.heldBack);
    if (loss < best.loss) best = { epoch, loss, parameters: network.parameters.slice() };
  }
  network.parameters.set(best.parameters);
  return { epochs: epoch, bestEpoch: best.epoch, lossBefore, lossAtBest: best.loss };
}

function meanLoss(network: LstmNetwork, rows: Int32Array): number {
  let sum = 0;
  for (const row of rows) sum += network.lossOf(row);
  return rows.length === 0 ? 0 : sum / rows.length;
}

/** Fisher and Yates. */
function shuffle(order: Int32Array, random: Random): void {
  for (let i = order.length - 1; i > 0; i--) {
    const j = random.below(i + 1);
    [order[i], order[j]] = [order[j] ?? 0, order[i] ?? 0];
  }
}
