// The registry of experiments, in the order of docs/lab.md.
import { cascade } from "./cascade.ts";
import { euler } from "./euler.ts";
import type { Experiment } from "./experiment.ts";
import { kicks } from "./kicks.ts";
import { speedLimit } from "./speed_limit.ts";
import { temperature } from "./temperature.ts";
import { tracking } from "./tracking.ts";

/** Every experiment, in the order of docs/lab.md. */
export const experiments: readonly Experiment[] = [speedLimit, euler, cascade, temperature, kicks, tracking];
