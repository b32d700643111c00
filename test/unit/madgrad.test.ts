// madgrad against three updates worked out by hand from the paper (Defazio and Jelassi 2021), since no golden case has it.
import { expect, it } from "vitest";
import { madgrad } from "../../src/rules/madgrad.ts";
import { createCpuOptimizer } from "../optimizers.ts";

it("makes the three updates that the formulas give in exact expressions", async () => {
  // lr 1, eps 0, momentum ½, x0 = 0 and gradients 1, -1, 2: λ = √t, so Σλg = 1, 1 - √2, 1 - √2 + 2√3, and
  // Σλg² = 1, 1 + √2, 1 + √2 + 4√3; z = -Σλg / ∛Σλg², and p goes half of the way to each z.
  const [r2, r3] = [Math.SQRT2, Math.sqrt(3)];
  const z = [-1, -(1 - r2) / Math.cbrt(1 + r2), -(1 - r2 + 2 * r3) / Math.cbrt(1 + r2 + 4 * r3)] as const;
  const expected = [z[0] / 2, z[0] / 4 + z[1] / 2, z[0] / 8 + z[1] / 4 + z[2] / 2];
  expect(expected[2]).toBeCloseTo(-0.7718561960172114, 15);
  const optimizer = createCpuOptimizer([{ name: "x", shape: [1] }], madgrad({ lr: 1, eps: 0, momentum: 0.5 }));
  for (const [i, gradient] of [1, -1, 2].entries()) {
    optimizer.write("gradients", { x: [gradient] });
    optimizer.step();
    // Storage is float32.
    expect((await optimizer.read()).x![0]).toBeCloseTo(expected[i]!, 6);
  }
});
