// The laws of a custom objective, which `verifyObjective` runs: its derivatives are those of its loss, on both
// engines; WGSL and twin agree; batches are weighted means and replicas do not affect each other.

import { FalllineError, OptionError, refusal } from "../base/errors.ts";
import { readMade, readNumber, readRecord } from "../base/options.ts";
import { Random } from "../base/random.ts";
import { allocate, bytesOf } from "../engines/gpu/allocate.ts";
import { grid, readDevice, requireLimit } from "../engines/gpu/device.ts";
import { compileKernel, encodeDispatches } from "../engines/gpu/kernel.ts";
import { createOptimizer, type GpuOptimizer } from "../engines/gpu/optimizer.ts";
import { readParts } from "../engines/gpu/readback.ts";
import {
  type CustomDefinition,
  type CustomObjective,
  countParams,
  customSnippets,
  defineObjective,
  exampleAt,
  type FittedCustom,
  fitTo,
  titleOf,
} from "../objectives/custom.ts";
import { twinOf } from "../objectives/custom_cpu.ts";
import { uploadCustom } from "../objectives/custom_gpu.ts";
import { type Dataset, readDataset } from "../objectives/data/dataset.ts";
import { checkProgramData, weightOf } from "../objectives/objective.ts";
import type { GpuObjective } from "../objectives/objective_gpu.ts";
import { createObjective } from "../objectives/objective_gpu.ts";
import { customProbeSource } from "../objectives/sources.ts";
import { lanes } from "../objectives/tensors_gpu.ts";
import { layoutSegments, type Segment } from "../optimizer/arena.ts";
import { sgd } from "../rules/sgd.ts";
import { readRunOptions } from "../train/arguments.ts";
import { shiftCount, shiftsAround, slopeOf } from "./slopes.ts";
import type { LawResult } from "./verify.ts";

/** The options of {@link verifyObjective}. */
export interface VerifyObjectiveOptions {
  /** The data it is verified on; a few examples suffice. */
  readonly data: Dataset;
  /** Without one, only the twin is verified. */
  readonly device?: GPUDevice | undefined;
  /**
   * The parameters at which it is verified, by tensor. Default near each tensor's `data` (off by a tenth of each value, or of 1
   * where it is 0, on average), else drawn from a normal distribution.
   */
  readonly params?: Readonly<Record<string, ArrayLike<number>>> | undefined;
  /** The rows of the data on which it is verified, each alone and then together; default 8 drawn at random. */
  readonly rows?: ArrayLike<number> | undefined;
  /** Of the random numbers; a whole number in [0, 2^53), default 0. */
  readonly seed?: number | undefined;
  /** Called with each law as it is done. */
  readonly onResult?: ((result: LawResult) => void) | undefined;
}

/** Rows that are drawn, and the most parameters that are probed: of more, the first and last of each tensor, and others. */
const [drawnRows, probedParams] = [8, 1024];

/** Allowed error of derivatives beyond that of finite differences: WGSL's functions are not exact. */
const tolerances = { webgpu: 1e-3, cpu: 1e-6 } as const;
const precisions = { webgpu: 2 ** -24, cpu: 2 ** -53 } as const;

/**
 * Runs the laws over a custom objective: its WGSL compiles and reads no parameter, input or target that does not
 * exist; its derivatives are those of its loss, by central differences extrapolated to stride 0 with an estimate of
 * float32's rounding error; if it has a twin, WGSL and twin agree, and the twin's derivatives are those of its
 * loss, in float64; the gradient of a batch is the weighted mean of its rows'; replicas do not leak into each other.
 *
 * All parameters are probed one by one up to 1,024; of more, that many. Differences below rounding cannot be detected.
 *
 * @returns every result; the objective is right if there is no `problem`. If the WGSL does not compile, the results end there.
 * @throws OptionError for anything but an objective, for data that does not fit it and for bad options; DataError for bad data.
 */
