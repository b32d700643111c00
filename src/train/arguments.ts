// The arguments that training and its tools share, checked at the boundary: the engine, the data, listeners, signals and data
// sets.

import { readListener, readMade, readSignal } from "../base/options.ts";
import { readFields } from "../base/words.ts";
import { type Dataset, readDataset } from "../objectives/data/dataset.ts";
import type { Engine } from "./engine.ts";

/** @throws OptionError for anything but an engine. */
export function readEngine(engine: Engine): Engine {
  return readMade("engine", engine, "an engine, such as cpuEngine() or webgpuEngine(device) makes", {
    ...{ backend: "string", adapter: "object" },
    ...{ optimizer: "function", objective: "function", limits: "object" },
  });
}

/**
 * Options; those that start with "on" are listeners, `test` is a data set and `signal` an AbortSignal.
 *
 * @throws OptionError for an unknown option, and for one of the wrong kind.
 */
export function readRunOptions<T extends object>(name: string, options: T, known: readonly (keyof T & string)[]): T {
  const fields = readFields(name, options, known);
  for (const [key, value] of Object.entries(fields)) {
    if (key.startsWith("on")) readListener(key, value);
    else if (key === "signal") readSignal(key, value);
    else if (key === "test" && value !== undefined) readDataset(key, value as Dataset);
  }
  return options;
}
