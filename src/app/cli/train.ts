// `fallline train`: trains the main job or a run config from the command line, and writes the run's files.

import { createRequire } from "node:module";
import { resolve } from "node:path";
import { Command } from "commander";
import { version } from "../../../package.json";
import { type DeviceError, OptionError, show } from "../../base/errors.ts";
import { readNumber } from "../../base/options.ts";
import { encodeSafetensors } from "../../base/safetensors.ts";
import { curvatureChart } from "../../lab/chart.ts";
import { type JobOptions, jobDefaults } from "../../lab/defaults.ts";
import { runTitle } from "../../lab/phrases.ts";
import type { Dataset } from "../../objectives/data/dataset.ts";
import type { TensorValues } from "../../optimizer/optimizer.ts";
import { largestDifference } from "../../train/diff.ts";
import { cpuEngine, type Engine, engineLine, webgpuEngine } from "../../train/engine.ts";
import { openRun, readRun } from "../../train/open_run.ts";
import type { CompleteRunConfig } from "../../train/run_config.ts";
import { scoreTest } from "../../train/score.ts";
import { type TrainResult, train } from "../../train/train.ts";
import { runDataset } from "../run_dataset.ts";
import { chartSvg } from "./chart.ts";
import { Checkpoints, type Found } from "./checkpoints.ts";
import { type Backend, backendOption, engineOrReference, openDevice } from "./engine.ts";
import { interruptible } from "./interrupt.ts";
import { bestFile, Kept } from "./kept.ts";
import { number } from "./number.ts";
import type { Bars } from "./progress.ts";
import { keep, Results } from "./results.ts";
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
import { Terminal } from "./terminal.ts";
import { closing, describe, divergedStep, resumePhrases } from "./train_phrases.ts";

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
  const { config, data, checkpoints, found, every, json } = training;
  const shown = new Terminal(config, data, found, json);
  const { say } = shown;
  const engine = await engineOrReference(training.backend ?? (found?.state.backend === "cpu" ? "cpu" : undefined), say);
  say(engineLine(engine));
  say(describe(config, data?.train.count));
  for (const note of notesOf(data)) say(`note: ${note}`);
  if (found) for (const line of resumePhrases(found, engine)) say(line);
  const other = found || every === undefined ? undefined : checkpoints.unfinished();
  if (other) {
    const { folder } = results;
    say(
      `note: ${checkpoints.path} is from step ${other.step} of ${other.steps} of another run, and this one replaces it at step ${every}; to continue that one instead, stop now: npx fallline train --resume ${folder}`,
    );
  }
  const kept = new Kept(results, checkpoints, found, every !== undefined || found !== null, shown.sayBetween);
  try {
    await interruptible("stopping after the current steps", async (signal) => {
      const session = { ...training, engine, shown, kept, compared: comparedSteps(config), signal };
      const trained = await trainShown(session);
      if (trained.result.losses.length === 0) {
        say("stopped before the first step; nothing was written");
        process.exitCode = 130;
        return;
      }
      const run = await describeRun(trained, session);
      const written = writeResults(results, run, trained.result, kept.digests);
      kept.complete();
      const wrote = await keep(results);
      if (!kept.finish(run.best !== null)) process.exitCode = 1;
      for (const line of closing(run, { compared: session.compared, images: data?.test.count ?? 0, wrote })) say(line);
      if (json) console.log(JSON.stringify(written));
    });
  } catch (error) {
    // A run that fails now may be resumed later.
    if (kept.isResumable()) {
      say(`${checkpoints.path} is from step ${kept.step}; to continue: npx fallline train --resume ${results.folder}`);
    }
    throw error;
  } finally {
    shown.bars.stop();
  }
}

/** A few, before the first value of the metric or of the sharpness, which may change the rate. */
function comparedSteps(config: CompleteRunConfig): number {
  const changes = [config.steps, config.metric?.every, config.curvature?.every, ruleSteps(config)];
  return Math.min(paritySteps, ...changes.filter((step) => step !== undefined));
}

/** A training run under way. */
interface Session extends Training {
  readonly engine: Engine;
  readonly shown: Terminal;
  readonly kept: Kept;
  /** Steps after which the parameters are compared with the CPU reference's. */
  readonly compared: number;
  readonly signal: AbortSignal;
}

/** A run that was trained, and the engine that it ended on: another than it began on after a device loss. */
interface Trained {
  readonly result: TrainResult;
  readonly current: Engine;
}

/** Trains, on another device if the first is lost. */
async function trainShown({
  engine,
  config,
  data,
  found,
  every,
  kept,
  shown,
  compared,
  signal,
}: Session): Promise<Trained> {
  let current = engine;
  const recover = async (error: DeviceError) => {
    shown.bars.stop();
    shown.sayBetween(`${error.message}; the run continues from step ${kept.latestStep} on a new device`);
    current = webgpuEngine(await openDevice());
    shown.start(kept.latestStep);
    return current;
  };
  const onGpu = engine.backend === "webgpu";
  const result = await train({
    ...{ engine, ...config, data, signal, snapshotAfter: compared, ...shown.listeners() },
    ...(found ? { resume: found.bytes } : {}),
    ...(every === undefined ? {} : { saveEvery: every }),
    ...(every !== undefined || found !== null || onGpu
      ? { onCheckpoint: (checkpoint) => kept.keepCheckpoint(checkpoint) }
      : {}),
    ...(onGpu ? { recover } : {}),
    ...(config.metric ? { onBest: (best) => kept.keepBest(best) } : {}),
  }).finally(() => shown.bars.stop());
  return { result, current };
}

/** The contents of run.json. */
async function describeRun(
  { result, current }: Trained,
  { engine, config, data, started, shown, compared, signal }: Session,
) {
  const isCompared = engine.backend === "webgpu" && !result.interrupted;
  const parityMaxError = isCompared
    ? await parity(current, config, data?.train, { steps: compared, params: result.snapshot }, shown.bars, signal)
    : null;
  // Parameters that are not finite predict nothing.
  const isScored = config.model && data && result.testLoss !== null && Number.isFinite(result.testLoss);
  const score = isScored ? await scoreTest(current, config.model, result.params, data.test) : undefined;
  const { config: complete, backend, params, shapes, snapshot, ...outcome } = result;
  return {
    config: complete,
    backend: engine.backend,
    adapter: current.adapter,
    versions: { fallline: version, node: process.version, ...dawnVersion(engine) },
    ...(data ? { dataset: runDataset(data.train) } : {}),
    ...outcome,
    testRmse: score?.rmse ?? null,
    parityMaxError,
    seconds: (performance.now() - started) / 1000,
    trainingSeconds: shown.trainingSeconds,
  };
}

/** Steps that the rule makes in any case. */
function ruleSteps({ handover }: CompleteRunConfig): number {
  if (!handover) return Number.POSITIVE_INFINITY;
  return typeof handover.at === "number" ? handover.at : (handover.every ?? Number.POSITIVE_INFINITY);
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