export async function verifyObjective(
  definition: CustomDefinition,
  options: VerifyObjectiveOptions,
): Promise<readonly LawResult[]> {
  const objective = defineObjective(definition);
  readRunOptions("verifyObjective", options, ["data", "device", "params", "rows", "seed", "onResult"]);
  const { data, device, onResult } = options;
  if (device !== undefined) readDevice(device);
  readDataset("data", data);
  checkProgramData(objective.program, data);
  const bound = fitTo(objective, data);
  const tensors = layoutSegments(bound.tensors);
  const random = new Random(options.seed ?? 0);
  const rows = readRows(options.rows, data, random);
  const params = readParams(bound, tensors, options.params, random);
  const probed = choose(tensors, random);
  if (!device && !bound.loss) {
    throw new OptionError(`${titleOf(bound)} has no twin, so without a device there is nothing to verify`);
  }
  const subject: Subject = { subject: objective, objective: bound, data, tensors, rows, params, probed };
  const results: LawResult[] = [];
  const report = async (backend: LawResult["backend"], law: string, check: () => Promise<string | undefined>) => {
    const problem = await problemOf(check);
    const named = problem?.startsWith(titleOf(bound)) ? problem : problem && `${titleOf(bound)}: ${problem}`;
    const result = { law, backend, options: {}, problem: named };
    results.push(result);
    onResult?.(result);
    return problem === undefined;
  };
  if (bound.gradient) await report("cpu", isSlope, async () => twinIsSlope(subject));
  if (!device) return results;
  let findings: Findings | undefined;
  const compiles = await report("webgpu", "its WGSL compiles", async () => {
    findings = await probe(device, subject);
    return undefined;
  });
  if (!compiles || !findings) return results;
  const found = findings;
  await report("webgpu", "it reads only what exists", async () => found.stray);
  await report("webgpu", isSlope, async () => differs(subject, "webgpu", (row, nth) => found.at(row, nth)));
  if (bound.loss) await report("webgpu", "the GPU matches the twin", async () => twinDiffers(subject, found));
  await report("webgpu", "a batch gives the weighted mean of its rows", () => isMean(device, subject, found, random));
  await report("webgpu", "replicas do not leak into each other", () => replicasLeak(device, subject, random));
  return results;
}

const isSlope = "its gradient is the slope of its loss";

/** The problem, which may be an error: one of ours, or from the objective's own functions. */
async function problemOf(check: () => Promise<string | undefined>): Promise<string | undefined> {
  try {
    return await check();
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return error instanceof FalllineError ? error.message : `it throws ${error.name}: ${error.message}`;
  }
}

/** The subject of the laws. */
interface Subject {
  readonly subject: CustomObjective;
  readonly objective: FittedCustom;
  readonly data: Dataset;
  readonly tensors: readonly Segment[];
  readonly rows: Uint32Array;
  /** Float32 numbers, in the order of the objective's tensors. */
  readonly params: Float64Array;
  /** Which parameters are probed one by one. */
  readonly probed: Uint32Array;
}

function readRows(given: ArrayLike<number> | undefined, { name, count }: Dataset, random: Random): Uint32Array {
  if (given === undefined) {
    if (count <= drawnRows) return Uint32Array.from({ length: count }, (_, row) => row);
    const drawn = new Set<number>();
    while (drawn.size < drawnRows) drawn.add(random.below(count));
    return Uint32Array.from(drawn);
  }
  if (!Array.isArray(given) && !ArrayBuffer.isView(given)) {
    throw refusal("rows", given, "an array of row numbers");
  }
  const rows = Array.from(given);
  if (rows.length < 1 || rows.length > 1024) {
    throw new OptionError(`rows holds ${rows.length} rows; it must hold 1 to 1024`);
  }
  const bad = rows.find((row) => !Number.isInteger(row) || row < 0 || row >= count);
  if (bad !== undefined) throw new OptionError(`rows holds ${bad}; the rows of ${name} are 0 to ${count - 1}`);
  return Uint32Array.from(rows);
}

