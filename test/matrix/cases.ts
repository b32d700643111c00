// What every implementation of WebGPU is held against: cases over recorded files and over the registries, which take a device and
// run wherever this module is loaded, in a page as in a process.
import { crc32 } from "../../src/base/checksum.ts";
import { DeviceError, FalllineError } from "../../src/base/errors.ts";
import { Random } from "../../src/base/random.ts";
import { shapes, whyNotShape } from "../../src/engines/gpu/kernel_shapes.ts";
import { choices, clear, keep, pin, variants } from "../../src/engines/products/kernels.ts";
import { jobConfig } from "../../src/lab/defaults.ts";
import { gradientCase, readGradients, readTraining, trainingRun } from "../../src/lab/gradients.ts";
import { applies, laws, problemOf } from "../../src/lab/laws.ts";
import { optionSets } from "../../src/lab/option_sets.ts";
import { type ReplayCase, type ReplayFile, readReplay, replayCase } from "../../src/lab/replay.ts";
import type { LabelledDataset } from "../../src/objectives/data/dataset.ts";
import { digitsDataset } from "../../src/objectives/data/digits.ts";
import { createModel, type ModelConfig } from "../../src/objectives/models/index.ts";
import type { MlpConfig } from "../../src/objectives/models/mlp.ts";
import { initialTensors } from "../../src/objectives/program.ts";
import { adamw } from "../../src/rules/adam.ts";
import { rules } from "../../src/rules/index.ts";
import type { Rule } from "../../src/rules/rule.ts";
import { sgd } from "../../src/rules/sgd.ts";
import { cpuEngine, createTrainee, type Engine, webgpuEngine } from "../../src/train/engine.ts";
import { train } from "../../src/train/train.ts";

/** Gives the bytes of a file that cases need; {@link fileNames} lists them. */
export type ReadFile = (name: string) => Promise<Uint8Array<ArrayBuffer>>;

/** The recorded files, and the first rows of MNIST: images, then a label each. */
export const fileNames = [
  ...["replay.json", "replay-matrices.json", "gradients.json", "training.json", "digits.json"],
  "mnist-rows.bin",
] as const;

/** Rows of `mnist-rows.bin`: as many as twenty steps of the main job take. */
export const mnistRows = 20 * 64;

/** What the cases of a group have in common. */
export interface Group {
  readonly title: string;
  /** What its errors are measured in; "" where a case holds or does not. */
  readonly unit: string;
  /** Whether it depends on the shape of the kernels that stream memory, and runs in each. */
  readonly shaped: boolean;
}

export const groups = {
  exact: { title: "exact", unit: "", shaped: false },
  rules: { title: "rules", unit: "of a parameter after 25 steps, against float64", shaped: true },
  trajectories: { title: "trajectories", unit: "times the source's own float32 error", shaped: true },
  gradients: { title: "gradients", unit: "of a recorded loss or gradient", shaped: false },
  products: {
    title: "products",
    unit: "of a gradient, over its tensor's largest, in every product variant",
    shaped: false,
  },
  float16: { title: "float16", unit: "as products, with operands rounded to float16", shaped: false },
  steps: { title: "20 steps", unit: "of a loss of the main job, against the first line", shaped: true },
  training: { title: "training", unit: "of a recorded loss over 60 steps", shaped: false },
  models: { title: "models", unit: "as products, in models of every kind, activation and loss", shaped: false },
  laws: { title: "laws", unit: "", shaped: true },
  drift: { title: "drift", unit: "of a parameter after 1,000 steps, against float64", shaped: false },
} as const satisfies Record<string, Group>;

export type GroupName = keyof typeof groups;

/** What came of a case. */
export interface Outcome {
  /** How far it is off, in the unit of its group. */
  readonly error?: number;
  /** What is wrong, in a sentence. */
  readonly problem?: string;
  /** Why it cannot run on this device; it is neither held nor broken then. */
  readonly absent?: string;
  /** A checksum over every bit that came out: the case was run twice, and gave it twice. */
  readonly bits?: string;
  /** Numbers that are compared elsewhere, by the step after which they stood so. */
  readonly values?: Readonly<Record<string, readonly number[]>>;
}

