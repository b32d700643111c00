// The CPU reference beside plain float32 loops written for speed, at the sizes of 784-1024-256-10 with batches of 128: each
// form of product, AdamW's update, and a whole training step. `npx vitest bench --run bench/cpu.bench.ts`.
import { bench, describe } from "vitest";
import { createCpuOptimizer } from "../src/cpu/optimizer.ts";
import { product } from "../src/cpu/product.ts";
import { createModel, initialTensors } from "../src/objectives/model.ts";
import { createCpuObjective } from "../src/objectives/network_cpu.ts";
import { adamw } from "../src/rules/adam.ts";

const layers = [784, 1024, 256, 10] as const;
const batch = 128;
const options = { warmupIterations: 2, iterations: 8, time: 0, warmupTime: 0 };

const values = (length: number) => Float32Array.from({ length }, (_, i) => Math.sin(i * i));

type Product = (out: Float32Array, a: Float32Array, b: Float32Array, m: number, k: number, n: number) => void;

/** out = a · b: rows of b, four at a time, added to a row of the result. */
const plain: Product = (out, a, b, m, k, n) => addRows(out, a, b, m, k, n, k, 1);

/** out = aᵀ · b. */
const plainTransposedA: Product = (out, a, b, m, k, n) => addRows(out, a, b, m, k, n, 1, m);

function addRows(
  out: Float32Array,
  a: Float32Array,
  b: Float32Array,
  m: number,
  k: number,
  n: number,
  toRow: number,
  toNext: number,
) {
  out.fill(0);
  for (let row = 0; row < m; row++) {
    const to = row * n;
    let at = row * toRow;
    let i = 0;
    for (; i + 3 < k; i += 4, at += 4 * toNext) {
      const a0 = a[at]!;
      const a1 = a[at + toNext]!;
      const a2 = a[at + 2 * toNext]!;
      const a3 = a[at + 3 * toNext]!;
      const b0 = i * n;
      const b1 = b0 + n;
      const b2 = b1 + n;
      const b3 = b2 + n;
      for (let j = 0; j < n; j++) out[to + j]! += a0 * b[b0 + j]! + a1 * b[b1 + j]! + a2 * b[b2 + j]! + a3 * b[b3 + j]!;
    }
    for (; i < k; i++, at += toNext) for (let j = 0; j < n; j++) out[to + j]! += a[at]! * b[i * n + j]!;
  }
}

/** out = a · bᵀ: four sums at a time. */
const plainTransposedB: Product = (out, a, b, m, k, n) => {
  for (let row = 0; row < m; row++) {
    let column = 0;
    for (; column + 3 < n; column += 4) {
      let [s0, s1, s2, s3] = [0, 0, 0, 0];
      const b0 = column * k;
      const b1 = b0 + k;
      const b2 = b1 + k;
      const b3 = b2 + k;
      for (let i = 0; i < k; i++) {
        const x = a[row * k + i]!;
        s0 += x * b[b0 + i]!;
        s1 += x * b[b1 + i]!;
        s2 += x * b[b2 + i]!;
        s3 += x * b[b3 + i]!;
      }
      out[row * n + column] = s0;
      out[row * n + column + 1] = s1;
      out[row * n + column + 2] = s2;
      out[row * n + column + 3] = s3;
    }
    for (; column < n; column++) {
      let sum = 0;
      for (let i = 0; i < k; i++) sum += a[row * k + i]! * b[column * k + i]!;
      out[row * n + column] = sum;
    }
  }
};

function plainAdamw(p: Float32Array, g: Float32Array, m: Float32Array, v: Float32Array, t: number) {
  const stepSize = 1e-3 / (1 - 0.9 ** t);
  const sqrtBias2 = Math.sqrt(1 - 0.999 ** t);
  for (let i = 0; i < p.length; i++) {
    const x = g[i]!;
    const m1 = m[i]! + 0.1 * (x - m[i]!);
    const v1 = 0.999 * v[i]! + 0.001 * x * x;
    m[i] = m1;
    v[i] = v1;
    p[i] = (1 - 1e-5) * p[i]! - (stepSize * m1) / (Math.sqrt(v1) / sqrtBias2 + 1e-8);
  }
}

