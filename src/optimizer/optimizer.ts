// The interface of an optimizer on either engine. A trainer, a test or a tool written against it runs on both.

import { DataError, OptionError } from "../base/errors.ts";
import { type Members, readMade } from "../base/options.ts";
import type { Observable, Scheduled } from "../schedules/schedule.ts";
import type { Segment } from "./arena.ts";

/**
 * Arrays that can be read and written by tensor name: the parameters, their gradients, a slot of a rule (`"m"` …), an average of
 * the parameters (`"ema"`, `"swa"`), the gradients added up so far (`"accumulated"`). Read only: `"evaluation"`, the parameters
 * to evaluate a model with (they differ from the trained ones for scheduleFreeSgd …), and the scalars of rules that sum (`"d"` of
 * prodigy, `"ratio"` of lamb …), one number for each tensor.
 */
export type Role = "params" | "gradients" | "evaluation" | (string & {});

/** Values by tensor name, each row-major and as long as its tensor. */
export type TensorValues = Record<string, Float32Array>;

/** Sets the values of a tensor; an assignment would lose those of a tensor called `__proto__`. */
export function putValues(values: TensorValues, name: string, data: Float32Array): void {
  Object.defineProperty(values, name, { value: data, enumerable: true, configurable: true, writable: true });
}

/** An optimizer's progress. */
export interface Stats {
  /** Updates made; skipped ones do not count. */
  readonly step: number;
  /** Updates skipped because a gradient was not finite. */
  readonly skipped: number;
  /** Norm of the last gradient before clipping; NaN if no norm is computed (no clipping by a norm, no skipping). */
  readonly gradientNorm: number;
  /** Factor of the last gradient; 1 without clipping by a global norm. */
  readonly clipScale: number;
  /** With clipping by group: the norm of each group's last gradient before clipping; 0 before the first, and after a load. */
  readonly groupNorms?: readonly number[];
  /** Factor for the next loss; 1 without loss scaling. */
  readonly lossScale: number;
  /**
   * Whether gradients were not finite at a loss scale that could not fall any further. The replica then neither makes nor skips
   * updates until a checkpoint is loaded; the others go on.
   */
  readonly underflowed: boolean;
}

/**
 * The last update's effect on one tensor; measured with the modifier `layerStats`. All norms are 2-norms. On the GPU they have
 * the precision of float32, and elements below 1e-33 may count as 0.
 */
export interface LayerStats {
  /** The tensor's name. */
  readonly name: string;
  /** Norm of its gradient as the rule received it: after clipping, and averaged with `accumulate`. */
  readonly gradientNorm: number;
  /** Norm of its values before the update. */
  readonly weightNorm: number;
  /** Norm of the change, before rounding to float32 parameters. */
  readonly updateNorm: number;
}

/** The replica of a call. */
export interface InReplica {
  /** Counted from 0. */
  readonly replica?: number | undefined;
}

/** The kind of an observed value. */
export interface ObservedOf {
  /** "metric", for plateaus, or "sharpness", for schedules of curvature; default "metric". */
  readonly of?: Observable | undefined;
}

/** The group of a call. */
export interface InGroup {
  /**
   * Counted as in the config; tensors that no group names come last. Tensors of a group that went to its rule's fallback belong
   * to it. After the last group come indices for the fallback's tensors alone, group by group.
   */
  readonly group?: number | undefined;
}

