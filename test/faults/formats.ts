// Damaged files of every format that fallline reads. A reader must refuse a mutant with an error of the library's or take it;
// it must not throw anything else, hang, eat memory, or change what it was to be loaded into.

import { FalllineError } from "../../src/base/errors.ts";
import { decodeSafetensors, encodeSafetensors } from "../../src/base/safetensors.ts";
import { readRecorded } from "../../src/lab/gradients.ts";
import { readReplay, replayCase } from "../../src/lab/replay.ts";
import { arrayDataset } from "../../src/objectives/data/arrays.ts";
import { parseCsv } from "../../src/objectives/data/csv.ts";
import { digitsDataset } from "../../src/objectives/data/digits.ts";
import { idxDataset } from "../../src/objectives/data/idx.ts";
import { createLandscape } from "../../src/objectives/landscapes/index.ts";
import { createModel } from "../../src/objectives/models/index.ts";
import { loadCheckpoint, saveCheckpoint } from "../../src/optimizer/checkpoint.ts";
import type { OptimizerConfig } from "../../src/optimizer/config.ts";
import type { Optimizer } from "../../src/optimizer/optimizer.ts";
import { configOf } from "../../src/optimizer/plan_config.ts";
import { readConfig } from "../../src/optimizer/read_config.ts";
import { loadTorch } from "../../src/optimizer/torch.ts";
import { adafactor } from "../../src/rules/adafactor.ts";
import { adamw } from "../../src/rules/adam.ts";
import { lion } from "../../src/rules/lion.ts";
import { muon } from "../../src/rules/muon.ts";
import { nadam } from "../../src/rules/nadam.ts";
import { prodigy } from "../../src/rules/prodigy.ts";
import { sgd } from "../../src/rules/sgd.ts";
import { cosine } from "../../src/schedules/cosine.ts";
import { cosineRestarts } from "../../src/schedules/cosine_restarts.ts";
import { exponential } from "../../src/schedules/exponential.ts";
import { linear } from "../../src/schedules/linear.ts";
import { multiStep } from "../../src/schedules/multi_step.ts";
import { oneCycle } from "../../src/schedules/one_cycle.ts";
import { piecewise } from "../../src/schedules/piecewise.ts";
import { plateau } from "../../src/schedules/plateau.ts";
import { product } from "../../src/schedules/product.ts";
import { readSchedule } from "../../src/schedules/read_schedule.ts";
import { createSchedule } from "../../src/schedules/schedule.ts";
import { sequential } from "../../src/schedules/sequential.ts";
import { cpuEngine } from "../../src/train/engine.ts";
import { type RunConfig, readRunConfig } from "../../src/train/run_config.ts";
import { train } from "../../src/train/train.ts";
import { createCpuOptimizer } from "../optimizers.ts";
import { Dice, mutatedBytes, mutatedCsv, mutatedJson } from "./mutants.ts";
import { type Report, Tally } from "./tally.ts";

/** A mutant takes longer than this: a hang. */
const mostMs = 2000;

/** A mutant of a few kilobytes takes more memory than this: a blow-up. */
const mostBytes = 150e6;

interface Format {
  readonly name: string;
  /** Files without damage, which the reader must take. */
  readonly whole: readonly (Uint8Array<ArrayBuffer> | string)[];
  /** A damaged file. */
  mutant(dice: Dice): Uint8Array<ArrayBuffer> | string;
  /** Reads it as the library does; rejects what it refuses. */
  read(mutant: Uint8Array<ArrayBuffer> | string): unknown;
  /** Says what a refused (or an accepted) mutant has left changed, if anything. */
  left?(refused: boolean): Promise<string | undefined>;
}

/** What {@link mutants} takes. */
export const formatNames = [
  "checkpoints",
  "checkpoints that are whole but say something else",
  "run checkpoints",
  "safetensors",
  "optimizer states of PyTorch",
  "optimizer configs",
  "run configs",
  "schedules",
  "models",
  "landscapes",
  "data sets (JSON)",
  "recorded trajectories",
  "recorded gradients and runs",
  "data sets (CSV)",
  "data sets (IDX)",
] as const;

export type FormatName = (typeof formatNames)[number];

/**
 * @param count Mutants of each format.
 * @param only The name of the one format to take; default all.
 */
export async function mutants(count: number, report: Report, only?: FormatName): Promise<void> {
  for (const format of await formats()) {
    if (only !== undefined && format.name !== only) continue;
    const tally = new Tally(`mutants of ${format.name}`);
    const dice = new Dice(7);
    for (const whole of format.whole) await format.read(whole);
    for (let i = 0; i < count; i++) await tryMutant(format, format.mutant(dice), tally);
    report(tally.row());
  }
}

