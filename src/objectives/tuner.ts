// The tuner measures which variant of the matrix product is fastest on a device, shape by shape, and the choice is kept
// (choices.ts). What is small is not worth it, and what does not fit into the time is measured when it is next asked for.

import { DeviceError } from "../errors.ts";
import { allocate } from "../gpu/allocate.ts";
import { adapterLine, describeAdapter, deviceLoss, isSoftware } from "../gpu/device.ts";
import { type Dispatch, encodeDispatches } from "../gpu/kernel.ts";
import { readArray, readBoolean, readNumber, readObject } from "../options.ts";
import { type Choice, isPinned, noteSpeeds, speedsOf, variantFor } from "./choices.ts";
import { variantDispatch } from "./products.ts";
import { candidates, type ProductShape, probeVariants, readShape, shapeKey, type Variant } from "./variants.ts";

/** Products of fewer multiply-adds run in the default variant: a kernel's start costs as much as they do. */
const leastToTune = 1e7;

/** Of larger products a part is measured, so that one measurement stays short. */
const mostToMeasure = { software: 2 ** 24, hardware: 2 ** 32 };

/** Seconds that one measurement on a GPU takes at least, of as many products as fit in, up to 64. */
const measuredSeconds = 0.005;

export interface TuneOptions {
  /** No measurement begins that is likely to end later; > 0, default 2. */
  readonly seconds?: number;
  /** Whether to measure again what was measured before; default false. */
  readonly again?: boolean;
  /** Is told after each measurement how many there are at most and how many are done. */
  readonly onProgress?: (progress: TuneProgress) => void;
}

export interface TuneProgress {
  readonly done: number;
  readonly total: number;
  readonly shape: string;
  readonly variant: string;
  /** GFLOP/s; 0 for a variant that the driver refused. */
  readonly speed: number;
}

/** How a product runs from now on, and why. */
export interface Tuned extends Omit<Choice, "source"> {
  readonly product: ProductShape;
  readonly source: Choice["source"] | "default";
  /** Variants that could be measured and were not, for lack of time; of pinned and small products none are. */
  readonly left: readonly string[];
}

/** What {@link tune} found. */
export interface TuneResult {
  /** What ran it, as `adapterLine` tells it. */
  readonly adapter: string;
  /** In the order that was asked for, each shape once. */
  readonly products: readonly Tuned[];
}

/** One tuning at a time on a device: side by side they would measure each other. */
const running = new WeakMap<GPUDevice, Promise<unknown>>();

/**
 * Measures the variants of these products that were not measured yet and chooses the fastest; objectives made from now on run
 * it. Products below 10 million multiply-adds, and pinned ones, are left as they are. Results differ between variants by float32
 * rounding alone; variants in float16 are never chosen, only pinned. A variant that the driver refuses, or whose matrices do
 * not fit, gets the speed 0.
 *
 * @throws OptionError for bad options, DeviceError where the device is lost.
 */
export function tune(
  device: GPUDevice,
  products: readonly ProductShape[],
  options: TuneOptions = {},
): Promise<TuneResult> {
  const shapes = readShapes(products);
  const { seconds = 2, again = false, onProgress } = readTuneOptions(options);
  const before = running.get(device) ?? Promise.resolve();
  const tuned = before.then(async () => {
    await probeVariants(device);
    await measureAll(device, shapes, seconds, again, onProgress);
    return {
      adapter: adapterLine(describeAdapter(device.adapterInfo)),
      products: shapes.map((s) => tunedOf(device, s)),
    };
  });
  running.set(
    device,
    tuned.catch(() => undefined),
  );
  return tuned;
}

/** Tunes what is large and not yet known, before an objective compiles its products. */
export async function tuneProducts(device: GPUDevice, products: readonly ProductShape[]): Promise<void> {
  if (products.some((shape) => missing(device, shape).length > 0)) {
    await tune(
      device,
      products.map(({ m, n, k, transposeA = false, transposeB = false }) => ({ m, n, k, transposeA, transposeB })),
    );
  }
}

/**
 * The products of a training step of a multilayer perceptron: of each layer the forward pass and the weight's gradient, and
 * but for the first the delta of the layer before.
 */
export function perceptronProducts(widths: readonly number[], batch: number): readonly ProductShape[] {
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
  return options;
}

/** Each shape that shares its choice with no other before it. */
function readShapes(products: readonly ProductShape[]): readonly ProductShape[] {
  const byKey = new Map<string, ProductShape>();
  for (const [i, product] of readArray("products", products, "shapes").entries()) {
    const shape = readShape(`products[${i}]`, product);
    if (!byKey.has(shapeKey(shape))) byKey.set(shapeKey(shape), shape);
  }
  return [...byKey.values()];
}

const work = ({ m, n, k }: ProductShape) => m * n * k;

/** What is worth measuring of a shape and was not. */
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

/** The largest products first, since they gain most from it. */
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
    // Compiling cannot be cut short, so it must not begin late.
    if (start + longest > deadline) return;
    const speed = await measure(device, shape, variant).catch((error: unknown) => {
      // One variant that a driver refuses must not keep the others, the default among them, from running.
      if (!(error instanceof DeviceError)) throw error;
      return 0;
    });
    // What a lost device is told to do is done at once, and would be the fastest of all.
    if (loss.info) throw new DeviceError(`the device was lost while products were measured: ${loss.info.message}`);
    longest = Math.max(longest, performance.now() - start);
    noteSpeeds(device, shape, { [variant.name]: speed });
    onProgress?.({ done: i + 1, total: jobs.length, shape: shapeKey(shape), variant: variant.name, speed });
  }
}

/** GFLOP/s of a product in one variant: the median of three measurements, behind a product that warms up. */
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
    await secondsOf(device, [dispatch]);
    const once = await secondsOf(device, [dispatch]);
    const repeats = Math.min(64, Math.max(1, Math.ceil(measuredSeconds / Math.max(once, 1e-6))));
    // Of products that were not repeated it is a measurement as good as any.
    const times = repeats > 1 ? [] : [once];
    const dispatches = Array.from({ length: repeats }, () => dispatch);
    while (times.length < 3) times.push((await secondsOf(device, dispatches)) / repeats);
    return (2 * work(shape)) / Math.max(median(times), 1e-9) / 1e9;
  } finally {
    for (const buffer of kept) buffer.destroy();
  }
}

const median = (values: readonly number[]) => [...values].sort((x, y) => x - y)[Math.floor(values.length / 2)]!;

/** The shape with its largest sizes halved until a run of it is short; what the choice goes by stays what it is. */
function partOf(shape: ProductShape, most: number): ProductShape {
  const { m, n, k } = shape;
  if (m * n * k <= most) return shape;
  const largest = Math.max(m, n, k);
  const half = (size: number) => (size === largest ? Math.ceil(size / 8) * 4 : size);
  return partOf({ ...shape, m: half(m), n: half(n), k: half(k) }, most);
}

/** Seconds from submitting dispatches until they have run. */
async function secondsOf(device: GPUDevice, dispatches: readonly Dispatch[]): Promise<number> {
  const encoder = device.createCommandEncoder({ label: "fallline tuner" });
  const pass = encoder.beginComputePass({ label: "fallline tuner" });
  encodeDispatches(pass, dispatches);
  pass.end();
  const start = performance.now();
  device.queue.submit([encoder.finish()]);
  await device.queue.onSubmittedWorkDone();
  return (performance.now() - start) / 1000;
}
