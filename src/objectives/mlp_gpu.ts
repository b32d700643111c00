// The multilayer perceptron on the GPU: a product for each layer forward, two for each back. On the way back the derivatives
// by a layer's outputs take the place of what the forward pass kept of them.
import type { CreateBuffer } from "../gpu/allocate.ts";
import { activationFunctions } from "./activation.ts";
import type { Mlp } from "./model.ts";
import { forwardStep, type GpuPass, gradientStep, type ProductStep, type Tensors } from "./pass_gpu.ts";
import type { Operand } from "./products.ts";

/** Makes the buffers of a pass over so many rows of all replicas. */
export function mlpPass(
  { layers }: Mlp,
  rows: number,
  replicas: number,
  inputs: Operand,
  tensors: Tensors,
  create: CreateBuffer,
): GpuPass {
  const matrix = (label: string, width: number): Operand => ({
    buffer: create(label, replicas * rows * width * 4),
    stride: rows * width,
  });
  const values = layers.map(({ outputs }, l) => matrix(`layer ${l + 1}`, outputs));
  /** Of activations whose derivative is formed from what went into them, that. */
  const before = layers.map(({ outputs, activation }, l) =>
    activationFunctions[activation].keeps === "input" ? matrix(`layer ${l + 1} before`, outputs) : undefined,
  );
  const deltas = values.map((value, l) => before[l] ?? value);
  const inputsOf = (l: number) => values[l - 1] ?? inputs;
  return {
    outputs: values[layers.length - 1]!,
    forward: (training) =>
      layers.map((layer, l) =>
        forwardStep(tensors, layer, rows, inputsOf(l), values[l]!, {
          preactivation: before[l],
          dropout: training ? layer.dropout : undefined,
        }),
      ),
    backward: (accumulate) =>
      [...layers.keys()].reverse().flatMap((l): readonly ProductStep[] => {
        const layer = layers[l]!;
        const gradient = gradientStep(tensors, layer, rows, inputsOf(l), deltas[l]!, accumulate);
        const previous = layers[l - 1];
        if (!previous) return [gradient];
        const { activation, dropout } = previous;
        const epilogue = { type: "delta", activation, ...(dropout ? { dropout } : {}) } as const;
        const product = { m: rows, n: layer.inputs, k: layer.outputs, transposeB: true, epilogue };
        return [gradient, { product, a: deltas[l]!, b: tensors("params", layer.weight), c: deltas[l - 1]! }];
      }),
  };
}
