// A network's training step in typed-array loops written for speed, as one would write them by hand for one program: compared
// with our CPU reference in Node, as a whole here and part by part in cpu.bench.ts, and a reference point in the page. It shares
// no code with the library.
//
// A product copies both factors into panels, four lines of each, in depths that stay in the nearest cache; the inner loop keeps 4
// × 4 sums in local variables. Panels are float64, so that the loop converts nothing.
import type { Work } from "./network.ts";

interface PlainLayer {
  readonly inputs: number;
  readonly outputs: number;
  readonly weight: Float32Array;
  readonly bias: Float32Array;
}

export interface PlainNetwork {
  readonly layers: readonly PlainLayer[];
  /** One step on the batch; returns the loss before the update. */
  step(): number;
}

/** Element (line, depth) of a factor is at line · lineStride + depth · depthStride. */
interface Factor {
  readonly values: Float32Array;
  readonly lines: number;
  readonly lineStride: number;
  readonly depthStride: number;
}

const depthOfPanels = 256;

/** Copies `depth` entries of every line from `from` on, four lines to a panel; lines beyond the last are zero. */
function pack(
  { values, lines, lineStride, depthStride }: Factor,
  from: number,
  depth: number,
  panels: Float64Array,
): void {
  let to = 0;
  for (let line = 0; line < lines; line += 4) {
    const rest = Math.min(4, lines - line);
    const first = line * lineStride + from * depthStride;
    if (rest < 4) {
      panels.fill(0, to, to + 4 * depth);
      for (let r = 0; r < rest; r++) {
        for (let d = 0; d < depth; d++) panels[to + 4 * d + r] = values[first + r * lineStride + d * depthStride]!;
      }
    } else {
      const [second, third, fourth] = [first + lineStride, first + 2 * lineStride, first + 3 * lineStride];
      for (let d = 0, at = 0, p = to; d < depth; d++, at += depthStride, p += 4) {
        panels[p] = values[first + at]!;
        panels[p + 1] = values[second + at]!;
        panels[p + 2] = values[third + at]!;
        panels[p + 3] = values[fourth + at]!;
      }
    }
    to += 4 * depth;
  }
}

/** Adds the product of two panels to the 4 × 4 numbers in `tile`. */
function multiply(a: Float64Array, b: Float64Array, p: number, q: number, depth: number, tile: Float64Array): void {
  let [c00, c01, c02, c03] = [0, 0, 0, 0];
  let [c10, c11, c12, c13] = [0, 0, 0, 0];
  let [c20, c21, c22, c23] = [0, 0, 0, 0];
  let [c30, c31, c32, c33] = [0, 0, 0, 0];
  for (const end = p + 4 * depth; p < end; p += 4, q += 4) {
    const b0 = b[q]!;
    const b1 = b[q + 1]!;
    const b2 = b[q + 2]!;
    const b3 = b[q + 3]!;
    let x = a[p]!;
    c00 += x * b0;
    c01 += x * b1;
    c02 += x * b2;
    c03 += x * b3;
    x = a[p + 1]!;
    c10 += x * b0;
    c11 += x * b1;
    c12 += x * b2;
    c13 += x * b3;
    x = a[p + 2]!;
    c20 += x * b0;
    c21 += x * b1;
    c22 += x * b2;
    c23 += x * b3;
    x = a[p + 3]!;
    c30 += x * b0;
    c31 += x * b1;
    c32 += x * b2;
    c33 += x * b3;
  }
  tile[0] = c00;
  tile[1] = c01;
  tile[2] = c02;
  tile[3] = c03;
  tile[4] = c10;
  tile[5] = c11;
  tile[6] = c12;
  tile[7] = c13;
  tile[8] = c20;
  tile[9] = c21;
  tile[10] = c22;
  tile[11] = c23;
  tile[12] = c30;
  tile[13] = c31;
  tile[14] = c32;
  tile[15] = c33;
}

/** Products of matrices, with panels for both factors, allocated once. */
export class Products {
  #a = new Float64Array(0);
  #b = new Float64Array(0);
  readonly #tile = new Float64Array(16);

