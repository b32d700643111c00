// The laws that every rule obeys, custom or of the registry. Each returns what is wrong in a sentence, or nothing.

import { FalllineError, show } from "../base/errors.ts";
import { inRange } from "../base/options.ts";
import { Random } from "../base/random.ts";
import { createOptimizer } from "../engines/gpu/optimizer.ts";
import { readParts } from "../engines/gpu/readback.ts";
import { modifiers } from "../modifiers/index.ts";
import { layoutSegments } from "../optimizer/arena.ts";
import { loadCheckpoint, saveCheckpoint } from "../optimizer/checkpoint.ts";
import type { Optimizer, TensorValues } from "../optimizer/optimizer.ts";
import { readConfig } from "../optimizer/read_config.ts";
import type { Rule } from "../rules/rule.ts";
import { linear } from "../schedules/linear.ts";
import { cpuEngine, type Engine } from "../train/engine.ts";
import { awayFromDefault, type Options } from "./option_sets.ts";

/** The subject of a law. */
export interface LawSubject {
  readonly rule: Rule;
  readonly options: Options;
  readonly engine: Engine;
  readonly device: GPUDevice | undefined;
}

export interface Law {
  readonly name: string;
  /** The only engine that it concerns. */
  readonly only?: "webgpu" | "cpu";
  /** What is wrong, if anything is. */
  check(subject: LawSubject): Promise<string | undefined>;
}

/** Whether a law is to be tried under these options on this engine. */
export function applies(law: Law, rule: Rule, options: Options, { backend }: Pick<Engine, "backend">): boolean {
  if (law.only && law.only !== backend) return false;
  if (law === isTwin) return true;
  if (law === converges) return !Object.keys(rule.flags).some((flag) => flag in options);
  // The twin shows the effect of options on the fragment; its kernels do not depend on them, and take long to compile.
  return backend === "cpu" || options.maximize === true;
}

/** The problem, which may be an error: one of ours, or from the rule's own functions. */
export async function problemOf(law: Law, subject: LawSubject): Promise<string | undefined> {
  try {
    return await law.check(subject);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return error instanceof FalllineError ? error.message : `it throws ${error.name}: ${error.message}`;
  }
}

/** Odd sizes, a prime, one just above a chunk, and one of many chunks; matrices of such shapes for rules of matrices alone. */
function problemTensors(rule: Rule, size: "small" | "large" = "small") {
  const shapes = rule.only
    ? [
        [1, 1],
        [16, 5],
        [5, 51],
        [1, 257],
        [47, 33],
      ]
    : [[1], [255], [256], [257], [67, 62], [3, 5, 7], ...(size === "large" ? [[65_537]] : [])];
  return shapes.map((shape, index) => {
    const length = shape.reduce((product, size) => product * size, 1);
    return { name: `t${shape.join("x")}`, shape, data: noise(length, 31 * index) };
  });
}

type Tensors = ReturnType<typeof problemTensors>;

/** The length after which noise repeats; a prime, so that stretches differ in every tensor. */
const period = 4099;

const normals = (() => {
  const random = new Random(42);
  return Float32Array.from({ length: period }, () => random.normal());
})();

/** Normally distributed numbers that repeat after a while: drawing all of them takes longer than a law. */
function noise(length: number, from: number): Float32Array {
  const values = new Float32Array(length);
  let start = from % period;
  for (let end = 0; end < length; start = 0) {
    const stretch = normals.subarray(start, start + length - end);
    values.set(stretch, end);
    end += stretch.length;
  }
  return values;
}

/** Gradients that every law replays. */
function* gradientsOf(tensors: Tensors, seed = 7): Generator<TensorValues> {
  for (let step = seed; ; step++) {
    yield Object.fromEntries(
      tensors.map(({ name, data }, index) => [name, noise(data.length, 977 * step + 57 * index)]),
    );
  }
}

const configOf = ({ rule, options }: LawSubject, more: object = {}) => readConfig({ rule, ...options, ...more });

/** Runs `steps` updates of each optimizer on the given gradients. */
function run(optimizers: readonly Optimizer[], gradients: Iterator<TensorValues>, steps: number): void {
  for (let step = 0; step < steps; step++) {
    const values: TensorValues = gradients.next().value;
    for (const optimizer of optimizers) {
      optimizer.write("gradients", values);
      optimizer.step();
    }
  }
}

