// What an optimizer offers, on either engine. A trainer, a test or a tool written against this interface runs on both.

import { DataError, OptionError } from "../base/errors.ts";
import { type Members, readMade } from "../base/options.ts";
import type { Observable, Scheduled } from "../schedules/schedule.ts";
import type { Segment } from "./arena.ts";
import type { OptimizerConfig } from "./config.ts";

/**
 * What can be read and written by tensor name: the parameters, their gradients, a slot of a rule (`"m"` …), an average of
 * the parameters (`"ema"`, `"swa"`), the gradients added up so far (`"accumulated"`). Can be read alone: `"evaluation"`,
 * the parameters to evaluate a model with, where the rule trains others (scheduleFreeSgd …), else those that are trained;
 * and the scalars of rules that sum (`"d"` of prodigy, `"ratio"` of lamb …), one number for each tensor.
 */
export type Role = "params" | "gradients" | "evaluation" | (string & {});

/** Values by tensor name, each row-major and as long as its tensor. */
export type TensorValues = Record<string, Float32Array>;

/** Puts in the values of a tensor; an assignment would lose those of one that is called `__proto__`. */
export function putValues(values: TensorValues, name: string, data: Float32Array): void {
  Object.defineProperty(values, name, { value: data, enumerable: true, configurable: true, writable: true });
}

/** Where an optimizer stands. */
export interface Stats {
  /** Updates made; skipped ones do not count. */
  readonly step: number;
  /** Updates skipped because a gradient was not finite. */
  readonly skipped: number;
  /** Norm of the last gradient before clipping; NaN where no norm is computed (no clipping by a norm, no skipping). */
  readonly gradientNorm: number;
  /** What the last gradient was multiplied by; 1 without clipping by a global norm. */
  readonly clipScale: number;
  /** With clipping by group: the norm of each group's last gradient before clipping; 0 before the first, and after a load. */
  readonly groupNorms?: readonly number[];
  /** What the next loss is to be multiplied by; 1 without loss scaling. */
  readonly lossScale: number;
  /**
   * Whether gradients were not finite at a loss scale that could not fall any further. The replica then makes no more
   * updates and skips none until a checkpoint is loaded; the others go on.
   */
  readonly underflowed: boolean;
}

/**
 * What the last update did to one tensor; kept with the modifier `layerStats`. All norms are 2-norms. On the GPU they have float32's
 * precision, and elements below 1e-33 may count as 0.
 */
export interface LayerStats {
  /** The tensor's name. */
  readonly name: string;
  /** Of its gradient as the rule took it: after clipping, and the mean where gradients are added up. */
  readonly gradientNorm: number;
  /** Of its values before the update. */
  readonly weightNorm: number;
  /** Of what the update changed. */
  readonly updateNorm: number;
}

/** Which replica a call is about. */
export interface InReplica {
  /** Counted from 0. */
  readonly replica?: number | undefined;
}

/** What an observed value is of. */
export interface ObservedOf {
  /** "metric", which plateaus wait for, or "sharpness", which schedules of curvature do; default "metric". */
  readonly of?: Observable | undefined;
}

/** Which group a call is about. */
export interface InGroup {
  /**
   * Counted as in the config; the tensors that no group names are the last. A group's tensors that went to its rule's fallback
   * belong to it. Behind the last group come indices for the fallback's tensors alone, group by group.
   */
  readonly group?: number | undefined;
}

