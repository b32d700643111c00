// `fallline train`: trains the main job or a run config from the command line, and writes the run's files.

import { createRequire } from "node:module";
import { resolve } from "node:path";
import { Command } from "commander";
import { version } from "../../../package.json";
import { type DeviceError, OptionError, show } from "../../base/errors.ts";
import { readNumber } from "../../base/options.ts";
import { encodeSafetensors } from "../../base/safetensors.ts";
import { short } from "../../base/short.ts";
import { curvatureChart } from "../../lab/chart.ts";
import { type JobOptions, jobDefaults } from "../../lab/defaults.ts";
import { rmsePhrase, runTitle, testedPhrase } from "../../lab/phrases.ts";
import { flatConfig } from "../../modifiers/modifier.ts";
import type { Dataset } from "../../objectives/data/dataset.ts";
import type { TensorValues } from "../../optimizer/optimizer.ts";
import type { CurvaturePoint } from "../../train/curvature.ts";
import { largestDifference } from "../../train/diff.ts";
import { cpuEngine, type Engine, engineLine, webgpuEngine } from "../../train/engine.ts";
import type { KnownEvaluation } from "../../train/metric.ts";
import { openRun, readRun } from "../../train/open_run.ts";
import { batchSizes, type CompleteRunConfig, trainableOf } from "../../train/run_config.ts";
import { type Score, scoreTest } from "../../train/score.ts";
import { type TrainResult, train } from "../../train/train.ts";
import { runDataset } from "../run_dataset.ts";
import { chartSvg } from "./chart.ts";
import { Checkpoints, type Found } from "./checkpoints.ts";
import { type Backend, backendOption, engineOrReference, openDevice } from "./engine.ts";
import { interruptible } from "./interrupt.ts";
import { bestFile, Kept } from "./kept.ts";
import { number } from "./number.ts";
import { Bars } from "./progress.ts";
import { keep, Results, wrotePhrase } from "./results.ts";
import {
  addDataOptions,
  addJobOptions,
  type DataOptions,
  notesOf,
  openJob,
  openResumed,
  type Rows,
  takeDataOptions,
} from "./run_file.ts";
import { runId, signedSvg, writeRun } from "./run_id.ts";
import { canDraw } from "./streams.ts";

interface TrainCommandOptions extends JobOptions, DataOptions {
  readonly backend?: Backend;
  readonly out: string;
  readonly saveEvery?: number;
  readonly resume?: string;
  readonly json?: boolean;
  readonly printConfig?: boolean;
}

const files = { run: "run.json", chart: "loss.svg", model: "model.safetensors" } as const;

/** Steps after which the GPU's parameters are compared with the CPU reference's. */
const paritySteps = 5;

export function trainCommand(): Command {
  const job = jobDefaults;
  const command = new Command("train")
    .description("train a model; by default a million-parameter network on MNIST")
    .argument("[config]", "a run config, or the run.json of a run to repeat");
  addJobOptions(command, job, {
    lr: `peak learning rate, after the warm-up (default: depends on the rule, ${job.lr} for ${job.rule})`,
    steps: "training steps",
  })
    .option(
      "--handover <when>",
      'switch to L-BFGS over all rows: after this many steps, at a "plateau" of the loss or at "noise" in the gradients',
    )
    .option("--curvature <n>", "measure the largest curvature of the loss every n steps", number)
    .addOption(backendOption());
  return addDataOptions(command)
    .option("--out <folder>", "where to write run.json, loss.svg and model.safetensors", "out")
    .option("--save-every <n>", "keep a checkpoint in the folder every n steps, for --resume", number)
    .option(
      "--resume <folder>",
      "resume the run in this folder from its checkpoint, exact to the bit; --steps may be higher",
    )
    .option("--json", "print only run.json to stdout")
    .option("--print-config", "print the run config with every default filled in, without training")
    .action(runTraining);
}

