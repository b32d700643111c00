// Descent is Euler's method along the gradient flow x' = -∇f(x). One step of length h misses the flow by h²/2·|x''|, all steps
// up to a fixed time by an error in proportion to h; and since stability requires h < 2/λmax while the slowest direction
// takes a time of 1/λmin, the steps needed grow in proportion to the condition number: the flow is stiff.
import { Random } from "../../base/random.ts";
import { type Landscape, landscapeOf } from "../../objectives/landscapes/define.ts";
import { himmelblau } from "../../objectives/landscapes/himmelblau.ts";
import { quadratic } from "../../objectives/landscapes/quadratic.ts";
import { sgd } from "../../rules/sgd.ts";
import { labChart } from "../chart.ts";
import {
  absolute,
  defineExperiment,
  type Lab,
  mustNotDiverge,
  number,
  perCoordinate,
  relative,
  whole,
} from "./experiment.ts";
import { exponent } from "./fit.ts";
import { makeSteps, trainee, using } from "./steps.ts";

/** The steps of each rate up to the time at which errors are compared; the first belongs to the rate `longest`. */
const counts = [16, 32, 64, 128] as const;
/** Steps of the fourth-order method between two points of the flow, for a landscape without a formula for its flow. */
const fine = 128;
/** The share left of the slowest direction when steps are counted. */
const left = 1e-3;
/** The least number of coordinates of all points on the quadratic together. */
const spread = 64;

export const euler = defineExperiment({
  name: "euler",
  title:
    "Descent is Euler's method: the error of one step falls as lr², that at a fixed time as lr, and steps grow with the condition number",
  options: {
    lr: number("largest rate, times the largest curvature", 1 / 32, { min: 1 / 64, max: 1 / 24 }),
    condition: number("condition number of one quadratic; that of the other is 4 times it", 100, {
      min: 50,
      max: 2000,
    }),
    dimension: whole("dimension of the quadratic", 64, { min: 2, max: 65536 }),
    points: whole("points on Himmelblau's function", 64, { min: 16, max: 4096 }),
  },
  // Steps until the slowest direction is gone, at this condition and at four times it.
  cost: ({ condition, dimension }) => perCoordinate * dimension * 5 * condition * Math.log(1 / left),
  async run({ lr, condition, dimension, points, seed }, lab) {
    const random = new Random(seed);
    const bowl = landscapeOf(quadratic({ dimension, condition }));
    // Several points, over which the rounding of float32 averages out.
    const start = Float32Array.from(
      { length: dimension * Math.ceil(spread / dimension) },
      () => (random.uniform() < 0.5 ? -1 : 1) * (0.5 + random.uniform()),
    );
    const curvatures = bowl.kernel.numbers;
    const flow = (x: Float32Array, time: number) =>
      Float64Array.from(x, (value, i) => value * Math.exp(-curvatures[i % dimension]! * time));
    const straight = await errors(lab, bowl, start, flow, lr, 0);
    const hills = landscapeOf(himmelblau());
    // Around a hilltop, where the flow is curved but not stiff; its curvature is below 64.
    const from = Float32Array.from({ length: 2 * points }, () => random.uniform() - 0.5);
    const curved = await errors(lab, hills, from, (x, time) => flowOf(hills, x, time), lr / 64, 0.3);
    const needed = await stepsNeeded(lab, condition, dimension, 0.5);
    const wide = await stepsNeeded(lab, 4 * condition, dimension, 0.7);
    const one = (found: readonly ErrorAt[]) => exponent(found.map(({ rate, step }) => [rate, step]));
    const all = (found: readonly ErrorAt[]) => exponent(found.map(({ rate, time }) => [rate, time]));
    const exponents = [
      ["quadratic", straight],
      ["Himmelblau's function", curved],
    ] as const;
    return {
      claims: [
        ...exponents.flatMap(([name, found]) => [
          absolute(`exponent of one step's error in lr, ${name}`, one(found), 2, 0.02),
          absolute(`exponent of the error at a fixed time in lr, ${name}`, all(found), 1, 0.02),
        ]),
        relative(`steps needed at condition ${4 * condition}, over those at ${condition}`, wide / needed, 4, 0.02),
      ],
      notes: [
        `${needed.toFixed(1)} and ${wide.toFixed(1)} steps until ${left} of the slowest direction is left, at a rate of 1/λmax`,
      ],
      chart: labChart({
        title: "Distance from the gradient flow, against the rate",
        panels: [
          {
            x: { name: "learning rate × largest curvature", log: true },
            y: { name: "error", log: true },
            curves: exponents.flatMap(([name, found], i) => {
              const scale = i === 0 ? 1 : 64;
              return [
                { name: `one step, ${name}`, points: found.map(({ rate, step }) => [scale * rate, step] as const) },
                { name: `fixed time, ${name}`, points: found.map(({ rate, time }) => [scale * rate, time] as const) },
              ];
            }),
          },
        ],
      }),
    };
  },
});