/** What a case runs on. */
export interface Subject {
  readonly engine: Engine;
  /** Undefined on the CPU reference. */
  readonly device?: GPUDevice;
}

export interface Case {
  readonly group: GroupName;
  readonly name: string;
  /**
   * Where its bits must be the same: with one driver whatever compiles for it, once shapes and products are pinned, or everywhere.
   */
  readonly same?: "driver" | "everywhere";
  run(subject: Subject): Promise<Outcome>;
}

/** A part of the work that several do together: every `of`th, from `index` on. */
export interface Share {
  readonly index: number;
  readonly of: number;
}

/**
 * Every case. Of a quick run the smallest product of each kernel, no drift, and of each rule's laws those with every option away
 * from its default, which are shared out.
 */
export async function matrixCases(read: ReadFile, quick?: Share): Promise<readonly Case[]> {
  const text = async (name: (typeof fileNames)[number]) => new TextDecoder().decode(await read(name));
  const files = [readReplay(await text("replay.json")), readReplay(await text("replay-matrices.json"))];
  const mnist = mnistOf(await read("mnist-rows.bin"));
  return [
    exactCase,
    ...ruleCases(files, "rules", [1, 25]),
    ...trajectoryCases(files),
    ...gradientCases(await text("gradients.json")),
    ...productCases(quick !== undefined),
    mainJob(mnist),
    pinnedJob(mnist),
    ...trainingCases(await text("training.json"), await text("digits.json")),
    ...modelCases,
    ...lawCases(quick),
    ...(quick ? [] : ruleCases(files, "drift", [1, 25, 200, 1000])),
  ];
}

/** The recorded trajectories. */
function trajectoryCases(files: readonly ReplayFile[]): readonly Case[] {
  return files.flatMap((file) =>
    file.cases.map(
      (replay): Case => ({
        group: "trajectories",
        name: replay.id,
        async run({ engine }) {
          const { ok, maxAbs, ratio, error } = await replayCase(file, replay, engine.optimizer);
          if (!ok || maxAbs === null) return { problem: error ?? `it is off by ${maxAbs}` };
          const allowed = 3 * replay.float32MaxError! + 1e-7;
          const problem = `it is off by ${maxAbs}; at most ${allowed} is allowed`;
          return { error: ratio!, ...(maxAbs <= allowed ? {} : { problem }) };
        },
      }),
    ),
  );
}

/** Recorded losses and gradients. */
function gradientCases(text: string): readonly Case[] {
  return readGradients(text).cases.map((recorded) => ({
    group: "gradients",
    name: recorded.id,
    run: async ({ engine }) => verdict(await gradientCase(recorded, engine)),
  }));
}

/** Recorded training runs. */
function trainingCases(text: string, digitsText: string): readonly Case[] {
  const file = readTraining(text);
  const digits = digitsDataset(digitsText, "digits.json");
  return file.runs.map((run) => ({
    group: "training",
    name: run.id,
    run: async ({ engine }) => verdict(await trainingRun(file, run, digits, engine)),
  }));
}

const verdict = ({ ok, maxAbs, error }: { ok: boolean; maxAbs: number | null; error?: string }): Outcome => ({
  ...(maxAbs === null ? {} : { error: maxAbs }),
  ...(ok ? {} : { problem: error ?? "its error exceeds what is allowed" }),
});

/** Every law of every rule on the device; of a quick run a share of the rules, with every option away from its default. */
function lawCases(quick?: Share): readonly Case[] {
  return rules.flatMap((rule, index) => {
    const sets = optionSets(rule);
    const chosen = quick
      ? sets.filter(({ maximize }) => maximize === true && index % quick.of === quick.index).slice(0, 1)
      : sets;
    return chosen.flatMap((options) =>
      laws
        .filter((law) => applies(law, rule, options, { backend: "webgpu" }))
        .map(
          (law): Case => ({
            group: "laws",
            name: `${rule.name} ${JSON.stringify(options)}: ${law.name}`,
            async run({ engine, device }) {
              const problem = await problemOf(law, { rule, options, engine, device });
              return problem === undefined ? {} : { problem };
            },
          }),
        ),
    );
  });
}

