/**
 * Reads files of the ROADEF/EURO 2012 machine reassignment challenge, and writes assignments.
 *
 * Files of 5,000 machines hold 25 million move costs, so digits are read from the bytes, and machines whose rows of move
 * costs are alike share a class.
 */
import { createModel, type PlacementModel } from "../../providers/plan/search/model";

const ZERO = 48;
const NINE = 57;

/**
 * Reads an instance.
 * @throws Error when a file ends early or goes on after its end
 */
export function readInstance(modelText: Uint8Array, assignmentText: Uint8Array): PlacementModel {
  const next = numbersOf(modelText);
  const resources = next.one();
  const transient = new Uint8Array(resources);
  const loadWeight = new Float64Array(resources);
  for (let r = 0; r < resources; r += 1) {
    transient[r] = next.one();
    loadWeight[r] = next.one();
  }
  const machines = readMachines(next, resources);
  const services = next.one();
  const spreadMin = new Int32Array(services);
  const dependencies: [number, number][] = [];
  for (let service = 0; service < services; service += 1) {
    spreadMin[service] = next.one();
    for (let count = next.one(); count > 0; count -= 1) dependencies.push([service, next.one()]);
  }
  const processes = next.one();
  const service = new Int32Array(processes);
  const requirement = new Float64Array(processes * resources);
  const moveCost = new Float64Array(processes);
  for (let process = 0; process < processes; process += 1) {
    service[process] = next.one();
    for (let r = 0; r < resources; r += 1) requirement[process * resources + r] = next.one();
    moveCost[process] = next.one();
  }
  const balances = Array.from({ length: next.one() }, () => ({
    first: next.one(),
    second: next.one(),
    target: next.one(),
    weight: next.one(),
  }));
  const [processMoveWeight, serviceMoveWeight, machineMoveWeight] = [next.one(), next.one(), next.one()];
  next.end();
  const origin = readAssignment(assignmentText, processes);
  return createModel({
    resourceCount: resources,
    transient,
    loadWeight,
    ...machines,
    spreadMin,
    dependencies,
    service,
    requirement,
    moveCost,
    origin,
    balances,
    processMoveWeight,
    serviceMoveWeight,
    machineMoveWeight,
  });
}

/** Reads one machine per process. */
function readAssignment(text: Uint8Array, processes: number): Int32Array {
  const next = numbersOf(text);
  const assignment = Int32Array.from({ length: processes }, () => next.one());
  next.end();
  return assignment;
}

/** An assignment as the challenge writes it. */
export function renderAssignment(assignment: Int32Array): string {
  return `${assignment.join(" ")}\n`;
}

function readMachines(
  next: NumberReader,
  resources: number,
): Pick<PlacementModel, "neighbourhood" | "location" | "capacity" | "safety" | "distanceClass" | "distance"> {
  const machines = next.one();
  const neighbourhood = new Int32Array(machines);
  const location = new Int32Array(machines);
  const capacity = new Float64Array(machines * resources);
  const safety = new Float64Array(machines * resources);
  const distanceClass = new Int32Array(machines);
  const rows: Int32Array[] = [];
  const representatives: number[] = [];
  const classOfHash = new Map<number, number[]>();
  const row = new Int32Array(machines);
  for (let machine = 0; machine < machines; machine += 1) {
    neighbourhood[machine] = next.one();
    location[machine] = next.one();
    for (let r = 0; r < resources; r += 1) capacity[machine * resources + r] = next.one();
    for (let r = 0; r < resources; r += 1) safety[machine * resources + r] = next.one();
    let hash = 0;
    for (let other = 0; other < machines; other += 1) {
      const cost = next.one();
      row[other] = cost;
      hash = (Math.imul(hash, 31) + cost) | 0;
    }
    const alike = (classOfHash.get(hash) ?? []).find((index) => isSame(rows[index] ?? row, row));
    distanceClass[machine] = alike ?? rows.length;
    if (alike !== undefined) continue;
    classOfHash.set(hash, [...(classOfHash.get(hash) ?? []), rows.length]);
    representatives.push(machine);
    rows.push(row.slice());
  }
  // Rows alike is not enough: costs towards the machines of a class must be alike, too.
  const distance = new Int32Array(rows.length ** 2);
  for (const [from, costs] of rows.entries()) {
    for (const [to, machine] of representatives.entries()) distance[from * rows.length + to] = costs[machine] ?? 0;
    if (costs.every((cost, machine) => cost === distance[from * rows.length + (distanceClass[machine] ?? 0)])) continue;
    throw new Error("move costs differ between machines whose own move costs are alike");
  }
  return { neighbourhood, location, capacity, safety, distanceClass, distance };
}

function isSame(a: Int32Array, b: Int32Array): boolean {
  for (let index = 0; index < a.length; index += 1) if (a[index] !== b[index]) return false;
  return true;
}

interface NumberReader {
  one(): number;
  end(): void;
}

/** Whole numbers of a text, one after the other. */
function numbersOf(bytes: Uint8Array): NumberReader {
  const length = bytes.length;
  let position = 0;
  return {
    one: () => {
      while (position < length && !isDigit(bytes[position] as number)) position += 1;
      if (position >= length) throw new Error("the file ends early");
      let value = 0;
      for (; position < length && isDigit(bytes[position] as number); position += 1) {
        value = value * 10 + (bytes[position] as number) - ZERO;
      }
      return value;
    },
    end: () => {
      for (; position < length; position += 1) {
        if (isDigit(bytes[position] as number)) throw new Error("the file goes on after its end");
      }
    },
  };
}

function isDigit(byte: number): boolean {
  return byte >= ZERO && byte <= NINE;
}
