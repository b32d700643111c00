// Points on a landscape on the CPU: the reference of the kernels.
import type { Segment } from "../optimizer/arena.ts";
import { pointsName } from "./landscape.ts";
import type { Landscape } from "./landscapes/define.ts";
import type { CpuProgram, Values } from "./program.ts";

export function bindLandscapeToCpu(landscape: Landscape, { shape: [count] }: Segment): CpuProgram {
  const { dimension, term, slope } = landscape;
  const pointsOf = (values: Values) =>
    Array.from({ length: count! }, (_, point) =>
      values(pointsName).subarray(point * dimension, (point + 1) * dimension),
    );
  return {
    gradient(params, _rows, step, gradients) {
      const into = gradients(pointsName);
      let sum = 0;
      pointsOf(params).forEach((point, nth) => {
        for (let i = 0; i < dimension; i++) {
          sum += term(point, i, step);
          into[nth * dimension + i] = slope(point, i, step);
        }
      });
      return sum / count!;
    },
    atOnce: 1,
    evaluation: () => () => (params) => ({
      loss: pointsOf(params).reduce((sum, point) => sum + landscape.value(point), 0),
      hits: 0,
    }),
    penalty: () => 0,
    examples: count!,
    strides: { longest: 1e-3, enough: 1e-8 },
  };
}
