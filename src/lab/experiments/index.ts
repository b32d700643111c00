// The registry of experiments, in the order of docs/lab.md.
import { batch } from "./batch.ts";
import { canyon } from "./canyon.ts";
import { cascade } from "./cascade.ts";
import { cascadeRnn } from "./cascade_rnn.ts";
import { edge } from "./edge.ts";
import { euler } from "./euler.ts";
import type { Experiment } from "./experiment.ts";
import { federated } from "./federated.ts";
import { handover } from "./handover.ts";
import { kicks } from "./kicks.ts";
import { layers } from "./layers.ts";
import { retention } from "./retention.ts";
import { speedLimit } from "./speed_limit.ts";
import { temperature } from "./temperature.ts";
import { tracking } from "./tracking.ts";

/** Every experiment, in the order of docs/lab.md. */
export const experiments: readonly Experiment[] = [
  speedLimit,
  euler,
  cascade,
  cascadeRnn,
  temperature,
  kicks,
  tracking,
  layers,
  batch,
  canyon,
  federated,
  retention,
  edge,
  handover,
];
