// Replays: recorded gradients in, parameters at recorded steps out, compared with those of another program. The
// format is `fallline-replay/1` (test/golden/README.md describes it).

import { DataError, OptionError, refusal, show } from "../base/errors.ts";
import { readMade } from "../base/options.ts";
import type { Tensor } from "../optimizer/arena.ts";
import type { OptimizerConfig } from "../optimizer/config.ts";
import type { Optimizer } from "../optimizer/optimizer.ts";
import { readConfig } from "../optimizer/read_config.ts";
import { rules } from "../rules/index.ts";
import { entries, list, readTolerance, record, recordedFile, type Tolerance, type Values } from "./recorded.ts";

/** One recorded optimizer. */
export interface ReplayCase {
  /** The case's name. */
  readonly id: string;
  /** The optimizer's config. */
  readonly optimizer: object;
  /** How gradients are clipped; not at all if absent. */
  readonly clip?: unknown;
  /** The allowed error of a value. */
  readonly tolerance: Tolerance;
  /** The parameters of the reference. */
  readonly expected: readonly { readonly step: number; readonly params: Values }[];
  /** The largest error of the reference's own float32 run. */
  readonly float32MaxError?: number;
}

/** Recorded trajectories of optimizers. */
export interface ReplayFile {
  /** The tensors' shapes and first values. */
  readonly tensors: readonly Tensor[];
  /** The gradients of each step. */
  readonly gradients: readonly Values[];
  /** The cases. */
  readonly cases: readonly ReplayCase[];
}

/** The result of a recorded trajectory. */
export interface ReplayResult {
  /** The case's name. */
  readonly id: string;
  /** Largest |ours - expected| over all recorded steps and elements; null where the case did not run. */
  readonly maxAbs: number | null;
  /** Largest |ours - expected| / |expected|, over expected values other than 0. */
  readonly maxRel: number | null;
  /** `maxAbs` divided by the recorded error of the source's own float32 run; null if none is recorded. */
  readonly ratio: number | null;
  /** Whether every element is within atol + rtol·|expected|. */
  readonly ok: boolean;
  /** Why the case did not run, or has no numbers. */
  readonly error?: string;
}

/**
 * Reads a replay file.
 *
 * @throws DataError for a malformed file.
 */
export function readReplay(text: string): ReplayFile {
  const file = recordedFile(text, ["fallline-replay/1"]);
  const shapes = record("tensors", file.tensors);
  const lengths = new Map<string, number>();
  const initial = record("initial", file.initial) as Record<string, number[]>;
  const tensors = Object.entries(shapes).map(([name, entry]): Tensor => {
    const { shape, layout } = record(`tensors["${name}"]`, entry);
    if (layout !== undefined && layout !== "in-out" && layout !== "out-in") {
      throw refusal(`tensors["${name}"].layout`, layout, '"in-out" or "out-in"', DataError);
    }
    if (!Array.isArray(shape) || shape.some((size) => !Number.isInteger(size) || size < 1)) {
      throw new DataError(`tensors["${name}"].shape is ${show(shape)}; it must hold whole numbers >= 1`);
    }
    lengths.set(
      name,
      shape.reduce((product: number, size: number) => product * size, 1),
    );
    return { name, shape: shape as number[], data: initial[name]!, ...(layout === undefined ? {} : { layout }) };
  });
  if (tensors.length === 0) throw new DataError("tensors is empty; there must be at least one");
  const values = (where: string, value: unknown): Values => {
    const given = record(where, value);
    for (const [name, length] of lengths) {
      const data = given[name];
      if (!Array.isArray(data) || data.length !== length || data.some((x) => typeof x !== "number")) {
        throw new DataError(`${where}["${name}"] must be an array of ${length} numbers`);
      }
    }
    for (const name of Object.keys(given)) {
      if (!lengths.has(name)) throw new DataError(`${where}["${name}"] is not one of the tensors`);
    }
    return given as Values;
  };
  values("initial", initial);
  const gradients = list("gradients", file.gradients).map((step, i) => values(`gradients[${i}]`, step));
  const cases = entries("cases", file.cases, (fields, where) => {
    const { clip, float32MaxError } = fields;
    if (float32MaxError !== undefined && !(typeof float32MaxError === "number" && float32MaxError >= 0)) {
      throw refusal(`${where}.float32MaxError`, float32MaxError, "a number >= 0", DataError);
    }
    const expected = list(`${where}.expected`, fields.expected).map((point, j) => {
      const { step, params } = record(`${where}.expected[${j}]`, point);
      if (!Number.isInteger(step) || (step as number) < 1 || (step as number) > gradients.length) {
        throw refusal(`${where}.expected[${j}].step`, step, `a whole number in [1, ${gradients.length}]`, DataError);
      }
      return { step: step as number, params: values(`${where}.expected[${j}].params`, params) };
    });
    if (expected.length === 0) throw new DataError(`${where}.expected is []; it must have at least one entry`);
    return {
      optimizer: record(`${where}.optimizer`, fields.optimizer),
      tolerance: readTolerance(`${where}.tolerance`, fields.tolerance),
      expected,
      ...(clip === undefined ? {} : { clip }),
      ...(typeof float32MaxError === "number" ? { float32MaxError } : {}),
    };
  });
  if (cases.length === 0) throw new DataError("cases is []; there must be at least one");
  return { tensors, gradients, cases };
}

