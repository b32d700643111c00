// What an optimizer offers, on either engine. A trainer, a test or a tool written against this interface runs on both.
import type { Segment } from "./arena.ts";
import type { OptimizerConfig } from "./rules/index.ts";
import type { Scheduled } from "./schedule.ts";

/** What can be read and written by tensor name: the parameters, their gradients, or a slot of the rule (`"m"` …). */
export type Role = "params" | "gradients" | (string & {});

/** Values by tensor name, each row-major and as long as its tensor. */
export type TensorValues = Record<string, Float32Array>;

export interface Stats {
  /** Updates made; skipped ones do not count. */
  readonly step: number;
  /** Updates skipped because a gradient was not finite. */
  readonly skipped: number;
  /** Norm of the last gradient before clipping; NaN where no norm is computed (no clipping, no skipping). */
  readonly gradientNorm: number;
  /** What the last gradient was multiplied by; 1 without clipping. */
  readonly clipScale: number;
}

export interface Optimizer {
  readonly backend: "webgpu" | "cpu";
  /** The tensors in the arena, in the order they were given. */
  readonly segments: readonly Segment[];
  /** The complete config, with every default filled in. */
  readonly config: OptimizerConfig;
  /** The slots the rule keeps under this config. */
  readonly slots: readonly string[];
  /** One update of every parameter from the gradient arena. */
  step(): void;
  /** Sets the gradient arena to zero. */
  zeroGrad(): void;
  /**
   * Replaces hypers from the next step on, in all groups or in one (by its index in the config). Compiles nothing. Steps
   * encoded before but not submitted yet may take the old values or the new: for a rate that changes from step to step
   * within one submission, use a schedule.
   *
   * @throws OptionError for an unknown hyper or group or a value out of range; nothing is changed then.
   */
  set(hypers: Readonly<Record<string, Scheduled>>, group?: number): void;
  /** The value that a hyper has at a 0-based step in a group (default: the first). */
  hyper(name: string, step: number, group?: number): number;
  /** A copy of the values of one role (default the parameters), as of every step made so far. */
  read(role?: Role): Promise<TensorValues>;
  /**
   * Overwrites whole tensors of one role.
   *
   * @throws OptionError for a name that is no tensor or data of the wrong length; nothing is changed then.
   */
  write(role: Role, values: Readonly<Record<string, ArrayLike<number>>>): void;
  stats(): Promise<Stats>;
  /** The whole state (parameters, slots, hypers, step) as a safetensors file, from which `load` continues to the bit. */
  save(): Promise<Uint8Array<ArrayBuffer>>;
  /**
   * Continues from a `save`, with the hypers as they were saved, but for functions of the step, which a file cannot hold.
   * Submit before what was encoded.
   *
   * @throws DataError when the file is not a checkpoint of these tensors and this rule; nothing is changed then.
   */
  load(checkpoint: Uint8Array): Promise<void>;
  /** Frees what was created. Using the optimizer afterwards is an error. */
  destroy(): void;
}
