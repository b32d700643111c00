// The parts of a training step on the CPU reference, next to those of plain_loops.ts, at the sizes of 784-1024-256-10 with
// batches of 128: each form of product, and AdamW's update. `npx vitest bench --run bench/cpu.bench.ts`; the whole step is a case
// of `npm run bench`.
import { bench, describe } from "vitest";
import { createCpuOptimizer } from "../src/engines/cpu/optimizer.ts";
import { product } from "../src/engines/cpu/product.ts";
import { adamw } from "../src/rules/adam.ts";
import { hypers } from "./network.ts";
import { columnsOf, Products, rowsOf, updateAdamw } from "./plain_loops.ts";

const options = { warmupIterations: 2, iterations: 8, time: 0, warmupTime: 0 };

const values = (length: number) => Float32Array.from({ length }, (_, i) => Math.sin(i * i));

for (const [title, m, k, n, form] of [
  ["forward", 128, 784, 1024, {}],
  ["forward, last layer", 128, 256, 10, {}],
  ["weights' gradient", 784, 128, 1024, { transposeA: true }],
  ["weights' gradient, last layer", 256, 128, 10, { transposeA: true }],
  ["inputs' gradient", 128, 256, 1024, { transposeB: true }],
  ["inputs' gradient, last layer", 128, 10, 256, { transposeB: true }],
] as const) {
  describe(`product, ${title}: ${m} × ${k} by ${k} × ${n}`, () => {
    const [a, b, narrow] = [values(m * k), values(k * n), new Float32Array(m * n)];
    const wide = new Float64Array(m * n);
    // As in training: values of tensors are float32, the rest float64.
    const a64 = Float64Array.from(a);
    const right = "transposeA" in form ? Float64Array.from(b) : b;
    bench("product", () => product(wide, a64, right, { m, k, n }, form), options);
    const plain = new Products();
    const left = "transposeA" in form ? columnsOf(a, m) : rowsOf(a, m, k);
    const lines = "transposeB" in form ? rowsOf(b, n, k) : columnsOf(b, n);
    bench("plain float32", () => plain.multiply(narrow, left, lines, k), options);
  });
}

describe("AdamW over 1,068,810 parameters", () => {
  const length = 1_068_810;
  const optimizer = createCpuOptimizer([{ name: "w", shape: [length] }], adamw());
  optimizer.gradients.set(values(length));
  const [p, g, m, v] = [values(length), values(length), new Float32Array(length), new Float32Array(length)];
  let steps = 0;
  bench("reference", () => optimizer.step(), options);
  bench("plain float32", () => updateAdamw(hypers, ++steps, p, g, m, v), options);
});