interface ErrorAt {
  readonly rate: number;
  /** Root of the mean square distance to the flow after one step. */
  readonly step: number;
  /** The same after the time that all rates reach. */
  readonly time: number;
}

/** The distance to the flow at the rate `longest` and at fractions of it, one replica for each. */
function errors(
  lab: Lab,
  landscape: Landscape,
  start: Float32Array,
  flow: (x: Float32Array, time: number) => Float64Array,
  longest: number,
  done: number,
): Promise<readonly ErrorAt[]> {
  const time = counts[0] * longest;
  const rates = counts.map((count) => time / count);
  const config = sgd({ replicas: rates.map((lr) => ({ lr })) });
  return using(trainee(lab, landscape, config, { start }), async (made) => {
    const distance = async (replica: number, to: Float64Array) => {
      const points = (await made.optimizer.read("params", { replica })).points!;
      const sum = to.reduce((total, value, i) => total + (points[i]! - value) ** 2, 0);
      return Math.sqrt(mustNotDiverge(`descent at a rate of ${rates[replica]}`, sum / to.length, counts[replica]!));
    };
    await makeSteps(made, 1, () => lab.progress(done));
    const steps: number[] = [];
    for (const [replica, rate] of rates.entries()) steps.push(await distance(replica, flow(start, rate)));
    const end = flow(start, time);
    const found: ErrorAt[] = [];
    let step = 1;
    for (const [replica, count] of counts.entries()) {
      await makeSteps(made, count - step, () => lab.progress(done));
      step = count;
      found.push({ rate: rates[replica]!, step: steps[replica]!, time: await distance(replica, end) });
      made.optimizer.halt(replica);
    }
    return found;
  });
}

/** The gradient flow by the classical Runge–Kutta method, whose error is below that of float32. */
function flowOf({ dimension, slope }: Landscape, start: Float32Array, time: number): Float64Array {
  const h = time / fine;
  const moved = new Float64Array(start.length);
  for (let first = 0; first < start.length; first += dimension) {
    let x = Float64Array.from(start.subarray(first, first + dimension));
    const along = (k: Float64Array, share: number) => x.map((value, i) => value - share * h * k[i]!);
    const at = (y: Float64Array) => y.map((_, i) => slope(y, i));
    for (let n = 0; n < fine; n++) {
      const k1 = at(x);
      const k2 = at(along(k1, 0.5));
      const k3 = at(along(k2, 0.5));
      const k4 = at(along(k3, 1));
      x = x.map((value, i) => value - (h / 6) * (k1[i]! + 2 * k2[i]! + 2 * k3[i]! + k4[i]!));
    }
    moved.set(x, first);
  }
  return moved;
}

/** Steps at a rate of 1/λmax until a thousandth of the slowest direction is left, interpolated by its logarithm. */
function stepsNeeded(lab: Lab, condition: number, dimension: number, done: number): Promise<number> {
  const landscape = landscapeOf(quadratic({ dimension, condition }));
  // Along the slowest direction alone; the others would be gone long before.
  const start = new Float32Array(dimension);
  start[0] = 1;
  const reached = (loss: number) => Math.sqrt(2 * condition * loss);
  return using(trainee(lab, landscape, sgd({ lr: 1 }), { start }), async (made) => {
    const stride = Math.ceil(condition / 4);
    for (let step = 0; ; step += stride) {
      const before = reached((await made.objective.gradient())[0]!);
      await makeSteps(made, stride, () => lab.progress(done));
      const after = reached((await made.objective.gradient())[0]!);
      if (after <= left) return step + (stride * Math.log(before / left)) / Math.log(before / after);
    }
  });
}
