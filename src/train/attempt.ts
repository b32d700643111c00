// One attempt at a run: the steps after a state, or all of them, until the run ends or its device is lost.

import { accumulateOf } from "../modifiers/modifier.ts";
import { classNotes, counts, type Dataset } from "../objectives/data/dataset.ts";
import { firstAndEach, reportOf, type StepReport } from "../objectives/objective.ts";
import { createPipeline } from "../objectives/pipeline.ts";
import { loadCheckpoint, saveCheckpoint } from "../optimizer/checkpoint.ts";
import type { LayerStats, TensorValues } from "../optimizer/optimizer.ts";
import { scheduleDefinitions } from "../schedules/index.ts";
import { type CurvatureTrack, createCurvatureTrack } from "./curvature.ts";
import type { Engine } from "./engine.ts";
import { createHandover, type Handover } from "./handover.ts";
import type { Keeper } from "./keeper.ts";
import type { Listeners } from "./listeners.ts";
import { knownOf, type MetricTrack, trackMetric } from "./metric.ts";
import { type OpenRun, openRun } from "./open_run.ts";
import { updateRest } from "./rest.ts";
import { encodeRunCheckpoint, type RunState } from "./run_checkpoint.ts";
import { type CompleteRunConfig, metricMode, trainableOf } from "./run_config.ts";
import { RunRecord } from "./run_record.ts";
import type { Reason, TrainOptions, TrainResult } from "./train.ts";
import { createUse, type Use } from "./use.ts";

/** The parts of a run that survive a device loss. */
export interface Run {
  readonly config: CompleteRunConfig;
  readonly data: Dataset | undefined;
  readonly test: Dataset | undefined;
  readonly options: TrainOptions;
  readonly listeners: Listeners;
  readonly keeper: Keeper | null;
  readonly marks: Pick<RunState, "data" | "test"> | null;
  /** The parameters of `snapshotAfter`, once they were read. */
  snapshot?: TensorValues;
}

/** Makes the remaining steps of a run after a state, or all of them. */
export async function attempt(engine: Engine, run: Run, state: RunState | null): Promise<TrainResult> {
  const record = new RunRecord(run.config, run.listeners, state);
  const opened = await openRun(engine, run.config, run.data, state?.step);
  const made = new Attempt(engine, run, record, opened, state);
  try {
    await made.prepare(state);
    run.listeners.onStart();
    return await made.finish(await made.steps());
  } finally {
    await made.close();
  }
}

