// The recorded matrices of Muon as a model of this library would keep them: [in, out] for torch's [out, in].
import { type ReplayFile, readReplay } from "../src/lab/replay.ts";
import { goldenText } from "./golden.ts";

export function transposedMatrices(): ReplayFile {
  const { tensors, gradients, cases } = readReplay(goldenText("replay-matrices.json"));
  const shapes = new Map(tensors.map(({ name, shape }) => [name, shape as readonly [number, number]]));
  const turn = (name: string, values: ArrayLike<number>) => {
    const [rows, columns] = shapes.get(name)!;
    return Array.from({ length: rows * columns }, (_, i) => values[(i % rows) * columns + Math.floor(i / rows)]!);
  };
  const turnAll = (all: Readonly<Record<string, readonly number[]>>) =>
    Object.fromEntries(Object.entries(all).map(([name, values]) => [name, turn(name, values)]));
  return {
    tensors: tensors.map(({ name, shape, data }) => ({
      name,
      shape: shape.toReversed(),
      data: turn(name, data!),
      layout: "in-out",
    })),
    gradients: gradients.map(turnAll),
    cases: cases.map((entry) => ({
      ...entry,
      expected: entry.expected.map(({ step, params }) => ({ step, params: turnAll(params) })),
    })),
  };
}
