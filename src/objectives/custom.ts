// A custom objective: parameters, a loss of one example and its derivatives in WGSL, and a twin in JavaScript. Checks its
// definition and its data, and finds its parameters in an optimizer's arenas.

import type { Snippet } from "../base/assemble.ts";
import { OptionError, refusal, show } from "../base/errors.ts";
import { readNumber } from "../base/options.ts";
import { readFields } from "../base/words.ts";
import { arenaLength, layoutSegments, type Segment, type Tensor } from "../optimizer/arena.ts";
import { bindCustomToCpu } from "./custom_cpu.ts";
import { bindCustomToGpu } from "./custom_gpu.ts";
import { type Dataset, type DatasetShape, datasetNoun } from "./data/dataset.ts";
import { matchSegments, type Program, type Trainable } from "./program.ts";
import type { CustomSnippets } from "./sources.ts";

/** One example, as the twin sees it. */
export interface Example {
  /** Its row of the data set. */
  readonly row: number;
  /** Its features, times the data set's `scale`. */
  readonly inputs: Float64Array;
  /** The numbers to predict; empty if the data set has labels. */
  readonly targets: Float64Array;
  /** Its class; NaN if the data set has no labels. */
  readonly label: number;
}

/** The definition of a custom objective; docs/custom_objectives.md has an example. */
export interface CustomDefinition {
  /** Its name in errors. */
  readonly name: string;
  /**
   * The parameters: `param(i)` in WGSL, and `params[i]` in the twin, count through all of them in this order. `data`, if given,
   * is where they start in an optimizer that is made of these tensors, and near which they are verified.
   */
  readonly tensors: readonly Tensor[];
  /** How many features of an example it takes; default as many as the data has. */
  readonly features?: number | undefined;
  /** How many numbers to predict, or at most how many classes, it takes; default as many as the data has. */
  readonly outputs?: number | undefined;
  /**
   * `fn loss(row: u32) -> f32`, the loss of one example, and `fn gradient(row: u32, i: u32) -> f32`, its derivative by
   * `param(i)`. They read `param(i)`, `input(row, j)`, `target_of(row, k)` and `label(row)`, and the constants
   * `param_count`, `features`, `outputs` and, of each tensor, `first_NAME`: the number of its first parameter.
   */
  readonly wgsl: string;
  /** The twin of WGSL's `loss`, in float64; without it the objective runs on the GPU alone. */
  loss?(params: Float64Array, example: Example): number;
  /**
   * The twin of WGSL's `gradient`: writes the derivative by every parameter to `out`, which is as long as `params` and holds
   * zeros. Without it the derivatives are central differences of the twin's loss, within about 1e-9.
   */
  gradient?(params: Float64Array, example: Example, out: Float64Array): void;
}

/** A custom objective, as {@link defineObjective} makes it. */
export interface CustomObjective extends CustomDefinition, Trainable<undefined> {}

const fields = ["name", "tensors", "features", "outputs", "wgsl", "loss", "gradient"] as const;

/**
 * A custom objective from its definition. Checks everything except what only a GPU's compiler or {@link verifyObjective} can
 * find.
 *
 * @throws OptionError for a missing or invalid field.
 */
