// A learning rate is a bifurcation parameter. Descent on x³/3 - x²/2 is the logistic map of r = 1 + lr, whose fixed point loses its
// stability to a cycle of 2, that one to cycles of 4, 8, 16 … (May 1976), at rates whose distances shrink by Feigenbaum's 4.669
// (Feigenbaum 1978), until at r = 4 it is chaotic with a Lyapunov exponent of ln 2.
//
// At such a rate the distance to the old cycle falls as n^(-1/2) instead of exponentially, so that between n and 2n
// steps it falls to 0.707 of itself: below the rate to less, above it to more, since the new cycle is there. Thousands of rates
// show where it is exactly that. The Lyapunov exponent is below 0 on both sides and touches 0 at the same rate.
import { Random } from "../../base/random.ts";
import { landscapeOf } from "../../objectives/landscapes/define.ts";
import { sgd } from "../../rules/sgd.ts";
import { labChart } from "../chart.ts";
import { absolute, defineExperiment, type Lab, perCoordinate, relative, whole } from "./experiment.ts";
import { crossing, mean, polynomial } from "./fit.ts";
import { bytesPerRate, logisticLadder } from "./logistic_ladder.ts";
import { makeSteps, trainee, using } from "./steps.ts";

/** Where cycles of 2, 4, 8 and 16 start (Hao 1989), and how far around them rates are tried. */
const onsets = [
  { period: 1, at: 3, reach: 0.02 },
  { period: 2, at: 3.44949, reach: 0.012 },
  { period: 4, at: 3.54409, reach: 0.006 },
  { period: 8, at: 3.564407, reach: 0.003 },
] as const;
const feigenbaum = 4.669202;
/** All rates of the picture. */
const [lowest, highest] = [2.8, 3.9999];
/** Consecutive states that are read. */
const depth = 16;

export const cascade = defineExperiment({
  name: "cascade",
  title:
    "As the rate grows, descent settles, cycles through 2, 4, 8 … values, then turns chaotic, at the rates of the logistic map",
  options: {
    replicas: whole("rates run side by side", 4096, { min: 1024, max: 2 ** 17 }),
    steps: whole("steps to settle, and again to measure", 2000, { min: 1000, max: 100_000 }),
  },
  // Two ladders of two numbers a rate, for twice as many steps.
  cost: ({ replicas, steps }) => perCoordinate * 8 * replicas * steps,
  async run({ replicas, steps, seed }, lab) {
    const random = new Random(seed);
    const grid = Array.from({ length: replicas }, (_, i) => lowest + ((highest - lowest) * i) / (replicas - 1));
    const started = performance.now();
    const whole = await ladder(lab, { rates: grid, steps, random }, 0);
    const perSecond = (2 * steps * replicas) / ((performance.now() - started) / 1000);
    const spacing = grid[1]! - grid[0]!;
    const share = Math.floor(replicas / onsets.length);
    // The first rates with a longer cycle; near its onset a cycle cannot be distinguished from a slow approach to it.
    const windows = onsets.map(({ period, reach }) => {
      const first = whole.findIndex((map) => map.period === undefined || map.period > period);
      const half = Math.max(reach, 2 * spacing);
      return Array.from({ length: share }, (_, i) => grid[first]! + half * ((2 * i) / (share - 1) - 0.8));
    });
    const near = await ladder(lab, { rates: windows.flat(), steps, random }, 0.45);
    const found = onsets.map(({ period }, k) => {
      const maps = near.slice(k * share, (k + 1) * share);
      return { split: splitAt(maps, period), touch: touchAt(maps, period, steps) };
    });
    const chaos = await chaotic(lab, replicas, random);
    const plain = plainSpeed();
    const [r1, r2, r3, r4] = found.map(({ split }) => split) as [number, number, number, number];
    const picked = whole.filter((_, i) => i % Math.ceil(replicas / 120) === 0);
    return {
      claims: [
        ...onsets.map(({ period, at }, k) =>
          absolute(`r from which descent cycles through ${2 * period} values`, found[k]!.split, at, 1e-4),
        ),
        ...onsets
          .slice(0, 3)
          .map(({ period, at }, k) =>
            absolute(`r at which the Lyapunov exponent of cycles of ${period} reaches 0`, found[k]!.touch, at, 1e-4),
          ),
        relative("ratio of the first two intervals, Feigenbaum's δ", (r2 - r1) / (r3 - r2), feigenbaum, 0.02),
        relative("ratio of the next two", (r3 - r2) / (r4 - r3), feigenbaum, 0.01),
        relative("Lyapunov exponent at r = 4, ln 2", chaos, Math.LN2, 0.01),
      ],
      notes: [
        `${speed(perSecond)} map steps a second, exponents included; a plain JavaScript loop makes ${speed(plain)} without them${lab.engine.adapter.software ? ", and is faster where there is no GPU" : ""}`,
        `a step of all rates ${lab.engine.backend === "webgpu" ? "takes 3 dispatches, up to 256 steps a submission, and " : ""}moves about ${bytesPerRate * replicas} bytes`,
      ],
      chart: labChart({
        title: "Values after settling, and the Lyapunov exponent, by r = 1 + lr",
        panels: [
          {
            x: { name: "r" },
            y: { name: "x" },
            curves: [
              {
                name: "settled values",
                style: "dots",
                points: picked.flatMap(({ r, late }) => distinct(late).map((x) => [r, x] as const)),
              },
            ],
            marks: found.map(({ split }, k) => ({ name: `cycle of ${2 * onsets[k]!.period}`, at: split })),
          },
          {
            x: { name: "r" },
            y: { name: "Lyapunov exponent" },
            curves: [{ name: "exponent", points: picked.map(({ r, exponent }) => [r, Math.max(-2, exponent)]) }],
          },
        ],
      }),
    };
  },
});

