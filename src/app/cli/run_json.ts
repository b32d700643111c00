// The JSON that a path stands for where a run is wanted. Where it is something else, the error says what, and where a run is.
import { existsSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { OptionError } from "../../base/errors.ts";
import { isOptions } from "../../base/options.ts";
import { isFolder, readJson } from "./files.ts";

const runFile = "run.json";

/** The path of a run's JSON: in a folder, of the run.json inside. */
export function runPath(path: string): string {
  return isFolder(path) ? join(path, runFile) : path;
}

/**
 * Reads a file in which a run is looked for.
 *
 * @param path From {@link runPath}.
 * @param wanted What the file may hold.
 * @throws OptionError for a file that is not there or of another kind; DataError for one that is not JSON.
 */
export async function readRunJson(path: string, wanted = "a run config or a run.json"): Promise<unknown> {
  if (basename(path) === runFile && !existsSync(path)) {
    throw new OptionError(`${path} is not there; it must be ${wanted}${example(path)}`);
  }
  const kind = kinds.find(([ending]) => ending.test(path))?.[1];
  if (kind !== undefined) throw notARun(path, kind, wanted);
  const content = await readJson(path);
  const format = isOptions(content) && typeof content.format === "string" ? content.format : "";
  if (/^fallline-(?!run\/)/.test(format)) throw notARun(path, `in the format ${format}`, wanted);
  return content;
}

const isTable = "a table";

/** What files with these endings are. */
const kinds: readonly (readonly [RegExp, string])[] = [
  [/\.[ct]sv$/i, isTable],
  [/\.svg$/i, "a chart"],
  [/\.safetensors$/i, "a file of parameters"],
];

function notARun(path: string, kind: string, wanted: string): OptionError {
  const isData = kind === isTable || kind.includes("fallline-dataset");
  const remedy = isData ? `; to train on it, give --data ${path}` : example(path);
  return new OptionError(`${path} is ${kind}; it must be ${wanted}${remedy}`);
}

/** A run beside a file, first the best run of the sweep or search in it. */
function example(path: string): string {
  const best = path.replace(/\.json$/i, ".best.json");
  const others = [runFile, "sweep.best.json", "search.best.json"].map((name) => join(dirname(path), name));
  const found = [best, ...others].find((each) => each !== path && existsSync(each));
  return found === undefined ? "" : `, such as ${found}`;
}
