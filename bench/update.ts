// The work of the update cases, the same for every engine: tensors, gradients ready on the device, one rule's step, and the
// result of three of them. Values repeat with a prime period, from a different place in it for each tensor: so the reference
// needs only one period for a hundred million elements, and no array as long as the work is ever held.

import { readParts } from "../src/engines/gpu/readback.ts";
import { createCpuOptimizer, type OptimizerConfig, readConfig, rules } from "../src/index.ts";
import { type Cost, costOf } from "../src/lab/step_cost.ts";
import { Random } from "../src/training.ts";
import { type Answer, checkedSteps } from "./suite.ts";

export interface UpdateTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly length: number;
}

export interface UpdateWork {
  /** By its name in the registry; engines other than ours have only adamw. */
  readonly rule: string;
  /** Whether the gradient is clipped to a tenth of its global norm. */
  readonly clip: boolean;
  readonly tensors: readonly UpdateTensor[];
  /** Elements of all tensors. */
  readonly n: number;
}

/** The arrays that a tensor has values for. */
export type UpdateRole = "params" | "gradients";

/**
 * AdamW's defaults except eps. Adam hardly depends on a gradient's length; with an eps as large as a clipped gradient's elements,
 * an answer without clipping differs.
 */
export const hypers = { lr: 1e-3, beta1: 0.9, beta2: 0.999, eps: 1e-3, weightDecay: 0.01 } as const;

/** Parameters like a network's initial ones, gradients a little smaller: their standard deviations. */
const deviations: Readonly<Record<UpdateRole, number>> = { params: 0.02, gradients: 0.01 };

/** Values before they repeat; a prime, so that no division into chunks or workgroups aligns with it. */
const period = 65_521;

/** Periods copied at once. */
const periods = 16;

/** Up to this many elements, all are compared, and reductions have a reference. */
const mostCompared = 2 ** 20;

/** The number compared at each place of a larger tensor. */
const sampleLength = 4096;

export function updateWork(rule: string, clip: boolean, shapes: readonly (readonly number[])[]): UpdateWork {
  const tensors = shapes.map((shape, t): UpdateTensor => {
    return { name: `tensor${t}`, shape, length: shape.reduce((product, size) => product * size, 1) };
  });
  return { rule, clip, tensors, n: tensors.reduce((sum, { length }) => sum + length, 0) };
}

const ruleOf = ({ rule }: UpdateWork) => rules.find(({ name }) => name === rule)!;

/** Whether an element's update depends only on that element, once the gradient is clipped. */
function isElementwise(work: UpdateWork): boolean {
  const { reduction, factored, orthogonalises } = ruleOf(work);
  return !reduction && !factored && !orthogonalises;
}

/** Whether a step is bound by memory: not by the products or the means of matrices. */
export function isStream(work: UpdateWork): boolean {
  const { factored, orthogonalises } = ruleOf(work);
  return !factored && !orthogonalises;
}

/** Whether there is a reference within reasonable time. */
export const isChecked = (work: UpdateWork) => isElementwise(work) || work.n <= mostCompared;

/** Our config of the step, for every engine. */
export function configOf(work: UpdateWork): OptimizerConfig {
  return withoutClip(work, work.clip ? { clip: { type: "globalNorm", maxNorm: maxNormOf(work) } } : {});
}

function withoutClip({ rule }: UpdateWork, more: object = {}): OptimizerConfig {
  return readConfig({ rule, ...(rule === "adamw" ? hypers : {}), ...more });
}

/** What a parameter costs in a step without clipping. */
function stepCostOf(work: UpdateWork): Cost {
  const optimizer = createCpuOptimizer([{ name: "one", shape: [1, 1] }], withoutClip(work));
  const matrices = work.tensors.every(({ shape }) => shape.length >= 2);
  const cost = costOf(ruleOf(work), optimizer.slots, matrices);
  optimizer.destroy();
  return cost;
}

/** Slots as long as the parameters that the step reads and writes; a factored one is kept only as means. */
export const slotsOf = (work: UpdateWork) => stepCostOf(work).state / 4;

