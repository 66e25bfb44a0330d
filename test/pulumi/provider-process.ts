/** The provider's part of `pulumi up` as a process of its own, for tests that interrupt it. Not a test itself. */
import { silentProgress } from "../../providers/clock";
import { performRun } from "../../providers/pulumi/perform-run";
import type { HostUpdateSpec } from "../../sdk/model";

const { spec, urn } = JSON.parse(process.argv[2] ?? "") as { readonly spec: HostUpdateSpec; readonly urn: string };
const progress = {
  ...silentProgress,
  line: (text: string) => {
    console.log(text);
  },
  warn: () => undefined,
  close: () => Promise.resolve(),
};
performRun({ v: "1", urn_: urn, spec }, progress).then(
  ({ outputs }) => {
    console.log(`ended ${outputs.phase}`);
    process.exit(0);
  },
  (error: unknown) => {
    console.log(`stopped ${String(error)}`);
    // The gRPC server of a real provider keeps the process alive; here a timer does.
    setInterval(() => undefined, 1000);
  },
);
