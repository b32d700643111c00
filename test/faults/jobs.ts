// What the faults of a device are tried on: small jobs that use everything of the GPU engine, and give their whole outcome as
// text, so that an outcome that differs from the undisturbed one shows.

import { sweep } from "../../src/lab/sweep.ts";
import { arrayDataset } from "../../src/objectives/data/arrays.ts";
import { createLandscape } from "../../src/objectives/landscapes/index.ts";
import { createModel } from "../../src/objectives/models/index.ts";
import { createObjective } from "../../src/objectives/objective_gpu.ts";
import { initialTensors } from "../../src/objectives/program.ts";
import { loadCheckpoint, saveCheckpoint } from "../../src/optimizer/checkpoint.ts";
import type { OptimizerConfig } from "../../src/optimizer/config.ts";
import { adam, adamw } from "../../src/rules/adam.ts";
import { lamb } from "../../src/rules/lamb.ts";
import { muon } from "../../src/rules/muon.ts";
import { nadam } from "../../src/rules/nadam.ts";
import { webgpuEngine } from "../../src/train/engine.ts";
import type { RunConfig } from "../../src/train/run_config.ts";
import { train } from "../../src/train/train.ts";
import { createOptimizer } from "../optimizers.ts";

export interface Job {
  readonly name: string;
  /** Everything that came of it. */
  run(device: GPUDevice): Promise<string>;
}

const rows = 40;
const data = arrayDataset({
  inputs: Array.from({ length: rows }, (_, row) => Array.from({ length: 6 }, (_, i) => Math.sin(0.7 * (6 * row + i)))),
  labels: Array.from({ length: rows }, (_, row) => row % 3),
});

const runConfig: RunConfig = {
  model: { layers: [6, 9, 3] },
  optimizer: { rule: adamw, lr: 0.01, clip: { type: "globalNorm", maxNorm: 1 } },
  batch: 8,
  steps: 12,
  metric: { type: "testLoss", every: 6 },
  stop: { patience: 50 },
  watch: true,
};

const asJson = (value: unknown) =>
  JSON.stringify(value, (_, part) => {
    if (part instanceof Map) return [...part];
    if (ArrayBuffer.isView(part)) return Array.from(part as Float32Array);
    return part;
  });

function optimizerJob(name: string, config: OptimizerConfig): Job {
  const tensors = [
    { name: "w", shape: [5, 7], data: Array.from({ length: 35 }, (_, i) => Math.sin(i)) },
    { name: "b", shape: [7], data: new Array(7).fill(0.5) },
  ];
  const gradients = { w: tensors[0]!.data.map((x) => Math.cos(3 * x)), b: [1, 2, 3, 4, 5, 6, 7] };
  return {
    name,
    async run(device) {
      const optimizer = await createOptimizer(device, tensors, config);
      try {
        optimizer.write("gradients", gradients);
        for (let step = 0; step < 3; step++) optimizer.step();
        const params = await optimizer.read();
        const saved = await saveCheckpoint(optimizer);
        optimizer.step();
        await loadCheckpoint(optimizer, saved);
        optimizer.write("gradients", gradients);
        optimizer.step();
        return asJson([params, await optimizer.stats(), await optimizer.layers(), await optimizer.read()]);
      } finally {
        optimizer.destroy();
      }
    },
  };
}

export const jobs: readonly Job[] = [
  optimizerJob("an optimizer", {
    rule: nadam,
    clip: { type: "groupNorm", maxNorm: 1 },
    watch: true,
    ema: { decay: 0.9 },
    groups: [{ params: "b", lr: 0.01 }],
  }),
  optimizerJob("muon with a fallback", {
    rule: muon,
    fallback: { rule: lamb },
    accumulate: 2,
    watch: true,
    cautious: true,
  }),
  {
    name: "an objective",
    async run(device) {
      const model = createModel({ layers: [6, 9, 3], dropout: 0.1 });
      const optimizer = await createOptimizer(device, initialTensors(model), { rule: adamw, lr: 0.01 });
      try {
        const objective = await createObjective(optimizer, model, { data, batch: 8 });
        try {
          const batch = Uint32Array.from({ length: 8 }, (_, i) => 3 * i);
          const direction = Object.fromEntries(
            optimizer.segments.map(({ name, length }) => [name, new Float32Array(length).fill(0.1)]),
          );
          return asJson([
            await objective.gradient(batch),
            await objective.hessianVector(direction, { rows: batch }),
            await objective.step(batch),
            await objective.evaluate(data),
            await optimizer.read(),
          ]);
        } finally {
          objective.destroy();
        }
      } finally {
        optimizer.destroy();
      }
    },
  },
  {
    name: "a landscape",
    async run(device) {
      const landscape = createLandscape({ type: "rosenbrock", dimension: 4 });
      const tensors = initialTensors(landscape);
      const optimizer = await createOptimizer(device, tensors, { rule: adam, lr: 0.01 });
      try {
        const objective = await createObjective(optimizer, landscape);
        try {
          const first = await objective.step();
          await objective.step();
          return asJson([first, await optimizer.read()]);
        } finally {
          objective.destroy();
        }
      } finally {
        optimizer.destroy();
      }
    },
  },
  {
    name: "a training run",
    run: async (device) => {
      const { losses, testLoss, params, events, reason, skipped } = await train({
        engine: webgpuEngine(device),
        ...runConfig,
        data,
        test: data,
      });
      return asJson({ losses, testLoss, params, events, reason, skipped });
    },
  },
  {
    name: "a sweep",
    run: async (device) => {
      const {
        metric: _metric,
        stop: _stop,
        watch: _watch,
        ...config
      } = runConfig as RunConfig & Record<string, unknown>;
      const { trials } = await sweep({
        engine: webgpuEngine(device),
        ...(config as RunConfig),
        data,
        trials: [{ lr: 0.001 }, { lr: 0.01 }, { lr: 0.1 }],
        halving: null,
      });
      return asJson(trials.map(({ losses }) => losses));
    },
  },
];