/** Where Muon is recorded, rows are outputs, as in torch, unless a tensor has another layout. */
function recordedLayout(tensors: readonly Tensor[], config: object): readonly Tensor[] {
  const { rule: name, groups } = config as { readonly rule?: unknown; readonly groups?: unknown };
  const named = [
    name,
    ...(Array.isArray(groups) ? groups : []).map((group) => (group as { rule?: unknown } | null)?.rule),
  ];
  const outIn = { layout: "out-in" } as const;
  const byRows = rules.some((rule) => rule.orthogonalises && named.includes(rule.name));
  return byRows ? tensors.map((tensor) => ({ ...outIn, ...tensor })) : tensors;
}

/** Runs one case with an optimizer that `create` makes; errors of the config become the result's `error`. */
export async function replayCase(
  file: ReplayFile,
  replay: ReplayCase,
  create: (tensors: readonly Tensor[], config: OptimizerConfig) => Promise<Optimizer>,
): Promise<ReplayResult> {
  readMade("file", file, "what readReplay() gives", { tensors: "array", gradients: "array" });
  readMade("replay", replay, "a case of readReplay()", {
    ...{ id: "string", optimizer: "object", tolerance: "object", expected: "array" },
  });
  if (typeof create !== "function") {
    throw refusal("create", create, "a function");
  }
  const { id } = replay;
  let optimizer: Optimizer | undefined;
  try {
    const config = replay.clip === undefined ? replay.optimizer : { ...replay.optimizer, clip: replay.clip };
    optimizer = await create(recordedLayout(file.tensors, config), readConfig(config));
    let maxAbs = 0;
    let maxRel = 0;
    let ok = true;
    let broken: string | undefined;
    const last = Math.max(...replay.expected.map(({ step }) => step));
    for (let step = 1; step <= last; step++) {
      optimizer.write("gradients", file.gradients[step - 1]!);
      optimizer.step();
      for (const point of replay.expected.filter((candidate) => candidate.step === step)) {
        const params = await optimizer.read();
        if (Object.values(params).some((values) => !values.every(Number.isFinite))) {
          broken ??= `the parameters are not finite after step ${step}`;
        }
        for (const [name, expected] of Object.entries(point.params)) {
          expected.forEach((want, i) => {
            const error = Math.abs(params[name]![i]! - want);
            if (error > replay.tolerance.atol + replay.tolerance.rtol * Math.abs(want)) ok = false;
            maxAbs = Math.max(maxAbs, error);
            if (want !== 0) maxRel = Math.max(maxRel, error / Math.abs(want));
          });
        }
      }
    }
    // JSON has no infinity; a sentence reports such numbers.
    if (broken) return { id, maxAbs: null, maxRel: null, ratio: null, ok: false, error: broken };
    const reference = replay.float32MaxError;
    return { id, maxAbs, maxRel, ratio: reference ? maxAbs / reference : null, ok };
  } catch (error) {
    if (!(error instanceof OptionError)) throw error;
    return { id, maxAbs: null, maxRel: null, ratio: null, ok: false, error: error.message };
  } finally {
    optimizer?.destroy();
  }
}
