// A model's outputs for rows without answers on the CPU: its pass forward, a batch of rows at a time, in float64.
import type { Dataset } from "./data/dataset.ts";
import type { Model } from "./model.ts";
import { gathered } from "./model_cpu.ts";
import { rowsInOrder } from "./objective.ts";
import type { Values } from "./program.ts";
import { breathe } from "./turns.ts";

/** The rows whose outputs are to be computed. */
export type InputRows = Pick<Dataset, "count" | "features" | "inputs" | "scale">;

/** Rows that are computed at once. */
export const rowsPerPass = 4096;

/** The outputs of every row, in order, `model.outputs` numbers each; nothing is dropped. */
export async function outputsOnCpu(model: Model, params: Values, data: InputRows): Promise<Float64Array> {
  const { outputs: width, channels } = model;
  const found = new Float64Array(data.count * width);
  for (const rows of rowsInOrder(data.count, rowsPerPass)) {
    const { outputs } = model.cpuPass(params, { inputs: gathered(data, rows), rows, step: undefined });
    rows.forEach((row, m) => {
      // An example's outputs are followed by their derivatives by its inputs, if the model has them.
      for (let j = 0; j < width; j++) found[row * width + j] = outputs[m * width * channels + j * channels]!;
    });
    await breathe();
  }
  return found;
}