/** An optimizer's state and steps, the same on either engine. */
export interface Optimizer {
  /** The engine: "webgpu", or "cpu" for the reference. */
  readonly backend: "webgpu" | "cpu";
  /** The tensors, in the order they were given. */
  readonly segments: readonly Segment[];
  /** The complete config, with every default filled in. */
  readonly config: OptimizerConfig;
  /** The slots that are kept under this config, those of averages included. */
  readonly slots: readonly string[];
  /** Copies of all parameters that train side by side. */
  readonly replicas: number;
  /**
   * One update of every parameter from the gradients; with `accumulate: k` only every k-th call updates, and those before
   * it add the gradients up.
   *
   * @throws DataError when the loss scale of every replica that is not halted has underflowed ({@link Stats.underflowed});
   * OptionError when a hyper's schedule leaves its range at this step. Nothing is changed then.
   */
  step(): void;
  /** Sets the gradients to zero. */
  zeroGrad(): void;
  /**
   * Replaces hypers from the next step on: in all groups or in one, in all replicas or in one. Each hyper goes to the rules of
   * the group that have it. Compiles nothing. Steps encoded before but not submitted yet may take the old values or the new:
   * for a rate that changes from step to step within one submission, use a schedule.
   *
   * @throws OptionError for an unknown hyper, group or replica or a value out of range; nothing is changed then.
   */
  set(hypers: Readonly<Record<string, Scheduled>>, where?: InGroup & InReplica): void;
  /**
   * The value that a hyper has at a 0-based step, in a group (default: the first) and a replica (default: the first). Of a
   * group with a fallback, what its own rule has, where that has the hyper and some of the tensors.
   */
  hyper(name: string, step: number, where?: InGroup & InReplica): number;
  /**
   * From the next step on leaves a group (default: all) as it is: parameters, slots, and out of the gradient's norm. On the
   * GPU, where skipped steps have not been reported yet, it takes effect late by as many; `await stats()` before it reports
   * them.
   */
  freeze(where?: InGroup): void;
  /**
   * Undoes {@link Optimizer.freeze}, and `frozen` of the config. Bias correction, what a rule carries from update to update and
   * first updates go by the updates that the group has taken part in, as torch counts steps for each parameter; schedules
   * go by the optimizer's step. On the GPU, where steps may have been skipped without a report, the count is late by
   * those until `step`, `read` or `stats` learns of them.
   */
  thaw(where?: InGroup): void;
  /**
   * From the next step on leaves a replica as it is and spends no more work on it: parameters, slots, step, stats. For runs
   * side by side of which some are hopeless. What is in its gradients at each call goes on being added up towards an update
   * of `accumulate`, which it takes no part in. Outlasts a `loadCheckpoint`.
   */
  halt(replica: number): void;
  /** Undoes {@link Optimizer.halt}: with `accumulate` the replica takes part in the next update that the others make. */
  resume(replica: number): void;
  /**
   * Gives the schedules of the hypers what they wait for, in all replicas or in one: plateaus a metric, those of curvature, with
   * `of: "sharpness"`, the largest curvature of the loss. From the next step on they give what follows from it; other schedules
   * do not observe. Steps encoded before but not submitted yet may take the old values or the new, as with
   * {@link Optimizer.set}.
   *
   * @throws OptionError for a value that is no number, and for what is neither of the two.
   */
  observe(value: number, where?: InReplica & ObservedOf): void;
  /**
   * A copy of the values of one role (default the parameters), as of every step made so far; of tensors that have none,
   * nothing. A slot that does not start at zero holds its start from the first update on.
   *
   * @throws DeviceError, as all that is read of a GPU does, where the device is lost or refused the copy, or refused steps
   * before it: a buffer of the caller's that is destroyed or mapped, say. Each refused step is reported once.
   */
  read(role?: Role, where?: InReplica): Promise<TensorValues>;
  /**
   * Overwrites whole tensors of one role, in one replica or (default) in all.
   *
   * @throws OptionError for a name that is no tensor or data of the wrong length; nothing is changed then.
   */
  write(role: Role, values: Readonly<Record<string, ArrayLike<number>>>, where?: InReplica): void;
  /**
   * Of one replica (default: the first).
   *
   * @throws DeviceError as {@link Optimizer.read} does.
   */
  stats(where?: InReplica): Promise<Stats>;
  /**
   * What the last update did to each tensor, in one replica (default: the first); all zero before the first update and
   * after a `loadCheckpoint`, for what was frozen or skipped, and for a replica that was halted during it.
   *
   * @throws OptionError for an optimizer made without the modifier `layerStats`.
   */
  layers(where?: InReplica): Promise<readonly LayerStats[]>;
  /** Frees what was created. Using the optimizer afterwards is an error. */
  destroy(): void;
}

/** @throws OptionError for what is no optimizer, or one of another engine than is needed. */
export function readOptimizer<T extends Optimizer>(optimizer: T, backend?: Optimizer["backend"]): T {
  const makers = { cpu: "createCpuOptimizer()", webgpu: "createOptimizer()" } as const;
  const allowed = `an optimizer, such as ${backend ? makers[backend] : `${makers.webgpu} or ${makers.cpu}`} makes`;
  const arenas = backend ? { params: "object", gradients: "object" } : {};
  readMade("optimizer", optimizer, allowed, {
    ...{ segments: "array", replicas: "number", config: "object", step: "function", read: "function" },
    ...{ set: "function", write: "function" },
    ...(arenas as Members),
  });
  if (backend && optimizer.backend !== backend) {
    throw new OptionError(`optimizer is one on ${optimizer.backend}; it must be ${allowed}`);
  }
  return optimizer;
}

/** @throws DataError when the loss scale of every replica that is not halted has underflowed. */
export function mustStep(
  replicas: readonly { readonly halted: boolean; readonly underflow: string | undefined }[],
): void {
  let reason: string | undefined;
  for (const { halted, underflow } of replicas) {
    if (halted) continue;
    if (underflow === undefined) return;
    reason ??= underflow;
  }
  if (reason !== undefined) throw new DataError(reason);
}

/** Why there are no layer statistics. */
export const unwatchedMessage = "layers() needs an optimizer made with the modifier layerStats()";