async function runTraining(path: string | undefined, options: TrainCommandOptions, command: Command): Promise<void> {
  const { backend, out, json, printConfig, saveEvery, resume, ...others } = options;
  const { from, others: job } = takeDataOptions(others);
  const started = performance.now();
  const folder = resume ?? out;
  if (resume !== undefined && command.getOptionValueSource("out") !== "default" && resolve(out) !== resolve(resume)) {
    throw new OptionError(
      `out is ${show(out)}; with --resume it must be left out, since the run continues in ${resume}`,
    );
  }
  const every = saveEvery === undefined ? undefined : readNumber("save-every", saveEvery, { min: 1, integer: true });
  const checkpoints = new Checkpoints(folder);
  const openRunOf = (found: Found | null) => (found ? openResumed(found, path, job, from) : openJob(path, job, from));
  if (printConfig) {
    console.log(JSON.stringify((await openRunOf(resume === undefined ? null : checkpoints.find())).config, null, 2));
    return;
  }
  const open = () =>
    Results.open(folder, {
      names: [...Object.values(files), bestFile],
      owns: every !== undefined || resume !== undefined,
    });
  // Nobody else may write into the folder once its checkpoint is read.
  if (resume !== undefined) checkpoints.mustBeThere();
  const owned = resume === undefined ? null : await open();
  try {
    const found = owned ? checkpoints.find() : null;
    const { config, rows } = await openRunOf(found);
    const data = await rows();
    readRun(config, data?.train, data?.test);
    const results = owned ?? (await open());
    try {
      await trainInto(results, {
        config,
        data,
        checkpoints,
        found,
        every,
        backend,
        json: json === true,
        started,
      });
    } finally {
      results.close();
    }
  } finally {
    owned?.close();
  }
}

/** A training run before it starts. */
interface Training {
  readonly config: CompleteRunConfig;
  /** Undefined where it takes no data. */
  readonly data: Rows | undefined;
  readonly checkpoints: Checkpoints;
  /** The checkpoint from which the run continues. */
  readonly found: Found | null;
  /** Steps from one checkpoint to the next. */
  readonly every: number | undefined;
  readonly backend: Backend | undefined;
  readonly json: boolean;
  readonly started: number;
}

