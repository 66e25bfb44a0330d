/**
 * What the search knows of a model and never changes: sizes, and where its tables begin. ../search-state.ts sets them by
 * name before anything else is called. P, M, R, B: numbers of processes, machines,
 * resources, balances.
 */

export let processes: i32 = 0;
export let machines: i32 = 0;
export let resources: i32 = 0;
export let balances: i32 = 0;
export let locations: i32 = 0;
export let neighbourhoods: i32 = 0;
export let machineClasses: i32 = 0;
export let distanceClasses: i32 = 0;
export let hasForbidden: i32 = 0;
export let hasPins: i32 = 0;
export let hasPlacementCosts: i32 = 0;
export let serviceMoveWeight: f64 = 0;
/** A missing dependency weighs as much as a mean requirement above capacity. */
export let missingWeight: f64 = 0;

/** `f64[p * R + r]` requirement. */
export let need: usize = 0;
/**
 * `f64[r * 2]` share of a requirement that a process's coming and going changes on a machine's safety, and behind it on
 * its capacity: all of it, but nothing on the capacity of its origin where the resource is transient.
 */
export let endsAway: usize = 0;
export let endsAtHome: usize = 0;
/**
 * `f64[r * 2]` what a unit above safety costs, and behind it the excess of a unit above capacity: one mean requirement of
 * any resource weighs the same.
 */
export let units: usize = 0;
/** `f64[m]`. */
export let openCost: usize = 0;
/** `i32[m]`. */
export let location: usize = 0;
/** `i32[m]`. */
export let neighbourhood: usize = 0;
/** `i32[m]`. */
export let machineClass: usize = 0;
/** `i32[m]`. */
export let distanceClass: usize = 0;
/** `i32[p]` -1 for none. */
export let origin: usize = 0;
/** `i32[p]`. */
export let service: usize = 0;
/** `i32[p]`. */
export let placementGroup: usize = 0;
/** `u8[p]`. */
export let pinned: usize = 0;
/** `f64[p]` of a process that is away, wherever it is. */
export let processCost: usize = 0;
/** `f64[from * classes + to]` of the way. */
export let distanceCost: usize = 0;
/** `f64[group * classes + class]`, Infinity where it is forbidden. */
export let placementCost: usize = 0;

/** `i32[s]` of what the service depends on: from `dependsOnStart[s]` to `dependsOnStart[s + 1]`. */
export let dependsOnStart: usize = 0;
export let dependsOn: usize = 0;
/** `i32[s]` of what depends on the service. */
export let dependentStart: usize = 0;
export let dependents: usize = 0;
/** `i32[s]`. */
export let perMachine: usize = 0;
/** `i32[s]`. */
export let spreadMin: usize = 0;
/** `i32[s]` rows of the counts of services (services.ts), -1 where the service has no such rule. */
export let machineRow: usize = 0;
export let locationRow: usize = 0;
export let neighbourhoodRow: usize = 0;

/** `i32[p]` first word of the bits of its places, -1 where it may be anywhere. */
export let placeRow: usize = 0;
/** `u32`. */
export let placeBits: usize = 0;
/** `i32[p]` its places, where they are few: from `placeStart[p]` to `placeStart[p + 1]`. */
export let placeStart: usize = 0;
export let placeItems: usize = 0;

/** `f64[p * B + b]` what a process that comes takes off a balance. */
export let balanceShare: usize = 0;
/** `f64[b]`. */
export let balanceWeight: usize = 0;