function readParams(
  { tensors: definitions }: FittedCustom,
  tensors: readonly Segment[],
  given: VerifyObjectiveOptions["params"],
  random: Random,
): Float64Array {
  if (given !== undefined) readRecord("params", given, "arrays by tensor name");
  const unknown = Object.keys(given ?? {}).find((name) => !tensors.some((tensor) => tensor.name === name));
  if (unknown !== undefined) {
    throw new OptionError(
      `params names "${unknown}", which is not a tensor; the tensors are ${tensors.map(({ name }) => name).join(", ")}`,
    );
  }
  const values = tensors.flatMap(({ name, length }, t) => {
    const wanted = given?.[name];
    if (wanted !== undefined) {
      readMade(`params of "${name}"`, wanted, "an array of numbers", { length: "number" });
      if (wanted.length !== length) {
        throw new OptionError(`params of "${name}" has ${wanted.length} numbers; the tensor has ${length}`);
      }
      return Array.from(wanted, (value, i) => readNumber(`params of "${name}" at ${i}`, value, {}));
    }
    const start = definitions[t]!.data;
    if (!start) return Array.from({ length }, () => random.normal());
    return Array.from(start, (value) => value + 0.1 * (Math.abs(value) || 1) * random.normal());
  });
  return Float64Array.from(Float32Array.from(values));
}

function choose(tensors: readonly Segment[], random: Random): Uint32Array {
  const count = countParams(tensors);
  if (count <= probedParams) return Uint32Array.from({ length: count }, (_, i) => i);
  const chosen = new Set<number>();
  let first = 0;
  for (const { length } of tensors.slice(0, probedParams / 4)) {
    chosen.add(first).add(first + length - 1);
    first += length;
  }
  while (chosen.size < probedParams) chosen.add(random.below(count));
  return Uint32Array.from(chosen);
}

/** A loss around one parameter, and its author's derivative. */
interface Probe {
  readonly xs: ArrayLike<number>;
  readonly ys: ArrayLike<number>;
  readonly loss: number;
  readonly gradient: number;
}

/**
 * Where derivatives differ most from finite differences, as a sentence.
 *
 * @param at The probe of the n-th row and the n-th probed parameter.
 */
function differs(
  { tensors, rows, probed }: Subject,
  backend: "webgpu" | "cpu",
  at: (row: number, nth: number) => Probe,
): string | undefined {
  let [worst, wrong, problem] = [1, 0, ""];
  for (const [n, row] of rows.entries()) {
    const slopes: { name: string; gradient: number; slope: number; error: number }[] = [];
    for (const [nth, i] of probed.entries()) {
      const { xs, ys, loss, gradient } = at(n, nth);
      const name = nameOf(tensors, i);
      if (!Number.isFinite(loss)) return `the loss of row ${row} is ${loss}`;
      const found = slopeOf(xs, ys, precisions[backend]);
      if (Number.isNaN(found.slope)) return `the loss of row ${row} is not finite near ${name} = ${short(middle(xs))}`;
      slopes.push({ name, gradient, ...found });
    }
    // As if every parameter had been rounded once more: derivatives that small beside the others are lost in the loss.
    const steepest = slopes.reduce((most, { slope }) => Math.max(most, Math.abs(slope)), 0);
    for (const { name, gradient, slope, error } of slopes) {
      const allowed = 4 * (error + precisions[backend] * steepest) + tolerances[backend] * Math.abs(slope);
      // Also if it is NaN.
      if (Math.abs(gradient - slope) <= allowed) continue;
      wrong++;
      const excess = Number.isNaN(gradient) ? Number.POSITIVE_INFINITY : Math.abs(gradient - slope) / allowed;
      if (excess < worst) continue;
      worst = excess;
      problem = `the gradient by ${name} is ${short(gradient)}, finite differences give ${short(slope)} ± ${short(allowed)} (row ${row}`;
    }
  }
  return wrong === 0 ? undefined : `${problem}; ${wrong} of ${rows.length * probed.length} are off)`;
}