/** Every rule from the recorded start over recorded gradients, again and again; its bits where it is short. */
function ruleCases(files: readonly ReplayFile[], group: "rules" | "drift", after: readonly number[]): readonly Case[] {
  return rules.map((rule): Case => {
    const { file, replay } = recordedOf(files, rule);
    const steps = Math.max(...after);
    const long = {
      ...file,
      gradients: Array.from({ length: steps }, (_, step) => turned(file.gradients, step)),
    };
    const zeros = Object.fromEntries(file.tensors.map(({ name, data }) => [name, Array.from(data!, () => 0)]));
    const expected = after.map((step) => ({ step, params: zeros }));
    const run = async ({ engine }: Subject) => {
      const values: Record<string, readonly number[]> = {};
      const arrays: Float32Array<ArrayBuffer>[] = [];
      await replayCase(
        long,
        { ...replay, expected, tolerance: { rtol: 0, atol: Number.MAX_VALUE } },
        async (...given) => {
          const optimizer = await engine.optimizer(...given);
          const read = optimizer.read.bind(optimizer);
          const points = [...after];
          return Object.assign(optimizer, {
            async read(...asked: Parameters<typeof read>) {
              const params = await read(...asked);
              arrays.push(...Object.values(params).map((array) => Float32Array.from(array)));
              values[points.shift()!] = Object.values(params).flatMap((array) => [...array]);
              return params;
            },
          });
        },
      );
      const found = Object.values(values).flat();
      if (found.length === 0 || !found.every(Number.isFinite)) return { problem: "its parameters are not finite" };
      return { values, bits: bitsOf(arrays) };
    };
    if (group === "rules") {
      // Muon's steps are products.
      const pinned = (subject: Subject) => withProduct(subject.device, pinnedProduct, () => run(subject));
      return { group, name: rule.name, same: "driver", run: (subject) => twice(subject, pinned) };
    }
    const once = async (subject: Subject) => {
      const { bits: _, ...outcome } = await run(subject);
      return outcome;
    };
    return { group, name: rule.name, run: once };
  });
}

/**
 * Recorded gradients over and over, every other time with the other sign: a gradient that always points one way would lead rules that
 * find their own rate ever further out.
 */
function turned(gradients: ReplayFile["gradients"], step: number): ReplayFile["gradients"][number] {
  const recorded = gradients[step % gradients.length]!;
  if (Math.floor(step / gradients.length) % 2 === 0) return recorded;
  return Object.fromEntries(Object.entries(recorded).map(([name, values]) => [name, values.map((value) => -value)]));
}

/** The recorded trajectory that shows a rule as it is; its defaults where there is none. */
export function recordedOf(files: readonly ReplayFile[], rule: Rule): { file: ReplayFile; replay: ReplayCase } {
  for (const file of files) {
    const replay = file.cases.find(({ optimizer }) => (optimizer as { rule?: unknown }).rule === rule.name);
    if (replay) return { file, replay };
  }
  const [file] = files as [ReplayFile];
  const replay = { id: rule.name, optimizer: { rule: rule.name }, tolerance: { rtol: 0, atol: 0 }, expected: [] };
  return { file, replay };
}

/** Runs what gives bits twice, and says where they differ. */
async function twice(subject: Subject, run: (subject: Subject) => Promise<Outcome>): Promise<Outcome> {
  const [first, second] = [await run(subject), await run(subject)];
  if (first.problem !== undefined || first.bits === second.bits) return first;
  return { ...first, problem: "a second run gave different bits" };
}

/** Twenty steps of the main job with the products that the device runs by default. */
function mainJob(data: LabelledDataset): Case {
  return {
    group: "steps",
    name: "main job",
    async run({ engine }) {
      const { losses, reason } = await trained(engine, data, 20);
      return reason === "finished" ? { values: { 20: losses } } : { problem: `it ended ${reason}` };
    },
  };
}

/** The product that every device runs, without barriers and subgroups. */
const pinnedProduct = "registers-32x16";

/** Five steps of the main job with the product pinned. */
function pinnedJob(data: LabelledDataset): Case {
  return {
    group: "steps",
    name: "main job, pinned",
    same: "driver",
    run: (subject) =>
      twice(subject, ({ engine, device }) =>
        withProduct(device, pinnedProduct, async () => {
          const { losses, params } = await trained(engine, data, 5);
          return { bits: bitsOf([Float64Array.from(losses), ...params]) };
        }),
      ),
  };
}