/** Every value of some roles, by "role of tensor". */
async function everything(optimizer: Optimizer, replica = 0): Promise<Map<string, Float32Array>> {
  const values = new Map<string, Float32Array>();
  for (const role of ["params", ...optimizer.slots]) {
    for (const [name, data] of Object.entries(await optimizer.read(role, { replica })))
      values.set(`${role} of ${name}`, data);
  }
  return values;
}

/** The first difference in any bit, as a sentence. */
function difference(ours: Map<string, Float32Array>, theirs: Map<string, Float32Array>, what: string) {
  for (const [key, values] of ours) {
    const others = theirs.get(key);
    if (!others) return `${what}: there is no ${key}`;
    const [a, b] = [
      new Uint32Array(values.buffer, values.byteOffset),
      new Uint32Array(others.buffer, others.byteOffset),
    ];
    const at = a.findIndex((bits, i) => bits !== b[i]);
    if (at >= 0) return `${what}: ${key} is ${values[at]} at ${at} and should be ${others[at]}`;
  }
  return undefined;
}

async function using<T>(optimizers: readonly Optimizer[], work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } finally {
    for (const optimizer of optimizers) optimizer.destroy();
  }
}

/**
 * The first role and tensor in which the GPU is further from the twin than `tolerance` (relative above 1), as a sentence.
 * Up to `turns` elements of each tensor may be: if an update depends on a sign, rounding may flip one in many millions.
 */
async function distance(
  gpu: Optimizer,
  cpu: Optimizer,
  tolerance: number,
  turns: (length: number) => number,
): Promise<string | undefined> {
  const theirs = await everything(cpu);
  for (const [key, values] of await everything(gpu)) {
    const wanted = theirs.get(key)!;
    const off = (value: number, i: number) =>
      !(Math.abs(value - wanted[i]!) <= tolerance * Math.max(1, Math.abs(wanted[i]!)));
    const wrong = values.reduce((count, value, i) => count + Number(off(value, i)), 0);
    if (wrong <= turns(values.length)) continue;
    const at = values.findIndex(off);
    return `${key} is ${values[at]} at ${at} on the GPU and ${wanted[at]} by the twin (${wrong} of ${values.length} are off)`;
  }
  return undefined;
}

const isTwin: Law = {
  name: "the GPU matches the twin after 1 step and after many, in two groups",
  only: "webgpu",
  async check(subject) {
    // The large tensor is slow on the twin: few steps, and only if nothing but the rate is away from its default.
    const large = Object.keys(subject.options).length === 1;
    const more = large ? 2 : 49;
    const tensors = problemTensors(subject.rule, large ? "large" : "small");
    const groups = [{ params: [tensors[3]!.name], lr: 0.003 }];
    const config = configOf(subject, { groups, clip: { type: "globalNorm", maxNorm: 100 } });
    const [gpu, cpu] = [await subject.engine.optimizer(tensors, config), await cpuEngine().optimizer(tensors, config)];
    const turns = (length: number) => (subject.rule.goesBySign ? length / 20_000 : 0);
    return using([gpu, cpu], async () => {
      const gradients = gradientsOf(tensors);
      for (const [steps, tolerance] of [
        // float32 drifts from float64 by about 3e-7 a step at first, 1.3e-5 in 100 (torch's as well as ours).
        [1, 1e-6],
        [more, 2e-5],
      ] as const) {
        run([gpu, cpu], gradients, steps);
        const problem = await distance(gpu, cpu, tolerance, turns);
        if (problem) return `after ${steps === 1 ? 1 : more + 1} steps ${problem}`;
      }
      return undefined;
    });
  },
};

/** Every modifier that goes with a rule, away from its defaults; of those that share a key, the last. */
function everyModifier(rule: Rule, tensors: Tensors): Record<string, unknown> {
  const segments = layoutSegments(tensors);
  const fitting = modifiers.flatMap((modifier) => {
    const { key, type, law } = modifier;
    if (law === undefined) return [];
    const value = type === undefined ? law : { type, ...(law as object) };
    const active = modifier.activate(key, value);
    return active && modifier.refusal(active, { rules: [rule], segments, skips: true }) === undefined
      ? [[key, value]]
      : [];
  });
  return Object.fromEntries(fitting);
}