  /** out[a.lines, b.lines] = Σ over depth of a · b. */
  multiply(out: Float32Array, a: Factor, b: Factor, depth: number): void {
    const [m, n] = [a.lines, b.lines];
    const room = (lines: number) => 4 * Math.ceil(lines / 4) * Math.min(depth, depthOfPanels);
    if (this.#a.length < room(m)) this.#a = new Float64Array(room(m));
    if (this.#b.length < room(n)) this.#b = new Float64Array(room(n));
    const tile = this.#tile;
    for (let from = 0; from < depth; from += depthOfPanels) {
      const slice = Math.min(depthOfPanels, depth - from);
      pack(a, from, slice, this.#a);
      pack(b, from, slice, this.#b);
      for (let j = 0; j < n; j += 4) {
        for (let i = 0; i < m; i += 4) {
          multiply(this.#a, this.#b, i * slice, j * slice, slice, tile);
          const [rows, columns] = [Math.min(4, m - i), Math.min(4, n - j)];
          for (let r = 0; r < rows; r++) {
            const to = (i + r) * n + j;
            if (from === 0) for (let c = 0; c < columns; c++) out[to + c] = tile[4 * r + c]!;
            else for (let c = 0; c < columns; c++) out[to + c]! += tile[4 * r + c]!;
          }
        }
      }
    }
  }
}

/** The rows of a row-major matrix as lines, or its columns. */
export const rowsOf = (values: Float32Array, rows: number, columns: number): Factor => ({
  values,
  lines: rows,
  lineStride: columns,
  depthStride: 1,
});
export const columnsOf = (values: Float32Array, columns: number): Factor => ({
  values,
  lines: columns,
  lineStride: 1,
  depthStride: columns,
});

/** The norm over all tensors. */
export function normOfAll(tensors: readonly Float32Array[]): number {
  let sum = 0;
  for (const values of tensors) for (let i = 0; i < values.length; i++) sum += values[i]! * values[i]!;
  return Math.sqrt(sum);
}

/** AdamW's update number `steps`, from 1, of one tensor with its moments; its gradient is multiplied by `scale`. */
export function updateAdamw(
  { lr, beta1, beta2, eps, weightDecay }: Readonly<Record<keyof Work["hypers"], number>>,
  steps: number,
  p: Float32Array,
  gradients: Float32Array,
  m: Float32Array,
  v: Float32Array,
  scale = 1,
): void {
  const [scale1, scale2] = [1 / (1 - beta1 ** steps), 1 / (1 - beta2 ** steps)];
  const [keep, rest1, rest2] = [1 - lr * weightDecay, 1 - beta1, 1 - beta2];
  for (let i = 0; i < p.length; i++) {
    const g = scale * gradients[i]!;
    const first = beta1 * m[i]! + rest1 * g;
    const second = beta2 * v[i]! + rest2 * g * g;
    m[i] = first;
    v[i] = second;
    p[i] = keep * p[i]! - (lr * scale1 * first) / (Math.sqrt(second * scale2) + eps);
  }
}

export function createPlainNetwork(work: Work): PlainNetwork {
  const { batch, inputs, labels, hypers } = work;
  const products = new Products();
  const layers = work.layers.map(({ inputs: ins, outputs: outs, weight, bias }) => ({
    inputs: ins,
    outputs: outs,
    weight: weight.slice(),
    bias: bias.slice(),
    out: new Float32Array(batch * outs),
    delta: new Float32Array(batch * outs),
    weightGradient: new Float32Array(ins * outs),
    biasGradient: new Float32Array(outs),
    moments: [ins * outs, ins * outs, outs, outs].map((length) => new Float32Array(length)),
  }));
  let steps = 0;

  const forward = () => {
    let x = inputs;
    layers.forEach(({ inputs: ins, outputs: outs, weight, bias, out }, l) => {
      products.multiply(out, rowsOf(x, batch, ins), columnsOf(weight, outs), ins);
      const last = l === layers.length - 1;
      for (let row = 0, at = 0; row < batch; row++) {
        for (let j = 0; j < outs; j++, at++) {
          const sum = out[at]! + bias[j]!;
          out[at] = last || sum > 0 ? sum : 0;
        }
      }
      x = out;
    });
  };

  const lossAndDelta = () => {
    const { out, delta, outputs: classes } = layers[layers.length - 1]!;
    let total = 0;
    for (let row = 0, at = 0; row < batch; row++, at += classes) {
      let top = Number.NEGATIVE_INFINITY;
      for (let c = 0; c < classes; c++) top = Math.max(top, out[at + c]!);
      let sum = 0;
      for (let c = 0; c < classes; c++) sum += Math.exp(out[at + c]! - top);
      const label = labels[row]!;
      total += Math.log(sum) + top - out[at + label]!;
      for (let c = 0; c < classes; c++) {
        delta[at + c] = (Math.exp(out[at + c]! - top) / sum - (c === label ? 1 : 0)) / batch;
      }
    }
    return total / batch;
  };

  const backward = () => {
    for (let l = layers.length - 1; l >= 0; l--) {
      const { inputs: ins, outputs: outs, weight, delta, weightGradient, biasGradient } = layers[l]!;
      const before = layers[l - 1];
      products.multiply(weightGradient, columnsOf(before?.out ?? inputs, ins), columnsOf(delta, outs), batch);
      biasGradient.fill(0);
      for (let row = 0, at = 0; row < batch; row++) {
        for (let j = 0; j < outs; j++, at++) biasGradient[j]! += delta[at]!;
      }
      if (!before) return;
      products.multiply(before.delta, rowsOf(delta, batch, outs), rowsOf(weight, ins, outs), outs);
      for (let i = 0; i < before.delta.length; i++) if (!(before.out[i]! > 0)) before.delta[i] = 0;
    }
  };

  const update = () => {
    steps++;
    for (const { weight, bias, weightGradient, biasGradient, moments } of layers) {
      updateAdamw(hypers, steps, weight, weightGradient, moments[0]!, moments[1]!);
      updateAdamw(hypers, steps, bias, biasGradient, moments[2]!, moments[3]!);
    }
  };

  return {
    layers,
    step() {
      forward();
      const loss = lossAndDelta();
      backward();
      update();
      return loss;
    },
  };
}