async function trained(engine: Engine, data: LabelledDataset, steps: number) {
  const { data: _, ...job } = jobConfig({ steps });
  const { losses, params, reason } = await train({ engine, ...job, data });
  return { losses: [...losses], reason, params: Object.values(params).map((values) => Float32Array.from(values)) };
}

/**
 * Whole numbers alone: what seeds decide (which rows, which units are dropped) and sums of products, in which nothing is rounded, and
 * which are so the same everywhere.
 */
export const exactCase: Case = {
  group: "exact",
  name: "dropout and sums of whole numbers",
  same: "everywhere",
  run: (subject) =>
    twice(subject, async ({ engine }) => {
      const random = new Random(5);
      const whole = (length: number) => Float32Array.from({ length }, () => random.below(3) - 1);
      const loss = "meanSquaredError" as const;
      const model = createModel({ layers: [8, 16, 8, 4], activation: "relu", dropout: 0.5, loss });
      const data = { name: "whole", count: 32, features: 8, scale: 1, outputs: 4 };
      const examples = { ...data, inputs: whole(32 * 8), targets: whole(32 * 4) };
      const tensors = model.program.tensors().map((tensor) => {
        return { ...tensor, data: whole(tensor.shape.reduce((product, size) => product * size, 1)) };
      });
      const trainee = await createTrainee(engine, model, tensors, sgd(), { data: examples, batch: 32 });
      const arrays: Float32Array<ArrayBuffer>[] = [];
      try {
        for (let turn = 0; turn < 3; turn++) {
          await trainee.objective.gradient(Uint32Array.from({ length: 32 }, (_, row) => (row * 5 + turn) % 32));
          const gradients = await trainee.optimizer.read("gradients");
          arrays.push(...Object.values(gradients).map((values) => Float32Array.from(values)));
        }
      } finally {
        trainee.destroy();
      }
      return { bits: bitsOf(arrays) };
    }),
};

const modelConfigs: readonly (readonly [ModelConfig, number])[] = [
  ...(["linear", "relu", "tanh", "sigmoid", "gelu", "silu"] as const).map(
    (activation) => [{ layers: [20, 33, 16, 5], activation, dropout: 0.2, l2: 0.01 }, 17] as const,
  ),
  ...(["sigmoidBinaryCrossEntropy", "meanSquaredError", "huber"] as const).map(
    (loss) => [{ layers: [8, 12, 4], loss }, 9] as const,
  ),
  [{ type: "rnn", inputs: 3, steps: 4, hidden: 5, outputs: 2 }, 9],
  ...(["tanh", "sigmoid", "gelu", "silu"] as const).map((activation) => {
    const problem = { type: "poisson", dimensions: 2 };
    return [{ type: "pinn", layers: [2, 9, 8, 1], problem, activation }, 9] as const;
  }),
];

/** Models of every kind, activation and loss beside the CPU reference. */
const modelCases: readonly Case[] = modelConfigs.map(([config, batch]) => ({
  group: "models",
  name: JSON.stringify(config),
  run: async ({ engine }) => judged(await gradientError(engine, config, batch), 3e-6),
}));

/** Matrices that are read four elements at a time, and such as are not. In half precision relu may turn on and off. */
const productConfigs = [
  [{ layers: [68, 132, 40, 8], activation: "gelu" }, 36],
  [{ layers: [67, 131, 7], activation: "tanh" }, 35],
] as const;

/** Every variant of the product; of a quick run the smallest of each kernel. */
function productCases(quick: boolean): readonly Case[] {
  const kernelOf = (variant: string) => variant.replace(/-.*/, "");
  const chosen = variants.filter(
    (name, i) => !quick || variants.findIndex((it) => kernelOf(it) === kernelOf(name)) === i,
  );
  return chosen.flatMap((variant) =>
    productConfigs.slice(0, quick ? 1 : 2).map(([config, batch]) => productCase(variant, config, batch)),
  );
}

