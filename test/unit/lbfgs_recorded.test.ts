// L-BFGS on the CPU beside the losses that torch's came to, and what is malformed of such a record.
import { describe, expect, it } from "vitest";
import { lbfgsCase, readLbfgsCases } from "../../src/lab/lbfgs.ts";
import { digitsDataset } from "../../src/objectives/data/digits.ts";
import { cpuEngine } from "../../src/train/engine.ts";
import { golden, goldenText } from "../golden.ts";

const { lbfgs } = golden<{ readonly lbfgs: readonly { readonly id: string }[] }>("curvature.json");
const digits = digitsDataset(goldenText("digits.json"));

describe("recorded runs of L-BFGS", () => {
  it.each(readLbfgsCases(lbfgs).map((entry) => [entry.id, entry] as const))(
    "%s: its losses are reached in 1.25 times its evaluations at most",
    async (_, entry) => {
      const result = await lbfgsCase(entry, cpuEngine(), digits);
      expect(result).toMatchObject({ ok: true });
      expect(result.worst).toBeLessThanOrEqual(1.25);
    },
  );

  const [smallest] = lbfgs as readonly Record<string, unknown>[];
  const [shortened] = readLbfgsCases([{ ...smallest, evaluations: (smallest!.evaluations as number[]).map(() => 1) }]);

  it("fail where they take more evaluations", async () => {
    const result = await lbfgsCase(shortened!, cpuEngine(), undefined);
    expect(result).toMatchObject({ id: "lbfgs-rosenbrock-2", ok: false, worst: null });
    expect(result.error).toMatch(/was not reached in \d evaluations; the recorded run took 1$/);
  });

  it("say why they cannot run", async () => {
    const model = readLbfgsCases(lbfgs).find(({ rows }) => rows !== undefined)!;
    expect((await lbfgsCase(model, cpuEngine(), undefined)).error).toBe("it takes 1000 rows; there is no data");
    const lacking = { ...model, params: {} };
    expect((await lbfgsCase(lacking, cpuEngine(), digits)).error).toContain('params["layer1.weight"] is missing');
  });

  it.each([
    [{ losses: [] }, "has 0 losses and 40 evaluations; they must be equally many"],
    [{ losses: ["low"] }, 'lbfgs["lbfgs-rosenbrock-2"].losses[0] is "low"; it must be a finite float32'],
    [{ history: 0.5 }, "history is 0.5; it must be a whole number >= 1"],
    [{ problem: { landscape: 3 } }, "problem.landscape is 3; it must be a name"],
    [{ problem: {} }, "problem.model is missing; it must be an object"],
  ])("refuse %j", (changed, message) => {
    expect(() => readLbfgsCases([{ ...smallest, ...changed }])).toThrow(message);
  });
});
