// Checkpoints of whole runs: everything that later steps depend on, in one safetensors file. The optimizer's own checkpoint
// is stored under `optimizer/`, that of the best parameters under `best/`; losses are exact, as four 16-bit words each; the rest
// is JSON in the metadata.

import { DataError, OptionError, refusal, show, showGiven } from "../base/errors.ts";
import { fromExact, toExact } from "../base/exact.ts";
import { bytesOf } from "../base/options.ts";
import { decodeSafetensors, encodeSafetensors, type SafeTensor } from "../base/safetensors.ts";
import { version } from "../base/version.ts";
import type { Dataset } from "../objectives/data/dataset.ts";
import type { LayerStats } from "../optimizer/optimizer.ts";
import type { CurvaturePoint, CurvatureState } from "./curvature.ts";
import { diffFields } from "./diff.ts";
import type { WatchEvent } from "./findings.ts";
import type { HandoverState } from "./handover.ts";
import type { MetricPoint } from "./metric.ts";
import type { CompleteRunConfig } from "./run_config.ts";
import type { WatchState } from "./watch.ts";

const format = "fallline-run-checkpoint/1";

/** A run at one of its steps, as bytes. */
export interface RunCheckpoint {
  /** Training steps made. */
  readonly step: number;
  /** A complete safetensors file: `resume` of {@link TrainOptions} takes it. */
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** Distinguishes one data set from another. */
export interface DataMark {
  /** How many examples. */
  readonly count: number;
  /** Numbers per example. */
  readonly features: number;
  /** A hash of all inputs, labels or targets, and weights, in hexadecimal. */
  readonly hash: string;
}

/** The results of the last update, which steps report until the next (with `accumulate`, several steps make one). */
export interface LastUpdate {
  /** Updates made. */
  readonly step: number;
  /** Updates skipped. */
  readonly skipped: number;
  /** The gradient's norm before clipping. */
  readonly gradientNorm: number;
  /** The statistics of each tensor; null without layer statistics. */
  readonly layers: readonly LayerStats[] | null;
}

/** The contents of a run checkpoint. */
export interface RunState {
  /** Training steps made. */
  readonly step: number;
  /** The config of the run with every default filled in, without hypers that are functions of the step. */
  readonly config: CompleteRunConfig;
  /** The engine that ran it. */
  readonly backend: "webgpu" | "cpu";
  /** The version of the library that wrote it. */
  readonly version: string;
  /** The loss of every step. */
  readonly losses: readonly number[];
  /** The metric's values so far. */
  readonly metrics: readonly MetricPoint[];
  /** The best of them; null if there is none. */
  readonly best: MetricPoint | null;
  /** The findings of `watch`. */
  readonly events: readonly WatchEvent[];
  /** Updates skipped because a gradient was not finite. */
  readonly skipped: number;
  /** The data to train on; null without any. */
  readonly data: DataMark | null;
  /** The data to test with; null without any. */
  readonly test: DataMark | null;
  /** The optimizer's checkpoint, as `save` returns it: parameters, slots, hypers, schedules, plateaus. */
  readonly optimizer: Uint8Array<ArrayBuffer>;
  /** The same at the best point, if the run returns those parameters or `onBest` receives them. */
  readonly bestOptimizer: Uint8Array<ArrayBuffer> | null;
  /** The state of the watch; null without one. */
  readonly watch: WatchState | null;
  /** The state of its handover; null without one. */
  readonly handover: HandoverState | null;
  /** The sharpness measured so far, and the state from which that continues; null if it is not measured. */
  readonly curvature: CurvatureState | null;
  /** The results of the last update, if several gradients make one; null before the first. */
  readonly lastUpdate: LastUpdate | null;
}

/** The bytes of a run's state. */
export function encodeRunCheckpoint(state: Omit<RunState, "step" | "version">): RunCheckpoint {
  const { config, backend, losses, optimizer, bestOptimizer, handover, curvature, ...run } = state;
  const tensors = new Map<string, SafeTensor>();
  tensors.set("losses", toExact(Float64Array.from(losses)));
  const embed = (prefix: string, bytes: Uint8Array): string => {
    const inner = decodeSafetensors(bytes);
    for (const [name, tensor] of inner.tensors) tensors.set(`${prefix}/${name}`, tensor);
    return JSON.stringify(inner.metadata);
  };
  const metadata = {
    format,
    version,
    backend,
    step: String(losses.length),
    config: JSON.stringify(config),
    run: toText({
      ...run,
      handover: handover && { ...handover, bytes: null },
      curvature: curvature && { points: curvature.points },
    }),
    optimizer: embed("optimizer", optimizer),
    ...(bestOptimizer ? { best: embed("best", bestOptimizer) } : {}),
    ...(handover?.bytes ? { handover: embed("handover", handover.bytes) } : {}),
    ...(curvature?.bytes ? { curvature: embed("curvature", curvature.bytes) } : {}),
  };
  return { step: losses.length, bytes: encodeSafetensors({ metadata, tensors }) };
}

/**
 * Reads a run checkpoint, for tools that want its contents without resuming.
 *
 * @throws DataError for anything but a run checkpoint, and for one that is damaged or of an unknown version.
 */
export function decodeRunCheckpoint(bytes: Uint8Array | ArrayBuffer): RunState {
  const { metadata, tensors } = decodeSafetensors(bytes);
  if (metadata.format !== format) {
    throw new DataError(`the run checkpoint's format is ${metadata.format ?? "missing"}; this version reads ${format}`);
  }
  const losses = [...fromExact(tensors.get("losses"), "the run checkpoint's losses")];
  if (metadata.step !== String(losses.length)) {
    throw new DataError(`the run checkpoint's step is ${metadata.step ?? "missing"}; it has ${losses.length} losses`);
  }
  const { backend } = metadata;
  if (backend !== "webgpu" && backend !== "cpu") {
    throw new DataError(`the run checkpoint's backend is ${backend ?? "missing"}; it must be webgpu or cpu`);
  }
  const extract = (prefix: string, text: string | undefined): Uint8Array<ArrayBuffer> => {
    const picked = [...tensors].filter(([name]) => name.startsWith(`${prefix}/`));
    const inner = Object.entries(object(prefix, readText(prefix, text)));
    const wrong = inner.find(([, value]) => typeof value !== "string");
    if (wrong)
      throw new DataError(`the run checkpoint's ${prefix} has ${show(wrong[1])} as ${wrong[0]}; it must be a string`);
    return encodeSafetensors({
      metadata: Object.fromEntries(inner) as Record<string, string>,
      tensors: new Map(picked.map(([name, tensor]) => [name.slice(prefix.length + 1), tensor])),
    });
  };
  const run = object("run", readText("run", metadata.run, true));
  const point = (name: string, value: unknown): MetricPoint => {
    const { step, value: metric } = object(name, value);
    return { step: whole(`${name}.step`, step), value: number(`${name}.value`, metric) };
  };
  return {
    step: losses.length,
    config: object("config", readText("config", metadata.config)) as unknown as CompleteRunConfig,
    backend,
    version: metadata.version ?? "",
    losses,
    metrics: array("metrics", run.metrics).map((value, i) => point(`metrics[${i}]`, value)),
    best: run.best === null ? null : point("best", run.best),
    events: array("events", run.events).map((event, i) => object(`events[${i}]`, event) as unknown as WatchEvent),
    skipped: whole("skipped", run.skipped),
    data: run.data === null ? null : mark("data", run.data),
    test: run.test === null ? null : mark("test", run.test),
    optimizer: extract("optimizer", metadata.optimizer),
    bestOptimizer: metadata.best === undefined ? null : extract("best", metadata.best),
    watch: run.watch === null ? null : object("watch", run.watch),
    handover: readHandoverState(
      run.handover,
      metadata.handover === undefined ? null : extract("handover", metadata.handover),
    ),
    curvature: readCurvatureState(
      run.curvature,
      metadata.curvature === undefined ? null : extract("curvature", metadata.curvature),
    ),
    lastUpdate: run.lastUpdate === null ? null : readLast(run.lastUpdate),
  };
}

/**
 * A run checkpoint that this run can resume from.
 *
 * @throws OptionError that names the first field, or the data, that differs from the checkpoint's; only `steps` may be larger,
 * and the same rows may come from another source. DataError like {@link decodeRunCheckpoint}.
 */
export function resumable(
  bytes: Uint8Array | ArrayBuffer,
  config: CompleteRunConfig,
  data: DataMark | null,
  test: DataMark | null,
): RunState {
  if (!bytesOf(bytes)) {
    throw refusal("resume", bytes, "a Uint8Array or an ArrayBuffer, the bytes of a run checkpoint");
  }
  const state = decodeRunCheckpoint(bytes);
  mustBeSameRun(state.config, config);
  if (state.data && data) mustMatch("the rows to train on", state.data, data);
  if (config.metric && config.metric.type !== "loss" && state.test && test) {
    mustMatch("the rows to test with", state.test, test);
  }
  return state;
}

/**
 * @param of The name of the checkpoint in errors.
 * @throws OptionError that names the first field that differs from the saved run's; only `steps` may be larger, and `data` may
 * differ.
 */
export function mustBeSameRun(saved: CompleteRunConfig, config: CompleteRunConfig, of = "the checkpoint"): void {
  const { steps: least, data: _, ...theirs } = saved;
  const { steps, data: __, ...ours } = JSON.parse(JSON.stringify(config)) as CompleteRunConfig;
  const [difference] = diffFields(theirs, ours);
  if (difference) {
    const { path, a, b } = difference;
    throw refusal(path, b, `${showGiven(a)}, as in the run of ${of}`);
  }
  // A damaged config may have no steps.
  if (!(steps >= least)) {
    throw new OptionError(`steps is ${steps}; it must be at least ${least}, the steps of the run of ${of}`);
  }
}

function mustMatch(what: string, theirs: DataMark, ours: DataMark): void {
  for (const field of ["count", "features", "hash"] as const) {
    if (theirs[field] === ours[field]) continue;
    const noun = { count: "their count", features: "their number of features", hash: "the hash of their numbers" }[
      field
    ];
    throw new OptionError(
      `${what} differ from those of the checkpoint's run: ${noun} is ${ours[field]}, and was ${theirs[field]}`,
    );
  }
}

/** The mark of a data set. */
export function markOf(data: Dataset): DataMark {
  const hash = new Hash();
  hash.add(data.inputs);
  hash.add(Float64Array.of(data.scale, data.labels ? data.classes : -data.outputs));
  hash.add(data.labels ?? data.targets);
  if (data.weights) hash.add(data.weights);
  return { count: data.count, features: data.features, hash: hash.digest() };
}

/** 64 bits of a hash in the manner of MurmurHash (Appleby 2008): it distinguishes data sets, but withstands no attack. */
class Hash {
  #low = 0x9747b28c;
  #high = 0x3c6ef372;

