// The files that a command leaves in its folder, as one set: at every moment, even after the process is killed, the folder holds
// the files of a single run.
//
// A rename is atomic, but several are not. So all files are first written into a hidden folder beside the old ones; then each
// name becomes a link through a link `now`, which leads to the old files; one rename makes `now` lead to the new ones; then
// the links become plain files again. Where that is not possible (no links, no room) the renames follow each other at once.
import { randomBytes } from "node:crypto";
import {
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from "node:fs";
import { hostname } from "node:os";
import { basename, join, resolve } from "node:path";
import { OptionError } from "../../base/errors.ts";
import { flush, isFileError, isFull, makeFolder, writeFlushed } from "./files.ts";
import { type Holder, holderOf, isLock, type Lock, takeLock, waitForLock } from "./lock.ts";

const stagePrefix = ".fallline-stage-";
const stageLock = "lock";
const commitLock = ".fallline-lock";
const ownerLock = ".fallline-owner";

/** How long another process may take to put its files in place. */
const patience = 60_000;

/** A file that could not be kept. */
export interface Failure {
  readonly name: string;
  readonly error: Error;
}

export interface ResultOptions {
  /** The names that belong together. A file that the command does not write is removed, since it would be another run's. */
  readonly names: readonly string[];
  /** Whether this process keeps the folder to itself until it ends. */
  readonly owns?: boolean;
}

export class Results {
  readonly folder: string;
  readonly #names: readonly string[];
  readonly #stage: string;
  readonly #staged = new Set<string>();
  readonly #failures = new Map<string, Error>();
  #kept: readonly string[] = [];
  #owner: Lock | undefined;
  #alive: Lock | undefined;
  #isMade = false;

  /**
   * Makes the folder and tries to write to it; the files of an earlier run stay as they are.
   *
   * @throws OptionError that says why it cannot be written to, or which process keeps it to itself.
   */
  static async open(folder: string, options: ResultOptions): Promise<Results> {
    const results = new Results(folder, options);
    try {
      makeFolder(folder);
      for (const name of options.names) {
        const path = join(folder, name);
        if (existsSync(path) && !statSync(path).isFile()) throw new Error(`${path} is in the way`);
      }
      results.#makeStage();
      results.#removeStage();
      results.#own(options.owns === true);
      await results.#settleOthers();
    } catch (error) {
      results.close();
      if (error instanceof OptionError) throw error;
      throw new OptionError(`out is "${folder}", which cannot be written to (${(error as Error).message})`, {
        cause: error,
      });
    }
    return results;
  }

  private constructor(folder: string, { names }: ResultOptions) {
    this.folder = folder;
    this.#names = names;
    this.#stage = join(folder, `${stagePrefix}${randomBytes(8).toString("hex")}`);
  }

  /** Writes a file, which `commit` will put in place; returns whether there was room for it. */
  write(name: string, contents: string | Uint8Array): boolean {
    try {
      this.#makeStage();
      rmSync(join(this.#stage, "new", name), { force: true });
      writeFlushed(join(this.#stage, "new", name), contents);
    } catch (error) {
      rmSync(join(this.#stage, "new", name), { force: true });
      this.#staged.delete(name);
      this.#failures.set(name, error as Error);
      return false;
    }
    this.#failures.delete(name);
    this.#staged.add(name);
    return true;
  }

  /** Whether a file is written and still exists. */
  has(name: string): boolean {
    return this.#staged.has(name) && existsSync(join(this.#stage, "new", name));
  }

  /** Gives a file that is written, but not in place yet, a second name under which it can be read meanwhile. */
  show(name: string, as: string): void {
    const beside = join(this.#stage, "shown");
    try {
      linkSync(join(this.#stage, "new", name), beside);
      renameSync(beside, join(this.folder, as));
    } catch (error) {
      // Without hard links in the file system it keeps only its first name.
      if (!isFileError(error)) throw error;
    }
  }

  /** Puts all written files in place at once; returns those that could not be kept. */
  async commit(): Promise<readonly Failure[]> {
    const staged = [...this.#staged];
    if (staged.length > 0) {
      try {
        this.#makeStage();
        if (this.#staged.size === 0) throw Object.assign(new Error(`${this.folder} was removed`), { code: "ENOENT" });
        await this.#commit();
        this.#kept = this.#names.filter((name) => staged.includes(name));
      } catch (error) {
        if (!isFileError(error)) throw error;
        for (const name of staged) this.#failures.set(name, error);
      }
    }
    return [...this.#failures].map(([name, error]) => ({ name, error }));
  }

  /** The files that `commit` has put in place. */
  get kept(): readonly string[] {
    return this.#kept;
  }

  /** Removes files that were not put in place, and frees the folder for others. */
  close(): void {
    try {
      this.#removeStage();
      this.#owner?.release();
    } catch (error) {
      if (!isFileError(error)) throw error;
      console.error(`fallline: ${this.folder} could not be tidied: ${error.message}`);
    }
    this.#owner = undefined;
  }

  /** Makes the folder again if it was removed, with the lock of its owner. */
  restore(): void {
    makeFolder(this.folder);
    this.#owner?.renew();
  }

  async #commit(): Promise<void> {
    const lock = await this.#lock();
    try {
      settleOthers(this.folder, this.#stage);
      try {
        this.#switchAtOnce();
      } catch (error) {
        if (!isFileError(error)) throw error;
        this.#switchOneByOne();
      }
      flush(this.folder);
    } finally {
      lock?.release();
    }
  }

  /** Undefined on a full disk, which has no room for a lock: the files matter more. */
  async #lock(): Promise<Lock | undefined> {
    const path = join(this.folder, commitLock);
    try {
      const lock = await waitForLock(path, patience);
      if (lock) return lock;
    } catch (error) {
      if (isFull(error)) return undefined;
      throw error;
    }
    throw Object.assign(new Error(`another process has held ${path} for a minute`), { code: "EBUSY" });
  }

  #switchAtOnce(): void {
    const [old, now] = [join(this.#stage, "old"), join(this.#stage, "now")];
    mkdirSync(old);
    for (const name of this.#names) {
      if (isThere(join(this.folder, name))) secondName(join(this.folder, name), join(old, name));
    }
    symlinkSync("old", now);
    flush(this.#stage);
    const beside = join(this.#stage, "link");
    for (const name of this.#names) {
      if (!this.#staged.has(name) && !isThere(join(old, name))) continue;
      symlinkSync(join(basename(this.#stage), "now", name), beside);
      renameSync(beside, join(this.folder, name));
    }
    flush(this.folder);
    symlinkSync("new", beside);
    renameSync(beside, now);
    flush(this.#stage);
    // An old file whose replacement could not be written loses its place, but is kept under another name.
    for (const name of this.#failures.keys()) {
      if (isThere(join(old, name))) renameSync(join(old, name), join(this.folder, previousName(name)));
    }
    settle(this.folder, this.#stage);
    this.#removeStage();
  }

  #switchOneByOne(): void {
    const steps: (() => void)[] = [];
    for (const name of this.#names) {
      const path = join(this.folder, name);
      if (this.#staged.has(name)) {
        const from = join(this.#stage, "new", name);
        steps.push(() => existsSync(from) && renameSync(from, path));
      } else {
        const old = join(this.#stage, "old", name);
        const previous = join(this.folder, previousName(name));
        if (this.#failures.has(name))
          steps.push(() => isThere(path) && renameSync(isThere(old) ? old : path, previous));
        steps.push(() => rmSync(path, { force: true }));
      }
    }
    for (const step of steps) step();
    this.#removeStage();
  }

  #makeStage(): void {
    if (existsSync(join(this.#stage, "new"))) return;
    this.restore();
    for (const name of this.#staged) this.#failures.set(name, new Error("its folder was removed meanwhile"));
    this.#staged.clear();
    mkdirSync(this.#stage);
    this.#isMade = true;
    try {
      const lock = takeLock(join(this.#stage, stageLock));
      if (isLock(lock)) this.#alive = lock;
    } catch (error) {
      // On a full disk, other processes may take it for an abandoned one.
      if (!isFull(error)) throw error;
    }
    mkdirSync(join(this.#stage, "new"));
  }

  #removeStage(): void {
    this.#alive?.release();
    this.#alive = undefined;
    if (this.#isMade) rmSync(this.#stage, { recursive: true, force: true });
    this.#isMade = false;
    this.#staged.clear();
  }

  async #settleOthers(): Promise<void> {
    if (stages(this.folder).length === 0 && !existsSync(join(this.folder, commitLock))) return;
    const lock = await this.#lock();
    try {
      settleOthers(this.folder, this.#stage);
    } finally {
      lock?.release();
    }
  }

  #own(owns: boolean): void {
    const path = join(this.folder, ownerLock);
    const taken = owns ? takeLock(path) : holderOf(path);
    if (!taken) return;
    if (isLock(taken)) this.#owner = taken;
    else throw new OptionError(lockedPhrase(this.folder, taken));
  }
}

function lockedPhrase(folder: string, { pid, host }: Holder): string {
  const who = host === hostname() ? `process ${pid}` : `process ${pid} on ${host}`;
  return `out is "${folder}", which belongs to a run with checkpoints (${who}) until it ends; choose another folder`;
}

/** Puts a run's files in place and reports on stderr those that could not be kept; returns the paths of the others. */
export async function keep(results: Results): Promise<readonly string[]> {
  const failures = await results.commit();
  for (const { name, error } of failures) {
    console.error(`fallline: ${join(results.folder, name)} could not be kept: ${error.message}`);
    process.exitCode = 1;
  }
  return results.kept.map((name) => join(results.folder, name));
}

/** "; wrote …", or an empty text if nothing was written. */
export function wrotePhrase(paths: readonly string[]): string {
  return paths.length > 0 ? `; wrote ${paths.join(", ")}` : "; nothing could be written";
}

/** The name under which an old file is kept whose replacement could not be written. */
function previousName(name: string): string {
  return name.replace(/(\.[^.]*)?$/, ".previous$1");
}

/** True also for a link that leads nowhere. */
function isThere(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

/** Gives a file a second name; a user's link keeps its target. */
function secondName(path: string, second: string): void {
  if (lstatSync(path).isSymbolicLink()) symlinkSync(resolve(path, "..", readlinkSync(path)), second);
  else linkSync(path, second);
}

function stages(folder: string): readonly string[] {
  return readdirSync(folder).filter((entry) => entry.startsWith(stagePrefix));
}

/** Finishes the commits that killed processes had started. */
function settleOthers(folder: string, except: string): void {
  for (const entry of stages(folder)) {
    const stage = join(folder, entry);
    if (stage !== except && !isInUse(stage)) settle(folder, stage);
  }
}

function isInUse(stage: string): boolean {
  const lock = join(stage, stageLock);
  return existsSync(lock) ? holderOf(lock) !== undefined : Date.now() - statSync(stage).mtimeMs < 2000;
}

/** Turns the links into a stage into plain files, as the stage is now, and removes the stage. */
function settle(folder: string, stage: string): void {
  const through = join(basename(stage), "now");
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (!entry.isSymbolicLink() || readlinkSync(path) !== join(through, entry.name)) continue;
    if (existsSync(path)) renameSync(join(stage, readlinkSync(join(stage, "now")), entry.name), path);
    else rmSync(path);
  }
  flush(folder);
  rmSync(stage, { recursive: true, force: true });
}