class Attempt {
  readonly #engine: Engine;
  readonly #run: Run;
  readonly #record: RunRecord;
  readonly #opened: OpenRun;
  readonly #accumulate: number;
  readonly #use: Use;
  readonly #track: MetricTrack;
  readonly #pipeline = createPipeline(([found, layers]: readonly [StepReport, readonly LayerStats[] | undefined]) =>
    this.#record.report(this.#record.add(found, this.#rateOf(found), layers)),
  );
  #handover: Handover | null = null;
  #meter: CurvatureTrack | null = null;
  #snapshot: Promise<TensorValues> | undefined;

  constructor(engine: Engine, run: Run, record: RunRecord, opened: OpenRun, state: RunState | null) {
    const { config, test, options, listeners } = run;
    [this.#engine, this.#run, this.#record, this.#opened] = [engine, run, record, opened];
    this.#accumulate = accumulateOf(config.optimizer);
    this.#use = createUse(opened.optimizer);
    this.#track = trackMetric(
      { ...opened, use: this.#use },
      config,
      record.losses,
      { ...options, ...(test ? { test } : {}), ...listeners.ofMetric },
      state,
    );
  }

  /** Loads the state, and makes what only some runs need. */
  async prepare(state: RunState | null): Promise<void> {
    const { config, data } = this.#run;
    const { optimizer } = this.#opened;
    if (state) await loadCheckpoint(optimizer, state.optimizer, { schedules: scheduleDefinitions });
    if (config.handover) {
      const handover = await createHandover(config.handover, {
        ...{ optimizer, data, accumulate: this.#accumulate },
        mode: config.metric ? metricMode(config.metric, config.optimizer.maximize) : "min",
        // A landscape's function is the sum over its points, its loss their mean.
        examples: config.landscape ? optimizer.segments[0]!.shape[0]! : 1,
        wholeObjective: () => this.#objectiveOf(data?.count),
      });
      this.#handover = handover;
      const before = state?.handover?.step ?? Number.POSITIVE_INFINITY;
      for (const { step, value } of state?.metrics ?? []) if (step <= before) handover.observe(value);
      if (state?.handover) await handover.restore(state.handover);
    }
    if (config.curvature) {
      const run = { optimizer, data, objectiveOf: (rows: number) => this.#objectiveOf(rows) };
      this.#meter = await createCurvatureTrack(config.curvature, run, state?.curvature ?? null);
    }
  }

  /** The run's program with this many rows at once. */
  #objectiveOf(batch: number | undefined) {
    const { config, data } = this.#run;
    return this.#engine.objective(this.#opened.optimizer, trainableOf(config), data ? { data, batch } : {});
  }

  /** Makes the remaining steps, and returns why there are no more. */
  async steps(): Promise<Reason> {
    const { config, options, listeners, keeper } = this.#run;
    const { optimizer } = this.#opened;
    const settle = () => this.#pipeline.drain();
    let step = this.#record.losses.length;
    // What was due where the run was interrupted.
    if (step > 0 && step < config.steps) await this.#measureAfter(step);
    while (step < config.steps) {
      const ended = this.#ended();
      if (ended) return ended;
      await listeners.beforeStep?.({ index: step + 1, optimizer, settle });
      const reason = options.signal?.aborted ? "interrupted" : this.#ended();
      if (reason) return reason;
      step++;
      await this.#step(step);
      if (step === options.snapshotAfter) this.#snapshot = this.#pipeline.track(this.#takeSnapshot());
      if (step === config.steps) break;
      await this.#measureAfter(step);
      if (!this.#ended() && keeper?.isDue(step)) await this.#keep();
    }
    return "finished";
  }

  #ended(): Reason | null {
    return this.#record.lost ? "diverged" : this.#track.stops ? "stopped-early" : null;
  }

  /** Starts a step of the rule; one of L-BFGS, and one whose gradient is left over, ends before this does. */
  async #step(index: number): Promise<void> {
    const [record, pipeline, handover] = [this.#record, this.#pipeline, this.#handover];
    const { optimizer, objective, order } = this.#opened;
    if (handover?.step != null) {
      await pipeline.drain();
      const { report, lr } = await pipeline.track(handover.iterate());
      record.report(record.add(report, lr));
      return;
    }
    // Both at once: the layer statistics come back with the loss of the same step.
    const make = () =>
      Promise.all([objective.step(order.next().value), this.#looks(index) ? optimizer.layers() : undefined]);
    if (index === this.#run.config.steps && this.#left > 0) {
      await pipeline.drain();
      const [found, layers] = await pipeline.track(make());
      record.add(found, this.#rateOf(found), layers);
    } else {
      await pipeline.start(make);
      handover?.look();
    }
  }

  /** Whether the watch looks at the layers: in the first update too, which shows what tensors start at zero. */
  #looks(step: number): boolean {
    const { watch } = this.#run.config;
    return watch !== null && (step === this.#accumulate || step % watch.every === 0);
  }

  /**
   * Gradients left over after the last step, which make an update that is reported with that step. A longer run makes none there,
   * so it comes after the checkpoint.
   */
  get #left(): number {
    return this.#handover?.step == null ? this.#run.config.steps % this.#accumulate : 0;
  }

  /** The rate of an update: that of the first step before there is one. */
  #rateOf({ step }: { readonly step: number }): number {
    return this.#opened.optimizer.hyper("lr", Math.max(0, step - 1));
  }

  async #takeSnapshot(): Promise<TensorValues> {
    this.#run.snapshot = await this.#opened.optimizer.read();
    return this.#run.snapshot;
  }

  /** Between two steps: the sharpness, the metric and the handover, if they are due. */
  async #measureAfter(step: number): Promise<void> {
    await this.#measureSharpness(step);
    if (await this.#measureMetric(step)) this.#handover?.observe(this.#track.points.at(-1)!.value);
    if (!this.#handover?.mayBeDue(step)) return;
    // The decision depends on every step before it.
    await this.#pipeline.drain();
    await this.#handover.decide(step);
  }

  /** During the rule's steps, as long as the loss is finite. */
  async #measureSharpness(step: number): Promise<void> {
    if (this.#handover?.step != null || !this.#meter?.isDue(step)) return;
    await this.#pipeline.drain();
    if (this.#run.options.signal?.aborted || !Number.isFinite(this.#record.losses.at(-1))) return;
    const point = await this.#meter.measure(step);
    if (point) this.#record.measured(step, point);
  }

  async #measureMetric(step: number): Promise<boolean> {
    if (!this.#track.isDue(step)) return false;
    await this.#pipeline.drain();
    if (this.#record.lost || this.#run.options.signal?.aborted) return false;
    await this.#track.observe();
    return true;
  }

  /** Makes a checkpoint of the run as it is, unless there is one. */
  async #keep(): Promise<void> {
    const { config, keeper, marks } = this.#run;
    if (!keeper || !marks) return;
    await this.#pipeline.drain();
    const { losses, events, skipped, watch, last } = this.#record;
    if (losses.length === keeper.step) return;
    const [{ optimizer }, track] = [this.#opened, this.#track];
    // The next steps may report the last update again, which a loaded optimizer cannot.
    const again = watch && this.#accumulate > 1 && last?.layers === null;
    const layers = again ? await optimizer.layers() : (last?.layers ?? null);
    const checkpoint = encodeRunCheckpoint({
      ...{ config, backend: this.#engine.backend, losses, events, skipped, ...marks },
      metrics: track.points,
      best: track.best,
      optimizer: await saveCheckpoint(optimizer),
      bestOptimizer: track.kept,
      watch: watch?.state() ?? null,
      handover: this.#handover ? await this.#handover.state() : null,
      curvature: this.#meter ? await this.#meter.state() : null,
      lastUpdate: last && { ...last, layers },
    });
    await keeper.put(checkpoint);
  }

  /** Everything after the last step. */
  async finish(reason: Reason): Promise<TrainResult> {
    await this.#pipeline.drain();
    const { steps } = this.#run.config;
    if (this.#record.losses.length > 0) await this.#keep();
    if (reason === "finished") {
      await this.#updateRest(steps);
      await this.#measureSharpness(steps);
      await this.#measureMetric(steps);
    }
    await this.#track.restore();
    const result = await this.#result(reason);
    await this.#run.keeper?.settled();
    return result;
  }

  /** Makes an update of the gradients that are left over, and reports the last step with it. */
  async #updateRest(index: number): Promise<void> {
    if (this.#left === 0) return;
    const { optimizer } = this.#opened;
    await updateRest(optimizer, this.#left);
    const stats = await optimizer.stats();
    this.#record.skipped = stats.skipped;
    const report = firstAndEach([reportOf(this.#record.losses.at(-1)!, stats)]);
    this.#record.report({ ...report, index, lr: this.#rateOf(stats) });
  }

  async #result(ended: Reason): Promise<TrainResult> {
    const { config, data, test } = this.#run;
    const { optimizer } = this.#opened;
    const [track, { losses, events, skipped }] = [this.#track, this.#record];
    const evaluation = ended === "interrupted" ? null : await track.evaluation();
    const tested = evaluation && knownOf(evaluation);
    const finals = [losses.at(-1), evaluation?.loss].filter((loss) => loss !== undefined);
    const reason = ended === "finished" && !finals.every(Number.isFinite) ? "diverged" : ended;
    const broken = losses.findIndex((loss) => !Number.isFinite(loss));
    const role = await this.#use.role();
    return {
      ...{ backend: this.#engine.backend, config, losses, events, skipped, reason, role },
      metrics: track.points,
      best: track.best,
      curvature: this.#meter?.points ?? [],
      notes: data && test ? [...classNotes(data, test), ...weightNotes(test)] : [],
      params: await optimizer.read(role),
      shapes: new Map(optimizer.segments.map(({ name, shape }) => [name, shape])),
      snapshot: (await this.#snapshot) ?? this.#run.snapshot,
      testLoss: tested?.loss ?? null,
      testAccuracy: tested?.accuracy ?? null,
      testError: tested?.error ?? null,
      handedOverAt: this.#handover?.step ?? null,
      divergedAt: broken < 0 ? null : broken + 1,
      interrupted: reason === "interrupted",
    };
  }

  /** Waits for everything in flight, and frees everything. */
  async close(): Promise<void> {
    await this.#pipeline.close();
    this.#handover?.destroy();
    this.#meter?.destroy();
    this.#opened.destroy();
    await this.#run.keeper?.close();
  }
}

/** A sentence about test rows that all have weight 0. */
export function weightNotes(test: Dataset): readonly string[] {
  return counts(test) ? [] : [`${test.name}: all ${test.count} test rows have weight 0, so they test nothing`];
}
