// The recurrent network on the CPU: through time, and back again (Werbos 1990), in float64.
import { product } from "../cpu/product.ts";
import type { Rnn } from "./model.ts";
import { addColumnSums, addProduct, type CpuBatch, type CpuPass, type Values } from "./pass_cpu.ts";

export function rnnPass({ config, layers }: Rnn, params: Values, { inputs, rows }: CpuBatch): CpuPass {
  const count = rows.length;
  const { inputs: ins, steps, hidden, outputs: outs } = config;
  const [input, state, output] = layers;
  const sizes = { m: count, k: hidden, n: hidden };
  /** The inputs of each step, example after example. */
  const given = Array.from({ length: steps }, (_, t) => columns(inputs, ins * steps, t * ins, ins));
  /** The state before each step, and after the last. */
  const states = [new Float64Array(count * hidden)];
  for (let t = 0; t < steps; t++) {
    const h = new Float64Array(count * hidden);
    product(h, given[t]!, params(input.weight), { m: count, k: ins, n: hidden });
    addProduct(h, states[t]!, params(state.weight), sizes);
    addBias(h, state.bias, params);
    states.push(h.map(Math.tanh));
  }
  const logits = new Float64Array(count * outs);
  product(logits, states[steps]!, params(output.weight), { m: count, k: hidden, n: outs });
  addBias(logits, output.bias, params);
  return {
    outputs: logits,
    backward(delta, gradients) {
      addProduct(
        gradients(output.weight),
        states[steps]!,
        delta,
        { m: hidden, k: count, n: outs },
        { transposeA: true },
      );
      if (output.bias !== undefined) addColumnSums(gradients(output.bias), delta);
      let by = new Float64Array(count * hidden);
      product(by, delta, params(output.weight), { m: count, k: outs, n: hidden }, { transposeB: true });
      for (let t = steps; t > 0; t--) {
        const h = states[t]!;
        for (let i = 0; i < by.length; i++) by[i]! *= 1 - h[i]! * h[i]!;
        addProduct(gradients(input.weight), given[t - 1]!, by, { m: ins, k: count, n: hidden }, { transposeA: true });
        addProduct(
          gradients(state.weight),
          states[t - 1]!,
          by,
          { m: hidden, k: count, n: hidden },
          { transposeA: true },
        );
        if (state.bias !== undefined) addColumnSums(gradients(state.bias), by);
        if (t === 1) return;
        const before = new Float64Array(count * hidden);
        product(before, by, params(state.weight), sizes, { transposeB: true });
        by = before;
      }
    },
  };
}

function addBias(to: Float64Array, name: string | undefined, params: Values): void {
  if (name === undefined) return;
  const bias = params(name);
  for (let i = 0; i < to.length; i++) to[i]! += bias[i % bias.length]!;
}

/** Some columns of a row-major matrix. */
function columns(matrix: Float64Array, width: number, first: number, many: number): Float64Array {
  const part = new Float64Array((matrix.length / width) * many);
  for (let from = first, to = 0; to < part.length; from += width, to += many) {
    part.set(matrix.subarray(from, from + many), to);
  }
  return part;
}