export function defineObjective(definition: CustomDefinition): CustomObjective {
  const { name, tensors, features, outputs, wgsl, loss, gradient } = readFields(
    "objective",
    definition,
    fields,
  ) as Partial<CustomDefinition>;
  if (typeof name !== "string" || name === "") {
    throw refusal("objective.name", name, "a non-empty string");
  }
  const title = titleOf({ name });
  const segments = layoutSegments(tensors ?? []);
  for (const segment of segments) refuseExternal(title, segment);
  firstConstants(title, segments);
  if (features !== undefined) readNumber(`features of ${title}`, features, { min: 1, integer: true });
  if (outputs !== undefined) readNumber(`outputs of ${title}`, outputs, { min: 1, integer: true });
  if (typeof wgsl !== "string") throw refusal(`the wgsl of ${title}`, wgsl, "a string");
  for (const [pattern, signature] of [
    [/\bfn\s+loss\s*\(\s*\w+\s*:\s*u32\s*,?\s*\)\s*->\s*f32\b/, "fn loss(row: u32) -> f32"],
    [
      /\bfn\s+gradient\s*\(\s*\w+\s*:\s*u32\s*,\s*\w+\s*:\s*u32\s*,?\s*\)\s*->\s*f32\b/,
      "fn gradient(row: u32, i: u32) -> f32",
    ],
  ] as const) {
    if (!pattern.test(withoutComments(wgsl))) throw new OptionError(`the wgsl of ${title} has no "${signature}"`);
  }
  for (const [part, twin] of Object.entries({ loss, gradient })) {
    if (twin === undefined || typeof twin === "function") continue;
    throw refusal(`the ${part} of ${title}`, twin, "a function");
  }
  if (gradient && !loss) throw new OptionError(`${title} has a twin for its gradient but not its loss`);
  // A definition may have methods of a class, which a spread would lose.
  const complete = {
    ...{ name, tensors: tensors!, wgsl },
    ...(features === undefined ? {} : { features }),
    ...(outputs === undefined ? {} : { outputs }),
    ...(loss ? { loss: loss.bind(definition) } : {}),
    ...(gradient ? { gradient: gradient.bind(definition) } : {}),
  };
  // A copy with other fields must be defined again: the program belongs to these.
  return Object.defineProperty(complete, "program", { value: programOfCustom(complete) }) as typeof complete &
    CustomObjective;
}

function programOfCustom(objective: CustomDefinition): Program<undefined> {
  const title = titleOf(objective);
  const { tensors } = objective;
  return {
    title,
    needsData: true,
    lossName: title,
    hasAccuracy: false,
    hasError: false,
    // Of a row its number; of one in a replica its loss and hit.
    memory: { sharedRowBytes: 4, replicaRowBytes: 8, replicaFixedBytes: 0, rowMultiple: 1, divides: false },
    start(given) {
      if (given === undefined || given === null) return undefined;
      throw new OptionError(`init is ${show(given)}; ${title} defines its own start, so it must be left out`);
    },
    tensors: () => tensors.map(({ name, shape }) => ({ name, shape })),
    initial(start) {
      this.start(start);
      return tensors;
    },
    segmentsOf(segments) {
      const found = matchSegments(segments, tensors, `${title} has`);
      for (const segment of found) refuseExternal(title, segment);
      return found;
    },
    checkFit: (data) => checkFit(objective, data),
    checkAnswers: () => {},
    bindCpu: (optimizer, { data, batch }) => bindCustomToCpu(optimizer, fitTo(objective, data!), data!, batch),
    bindGpu: (optimizer, { segments, data, batch }) =>
      bindCustomToGpu(optimizer, fitTo(objective, data!), segments, data!, batch),
  };
}

/** An objective's name in errors. */
export const titleOf = ({ name }: Pick<CustomDefinition, "name">) => `objective ${name}`;

const withoutComments = (wgsl: string) => wgsl.replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, " ");

function refuseExternal(title: string, { name, external }: Segment): void {
  if (!external) return;
  throw new OptionError(
    `tensor "${name}" is in an external buffer; tensors of ${title} must be in the optimizer's arenas`,
  );
}

/** A definition whose `features` and `outputs` are those of the data that it is bound to. */
export type FittedCustom = CustomDefinition & { readonly features: number; readonly outputs: number };

