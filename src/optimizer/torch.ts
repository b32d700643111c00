// Loading from PyTorch: a safetensors file with parameters by name, and the entries of torch's state_dict for each under NAME.KEY
// ("w.exp_avg", "w.step"). Its values are put into a checkpoint of the optimizer, which the optimizer then loads, so this is the
// same for both engines. The rules map keys to slots.

import { DataError, listed, OptionError } from "../base/errors.ts";
import { readNumber, readObject } from "../base/options.ts";
import { decodeSafetensors, encodeSafetensors, type SafeTensor } from "../base/safetensors.ts";
import type { Rule } from "../rules/rule.ts";
import type { Segment } from "./arena.ts";
import { loadCheckpoint, saveCheckpoint } from "./checkpoint.ts";
import type { Pattern } from "./config.ts";
import { readPatterns } from "./groups.ts";
import { type Optimizer, readOptimizer } from "./optimizer.ts";
import { modifierSlots, type Plan, type RuleSet } from "./plan.ts";
import { insideOf } from "./shell.ts";
import type { CarryValues } from "./table.ts";

/** Options of {@link loadTorch}. */
export interface TorchOptions {
  /**
   * The matrices that the file holds transposed, parameters and slots alike: torch.nn.Linear keeps its weight as [out, in], the
   * models of this library as [in, out]. Tensors made with `layout: "out-in"` hold a weight as torch does. Vectors that a pattern
   * matches are unaffected. Default none; note that a square matrix that should have been named goes unnoticed.
   */
  readonly transpose?: Pattern | readonly Pattern[] | undefined;
  /**
   * Updates made so far, by all groups, whole, >= 0; overrides the file. Default the file's `NAME.step`: each group takes the
   * number of its tensors, which must agree, and the optimizer that of the group with the most; 0 for optimizers without a count
   * in torch (SGD). At 0, slots that do not start at zero (of adagrad, rprop) start again.
   */
  readonly step?: number | undefined;
}

type Tensors = ReadonlyMap<string, SafeTensor>;

/**
 * Continues from a PyTorch optimizer: loads slots, step and parameters from a safetensors file whose keys are a tensor's name for
 * the parameter and NAME.KEY for its entries in torch's `state_dict` (`exp_avg`, `momentum_buffer`, `step` …), as float32. The
 * file must have every slot that this optimizer's rules keep; parameters that it lacks stay unchanged. All replicas become the
 * same. Hypers, averages, accumulated gradients, counts of skips and the loss scale stay; averages of an optimizer that has made
 * no update yet start at the new parameters. Submit encoded steps before you load.
 *
 * @throws OptionError for an option out of range, or a rule with a slot or a carried value that torch does not have; DataError
 * for a missing or unknown key, a wrong shape, or steps or scalars that disagree. Nothing is changed then.
 */
export async function loadTorch(
  optimizer: Optimizer,
  file: Uint8Array | ArrayBuffer,
  options: TorchOptions = {},
): Promise<void> {
  readOptimizer(optimizer);
  const { step: given, transpose } = readObject("loadTorch", options, ["transpose", "step"]);
  if (given !== undefined) readNumber("loadTorch.step", given, { min: 0, max: maxStep, integer: true });
  const { segments, replicas } = optimizer;
  const transposed = readTransposed(transpose, segments);
  const { tensors } = decodeSafetensors(file);
  const template = decodeSafetensors(await saveCheckpoint(optimizer));
  const { plan } = insideOf(optimizer);
  checkRules(plan, segments, template.tensors);
  checkKeys(plan, segments, tensors);
  const steps = given === undefined ? readSteps(plan, segments, tensors) : new Map<number, number>();
  const step = (given as number | undefined) ?? Math.max(0, ...steps.values());
  const carried = plan.ruleSets.map((ruleSet) => {
    const values = ruleSet.groups.map((group) => readCarry(plan, ruleSet, group, segments, tensors));
    return Array.from({ length: replicas }, () => values);
  });
  const made = plan.ruleSets.map((ruleSet) => {
    const counts = ruleSet.groups.map((group) => steps.get(group) ?? step);
    return Array.from({ length: replicas }, () => counts);
  });
  const clocks = template.metadata.step!.split(" ");
  const changed = new Map(template.tensors);
  const put = (key: string, data: Float32Array) => changed.set(key, { ...changed.get(key)!, data });
  for (const { rule, name, source } of sources(plan, segments, tensors, transposed)) {
    if (tensors.has(name)) put(name, repeated(readTensor(name, source), replicas));
    for (const [slot, torchKey] of Object.entries(rule.torch ?? {})) {
      const [from, to] = [`${name}.${torchKey}`, `${name}:${slot}`];
      if (template.tensors.has(to)) {
        put(to, repeated(readTensor(from, source, ` for the slot ${slot} of ${rule.name}`), replicas));
      } else if (tensors.has(from)) {
        throw new DataError(`the file has "${from}", but this optimizer keeps no slot ${slot} under its options`);
      }
    }
    for (const average of modifierSlots(plan.modifiers)) {
      put(`${name}:${average}`, begun(changed.get(`${name}:${average}`)!.data, changed.get(name)!.data, clocks));
    }
  }
  const metadata = {
    ...template.metadata,
    step: clocks.map(() => step).join(" "),
    carried: JSON.stringify(carried),
    made: JSON.stringify(made),
  };
  await loadCheckpoint(optimizer, encodeSafetensors({ metadata, tensors: changed }));
}

