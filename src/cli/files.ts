// Files that commands read and write. What is written is whole or not there, and that a folder can be written to is known
// before the work begins.
import { existsSync, statSync } from "node:fs";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { DataError, OptionError, show } from "../errors.ts";

/** @throws DataError for a file that cannot be read. */
export async function readText(path: string): Promise<string> {
  const text = await readFile(path, "utf8").catch((error: Error) => {
    throw new DataError(`${path} is not readable: ${error.message}`, { cause: error });
  });
  // Some editors begin a file with the mark of its byte order.
  return text.replace(/^\uFEFF/, "");
}

/** @throws DataError for a file that cannot be read or is not JSON. */
export async function readJson(path: string): Promise<unknown> {
  const text = await readText(path);
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new DataError(`${path} is not JSON: ${(error as Error).message}`, { cause: error });
  }
}

/**
 * Makes the folder and tries to write what will be written; what a run before left there stays as it is.
 *
 * @throws OptionError that says why it cannot be written to.
 */
export async function mustBeWritable(folder: string, names: readonly string[]): Promise<void> {
  try {
    await makeFolder(folder);
    for (const name of names) {
      const path = join(folder, name);
      if (existsSync(path) && !statSync(path).isFile()) throw new Error(`${path} is in the way`);
      await writeFile(`${path}.part`, "");
      await rm(`${path}.part`);
    }
  } catch (error) {
    throw new OptionError(`out is "${folder}", which cannot be written to (${(error as Error).message})`, {
      cause: error,
    });
  }
}

/** Level by level: mkdir's own recursion never ends in places such as /proc. */
async function makeFolder(folder: string): Promise<void> {
  if (existsSync(folder)) return;
  await makeFolder(dirname(folder));
  await mkdir(folder);
}

/** Takes away what a command before has left and this one has nothing to put in place of. */
export async function removeFile(path: string): Promise<void> {
  await rm(path, { force: true });
}

/** A reader sees the old file or the whole new one. */
export async function writeWhole(path: string, contents: string | Uint8Array): Promise<void> {
  if (path === "" || (existsSync(path) && !statSync(path).isFile())) {
    throw new OptionError(`${show(path)} cannot be written; it must be the path of a file`);
  }
  try {
    await makeFolder(dirname(path));
    await writeFile(`${path}.part`, contents);
    await rename(`${path}.part`, path);
  } catch (error) {
    await rm(`${path}.part`, { force: true });
    throw new DataError(`${path} could not be written: ${(error as Error).message}`, { cause: error });
  }
}