/** @throws OptionError if the data does not fit the objective. */
function checkFit(objective: CustomDefinition, data: DatasetShape): void {
  const title = titleOf(objective);
  const { features = data.features } = objective;
  const { outputs = outputsOf(data) } = objective;
  if (features !== data.features) {
    throw new OptionError(
      `${title} takes ${features} features; the rows of ${data.name} have ${data.features} numbers`,
    );
  }
  const labelled = "classes" in data;
  if (labelled ? outputsOf(data) > outputs : outputsOf(data) !== outputs) {
    throw new OptionError(`${title} takes ${outputs} outputs; ${data.name} has ${datasetNoun(data)}`);
  }
  const [unread, reading] = labelled
    ? ([/\btarget_of\s*\(/, "target_of(row, k)"] as const)
    : ([/\blabel\s*\(/, "label(row)"] as const);
  if (unread.test(withoutComments(objective.wgsl))) {
    throw new OptionError(`${title} reads ${reading}, which ${data.name} does not have: it has ${datasetNoun(data)}`);
  }
}

/** The objective with the counts of data that fits it. */
export function fitTo(objective: CustomDefinition, data: DatasetShape): FittedCustom {
  const { features = data.features, outputs = outputsOf(data) } = objective;
  return { ...objective, features, outputs };
}

const outputsOf = (data: DatasetShape) => ("classes" in data ? data.classes : data.outputs);

/** How many parameters there are. */
export function countParams(tensors: readonly { readonly length: number }[]): number {
  return tensors.reduce((sum, { length }) => sum + length, 0);
}

/** An example of a data set. */
export function exampleAt(data: Dataset, row: number): Example {
  const { features, inputs, scale } = data;
  const begin = row * features;
  return {
    row,
    inputs: scaled(inputs.subarray(begin, begin + features), scale),
    targets: data.labels
      ? new Float64Array()
      : Float64Array.from(data.targets.subarray(row * data.outputs, (row + 1) * data.outputs)),
    label: data.labels ? data.labels[row]! : Number.NaN,
  };
}

/** A loop: `from` with a function takes ten times as long. */
function scaled(values: ArrayLike<number>, scale: number): Float64Array {
  const out = new Float64Array(values.length);
  for (let i = 0; i < out.length; i++) out[i] = values[i]! * scale;
  return out;
}

/** The parts of the WGSL that depend on the objective, its data and the places of its tensors. */
export function customSnippets(
  { name, wgsl, features, outputs }: FittedCustom,
  tensors: readonly Segment[],
  segments: readonly Segment[],
): CustomSnippets {
  const title = titleOf({ name });
  const generated = (text: string): Snippet => ({ name: "generated", text });
  const counts = { param_count: countParams(tensors), features, outputs, ...firstConstants(title, tensors) };
  return {
    counts: generated(
      Object.entries(counts)
        .map(([constant, value]) => `const ${constant} = ${value}u;\n`)
        .join(""),
    ),
    places: generated(placesText(tensors, arenaLength(segments))),
    fragment: { name: "its wgsl", text: wgsl },
  };
}

/** A constant for each tensor: the number of its first parameter. */
function firstConstants(title: string, tensors: readonly Segment[]): Readonly<Record<string, number>> {
  const constants: Record<string, number> = {};
  let first = 0;
  for (const { name, length } of tensors) {
    const constant = `first_${name.replace(/[^A-Za-z0-9_]/g, "_")}`;
    if (constant in constants) {
      throw new OptionError(`two tensors of ${title} are both called ${constant} in WGSL, one of them "${name}"`);
    }
    constants[constant] = first;
    first += length;
  }
  return constants;
}

/** Where in an arena each parameter is: a choice between stretches that follow each other without a gap. */
function placesText(tensors: readonly Segment[], stride: number): string {
  const stretches: { readonly first: number; readonly offset: number }[] = [];
  let first = 0;
  for (const { offset, length } of tensors) {
    const last = stretches[stretches.length - 1];
    if (!last || offset - last.offset !== first - last.first) stretches.push({ first, offset });
    first += length;
  }
  const choose = (among: typeof stretches): string => {
    if (among.length === 1) return `return ${among[0]!.offset}u + (i - ${among[0]!.first}u);`;
    const middle = among.length >> 1;
    const [low, high] = [among.slice(0, middle), among.slice(middle)];
    return `if (i >= ${high[0]!.first}u) { ${choose(high)} } else { ${choose(low)} }`;
  };
  return `const arena_stride = ${stride}u;\nfn place(i: u32) -> u32 {\n  ${choose(stretches)}\n}\n`;
}