interface Settled {
  readonly r: number;
  /** Consecutive states, after `steps` and after twice as many. */
  readonly early: readonly number[];
  readonly late: readonly number[];
  /** Mean of ln|derivative| over the second half. */
  readonly exponent: number;
  /** The length of the shortest cycle, at most 16; undefined if there is none. */
  readonly period: number | undefined;
}

interface Ladder {
  readonly rates: readonly number[];
  readonly steps: number;
  readonly random: Random;
}

/** Runs the maps of all rates side by side for twice `steps`. */
function ladder(lab: Lab, { rates, steps, random }: Ladder, done: number): Promise<readonly Settled[]> {
  const n = rates.length;
  const landscape = landscapeOf(logisticLadder({ rates: rates.map((r) => r - 1) }));
  const start = Float32Array.from({ length: 2 * n }, (_, i) =>
    i < n ? ((0.2 + 0.6 * random.uniform()) * rates[i]!) / (rates[i]! - 1) : 0,
  );
  return using(trainee(lab, landscape, sgd({ lr: 1 }), { start }), async (made) => {
    const read = async () => (await made.optimizer.read()).points!;
    const settle = async (from: number) => {
      await makeSteps(made, steps - depth, (step) => lab.progress(done + from + (0.2 * step) / steps));
      const states = [await read()];
      while (states.length <= depth) {
        await makeSteps(made, 1, async () => {});
        states.push(await read());
      }
      return states;
    };
    const [early, late] = [await settle(0), await settle(0.2)];
    return rates.map((r, i) => {
      const orbit = late.map((state) => state[i]!);
      const period = [1, 2, 4, 8, 16].find((p) => orbit.slice(p).every((x, j) => Math.abs(x - orbit[j]!) < 3e-4));
      const exponent = (late[depth]![n + i]! - early[depth]![n + i]!) / steps;
      return { r, early: early.map((state) => state[i]!), late: orbit, exponent, period };
    });
  });
}

/** Where, between two rates, the distance to the cycle of `period` falls to 0.707 of itself while the steps double. */
function splitAt(maps: readonly Settled[], period: number): number {
  const distance = (states: readonly number[]) => {
    let sum = 0;
    for (let i = 0; i < period; i++) sum += (states[i + period]! - states[i]!) ** 2;
    return Math.sqrt(sum);
  };
  const falls = maps.map(({ r, early, late }) => {
    const before = distance(early);
    // Within rounding of the cycle, a state counts as on it.
    return [r, before < 1e-5 ? -20 : Math.log(distance(late) / before) + Math.LN2 / 2] as const;
  });
  const last = falls.findLastIndex(([, fall]) => fall < 0);
  const [[low, below], [high, above]] = [falls[last] ?? falls[0]!, falls[last + 1] ?? falls[falls.length - 1]!];
  return below < -10 ? (low + high) / 2 : low + ((high - low) * below) / (below - above);
}

/**
 * Where the exponent touches 0: e^(period·λ), the size of the cycle's multiplier, rises smoothly to 1 from the left, and
 * that of the doubled cycle falls from 1 to the right. The mean of both estimates.
 */
function touchAt(maps: readonly Settled[], period: number, steps: number): number {
  const top = maps.reduce((best, { exponent }, i) => (exponent > maps[best]!.exponent ? i : best), 0);
  // Nearer to 0 the measurement has not settled.
  const clear = ({ exponent }: Settled) => exponent * steps < -8;
  const end = (side: readonly Settled[], length: number) => {
    const points = side.filter(clear).map(({ r, exponent }) => [r, Math.exp(length * exponent)] as const);
    const near = points.filter(([, size]) => size > 0.6);
    const curve = polynomial(near, 2);
    const reach = maps[maps.length - 1]!.r - maps[0]!.r;
    return crossing((r) => curve(r) - 1, maps[top]!.r - reach / 8, maps[top]!.r + reach / 8);
  };
  return (end(maps.slice(0, top), period) + end(maps.slice(top), 2 * period)) / 2;
}

/** The exponent at r = 4 over starts drawn from its invariant density, for as long as rounding leaves them on the map. */
function chaotic(lab: Lab, count: number, random: Random): Promise<number> {
  const steps = 40;
  const landscape = landscapeOf(logisticLadder({ rates: new Array<number>(count).fill(3) }));
  const start = Float32Array.from({ length: 2 * count }, (_, i) =>
    i < count ? (4 / 3) * Math.sin((Math.PI / 2) * random.uniform()) ** 2 : 0,
  );
  return using(trainee(lab, landscape, sgd({ lr: 1 }), { start }), async (made) => {
    await makeSteps(made, steps, () => lab.progress(0.95));
    const points = (await made.optimizer.read()).points!;
    const stayed = Array.from({ length: count }, (_, i) => i).filter((i) => points[i]! >= 0 && points[i]! <= 4 / 3);
    return mean(stayed.map((i) => points[count + i]! / steps));
  });
}

/** The distinct values of a cycle. */
function distinct(values: readonly number[]): readonly number[] {
  return values.filter((value, i) => values.findIndex((other) => Math.abs(other - value) < 2e-3) === i);
}

/** Map steps a second of a plain loop over rates, in float64. */
function plainSpeed(): number {
  const [rates, steps] = [4096, 500];
  const y = new Float64Array(rates).fill(0.3);
  const started = performance.now();
  for (let step = 0; step < steps; step++) {
    for (let i = 0; i < rates; i++) y[i] = (2.8 + (1.2 * i) / rates) * y[i]! * (1 - y[i]!);
  }
  return (rates * steps) / ((performance.now() - started) / 1000);
}

const speed = (perSecond: number) => `${Number((perSecond / 1e6).toPrecision(3))} million`;