  add(values: ArrayBufferView): void {
    const { byteLength } = values;
    // Words start at multiples of four.
    const aligned = values.byteOffset % 4 === 0;
    const source = aligned ? values : new Uint8Array(values.buffer, values.byteOffset, byteLength).slice();
    const words = new Uint32Array(source.buffer, source.byteOffset, byteLength >> 2);
    for (let i = 0; i < words.length; i++) this.#mix(words[i]!);
    for (const byte of new Uint8Array(source.buffer, source.byteOffset + 4 * words.length, byteLength & 3))
      this.#mix(byte);
    this.#mix(byteLength);
  }

  digest(): string {
    return [this.#low, this.#high].map((half) => (half >>> 0).toString(16).padStart(8, "0")).join("");
  }

  #mix(word: number): void {
    const low = Math.imul(this.#low ^ Math.imul(word, 0xcc9e2d51), 0x85ebca6b);
    this.#low = low ^ (low >>> 15);
    const high = Math.imul(this.#high + word + this.#low, 0xc2b2ae35);
    this.#high = high ^ (high >>> 13);
  }
}

function readLast(value: unknown): LastUpdate {
  const { step, skipped, gradientNorm, layers } = object("lastUpdate", value);
  const layer = (given: unknown): LayerStats => {
    const { name, ...norms } = object("lastUpdate.layers", given);
    if (typeof name !== "string") throw new DataError(`the run checkpoint has a layer called ${show(name)}`);
    return {
      name,
      gradientNorm: number("gradientNorm", norms.gradientNorm),
      weightNorm: number("weightNorm", norms.weightNorm),
      updateNorm: number("updateNorm", norms.updateNorm),
    };
  };
  return {
    step: whole("lastUpdate.step", step),
    skipped: whole("lastUpdate.skipped", skipped),
    gradientNorm: number("lastUpdate.gradientNorm", gradientNorm),
    layers: layers === null ? null : array("lastUpdate.layers", layers).map(layer),
  };
}

function readHandoverState(value: unknown, bytes: Uint8Array<ArrayBuffer> | null): HandoverState | null {
  if (value === null || value === undefined) return null;
  const { step, updates, skipped, stalls, last, looks } = object("handover", value);
  const { loss, gradientNorm } = object("handover.last", last);
  return {
    step: step === null ? null : whole("handover.step", step),
    updates: whole("handover.updates", updates),
    skipped: whole("handover.skipped", skipped),
    stalls: whole("handover.stalls", stalls),
    last: {
      loss: number("handover.last.loss", loss),
      gradientNorm: number("handover.last.gradientNorm", gradientNorm),
    },
    looks: whole("handover.looks", looks),
    bytes,
  };
}

function readCurvatureState(value: unknown, bytes: Uint8Array<ArrayBuffer> | null): CurvatureState | null {
  if (value === null || value === undefined) return null;
  const points = array("curvature.points", object("curvature", value).points).map((point, i): CurvaturePoint => {
    const name = `curvature.points[${i}]`;
    const fields = object(name, point);
    const figure = (field: string) => number(`${name}.${field}`, fields[field]);
    const known = (field: string) => (fields[field] === null ? null : figure(field));
    return {
      step: whole(`${name}.step`, fields.step),
      sharpness: figure("sharpness"),
      bound: figure("bound"),
      converged: fields.converged === true,
      lr: figure("lr"),
      product: figure("product"),
      edge: known("edge"),
      fraction: known("fraction"),
      gradients: whole(`${name}.gradients`, fields.gradients),
    };
  });
  return { points, bytes };
}

function mark(name: string, value: unknown): DataMark {
  const { count, features, hash } = object(name, value);
  if (typeof hash !== "string") throw refusal(`the run checkpoint's ${name}.hash`, hash, "text", DataError);
  return { count: whole(`${name}.count`, count), features: whole(`${name}.features`, features), hash };
}

/** JSON in which every number comes back exactly. */
function toText(value: unknown): string {
  return JSON.stringify(value, (_, part) =>
    typeof part === "number" && (!Number.isFinite(part) || Object.is(part, -0))
      ? { [exactly]: Object.is(part, -0) ? "-0" : String(part) }
      : part,
  );
}

const exactly = "number";

/** @param revive Whether {@link toText} wrote it. */
function readText(name: string, text: string | undefined, revive = false): unknown {
  try {
    return JSON.parse(text ?? "", (_, part) =>
      revive && typeof part === "object" && part !== null && typeof part[exactly] === "string"
        ? Number(part[exactly])
        : part,
    );
  } catch (error) {
    throw new DataError(`the run checkpoint's ${name} is not JSON: ${(error as Error).message}`, { cause: error });
  }
}

function object(name: string, value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw refusal(`the run checkpoint's ${name}`, value, "an object", DataError);
}

function array(name: string, value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw refusal(`the run checkpoint's ${name}`, value, "an array", DataError);
}

function number(name: string, value: unknown): number {
  if (typeof value === "number") return value;
  throw refusal(`the run checkpoint's ${name}`, value, "a number", DataError);
}

function whole(name: string, value: unknown): number {
  const given = number(name, value);
  if (Number.isSafeInteger(given) && given >= 0) return given;
  throw new DataError(`the run checkpoint's ${name} is ${given}; it must be a whole number >= 0`);
}
