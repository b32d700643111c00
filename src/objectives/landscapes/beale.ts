// f(x, y) = Σ (cₖ - x (1 - yᵏ))² for k = 1, 2, 3 and c = 1.5, 2.25, 2.625: plains, and steep walls in the corners (Beale 1958).
import wgsl from "../../../shaders/landscapes/beale.wgsl?raw";
import { defineLandscape } from "./define.ts";

const targets = [1.5, 2.25, 2.625] as const;

/** For each k: the root of its square, that root's derivatives by x and by y, and the second one by y. */
function parts(x: number, y: number) {
  return targets.map((target, index) => {
    const k = index + 1;
    const share = 1 - y ** k;
    return {
      root: target - x * share,
      byX: -share,
      byY: x * k * y ** (k - 1),
      byXY: k * y ** (k - 1),
      byYY: k === 1 ? 0 : x * k * (k - 1) * y ** (k - 2),
    };
  });
}

/** Plains between steep walls, in two dimensions; least at (3, 0.5). */
export const beale = defineLandscape({
  type: "beale",
  formula: "(1.5 - x₁ + x₁x₂)² + (2.25 - x₁ + x₁x₂²)² + (2.625 - x₁ + x₁x₂³)², n = 2",
  least: "0 at (3, 0.5)",
  source: "Beale 1958",
  wgsl,
  options: {},
  create: () => ({
    dimension: 2,
    term(x, i) {
      const [first, second, third] = parts(x[0]!, x[1]!).map(({ root }) => root ** 2);
      return i === 0 ? first! + second! : third!;
    },
    slope: (x, i) => parts(x[0]!, x[1]!).reduce((sum, { root, byX, byY }) => sum + 2 * root * (i === 0 ? byX : byY), 0),
    curvature: (x, i, j) =>
      parts(x[0]!, x[1]!).reduce((sum, { root, byX, byY, byXY, byYY }) => {
        if (i !== j) return sum + 2 * (byX * byY + root * byXY);
        return sum + 2 * (i === 0 ? byX ** 2 : byY ** 2 + root * byYY);
      }, 0),
    minimum: 0,
    minima: () => [Float64Array.of(3, 0.5)],
    start: () => Float64Array.of(1, 1),
    domain: [
      [-4.5, 4.5],
      [-4.5, 4.5],
    ],
  }),
});