const maxStep = 2 ** 32 - 1;

/** All keys that torch keeps for a tensor under a rule. */
function torchKeys({ torch, torchCarry }: Rule): readonly string[] {
  const keys = [...Object.values(torch ?? {}), ...Object.values(torchCarry ?? {}), "step"];
  return keys.filter((key) => typeof key === "string");
}

/** Refuses rules with state that torch lacks; `tensors` are those of a checkpoint of the optimizer. */
function checkRules(plan: Plan, segments: readonly Segment[], tensors: Tensors): void {
  for (const { rule, segments: members } of plan.ruleSets) {
    const { name, slots, torch, carry, torchCarry } = rule;
    const kept = (slot: string) => members.some((index) => tensors.has(`${segments[index]!.name}:${slot}`));
    const slot = slots.find((slot) => !torch?.[slot] && kept(slot));
    if (slot) throw new OptionError(`the rule ${name} keeps a slot ${slot}, which has no counterpart in torch`);
    const carried = carry?.names.find((value) => torchCarry?.[value] === undefined);
    if (carried) throw new OptionError(`the rule ${name} carries ${carried}, which has no counterpart in torch`);
  }
}

/** The names of the matrices that the file holds transposed. */
function readTransposed(transpose: unknown, segments: readonly Segment[]): ReadonlySet<string> {
  if (transpose === undefined) return new Set();
  const names = segments.map(({ name }) => name);
  const { matched } = readPatterns("loadTorch.transpose", transpose, names);
  const deep = segments.find(({ name, shape }) => shape.length > 2 && matched.includes(name));
  if (deep) {
    throw new OptionError(
      `loadTorch.transpose matches "${deep.name}", which has shape [${deep.shape}]; it must match only matrices and vectors`,
    );
  }
  return new Set(segments.filter(({ name, shape }) => shape.length === 2 && matched.includes(name)).map((s) => s.name));
}

/** Refuses files with unknown keys, and tensors whose name is the key of another tensor's state. */
function checkKeys(plan: Plan, segments: readonly Segment[], tensors: Tensors): void {
  const names = segments.map(({ name }) => name);
  const known = new Set(names);
  for (const { rule, segments: members } of plan.ruleSets) {
    for (const index of members) {
      for (const key of torchKeys(rule).map((torchKey) => `${names[index]}.${torchKey}`)) {
        if (names.includes(key)) {
          throw new OptionError(`a tensor is called "${key}", which in torch's files is state of "${names[index]}"`);
        }
        known.add(key);
      }
    }
  }
  for (const key of tensors.keys()) {
    if (!known.has(key)) {
      throw new DataError(
        `the file has "${key}", which is neither a tensor nor its rule's state; the tensors are ${listed(names)}`,
      );
    }
  }
}

/** The source of a tensor's values. */
interface Source {
  readonly tensors: Tensors;
  /** The tensor's own shape. */
  readonly shape: readonly number[];
  readonly transposed: boolean;
}

