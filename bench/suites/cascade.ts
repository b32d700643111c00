// Suite "cascade": logistic maps of many rates side by side, with their Lyapunov exponents, as in the lab's experiment: a step is
// one map step of all rates. Next to it, plain loops on one core, with and without the exponents.
import { createCpuOptimizer, createOptimizer, sgd } from "../../src/index.ts";
import { bytesPerRate, logisticLadder } from "../../src/lab/experiments/logistic_ladder.ts";
import { landscapeOf } from "../../src/objectives/landscapes/define.ts";
import { createCpuObjective, createObjective, initialTensors } from "../../src/training.ts";
import { benchDevice, passRunner, submitPass } from "../device.ts";
import { keeping } from "../engines/keeping.ts";
import { timeKernels } from "../kernels.ts";
import type { Answer, Case, Tier } from "../suite.ts";

const sizes: readonly { readonly count: number; readonly name: string; readonly tier: Tier }[] = [
  { count: 4096, name: "4,096 rates", tier: "quick" },
  { count: 2 ** 17, name: "131,072 rates", tier: "full" },
];

/** Compared map steps: in chaos a difference doubles with each, and these leave float32 four digits. */
const compared = 8;

/** Where all maps start; 0 and 1 would stay put. */
const begin = 0.3;

/** Each rate minus 1: from rest to chaos. */
const ratesOf = (count: number) => Float32Array.from({ length: count }, (_, i) => 1.8 + (1.1999 * i) / (count - 1));

/** The points, then the sums of the logarithms of their derivatives. */
const startOf = (count: number) => Float32Array.from({ length: 2 * count }, (_, i) => (i < count ? begin : 0));

const halves = (all: Float32Array) => [all.slice(0, all.length / 2), all.slice(all.length / 2)];

const programOf = (count: number) => landscapeOf(logisticLadder({ rates: [...ratesOf(count)] }));

const fallline = keeping(async (keep, count: number) => {
  const device = await benchDevice();
  const program = programOf(count);
  const optimizer = keep(await createOptimizer(device, initialTensors(program, startOf(count)), sgd({ lr: 1 })));
  const objective = keep(await createObjective(optimizer, program));
  const encode = (pass: GPUComputePassEncoder) => {
    objective.encode(pass);
    optimizer.encode(pass);
  };
  const run = (steps: number) =>
    submitPass(device, (pass) => {
      for (let i = 0; i < steps; i++) encode(pass);
    });
  const runner = passRunner(device, encode);
  return {
    ...runner,
    note: "a turn's map steps, at most 200, are one submission",
    bytes: count * bytesPerRate,
    async time(steps: number) {
      const started = performance.now();
      run(steps);
      await runner.wait();
      return (performance.now() - started) / steps;
    },
    kernels: () => timeKernels(device, encode, []),
    async answer(): Promise<Answer> {
      run(compared);
      return { numbers: [], values: halves((await optimizer.read()).points!) };
    },
  };
});

/** A loop over float32 arrays; `exponents` decides whether it also sums up the derivatives' logarithms. */
function plain(count: number, exponents: boolean) {
  const rates = ratesOf(count);
  const x = new Float32Array(count).fill(begin);
  const sums = new Float32Array(count);
  const map = () => {
    for (let i = 0; i < count; i++) x[i] = x[i]! - rates[i]! * x[i]! * (x[i]! - 1);
  };
  const mapAndSum = () => {
    for (let i = 0; i < count; i++) {
      const [at, rate] = [x[i]!, rates[i]!];
      sums[i] = sums[i]! + Math.log(Math.abs(1 - rate * (2 * at - 1)));
      x[i] = at - rate * at * (at - 1);
    }
  };
  const step = exponents ? mapAndSum : map;
  return {
    ...(!exponents && { note: "not checked: the maps alone, without their exponents" }),
    step,
    wait: async () => undefined,
    ...(exponents && {
      async answer(): Promise<Answer> {
        for (let i = 0; i < compared; i++) step();
        return { numbers: [], values: [x.slice(), sums.slice()] };
      },
    }),
    destroy() {
      // Only arrays were made, which are garbage-collected.
    },
  };
}

export const cascadeCases: readonly Case[] = sizes.map(
  ({ count, name, tier }): Case => ({
    ...{ suite: "cascade", name, tier, n: count, tensors: 1 },
    async expected() {
      const program = programOf(count);
      const optimizer = createCpuOptimizer(initialTensors(program, startOf(count)), sgd({ lr: 1 }));
      const objective = createCpuObjective(optimizer, program);
      try {
        for (let i = 0; i < compared; i++) {
          await objective.gradient();
          optimizer.step();
        }
        return { numbers: [], values: halves((await optimizer.read()).points!) };
      } finally {
        objective.destroy();
        optimizer.destroy();
      }
    },
    start: () => halves(startOf(count)),
    contenders: [
      { engine: "fallline", load: () => fallline(count) },
      { engine: "plain", load: async () => plain(count, true) },
      { engine: "maps", load: async () => plain(count, false) },
    ],
    ours: "fallline",
    brief: true,
  }),
);
