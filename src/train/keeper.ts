// Keeps a run's checkpoints: decides when one is due, hands them to the listener one after the other, and holds the latest if the
// run may have to resume from it.
import { OptionError } from "../base/errors.ts";
import { readNumber } from "../base/options.ts";
import type { RunCheckpoint } from "./run_checkpoint.ts";
import type { TrainOptions } from "./train.ts";

export interface Keeper {
  /** Steps made at the latest checkpoint; 0 before the first. */
  readonly step: number;
  /** The latest checkpoint, if one is kept in memory. */
  readonly latest: RunCheckpoint | null;
  /** Starts counting at an earlier checkpoint. */
  begin(step: number): void;
  /** Whether one is due after this many steps; throws the listener's last error. */
  isDue(step: number): boolean;
  /** Hands a checkpoint over, once the listener is done with the one before. */
  put(checkpoint: RunCheckpoint): Promise<void>;
  /** Resolves when the listener is done; throws its error. */
  settled(): Promise<void>;
  /** Resolves when the listener is done, even if it failed; for `finally`. */
  close(): Promise<void>;
}

/**
 * Null if no checkpoints are needed.
 *
 * @throws OptionError for bad options.
 */
export function createKeeper(
  {
    saveEvery,
    onCheckpoint,
    recover,
  }: Pick<TrainOptions, "saveEvery" | "recover"> & {
    readonly onCheckpoint: TrainOptions["onCheckpoint"] | undefined;
  },
  steps: number,
): Keeper | null {
  const every =
    saveEvery === undefined
      ? Math.min(100, Math.ceil(steps / 10))
      : readNumber("saveEvery", saveEvery, { min: 1, integer: true });
  if (!onCheckpoint && !recover) {
    if (saveEvery === undefined) return null;
    throw new OptionError(`saveEvery is ${saveEvery}, which needs onCheckpoint or recover`);
  }
  let step = 0;
  let latest: RunCheckpoint | null = null;
  let failure: { readonly error: unknown } | null = null;
  let underWay: Promise<void> = Promise.resolve();
  const mustGoOn = () => {
    if (failure) throw failure.error;
  };
  const report = async (checkpoint: RunCheckpoint) => {
    try {
      await onCheckpoint?.(checkpoint);
    } catch (error) {
      failure = { error };
    }
  };
  const settled = async () => {
    await underWay;
    mustGoOn();
  };
  return {
    get step() {
      return step;
    },
    get latest() {
      return latest;
    },
    begin(made) {
      step = made;
    },
    isDue(made) {
      mustGoOn();
      return made % every === 0;
    },
    async put(checkpoint) {
      await settled();
      step = checkpoint.step;
      if (recover) latest = checkpoint;
      underWay = report(checkpoint);
    },
    settled,
    close: () => underWay,
  };
}