const isTwinInside: Law = {
  name: "the GPU matches the twin with every modifier: clipping, caution, averages, accumulation …",
  only: "webgpu",
  async check(subject) {
    const tensors = problemTensors(subject.rule);
    const config = configOf(subject, everyModifier(subject.rule, tensors));
    const [gpu, cpu] = [await subject.engine.optimizer(tensors, config), await cpuEngine().optimizer(tensors, config)];
    return using([gpu, cpu], async () => {
      run([gpu, cpu], gradientsOf(tensors), 6);
      // Caution depends on a sign, whatever the rule does.
      const problem = await distance(gpu, cpu, 5e-6, (length) => (length > 1000 ? 1 : 0));
      return problem && `after 3 updates ${problem}`;
    });
  },
};

const countsSmallSteps: Law = {
  name: "steps too small to change a parameter count for caution and layer statistics",
  only: "webgpu",
  async check(subject) {
    const { rule, engine } = subject;
    const tensors = problemTensors(rule);
    const decay = "weightDecay" in rule.hypers ? { weightDecay: 0 } : {};
    // Every modifier, to reuse the kernels of the law before.
    const config = configOf(subject, { ...everyModifier(rule, tensors), lr: 1e-9, ...decay });
    const [gpu, cpu] = [await engine.optimizer(tensors, config), await cpuEngine().optimizer(tensors, config)];
    return using([gpu, cpu], async () => {
      run([gpu, cpu], gradientsOf(tensors), 6);
      const theirs = await cpu.layers();
      for (const [index, { name, updateNorm }] of (await gpu.layers()).entries()) {
        const wanted = theirs[index]!.updateNorm;
        if (Math.abs(updateNorm - wanted) <= 0.01 * wanted) continue;
        return `after 3 updates at a rate of 1e-9 the update of ${name} is ${updateNorm} long on the GPU and ${wanted} by the twin`;
      }
      return undefined;
    });
  },
};

const groupsDoNotLeak: Law = {
  name: "a group's hypers do not leak into another group",
  async check(subject) {
    const { rule, options, engine } = subject;
    // Sums over all tensors couple the groups on purpose.
    if (rule.reduction?.scope === "all") return undefined;
    const data = noise(300, 5);
    const gradient = noise(300, 1234);
    const tensors = ["a", "b", "c"].map((name) => ({ name, shape: [20, 15], data }));
    const other = otherValues(rule, options);
    const apart = await engine.optimizer(tensors, configOf(subject, { groups: [{ params: "b", ...other }] }));
    const alone = await engine.optimizer([tensors[0]!], configOf(subject));
    const changed = await engine.optimizer([tensors[1]!], configOf(subject, other));
    return using([apart, alone, changed], async () => {
      for (let step = 0; step < 3; step++) {
        apart.write("gradients", { a: gradient, b: gradient, c: gradient });
        alone.write("gradients", { a: gradient });
        changed.write("gradients", { b: gradient });
        for (const optimizer of [apart, alone, changed]) optimizer.step();
      }
      const { a, b, c } = await apart.read();
      const one = (values: Float32Array | undefined) => new Map([["it", values!]]);
      const what = `a group with ${show(other)} beside one without`;
      return (
        difference(one(a), one((await alone.read()).a), `${what} changes that one`) ??
        difference(one(c), one(a), `${what} changes the one after it`) ??
        difference(one(b), one((await changed.read()).b), `${what} is not what it is alone`)
      );
    });
  },
};