const middle = (xs: ArrayLike<number>) => (xs[shiftCount - 1]! + xs[shiftCount - 2]!) / 2;
const short = (value: number) => String(Number(value.toPrecision(3)));

/** place[2], or weight[0, 3], or only the name of a scalar. */
function nameOf(tensors: readonly Segment[], i: number): string {
  let rest = i;
  for (const { name, shape, length } of tensors) {
    if (rest >= length) {
      rest -= length;
      continue;
    }
    if (shape.length === 0) return name;
    const indices = [...shape].reverse().map((size) => {
      const index = rest % size;
      rest = Math.floor(rest / size);
      return index;
    });
    return `${name}[${indices.reverse().join(", ")}]`;
  }
  throw new OptionError(`there is no parameter ${i}`);
}

function twinIsSlope(subject: Subject): string | undefined {
  const { objective, data, rows, params, probed } = subject;
  const { loss, gradient } = twinOf(objective);
  const moved = Float64Array.from(params);
  const derivatives = new Float64Array(params.length);
  let [example, derivedOf, value] = [exampleAt(data, rows[0]!), -1, Number.NaN];
  return differs(subject, "cpu", (n, nth) => {
    if (derivedOf !== n) {
      example = exampleAt(data, rows[n]!);
      gradient(params, example, derivatives.fill(0));
      value = loss(params, example);
      derivedOf = n;
    }
    const i = probed[nth]!;
    const xs = shiftsAround(params[i]!);
    const ys = xs.map((x) => {
      moved[i] = x;
      return loss(moved, example);
    });
    moved[i] = params[i]!;
    return { xs, ys, loss: value, gradient: derivatives[i]! };
  });
}

/** The GPU's results for all rows and the probed parameters. */
interface Findings {
  at(row: number, nth: number): Probe;
  /** An access to something that does not exist, as a sentence. */
  readonly stray: string | undefined;
}

/** Bytes of a probe's result: three words. */
const findingBytes = 12;

/** @throws DeviceError where the WGSL does not compile. */
async function probe(device: GPUDevice, subject: Subject): Promise<Findings> {
  const { objective, data, tensors, rows, params, probed } = subject;
  const title = titleOf(objective);
  requireLimit(device, "maxStorageBuffersPerShaderStage", 8, title);
  const kernel = await compileKernel(
    device,
    customProbeSource(title, customSnippets(objective, tensors, tensors)),
    ["read", "read", "uniform", "read", "read", "read", "read", "write"],
    { value_count: shiftCount },
  );
  const stages = shiftCount + 2;
  const values = Float32Array.from([...probed].flatMap((i) => [...shiftsAround(params[i]!)]));
  const bytes = rows.length * probed.length * stages * findingBytes;
  const { made, buffers } = await allocate(device, `the probes of ${title}`, (create) => {
    const findings = create("findings", bytes);
    const float32 = Float32Array.from(params);
    const bindGroup = kernel.bind([
      ...uploadCustom(data, probed.length, 1, create).data,
      create("params", float32.byteLength, bytesOf(float32)),
      create("rows", rows.byteLength, bytesOf(rows)),
      create("probed", probed.byteLength, bytesOf(probed)),
      create("values", values.byteLength, bytesOf(values)),
      findings,
    ]);
    return { findings, bindGroup };
  });
  try {
    const workgroups = [...grid(device, Math.ceil((probed.length * stages) / lanes)), rows.length] as const;
    const [found] = await readParts(device, [{ buffer: made.findings, offset: 0, bytes }], (encoder) => {
      const pass = encoder.beginComputePass({ label: title });
      encodeDispatches(pass, [{ pipeline: kernel.pipeline, bindGroup: made.bindGroup, workgroups }]);
      pass.end();
    });
    const [floats, words] = [new Float32Array(found!), new Uint32Array(found!)];
    const finding = (row: number, nth: number, stage: number) => 3 * ((row * probed.length + nth) * stages + stage);
    return {
      at: (row, nth) => ({
        xs: values.subarray(nth * shiftCount, (nth + 1) * shiftCount),
        ys: Float32Array.from({ length: shiftCount }, (_, k) => floats[finding(row, nth, k)]!),
        gradient: floats[finding(row, nth, shiftCount)]!,
        loss: floats[finding(row, nth, shiftCount + 1)]!,
      }),
      stray: strayOf(subject, (row, nth, stage) =>
        words.subarray(finding(row, nth, stage) + 1, finding(row, nth, stage) + 3),
      ),
    };
  } finally {
    for (const buffer of buffers) buffer.destroy();
  }
}

