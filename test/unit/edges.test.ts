// Where float32 ends, on the host: no column of a row is what GPUs take for 0, or more than float32 holds.

import { describe, expect, it } from "vitest";
import { createCpuOptimizer } from "../../src/engines/cpu/optimizer.ts";
import { layoutSegments } from "../../src/optimizer/arena.ts";
import { Hypers } from "../../src/optimizer/hypers.ts";
import { createPlan } from "../../src/optimizer/plan.ts";
import { readConfig } from "../../src/optimizer/read_config.ts";
import { leastSingle, named, RowSource } from "../../src/optimizer/table.ts";
import { namedRules } from "../rules.ts";

const tensors = [{ name: "w", shape: [2, 2] }];
const segments = layoutSegments(tensors);

function rowsOf(config: object): readonly Record<string, number>[] {
  const plan = createPlan(readConfig(config), segments);
  const source = new RowSource(plan, new Hypers(plan), plan.ruleSets[0]!, 0);
  return [0, 1, 2, 50].map((step) => named(source, source.row(0, step)));
}

const isKept = (value: number) => value === 0 || (Math.abs(value) >= leastSingle && Math.abs(value) <= 3.5e38);

describe.each(namedRules)("the rows of %s", (_, rule) => {
  const hypers = Object.entries(rule.hypers);
  it.each([1e-37, 1e-40, 1e-320])("are the same for every GPU with hypers of %f", (value) => {
    for (const [hyper, { range }] of hypers) {
      if (range.integer || (range.max !== undefined && range.max < value)) continue;
      const config = { rule, [hyper]: value };
      const least = range.above ?? range.min ?? 0;
      if (least > 0) expect(() => rowsOf(config)).toThrow("it must be");
      else if (range.above === 0 && value < leastSingle) {
        expect(() => rowsOf(config)).toThrow(
          `${rule.name}.${hyper} is ${value} at step 0; it must be a number that float32 holds, from 2^-126 to 3.4e38`,
        );
      } else for (const row of rowsOf(config)) expect(Object.entries(row).filter(([, v]) => !isKept(v))).toEqual([]);
    }
  });

  it("have an eps that divides", () => {
    for (const [hyper] of hypers) {
      if (!/^eps/.test(hyper)) continue;
      for (const eps of [1e-40, (step: number) => (step > 0 ? 1e-40 : 1e-8)]) {
        for (const row of rowsOf({ rule, [hyper]: eps }).slice(1)) {
          if (hyper in row) expect(row[hyper]).toBeGreaterThanOrEqual(leastSingle);
        }
      }
    }
  });

  it("are refused where a hyper makes more of a column than float32 holds", () => {
    const beta = hypers.find(([hyper]) => hyper === "beta1");
    if (!beta) return;
    const config = { rule, lr: 1e38, beta1: 1 - 1e-9, weightDecay: 0 };
    const optimizer = createCpuOptimizer(tensors, readConfig(config));
    let refused = "";
    try {
      optimizer.step();
    } catch (error) {
      refused = (error as Error).message;
    }
    // Rules without bias correction have no such column.
    if (refused) expect(refused).toMatch(/ is \S+ at step 0, from its hypers; it must be a number that float32 holds/);
    optimizer.destroy();
  });
});