function productCase(variant: string, config: MlpConfig, batch: number): Case {
  const half = variant.startsWith("f16");
  return {
    group: half ? "float16" : "products",
    name: `${variant} in ${config.layers.join("-")}`,
    async run({ engine, device }) {
      const error = () => gradientError(engine, config, batch);
      try {
        return judged(await withProduct(device, variant, error), half ? 5e-3 : 3e-6);
      } catch (problem) {
        if (!(problem instanceof DeviceError && problem.message.includes("cannot be pinned"))) throw problem;
        return { absent: problem.message };
      }
    },
  };
}

const judged = (error: number, allowed: number): Outcome =>
  error <= allowed ? { error } : { error, problem: `it is off by ${error}; at most ${allowed} is allowed` };

/** The largest difference between gradients of an engine and of the CPU reference, relative to the largest of its tensor. */
async function gradientError(engine: Engine, config: ModelConfig, batch: number): Promise<number> {
  const model = createModel(config);
  const random = new Random(3);
  const draw = (length: number) => Float32Array.from({ length }, () => random.uniform());
  const labelled = model.criterion.name === "softmaxCrossEntropy";
  const { features, outputs } = model;
  const data = {
    ...{ name: "random", count: batch, features, scale: 2, inputs: draw(batch * features) },
    ...(model.channels > 1
      ? { outputs: 0, targets: new Float32Array() }
      : labelled
        ? { classes: outputs, labels: Uint32Array.from({ length: batch }, () => random.below(outputs)) }
        : { outputs, targets: draw(batch * outputs) }),
  };
  const [ours, wanted] = await Promise.all(
    [engine, cpuEngine()].map(async (its) => {
      const trainee = await createTrainee(its, model, initialTensors(model, { seed: 5 }), adamw(), { data, batch });
      try {
        await trainee.objective.gradient(Uint32Array.from({ length: batch }, (_, row) => row));
        return await trainee.optimizer.read("gradients");
      } finally {
        trainee.destroy();
      }
    }),
  );
  const errors = Object.entries(wanted!).map(([name, values]) => {
    const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-12);
    const off = values.reduce((most, value, i) => Math.max(most, Math.abs(value - ours![name]![i]!)), 0);
    return off / largest;
  });
  // Of what is no number nothing is larger.
  return errors.every(Number.isFinite) ? Math.max(...errors) : Number.POSITIVE_INFINITY;
}

/** Runs something with every product in one variant, and lets go of that. */
async function withProduct<T>(device: GPUDevice | undefined, variant: string, work: () => Promise<T>): Promise<T> {
  if (!device) return work();
  const shape = choices(device).find((choice) => choice.shape === "update" && choice.source === "pinned")?.variant;
  try {
    await pin(device, "all", variant);
    return await work();
  } finally {
    clear(device);
    if (shape !== undefined) await pin(device, "update", shape);
  }
}

/** Makes a device run one shape of the kernels that stream memory from now on, and keep nothing of it. */
export async function pinShape(device: GPUDevice, shape: string): Promise<void> {
  keep(device, undefined);
  await pin(device, "update", shape);
}

/** The shapes that a device can run. */
export const shapesOf = (device: GPUDevice): readonly string[] =>
  shapes.filter((shape) => whyNotShape(device, shape) === undefined).map(({ name }) => name);

/** A case's outcome, with what it throws as its problem. */
export async function runCase(its: Case, device: GPUDevice | undefined): Promise<Outcome> {
  try {
    return await its.run(device ? { engine: webgpuEngine(device), device } : { engine: cpuEngine() });
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return { problem: error instanceof FalllineError ? error.message : `it throws ${error.name}: ${error.message}` };
  }
}

function mnistOf(bytes: Uint8Array<ArrayBuffer>): LabelledDataset {
  const pixels = 784 * mnistRows;
  const inputs = bytes.subarray(0, pixels);
  return {
    ...{ name: "MNIST's first rows", count: mnistRows, features: 784, scale: 1 / 255, inputs },
    ...{ classes: 10, labels: bytes.subarray(pixels, pixels + mnistRows) },
  };
}

/** A checksum over every bit of some arrays. */
function bitsOf(arrays: readonly ArrayBufferView<ArrayBuffer>[]): string {
  const each = arrays.map(({ buffer, byteOffset, byteLength }) =>
    crc32(new Uint8Array(buffer, byteOffset, byteLength)),
  );
  return each.length === 1 ? each[0]! : crc32(new TextEncoder().encode(each.join()));
}
