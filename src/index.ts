// The library's public face.
/// <reference types="@webgpu/types" preserve="true" />
export type { Segment, Tensor } from "./arena.ts";
export { type CpuOptimizer, createCpuOptimizer } from "./cpu/optimizer.ts";
export { batches, type Dataset } from "./data/dataset.ts";
export { type IdxArray, parseIdx } from "./data/idx.ts";
export { mnistDataset, mnistFiles } from "./data/mnist.ts";
export { DataError, DeviceError, FalllineError, OptionError } from "./errors.ts";
export { type AdapterDescription, adapterLine, describeAdapter, requestDevice } from "./gpu/device.ts";
export { createOptimizer, type GpuOptimizer } from "./gpu/optimizer.ts";
export { type ReplayFile, type ReplayResult, readReplay, replayCase } from "./lab/replay.ts";
export type { InitConfig } from "./objectives/init.ts";
export { createCpuObjective } from "./objectives/mlp_cpu.ts";
export { createGpuObjective, type GpuObjective } from "./objectives/mlp_gpu.ts";
export { createModel, initialTensors, type Model, type ModelConfig } from "./objectives/model.ts";
export type { Evaluation, Objective, StepReport } from "./objectives/objective.ts";
export type { Optimizer, Role, Stats, TensorValues } from "./optimizer.ts";
export { Random } from "./random.ts";
export {
  type Cell,
  type ClipConfig,
  type CommonOptions,
  defineRule,
  type GlobalNormClip,
  type Hyper,
  type Rule,
  type RuleDefinition,
} from "./rule.ts";
export type { AdamHypers, AdamOptions } from "./rules/adam.ts";
export { adam, adamw, type OptimizerConfig, rules, sgd } from "./rules/index.ts";
export type { SgdHypers, SgdOptions } from "./rules/sgd.ts";
export { decodeSafetensors, encodeSafetensors, type SafeTensor, type SafeTensors } from "./safetensors.ts";
export type { Schedule, ScheduleConfig, Scheduled, ScheduleFunction } from "./schedule.ts";
export { constant } from "./schedules/constant.ts";
export { cosine } from "./schedules/cosine.ts";
export { createSchedule, scheduleTypes } from "./schedules/index.ts";
export { linear } from "./schedules/linear.ts";
export { sequential } from "./schedules/sequential.ts";
export { cpuEngine, type Engine, type Trainee, webgpuEngine } from "./train/engine.ts";
export { type Progress, type RunConfig, type TrainOptions, type TrainResult, train } from "./train/train.ts";