async function tryMutant(format: Format, mutant: Uint8Array<ArrayBuffer> | string, tally: Tally): Promise<void> {
  const example = () => (typeof mutant === "string" ? mutant : Buffer.from(mutant).toString("latin1"));
  const began = performance.now();
  let refused = false;
  try {
    await format.read(mutant);
  } catch (error) {
    if (!(error instanceof FalllineError)) {
      const { name, message, stack } = error as Error;
      const place = stack?.split("\n")[1]?.trim() ?? "";
      tally.fault(`raw ${name}`, `${message.slice(0, 80)} ${place} of ${example()}`);
      return;
    }
    refused = true;
  }
  const ms = performance.now() - began;
  if (ms > mostMs) {
    tally.fault("hang", `${ms.toFixed(0)} ms: ${example()}`);
    return;
  }
  // What eats memory takes its time.
  if (ms > 30) {
    const { arrayBuffers, heapUsed } = process.memoryUsage();
    if (arrayBuffers + heapUsed > mostBytes + 400e6) {
      tally.fault("memory", `${((arrayBuffers + heapUsed) / 1e6).toFixed(0)} MB: ${example()}`);
      return;
    }
  }
  if (Object.hasOwn(Object.prototype, "polluted")) {
    Reflect.deleteProperty(Object.prototype, "polluted");
    tally.fault("prototype pollution", example());
    return;
  }
  const changed = await format.left?.(refused);
  if (changed === undefined) tally.survived(refused ? "refused" : "accepted");
  else tally.fault(changed, example());
}

const tensors = [
  { name: "w", shape: [3, 4], data: Array.from({ length: 12 }, (_, i) => Math.sin(i + 1)) },
  { name: "b", shape: [3], data: [0.5, -0.5, 0.25] },
];
const gradients = { w: Array.from({ length: 12 }, (_, i) => Math.cos(2 * i)), b: [0.1, -0.2, 0.3] };

/** Optimizers whose checkpoints hold something of everything. */
const configs: readonly OptimizerConfig[] = [
  { rule: adamw, lr: { type: cosine, base: 0.1, steps: 50 }, ema: { decay: 0.9 }, accumulate: 2 },
  { rule: nadam, clip: { type: "globalNorm", maxNorm: 1 }, groups: [{ params: "b", frozen: true }] },
  { rule: prodigy, replicas: [{ lr: 1 }, { lr: 0.5 }] },
  { rule: muon, fallback: { rule: lion, lr: { type: plateau, base: 0.1 } }, lookahead: {} },
  { rule: adafactor, swa: { start: 1 }, lossScale: { init: 4 } },
];

async function trained(config: OptimizerConfig): Promise<Optimizer> {
  const optimizer = createCpuOptimizer(tensors, config);
  optimizer.write("gradients", gradients);
  for (let step = 0; step < 5; step++) optimizer.step();
  return optimizer;
}

const asText = (mutant: Uint8Array<ArrayBuffer> | string) =>
  typeof mutant === "string" ? mutant : new TextDecoder().decode(mutant);
const asBytes = (mutant: Uint8Array<ArrayBuffer> | string) =>
  typeof mutant === "string" ? new TextEncoder().encode(mutant) : mutant;

/** What a page or program does with JSON before it hands it over; what is no JSON never reaches the library. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new FalllineError("not JSON", { cause: error });
  }
}

function ofJson(name: string, values: readonly unknown[], read: (value: unknown) => unknown): Format {
  return {
    name,
    whole: values.map((value) => JSON.stringify(value)),
    mutant: (dice) => mutatedJson(dice.pick(values), dice),
    read: (mutant) => read(parsed(asText(mutant))),
  };
}

/** As {@link ofJson}, for readers of text. */
function ofJsonText(name: string, values: readonly unknown[], read: (text: string) => unknown): Format {
  return {
    name,
    whole: values.map((value) => JSON.stringify(value)),
    mutant: (dice) =>
      dice.below(4) === 0 ? textMutant(dice.pick(values), dice) : mutatedJson(dice.pick(values), dice),
    read: (mutant) => read(asText(mutant)),
  };
}

const textMutant = (value: unknown, dice: Dice) =>
  new TextDecoder().decode(mutatedBytes(new TextEncoder().encode(JSON.stringify(value)), dice));

