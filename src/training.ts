// `fallline/train`: data, models, training, and finding a rate.

export type { Name } from "./base/names.ts";
export { Random } from "./base/random.ts";
export { openVectors } from "./engines/open_vectors.ts";
export type { Activation } from "./engines/products/activation.ts";
export type { Dropout } from "./engines/products/dropout.ts";
export type {
  At,
  Block,
  Coefficients,
  Span as VectorSpan,
  VectorOptions,
  VectorSpace,
  VectorTensor,
} from "./engines/vectors.ts";
export type {
  Claim,
  Experiment,
  ExperimentContext,
  ExperimentOption,
  Findings,
  Interim,
} from "./lab/experiments/experiment.ts";
export * as lab from "./lab/experiments/functions.ts";
export type { LabResult } from "./lab/experiments/run.ts";
export type {
  FindLrJob,
  Ramp,
  RangeOptions,
  RangeProgress,
  RangeTestOptions,
  RangeTestResult,
  RateTrial,
  TrialProgress,
} from "./lab/lr_finder.ts";
export type { Entrant, Stop, Trial } from "./lab/race.ts";
export type { ScheduleShape } from "./lab/schedule_shapes.ts";
export type { Candidate, Ranked, SearchJob, SearchOptions, SearchResult } from "./lab/search.ts";
export type { RangeEnd, RangePoint, ReadingName, Suggestion, SuggestionName, Suggestions } from "./lab/suggest.ts";
export type { Halving, Span, SweepJob, SweepOptions, SweepResult, TrialResult } from "./lab/sweep.ts";
export * as tuning from "./lab/tuning.ts";
export { type VerifyObjectiveOptions, verifyObjective } from "./lab/verify_objective.ts";
export type { Density, DensityOptions, DensityPoint, ReplicaDensity } from "./objectives/curvature/density.ts";
export type {
  Eigenvalue,
  EigenvalueOptions,
  Eigenvalues,
  MeterState,
  ReplicaEigenvalues,
  ReplicaSharpness,
  Sharpness,
  SharpnessMeter,
  SharpnessOptions,
} from "./objectives/curvature/extremes.ts";
export * as curvature from "./objectives/curvature/functions.ts";
export type { CurvatureMethod, CurvatureOptions } from "./objectives/curvature/operator.ts";
export type { Estimate, ReplicaTrace, Trace, TraceOptions } from "./objectives/curvature/trace.ts";
export { type CustomDefinition, type CustomObjective, defineObjective, type Example } from "./objectives/custom.ts";
export type { ArrayDatasetOptions, Rows } from "./objectives/data/arrays.ts";
export type { Column, Columns, InputColumn, TargetColumn } from "./objectives/data/columns.ts";
export type { CsvOptions, CsvTextOptions } from "./objectives/data/csv.ts";
export type {
  Dataset,
  DatasetShape,
  LabelledDataset,
  Split,
  SplitOptions,
  TargetDataset,
} from "./objectives/data/dataset.ts";
export * as datasets from "./objectives/data/functions.ts";
export type { IdxArray, IdxOptions } from "./objectives/data/idx.ts";
export type { ClassesOption } from "./objectives/data/labels.ts";
export type { CompletePoints, PointsOptions } from "./objectives/data/points.ts";
export type { Standardize } from "./objectives/data/standardize.ts";
export type { Field, FieldOptions, Strides } from "./objectives/field.ts";
export type { InitConfig } from "./objectives/init.ts";
export type { Points } from "./objectives/landscape.ts";
export type {
  Interval,
  Landscape,
  LandscapeConfig,
  LandscapeDefinition,
  LandscapeFunction,
  LandscapeKernel,
} from "./objectives/landscapes/define.ts";
export * as landscapes from "./objectives/landscapes/functions.ts";
export type { LbfgsReason, LbfgsReport, LineSearch, Settings as LbfgsSettings } from "./objectives/lbfgs/iteration.ts";
export {
  type CompleteLbfgsOptions,
  type CpuClosure,
  createLbfgs,
  type GpuClosure,
  type Lbfgs,
  type LbfgsOptions,
} from "./objectives/lbfgs/lbfgs.ts";
export type { CompleteLossConfig, LossConfig, LossName } from "./objectives/loss.ts";
export type { ReplicaLimits } from "./objectives/memory.ts";
export type {
  CompleteTrainingOptions,
  CompleteWeightOptions,
  Layer,
  Model,
  TrainingOptions,
  WeightOptions,
} from "./objectives/model.ts";
export { type CompleteModelConfig, createModel, type ModelConfig } from "./objectives/models/index.ts";
export {
  type CompleteMlpConfig,
  type MlpConfig,
  type MlpFunction,
  type MlpOptions,
  mlp,
} from "./objectives/models/mlp.ts";
export {
  type CompletePinnConfig,
  type PinnConfig,
  type PinnFunction,
  type PinnOptions,
  pinn,
} from "./objectives/models/pinn.ts";
export {
  type CompleteRnnConfig,
  type RnnConfig,
  type RnnFunction,
  type RnnOptions,
  rnn,
} from "./objectives/models/rnn.ts";
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
export type { ClassPrediction, Prediction, ValuePrediction } from "./objectives/predictions.ts";
export * as problems from "./objectives/problems/functions.ts";
export type { PoissonFunction, PoissonOptions } from "./objectives/problems/poisson.ts";
export type {
  BoundaryPoint,
  CompleteBoundaryPoint,
  Coordinates,
  Jet,
  Problem,
  ProblemConfig,
  ProblemDefinition,
  ProblemKind,
} from "./objectives/problems/problem.ts";
export { initialTensors, type Program, type Trainable } from "./objectives/program.ts";
export type { OptimizerJson } from "./optimizer/config.ts";
export type { CurvaturePoint, CurvatureState } from "./train/curvature.ts";
export type { CompleteCurvatureConfig, CurvatureConfig } from "./train/curvature_config.ts";
export type { CompleteDataConfig, DataConfig, FileConfig, MnistConfig, PointsConfig } from "./train/data.ts";
export type { CurveDifference, FieldDifference, LossPoint, RunOutcome } from "./train/diff.ts";
export { cpuEngine, createTrainee, type Engine, type Trainee, webgpuEngine } from "./train/engine.ts";
export type {
  Diverging,
  EdgeOfStability,
  ExplodingGradient,
  NonFiniteGradient,
  NonFiniteLoss,
  Oscillating,
  Stalled,
  UpdateSize,
  VanishingGradient,
  WatchEvent,
} from "./train/findings.ts";
export type { HandoverState } from "./train/handover.ts";
export type { CompleteHandoverConfig, HandoverConfig } from "./train/handover_config.ts";
export type { RunData, RunJob } from "./train/job.ts";
export type { Best, KnownEvaluation, MetricOptions, MetricPoint } from "./train/metric.ts";
export { type PredictOptions, predict } from "./train/predict.ts";
export type { DataMark, LastUpdate, RunCheckpoint, RunState as RunCheckpointState } from "./train/run_checkpoint.ts";
export type { CompleteRunConfig, MetricConfig, RunConfig, StopConfig, WatchConfig } from "./train/run_config.ts";
export * as runs from "./train/runs.ts";
export { createStopping, type Stopping, type StoppingOptions, type StoppingReport } from "./train/stopping.ts";
export {
  type BeforeStep,
  type LayersPoint,
  type Progress,
  type Reason,
  type TrainJob,
  type TrainOptions,
  type TrainResult,
  train,
} from "./train/train.ts";
export {
  createWatch,
  type ObservedCurvature,
  type RunState,
  type Verdict,
  type Watch,
  type WatchedStep,
  type WatchState,
} from "./train/watch.ts";
export type { WatchOptions } from "./train/watch_options.ts";
