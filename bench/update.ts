// The work of the update cases, the same for every engine: tensors, the gradients that lie ready on the device, one rule's
// step, and what three of them make. Values repeat with a prime period, each tensor from another place in it on: so what is
// expected of a hundred million elements takes the reference one period, and no array as long as the work is ever held.

import { readParts } from "../src/engines/gpu/readback.ts";
import { createCpuOptimizer, type OptimizerConfig, readConfig, rules } from "../src/index.ts";
import { Random } from "../src/training.ts";
import { type Answer, checkedSteps } from "./suite.ts";

export interface UpdateTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly length: number;
}

export interface UpdateWork {
  /** By its name in the registry; engines other than ours know adamw alone. */
  readonly rule: string;
  /** Whether the gradient is clipped to a tenth of its global norm. */
  readonly clip: boolean;
  readonly tensors: readonly UpdateTensor[];
  /** Elements of all tensors. */
  readonly n: number;
}

/** What a tensor has values of. */
export type UpdateRole = "params" | "gradients";

/**
 * Of AdamW, by default but for eps. Adam hardly heeds how long a gradient is; with an eps as large as a clipped gradient's
 * elements, an answer without clipping is another one.
 */
export const hypers = { lr: 1e-3, beta1: 0.9, beta2: 0.999, eps: 1e-3, weightDecay: 0.01 } as const;

/** Parameters as networks start with them, gradients a little smaller: their standard deviations. */
const deviations: Readonly<Record<UpdateRole, number>> = { params: 0.02, gradients: 0.01 };

/** Values before they repeat; a prime, so that no cut into chunks or workgroups goes with it. */
export const period = 65_521;

/** Periods that are copied at once. */
const periods = 16;

/** Up to so many elements all of them are compared, and reductions have a reference. */
export const mostCompared = 2 ** 20;

/** How much is compared at each place of a tensor of more. */
const sampleLength = 4096;

export function updateWork(rule: string, clip: boolean, shapes: readonly (readonly number[])[]): UpdateWork {
  const tensors = shapes.map((shape, t): UpdateTensor => {
    return { name: `tensor${t}`, shape, length: shape.reduce((product, size) => product * size, 1) };
  });
  return { rule, clip, tensors, n: tensors.reduce((sum, { length }) => sum + length, 0) };
}

const ruleOf = ({ rule }: UpdateWork) => rules.find(({ name }) => name === rule)!;

/** Whether an element's update depends on that element alone, once the gradient is clipped. */
function isElementwise(work: UpdateWork): boolean {
  const { reduction, factored, orthogonalises } = ruleOf(work);
  return !reduction && !factored && !orthogonalises;
}

/** Whether a step is bound by memory: not by the products or the means of matrices. */
export function isStream(work: UpdateWork): boolean {
  const { factored, orthogonalises } = ruleOf(work);
  return !factored && !orthogonalises;
}

/** Whether there is a reference in reasonable time. */
export const isChecked = (work: UpdateWork) => isElementwise(work) || work.n <= mostCompared;

/** Our config of the step, as it is for every engine. */
export function configOf(work: UpdateWork): OptimizerConfig {
  return withoutClip(work, work.clip ? { clip: { type: "globalNorm", maxNorm: maxNormOf(work) } } : {});
}

function withoutClip({ rule }: UpdateWork, more: object = {}): OptimizerConfig {
  return readConfig({ rule, ...(rule === "adamw" ? hypers : {}), ...more });
}

/** Slots that the step reads and writes as long as the parameters; of a factored one only means are kept. */
export function slotsOf(work: UpdateWork): number {
  const optimizer = createCpuOptimizer([{ name: "one", shape: [1, 1] }], withoutClip(work));
  const { factored } = ruleOf(work);
  const isShort = (slot: string) => slot === factored?.slot && work.tensors.every(({ shape }) => shape.length >= 2);
  const count = optimizer.slots.filter((slot) => !isShort(slot)).length;
  optimizer.destroy();
  return count;
}

/** Bytes of the stream reference: parameters, gradients and slots read, parameters and slots written. */
export const streamBytesOf = (work: UpdateWork) => work.n * (12 + 8 * slotsOf(work));

/**
 * Bytes that our step reads and writes: those of the stream; the gradient once more for its norm; all that is read once
 * more where the rule sums. Undefined of rules with matrices, whose products are not bound by memory.
 */
export function stepBytesOf(work: UpdateWork): number | undefined {
  if (!isStream(work)) return undefined;
  const { reduction } = ruleOf(work);
  const summing = reduction ? 4 * (2 + slotsOf(work)) : 0;
  return streamBytesOf(work) + work.n * ((work.clip ? 4 : 0) + summing);
}

/** One period many times and once more, so that so many can be taken from any place on. */
interface Pattern {
  readonly once: Float32Array<ArrayBuffer>;
  readonly long: Float32Array<ArrayBuffer>;
  /** Sum of the squares before each place of two periods. */
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

/** Where in the period a tensor begins. */
const phaseOf = (tensor: number) => (7919 * tensor) % period;

/** A tensor's values from the first on, in pieces that must not be changed. */
function* pieces({ tensors }: UpdateWork, role: UpdateRole, tensor: number) {
  const [{ long }, phase, length] = [patternOf(role), phaseOf(tensor), tensors[tensor]!.length];
  for (let from = 0; from < length; from += periods * period) {
    yield { from, data: long.subarray(phase, phase + Math.min(periods * period, length - from)) };
  }
}

/** A tensor's values before the first step, in an array of the caller's own. */
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

/** What the gradient is multiplied by; as torch's clip_grad_norm_. */
export const clipScale = (norm: number, maxNorm: number) => Math.min(1, maxNorm / (norm + 1e-6));

/** What is compared of one tensor: from an element up to another. */
interface Samples {
  readonly tensor: number;
  readonly spans: readonly (readonly [from: number, to: number])[];
}

/** All of little; of much, the beginning, middle and end of the first, a middle and the last tensor. */
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

/** The parameters before the first step, as they are compared. */
export const startOf = (work: UpdateWork) => inSamples(work, patternOf("params").once);

/** What every engine must answer, by our CPU reference: of one period where elements do not heed each other. */
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

/** What an engine must do to answer. */
export interface Answering {
  step(): unknown;
  /** The norm that the last step found; of an engine that clips. */
  norm?(): Promise<number>;
  /** What is compared. */
  params(): Promise<readonly Float32Array[]>;
}

export async function answerOfUpdate({ step, norm, params }: Answering): Promise<Answer> {
  for (let i = 0; i < checkedSteps; i++) await step();
  return { numbers: norm ? [await norm()] : [], values: await params() };
}

/** What is compared, of an engine that gives whole tensors. */
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

/** What is compared, of an engine whose tensors lie in buffers. */
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
