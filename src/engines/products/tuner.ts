// The tuner measures which variant of the matrix product is fastest on a device, shape by shape, and which shape of the update's
// kernels; the choice is kept (gpu/kernel_choices.ts). Small products are not worth it; anything that does not fit into the time
// is measured next time.

import { DeviceError } from "../../base/errors.ts";
import { readArray, readBoolean, readListener, readNumber, readObject } from "../../base/options.ts";
import { clipGlobalNorm } from "../../modifiers/clip_global_norm.ts";
import { adamw } from "../../rules/adam.ts";
import { allocate, failureOf, watched } from "../gpu/allocate.ts";
import { adapterLine, describeAdapter, deviceLoss, isSoftware, readDevice } from "../gpu/device.ts";
import { type Dispatch, encodeDispatches } from "../gpu/kernel.ts";
import { noteSpeedsOf } from "../gpu/kernel_choices.ts";
import {
  pinnedShape,
  type StreamShape,
  shapeCandidates,
  shapeSpeeds,
  streamShape,
  updateChoice,
} from "../gpu/kernel_shapes.ts";
import { createShaped, type GpuOptimizer } from "../gpu/optimizer.ts";
import { variantDispatch } from "./product.ts";
import { type Choice, isPinned, noteSpeeds, speedsOf, variantFor } from "./variant_choices.ts";
import { candidates, type ProductShape, probeVariants, readShape, shapeKey, type Variant } from "./variants.ts";

/** Products of fewer multiply-adds run in the default variant: starting a kernel costs as much. */
const leastToTune = 1e7;

/** Large products are measured only in part, to keep each measurement short. */
const mostToMeasure = { software: 2 ** 24, hardware: 2 ** 32 };

/** The least seconds of one measurement on a GPU, which holds as many products as fit, up to 64. */
const measuredSeconds = 0.005;

/**
 * Parameters over which shapes of the update are measured: up to a million, where the shape decides how soon a workgroup is done,
 * and on a GPU also so many that no cache holds them with gradients and slots, where it decides how much is in flight.
 */
const updatedLengths = { software: [2 ** 16, 2 ** 20], hardware: [2 ** 16, 2 ** 20, 2 ** 24] } as const;

/** The most updates of one measurement. */
const mostUpdates = 256;

/** AdamW reads p, g, m and v and writes p, m and v; the norm reads g. */
const bytesPerParameter = 32;

/** Turns, in each of which every shape is measured once; with fewer, differences drown in noise. */
const turns = { least: 5, most: 16 };

/** Options of {@link tune}. */
export interface TuneOptions {
  /**
   * Time budget in seconds: no measurement that is likely to end later is started; for the update, timing starts after
   * compilation; > 0, default 2.
   */
  readonly seconds?: number;
  /** Whether to repeat earlier measurements; default false. */
  readonly again?: boolean;
  /** Called after each measurement (for the update, in each turn), with the numbers of measurements planned and done. */
  readonly onProgress?: (progress: TuneProgress) => void;
}

/** Progress of a tuning. */
export interface TuneProgress {
  /** Measurements made. */
  readonly done: number;
  /** Measurements to make. */
  readonly total: number;
  /** The product being measured. */
  readonly shape: string;
  /** The variant being measured. */
  readonly variant: string;
  /** GFLOP/s, for the update GB/s in one turn; 0 for a product's variant that the driver refused. */
  readonly speed: number;
}

/** The shape of the update's kernels from now on, and why. */
export interface TunedUpdate extends Omit<Choice, "source"> {
  /** Whether it was pinned, was measured or is the default. */
  readonly source: Choice["source"] | "default";
  /** Variants not measured for lack of time; none for pinned and small products. */
  readonly left: readonly string[];
}

/** How a product runs from now on, and why. */
export interface Tuned extends TunedUpdate {
  /** The product's sizes. */
  readonly product: ProductShape;
}

/** The result of {@link tune}. */
export interface TuneResult {
  /** The adapter, as `adapterLine` describes it. */
  readonly adapter: string;
  /** In the order of the request, each shape once. */
  readonly products: readonly Tuned[];
}