async function formats(): Promise<readonly Format[]> {
  return [
    ...(await checkpoints()),
    await runCheckpoints(),
    ...safetensors(),
    torch(),
    ofJson("optimizer configs", configs, (config) => {
      const optimizer = createCpuOptimizer(tensors, readConfig(config));
      createCpuOptimizer(tensors, configOf(optimizer));
      optimizer.write("gradients", gradients);
      optimizer.step();
    }),
    ofJson("run configs", runs, (config) => readRunConfig(readRunConfig(config, { type: "mnist" }))),
    ofJson("schedules", schedules, (config) => {
      const schedule = createSchedule(readSchedule(config));
      for (const step of [0, 1, 7, 1000, 2 ** 31]) schedule.at(step);
      createSchedule(readSchedule(JSON.parse(JSON.stringify(schedule.config))));
    }),
    ofJson("models", models, (config) => createModel(config as { layers: number[] })),
    ofJson("landscapes", landscapes, (config) => createLandscape(config as { type: "beale" })),
    ofJsonText("data sets (JSON)", [digits], (text) => digitsDataset(text)),
    ofJsonText("recorded trajectories", [replay], async (text) => {
      const file = readReplay(text);
      const engine = cpuEngine();
      for (const each of file.cases) {
        const run = (at: OptimizerConfig) => engine.optimizer(file.tensors, at);
        await replayCase(file, each, (_, at) => run(at));
      }
    }),
    ofJsonText("recorded gradients and runs", recorded, (text) => readRecorded(text)),
    {
      name: "data sets (CSV)",
      whole: csv,
      mutant: (dice) => mutatedCsv(dice.pick(csv), dice),
      read: (mutant) => parseCsv(asText(mutant)),
    },
    {
      name: "data sets (IDX)",
      whole: [idx.images],
      mutant: (dice) => mutatedBytes(idx.images, dice),
      read: (mutant) => idxDataset("images", asBytes(mutant), idx.labels),
    },
  ];
}

/** Files with every bit and every field damaged, loaded into an optimizer that must stay as it is. */
async function checkpoints(): Promise<Format[]> {
  const made = await Promise.all(
    configs.map(async (config) => {
      const optimizer = await trained(config);
      return { optimizer, saved: await saveCheckpoint(optimizer) };
    }),
  );
  let current = made[0]!;
  const base = {
    read: (mutant: Uint8Array<ArrayBuffer> | string) => loadCheckpoint(current.optimizer, asBytes(mutant)),
    async left(refused: boolean) {
      if (!refused) {
        await loadCheckpoint(current.optimizer, current.saved);
        return undefined;
      }
      const now = await saveCheckpoint(current.optimizer);
      return Buffer.compare(now, current.saved) === 0 ? undefined : "a refused checkpoint changed the optimizer";
    },
  };
  const pick = (dice: Dice) => {
    current = dice.pick(made);
    return current.saved;
  };
  return [
    { ...base, name: "checkpoints", whole: [current.saved], mutant: (dice) => mutatedBytes(pick(dice), dice) },
    {
      ...base,
      whole: [],
      name: "checkpoints that are whole but say something else",
      mutant(dice) {
        return otherwise(pick(dice), dice);
      },
    },
  ];
}

/** A run that goes on from a damaged checkpoint, as `fallline train --resume` does. */
async function runCheckpoints(): Promise<Format> {
  const common = { model: { layers: [2, 3] }, batch: 4, steps: 6, metric: { type: "testLoss", every: 2 } } as const;
  const handed: RunConfig = { ...common, optimizer: { rule: adamw, lr: 0.1 } };
  const configs: readonly RunConfig[] = [
    {
      ...common,
      optimizer: { rule: adamw, lr: { type: plateau, base: 0.1 }, ema: { decay: 0.9 } },
      stop: { patience: 9, restoreBest: true },
      watch: true,
    },
    // After three steps L-BFGS has made one, or noise is being measured.
    { ...handed, handover: { at: 2 } },
    { ...handed, handover: { at: "noise", every: 2, below: 1e-9 } },
  ];
  const data = arrayDataset({ inputs: Array.from({ length: 8 }, (_, i) => [i, -i]), labels: [0, 1, 2, 0, 1, 2, 0, 1] });
  const made = await Promise.all(
    configs.map(async (config) => {
      const kept: Uint8Array<ArrayBuffer>[] = [];
      const onCheckpoint = ({ bytes }: { readonly bytes: Uint8Array<ArrayBuffer> }) => void kept.push(bytes);
      await train({ engine: cpuEngine(), ...config, data, test: data, saveEvery: 3, onCheckpoint });
      return { config, saved: kept[0]! };
    }),
  );
  let current = made[0]!;
  return {
    name: "run checkpoints",
    whole: [current.saved],
    mutant(dice) {
      current = dice.pick(made);
      const { saved } = current;
      return dice.below(4) === 0 ? mutatedBytes(saved, dice) : otherwise(saved, dice);
    },
    read: (mutant) => train({ engine: cpuEngine(), ...current.config, data, test: data, resume: asBytes(mutant) }),
  };
}