async function trainInto(results: Results, training: Training): Promise<void> {
  const { config, data, checkpoints, found, every, json, started } = training;
  const say = (line: string) => (json ? console.error(line) : console.log(line));
  const engine = await engineOrReference(training.backend ?? (found?.state.backend === "cpu" ? "cpu" : undefined), say);
  let current = engine;
  say(engineLine(engine));
  say(describe(config, data?.train.count));
  for (const note of notesOf(data)) say(`note: ${note}`);
  if (found) for (const line of resumePhrases(found, engine)) say(line);

  const bars = new Bars();
  // Before the first value of the metric, or of the sharpness, which may change the rate.
  const compared = Math.min(
    paritySteps,
    config.steps,
    config.metric?.every ?? paritySteps,
    config.curvature?.every ?? paritySteps,
    ruleSteps(config),
  );
  const { clip, skipNonFinite } = flatConfig(config.optimizer);
  const measuresNorm = skipNonFinite === true || (clip !== null && clip !== undefined);
  const trained = { from: 0, to: 0 };
  const before = found?.state.step ?? 0;
  const testsAlong = config.metric !== null && config.metric.type !== "loss";
  let isTesting = false;
  let isBroken = found?.state.losses.some((loss) => !Number.isFinite(loss)) ?? false;
  let measured = "";
  // A bar on a terminal has no end of line.
  const sayBetween = (line: string) => say(`${canDraw() ? "\n" : ""}${line}`);

  const keepsCheckpoints = every !== undefined || found !== null;
  const kept = new Kept(results, checkpoints, found, keepsCheckpoints, sayBetween);
  const recover = async (error: DeviceError) => {
    bars.stop();
    sayBetween(`${error.message}; the run continues from step ${kept.latestStep} on a new device`);
    current = webgpuEngine(await openDevice());
    startBar(kept.latestStep);
    return current;
  };
  const startBar = (step: number) => {
    bars.start("training", config.steps, "loss {loss}  lr {lr}  |g| {norm}{metric}  {rate} steps/s", step);
  };

  const showTesting = (rows: number) => {
    if (!isTesting) bars.start("testing", data?.test.count ?? 0, "examples");
    isTesting = true;
    bars.update(rows);
  };
  const work = async (signal: AbortSignal) => {
    const result = await train({
      engine,
      ...config,
      data,
      signal,
      snapshotAfter: compared,
      ...(found ? { resume: found.bytes } : {}),
      ...(every === undefined ? {} : { saveEvery: every }),
      ...(keepsCheckpoints || engine.backend === "webgpu"
        ? { onCheckpoint: (checkpoint) => kept.keepCheckpoint(checkpoint) }
        : {}),
      ...(engine.backend === "webgpu" ? { recover } : {}),
      onStart() {
        trained.from = performance.now();
        startBar(before);
      },
      onStep({ index, loss, lr, gradientNorm }) {
        trained.to = performance.now();
        // A watch reports more than this.
        if (!isBroken && !config.watch && !Number.isFinite(loss)) {
          isBroken = true;
          sayBetween(`the loss is ${loss} at step ${index}; ${brokenRemedy}`);
        }
        bars.update(index, {
          loss: loss.toFixed(4),
          lr: lr.toExponential(2),
          norm: measuresNorm ? gradientNorm.toFixed(3) : "-",
          metric: measured,
          rate: ((1000 * (index - before)) / (trained.to - trained.from)).toFixed(2),
        });
      },
      onCurvature: (point) => sayBetween(curvaturePhrase(point)),
      onEvent: ({ message, remedy }) => sayBetween(`${message}; ${remedy}`),
      // A test for the metric along the way is shown as the metric.
      ...(testsAlong ? {} : { onTest: showTesting }),
      onMetric({ value }) {
        measured = `  ${config.metric!.type} ${value.toPrecision(4)}`;
      },
      ...(config.metric ? { onBest: (best) => kept.keepBest(best) } : {}),
    }).finally(() => bars.stop());
    if (result.losses.length === 0) {
      say("stopped before the first step; nothing was written");
      process.exitCode = 130;
      return;
    }
    const isCompared = engine.backend === "webgpu" && !result.interrupted;
    const parityMaxError = isCompared
      ? await parity(current, config, data?.train, { steps: compared, params: result.snapshot }, bars, signal)
      : null;
    const isScored = config.model && data && result.testLoss !== null;
    const score = isScored ? await scoreTest(current, config.model, result.params, data.test) : undefined;
    const { config: complete, backend, params, shapes, snapshot, ...outcome } = result;
    const run = {
      config: complete,
      backend: engine.backend,
      adapter: current.adapter,
      versions: { fallline: version, node: process.version, ...dawnVersion(engine) },
      ...(data ? { dataset: runDataset(data.train) } : {}),
      ...outcome,
      testRmse: score?.rmse ?? null,
      parityMaxError,
      seconds: (performance.now() - started) / 1000,
      trainingSeconds: (trained.to - trained.from) / 1000,
    };
    const written = writeResults(results, run, result, kept.digests);
    kept.complete();
    const wrote = await keep(results);
    if (!kept.finish(result.best !== null)) process.exitCode = 1;
    for (const line of closing(run, { compared, images: data?.test.count ?? 0, wrote })) say(line);
    if (json) console.log(JSON.stringify(written));
  };
  try {
    await interruptible("stopping after the current steps", work);
  } catch (error) {
    // A run that fails now may be resumed later.
    if (kept.isResumable()) {
      say(`${checkpoints.path} is from step ${kept.step}; to continue: npx fallline train --resume ${results.folder}`);
    }
    throw error;
  } finally {
    bars.stop();
  }
}

/** Steps that the rule makes in any case. */
function ruleSteps({ handover }: CompleteRunConfig): number {
  if (!handover) return Number.POSITIVE_INFINITY;
  return typeof handover.at === "number" ? handover.at : (handover.every ?? Number.POSITIVE_INFINITY);
}