const replicasDoNotLeak: Law = {
  name: "a replica equals the same run alone, to the bit",
  async check(subject) {
    const { rule, options, engine } = subject;
    const tensors = problemTensors(rule);
    const replicas = [{}, { ...otherValues(rule, options), lr: 0.003 }];
    const clip = { type: "globalNorm", maxNorm: 60 };
    const together = await engine.optimizer(tensors, configOf(subject, { clip, replicas }));
    const alone = await Promise.all(
      replicas.map((hypers) => engine.optimizer(tensors, configOf(subject, { clip, ...hypers }))),
    );
    return using([together, ...alone], async () => {
      const gradients = replicas.map((_, r) => gradientsOf(tensors, 100 + r));
      for (let step = 0; step < 4; step++) {
        replicas.forEach((_, r) => {
          const values: TensorValues = gradients[r]!.next().value;
          // One skips and the others do not.
          if (step === 1 && r === 1) values[tensors[0]!.name]![0] = Number.NaN;
          together.write("gradients", values, { replica: r });
          alone[r]!.write("gradients", values);
          alone[r]!.step();
        });
        together.step();
      }
      for (const [r, one] of alone.entries()) {
        const wrong = difference(await everything(one), await everything(together, r), `alone and as replica ${r}`);
        if (wrong) return wrong;
        const [stats, wanted] = [await together.stats({ replica: r }), await one.stats()];
        if (show(stats) !== show(wanted)) return `replica ${r} reports ${show(stats)}, and alone ${show(wanted)}`;
      }
      return undefined;
    });
  },
};

const zerosStayZeros: Law = {
  name: "zeros stay zeros, padding included",
  async check(subject) {
    const { rule, engine, device } = subject;
    const tensors = [
      { name: "a", shape: [7, 11] },
      { name: "b", shape: [5, 1] },
    ];
    const optimizer = await engine.optimizer(tensors, configOf(subject));
    return using([optimizer], async () => {
      for (let step = 0; step < 3; step++) optimizer.step();
      // Moments that start away from 0 may move a parameter by themselves.
      const moves = Object.values(rule.starts ?? {}).some((start) => start !== "p");
      for (const [key, values] of await everything(optimizer)) {
        const at = values.findIndex(
          (value) => !Number.isFinite(value) || (value !== 0 && key.startsWith("params") && !moves),
        );
        if (at >= 0) return `${key} is ${values[at]} at ${at} after steps on zeros`;
      }
      if (optimizer.backend !== "webgpu" || !device) return undefined;
      const { params } = optimizer as unknown as { params: GPUBuffer };
      const [bytes] = await readParts(device, [{ buffer: params, offset: 0, bytes: params.size }]);
      const arena = new Float32Array(bytes!);
      for (const { offset, length } of optimizer.segments) arena.fill(0, offset, offset + length);
      const at = arena.findIndex((value) => value !== 0);
      return at >= 0 ? `the padding at ${at} is ${arena[at]} after steps on zeros` : undefined;
    });
  },
};

const skipsChangeNothing: Law = {
  name: "a gradient that is not finite changes nothing but the count",
  async check(subject) {
    const tensors = problemTensors(subject.rule);
    const optimizer = await subject.engine.optimizer(tensors, configOf(subject, { skipNonFinite: true }));
    return using([optimizer], async () => {
      const gradients = gradientsOf(tensors);
      run([optimizer], gradients, 1);
      const before = await everything(optimizer);
      let skipped = 0;
      const { name, data } = tensors[tensors.length - 1]!;
      for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
        const gradient = new Float32Array(data.length).fill(1);
        // Kernels load the elements behind the last whole four apart.
        gradient[data.length - 1] = bad;
        optimizer.write("gradients", { [name]: gradient });
        optimizer.step();
        skipped++;
        const stats = await optimizer.stats();
        if (stats.skipped !== skipped || stats.step !== 1) return `after a gradient with ${bad}: ${show(stats)}`;
        const wrong = difference(await everything(optimizer), before, `after a gradient with ${bad}`);
        if (wrong) return wrong;
      }
      run([optimizer], gradients, 1);
      const { step } = await optimizer.stats();
      return step === 2 ? undefined : `the step after the skipped ones is ${step}; it should be 2`;
    });
  },
};

