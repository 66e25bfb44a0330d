/**
 * The inner loop of the placement search in AssemblyScript, compiled to ../kernel-binary.ts by `npm run build:kernels`.
 *
 * An instance is one state of one model. ../search-state.ts puts the tables into its memory, sets the addresses and sizes
 * that are exported here by their names, and calls `begin`. Not for: models (../model.ts), temperatures and prices
 * (../anneal.ts), budgets and restarts (../search.ts).
 *
 * Invariants
 * 1. IEEE operations in a fixed order: the same tables, seed and calls give the same moves on every machine.
 * 2. No garbage: only the lists of machines grow, so that views of memory may have to be made anew after any move.
 */
export * from "./balances";
export * from "./incumbent";
export * from "./machines";
export * from "./move-costs";
export * from "./random";
export * from "./services";
export * from "./tables";
export * from "./walk";

/** @returns the address of so many bytes, all 0 */
export function allocate(bytes: i32): usize {
  const address = heap.alloc(bytes as usize);
  memory.fill(address, 0, bytes as usize);
  return address;
}
