// The recurrent network on the GPU: step after step through time, and back again. States and derivatives have a buffer for
// each step, since a dispatch may not read one part of a buffer and write another.
import type { CreateBuffer } from "../gpu/allocate.ts";
import type { Rnn } from "./model.ts";
import { forwardStep, type GpuPass, gradientStep, type ProductStep, type Tensors } from "./pass_gpu.ts";
import type { Operand } from "./products.ts";

/** Makes the buffers of a pass over so many rows, a multiple of 64, of all replicas; `inputs` holds a matrix for each step. */
export function rnnPass(
  { config, layers }: Rnn,
  rows: number,
  replicas: number,
  inputs: Operand,
  tensors: Tensors,
  create: CreateBuffer,
): GpuPass {
  const { steps, hidden, outputs } = config;
  const [input, state, output] = layers;
  const matrix = (label: string, columns: number): Operand => ({
    buffer: create(label, replicas * rows * columns * 4),
    stride: rows * columns,
  });
  /** The state before the first step, which is zero, then that after each. */
  const states = Array.from({ length: steps + 1 }, (_, t) => matrix(`state ${t}`, hidden));
  const deltas = Array.from({ length: steps }, (_, t) => matrix(`state ${t + 1}'s derivatives`, hidden));
  const logits = matrix("outputs", outputs);
  const inputsOf = (t: number): Operand => ({
    ...inputs,
    offset: t * rows * config.inputs * 4,
    size: rows * config.inputs * 4,
  });
  /** The derivatives by a state from those by what was made of it. */
  const deltaStep = (t: number, a: Operand, { weight, outputs: k }: Rnn["layers"][number]): ProductStep => {
    const epilogue = { type: "delta", activation: "tanh", from: states[t + 1]! } as const;
    const product = { m: rows, n: hidden, k, transposeB: true, epilogue };
    return { product, a, b: tensors("params", weight), c: deltas[t]! };
  };
  return {
    outputs: logits,
    forward: () => [
      ...deltas.flatMap((_, t) => [
        forwardStep(tensors, input, rows, inputsOf(t), states[t + 1]!),
        forwardStep(tensors, state, rows, states[t]!, states[t + 1]!, { accumulate: true }),
      ]),
      forwardStep(tensors, output, rows, states[steps]!, logits),
    ],
    backward: (accumulate) => [
      gradientStep(tensors, output, rows, states[steps]!, logits, accumulate),
      ...deltas.flatMap((_, i) => {
        const t = steps - 1 - i;
        const further = accumulate || i > 0;
        return [
          i === 0 ? deltaStep(t, logits, output) : deltaStep(t, deltas[t + 1]!, state),
          gradientStep(tensors, state, rows, states[t]!, deltas[t]!, further),
          gradientStep(tensors, input, rows, inputsOf(t), deltas[t]!, further),
        ];
      }),
    ],
  };
}