const keepsNotANumber: Law = {
  name: "a gradient that is not finite makes the same NaNs on the GPU and in the twin",
  only: "webgpu",
  async check(subject) {
    const tensors = problemTensors(subject.rule);
    const config = configOf(subject, { skipNonFinite: false });
    const { name, data } = tensors.find(({ data: { length } }) => length > 1)!;
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      const [gpu, cpu] = [
        await subject.engine.optimizer(tensors, config),
        await cpuEngine().optimizer(tensors, config),
      ];
      const problem = await using([gpu, cpu], async () => {
        const gradients = gradientsOf(tensors);
        run([gpu, cpu], gradients, 1);
        const values: TensorValues = gradients.next().value;
        const spoiled = values[name]!.slice();
        spoiled[data.length - 1] = bad;
        run([gpu, cpu], [{ ...values, [name]: spoiled }][Symbol.iterator](), 1);
        run([gpu, cpu], gradients, 1);
        const theirs = await everything(cpu);
        for (const [key, found] of await everything(gpu)) {
          const wanted = theirs.get(key)!;
          const at = found.findIndex((value, i) => Number.isNaN(value) !== Number.isNaN(wanted[i]));
          if (at >= 0) {
            return `after a gradient with ${bad} ${key} is ${found[at]} at ${at} on the GPU and ${wanted[at]} by the twin`;
          }
        }
        return undefined;
      });
      if (problem) return problem;
    }
    return undefined;
  },
};

const fades: Law = {
  name: "when gradients stop, the GPU still matches the twin, and slots whose sign is used fade to 0",
  only: "webgpu",
  async check(subject) {
    const { rule, engine } = subject;
    const tensors = problemTensors(rule);
    const config = configOf(subject);
    const [one, twin] = [await engine.optimizer(tensors, config), await cpuEngine().optimizer(tensors, config)];
    return using([one, twin], async () => {
      const tiny = ({ data }: Tensors[number]) => data.map((value) => 2 ** -118 * value);
      run([one, twin], [Object.fromEntries(tensors.map((each) => [each.name, tiny(each)]))].values(), 1);
      const still = Object.fromEntries(tensors.map(({ name, data }) => [name, new Float32Array(data.length)]));
      run([one, twin], Array(20).fill(still).values(), 20);
      for (const optimizer of rule.goesBySign ? [one, twin] : []) {
        for (const [key, values] of await everything(optimizer)) {
          const at = values.findIndex((value) => value !== 0 && Math.abs(value) < 2 ** -126);
          if (at < 0 || key.startsWith("params")) continue;
          return `${key} is ${values[at]} at ${at} on the ${optimizer.backend} engine and should be 0`;
        }
      }
      // Squares in the sums of a reduction may overflow float32.
      const problem = rule.reduction ? undefined : await distance(one, twin, 2e-5, () => 0);
      return problem && `after a gradient of 2^-118 and 20 steps without one ${problem}`;
    });
  },
};

const resumes: Law = {
  name: "saved, loaded and continued, a run is the same to the bit",
  async check(subject) {
    const { rule, engine } = subject;
    const tensors = problemTensors(rule);
    const config = configOf(subject, { lr: (step: number) => 0.01 / (1 + step) });
    const empty = tensors.map(({ name, shape }) => ({ name, shape }));
    const [whole, first, second] = await Promise.all([
      engine.optimizer(tensors, config),
      engine.optimizer(tensors, config),
      engine.optimizer(empty, config),
    ]);
    return using([whole, first, second], async () => {
      run([whole], gradientsOf(tensors), 6);
      const gradients = gradientsOf(tensors);
      run([first], gradients, 3);
      await loadCheckpoint(second, await saveCheckpoint(first));
      run([second], gradients, 3);
      return difference(await everything(second), await everything(whole), "after saving and loading");
    });
  },
};

