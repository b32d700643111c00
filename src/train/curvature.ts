// The sharpness during a run: the largest curvature of its loss at regular steps, and how far that is from the edge of
// stability of its rule. It only measures: parameters, gradients, state and step stay as they are, to the bit.
import { DataError } from "../base/errors.ts";
import { encodeExact, fromExact } from "../base/exact.ts";
import { decodeSafetensors } from "../base/safetensors.ts";
import { edge } from "../objectives/curvature/edge.ts";
import { createMeter, type SharpnessMeter } from "../objectives/curvature/extremes.ts";
import type { Dataset } from "../objectives/data/dataset.ts";
import type { Objective } from "../objectives/objective.ts";
import type { Optimizer } from "../optimizer/optimizer.ts";
import { insideOf } from "../optimizer/shell.ts";
import type { CompleteCurvatureConfig } from "./curvature_config.ts";

/** The sharpness after some steps of a run. */
export interface CurvaturePoint {
  /** Training steps made. */
  readonly step: number;
  /**
   * The largest eigenvalue of the Hessian; for adam and adamw without AMSGrad, that of P^-½ H P^-½, where P = √v̂ + eps divides
   * their steps.
   */
  readonly sharpness: number;
  /** Some eigenvalue is within this of it. */
  readonly bound: number;
  /** Whether the bound is within 1 % of the sharpness. */
  readonly converged: boolean;
  /** The rate of the next update. */
  readonly lr: number;
  /** The sharpness times the rate: 2 is the edge of plain gradient descent. */
  readonly product: number;
  /**
   * The sharpness from which the next update's steps grow (`curvature.edge`); null for rules without a known edge, and if
   * groups have different ones.
   */
  readonly edge: number | null;
  /** The sharpness divided by the edge: from 1 on steps grow; null without an edge. */
  readonly fraction: number | null;
  /** Gradients that it took, each over `rows` of the config. */
  readonly gradients: number;
}

/** The sharpness in a checkpoint. */
export interface CurvatureState {
  /** The measurements so far, in order. */
  readonly points: readonly CurvaturePoint[];
  /** The eigenvector and the strides that it was found with; null before the first measurement. */
  readonly bytes: Uint8Array<ArrayBuffer> | null;
}

/** The sharpness of one run. */
export interface CurvatureTrack {
  /** The measurements so far, in order. */
  readonly points: readonly CurvaturePoint[];
  /** Whether a measurement is due after this many steps. */
  isDue(step: number): boolean;
  /**
   * Measures it, once every step is reported, and lets the schedules that depend on it observe it; null before the first update,
   * and if it is not finite.
   */
  measure(step: number): Promise<CurvaturePoint | null>;
  state(): Promise<CurvatureState>;
  destroy(): void;
}

/** What the meter needs from its run. */
export interface CurvatureRun {
  readonly optimizer: Optimizer;
  readonly data: Dataset | undefined;
  /** An objective that takes this many rows at once. */
  objectiveOf(rows: number): Promise<Objective>;
}

/** The allowed error of a sharpness, relative to it. */
const tolerance = 0.01;

/** The rows over which it is measured: the first ones, at most this many. */
export function meterRows({ rows }: CompleteCurvatureConfig, data: Dataset): number {
  return Math.min(rows ?? data.count, data.count);
}

export async function createCurvatureTrack(
  config: CompleteCurvatureConfig,
  { optimizer, data, objectiveOf }: CurvatureRun,
  state: CurvatureState | null,
): Promise<CurvatureTrack> {
  const count = data ? meterRows(config, data) : 1;
  const rows = data && Uint32Array.from({ length: count }, (_, row) => row);
  const points: CurvaturePoint[] = [...(state?.points ?? [])];
  const objective = await objectiveOf(count);
  let meter: SharpnessMeter | null = null;
  const destroy = () => {
    meter?.destroy();
    objective.destroy();
  };
  try {
    const precondition = isPreconditioned(optimizer) ? optimizer : undefined;
    const made = await createMeter(objective, { rows, precondition, tolerance });
    meter = made;
    if (state?.bytes) made.restore(decodeMeter(state.bytes, made));
    return {
      points,
      isDue: (step) => step > 0 && step % config.every === 0 && points.at(-1)?.step !== step,
      async measure(step) {
        const { step: updates } = await optimizer.stats();
        if (updates === 0) return null;
        const { value: sharpness, bound, converged, gradients } = await made.measure();
        if (!Number.isFinite(sharpness) || !Number.isFinite(bound)) return null;
        const lr = optimizer.hyper("lr", updates);
        const its = edgeOf(optimizer, updates);
        const fraction = its === null ? null : sharpness / its;
        const product = sharpness * lr;
        const point = { step, sharpness, bound, converged, lr, product, edge: its, fraction, gradients };
        points.push(point);
        optimizer.observe(sharpness, { of: "sharpness" });
        return point;
      },
      async state() {
        const kept = await made.state();
        return { points, bytes: kept && encodeMeter(kept) };
      },
      destroy,
    };
  } catch (error) {
    destroy();
    throw error;
  }
}

/** Whether every step divides by the root of one second moment, which preconditions the Hessian. */
function isPreconditioned(optimizer: Optimizer): boolean {
  const { rule, flags, groups } = insideOf(optimizer).plan;
  return groups.every((group) => group.rule.name === rule.name) && /^adamw?$/.test(rule.name) && flags.amsgrad !== true;
}

/** The common edge of all groups at an update; null if there is none, or if they differ. */
function edgeOf(optimizer: Optimizer, step: number): number | null {
  const { plan } = insideOf(optimizer);
  const { rule } = plan;
  const known = rule.name === "sgd" || isPreconditioned(optimizer);
  if (!known || plan.maximize) return null;
  const hypers = ["lr", "momentum", "dampening", "beta1"].filter((name) => Object.hasOwn(rule.hypers, name));
  const isOne = plan.groups.every(
    (each, group) =>
      each.rule.name === rule.name &&
      hypers.every((name) => optimizer.hyper(name, step, { group }) === optimizer.hyper(name, step)),
  );
  const found = isOne ? edge(optimizer, step) : Number.NaN;
  return Number.isFinite(found) ? found : null;
}

type MeterState = NonNullable<Awaited<ReturnType<SharpnessMeter["state"]>>>;

function encodeMeter({ vector, strides }: MeterState): Uint8Array<ArrayBuffer> {
  return encodeExact(Object.entries({ vector: vector[0]!, strides: Float64Array.from(strides) }));
}

/** @throws DataError for anything that {@link encodeMeter} did not write. */
function decodeMeter(bytes: Uint8Array, { length }: SharpnessMeter): MeterState {
  const { tensors } = decodeSafetensors(bytes);
  const vector = fromExact(tensors.get("vector"), "the eigenvector of the run's sharpness", length);
  const strides = fromExact(tensors.get("strides"), "the strides of the run's sharpness", 1);
  const isGood = strides[0]! > 0 && vector.every(Number.isFinite) && vector.some((value) => value !== 0);
  if (!isGood || !Number.isFinite(strides[0]!)) {
    throw new DataError("the run checkpoint's eigenvector is all zero or not finite");
  }
  return { vector: [vector], strides: [...strides] };
}