/** A whole file that lacks a tensor, or says something else in one field. */
function otherwise(bytes: Uint8Array, dice: Dice): Uint8Array<ArrayBuffer> {
  const file = decodeSafetensors(bytes);
  const metadata = { ...file.metadata };
  const left = new Map(file.tensors);
  if (dice.below(5) === 0) left.delete(dice.pick([...left.keys()]));
  else {
    const key = dice.pick(Object.keys(metadata));
    metadata[key] = otherText(metadata[key]!, dice);
  }
  return encodeSafetensors({ metadata, tensors: left });
}

/** Another value of a field of metadata, which may be JSON itself. */
function otherText(text: string, dice: Dice): string {
  try {
    return mutatedJson(JSON.parse(text), dice);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return dice.pick(["", "x", "-1", "1e999", `${text}0`, text.slice(1)]);
  }
}

/** Containers without a checksum, as other programs write them. */
function container(header: string, data: Uint8Array): Uint8Array<ArrayBuffer> {
  const json = new TextEncoder().encode(header);
  const bytes = new Uint8Array(8 + json.length + data.length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(json.length), true);
  bytes.set(json, 8);
  bytes.set(data, 8 + json.length);
  return bytes;
}

function safetensors(): Format[] {
  const header = {
    __metadata__: { format: "pt" },
    a: { dtype: "F32", shape: [2, 3], data_offsets: [0, 24] },
    b: { dtype: "BF16", shape: [4], data_offsets: [24, 32] },
    c: { dtype: "U8", shape: [], data_offsets: [32, 33] },
  };
  const data = Uint8Array.from({ length: 33 }, (_, i) => i * 7);
  return [
    {
      name: "safetensors",
      whole: [container(JSON.stringify(header), data)],
      mutant: (dice) =>
        dice.below(2)
          ? container(mutatedJson(header, dice), data)
          : mutatedBytes(container(JSON.stringify(header), data), dice),
      read: (mutant) => decodeSafetensors(asBytes(mutant)),
    },
  ];
}

function torch(): Format {
  const state = {
    "w.step": { dtype: "F32", shape: [], data_offsets: [0, 4] },
    "w.exp_avg": { dtype: "F32", shape: [3, 4], data_offsets: [4, 52] },
    "w.exp_avg_sq": { dtype: "F32", shape: [3, 4], data_offsets: [52, 100] },
    "b.step": { dtype: "F32", shape: [], data_offsets: [100, 104] },
    "b.exp_avg": { dtype: "F32", shape: [3], data_offsets: [104, 116] },
    "b.exp_avg_sq": { dtype: "F32", shape: [3], data_offsets: [116, 128] },
  };
  const data = new Uint8Array(Float32Array.from({ length: 32 }, (_, i) => (i === 0 || i === 25 ? 5 : i / 64)).buffer);
  const optimizer = createCpuOptimizer(tensors, { rule: adamw });
  return {
    name: "optimizer states of PyTorch",
    whole: [container(JSON.stringify(state), data)],
    mutant: (dice) =>
      dice.below(2)
        ? container(mutatedJson(state, dice), data)
        : mutatedBytes(container(JSON.stringify(state), data), dice),
    read: (mutant) => loadTorch(optimizer, asBytes(mutant)),
  };
}

const schedules: readonly unknown[] = [
  { type: cosine, base: 0.1, steps: 100, min: 0.001 },
  { type: sequential, schedules: [{ type: linear, start: 0, end: 1, steps: 5 }, 0.5], milestones: [5] },
  { type: product, schedules: [0.5, { type: exponential, base: 1, gamma: 0.9 }] },
  { type: multiStep, base: 1, milestones: [10, 20], gamma: 0.1 },
  { type: oneCycle, max: 0.1, steps: 50 },
  { type: plateau, base: 0.1, patience: 3 },
  {
    type: piecewise,
    points: [
      [0, 1],
      [10, 0.1],
    ],
  },
  { type: cosineRestarts, base: 1, period: 10, mult: 2 },
];

