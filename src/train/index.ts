// `fallline/train`: data sets, models and training.
/// <reference types="@webgpu/types" preserve="true" />
export { type ArrayDatasetOptions, arrayDataset, type Rows } from "../data/arrays.ts";
export { type Column, type CsvOptions, parseCsv } from "../data/csv.ts";
export {
  type Dataset,
  firstRows,
  type LabelledDataset,
  type Split,
  type SplitOptions,
  sliceRows,
  splitRows,
  type TargetDataset,
} from "../data/dataset.ts";
export { type IdxOptions, idxDataset } from "../data/idx.ts";
export { mnistDataset, mnistFiles } from "../data/mnist.ts";
export type { Model } from "../objectives/model.ts";
export { type MlpOptions, mlp } from "../objectives/models/mlp.ts";
export { type RnnOptions, rnn } from "../objectives/models/rnn.ts";
export { initialTensors } from "../objectives/program.ts";
export { cpuEngine, type Engine, webgpuEngine } from "./engine.ts";
export { decodeRunCheckpoint, type RunCheckpoint } from "./run_checkpoint.ts";
export { type RunConfig, readRunConfig } from "./run_config.ts";
export { type TrainOptions, type TrainResult, train } from "./train.ts";