/** One tuning at a time per device: side by side they would disturb each other's measurements. */
const running = new WeakMap<GPUDevice, Promise<unknown>>();

/**
 * Measures the variants of these products that were not measured yet and chooses the fastest, which objectives made from now on
 * run. Products below 10 million multiply-adds, and pinned ones, are left alone. Results of variants differ only by float32
 * rounding; float16 variants are never chosen, only pinned. A variant that the driver refuses, or whose matrices do not fit, gets
 * the speed 0.
 *
 * @throws OptionError for bad options, DeviceError where the device is lost.
 */
export async function tune(
  device: GPUDevice,
  products: readonly ProductShape[],
  options: TuneOptions = {},
): Promise<TuneResult> {
  readDevice(device);
  const shapes = readShapes(products);
  const { seconds = 2, again = false, onProgress } = readTuneOptions(options);
  return afterOthers(device, async () => {
    await probeVariants(device);
    await measureAll(device, shapes, seconds, again, onProgress);
    return {
      adapter: adapterLine(describeAdapter(device.adapterInfo)),
      products: shapes.map((s) => tunedOf(device, s)),
    };
  });
}

/**
 * Measures an AdamW update with clipping over 65,536 and a million parameters (and 16 million on a GPU) in every shape of its
 * kernels that the device allows, in turns, and chooses the fastest by the geometric mean over these sizes, or the default unless
 * another is more than 5 % faster and was faster in most turns; optimizers made from now on use it. An update's time is the slope
 * between a number of updates in one submission and twice as many, so that the cost of a submission does not count. Does nothing
 * if a shape is pinned or all are measured. If the time is too short for five turns, nothing is kept. A shape whose kernels the
 * driver refuses gets the speed 0. Results of one shape are the same to the bit in every run; between shapes, norms, and anything
 * clipped by them, differ by float32 rounding.
 *
 * @throws OptionError for bad options, DeviceError where the device is lost, cannot hold the parameters or refuses every shape.
 */
export async function tuneUpdate(device: GPUDevice, options: TuneOptions = {}): Promise<TunedUpdate> {
  readDevice(device);
  const { seconds = 2, again = false, onProgress } = readTuneOptions(options);
  return afterOthers(device, async () => {
    if (shapesLeft(device, again).length > 0) await measureShapes(device, shapeCandidates(device), seconds, onProgress);
    const speeds = shapeSpeeds(device);
    const measured = Object.values(speeds).some((speed) => speed > 0);
    return {
      shape: updateChoice,
      variant: streamShape(device).name,
      source: pinnedShape(device) ? "pinned" : measured ? "measured" : "default",
      speeds,
      left: shapesLeft(device, false).map(({ name }) => name),
    };
  });
}

function afterOthers<T>(device: GPUDevice, work: () => Promise<T>): Promise<T> {
  const before = running.get(device) ?? Promise.resolve();
  const done = before.then(work);
  running.set(
    device,
    done.catch(() => undefined),
  );
  return done;
}

function shapesLeft(device: GPUDevice, again: boolean): readonly StreamShape[] {
  if (pinnedShape(device)) return [];
  const known = again ? {} : shapeSpeeds(device);
  return shapeCandidates(device).filter(({ name }) => known[name] === undefined);
}

/** A shape under measurement. */
interface ShapeRun {
  readonly name: string;
  /** By size. */
  readonly optimizers: GpuOptimizer[];
  /** Seconds per gigabyte, the geometric mean over the sizes, by turn. */
  readonly times: number[];
}

