// `fallline`: the optimizer on either engine, its rules, schedules and modifiers.

export type { Snippet } from "./base/assemble.ts";
export { DataError, DeviceError, FalllineError, OptionError } from "./base/errors.ts";
export type { Range } from "./base/options.ts";
export { decodeSafetensors, encodeSafetensors, type SafeTensor, type SafeTensors } from "./base/safetensors.ts";
export { type CpuOptimizer, createCpuOptimizer, type ReplicaProgress } from "./engines/cpu/optimizer.ts";
export { type AdapterDescription, adapterLine, describeAdapter, requestDevice } from "./engines/gpu/device.ts";
export { type BufferRange, type External, type ExternalFields, external } from "./engines/gpu/external.ts";
export { type ControlField, createOptimizer, type GpuOptimizer } from "./engines/gpu/optimizer.ts";
export * as stages from "./engines/stages/functions.ts";
export type { Quintic } from "./engines/stages/newton_schulz.ts";
export type { Stage } from "./engines/stages/stage.ts";
export { type LawResult, verifyRule } from "./lab/verify.ts";
export * as modifiers from "./modifiers/functions.ts";
export type {
  ArgumentFunction,
  Modifier,
  ModifierConfig,
  ModifierFunction,
  SwitchFunction,
} from "./modifiers/modifier.ts";
export type { Layout, Segment, Tensor, Tensors } from "./optimizer/arena.ts";
export { type LoadOptions, loadCheckpoint, saveCheckpoint } from "./optimizer/checkpoint.ts";
export type {
  CommonOptions,
  GroupOptions,
  OptimizerConfig,
  Pattern,
  ReplicaOptions,
} from "./optimizer/config.ts";
export { evaluationRole } from "./optimizer/evaluation_role.ts";
export { layerwiseDecay, noDecay } from "./optimizer/groups.ts";
export type {
  InGroup,
  InReplica,
  LayerStats,
  ObservedOf,
  Optimizer,
  Role,
  Stats,
  TensorValues,
} from "./optimizer/optimizer.ts";
export { configOf } from "./optimizer/plan_config.ts";
export { readConfig } from "./optimizer/read_config.ts";
export { setRows } from "./optimizer/rows.ts";
export { loadTorch, type TorchOptions } from "./optimizer/torch.ts";
export { adabelief } from "./rules/adabelief.ts";
export { adadelta } from "./rules/adadelta.ts";
export { adafactor } from "./rules/adafactor.ts";
export { adagrad } from "./rules/adagrad.ts";
export { adam, adamw } from "./rules/adam.ts";
export { adamax } from "./rules/adamax.ts";
export { adan } from "./rules/adan.ts";
export { ademamix } from "./rules/ademamix.ts";
export { adopt } from "./rules/adopt.ts";
export { asgd } from "./rules/asgd.ts";
export { defineRule } from "./rules/custom.ts";
export { dadaptAdam } from "./rules/dadapt_adam.ts";
export { dog } from "./rules/dog.ts";
export { hypergradientAdam } from "./rules/hypergradient_adam.ts";
export { hypergradientSgd } from "./rules/hypergradient_sgd.ts";
export { rules } from "./rules/index.ts";
export { lamb } from "./rules/lamb.ts";
export { lars } from "./rules/lars.ts";
export { lion } from "./rules/lion.ts";
export { madgrad } from "./rules/madgrad.ts";
export { muon } from "./rules/muon.ts";
export { nadam } from "./rules/nadam.ts";
export { novograd } from "./rules/novograd.ts";
export { prodigy } from "./rules/prodigy.ts";
export { radam } from "./rules/radam.ts";
export { rmsprop } from "./rules/rmsprop.ts";
export { rprop } from "./rules/rprop.ts";
export type {
  Carry,
  Cell,
  Factored,
  FallbackOption,
  Hyper,
  HyperOptions,
  Names,
  Numbers,
  Only,
  Reduction,
  Rule,
  RuleConfig,
  RuleDefinition,
  RuleFunction,
  RuleOptions,
  Start,
} from "./rules/rule.ts";
export { scheduleFreeAdamw, scheduleFreeSgd } from "./rules/schedule_free.ts";
export { sgd } from "./rules/sgd.ts";
export { signum } from "./rules/signum.ts";
export type { SlotFormat } from "./rules/slot_format.ts";
export { yogi } from "./rules/yogi.ts";
export * as schedules from "./schedules/functions.ts";
export { readSchedule } from "./schedules/read_schedule.ts";
export type {
  Listener,
  ListenerState,
  Nested,
  Observable,
  Schedule,
  ScheduleConfig,
  ScheduleDefinition,
  Scheduled,
  ScheduleFunction,
  ScheduleOption,
} from "./schedules/schedule.ts";
