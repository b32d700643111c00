// The multilayer perceptron on the CPU: forward, and back again, in float64.
import { product } from "../cpu/product.ts";
import { activationFunctions } from "./activation.ts";
import { type Dropout, dropped } from "./dropout.ts";
import type { Mlp } from "./model.ts";
import { addColumnSums, addProduct, type CpuBatch, type CpuPass, type Values } from "./pass_cpu.ts";

export function mlpPass({ layers }: Mlp, params: Values, { inputs, rows, step }: CpuBatch): CpuPass {
  const count = rows.length;
  const outputs = [inputs];
  /** Of each layer what its activation's derivative is formed from. */
  const kept: Float64Array[] = [];
  layers.forEach(({ inputs: ins, outputs: outs, weight, bias, activation, dropout }, l) => {
    const z = new Float64Array(count * outs);
    product(z, outputs[l]!, params(weight), { m: count, k: ins, n: outs });
    if (bias !== undefined) {
      const offsets = params(bias);
      for (let i = 0, j = 0; i < z.length; i++, j = j + 1 < outs ? j + 1 : 0) z[i]! += offsets[j]!;
    }
    const { value, keeps } = activationFunctions[activation];
    const y = activation === "linear" ? z : z.map(value);
    kept.push(keeps === "input" ? z : dropout ? y.slice() : y);
    if (dropout && step !== undefined) applyDropout(dropout, step, rows, y);
    outputs.push(y);
  });
  return {
    outputs: outputs[layers.length]!,
    backward(last, gradients) {
      let delta = last;
      for (let l = layers.length - 1; l >= 0; l--) {
        const { inputs: ins, outputs: outs, weight, bias } = layers[l]!;
        addProduct(gradients(weight), outputs[l]!, delta, { m: ins, k: count, n: outs }, { transposeA: true });
        if (bias !== undefined) addColumnSums(gradients(bias), delta);
        const before = layers[l - 1];
        if (!before) return;
        const next = new Float64Array(count * ins);
        product(next, delta, params(weight), { m: count, k: outs, n: ins }, { transposeB: true });
        if (before.dropout && step !== undefined) applyDropout(before.dropout, step, rows, next);
        const { slope } = activationFunctions[before.activation];
        const from = kept[l - 1]!;
        for (let i = 0; i < next.length; i++) next[i]! *= slope(from[i]!);
        delta = next;
      }
    },
  };
}

/** Sets what is dropped of the rows to zero, and divides the rest by the share that is kept. */
function applyDropout(dropout: Dropout, step: number, rows: Uint32Array, matrix: Float64Array): void {
  const width = matrix.length / rows.length;
  rows.forEach((row, m) => {
    dropped(dropout, step, row, width).forEach((gone, j) => {
      const i = m * width + j;
      matrix[i] = gone ? 0 : matrix[i]! / (1 - dropout.rate);
    });
  });
}
