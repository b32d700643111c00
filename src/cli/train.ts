// `fallline train`: the main job or a run config's from the command line, and the files it leaves.

import { rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { Command, Option } from "commander";
import { version } from "../../package.json";
import { classNotes, type Dataset } from "../data/dataset.ts";
import { lossChart } from "../lab/chart.ts";
import { type JobOptions, jobDefaults } from "../lab/defaults.ts";
import { runTitle } from "../lab/words.ts";
import { createModel, modelTensors, modelTitle } from "../objectives/model.ts";
import type { TensorValues } from "../optimizer.ts";
import { rules } from "../rules/index.ts";
import { encodeSafetensors } from "../safetensors.ts";
import { cpuEngine, type Engine, engineLine } from "../train/engine.ts";
import { batchSizes, type CompleteRunConfig } from "../train/run_config.ts";
import { largestDifference, openRun, readRun, type TrainResult, train } from "../train/train.ts";
import { chartSvg } from "./chart.ts";
import { type Backend, backends, engineOrReference } from "./engine.ts";
import { mustBeWritable, writeWhole } from "./files.ts";
import { interruptible } from "./interrupt.ts";
import { number } from "./number.ts";
import { Bars } from "./progress.ts";
import { type DataOptions, dataHelp, openJob, testRowsHelp } from "./run_file.ts";

interface TrainCommandOptions extends JobOptions, DataOptions {
  readonly backend?: Backend;
  readonly out: string;
  readonly json?: boolean;
  readonly printConfig?: boolean;
}

const files = { run: "run.json", chart: "loss.svg", model: "model.safetensors" } as const;

/** Written while the run goes on, where it has a metric: the whole state of the optimizer at the best value. */
const bestFile = "best.safetensors";

/** Steps after which the GPU's parameters are held against the CPU reference's. */
const paritySteps = 5;

export function trainCommand(): Command {
  const job = jobDefaults;
  return new Command("train")
    .description("train a model on MNIST or data of your own; without arguments: the main job")
    .argument("[config]", "a run config, or the run.json of a run to repeat")
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
    .option("--data <path>", dataHelp)
    .option("--test-rows <n>", testRowsHelp, number)
    .option("--out <folder>", "where to write run.json, loss.svg and model.safetensors", "out")
    .option("--json", "print run.json on stdout and nothing else there")
    .option("--print-config", "print the run config with every default filled in, and train nothing")
    .action(runTraining);
}

async function runTraining(path: string | undefined, options: TrainCommandOptions): Promise<void> {
  const { backend, out, data: dataPath, testRows, json, printConfig, ...job } = options;
  const started = performance.now();
  const { config, rows } = await openJob(path, job, { data: dataPath, testRows });
  if (printConfig) {
    console.log(JSON.stringify(config, null, 2));
    return;
  }
  const say = (line: string) => (json ? console.error(line) : console.log(line));
  const { train: data, test } = await rows();
  readRun(config, data, test);
  await mustBeWritable(out, [...Object.values(files), ...(config.metric ? [bestFile] : [])]);
  const engine = await engineOrReference(backend, say);
  say(engineLine(engine));
  say(describe(config, data.count));
  for (const note of classNotes(data, test)) say(`note: ${note}`);

  const bars = new Bars();
  // Before the first value of the metric, which may change the rate.
  const compared = Math.min(paritySteps, config.steps, config.metric?.every ?? paritySteps);
  const { clip, skipNonFinite } = config.optimizer as { clip?: unknown; skipNonFinite?: boolean };
  const measuresNorm = skipNonFinite === true || (clip !== null && clip !== undefined);
  const trained = { from: 0, to: 0 };
  const testsAlong = config.metric !== null && config.metric.type !== "loss";
  let isTesting = false;
  let measured = "";
  const showTesting = (rows: number) => {
    if (!isTesting) bars.start("testing", test.count, "examples");
    isTesting = true;
    bars.update(rows);
  };
  const work = async (signal: AbortSignal) => {
    const result = await train(engine, config, data, {
      test,
      signal,
      snapshotAfter: compared,
      onStart() {
        trained.from = performance.now();
        bars.start("training", config.steps, "loss {loss}  lr {lr}  |g| {norm}{metric}  {rate} steps/s");
      },
      onStep({ index, loss, lr, gradientNorm }) {
        trained.to = performance.now();
        bars.update(index, {
          loss: loss.toFixed(4),
          lr: lr.toExponential(2),
          norm: measuresNorm ? gradientNorm.toFixed(3) : "-",
          metric: measured,
          rate: ((1000 * index) / (trained.to - trained.from)).toFixed(2),
        });
      },
      // A bar on a terminal has no end of line.
      onEvent: ({ message, remedy }) => say(`${process.stderr.isTTY ? "\n" : ""}${message}; ${remedy}`),
      // One that the metric asks for along the way shows as the metric.
      ...(testsAlong ? {} : { onTest: showTesting }),
      onMetric({ value }) {
        measured = `  ${config.metric!.type} ${value.toPrecision(4)}`;
      },
      ...(config.metric ? { onBest: ({ checkpoint }) => writeWhole(join(out, bestFile), checkpoint) } : {}),
    });
    bars.stop();
    const { snapshot, interrupted } = result;
    const isCompared = engine.backend === "webgpu" && snapshot && !interrupted;
    return {
      result,
      parityMaxError: isCompared
        ? await parity(config, data, { steps: compared, params: snapshot }, bars, signal)
        : null,
    };
  };
  const { result, parityMaxError } = await interruptible("stopping after the steps under way", work).finally(() =>
    bars.stop(),
  );

  if (result.losses.length === 0) {
    say("stopped before the first step; nothing was written");
    process.exitCode = 130;
    return;
  }
  const run = {
    config: result.config,
    backend: engine.backend,
    adapter: engine.adapter,
    versions: { fallline: version, node: process.version, ...dawnVersion(engine) },
    losses: result.losses,
    metrics: result.metrics,
    best: result.best,
    events: result.events,
    notes: result.notes,
    testLoss: result.testLoss,
    testAccuracy: result.testAccuracy,
    parityMaxError,
    seconds: (performance.now() - started) / 1000,
    trainingSeconds: (trained.to - trained.from) / 1000,
    skipped: result.skipped,
    reason: result.reason,
    interrupted: result.interrupted,
  };
  await writeResults(out, run, result);
  for (const line of closing(run, { compared, images: test.count, out })) say(line);
  if (json) console.log(JSON.stringify(run));
}

/** The largest difference from the parameters that the CPU reference has after as many steps; null when interrupted. */
async function parity(
  config: CompleteRunConfig,
  data: Dataset,
  { steps, params }: { readonly steps: number; readonly params: TensorValues },
  bars: Bars,
  signal: AbortSignal,
): Promise<number | null> {
  bars.start("checking", steps, "steps of the CPU reference");
  const run = await openRun(cpuEngine(), config, data);
  try {
    for (let step = 1; step <= steps; step++) {
      if (signal.aborted) return null;
      await run.objective.step(run.order.next().value);
      bars.update(step);
    }
    return largestDifference(params, await run.optimizer.read());
  } finally {
    bars.stop();
    run.destroy();
  }
}

/** What the rows of the data are. */
function examples({ data }: CompleteRunConfig): string {
  return data?.type === "mnist" ? "images" : "examples";
}

function describe(config: CompleteRunConfig, images: number): string {
  const { model, optimizer, steps, seed } = config;
  const tensors = modelTensors(createModel(model));
  const parameters = tensors.reduce((sum, { shape }) => sum + shape.reduce((size, side) => size * side), 0);
  const { rule } = optimizer as { rule: string };
  const sizeAt = batchSizes(config);
  const [first, last] = [sizeAt(0), sizeAt(steps - 1)];
  const batch = first === last ? `${first}` : `${first} to ${last}`;
  return `${modelTitle(model)}, ${parameters.toLocaleString("en")} parameters, ${rule}, ${steps} steps of ${batch} of ${images.toLocaleString("en")} ${examples(config)}, seed ${seed}`;
}

/** What a test came to: the accuracy, or the loss where there is none. */
export function testWords(loss: number, accuracy: number | null): string {
  return accuracy === null ? `test loss ${loss.toPrecision(5)}` : `test accuracy ${(100 * accuracy).toFixed(2)} %`;
}

function* closing(
  run: Pick<TrainResult, "config" | "losses" | "best" | "reason" | "testLoss" | "testAccuracy" | "skipped"> & {
    readonly parityMaxError: number | null;
    readonly seconds: number;
  },
  { compared, images, out }: { readonly compared: number; readonly images: number; readonly out: string },
): Generator<string> {
  const { config, losses, best, reason } = run;
  const broken = losses.findIndex((loss) => !Number.isFinite(loss));
  const steps = `${losses.length} of ${config.steps} steps`;
  if (reason === "interrupted") yield `stopped after ${steps}`;
  if (reason === "diverged") yield `stopped after ${steps}, since a loss was not finite`;
  if (reason === "stopped-early") yield `stopped after ${steps}, since ${config.metric!.type} no longer improved`;
  if (broken >= 0) {
    yield `the loss was not finite from step ${broken + 1} on: try a lower rate; "watch": true in a run config says more`;
  }
  if (best) {
    const restored = config.stop?.restoreBest ? ", whose parameters were restored" : "";
    yield `best ${config.metric!.type} ${best.value.toPrecision(5)} after step ${best.step}${restored}`;
  }
  if (run.testLoss !== null) {
    yield `${testWords(run.testLoss, run.testAccuracy)} of ${images.toLocaleString("en")} ${examples(config)}`;
  }
  if (run.parityMaxError !== null) {
    yield `largest difference from the CPU reference's parameters after ${compared} steps: ${run.parityMaxError.toExponential(2)}`;
  }
  if (run.skipped > 0) yield `${run.skipped} steps were skipped because a gradient was not finite`;
  const wrote = [...Object.values(files), ...(best ? [bestFile] : [])].map((name) => join(out, name));
  yield `${run.seconds.toFixed(0)} s; wrote ${wrote.join(", ")}`;
}

async function writeResults(
  out: string,
  run: Pick<TrainResult, "losses" | "config" | "best">,
  result: TrainResult,
): Promise<void> {
  const tensors = new Map(
    Object.entries(result.params).map(([name, data]) => [name, { shape: result.shapes.get(name)!, data }]),
  );
  // One that a run before left is not this run's.
  if (!run.best) await rm(join(out, bestFile), { force: true });
  const metadata = { format: "fallline-model/1", model: JSON.stringify(run.config.model) };
  await writeWhole(join(out, files.model), encodeSafetensors({ metadata, tensors }));
  const title = runTitle(result.config);
  await writeWhole(join(out, files.chart), chartSvg(lossChart({ title, losses: run.losses })));
  await writeWhole(join(out, files.run), `${JSON.stringify(run, null, 2)}\n`);
}

function dawnVersion(engine: Engine): { webgpu?: string } {
  if (engine.backend === "cpu") return {};
  const { version } = createRequire(import.meta.url)("webgpu/package.json") as { version: string };
  return { webgpu: version };
}