/** The first result that accessed something that does not exist. */
function strayOf(
  { objective, tensors, rows, probed }: Subject,
  valuesAt: (row: number, nth: number, stage: number) => ArrayLike<number>,
): string | undefined {
  const what = [
    { call: "param", has: countParams(tensors), noun: "parameters" },
    { call: "input", has: objective.features, noun: "features" },
    { call: "target_of", has: objective.outputs, noun: "outputs" },
  ];
  for (const [n, row] of rows.entries()) {
    for (const [nth, i] of probed.entries()) {
      for (const stage of [shiftCount + 1, shiftCount]) {
        const [kind, index] = valuesAt(n, nth, stage) as unknown as [number, number];
        if (kind === 0) continue;
        const { call, has, noun } = what[kind - 1]!;
        const arguments_ = kind === 1 ? index : `${row}, ${index}`;
        const by = stage === shiftCount ? `gradient(${row}, ${i})` : `loss(${row})`;
        return `${by} asks for ${call}(${arguments_}); there are ${has} ${noun}, counted from 0`;
      }
    }
  }
  return undefined;
}

/** Where the WGSL differs from the twin, as a sentence. */
function twinDiffers({ objective, data, tensors, rows, params, probed }: Subject, found: Findings): string | undefined {
  const twin = twinOf(objective);
  const examples = [...rows].map((row) => exampleAt(data, row));
  const losses = examples.map((example) => twin.loss(params, example));
  const largest = Math.max(...losses.map(Math.abs));
  const near = (value: number, wanted: number, scale: number) =>
    Math.abs(value - wanted) <= tolerances.webgpu * Math.abs(wanted) + (tolerances.webgpu / 10) * scale;
  for (const [n, row] of rows.entries()) {
    const { loss } = found.at(n, 0);
    if (!near(loss, losses[n]!, largest))
      return `the loss of row ${row} is ${short(loss)}, and ${short(losses[n]!)} by the twin`;
    const wanted = new Float64Array(params.length);
    twin.gradient(params, examples[n]!, wanted);
    const steepest = wanted.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    for (const [nth, i] of probed.entries()) {
      const { gradient } = found.at(n, nth);
      if (near(gradient, wanted[i]!, steepest)) continue;
      return `the gradient by ${nameOf(tensors, i)} is ${short(gradient)}, and ${short(wanted[i]!)} by the twin (row ${row})`;
    }
  }
  return undefined;
}

/** Runs `work` on the objective, bound to an optimizer of two replicas with these parameters. */
async function withObjective<T>(
  device: GPUDevice,
  { subject, data, tensors, rows, params }: Subject,
  work: (optimizer: GpuOptimizer, objective: GpuObjective) => Promise<T>,
): Promise<T> {
  const optimizer = await createOptimizer(
    device,
    tensors.map(({ name, shape }) => ({ name, shape })),
    sgd({ replicas: [{}, {}] }),
  );
  try {
    optimizer.write("params", byTensor(tensors, params));
    const objective = await createObjective(optimizer, subject, { data, batch: rows.length });
    try {
      return await work(optimizer, objective);
    } finally {
      objective.destroy();
    }
  } finally {
    optimizer.destroy();
  }
}