async function measureShapes(
  device: GPUDevice,
  shapes: readonly StreamShape[],
  seconds: number,
  onProgress: TuneOptions["onProgress"],
): Promise<void> {
  const loss = deviceLoss(device);
  const lengths = isSoftware(device) ? updatedLengths.software : updatedLengths.hardware;
  const runs: ShapeRun[] = [];
  try {
    const compiled = await compiledShapes(device, shapes);
    for (const shape of compiled) {
      const run: ShapeRun = { name: shape.name, optimizers: [], times: [] };
      runs.push(run);
      for (const length of lengths) run.optimizers.push(await createMeasured(device, length, shape));
    }
    // Timing starts here: compilation would otherwise leave too few turns to find anything.
    await takeTurns(device, runs, lengths, performance.now() + 1000 * seconds, ({ name, times }, done) => {
      onProgress?.({
        ...{ done, total: turns.most * runs.length, shape: updateChoice, variant: name },
        speed: 1 / times.at(-1)!,
      });
    });
  } catch (error) {
    // Learning of a device loss takes a turn of the event loop.
    await new Promise((resolve) => setTimeout(resolve));
    if (!loss.info) throw error;
    throw new DeviceError(`the device was lost while updates were measured: ${loss.info.message}`, { cause: error });
  } finally {
    for (const { optimizers } of runs) for (const optimizer of optimizers) optimizer.destroy();
  }
  const first = runs[0]!;
  if (first.times.length < turns.least) return;
  const speeds: Record<string, number> = Object.fromEntries(shapes.map(({ name }) => [name, 0]));
  const firstSpeed = 1 / median(first.times);
  for (const { name, times } of runs) {
    // Turn by turn against the first, the default, so that a slowdown of the whole machine cancels out.
    const gains = times.map((time, turn) => first.times[turn]! / time).sort((x, y) => x - y);
    // A shape that was not faster in three turns of four was faster by chance.
    const byChance = gains[Math.floor(gains.length / 4)]! <= 1;
    speeds[name] = firstSpeed * (byChance ? Math.min(1, median(gains)) : median(gains));
  }
  noteSpeedsOf(device, updateChoice, speeds);
}

/**
 * The shapes whose kernels the driver accepts, tested on a few parameters so that memory does not decide.
 *
 * @throws DeviceError of the first if it accepts none.
 */
async function compiledShapes(device: GPUDevice, shapes: readonly StreamShape[]): Promise<readonly StreamShape[]> {
  const refusals: DeviceError[] = [];
  const compiled: StreamShape[] = [];
  for (const shape of shapes) {
    try {
      (await createMeasured(device, 4, shape)).destroy();
      compiled.push(shape);
    } catch (error) {
      if (!(error instanceof DeviceError)) throw error;
      refusals.push(error);
    }
  }
  if (compiled.length === 0) throw refusals[0]!;
  return compiled;
}

function createMeasured(device: GPUDevice, length: number, shape: StreamShape): Promise<GpuOptimizer> {
  const config = adamw({ modifiers: [clipGlobalNorm({ maxNorm: 1 })] });
  return createShaped(device, [{ name: "tuner", shape: [length] }], config, shape);
}

/** Measures every shape once per turn until the time is over. */
async function takeTurns(
  device: GPUDevice,
  runs: readonly ShapeRun[],
  lengths: readonly number[],
  deadline: number,
  onMeasured: (run: ShapeRun, done: number) => void,
): Promise<void> {
  const loss = deviceLoss(device);
  const update = (optimizer: GpuOptimizer, times: number) =>
    secondsOf(device, (pass) => {
      for (let i = 0; i < times; i++) optimizer.encode(pass);
    });
  for (const { optimizers } of runs) for (const optimizer of optimizers) await update(optimizer, 1);
  const start = performance.now();
  const counts: number[] = [];
  for (const optimizer of runs[0]!.optimizers) {
    let count = 1;
    while (count < mostUpdates && (await update(optimizer, count)) < measuredSeconds) count *= 2;
    counts.push(count);
  }
  // The probing covers, for each size, at least as many updates as the shorter part of a measurement.
  let last = 3 * runs.length * (performance.now() - start);
  for (let turn = 0; turn < turns.most; turn++) {
    const start = performance.now();
    if (start + last > deadline) return;
    for (let i = 0; i < runs.length; i++) {
      const run = runs[(turn + i) % runs.length]!;
      let time = 1;
      for (const [size, optimizer] of run.optimizers.entries()) {
        const count = counts[size]!;
        const once = await update(optimizer, count);
        const twice = await update(optimizer, 2 * count);
        // Noise may swallow the difference; the whole bounds it from below.
        const slope = Math.max(twice - once, twice / 8, 1e-9) / count;
        time *= slope / ((bytesPerParameter * lengths[size]!) / 1e9);
      }
      run.times.push(time ** (1 / lengths.length));
      // A lost device finishes any work at once, and would be the fastest of all.
      if (loss.info) throw new DeviceError(`the device was lost: ${loss.info.message}`);
      onMeasured(run, turn * runs.length + i + 1);
    }
    last = performance.now() - start;
  }
}

