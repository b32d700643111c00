// Muon's products on the GPU beside the twin: matrices of one shape that are multiplied together, among others of other shapes and
// sides, in replicas; and long matrices whose singular values float32 hardly holds.
import { describe, expect, it } from "vitest";
import { Random } from "../../src/base/random.ts";
import { createCpuOptimizer } from "../../src/engines/cpu/optimizer.ts";
import { createOptimizer } from "../../src/engines/gpu/optimizer.ts";
import type { OptimizerConfig } from "../../src/optimizer/config.ts";
import { muon } from "../../src/rules/muon.ts";
import { device } from "./setup.ts";

const random = new Random(3);

/** The largest difference of a step of the engines, by the largest parameter, which starts at 0. */
async function difference(
  tensors: readonly { readonly name: string; readonly shape: readonly [number, number]; readonly layout?: "out-in" }[],
  config: OptimizerConfig,
  gradients: Readonly<Record<string, Float32Array>>,
): Promise<number> {
  const gpu = await createOptimizer(device, tensors, config);
  const cpu = createCpuOptimizer(tensors, config);
  const replicas = config.replicas?.length ?? 1;
  let most = 0;
  for (const optimizer of [gpu, cpu]) {
    for (let replica = 0; replica < replicas; replica++) await optimizer.write("gradients", gradients, { replica });
    optimizer.step();
  }
  for (let replica = 0; replica < replicas; replica++) {
    const [found, want] = [await gpu.read("params", { replica }), await cpu.read("params", { replica })];
    for (const { name } of tensors) {
      const scale = Math.max(...want[name]!.map(Math.abs));
      expect(scale).toBeGreaterThan(0);
      for (const [i, value] of found[name]!.entries()) {
        const error = Math.abs(value - want[name]![i]!) / scale;
        // NaN must not pass for small.
        most = error <= most ? most : error;
      }
    }
  }
  gpu.destroy();
  cpu.destroy();
  return most;
}

describe("muon", () => {
  it.each([false, true])(
    "multiplies matrices of one shape together as one by one (polarExpress: %s)",
    async (polarExpress) => {
      const shape = { square: [8, 8], wide: [8, 20], tall: [20, 8] } as const;
      const tensors = [
        { name: "a", shape: shape.wide },
        { name: "b", shape: shape.square },
        { name: "c", shape: shape.wide, layout: "out-in" as const },
        { name: "d", shape: shape.tall },
        { name: "e", shape: shape.wide },
        { name: "f", shape: shape.square },
        { name: "g", shape: shape.tall },
        { name: "h", shape: shape.wide },
      ];
      const gradients = Object.fromEntries(
        tensors.map(({ name, shape: [rows, columns] }) => [
          name,
          Float32Array.from({ length: rows * columns }, () => random.normal()),
        ]),
      );
      const config = muon({ lr: 1, weightDecay: 0, polarExpress, replicas: [{}, { lr: 0.3 }] });
      expect(await difference(tensors, config, gradients)).toBeLessThan(2e-5);
    },
  );

  it("keeps singular values a thousandth of the largest, of a matrix whose steps are taken on its Gram matrix", async () => {
    const [rows, columns] = [16, 64];
    // Nearly of rank one: a large outer product and a small remainder.
    const [u, v] = [rows, columns].map((length) => Array.from({ length }, () => random.normal()));
    const w = Float32Array.from(
      { length: rows * columns },
      (_, i) => u![Math.floor(i / columns)]! * v![i % columns]! + 4e-3 * random.normal(),
    );
    const config = muon({ lr: 1, weightDecay: 0 });
    // Steps on the matrix itself end 2e-4 off, since what they begin with is rounded; five on one Gram matrix 1.5e-2.
    expect(await difference([{ name: "w", shape: [rows, columns] }], config, { w })).toBeLessThan(4e-4);
  });
});
