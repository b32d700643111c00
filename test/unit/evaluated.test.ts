// Which parameters are evaluated and returned, on the CPU; and by an optimizer's config alone.
import { expect, it } from "vitest";
import { evaluationRole } from "../../src/optimizer/evaluation_role.ts";
import { cpuEngine } from "../../src/train/engine.ts";
import { evaluatedLaw, optimizers } from "../evaluated.ts";
import { createCpuOptimizer } from "../optimizers.ts";
import { namedRules } from "../rules.ts";

evaluatedLaw(cpuEngine(), optimizers);

it.each(namedRules)("the role to use of %s is what it promises", (_, rule) => {
  const optimizer = createCpuOptimizer([{ name: "w", shape: [2, 2] }], { rule });
  expect(evaluationRole(optimizer, 0)).toBe("params");
  expect(evaluationRole(optimizer, 1)).toBe(rule.evaluation ? "evaluation" : "params");
});
