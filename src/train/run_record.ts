// What the steps of a run reported: losses, skipped updates and the findings of its watch. Each step is recorded, then reported to
// the run's listeners.

import { flatConfig } from "../modifiers/modifier.ts";
import type { StepReport } from "../objectives/objective.ts";
import type { LayerStats } from "../optimizer/optimizer.ts";
import type { CurvaturePoint } from "./curvature.ts";
import type { WatchEvent } from "./findings.ts";
import type { Listeners } from "./listeners.ts";
import type { LastUpdate, RunState } from "./run_checkpoint.ts";
import type { CompleteRunConfig } from "./run_config.ts";
import type { Progress } from "./train.ts";
import { createWatch, type Watch } from "./watch.ts";

export class RunRecord {
  readonly losses: number[];
  readonly events: WatchEvent[];
  readonly watch: Watch | null;
  /** Updates skipped so far. */
  skipped: number;
  /** Whether the parameters are lost: a loss was not finite, and its step was not skipped. Only runs with `stop` ask. */
  lost: boolean;
  /** The results of the last update; null before the first. */
  last: LastUpdate | null;
  /** The last update before a resumed run's first: until the next one, an optimizer that was loaded does not know its results. */
  #loaded: LastUpdate | null;
  readonly #asks: boolean;
  readonly #listeners: Listeners;

  /** @throws DataError for a state of the watch that no watch returned. */
  constructor({ watch, stop, optimizer }: CompleteRunConfig, listeners: Listeners, state: RunState | null) {
    const { every: _, ...limits } = watch ?? {};
    this.watch = watch && createWatch(limits);
    if (this.watch && state?.watch) this.watch.restore(state.watch);
    this.losses = [...(state?.losses ?? [])];
    this.events = [...(state?.events ?? [])];
    this.skipped = state?.skipped ?? 0;
    this.last = state?.lastUpdate ?? null;
    this.#loaded = this.last;
    this.#asks = stop !== null && flatConfig(optimizer).skipNonFinite !== true;
    this.lost = this.#asks && !this.losses.every(Number.isFinite);
    this.#listeners = listeners;
  }

  /** Records a step's results, with the rate and, where the watch looks, the layer statistics of its update. */
  add(found: StepReport, lr: number, looked?: readonly LayerStats[]): Progress {
    const loaded = this.#loaded;
    if (loaded && (found.step !== loaded.step || found.skipped !== loaded.skipped)) this.#loaded = null;
    const known = this.#loaded;
    const report = known ? withNorm(found, known.gradientNorm) : found;
    const layers = known && looked ? (known.layers ?? undefined) : looked;
    const { loss, step, skipped, gradientNorm } = report;
    this.losses.push(loss);
    this.skipped = skipped;
    this.last = { step, skipped, gradientNorm, layers: known?.layers ?? null };
    this.lost ||= this.#asks && !Number.isFinite(loss);
    const progress = { ...report, index: this.losses.length, lr };
    if (this.watch) this.events.push(...this.watch.observe(progress));
    if (layers) this.#addLayers(progress.index, layers);
    return progress;
  }

  #addLayers(step: number, layers: readonly LayerStats[]): void {
    if (this.watch) this.events.push(...this.watch.observeLayers(step, layers));
    this.#listeners.onLayers({ step, layers });
  }

  /** Reports a recorded step, and what the watch found in it. */
  report(progress: Progress): void {
    this.#listeners.onStep(progress);
    this.#listeners.onEvents(this.events);
  }

  /** Records and reports a sharpness. */
  measured(step: number, point: CurvaturePoint): void {
    if (this.watch) this.events.push(...this.watch.observeCurvature(step, point));
    this.#listeners.onCurvature(point);
    this.#listeners.onEvents(this.events);
  }
}

/** A report of a single replica, for an optimizer that was loaded and does not know its last norm. */
function withNorm(report: StepReport, gradientNorm: number): StepReport {
  return { ...report, gradientNorm, replicas: report.replicas.map((replica) => ({ ...replica, gradientNorm })) };
}
