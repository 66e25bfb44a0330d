import { assertEachKindMet, chaosSuite } from "./chaos-scenario";
import { STEP_KINDS } from "./chaos-run";

chaosSuite("chaos: a runner that is killed", {
  title: "goes on after a SIGKILL in the middle of each kind of step",
  victim: "runner",
  kinds: STEP_KINDS,
  judge: assertEachKindMet,
});
