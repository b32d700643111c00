// The registry of experiments, in the order of docs/lab.md.
import type { Experiment } from "./experiment.ts";
import { speedLimit } from "./speed_limit.ts";

/** Every experiment, in the order of docs/lab.md. */
export const experiments: readonly Experiment[] = [speedLimit];