function* resumePhrases({ path, state, damaged }: Found, engine: Engine): Generator<string> {
  yield* damaged;
  yield `continues from ${path}, at step ${state.step}`;
  if (state.backend !== engine.backend) yield `note: it ran on ${state.backend} until then, so rounding differs`;
}

/**
 * The largest difference from the CPU reference's parameters after the same number of steps; null when interrupted. A run that was
 * resumed at a later step repeats its first ones.
 */
async function parity(
  engine: Engine,
  config: CompleteRunConfig,
  data: Dataset | undefined,
  { steps, params }: { readonly steps: number; readonly params: TensorValues | undefined },
  bars: Bars,
  signal: AbortSignal,
): Promise<number | null> {
  const after = async (which: Engine): Promise<TensorValues | null> => {
    const run = await openRun(which, config, data);
    try {
      for (let step = 1; step <= steps; step++) {
        if (signal.aborted) return null;
        await run.objective.step(run.order.next().value);
        bars.update(step);
      }
      return await run.optimizer.read();
    } finally {
      run.destroy();
    }
  };
  bars.start("checking", steps, "steps of the CPU reference");
  try {
    const ours = params ?? (await after(engine));
    const reference = await after(cpuEngine());
    return ours && reference && largestDifference(ours, reference);
  } finally {
    bars.stop();
  }
}

/** A noun for the rows of the data. */
function examples({ data }: CompleteRunConfig): string {
  return data?.type === "mnist" ? "images" : data?.type === "points" ? "points" : "examples";
}

function describe(config: CompleteRunConfig, images: number | undefined): string {
  const { optimizer, steps, seed } = config;
  const { program } = trainableOf(config);
  const tensors = program.tensors(config.init ?? undefined);
  const parameters = tensors.reduce((sum, { shape }) => sum + shape.reduce((size, side) => size * side), 0);
  const { rule } = optimizer;
  const sizeAt = batchSizes(config);
  const [first, last] = [sizeAt(0), sizeAt(steps - 1)];
  const batch = first === last ? `${first}` : `${first} to ${last}`;
  const rows = images === undefined ? "" : `, ${batch} of ${images.toLocaleString("en")} ${examples(config)} each`;
  return `${program.title}, ${parameters.toLocaleString("en")} parameters, ${rule}, ${steps} steps${rows}, seed ${seed}`;
}

/** The result of a test: the accuracy, or the loss where there is none, with the error where that is known. */
export function testPhrase({ loss, accuracy, error }: KnownEvaluation): string {
  if (accuracy !== null) return `test accuracy ${(100 * accuracy).toFixed(2)} %`;
  const off = error === null ? "" : `, off by ${error.toExponential(2)} from the exact solution (root mean square),`;
  return `test loss ${loss.toPrecision(5)}${off}`;
}

/** A sharpness in one line. */
function curvaturePhrase({ step, sharpness, bound, product, fraction }: CurvaturePoint): string {
  const from = fraction === null ? "" : `, ${(100 * fraction).toFixed(1)} % of the edge of stability`;
  return `step ${step}: sharpness ${short(sharpness)} ± ${short(bound)}, × lr = ${short(product)}${from}`;
}

const brokenRemedy = 'try a lower learning rate ("watch": true in a run config says more)';