/** A tensor's values in its own shape. */
function readTensor(key: string, { tensors, shape, transposed }: Source, purpose = ""): Float32Array {
  const tensor = tensors.get(key);
  if (!tensor) throw new DataError(`the file has no "${key}"${purpose}`);
  const wanted = transposed ? shape.toReversed() : shape;
  if (tensor.shape.join() !== wanted.join()) {
    const remedy = transposed ? "it fits without transpose" : "it fits with transpose";
    const turned = shape.length === 2 && tensor.shape.join() === wanted.toReversed().join();
    throw new DataError(
      `the file's "${key}" has shape [${tensor.shape}]; it must have [${wanted}]${turned ? ` (${remedy})` : ""}`,
    );
  }
  if (!transposed) return tensor.data;
  const [rows, columns] = shape as [number, number];
  return Float32Array.from({ length: rows * columns }, (_, i) => {
    return tensor.data[(i % columns) * rows + Math.floor(i / columns)]!;
  });
}

/** Every tensor with its rule. */
function sources(plan: Plan, segments: readonly Segment[], tensors: Tensors, transposed: ReadonlySet<string>) {
  return plan.ruleSets.flatMap(({ rule, segments: members }) =>
    members.map((index) => {
      const { name, shape } = segments[index]!;
      const source: Source = { tensors, shape, transposed: transposed.has(name) };
      return { rule, name, source };
    }),
  );
}

/** An average; in replicas without an update, the parameters, where it starts. */
function begun(average: Float32Array, params: Float32Array, clocks: readonly string[]): Float32Array {
  const length = params.length / clocks.length;
  return average.map((value, i) => (clocks[Math.floor(i / length)] === "0" ? params[i]! : value));
}

function repeated(values: Float32Array, times: number): Float32Array {
  const all = new Float32Array(values.length * times);
  for (let i = 0; i < times; i++) all.set(values, i * values.length);
  return all;
}

/** The number that torch keeps for a tensor under a key; undefined if the file has none. */
function readScalar(key: string, tensors: Tensors): number | undefined {
  const tensor = tensors.get(key);
  if (!tensor) return undefined;
  if (tensor.data.length !== 1) {
    throw new DataError(`the file's "${key}" has shape [${tensor.shape}]; it must be a single number`);
  }
  const [value] = tensor.data;
  if (!Number.isFinite(value)) throw new DataError(`the file's "${key}" is ${value}; it must be a finite number`);
  return value;
}

/** The steps of groups, on which their tensors agree; none for a group whose steps torch does not count. */
function readSteps(plan: Plan, segments: readonly Segment[], tensors: Tensors): ReadonlyMap<number, number> {
  const found = new Map<number, { readonly key: string; readonly step: number }>();
  for (const [index, { name }] of segments.entries()) {
    const key = `${name}.step`;
    const step = readScalar(key, tensors);
    if (step === undefined) continue;
    if (!Number.isInteger(step) || step < 0 || step > maxStep) {
      throw new DataError(`the file's "${key}" is ${step}; it must be a whole number in [0, 2^32)`);
    }
    const group = plan.groupOf[index]!;
    const before = found.get(group);
    if (before && before.step !== step) {
      throw new DataError(
        `the file's "${before.key}" is ${before.step} and "${key}" is ${step}; they must agree, be in different groups, or be given by the option step`,
      );
    }
    if (!before) found.set(group, { key, step });
  }
  const counting = plan.ruleSets.find(({ rule }) => rule.torchSteps !== false);
  if (found.size === 0 && counting) {
    const { name } = segments[counting.segments[0]!]!;
    throw new DataError(
      `the file has no "${name}.step"; without it, the option step must give the number of updates made`,
    );
  }
  return new Map([...found].map(([group, { step }]) => [group, step]));
}

/** The values that a group carries, from the scalars of its tensors, which must agree. */
function readCarry(
  plan: Plan,
  { rule, segments: members }: RuleSet,
  group: number,
  segments: readonly Segment[],
  tensors: Tensors,
): CarryValues {
  const names = members.filter((index) => plan.groupOf[index] === group).map((index) => segments[index]!.name);
  const values = (rule.carry?.names ?? []).map((carried) => {
    const source = rule.torchCarry![carried]!;
    if (typeof source === "number") return [carried, source] as const;
    const scalars = names.map((name) => {
      const key = `${name}.${source}`;
      const value = readScalar(key, tensors);
      if (value === undefined) throw new DataError(`the file has no "${key}" for the carry of ${rule.name}`);
      return { key, value };
    });
    const first = scalars[0]!;
    const other = scalars.find(({ value }) => value !== first.value);
    if (other) {
      throw new DataError(
        `the file's "${first.key}" is ${first.value} and "${other.key}" is ${other.value}; tensors of a group must agree`,
      );
    }
    return [carried, first.value] as const;
  });
  return Object.fromEntries(values);
}