/** Bytes of the stream reference: parameters, gradients and slots read, parameters and slots written. */
export const streamBytesOf = (work: UpdateWork) => work.n * (12 + 8 * slotsOf(work));

/**
 * Bytes that our step reads and writes, and the gradient once more for its norm. Undefined for rules with matrices, whose products
 * are not bound by memory.
 */
export function stepBytesOf(work: UpdateWork): number | undefined {
  return isStream(work) ? work.n * (stepCostOf(work).moved + (work.clip ? 4 : 0)) : undefined;
}

/** One period many times and once more, so that {@link periods} of them can be taken from any place. */
interface Pattern {
  readonly once: Float32Array<ArrayBuffer>;
  readonly long: Float32Array<ArrayBuffer>;
  /** Sum of the squares before each place in two periods. */
  readonly squares: Float64Array;
}

function createPattern(once: Float32Array<ArrayBuffer>): Pattern {
  const long = new Float32Array((periods + 1) * period);
  for (let i = 0; i <= periods; i++) long.set(once, i * period);
  const squares = new Float64Array(2 * period + 1);
  for (let i = 0; i < 2 * period; i++) squares[i + 1] = squares[i]! + long[i]! ** 2;
  return { once, long, squares };
}

const patterns = new Map<UpdateRole, Pattern>();

function patternOf(role: UpdateRole): Pattern {
  let pattern = patterns.get(role);
  if (!pattern) {
    const random = new Random(role === "params" ? 4 : 5);
    pattern = createPattern(Float32Array.from({ length: period }, () => deviations[role] * random.normal()));
    patterns.set(role, pattern);
  }
  return pattern;
}

/** A tensor's start in the period. */
const phaseOf = (tensor: number) => (7919 * tensor) % period;

/** A tensor's values from the first, in pieces that must not be changed. */
function* pieces({ tensors }: UpdateWork, role: UpdateRole, tensor: number) {
  const [{ long }, phase, length] = [patternOf(role), phaseOf(tensor), tensors[tensor]!.length];
  for (let from = 0; from < length; from += periods * period) {
    yield { from, data: long.subarray(phase, phase + Math.min(periods * period, length - from)) };
  }
}

/** A tensor's values before the first step, in an array that the caller owns. */
export function valuesOf(work: UpdateWork, role: UpdateRole, tensor: number): Float32Array<ArrayBuffer> {
  const values = new Float32Array(work.tensors[tensor]!.length);
  for (const { from, data } of pieces(work, role, tensor)) values.set(data, from);
  return values;
}

/** Writes a tensor's values to its place in a buffer. */
export function upload(
  work: UpdateWork,
  role: UpdateRole,
  tensor: number,
  { buffer, offset = 0 }: GPUBufferBinding,
  device: GPUDevice,
): void {
  for (const { from, data } of pieces(work, role, tensor)) device.queue.writeBuffer(buffer, offset + 4 * from, data);
}

/** The gradient's global norm, in float64. */
export function normOf({ tensors }: UpdateWork): number {
  const { squares } = patternOf("gradients");
  const sum = tensors.reduce((total, { length }, t) => {
    const [phase, rest] = [phaseOf(t), length % period];
    return total + Math.floor(length / period) * squares[period]! + squares[phase + rest]! - squares[phase]!;
  }, 0);
  return Math.sqrt(sum);
}

export const maxNormOf = (work: UpdateWork) => normOf(work) / 10;

/** The gradient's factor; like torch's clip_grad_norm_. */
export const clipScale = (norm: number, maxNorm: number) => Math.min(1, maxNorm / (norm + 1e-6));

/** The compared range of one tensor: from one element up to another. */
interface Samples {
  readonly tensor: number;
  readonly spans: readonly (readonly [from: number, to: number])[];
}