function* closing(
  run: Pick<
    TrainResult,
    | "config"
    | "losses"
    | "best"
    | "reason"
    | "divergedAt"
    | "role"
    | "testLoss"
    | "testAccuracy"
    | "testError"
    | "skipped"
    | "handedOverAt"
    | "curvature"
  > & {
    readonly testRmse: Score["rmse"] | null;
    readonly parityMaxError: number | null;
    readonly seconds: number;
  },
  {
    compared,
    images,
    wrote,
  }: { readonly compared: number; readonly images: number; readonly wrote: readonly string[] },
): Generator<string> {
  const { config, losses, best, reason } = run;
  const steps = `${losses.length} of ${config.steps} steps`;
  if (reason === "interrupted") yield `stopped after ${steps}`;
  if (reason === "diverged" && losses.length < config.steps)
    yield `stopped after ${steps}, since a loss was not finite`;
  if (reason === "stopped-early") yield `stopped after ${steps}, since ${config.metric!.type} no longer improved`;
  const divergedAt = divergedStep(run);
  if (divergedAt !== null) {
    yield `diverged at step ${divergedAt}, the first whose loss was not finite; ${brokenRemedy}`;
  } else if (reason === "diverged") yield `diverged: the test loss is not finite; ${brokenRemedy}`;
  if (run.handedOverAt !== null) yield `L-BFGS over all rows took over after step ${run.handedOverAt}`;
  else if (config.handover) yield "the run never handed over to L-BFGS";
  if (best) {
    const restored = config.stop?.restoreBest ? ", whose parameters were restored" : "";
    yield `best ${config.metric!.type} ${best.value.toPrecision(5)} after step ${best.step}${restored}`;
  }
  if (run.testLoss !== null) {
    const tested = testedPhrase(run.role);
    const { testLoss: loss, testAccuracy: accuracy, testError: error } = run;
    const off = run.testRmse ? `, ${rmsePhrase(run.testRmse)},` : "";
    yield `${testPhrase({ loss, accuracy, error })}${off} on ${images.toLocaleString("en")} ${examples(config)}${tested ? `, ${tested}` : ""}`;
  }
  if (run.curvature.length > 0) {
    const gradients = run.curvature.reduce((sum, point) => sum + point.gradients, 0);
    yield `measuring the sharpness ${run.curvature.length} times took ${gradients} gradients`;
  }
  if (run.parityMaxError !== null) {
    yield `largest difference from the CPU reference's parameters after ${compared} steps: ${run.parityMaxError.toExponential(2)}`;
  }
  if (run.skipped > 0) yield `${run.skipped} steps were skipped because a gradient was not finite`;
  yield `${run.seconds.toFixed(0)} s${wrotePhrase(wrote)}`;
}

/** The step at which a run diverged; where broken steps are skipped, it may have recovered from a loss that was not finite. */
function divergedStep({ config, reason, divergedAt }: Pick<TrainResult, "config" | "reason" | "divergedAt">) {
  return reason === "diverged" || flatConfig(config.optimizer).skipNonFinite !== true ? divergedAt : null;
}

function writeResults<
  T extends Pick<TrainResult, "config" | "losses" | "metrics" | "curvature" | "reason" | "divergedAt"> & {
    readonly backend: string;
  },
>(results: Results, run: T, { params, shapes }: TrainResult, before: Readonly<Record<string, string>>): object {
  const tensors = new Map(Object.entries(params).map(([name, data]) => [name, { shape: shapes.get(name)!, data }]));
  const { config, losses, metrics, curvature, backend } = run;
  const id = runId(config, backend, losses, metrics, ...Object.values(params).map(bytesOf));
  const trained = config.model
    ? { model: JSON.stringify(config.model) }
    : { landscape: JSON.stringify(config.landscape) };
  const metadata = { format: "fallline-model/1", ...trained, run: id };
  const drawn = curvatureChart({ title: runTitle(config), losses, divergedAt: divergedStep(run), curvature });
  const chart = signedSvg(chartSvg(drawn), id);
  const others = new Map<string, string | Uint8Array>([
    [files.chart, chart],
    [files.model, encodeSafetensors({ metadata, tensors })],
  ]);
  return writeRun(results, { id, name: files.run, json: run, others, before });
}

const bytesOf = ({ buffer, byteOffset, byteLength }: Float32Array) => new Uint8Array(buffer, byteOffset, byteLength);

function dawnVersion(engine: Engine): { webgpu?: string } {
  if (engine.backend === "cpu") return {};
  const { version } = createRequire(import.meta.url)("webgpu/package.json") as { version: string };
  return { webgpu: version };
}