/** Tunes large products that are not yet measured, before an objective compiles them. */
export async function tuneProducts(device: GPUDevice, products: readonly ProductShape[]): Promise<void> {
  if (products.some((shape) => missing(device, shape).length > 0)) {
    await tune(
      device,
      products.map(({ m, n, k, transposeA = false, transposeB = false }) => ({ m, n, k, transposeA, transposeB })),
    );
  }
}

/**
 * The products of a training step of a multilayer perceptron: for each layer the forward pass and the weight's gradient, and
 * except for the first, the delta of the layer before.
 *
 * @throws OptionError for widths or a batch that are not whole numbers >= 1.
 */
export function perceptronProducts(widths: readonly number[], batch: number): readonly ProductShape[] {
  readArray("widths", widths, "widths").forEach((width, i) => {
    readNumber(`widths[${i}]`, width, { min: 1, integer: true });
  });
  readNumber("batch", batch, { min: 1, integer: true });
  return widths.slice(1).flatMap((outputs, i): ProductShape[] => {
    const inputs = widths[i]!;
    return [
      { m: batch, n: outputs, k: inputs },
      { m: inputs, n: outputs, k: batch, transposeA: true },
      ...(i > 0 ? [{ m: batch, n: inputs, k: outputs, transposeB: true }] : []),
    ];
  });
}

function readTuneOptions(options: TuneOptions): TuneOptions {
  readObject("tune", options, ["seconds", "again", "onProgress"]);
  if (options.seconds !== undefined) readNumber("seconds", options.seconds, { above: 0 });
  if (options.again !== undefined) readBoolean("again", options.again);
  readListener("onProgress", options.onProgress);
  return options;
}

/** The shapes, without those that share their choice with an earlier one. */
function readShapes(products: readonly ProductShape[]): readonly ProductShape[] {
  const byKey = new Map<string, ProductShape>();
  for (const [i, product] of readArray("products", products, "shapes").entries()) {
    const shape = readShape(`products[${i}]`, product);
    if (!byKey.has(shapeKey(shape))) byKey.set(shapeKey(shape), shape);
  }
  return [...byKey.values()];
}

const work = ({ m, n, k }: ProductShape) => m * n * k;

/** The variants of a shape that are worth measuring and not measured yet. */
function missing(device: GPUDevice, shape: ProductShape, again = false): readonly Variant[] {
  if (work(shape) < leastToTune || isPinned(device, shape)) return [];
  const known = again ? {} : speedsOf(device, shape);
  return candidates(device, shape).filter(({ name }) => known[name] === undefined);
}

function tunedOf(device: GPUDevice, product: ProductShape): Tuned {
  const speeds = speedsOf(device, product);
  const measured = Object.values(speeds).some((speed) => speed > 0);
  return {
    product,
    shape: shapeKey(product),
    variant: variantFor(device, product).name,
    source: isPinned(device, product) ? "pinned" : measured ? "measured" : "default",
    speeds,
    left: missing(device, product).map(({ name }) => name),
  };
}