/** All of a small work; for a large one, the start, middle and end of the first, a middle and the last tensor. */
export function samplesOf({ tensors, n }: UpdateWork): readonly Samples[] {
  if (n <= mostCompared) return tensors.map(({ length }, tensor) => ({ tensor, spans: [[0, length]] }));
  const chosen = new Set([0, Math.floor(tensors.length / 2), tensors.length - 1]);
  return [...chosen].map((tensor) => {
    const { length } = tensors[tensor]!;
    const most = Math.min(sampleLength, length);
    const begins = [0, Math.floor((length - most) / 2), length - most];
    return { tensor, spans: [...new Set(begins)].map((from) => [from, from + most] as const) };
  });
}

/** A pattern's values in the samples. */
function inSamples(work: UpdateWork, once: Float32Array): Float32Array[] {
  return samplesOf(work).flatMap(({ tensor, spans }) =>
    spans.map(([from, to]) =>
      Float32Array.from({ length: to - from }, (_, i) => once[(phaseOf(tensor) + from + i) % period]!),
    ),
  );
}

/** The compared parameters before the first step. */
export const startOf = (work: UpdateWork) => inSamples(work, patternOf("params").once);

/** The answer required of every engine, by our CPU reference: over one period if elements do not depend on each other. */
export async function expectedOf(work: UpdateWork): Promise<Answer> {
  const numbers = work.clip ? [normOf(work)] : [];
  if (!isElementwise(work)) {
    const optimizer = createCpuOptimizer(
      work.tensors.map(({ name, shape }) => ({ name, shape })),
      configOf(work),
    );
    for (const [t, { offset }] of optimizer.segments.entries()) {
      for (const { from, data } of pieces(work, "params", t)) optimizer.params.set(data, offset + from);
      for (const { from, data } of pieces(work, "gradients", t)) optimizer.gradients.set(data, offset + from);
    }
    for (let i = 0; i < checkedSteps; i++) optimizer.step();
    const values = samplesOf(work).flatMap(({ tensor, spans }) => {
      const { offset } = optimizer.segments[tensor]!;
      return spans.map(([from, to]) => optimizer.params.slice(offset + from, offset + to));
    });
    optimizer.destroy();
    return { numbers, values };
  }
  const scale = work.clip ? clipScale(normOf(work), maxNormOf(work)) : 1;
  const optimizer = createCpuOptimizer([{ name: "period", shape: [period] }], withoutClip(work));
  optimizer.params.set(patternOf("params").once);
  optimizer.gradients.set(patternOf("gradients").once.map((g) => scale * g));
  for (let i = 0; i < checkedSteps; i++) optimizer.step();
  const values = inSamples(work, optimizer.params);
  optimizer.destroy();
  return { numbers, values };
}

/** The functions that an engine needs to answer. */
export interface Answering {
  step(): unknown;
  /** The norm found by the last step; for an engine that clips. */
  norm?(): Promise<number>;
  /** The compared parameters. */
  params(): Promise<readonly Float32Array[]>;
}

export async function answerOfUpdate({ step, norm, params }: Answering): Promise<Answer> {
  for (let i = 0; i < checkedSteps; i++) await step();
  return { numbers: norm ? [await norm()] : [], values: await params() };
}

/** The compared samples, for an engine that returns whole tensors. */
export async function cutSamples(
  work: UpdateWork,
  params: (tensor: number) => Promise<Float32Array> | Float32Array,
): Promise<Float32Array[]> {
  const values: Float32Array[] = [];
  for (const { tensor, spans } of samplesOf(work)) {
    const whole = await params(tensor);
    for (const [from, to] of spans) values.push(whole.slice(from, to));
  }
  return values;
}

/** The compared samples, for an engine whose tensors are in buffers. */
export async function readSamples(
  work: UpdateWork,
  device: GPUDevice,
  params: (tensor: number) => GPUBufferBinding,
): Promise<Float32Array[]> {
  const parts = samplesOf(work).flatMap(({ tensor, spans }) => {
    const { buffer, offset = 0 } = params(tensor);
    return spans.map(([from, to]) => ({ buffer, offset: offset + 4 * from, bytes: 4 * (to - from) }));
  });
  return (await readParts(device, parts)).map((bytes) => new Float32Array(bytes));
}
