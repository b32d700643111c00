// The command line's store of the tuner's choices: a JSON file in the user's cache folder, which may be deleted at any time.
import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { DataError } from "../../base/errors.ts";
import type { ChoiceStore } from "../../engines/gpu/kernel_choices.ts";
import { makeFolder, replaceFile } from "./files.ts";

/** $XDG_CACHE_HOME or ~/.cache, fallline/choices.json. */
export function choicesPath(): string {
  return join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "fallline", "choices.json");
}

/** The file as a store. A broken file counts as empty, with a line on stderr, and is replaced by the next write. */
export function choiceFile(path = choicesPath()): ChoiceStore {
  const change = (edit: (items: Map<string, string>) => void) => {
    // Read again, since other processes write choices for other adapters to it. If two change it at the same moment, the
    // later one wins.
    const items = read(path, () => {});
    edit(items);
    try {
      makeFolder(dirname(path));
      replaceFile(path, `${JSON.stringify(Object.fromEntries(items), null, 2)}\n`);
    } catch (error) {
      throw new DataError(`${path} could not be written: ${(error as Error).message}`, { cause: error });
    }
  };
  return {
    getItem: (key) => read(path, (line) => console.error(`fallline: ${line}`)).get(key) ?? null,
    setItem: (key, value) => change((items) => items.set(key, value)),
    removeItem: (key) => change((items) => items.delete(key)),
  };
}

function read(path: string, say: (line: string) => void): Map<string, string> {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") {
      say(`the kernel choices in ${path} cannot be read and are ignored: ${(error as Error).message}`);
    }
    return new Map();
  }
  try {
    const entries = Object.entries(JSON.parse(text) as Record<string, unknown>);
    return new Map(entries.filter((entry): entry is [string, string] => typeof entry[1] === "string"));
  } catch (error) {
    say(`the kernel choices in ${path} are not JSON and are ignored: ${(error as Error).message}`);
    return new Map();
  }
}