function byTensor(tensors: readonly Segment[], values: Float64Array): Record<string, Float32Array> {
  let first = 0;
  return Object.fromEntries(
    tensors.map(({ name, length }) => {
      first += length;
      return [name, Float32Array.from(values.subarray(first - length, first))];
    }),
  );
}

const joined = (tensors: readonly Segment[], values: Readonly<Record<string, Float32Array>>) =>
  tensors.flatMap(({ name }) => [...values[name]!]);

async function isMean(
  device: GPUDevice,
  subject: Subject,
  found: Findings,
  random: Random,
): Promise<string | undefined> {
  const { data, tensors, rows, probed } = subject;
  // Each weight is different, and one of several is 0.
  const weights = Float32Array.from({ length: data.count }, () => 0.5 + random.uniform());
  if (rows.length > 1) weights[rows[0]!] = 0;
  const weighted = { ...subject, data: { ...data, weights } };
  const whole = weightOf(rows, weighted.data);
  return withObjective(device, weighted, async (optimizer, objective) => {
    const [loss] = await objective.gradient(rows);
    const gradient = joined(tensors, await optimizer.read("gradients"));
    const off = (what: string, value: number, of: (n: number) => number): string | undefined => {
      let [sum, size] = [0, 0];
      rows.forEach((row, n) => {
        const term = weights[row]! === 0 ? 0 : (weights[row]! * of(n)) / whole;
        sum += term;
        size += Math.abs(term);
      });
      // Two kernels may round one expression differently, but only slightly.
      if (Math.abs(value - sum) <= 1e-4 * size) return undefined;
      return `${what} of a batch is ${short(value)}, and the weighted mean of its rows ${short(sum)}`;
    };
    const wrong = off("the loss", loss!, (n) => found.at(n, 0).loss);
    if (wrong) return wrong;
    for (const [nth, i] of probed.entries()) {
      const problem = off(`the gradient by ${nameOf(tensors, i)}`, gradient[i]!, (n) => found.at(n, nth).gradient);
      if (problem) return problem;
    }
    return undefined;
  });
}

async function replicasLeak(device: GPUDevice, subject: Subject, random: Random): Promise<string | undefined> {
  const { tensors, rows, params } = subject;
  const there = params;
  const elsewhere = params.map((value) => Math.fround(value + 0.1 * (Math.abs(value) || 1) * random.normal()));
  return withObjective(device, subject, async (optimizer, objective) => {
    /** Loss and gradient of each replica. */
    const found = async (...values: readonly Float64Array[]) => {
      values.forEach((each, replica) => {
        optimizer.write("params", byTensor(tensors, each), { replica });
      });
      const losses = await objective.gradient(rows);
      const gradients = await Promise.all(values.map((_, replica) => optimizer.read("gradients", { replica })));
      return gradients.map((each, replica) => [losses[replica]!, ...joined(tensors, each)]);
    };
    const [first, second] = await found(there, elsewhere);
    const swapped = await found(elsewhere, there);
    optimizer.halt(1);
    const halted = await found(there, elsewhere);
    for (const [wanted, value, what] of [
      [first, swapped[1], "the second of two replicas and the first, at the same parameters"],
      [second, swapped[0], "the first of two replicas and the second, at the same parameters"],
      [first, halted[1], "a replica that is halted, before and after"],
    ] as const) {
      // To the bit; one NaN equals another.
      const at = wanted!.findIndex((each, i) => !Object.is(each, value![i]));
      if (at < 0) continue;
      const name = at === 0 ? "the loss" : `the gradient by ${nameOf(tensors, at - 1)}`;
      return `${name} is ${wanted![at]} and ${value![at]}: ${what}`;
    }
    return undefined;
  });
}
