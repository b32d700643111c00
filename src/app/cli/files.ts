// Files that commands read and write. A file is written completely or not at all, and flushed to disk before that is reported.
import { randomBytes } from "node:crypto";
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { DataError, OptionError, show } from "../../base/errors.ts";
import { decodeText } from "../../base/utf8.ts";

/** @throws OptionError for a file that cannot be read. */
export async function readBytes(path: string): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = await readFile(path).catch((error: Error) => {
    throw new OptionError(`${path} is not readable: ${error.message}`, { cause: error });
  });
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** @throws OptionError for a file that cannot be read; DataError for one that is not text. */
export async function readText(path: string): Promise<string> {
  return decodeText(path, await readBytes(path));
}

/** Whether a path is a folder; false where there is nothing, or nothing that can be looked at: reading it says why. */
export function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch (error) {
    if (!isFileError(error)) throw error;
    return false;
  }
}

/** @throws OptionError for a file that cannot be read; DataError for one that is not JSON. */
export async function readJson(path: string): Promise<unknown> {
  const text = await readText(path);
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new DataError(`${path} is not JSON: ${(error as Error).message}`, { cause: error });
  }
}

/** A reader sees the old file or the whole new one. */
export function writeWhole(path: string, contents: string | Uint8Array): void {
  if (path === "" || (existsSync(path) && !statSync(path).isFile())) {
    throw new OptionError(`${show(path)} cannot be written; it must be the path of a file`);
  }
  try {
    makeFolder(dirname(path));
    replaceFile(path, contents);
  } catch (error) {
    throw new DataError(`${path} could not be written: ${(error as Error).message}`, { cause: error });
  }
}

/**
 * The same for a file in a folder that exists; errors are the file system's.
 *
 * @param before Called once the new one is on the disk, before it takes the old one's place.
 */
export function replaceFile(path: string, contents: string | Uint8Array, before = () => {}): void {
  const part = `${path}.${process.pid}-${randomBytes(6).toString("hex")}.part`;
  try {
    writeFlushed(part, contents);
    before();
    renameSync(part, path);
    flush(dirname(path));
  } catch (error) {
    rmSync(part, { force: true });
    throw error;
  }
}

/** Writes a new file and waits until it is on the disk; never through a link or over another process's file. */
export function writeFlushed(path: string, contents: string | Uint8Array): void {
  const file = openSync(path, "wx");
  try {
    writeFileSync(file, contents);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** Level by level: mkdir's own recursion never ends in places such as /proc. */
export function makeFolder(folder: string): void {
  if (existsSync(folder)) return;
  makeFolder(dirname(folder));
  try {
    mkdirSync(folder);
  } catch (error) {
    // Two commands may start at the same time.
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
}

/** Waits until a folder's entries are on the disk. */
export function flush(folder: string): void {
  // Windows cannot open folders, and keeps renames in order by itself.
  if (process.platform === "win32") return;
  const file = openSync(folder, "r");
  try {
    fsyncSync(file);
  } catch (error) {
    // Some file systems cannot flush folders.
    if ((error as NodeJS.ErrnoException).code !== "EINVAL") throw error;
  } finally {
    closeSync(file);
  }
}

/** Whether an error means a full disk or a used-up quota. */
export function isFull(error: unknown): boolean {
  return isFileError(error) && (error.code === "ENOSPC" || error.code === "EDQUOT");
}

/** Whether an error comes from the file system. */
export function isFileError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && "code" in error;
}
