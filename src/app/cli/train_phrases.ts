// What `fallline train` says about a run: before it, along the way, and at its end.

import { short } from "../../base/short.ts";
import { rmsePhrase, testedPhrase } from "../../lab/phrases.ts";
import { flatConfig } from "../../modifiers/modifier.ts";
import type { CurvaturePoint } from "../../train/curvature.ts";
import type { Engine } from "../../train/engine.ts";
import type { KnownEvaluation } from "../../train/metric.ts";
import { batchSizes, type CompleteRunConfig, trainableOf } from "../../train/run_config.ts";
import type { Score } from "../../train/score.ts";
import type { TrainResult } from "../../train/train.ts";
import type { Found } from "./checkpoints.ts";
import { wrotePhrase } from "./results.ts";

export function* resumePhrases({ path, state, damaged }: Found, engine: Engine): Generator<string> {
  yield* damaged;
  yield `continues from ${path}, at step ${state.step}`;
  if (state.backend !== engine.backend) yield `note: it ran on ${state.backend} until then, so rounding differs`;
}

/** A noun for the rows of the data. */
function examples({ data }: CompleteRunConfig): string {
  return data?.type === "mnist" ? "images" : data?.type === "points" ? "points" : "examples";
}

export function describe(config: CompleteRunConfig, images: number | undefined): string {
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
export function curvaturePhrase({ step, sharpness, bound, product, fraction }: CurvaturePoint): string {
  const from = fraction === null ? "" : `, ${(100 * fraction).toFixed(1)} % of the edge of stability`;
  return `step ${step}: sharpness ${short(sharpness)} ± ${short(bound)}, × lr = ${short(product)}${from}`;
}

export const brokenRemedy = 'try a lower learning rate ("watch": true in a run config says more)';

export function* closing(
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
export function divergedStep({ config, reason, divergedAt }: Pick<TrainResult, "config" | "reason" | "divergedAt">) {
  return reason === "diverged" || flatConfig(config.optimizer).skipNonFinite !== true ? divergedAt : null;
}
