// An equation as a model's criterion: the square of its residual at each point, from the outputs and their derivatives by the
// inputs; and the points of its boundary, which are the model's anchors.

import jet from "../../shaders/objectives/pinn/jet.wgsl?raw";
import lossDriver from "../../shaders/objectives/pinn/loss.wgsl?raw";
import { assemble, type Snippet, type Source } from "../base/assemble.ts";
import { OptionError } from "../base/errors.ts";
import { bytesOf } from "../engines/gpu/allocate.ts";
import { grid } from "../engines/gpu/device.ts";
import { compileKernel } from "../engines/gpu/kernel.ts";
import { batchSnippet } from "../engines/products/sources.ts";
import type { Criterion, Judge } from "./criterion.ts";
import { type Dataset, datasetNoun } from "./data/dataset.ts";
import { rowCapacity } from "./memory.ts";
import type { Anchors } from "./model.ts";
import type { Jet, Problem } from "./problems/problem.ts";
import { linearSnippet, outcomeSnippet, replicasSnippet } from "./sources.ts";
import { createSizes, lanes, replicaConstants } from "./tensors_gpu.ts";

/** Rows of the points, which are gathered, and of the boundary are multiples of this: four elements share a row's place. */
export const rowMultiple = 4;

/** Matrices that a pass carries: values, and first and second derivatives by each input. */
export const channelsOf = ({ dimensions }: Pick<Problem, "dimensions">) => 1 + 2 * dimensions;

/** The places of a pass's stacked rows. */
export interface StackedRows {
  /** Rows of points. */
  readonly points: number;
  /** Rows of points, then those of the boundary, which have no derivatives. */
  readonly values: number;
  readonly all: number;
}

export function stackedRows(problem: Problem, points: number): StackedRows {
  const values = points + rowCapacity({ rowMultiple }, problem.boundary.length);
  return { points, values, all: values + 2 * problem.dimensions * points };
}

/** The boundary: boundaryWeight · Σ weight · (u - value)². An anchor's outputs are a jet, of which the value alone counts. */
export function boundaryAnchors({ boundary }: Problem, boundaryWeight: number): Anchors {
  return {
    count: boundary.length,
    inputs: Float64Array.from(boundary.flatMap(({ at }) => at)),
    judge(outputs, row) {
      const { value, weight } = boundary[row]!;
      const off = outputs[0]! - value;
      outputs.fill(0);
      outputs[0] = 2 * boundaryWeight * weight * off;
      return { loss: boundaryWeight * weight * off * off, hit: 0 };
    },
  };
}

export function equationCriterion(problem: Problem, boundaryWeight: number): Criterion {
  const { name, exact } = problem;
  return {
    name,
    hasAccuracy: false,
    hasError: exact !== undefined,
    checkFit(data) {
      if (!("classes" in data) && data.outputs === 0) return;
      throw new OptionError(
        `model.problem is ${name}, which takes only points, such as datasets.points() makes; ${data.name} has ${datasetNoun(data)}`,
      );
    },
    checkAnswers: () => {},
    judge: (data) => residualJudge(problem, data),
    async compile(optimizer, data, capacity) {
      const { device, replicas, control } = optimizer;
      const { points, values, all } = stackedRows(problem, capacity);
      const answers = answersOf(problem, data);
      const kernel = await compileKernel(
        device,
        equationSource(problem),
        ["read", "read", "read", "write", "write", "write", "read", "uniform"],
        replicaConstants(optimizer),
      );
      return (create) => {
        const answersBuffer = create(`${data.name} answers`, answers.byteLength, bytesOf(answers));
        const rows = [points, values, all, problem.dimensions, problem.boundary.length];
        const [later, first] = [0, 1].map((derive) =>
          createSizes(create, [...rows, optimizer.controlIndex("lossScale")], [boundaryWeight, derive]),
        );
        return ({ batch, inputs, outputs, outcomes, penalty, first: isFirst }) => ({
          pipeline: kernel.pipeline,
          bindGroup: kernel.bind([
            ...[batch, answersBuffer, inputs, outputs, outcomes, penalty, control],
            isFirst ? first : later,
          ]),
          workgroups: [...grid(device, Math.ceil(values / lanes)), replicas],
        });
      };
    },
  };
}

/** The kernel of an equation. The problem's text comes last, so an error about a duplicate name points at its author's line. */
function equationSource({ name, wgsl }: Pick<Problem, "name" | "wgsl">): Source {
  const snippet = (file: string, text: string): Snippet => ({ name: `shaders/objectives/pinn/${file}.wgsl`, text });
  return assemble(`problem ${name}`, [
    ...[batchSnippet, linearSnippet, outcomeSnippet, replicasSnippet, snippet("jet", jet), snippet("loss", lossDriver)],
    { name: "its wgsl", text: wgsl },
  ]);
}

/** Four numbers for each point of the boundary, then for each row of the data set (shaders/objectives/pinn/loss.wgsl). */
function answersOf(problem: Problem, data: Dataset): Float32Array {
  const { boundary } = problem;
  const answers = new Float32Array(4 * (boundary.length + data.count));
  boundary.forEach(({ value, weight }, i) => {
    answers.set([value, weight], 4 * i);
  });
  const at = pointsOf(data);
  for (let row = 0; row < data.count; row++) {
    const x = at(row);
    const weight = data.weights ? data.weights[row]! : 1;
    answers.set([problem.right(x), problem.exact?.(x) ?? 0, weight], 4 * (boundary.length + row));
  }
  return answers;
}

function residualJudge(problem: Problem, data: Dataset): Judge {
  const { dimensions, exact } = problem;
  const at = pointsOf(data);
  const [rights, exacts] = [problem.right, exact].map(
    (of) => of && Float64Array.from({ length: data.count }, (_, row) => of(at(row))),
  );
  return (outputs, row) => {
    const x = at(row);
    const u: Jet = {
      u: outputs[0]!,
      d: [outputs[1]!, dimensions === 2 ? outputs[2]! : 0],
      dd: [outputs[1 + dimensions]!, dimensions === 2 ? outputs[4]! : 0],
    };
    const residual = problem.left(x, u) - rights![row]!;
    const slopes = problem.slopes(x, u);
    outputs[0] = 2 * residual * slopes.u;
    for (let i = 0; i < dimensions; i++) {
      outputs[1 + i] = 2 * residual * slopes.d[i]!;
      outputs[1 + dimensions + i] = 2 * residual * slopes.dd[i]!;
    }
    return { loss: residual * residual, hit: exacts ? (u.u - exacts[row]!) ** 2 : 0 };
  };
}

/** The inputs of each row, in float64. */
function pointsOf({ inputs, features, scale }: Dataset): (row: number) => Float64Array {
  return (row) => Float64Array.from(inputs.subarray(row * features, (row + 1) * features), (value) => value * scale);
}