const converges: Law = {
  name: "it converges on a parabola and on Rosenbrock",
  only: "cpu",
  async check(subject) {
    const { rule, options, engine } = subject;
    const sign = options.maximize === true ? -1 : 1;
    const descend = async (
      start: number[],
      gradient: (x: number, y: number) => number[],
      steps: number,
      peak: number,
    ) => {
      // Down to zero, since rules that use the sign cannot settle otherwise; without decay, which moves the minimum.
      const decay = "weightDecay" in rule.hypers ? { weightDecay: 0 } : {};
      const config = configOf(subject, { lr: linear({ start: peak, end: 0, steps }), ...decay });
      const optimizer = await engine.optimizer([{ name: "x", shape: [2, 1], data: start }], config);
      return using([optimizer], async () => {
        for (let step = 0; step < steps; step++) {
          const [x, y] = (await optimizer.read()).x as unknown as [number, number];
          optimizer.write("gradients", { x: gradient(x, y).map((g) => sign * g) });
          optimizer.step();
        }
        return (await optimizer.read("evaluation")).x as unknown as [number, number];
      });
    };
    const value = (x: number, y: number) => (1 - x) ** 2 + 100 * (y - x * x) ** 2;
    let [parabola, rosenbrock] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
    for (const peak of [0.05, 0.02, 1, 0.3, 0.003, 1e-3, 3, 10, 100]) {
      if (!(parabola < 0.02)) {
        const [x, y] = await descend([3, -2], (x, y) => [2 * (x - 1), 6 * (y + 0.5)], 300, peak);
        parabola = Math.min(parabola, finite(Math.hypot(x - 1, y + 0.5)));
      }
      if (!(rosenbrock < 1)) {
        const slope = (x: number, y: number) => [-2 * (1 - x) - 400 * x * (y - x * x), 200 * (y - x * x)];
        rosenbrock = Math.min(rosenbrock, finite(value(...(await descend([-1, 1], slope, 1600, peak)))));
      }
    }
    if (!(parabola < 0.02)) return `at its best rate it ends ${parabola} from the minimum of a parabola`;
    if (!(rosenbrock < 1)) return `at its best rate it takes Rosenbrock from 4 only to ${rosenbrock}`;
    return undefined;
  },
};

const finite = (value: number) => (Number.isFinite(value) ? value : Number.POSITIVE_INFINITY);

const createsNothing: Law = {
  name: "steps and changed hypers create nothing, and destroy leaves nothing behind",
  only: "webgpu",
  async check(subject) {
    const { rule, options, device } = subject;
    if (!device) return undefined;
    const tensors = problemTensors(rule);
    const made: string[] = [];
    const alive = new Set<GPUBuffer>();
    const watched = ["createBuffer", "createBindGroup", "createComputePipelineAsync", "createShaderModule"] as const;
    for (const method of watched) {
      const original = device[method].bind(device) as (descriptor: never) => unknown;
      Object.defineProperty(device, method, {
        configurable: true,
        value: (descriptor: never) => {
          const result = original(descriptor);
          made.push(method);
          if (method === "createBuffer") watchBuffer(result as GPUBuffer, alive);
          return result;
        },
      });
    }
    try {
      const optimizer = await createOptimizer(device, tensors, configOf(subject));
      optimizer.step();
      made.length = 0;
      optimizer.step();
      const { lr } = options;
      optimizer.set({ lr: (lr as number) / 2 });
      optimizer.step();
      const unwanted = made.join(", ");
      optimizer.destroy();
      if (unwanted) return `a step or set made ${unwanted}`;
      return alive.size > 0 ? `destroy left ${alive.size} buffers behind` : undefined;
    } finally {
      for (const method of watched) Reflect.deleteProperty(device, method);
    }
  },
};

function watchBuffer(buffer: GPUBuffer, alive: Set<GPUBuffer>): void {
  alive.add(buffer);
  const destroy = buffer.destroy.bind(buffer);
  Object.defineProperty(buffer, "destroy", {
    value: () => {
      alive.delete(buffer);
      destroy();
    },
  });
}

/** Every law, in the order in which they are run. */
export const laws: readonly Law[] = [
  isTwin,
  isTwinInside,
  countsSmallSteps,
  groupsDoNotLeak,
  replicasDoNotLeak,
  zerosStayZeros,
  skipsChangeNothing,
  keepsNotANumber,
  fades,
  resumes,
  converges,
  createsNothing,
];

/** Other values for all hypers together, as far as the rule accepts them with these options. */
function otherValues(rule: Rule, options: Options): Record<string, number> {
  const flags = Object.fromEntries(
    Object.entries(rule.flags).map(([flag, standard]) => [flag, flag in options ? options[flag] === true : standard]),
  );
  const values: Record<string, number> = {};
  const inUse = (hyper: string) =>
    values[hyper] ?? (options[hyper] as number | undefined) ?? rule.hypers[hyper]!.default;
  for (const [hyper, { range }] of Object.entries(rule.hypers)) {
    const current = inUse(hyper);
    const other = current === 0 ? awayFromDefault(rule, hyper) : range.integer ? current + 1 : current / 2;
    if (!inRange(other, range)) continue;
    values[hyper] = other;
    if (rule.conflict?.(flags, (name) => inUse(name) !== 0)) delete values[hyper];
  }
  return values;
}