/** The largest products first, since they gain most. */
async function measureAll(
  device: GPUDevice,
  shapes: readonly ProductShape[],
  seconds: number,
  again: boolean,
  onProgress: TuneOptions["onProgress"],
): Promise<void> {
  const deadline = performance.now() + 1000 * seconds;
  const jobs = [...shapes]
    .sort((x, y) => work(y) - work(x))
    .flatMap((shape) => missing(device, shape, again).map((variant) => ({ shape, variant })));
  const loss = deviceLoss(device);
  let longest = 0;
  for (const [i, { shape, variant }] of jobs.entries()) {
    const start = performance.now();
    // Compilation cannot be cut short, so it must not start late.
    if (start + longest > deadline) return;
    const speed = await measure(device, shape, variant).catch((error: unknown) => {
      // A variant that a driver refuses must not stop the others, including the default, from running.
      if (!(error instanceof DeviceError)) throw error;
      return 0;
    });
    // A lost device finishes any work at once, and would be the fastest of all.
    if (loss.info) throw new DeviceError(`the device was lost while products were measured: ${loss.info.message}`);
    longest = Math.max(longest, performance.now() - start);
    noteSpeeds(device, shape, { [variant.name]: speed });
    onProgress?.({ done: i + 1, total: jobs.length, shape: shapeKey(shape), variant: variant.name, speed });
  }
}

/** GFLOP/s of a product in one variant: the median of three measurements, after a product that warms up. */
async function measure(device: GPUDevice, whole: ProductShape, variant: Variant): Promise<number> {
  const software = isSoftware(device);
  const shape = partOf(whole, software ? mostToMeasure.software : mostToMeasure.hardware);
  const { m, n, k } = shape;
  const { made, buffers } = await allocate(device, `a product of ${m} × ${n} × ${k}`, (create) => ({
    matrices: [m * k, k * n, m * n].map((length) => ({ buffer: create("tuner", 4 * length), stride: 0 })),
    control: create("tuner control", 16),
    batch: create("tuner batch", 16),
  }));
  const kept = [...buffers];
  try {
    const { control, batch } = made;
    const [a, b, c] = made.matrices;
    const dispatch = await variantDispatch(
      {
        ...{ device, replicas: 1, control, controlStride: 0, skipIndex: 0, stepIndex: 0, batch },
        keep: (buffer) => kept.push(buffer),
      },
      { ...shape, epilogue: { type: "none" } },
      [a!, b!, c!],
      variant,
    );
    const run = (dispatches: readonly Dispatch[]) => secondsOf(device, (pass) => encodeDispatches(pass, dispatches));
    await run([dispatch]);
    const once = await run([dispatch]);
    const repeats = Math.min(64, Math.max(1, Math.ceil(measuredSeconds / Math.max(once, 1e-6))));
    // For products that were not repeated, it is as good a measurement as any.
    const times = repeats > 1 ? [] : [once];
    const dispatches = Array.from({ length: repeats }, () => dispatch);
    while (times.length < 3) times.push((await run(dispatches)) / repeats);
    return (2 * work(shape)) / Math.max(median(times), 1e-9) / 1e9;
  } finally {
    for (const buffer of kept) buffer.destroy();
  }
}

const median = (values: readonly number[]) => [...values].sort((x, y) => x - y)[Math.floor(values.length / 2)]!;

/** The shape with its largest sizes halved until a run of it is short; the key of the choice stays the same. */
function partOf(shape: ProductShape, most: number): ProductShape {
  const { m, n, k } = shape;
  if (m * n * k <= most) return shape;
  const largest = Math.max(m, n, k);
  const half = (size: number) => (size === largest ? Math.ceil(size / 8) * 4 : size);
  return partOf({ ...shape, m: half(m), n: half(n), k: half(k) }, most);
}

/**
 * Seconds from the submission of encoded work until it has run.
 *
 * @throws DeviceError if the device refuses it: refused work ends at once, and would be the fastest of all.
 */
async function secondsOf(device: GPUDevice, encode: (pass: GPUComputePassEncoder) => void): Promise<number> {
  let start = 0;
  const { thrown, trouble } = watched(device, () => {
    const encoder = device.createCommandEncoder({ label: "fallline tuner" });
    const pass = encoder.beginComputePass({ label: "fallline tuner" });
    encode(pass);
    pass.end();
    start = performance.now();
    device.queue.submit([encoder.finish()]);
  });
  const lost = await device.queue.onSubmittedWorkDone().then(
    () => undefined,
    (error: unknown) => ({ error }),
  );
  const seconds = (performance.now() - start) / 1000;
  const failure = await failureOf(device, "a measurement", await trouble, thrown ?? lost);
  if (failure) throw failure;
  return seconds;
}
