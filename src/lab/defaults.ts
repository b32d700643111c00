// The main job: what `fallline train` and the page train by default.
import { refusal } from "../base/errors.ts";
import { readNumber } from "../base/options.ts";
import { readRule } from "../optimizer/read_config.ts";
import { adamw } from "../rules/adam.ts";
import type { Rule, RuleConfig } from "../rules/rule.ts";
import type { RunConfig } from "../train/run_config.ts";
import { scheduleShapes } from "./schedule_shapes.ts";

/** The options of the main job, a word each. */
export interface JobOptions {
  /** Widths joined by dashes; default 784-1024-256-10. */
  readonly model?: string;
  /** A rule's name; default adamw. */
  readonly rule?: string;
  /** The highest learning rate, reached after the warm-up; default one that suits the rule. */
  readonly lr?: number;
  readonly batch?: number;
  readonly steps?: number;
  readonly seed?: number;
  /** When L-BFGS takes over: "500", after so many steps; "plateau", by the training loss; "noise". Default never. */
  readonly handover?: string;
  /** Steps from one measurement of the sharpness to the next; default never. */
  readonly curvature?: number;
}

export const jobDefaults = {
  model: "784-1024-256-10",
  rule: "adamw",
  lr: 2e-3,
  batch: 64,
  steps: 300,
  seed: 1,
} as const satisfies Required<Omit<JobOptions, "handover" | "curvature">>;

/** The smaller job on which tools try many rates by default: a step takes milliseconds. */
export const labDefaults = {
  model: "784-32-10",
  rule: "adamw",
  batch: 32,
  seed: 1,
} as const satisfies JobOptions;

/** Default hidden layers of the network for a table: its columns are few, and a run takes seconds on the CPU. */
export const tableLayers: readonly number[] = [64, 32];

/** The highest learning rate that suits a rule on the main job. */
export function usualRate({ usualRate = jobDefaults.lr }: Rule): number {
  return usualRate;
}

/** A rule for matrices leaves the biases to AdamW. */
export function fallbackFor({ only }: Rule): { readonly fallback?: RuleConfig } {
  return only ? { fallback: adamw(jobDefaults.lr) } : {};
}

/**
 * The main job as a run config: He initialisation, linear warm-up over a tenth of the steps and then half a cosine down
 * to zero, the gradient clipped to norm 1.
 *
 * @throws OptionError for a model that is not widths joined by dashes, an unknown rule, numbers out of range.
 */
export function jobConfig(options: JobOptions): RunConfig {
  const job = { ...jobDefaults, ...options };
  const rule = readRule("rule", job.rule);
  const peak = readNumber("lr", options.lr ?? usualRate(rule), { min: 0 });
  const steps = readNumber("steps", job.steps, { min: 1, integer: true });
  const seed = readNumber("seed", job.seed, { min: 0, max: Number.MAX_SAFE_INTEGER, integer: true });
  if (!/^\d+(-\d+)+$/.test(job.model)) {
    throw refusal("model", job.model, "widths joined by dashes, such as 784-1024-256-10");
  }
  return {
    model: { layers: job.model.split("-").map(Number), activation: "relu", loss: "softmaxCrossEntropy" },
    data: { type: "mnist" },
    init: { type: "heNormal", seed },
    optimizer: {
      rule,
      lr: scheduleShapes.cosine(peak, steps),
      clip: { type: "globalNorm", maxNorm: 1 },
      ...fallbackFor(rule),
    },
    batch: readNumber("batch", job.batch, { min: 1, integer: true }),
    steps,
    seed,
    ...handoverOf(options.handover, steps),
    ...(options.curvature === undefined ? {} : { curvature: { every: options.curvature } }),
  };
}

/** "plateau" is one of the training loss, checked twenty times in the run. */
function handoverOf(at: string | undefined, steps: number): Pick<RunConfig, "handover" | "metric"> {
  if (at === undefined) return {};
  if (at === "plateau") {
    return { handover: { at }, metric: { type: "loss", every: Math.max(1, Math.floor(steps / 20)) } };
  }
  if (at === "noise") return { handover: { at } };
  const step = Number(at);
  if (at.trim() !== "" && Number.isInteger(step)) return { handover: { at: step } };
  throw refusal("handover", at, "a number of steps, plateau or noise");
}
