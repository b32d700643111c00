// The law of norms, on whichever engine: right wherever float32 holds them, and so is what is made of them.
import { expect, it } from "vitest";
import { openVectors } from "../src/engines/open_vectors.ts";
import { at, span } from "../src/engines/vectors.ts";
import { sharpness } from "../src/objectives/curvature/functions.ts";
import { createLandscape } from "../src/objectives/landscapes/index.ts";
import { quadratic } from "../src/objectives/landscapes/quadratic.ts";
import { initialTensors } from "../src/objectives/program.ts";
import { sgd } from "../src/rules/sgd.ts";
import { createTrainee, type Engine } from "../src/train/engine.ts";

export function normLaws(engine: Engine): void {
  const length = 5003;
  /** One value in three of each size. */
  const mixed = (...sizes: readonly number[]) =>
    Float32Array.from({ length }, (_, i) => (i % 2 === 0 ? 1 : -1) * (1 + (i % 7)) * sizes[i % sizes.length]!);
  it.each<[string, Float32Array]>([
    ["values of 1e25", mixed(1e25)],
    ["values of 1e-25", mixed(1e-25)],
    ["values of 1e-37 and nothing else", mixed(1e-37)],
    ["values of 1e36", mixed(1e36)],
    ["values of 1e25, 1 and 1e-25", mixed(1e25, 1, 1e-25)],
    ["values on either side of a scale's end", mixed(2 ** 48, 2 ** 46, 2 ** 49)],
    ["values on either side of the other one's", mixed(2 ** -48, 2 ** -50, 2 ** -47)],
    ["values of 1", mixed(1)],
    ["zeros", mixed(0)],
  ])("are right of %s", async (_, values) => {
    const optimizer = await engine.optimizer([{ name: "w", shape: [length] }], sgd());
    const space = await openVectors(optimizer, { scalars: 4 });
    const v = at(await space.create(1));
    space.write(v, [values]);
    space.norm(v, 3);
    const [found] = await space.scalars(3, 1);
    const wanted = Math.sqrt(values.reduce((sum, value) => sum + value ** 2, 0));
    expect(Math.abs(found![0]! - wanted)).toBeLessThanOrEqual(1e-6 * wanted);
    space.destroy();
    optimizer.destroy();
  });

  it("are not finite where a value is not, nor where float32 ends", async () => {
    const optimizer = await engine.optimizer([{ name: "w", shape: [length] }], sgd());
    const space = await openVectors(optimizer, { scalars: 4 });
    const v = at(await space.create(1));
    for (const wrong of [Number.NaN, Number.POSITIVE_INFINITY]) {
      const values = mixed(1e20, 1e-20);
      values[4999] = wrong;
      space.write(v, [values]);
      space.norm(v, 0);
      space.extent(v, 1);
      expect((await space.scalars(0, 3))[0]).toEqual(Float64Array.of(wrong, wrong, wrong));
    }
    // What is multiplied by 0 does not count.
    for (const wrong of [Number.NaN, Number.POSITIVE_INFINITY]) {
      const pair = await space.create(2);
      space.write(at(pair, 0), [new Float32Array(length).fill(wrong)]);
      space.write(at(pair, 1), [mixed(1)]);
      space.combine(v, 0, span(pair), [0, 1]);
      expect((await space.read(v))[0]).toEqual((await space.read(at(pair, 1)))[0]);
      space.write(v, [new Float32Array(length).fill(wrong)]);
      space.combine(v, 0, span(pair, 1), [1]);
      expect((await space.read(v))[0]).toEqual((await space.read(at(pair, 1)))[0]);
    }
    if (engine.backend === "webgpu") {
      space.write(v, [mixed(4e37)]);
      space.norm(v, 0);
      expect((await space.scalars(0, 1))[0]).toEqual(Float64Array.of(Number.POSITIVE_INFINITY));
    }
    space.destroy();
    optimizer.destroy();
  });

  it.each([1e25, 1])("make curvature right at parameters of %f", async (size) => {
    const landscape = createLandscape(quadratic({ spectrum: [1, 2, 3, 10] }));
    const tensors = initialTensors(landscape).map((tensor) => ({ ...tensor, data: [size, -size, size, size] }));
    const { objective, destroy } = await createTrainee(engine, landscape, tensors, sgd());
    const found = await sharpness(objective, { tolerance: 1e-3 });
    expect(found.converged).toBe(true);
    expect(Math.abs(found.value - 10)).toBeLessThan(0.01);
    destroy();
  });
}