/** An optimizer's state and steps, the same on either engine. */
export interface Optimizer {
  /** The engine: "webgpu", or "cpu" for the reference. */
  readonly backend: "webgpu" | "cpu";
  /** The tensors as they are now, in the order they were given; not to be changed. */
  readonly segments: readonly Segment[];
  /** The slots that this config keeps, including those of averages. */
  readonly slots: readonly string[];
  /** Copies of all parameters that train side by side. */
  readonly replicas: number;
  /**
   * One update of every parameter from the gradients; with `accumulate: k`, every k-th call updates, and the calls before it add
   * gradients up.
   *
   * @throws DataError if the loss scale of every replica that is not halted has underflowed ({@link Stats.underflowed});
   * OptionError if a hyper's schedule leaves its range at this step. Nothing is changed then.
   */
  step(): void;
  /** Sets the gradients to zero. */
  zeroGrad(): void;
  /**
   * Replaces hypers from the next step on: in all groups or in one, in all replicas or in one. Each hyper goes to the rules of
   * the group that have it. Compiles nothing. Steps encoded before but not yet submitted may take the old values or the new ones:
   * for a rate that changes from step to step within one submission, use a schedule.
   *
   * @throws OptionError for an unknown hyper, group or replica or a value out of range; nothing is changed then.
   */
  set(hypers: Readonly<Record<string, Scheduled>>, where?: InGroup & InReplica): void;
  /**
   * The value of a hyper at a 0-based step, in a group (default: the first) and a replica (default: the first). For a group with
   * a fallback, the value in its own rule, if that rule has the hyper and some of the tensors.
   */
  hyper(name: string, step: number, where?: InGroup & InReplica): number;
  /**
   * Freezes a group (default: all) from the next step on: its parameters and slots stay unchanged, and its gradient stays out of
   * the norm. On the GPU it takes effect late by the number of unreported skips; `await stats()` beforehand to have them
   * reported.
   */
  freeze(where?: InGroup): void;
  /**
   * Undoes {@link Optimizer.freeze}, and `frozen` of the config. Bias correction, values carried from update to update and a
   * rule's first update depend on the updates that the group has taken part in, as torch counts steps for each parameter;
   * schedules depend on the optimizer's step. On the GPU the count lags by the number of unreported skips, until `step`, `read`
   * or `stats` learns of them.
   */
  thaw(where?: InGroup): void;
  /**
   * Halts a replica from the next step on: its parameters, slots, step and stats stay unchanged, and no more work is spent on it.
   * Useful for giving up hopeless runs among others side by side. With `accumulate` its gradients are still added up at each
   * call, but it takes no part in the update. A `loadCheckpoint` does not undo it.
   */
  halt(replica: number): void;
  /** Undoes {@link Optimizer.halt}: with `accumulate` the replica takes part in the next update that the others make. */
  resume(replica: number): void;
  /**
   * Passes a value to the schedules of the hypers, in all replicas or in one: a metric to plateaus, or, with `of: "sharpness"`,
   * the largest curvature of the loss to schedules of curvature. It takes effect from the next step on; other schedules do not
   * observe. Steps encoded before but not yet submitted may take the old values or the new ones, as with {@link Optimizer.set}.
   *
   * @throws OptionError for a value that is not a number, and for an unknown `of`.
   */
  observe(value: number, where?: InReplica & ObservedOf): void;
  /**
   * A copy of the values of one role (default the parameters) after every step made so far; tensors without such values are
   * missing. A slot that does not start at zero holds its starting value from the first update on.
   *
   * @throws DeviceError, like every read from a GPU, if the device is lost, or refused the copy or steps before it, for example
   * because an external buffer is destroyed or mapped. Each refused step is reported once.
   */
  read(role?: Role, where?: InReplica): Promise<TensorValues>;
  /**
   * Overwrites whole tensors of one role, in one replica or (default) in all.
   *
   * @throws OptionError for an unknown tensor or data of the wrong length; nothing is changed then.
   */
  write(role: Role, values: Readonly<Record<string, ArrayLike<number>>>, where?: InReplica): void;
  /**
   * The stats of one replica (default: the first).
   *
   * @throws DeviceError like {@link Optimizer.read}.
   */
  stats(where?: InReplica): Promise<Stats>;
  /**
   * The last update's effect on each tensor, in one replica (default: the first); all zero before the first update, after a
   * `loadCheckpoint`, for frozen tensors and skipped updates, and for a halted replica.
   *
   * @throws OptionError for an optimizer made without the modifier `layerStats`.
   */
  layers(where?: InReplica): Promise<readonly LayerStats[]>;
  /** Frees everything that was created. Any later use of the optimizer is an error. */
  destroy(): void;
}

/** @throws OptionError for anything but an optimizer, or for one of the wrong engine. */
export function readOptimizer<T extends Optimizer>(optimizer: T, backend?: Optimizer["backend"]): T {
  const makers = { cpu: "createCpuOptimizer()", webgpu: "createOptimizer()" } as const;
  const allowed = `an optimizer, such as ${backend ? makers[backend] : `${makers.webgpu} or ${makers.cpu}`} makes`;
  const arenas = backend ? { params: "object", gradients: "object" } : {};
  readMade("optimizer", optimizer, allowed, {
    ...{ segments: "array", replicas: "number", step: "function", read: "function" },
    ...{ set: "function", write: "function" },
    ...(arenas as Members),
  });
  if (backend && optimizer.backend !== backend) {
    throw new OptionError(`optimizer runs on ${optimizer.backend}; it must be ${allowed}`);
  }
  return optimizer;
}

/** @throws DataError if the loss scale of every replica that is not halted has underflowed. */
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
