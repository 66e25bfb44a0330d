/** The load generator and the check of the ledger, for the benchmark and the quickstart. */
export type { LoadFailure, LoadOptions, LoadProgress, LoadResult, PhaseResult } from "./load-contract";
export { startLoad, type RunningLoad } from "./start-load";
export { verifyLedger, type LedgerVerdict } from "./verify-ledger";
