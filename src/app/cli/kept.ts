// What a training run keeps in its folder as it goes: the best parameters and checkpoints. What cannot be written is reported, and
// tried again at the end.
import { rmSync } from "node:fs";
import { join } from "node:path";
import type { Best } from "../../train/metric.ts";
import type { RunCheckpoint } from "../../train/run_checkpoint.ts";
import type { Checkpoints, Found } from "./checkpoints.ts";
import { isFileError } from "./files.ts";
import type { Results } from "./results.ts";
import { digest } from "./run_id.ts";

/** For runs with a metric: the optimizer's whole state at the best value. */
export const bestFile = "best.safetensors";

/** The same during the run, beside the files of the run before, which are replaced all at once at the end. */
const bestSoFarFile = "best.unfinished.safetensors";

export class Kept {
  readonly #results: Results;
  readonly #checkpoints: Checkpoints;
  /** Whether every checkpoint is written, and not only that of a run that fails. */
  readonly #isRegular: boolean;
  readonly #say: (line: string) => void;
  #best: Best | null = null;
  #latest: RunCheckpoint | null = null;
  /** The step of the checkpoint in the folder; 0 if there is none. */
  #step: number;
  #isWritten = true;

  /** @param found The checkpoint from which the run continues. */
  constructor(
    results: Results,
    checkpoints: Checkpoints,
    found: Found | null,
    isRegular: boolean,
    say: (line: string) => void,
  ) {
    this.#results = results;
    this.#checkpoints = checkpoints;
    this.#isRegular = isRegular;
    this.#say = say;
    this.#step = found?.state.step ?? 0;
    if (found?.state.best && found.state.bestOptimizer) {
      this.keepBest({ ...found.state.best, checkpoint: found.state.bestOptimizer });
    }
    if (isRegular) checkpoints.tidy();
  }

  /** The step of the checkpoint in the folder; 0 if there is none. */
  get step(): number {
    return this.#step;
  }

  /** The step of the latest checkpoint, which may not have been written. */
  get latestStep(): number {
    return this.#latest?.step ?? this.#step;
  }

  /** The digest of the best parameters, by their file. */
  get digests(): Readonly<Record<string, string>> {
    return this.#best ? { [bestFile]: digest(this.#best.checkpoint) } : {};
  }

  keepBest(best: Best): void {
    this.#best = best;
    if (this.#results.write(bestFile, best.checkpoint)) this.#results.show(bestFile, bestSoFarFile);
    else this.#say(`the best parameters, from step ${best.step}, could not be written yet; this is retried later`);
  }

  keepCheckpoint(checkpoint: RunCheckpoint): void {
    this.#latest = checkpoint;
    if (this.#isRegular) this.#isWritten = this.#put(checkpoint);
  }

  /** Writes the best parameters if there was no room for them during the run, or its folder was removed. */
  complete(): void {
    if (this.#best && !this.#results.has(bestFile)) this.#results.write(bestFile, this.#best.checkpoint);
  }

  /** After the run's files have been replaced. Returns whether the last checkpoint is written. */
  finish(hasBest: boolean): boolean {
    const { kept, folder } = this.#results;
    if (!hasBest || kept.includes(bestFile)) rmSync(join(folder, bestSoFarFile), { force: true });
    return this.#isWritten || !this.#latest || this.#put(this.#latest);
  }

  /** After a failure: whether this run left a checkpoint to continue from. */
  isResumable(): boolean {
    return this.#latest !== null && (this.#isRegular ? this.#step > 0 : this.#put(this.#latest));
  }

  #put(checkpoint: RunCheckpoint): boolean {
    try {
      this.#results.restore();
      this.#checkpoints.put(checkpoint);
      this.#step = checkpoint.step;
      return true;
    } catch (error) {
      if (!isFileError(error)) throw error;
      const last = this.#step > 0 ? `the last one is from step ${this.#step}` : "there is no earlier one";
      this.#say(`the checkpoint of step ${checkpoint.step} could not be kept (${error.message}); ${last}`);
      return false;
    }
  }
}