/** A network with relu and softmax cross-entropy, trained by AdamW, all of it in float32 arrays made beforehand. */
function plainTraining(data: Float32Array, labels: Uint8Array): () => void {
  const zeros = (length: number) => new Float32Array(length);
  const stages = layers.slice(1).map((outs, index) => {
    const ins = layers[index]!;
    const tensor = (data: Float32Array) => ({
      p: data,
      g: zeros(data.length),
      m: zeros(data.length),
      v: zeros(data.length),
    });
    return {
      ins,
      outs,
      weight: tensor(values(ins * outs).map((x) => x / Math.sqrt(ins))),
      bias: tensor(zeros(outs)),
      out: zeros(batch * outs),
      delta: zeros(batch * outs),
    };
  });
  let t = 0;
  return () => {
    let x = data;
    for (const { ins, outs, weight, bias, out } of stages) {
      plain(out, x, weight.p, batch, ins, outs);
      const last = outs === 10;
      for (let i = 0; i < out.length; i++) {
        const z = out[i]! + bias.p[i % outs]!;
        out[i] = last || z > 0 ? z : 0;
      }
      x = out;
    }
    const { out, delta } = stages[2]!;
    for (let row = 0; row < batch; row++) {
      let top = Number.NEGATIVE_INFINITY;
      for (let c = 0; c < 10; c++) top = Math.max(top, out[row * 10 + c]!);
      let total = 0;
      for (let c = 0; c < 10; c++) total += Math.exp(out[row * 10 + c]! - top);
      for (let c = 0; c < 10; c++) {
        const share = Math.exp(out[row * 10 + c]! - top) / total;
        delta[row * 10 + c] = (share - (c === labels[row] ? 1 : 0)) / batch;
      }
    }
    t++;
    for (let l = 2; l >= 0; l--) {
      const { ins, outs, weight, bias, delta } = stages[l]!;
      plainTransposedA(weight.g, l === 0 ? data : stages[l - 1]!.out, delta, ins, batch, outs);
      bias.g.fill(0);
      for (let i = 0; i < delta.length; i++) bias.g[i % outs]! += delta[i]!;
      if (l === 0) continue;
      const before = stages[l - 1]!;
      plainTransposedB(before.delta, delta, weight.p, batch, outs, ins);
      for (let i = 0; i < before.delta.length; i++) if (before.out[i]! <= 0) before.delta[i] = 0;
    }
    for (const { weight, bias } of stages) {
      for (const { p, g, m, v } of [weight, bias]) plainAdamw(p, g, m, v, t);
    }
  };
}

for (const [title, m, k, n, form, rival] of [
  ["forward", 128, 784, 1024, {}, plain],
  ["forward, last layer", 128, 256, 10, {}, plain],
  ["weights' gradient", 784, 128, 1024, { transposeA: true }, plainTransposedA],
  ["weights' gradient, last layer", 256, 128, 10, { transposeA: true }, plainTransposedA],
  ["inputs' gradient", 128, 256, 1024, { transposeB: true }, plainTransposedB],
  ["inputs' gradient, last layer", 128, 10, 256, { transposeB: true }, plainTransposedB],
] as const) {
  describe(`product, ${title}: ${m} × ${k} by ${k} × ${n}`, () => {
    const [a, b, narrow] = [values(m * k), values(k * n), new Float32Array(m * n)];
    const wide = new Float64Array(m * n);
    // As in training: what comes from a tensor is float32, the rest float64.
    const a64 = Float64Array.from(a);
    const right = "transposeA" in form ? Float64Array.from(b) : b;
    bench("product", () => product(wide, a64, right, { m, k, n }, form), options);
    bench("plain float32", () => rival(narrow, a, b, m, k, n), options);
  });
}

describe("AdamW over 1,068,810 parameters", () => {
  const length = 1_068_810;
  const optimizer = createCpuOptimizer([{ name: "w", shape: [length] }], adamw());
  optimizer.gradients.set(values(length));
  const [p, g, m, v] = [values(length), values(length), new Float32Array(length), new Float32Array(length)];
  let t = 0;
  bench("reference", () => optimizer.step(), options);
  bench("plain float32", () => plainAdamw(p, g, m, v, ++t), options);
});

describe("a training step of 784-1024-256-10, batch 128", () => {
  const inputs = values(batch * 784);
  const labels = Uint8Array.from({ length: batch }, (_, i) => i % 10);
  const model = createModel({ layers: [...layers] });
  const data = { name: "waves", count: batch, features: 784, classes: 10, inputs, scale: 1, labels };
  const objective = createCpuObjective(createCpuOptimizer(initialTensors(model), adamw()), model, data, batch);
  const rows = Uint32Array.from({ length: batch }, (_, i) => i);
  const step = plainTraining(inputs, labels);
  bench(
    "reference",
    async () => {
      await objective.step(rows);
    },
    options,
  );
  bench("plain float32", step, options);
});
