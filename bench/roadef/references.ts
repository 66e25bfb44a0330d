/** Published costs of the challenge's instances, to set results beside. Sources: see the columns. */

export interface Reference {
  /** Load and balance costs that cannot be avoided, from totals of requirement and safety. */
  readonly lowerBound: number;
  /** Best cost known from publications. */
  readonly reference: number;
  /** The winner of 2012 (team S41, C++), with 60 s on a machine like the one results here come from. */
  readonly winner60?: number;
  /** The same with the 300 s of the challenge, in 2012. */
  readonly winner300: number;
  /** What a minute should reach. */
  readonly goal: number;
}

/** Within 0.05 % of a cost. */
const near = (cost: number): number => Math.floor(cost * 1.0005);

export const REFERENCES: Readonly<Record<string, Reference>> = {
  a1_4: {
    lowerBound: 242_387_530,
    reference: 247_433_844,
    winner60: 267_971_730,
    winner300: 262_125_116,
    goal: 262_125_116,
  },
  a2_2: {
    lowerBound: 13_590_090,
    reference: 720_671_548,
    winner60: 756_492_191,
    winner300: 746_097_632,
    goal: 746_097_632,
  },
  a2_3: { lowerBound: 521_441_700, reference: 1_190_713_414, winner300: 1_210_644_572, goal: 1_210_644_572 },
  a2_5: { lowerBound: 307_035_180, reference: 309_714_522, winner300: 318_358_949, goal: 318_358_949 },
  b_1: {
    lowerBound: 3_290_754_940,
    reference: 3_307_124_603,
    winner60: 3_500_176_245,
    winner300: 3_353_533_859,
    goal: 3_353_533_859,
  },
  b_2: { lowerBound: 1_015_153_860, reference: 1_015_517_386, winner300: 1_015_569_276, goal: near(1_015_569_276) },
  b_3: {
    lowerBound: 156_631_070,
    reference: 156_835_787,
    winner60: 160_008_955,
    winner300: 157_091_678,
    goal: near(157_091_678),
  },
  b_4: { lowerBound: 4_677_767_120, reference: 4_677_817_475, winner300: 4_677_962_661, goal: near(4_677_962_661) },
  b_5: { lowerBound: 922_858_550, reference: 922_988_809, winner300: 924_769_283, goal: near(924_769_283) },
  b_6: { lowerBound: 9_525_841_820, reference: 9_525_857_752, winner300: 9_525_888_445, goal: near(9_525_888_445) },
  b_8: { lowerBound: 1_214_153_440, reference: 1_214_419_057, winner300: 1_214_470_739, goal: near(1_214_470_739) },
  b_9: { lowerBound: 15_885_369_400, reference: 15_885_486_698, winner300: 15_885_647_774, goal: near(15_885_647_774) },
};
