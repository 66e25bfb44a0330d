import { strict as assert } from "node:assert";
import fc from "fast-check";
import { describe, it } from "mocha";
import { LONGEST_PLAIN, packSpec, unpackSpec } from "../../sdk/model";
import type { HostUpdateSpec, WorkloadPolicy } from "../../sdk/model";

describe("a spec as it travels", () => {
  it("comes back with every workload in its place, whichever are not known yet", () => {
    const list = fc.oneof(
      fc.array(fc.boolean(), { maxLength: 5 }),
      fc.array(fc.boolean(), { minLength: LONGEST_PLAIN - 2, maxLength: 3 * LONGEST_PLAIN }),
    );
    fc.assert(
      fc.property(fc.array(list, { minLength: 1, maxLength: 3 }), (known) => {
        const spec = specOf(known);
        const late = new Set(known.flatMap((one, island) => one.flatMap((yes, at) => (yes ? [] : [name(island, at)]))));
        const packed = packSpec(spec, (workload) => !late.has(workload.name));
        assert.deepEqual(unpackSpec(JSON.parse(JSON.stringify(packed)) as typeof packed), spec);
        packed.islands.forEach(({ workloads }, index) => {
          const texts = workloads.filter((item) => typeof item === "string");
          if ((known[index]?.length ?? 0) <= LONGEST_PLAIN) assert.deepEqual(texts, []);
          // What is not known yet is in no text.
          for (const text of texts) for (const one of late) assert.ok(!text.includes(`"${one}"`));
        });
      }),
    );
  });

  it("holds a hundred workloads a text, so that thousands are some dozen values", () => {
    const packed = packSpec(specOf([Array.from({ length: 5000 }, () => true)]), () => true);
    assert.equal(packed.islands[0]?.workloads.length, 50);
    assert.ok(packed.islands[0].workloads.every((item) => typeof item === "string"));
  });
});

function name(island: number, at: number): string {
  return `w-${String(island)}-${String(at)}-`;
}

/** A spec of islands with so many workloads each; the rest of it is not looked at. */
function specOf(islands: readonly (readonly boolean[])[]): HostUpdateSpec {
  const policyOf = (workload: string): WorkloadPolicy => ({
    name: workload,
    criticality: "normal",
    exclusive: false,
    maxPauseMs: 2000,
    hooks: {},
    dependsOn: [{ workload: 'a "quoted" one' }],
  });
  return {
    name: "kernel",
    islands: islands.map((workloads, island) => ({
      name: `island-${String(island)}`,
      workloads: workloads.map((_, at) => policyOf(name(island, at))),
    })),
  } as unknown as HostUpdateSpec;
}
