import { assertEachKindMet, chaosSuite, inEachStep } from "./chaos-scenario";

chaosSuite("chaos: a runner that is killed", {
  title: "goes on after a SIGKILL in the middle of each kind of step",
  incidents: inEachStep("runner-killed"),
  judge: assertEachKindMet,
});
