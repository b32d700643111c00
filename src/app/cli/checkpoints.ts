// A run's checkpoints in its folder: the newest, and the one before in case the newest is damaged. Each is complete or absent, and
// from the first on there is always one.
import { existsSync, linkSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { DataError, OptionError } from "../../base/errors.ts";
import { decodeRunCheckpoint, type RunCheckpoint, type RunState } from "../../train/run_checkpoint.ts";
import { flush, isFileError, isFull, replaceFile } from "./files.ts";

const newestFile = "checkpoint.safetensors";
const previousFile = "checkpoint.previous.safetensors";

/** A checkpoint from which a run continues. */
export interface Found {
  readonly path: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly state: RunState;
  /** What is wrong with newer ones. */
  readonly damaged: readonly string[];
}

export class Checkpoints {
  readonly #folder: string;
  /** Whether the newest is this run's, and so is kept as the previous one, or is damaged, or another run's. */
  #newest: "ours" | "damaged" | "other" = "other";

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** The path of the newest. */
  get path(): string {
    return join(this.#folder, newestFile);
  }

  /** Removes unfinished files of killed runs; this process must own the folder. */
  tidy(): void {
    for (const entry of readdirSync(this.#folder)) {
      if (entry.startsWith(`${newestFile}.`) && entry.endsWith(".part")) rmSync(join(this.#folder, entry));
    }
  }

  /** @throws OptionError if there is no checkpoint, good or damaged. */
  mustBeThere(): void {
    if ([newestFile, previousFile].some((name) => existsSync(join(this.#folder, name)))) return;
    throw new OptionError(
      `${this.#folder} holds no ${newestFile}; --resume must name the folder of a run with --save-every`,
    );
  }

  /**
   * The newest good checkpoint, from which the run will continue.
   *
   * @throws DataError if there is none.
   */
  find(): Found {
    const damaged: string[] = [];
    for (const name of [newestFile, previousFile]) {
      const path = join(this.#folder, name);
      if (!existsSync(path)) continue;
      try {
        const bytes = new Uint8Array(readFileSync(path));
        const state = decodeRunCheckpoint(bytes);
        this.#newest = name === newestFile ? "ours" : "damaged";
        return { path, bytes, state, damaged };
      } catch (error) {
        if (!(error instanceof DataError || isFileError(error))) throw error;
        damaged.push(`${path} cannot be used: ${error.message}`);
      }
    }
    this.mustBeThere();
    throw new DataError(damaged.join("; "));
  }

  /** How far the newest got, if it is of a run that has steps left; undefined without one that can be read. */
  unfinished(): { readonly step: number; readonly steps: number } | undefined {
    if (!existsSync(this.path)) return undefined;
    try {
      const { step, config } = decodeRunCheckpoint(new Uint8Array(readFileSync(this.path)));
      return step < config.steps ? { step, steps: config.steps } : undefined;
    } catch (error) {
      if (!(error instanceof DataError || isFileError(error))) throw error;
      return undefined;
    }
  }

  /** Replaces the newest checkpoint; errors are the file system's, and leave the files as they were. */
  put({ bytes }: Pick<RunCheckpoint, "bytes">): void {
    const previous = join(this.#folder, previousFile);
    const isOurs = this.#newest === "ours" && existsSync(this.path);
    try {
      replaceFile(this.path, bytes, () => isOurs && this.#keepPrevious(previous));
    } catch (error) {
      // The newest is good and suffices; there may be no room for the one before.
      if (!isFull(error) || !isOurs || !existsSync(previous)) throw error;
      rmSync(previous);
      replaceFile(this.path, bytes, () => this.#keepPrevious(previous));
    }
    if (this.#newest === "other") rmSync(previous, { force: true });
    this.#newest = "ours";
    flush(this.#folder);
  }

  #keepPrevious(previous: string): void {
    const beside = `${this.path}.${process.pid}.part`;
    try {
      rmSync(beside, { force: true });
      linkSync(this.path, beside);
      renameSync(beside, previous);
    } catch (error) {
      // Without hard links there is only the previous one for a moment, which is as good.
      if (!isFileError(error)) throw error;
      renameSync(this.path, previous);
    }
  }
}
