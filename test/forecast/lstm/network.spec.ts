import { strict as assert } from "node:assert";
import { describe, it } from "mocha";
import { LstmNetwork } from "../../../providers/forecast/lstm/network";
import { trainNetwork } from "../../../providers/forecast/lstm/train";
import { createRandom } from "../../../providers/forecast/random";

const SHAPE = { inputs: 3, hidden: 8, outputs: 5, window: 7 } as const;
const ROWS = 40;

function createNetwork(seed: number): LstmNetwork {
  const random = createRandom(seed);
  const network = new LstmNetwork(SHAPE, ROWS);
  network.initialize(random);
  for (let row = 0; row < ROWS; row++) {
    network.setInputs(row, [random.normal(), random.normal(), random.normal()]);
    network.setTargets(row, [random.normal(), 3 * random.normal(), Number.NaN, random.normal(), 0]);
  }
  return network;
}

describe("the LSTM network", () => {
  it("has the gradients that finite differences give, for every parameter", () => {
    const network = createNetwork(3);
    const rows = [10, 25, 39];
    network.clearGradients();
    for (const row of rows) network.accumulate(row);
    const gradients = network.gradients.slice();
    const lossAt = (): number => rows.reduce((sum, row) => sum + network.lossOf(row), 0);
    const step = 5e-3;
    let worst = 0;
    let largest = 0;
    network.parameters.forEach((value, at) => {
      network.parameters[at] = value + step;
      const above = lossAt();
      network.parameters[at] = value - step;
      const below = lossAt();
      network.parameters[at] = value;
      worst = Math.max(worst, Math.abs((above - below) / (2 * step) - (gradients[at] ?? Number.NaN)));
      largest = Math.max(largest, Math.abs(gradients[at] ?? 0));
    });
    assert.ok(largest > 0.1, `gradients are ${String(largest)} at most`);
    assert.ok(worst < 2e-4, `off by ${String(worst)}`);
  });

  it("forecasts as the equations of the layer say", () => {
    const network = createNetwork(5);
    const { inputs, hidden, outputs, window } = SHAPE;
    const random = createRandom(5);
    network.initialize(random);
    const rows = Array.from({ length: ROWS }, () => Array.from({ length: inputs }, () => random.normal()));
    rows.forEach((row, index) => network.setInputs(index, row));
    const gates = 4 * hidden;
    const parameter = (row: number, column: number): number => network.parameters[row * gates + column] ?? 0;
    const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
    let state = new Array<number>(hidden).fill(0);
    let cell = new Array<number>(hidden).fill(0);
    for (const row of rows.slice(20 - window + 1, 21)) {
      const step = [...row, ...state, 1];
      const sum = (gate: number, unit: number): number =>
        step.reduce((total, value, j) => total + value * parameter(j, gate * hidden + unit), 0);
      cell = cell.map((value, i) => sigmoid(sum(1, i)) * value + sigmoid(sum(0, i)) * Math.tanh(sum(3, i)));
      state = cell.map((value, i) => sigmoid(sum(2, i)) * Math.tanh(value));
    }
    const head = (inputs + hidden + 1) * gates;
    const padded = 8;
    const said = network.predict(20);
    for (let k = 0; k < outputs; k++) {
      const expected = state.reduce(
        (sum, value, j) => sum + value * (network.parameters[head + j * padded + k] ?? 0),
        0,
      );
      assert.ok(Math.abs((said[k] ?? Number.NaN) - expected) < 1e-5, `output ${String(k)}`);
    }
  });

  it("is trained to the same bits by the same windows and seed", () => {
    const train = (): Float32Array => {
      const network = createNetwork(7);
      const rows = Int32Array.from({ length: 25 }, (_, i) => i + 7);
      const plan = { training: rows.subarray(0, 20), heldBack: rows.subarray(20), epochs: 3, patience: 3 };
      trainNetwork(network, plan, createRandom(1));
      return network.parameters.slice();
    };
    assert.deepEqual(train(), train());
  });

  it("keeps the parameters that did best on what was held back", () => {
    const network = createNetwork(9);
    const rows = Int32Array.from({ length: 30 }, (_, i) => i + 7);
    // Targets are noise: what is learned by heart does not hold.
    const plan = { training: rows.subarray(0, 20), heldBack: rows.subarray(20), epochs: 30, patience: 30 };
    const record = trainNetwork(network, plan, createRandom(2));
    const loss = plan.heldBack.reduce((sum, row) => sum + network.lossOf(row), 0) / plan.heldBack.length;
    assert.equal(record.epochs, 30);
    assert.ok(record.bestEpoch < 30 && record.lossAtBest <= record.lossBefore);
    assert.ok(Math.abs(loss - record.lossAtBest) < 1e-9);
  });

  it("never takes a step longer than its bound from one exploding gradient", () => {
    const network = createNetwork(11);
    const before = network.parameters.slice();
    network.clearGradients();
    network.gradients.fill(1e6);
    network.update({ rate: 0.01, windows: 1, largestNorm: 1, turn: 1 });
    network.parameters.forEach((value, at) => {
      assert.ok(Math.abs(value - (before[at] ?? 0)) <= 0.0101, `parameter ${String(at)}`);
    });
  });
});
