// The library's public face.
/// <reference types="@webgpu/types" preserve="true" />
export type { BufferRange, Layout, Segment, Tensor, Tensors } from "./arena.ts";
export type {
  AdaptiveClip,
  ClipConfig,
  CommonOptions,
  EmaConfig,
  GlobalNormClip,
  GroupNormClip,
  GroupOptions,
  LookaheadConfig,
  LossScaleConfig,
  OptimizerConfig,
  Pattern,
  ReplicaOptions,
  SwaConfig,
  ValueClip,
} from "./config.ts";
export { type CpuOptimizer, createCpuOptimizer, type ReplicaProgress } from "./cpu/optimizer.ts";
export { type ArrayDatasetOptions, arrayDataset, type Rows } from "./data/arrays.ts";
export { type Column, type CsvOptions, parseCsv } from "./data/csv.ts";
export {
  batches,
  classNotes,
  type Dataset,
  firstRows,
  type LabelledDataset,
  type Split,
  type SplitOptions,
  sliceRows,
  splitRows,
  type TargetDataset,
} from "./data/dataset.ts";
export { digitsDataset } from "./data/digits.ts";
export { type IdxArray, type IdxOptions, idxDataset, parseIdx } from "./data/idx.ts";
export type { ClassesOption } from "./data/labels.ts";
export { mnistDataset, mnistFiles } from "./data/mnist.ts";
export { DataError, DeviceError, FalllineError, OptionError } from "./errors.ts";
export { type ChoiceStore, clear, keepChoices, type Speeds } from "./gpu/choices.ts";
export { type AdapterDescription, adapterLine, describeAdapter, requestDevice } from "./gpu/device.ts";
export { type ControlField, createOptimizer, type GpuOptimizer } from "./gpu/optimizer.ts";
export { shapeNames as updateShapeNames } from "./gpu/shapes.ts";
export { isBiasOrNorm, layerwiseDecay, noDecay } from "./groups.ts";
export {
  type CaseResult,
  type GradientCase,
  type GradientFile,
  type GradientResult,
  gradientCase,
  readGradients,
  readRecorded,
  readTraining,
  type SharpnessCase,
  type TrainingFile,
  type TrainingResult,
  type TrainingRun,
  trainingRun,
} from "./lab/gradients.ts";
export type { Entrant, Stop, Trial } from "./lab/race.ts";
export {
  type FindLrJob,
  findLr,
  type Ramp,
  type RangeOptions,
  type RangeProgress,
  type RangeTestOptions,
  type RangeTestResult,
  type RateTrial,
  rangeTest,
  type TrialProgress,
} from "./lab/range_test.ts";
export type { Tolerance } from "./lab/recorded.ts";
export { type ReplayCase, type ReplayFile, type ReplayResult, readReplay, replayCase } from "./lab/replay.ts";
export {
  type Candidate,
  type Ranked,
  type SearchJob,
  type SearchOptions,
  type SearchResult,
  search,
  searchedRules,
  searchedShapes,
} from "./lab/search.ts";
export { type Shape, shapes } from "./lab/shapes.ts";
export type { RangeEnd, RangePoint, ReadingName, Suggestion, SuggestionName, Suggestions } from "./lab/suggest.ts";
export {
  gridTrials,
  type Halving,
  randomTrials,
  type Span,
  type SweepJob,
  type SweepOptions,
  type SweepResult,
  spaced,
  sweep,
  type TrialResult,
  trialConfig,
  withPeak,
} from "./lab/sweep.ts";
export { type LawResult, verifyRule } from "./lab/verify.ts";
export { type VerifyObjectiveOptions, verifyObjective } from "./lab/verify_objective.ts";
export { type CustomDefinition, type CustomObjective, defineObjective, type Example } from "./objectives/custom.ts";
export type { InitConfig } from "./objectives/init.ts";
export { beale } from "./objectives/landscapes/beale.ts";
export type { Interval, Landscape, LandscapeConfig, LandscapeKernel } from "./objectives/landscapes/define.ts";
export { himmelblau } from "./objectives/landscapes/himmelblau.ts";
export { createLandscape, landscapeTypes } from "./objectives/landscapes/index.ts";
export { type LogisticMapOptions, logisticMap } from "./objectives/landscapes/logistic_map.ts";
export { type QuadraticOptions, quadratic } from "./objectives/landscapes/quadratic.ts";
export { type QuarticOptions, quartic } from "./objectives/landscapes/quartic.ts";
export { type RastriginOptions, rastrigin } from "./objectives/landscapes/rastrigin.ts";
export { type RosenbrockOptions, rosenbrock } from "./objectives/landscapes/rosenbrock.ts";
export { type SaddleOptions, saddle } from "./objectives/landscapes/saddle.ts";
export type { LossConfig } from "./objectives/loss.ts";
export type { Layer, Model } from "./objectives/model.ts";
export { type CompleteModelConfig, createModel, type ModelConfig } from "./objectives/models/index.ts";
export { type MlpConfig, type MlpOptions, mlp } from "./objectives/models/mlp.ts";
export { type RnnConfig, type RnnOptions, rnn } from "./objectives/models/rnn.ts";
export type {
  Evaluation,
  HessianOptions,
  Objective,
  ObjectiveOptions,
  ReplicaEvaluation,
  ReplicaReport,
  StepReport,
} from "./objectives/objective.ts";
export { createCpuObjective } from "./objectives/objective_cpu.ts";
export { createObjective, type GpuObjective } from "./objectives/objective_gpu.ts";
export { initialTensors, type Program, type Trainable } from "./objectives/program.ts";
export { type LoadOptions, loadCheckpoint, saveCheckpoint } from "./optimizer/checkpoint.ts";
export { evaluationRole } from "./optimizer/evaluation.ts";
export { loadTorch, type TorchOptions } from "./optimizer/torch.ts";
export type { InGroup, InReplica, LayerStats, Optimizer, Role, Stats, TensorValues } from "./optimizer.ts";
export type { Range } from "./options.ts";
export type { Activation } from "./products/activation.ts";
export { type Choice, choices, pin } from "./products/choices.ts";
export {
  perceptronProducts,
  type Tuned,
  type TunedUpdate,
  type TuneOptions,
  type TuneProgress,
  type TuneResult,
  tune,
  tuneUpdate,
} from "./products/tuner.ts";
export { type ProductShape, variantNames } from "./products/variants.ts";
export { Random } from "./random.ts";
export { readConfig } from "./read_config.ts";
export { readSchedule } from "./read_schedule.ts";
export {
  type Carry,
  type Cell,
  defineRule,
  type Factored,
  type Hyper,
  type HyperOptions,
  type Only,
  type Reduction,
  type Rule,
  type RuleConfig,
  type RuleDefinition,
  type RuleFunction,
  type RuleOptions,
  type Start,
} from "./rule.ts";
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
export { scheduleFreeAdamw, scheduleFreeSgd } from "./rules/schedule_free.ts";
export { sgd } from "./rules/sgd.ts";
export { signum } from "./rules/signum.ts";
export { yogi } from "./rules/yogi.ts";
export { decodeSafetensors, encodeSafetensors, type SafeTensor, type SafeTensors } from "./safetensors.ts";
export {
  createSchedule,
  type Listener,
  type ListenerState,
  type Schedule,
  type ScheduleConfig,
  type Scheduled,
  type ScheduleFunction,
} from "./schedule.ts";
export { batchGrowth } from "./schedules/batch_growth.ts";
export { batchScaled } from "./schedules/batch_scaled.ts";
export { constant } from "./schedules/constant.ts";
export { cosine } from "./schedules/cosine.ts";
export { cosineRestarts } from "./schedules/cosine_restarts.ts";
export { cyclic } from "./schedules/cyclic.ts";
export { exponential } from "./schedules/exponential.ts";
export { scheduleTypes } from "./schedules/index.ts";
export { inverseSqrt } from "./schedules/inverse_sqrt.ts";
export { inverseTime } from "./schedules/inverse_time.ts";
export { linear } from "./schedules/linear.ts";
export { multiStep } from "./schedules/multi_step.ts";
export { oneCycle, oneCycleMomentum } from "./schedules/one_cycle.ts";
export { piecewise } from "./schedules/piecewise.ts";
export { plateau } from "./schedules/plateau.ts";
export { polynomial } from "./schedules/polynomial.ts";
export { product } from "./schedules/product.ts";
export { scale } from "./schedules/scale.ts";
export { sequential } from "./schedules/sequential.ts";
export { halveEvery, step } from "./schedules/step.ts";
export { stochastic } from "./schedules/stochastic.ts";
export { tanh } from "./schedules/tanh.ts";
export { warmupStableDecay } from "./schedules/warmup_stable_decay.ts";
export { factoredStage } from "./stages/factored.ts";
export { orthogonaliseStage } from "./stages/orthogonalise.ts";
export { reductionStage } from "./stages/reduction.ts";
export type { CompleteDataConfig, DataConfig, FileConfig, MnistConfig } from "./train/data.ts";
export {
  type CurveDifference,
  diffCurves,
  diffFields,
  type FieldDifference,
  type LossPoint,
  type RunOutcome,
} from "./train/diff.ts";
export { cpuEngine, createTrainee, type Engine, type Trainee, webgpuEngine } from "./train/engine.ts";
export type { RunData, RunJob } from "./train/job.ts";
export type { Best, MetricOptions, MetricPoint } from "./train/metric.ts";
export {
  type DataMark,
  decodeRunCheckpoint,
  type RunCheckpoint,
  type RunState as RunCheckpointState,
} from "./train/run_checkpoint.ts";
export {
  type CompleteRunConfig,
  type MetricConfig,
  type RunConfig,
  readRunConfig,
  type StopConfig,
  type WatchConfig,
} from "./train/run_config.ts";
export { createStopping, type Stopping, type StoppingOptions, type StoppingReport } from "./train/stopping.ts";
export {
  type Progress,
  type Reason,
  type TrainJob,
  type TrainOptions,
  type TrainResult,
  train,
} from "./train/train.ts";
export {
  createWatch,
  type Diverging,
  type ExplodingGradient,
  type NonFiniteGradient,
  type NonFiniteLoss,
  type Oscillating,
  type RunState,
  type Stalled,
  type UpdateSize,
  type VanishingGradient,
  type Verdict,
  type Watch,
  type WatchEvent,
  type WatchedStep,
  type WatchOptions,
  type WatchState,
} from "./train/watch.ts";
