// Rates above the speed limit of a well throw descent out of it: cyclic rates (Smith 2017) and warm restarts (Loshchilov and Hutter
// 2017) kick repeatedly, and in as many steps end in deeper wells than rates that only fall from where descent is
// stable. A little noise in the slopes keeps walkers apart: without it, walkers that rounding has brought to the same place stay
// together and are no longer independent. The height of the peaks does it: a single fall from the same peak kicks as well.
import { Random } from "../../base/random.ts";
import type { Landscape } from "../../objectives/landscapes/define.ts";
import { landscapeOf } from "../../objectives/landscapes/define.ts";
import { sgd } from "../../rules/sgd.ts";
import { cosine } from "../../schedules/cosine.ts";
import { cosineRestarts } from "../../schedules/cosine_restarts.ts";
import { cyclic } from "../../schedules/cyclic.ts";
import { exponential } from "../../schedules/exponential.ts";
import { linear } from "../../schedules/linear.ts";
import { labChart } from "../chart.ts";
import { atLeast, type Claim, defineExperiment, type Lab, number, perCoordinate, whole } from "./experiment.ts";
import { roughBowl } from "./rough_bowl.ts";
import { makeSteps, trainee, using } from "./steps.ts";

/** The box in which walkers start, and the share of the speed limit at which falling rates start. */
const [box, stable] = [5.12, 0.9];
/** The deviation of the noise in slopes, which are at least ten times as large. */
const noise = 0.1;
/** The quantile of a normal distribution for intervals of 95 %. */
const z = 1.959964;

export const kicks = defineExperiment({
  name: "kicks",
  title:
    "On rugged ground, cyclic rates and warm restarts with peaks above the speed limit end lower than rates that fall from below it",
  options: {
    peak: number("peak rate, as a multiple of the speed limit 2/λ of the steepest well", 4, { min: 4, max: 5 }),
    cycles: whole("number of cycles, and of restarts", 4, { min: 2, max: 4 }),
    steps: whole("steps of every schedule", 400, { min: 400, max: 4000 }),
    replicas: whole("walkers per schedule", 10_000, { min: 1000, max: 2 ** 20 }),
  },
  // Six schedules on both landscapes.
  cost: ({ steps, replicas }) => perCoordinate * 12 * steps * replicas,
  async run({ peak, cycles, steps, replicas, seed }, lab) {
    const ground = (options: { readonly amplitude: number; readonly second: number }) =>
      landscapeOf(roughBowl({ dimension: replicas, noise, seed, ...options }));
    const grounds = [
      { name: "Rastrigin", landscape: ground({ amplitude: 2, second: 0 }), deep: 0.5 },
      { name: "rough bowl", landscape: ground({ amplitude: 3, second: 0.5 }), deep: 3.1 },
    ];
    const claims: Claim[] = [];
    const notes: string[] = [];
    const panels = [];
    for (const [nth, { name, landscape, deep }] of grounds.entries()) {
      const limit = 2 / landscape.curvature(new Float64Array(replicas), 0, 0);
      const runs = schedulesOf(peak * limit, stable * limit, steps, cycles);
      const { means, ends } = await descend(lab, landscape, { runs, steps, seed }, nth / grounds.length);
      const found = runs.map((run, i) => {
        const hits = ends[i]!.reduce((sum, _, k) => sum + Number(landscape.term(ends[i]!, k) < deep), 0);
        return { ...run, rate: hits / replicas, interval: wilson(hits, replicas) };
      });
      const falling = found.filter(({ kind }) => kind === "falling");
      const best = Math.max(...falling.map(({ interval }) => interval[1]));
      for (const { title, interval } of found.filter(({ kind }) => kind === "kicking")) {
        claims.push(
          atLeast(
            `${name}, ${title}: success rate's lower bound, above every falling schedule's upper bound`,
            interval[0],
            best,
          ),
        );
      }
      notes.push(
        `${name}, ending below ${deep}: ${found.map(({ title, rate, interval: [low, high] }) => `${title} ${percent(rate)} (${percent(low)} to ${percent(high)})`).join(", ")}`,
      );
      panels.push({
        x: { name: "step" },
        y: { name: `${name}: mean loss` },
        curves: found.map(({ title, kind }, i) => ({
          name: title,
          style: kind === "falling" ? ("dashed" as const) : ("line" as const),
          points: means.map((at) => [at.step, at.losses[i]!] as const),
        })),
      });
    }
    return { claims, notes, chart: labChart({ title: "Mean loss of walkers on rugged ground, by schedule", panels }) };
  },
});

function schedulesOf(peak: number, from: number, steps: number, cycles: number) {
  const period = Math.ceil(steps / cycles);
  const half = Math.ceil(period / 2);
  return [
    { title: "cosine", kind: "falling", lr: cosine({ base: from, steps }) },
    { title: "linear", kind: "falling", lr: linear({ start: from, end: 0, steps }) },
    { title: "exponential", kind: "falling", lr: exponential({ base: from, gamma: 1e-3 ** (1 / steps) }) },
    { title: "warm restarts", kind: "kicking", lr: cosineRestarts({ base: peak, period }) },
    { title: "cyclic", kind: "kicking", lr: cyclic({ base: peak / 100, max: peak, up: half, down: period - half }) },
    { title: "cosine from the same peak", kind: "beside", lr: cosine({ base: peak, steps }) },
  ] as const;
}

interface Descent {
  readonly runs: ReturnType<typeof schedulesOf>;
  readonly steps: number;
  readonly seed: number;
}

/** All schedules side by side from the same starts: mean losses along the way, and where the walkers end. */
function descend(lab: Lab, landscape: Landscape, { runs, steps, seed }: Descent, done: number) {
  const random = new Random(seed);
  const start = Float32Array.from({ length: landscape.dimension }, () => box * (2 * random.uniform() - 1));
  const stride = Math.ceil(steps / 60);
  return using(trainee(lab, landscape, sgd({ replicas: runs.map(({ lr }) => ({ lr })) }), { start }), async (made) => {
    const means: { step: number; losses: readonly number[] }[] = [];
    for (let step = 0; step < steps; step += stride) {
      const losses = await made.objective.gradient();
      means.push({ step, losses: losses.map((loss) => loss / landscape.dimension) });
      const some = Math.min(stride, steps - step);
      await makeSteps(made, some, () => lab.progress(done + step / (2 * steps)));
    }
    const ends: Float32Array[] = [];
    for (const replica of runs.keys()) ends.push((await made.optimizer.read("params", { replica })).points!);
    return { means, ends };
  });
}

/** A 95 % interval for a share (Wilson 1927). */
function wilson(hits: number, count: number): readonly [low: number, high: number] {
  const share = hits / count;
  const middle = (share + z ** 2 / (2 * count)) / (1 + z ** 2 / count);
  const half = (z / (1 + z ** 2 / count)) * Math.sqrt((share * (1 - share)) / count + z ** 2 / (4 * count ** 2));
  return [middle - half, middle + half];
}

const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