const models: readonly unknown[] = [
  { layers: [4, 8, 3], activation: "relu", dropout: 0.1, l2: 0.01, bias: true },
  { type: "rnn", inputs: 3, steps: 4, hidden: 5, outputs: 2 },
  { layers: [2, 1], loss: { type: "huber", delta: 2 } },
  {
    type: "pinn",
    layers: [2, 3, 1],
    problem: { type: "poisson", k: 2, dimensions: 2, sidePoints: 4 },
    boundaryWeight: 5,
  },
];

const landscapes: readonly unknown[] = [
  { type: "rosenbrock", dimension: 4 },
  { type: "quadratic", dimension: 3, condition: 100 },
  { type: "rastrigin", dimension: 2 },
];

const runs: readonly unknown[] = [
  {
    format: "fallline-run/1",
    model: { type: "mlp", layers: [784, 32, 10] },
    init: { seed: 1 },
    data: { type: "mnist", rows: 1000, testRows: 100 },
    optimizer: {
      rule: adamw,
      lr: { type: cosine, base: 1e-3, steps: 300 },
      groups: [{ params: "*.bias", lrScale: 2 }],
    },
    batch: 64,
    steps: 300,
    seed: 3,
    metric: { type: "testLoss", every: 10 },
    stop: { patience: 5, restoreBest: true },
    watch: { every: 50 },
  },
  {
    model: { layers: [2, 8, 3] },
    data: { type: "file", path: "rows.csv", testRows: 10 },
    optimizer: { rule: sgd, lr: 0.1, momentum: 0.9 },
    batch: { type: linear, start: 4, end: 8, steps: 10 },
    steps: 20,
    metric: { type: "loss", every: 5 },
    handover: { at: "plateau", patience: 2, minDelta: 0.1, history: 5 },
  },
  {
    model: { type: "pinn", layers: [1, 4, 1], problem: { type: "poisson", k: 1 } },
    data: { type: "points", grid: 20, testGrid: 30 },
    optimizer: { rule: sgd, lr: 1e-3 },
    batch: 20,
    steps: 20,
    metric: { type: "testError", every: 10 },
  },
];

const digits = {
  format: "fallline-dataset/1",
  name: "tiny",
  shape: [2, 2],
  classes: 2,
  scale: 16,
  x: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11],
  y: [0, 1, 0],
};

const replay = {
  format: "fallline-replay/1",
  tensors: { w: { shape: [2] } },
  initial: { w: [1, 2] },
  gradients: [{ w: [0.1, 0.2] }, { w: [0.3, -0.1] }],
  cases: [
    {
      id: "sgd",
      optimizer: { rule: sgd, lr: 0.1 },
      tolerance: { rtol: 1e-6, atol: 1e-8 },
      expected: [{ step: 2, params: { w: [0.96, 1.99] } }],
    },
  ],
};

const recorded: readonly unknown[] = [
  {
    format: "fallline-gradients/1",
    cases: [
      {
        id: "linear",
        model: { layers: [2, 1], loss: "meanSquaredError" },
        batch: 2,
        x: [1, 2, 3, 4],
        y: [1, 0],
        params: { "layer1.weight": [0.1, 0.2], "layer1.bias": [0] },
        loss: 0.5,
        gradients: { "layer1.weight": [0.1, 0.2], "layer1.bias": [0.3] },
        tolerance: { rtol: 1e-5, atol: 1e-6 },
      },
    ],
  },
  {
    format: "fallline-training/1",
    data: "digits.json",
    trainRows: 3,
    runs: [
      {
        id: "a",
        model: { layers: [4, 2] },
        optimizer: { rule: sgd, lr: 0.1 },
        initial: { "layer1.weight": [1, 2, 3, 4, 5, 6, 7, 8], "layer1.bias": [0, 0] },
        batches: [[0, 1], [2]],
        losses: [1, 0.5],
        testAccuracy: 0.5,
        tolerance: { rtol: 1e-5 },
      },
    ],
    sharpness: [],
  },
];

const csv = [
  `a,b,label\n${Array.from({ length: 12 }, (_, i) => `${i / 4},${-i},${i % 3}`).join("\n")}\n`,
  `x,y,species\n1.5,2,"big ""one"""\n3,4,small\n`,
  `1,2,0\r\n3,4,1\r\n5,6,1\r\n`,
];

const idx = {
  images: Uint8Array.from([0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0, 2, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]),
  labels: Uint8Array.from([0, 0, 8, 1, 0, 0, 0, 3, 0, 1, 2]),
};
