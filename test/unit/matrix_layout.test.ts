// Which side of a matrix is the output: Muon's factor goes by it, however the tensor lies and wherever it comes from.

import { describe, expect, it } from "vitest";
import { OptionError } from "../../src/base/errors.ts";
import { encodeSafetensors } from "../../src/base/safetensors.ts";
import { readReplay, replayCase } from "../../src/lab/replay.ts";
import { createModel } from "../../src/objectives/models/index.ts";
import { initialTensors } from "../../src/objectives/program.ts";
import type { OptimizerConfig } from "../../src/optimizer/config.ts";
import { loadTorch } from "../../src/optimizer/torch.ts";
import { muon } from "../../src/rules/muon.ts";
import { sgd } from "../../src/rules/sgd.ts";
import { goldenText } from "../golden.ts";
import { createCpuOptimizer } from "../optimizers.ts";
import { transposedMatrices } from "../transposed.ts";

const create: Parameters<typeof replayCase>[2] = async (tensors, config) => createCpuOptimizer(tensors, config);
const config: OptimizerConfig = { rule: muon, lr: 0.02, weightDecay: 0 };

/** The length of one step of a matrix of values that depend on its place alone. */
async function stepLength(shape: readonly [number, number], layout?: "in-out" | "out-in"): Promise<number> {
  const tensor = { name: "w", shape, ...(layout ? { layout } : {}) };
  const optimizer = createCpuOptimizer([tensor], config);
  const [rows, columns] = shape;
  const at = (input: number, output: number) => (Math.sin(12.9898 * input + 78.233 * output) * 43758.5453) % 1;
  const gradient = Array.from({ length: rows * columns }, (_, i) => {
    const [row, column] = [Math.floor(i / columns), i % columns];
    return layout === "out-in" ? at(column, row) : at(row, column);
  });
  optimizer.write("gradients", { w: gradient });
  optimizer.step();
  return Math.hypot(...(await optimizer.read()).w!);
}

describe("muon", () => {
  it("makes torch's steps on transposed matrices", async () => {
    const file = transposedMatrices();
    for (const entry of file.cases) expect((await replayCase(file, entry, create)).ok).toBe(true);
    // So it is the tensors' layout that makes the difference.
    const wrong = { ...file, tensors: file.tensors.map((tensor) => ({ ...tensor, layout: "out-in" as const })) };
    for (const entry of file.cases) expect((await replayCase(wrong, entry, create)).ok).toBe(false);
  });

  it.each([
    [16, 64],
    [64, 16],
    [32, 32],
  ])("steps alike with %d inputs and %d outputs in either layout", async (inputs, outputs) => {
    const [plain, said, turned] = await Promise.all([
      stepLength([inputs, outputs]),
      stepLength([inputs, outputs], "in-out"),
      stepLength([outputs, inputs], "out-in"),
    ]);
    expect(said).toBe(plain);
    expect(turned / plain).toBeCloseTo(1, 5);
    // Of an orthogonal matrix, whose singular values Newton–Schulz brings near 1.
    const orthogonal = 0.02 * Math.sqrt(Math.min(inputs, outputs)) * Math.sqrt(Math.max(1, outputs / inputs));
    expect(plain / orthogonal).toBeGreaterThan(0.7);
    expect(plain / orthogonal).toBeLessThan(1.2);
  });

  it("has it right for models of this library, and for torch's weights that were transposed into them", async () => {
    const tensors = initialTensors(createModel({ layers: [16, 64], bias: false }), { seed: 0 });
    const optimizer = createCpuOptimizer(tensors, config);
    // As torch keeps it: [64, 16].
    const data = Float32Array.from({ length: 1024 }, (_, i) => Math.cos(i));
    const name = tensors[0]!.name;
    const file = encodeSafetensors({
      metadata: {},
      tensors: new Map([name, `${name}.momentum_buffer`].map((key) => [key, { shape: [64, 16], data }])),
    });
    await loadTorch(optimizer, file, { transpose: "*" });
    const torch = createCpuOptimizer([{ name, shape: [64, 16], layout: "out-in" }], config);
    await loadTorch(torch, file);
    optimizer.step();
    torch.step();
    const [ours, theirs] = [(await optimizer.read())[name]!, (await torch.read())[name]!];
    const largest = ours.reduce((most, value, i) => {
      return Math.max(most, Math.abs(value - theirs[(i % 64) * 16 + Math.floor(i / 64)]!));
    }, 0);
    expect(largest).toBeLessThan(1e-6);
  });
});

describe("a layout", () => {
  it("is one of two, and adaptive clipping takes only one of them", () => {
    const tensor = { name: "w", shape: [2, 3], layout: "oi" as "out-in" };
    expect(() => createCpuOptimizer([tensor], config)).toThrow(
      /^tensors\[0\]\.layout is "oi"; it must be one of in-out, out-in$/,
    );
    const clipped: OptimizerConfig = { rule: sgd, clip: { type: "adaptive", clipping: 0.1 } };
    expect(() => createCpuOptimizer([{ ...tensor, layout: "out-in" }], clipped)).toThrow(OptionError);
    createCpuOptimizer([{ name: "b", shape: [3], layout: "out-in" }], clipped);
  });

  it("of a replay is what its file says", () => {
    const file = JSON.parse(goldenText("replay-matrices.json"));
    file.tensors["layer1.weight"].layout = "in-out";
    expect(readReplay(JSON.stringify(file)).tensors.map(({ layout }) => layout)).toEqual(["in-out", undefined]);
    file.tensors["layer1.weight"].layout = "x";
    expect(() => readReplay(JSON.stringify(file))).toThrow(/layout is "x"; it must be "in-out" or "out-in"/);
  });
});
