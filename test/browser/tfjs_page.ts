// What the tests of `fallline/tfjs` run in a page, where TensorFlow.js has its WebGPU backend: each function gives plain numbers.
import "@tensorflow/tfjs-backend-webgpu";
import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-core/dist/register_all_gradients";
import { adam, adamw, createCpuOptimizer, type ModifierConfig, modifiers, schedules } from "../../src/index.ts";
import { createTfOptimizer } from "../../src/tfjs.ts";
import { complaints, hostile } from "../hostile.ts";

await tf.setBackend("webgpu");

const numbers = (count: number, seed: number) => Float32Array.from({ length: count }, (_, i) => Math.sin(seed + 3 * i));
const difference = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Math.max(...Array.from(a, (value, i) => Math.abs(value - b[i]!)));

/** A kernel and a bias, by names that are not given twice. */
let made = 0;
function variables(): [tf.Variable<tf.Rank.R2>, tf.Variable<tf.Rank.R1>] {
  const prefix = `layer${made++}`;
  return tf.tidy(() => [
    tf.variable(tf.tensor2d(numbers(35, 1), [5, 7]), true, `${prefix}/kernel`),
    tf.variable(tf.tensor1d(numbers(7, 2)), true, `${prefix}/bias`),
  ]);
}

const x = tf.tensor2d(numbers(60, 3), [12, 5]);
const y = tf.tensor2d(numbers(84, 4), [12, 7]);
const lossOf = (w: tf.Variable<tf.Rank.R2>, b: tf.Variable<tf.Rank.R1>) => () =>
  tf.losses.meanSquaredError(y, tf.relu(tf.add(tf.matMul(x, w), b))) as tf.Scalar;

/** Adam beside TensorFlow.js' own, by minimize: the largest difference after some steps, and what each kept. */
export async function besideAdam() {
  const ours = variables();
  const theirs = variables();
  const optimizer = await createTfOptimizer(tf, ours, adam({ lr: 0.01, eps: 1e-7 }));
  const adamOfTf = tf.train.adam(0.01, 0.9, 0.999, 1e-7);
  const losses: number[] = [];
  for (let step = 0; step < 12; step++) {
    const cost = optimizer.minimize(lossOf(...ours), true, ours)!;
    losses.push((await cost.data())[0]!);
    cost.dispose();
    adamOfTf.minimize(lossOf(...theirs), false, theirs);
  }
  const off = [0, 1].map((i) => Promise.all([ours[i]!.data(), theirs[i]!.data()]).then(([a, b]) => difference(a, b)));
  const found = { losses, off: await Promise.all(off), iterations: optimizer.iterations };
  optimizer.dispose();
  adamOfTf.dispose();
  tf.dispose([...ours, ...theirs]);
  return found;
}

/** Groups, a schedule, clipping and accumulation with given gradients: the largest difference from the CPU reference. */
export async function besideReference() {
  const [w, b] = variables();
  const list: ModifierConfig[] = [modifiers.clipGlobalNorm({ maxNorm: 0.5 }), modifiers.accumulate(2)];
  const lr = schedules.cosine({ base: 0.1, steps: 10 });
  const config = adamw({ lr, weightDecay: 0.1, groups: [{ params: "*/bias", weightDecay: 0 }], modifiers: list });
  const optimizer = await createTfOptimizer(tf, [w, b], config);
  const tensors = [w, b].map(({ name, shape }, i) => ({ name, shape, data: numbers(i ? 7 : 35, i + 1) }));
  const reference = createCpuOptimizer(tensors, config);
  for (let step = 0; step < 8; step++) {
    const bias = step < 6 ? numbers(7, 20 + step) : new Float32Array(7);
    const gradients = { [w.name]: numbers(35, 10 + step), [b.name]: bias };
    reference.write("gradients", gradients);
    reference.step();
    tf.tidy(() => {
      const tensor = tf.tensor2d(gradients[w.name]!.slice(), [5, 7]);
      // The last steps have none for the bias, which is one of zero.
      if (step < 6) optimizer.applyGradients({ [w.name]: tensor, [b.name]: tf.tensor1d(bias.slice()) });
      else optimizer.applyGradients([{ name: w.name, tensor }]);
    });
  }
  const expected = await reference.read();
  const off = await Promise.all([w, b].map(async (each) => difference(await each.data(), expected[each.name]!)));
  const found = { off: Math.max(...off), step: (await optimizer.optimizer.stats()).step };
  optimizer.dispose();
  tf.dispose([w, b]);
  return found;
}

/** What TensorFlow.js holds before, after the creation, after steps and after dispose; and dispatches a step of either. */
export async function memoryAndDispatches() {
  const held = () => {
    const { numTensors, numDataBuffers, numBytes } = tf.memory();
    return [numTensors, numDataBuffers, numBytes];
  };
  const vars = variables();
  const before = held();
  const optimizer = await createTfOptimizer(tf, vars, adamw());
  const minimize = (by: tf.Optimizer) => by.minimize(lossOf(...vars), false, vars);
  const created = held();
  for (let step = 0; step < 3; step++) minimize(optimizer);
  const stepped = held();
  let dispatches = 0;
  const { prototype } = GPUComputePassEncoder;
  const original = prototype.dispatchWorkgroups;
  prototype.dispatchWorkgroups = function (...args) {
    dispatches++;
    return original.apply(this, args);
  };
  const { value, grads } = optimizer.computeGradients(lossOf(...vars), vars);
  const counted = (by: tf.Optimizer) => {
    dispatches = 0;
    by.applyGradients(grads);
    return dispatches;
  };
  const ours = counted(optimizer);
  const adamOfTf = tf.train.adam();
  counted(adamOfTf);
  const theirs = counted(adamOfTf);
  prototype.dispatchWorkgroups = original;
  adamOfTf.dispose();
  tf.dispose([value, grads]);
  optimizer.dispose();
  const disposed = held();
  optimizer.dispose();
  await vars[0].data();
  tf.dispose(vars);
  return { before, created, stepped, disposed, ours, theirs };
}

/** Tensors that share a variable's data, variables that are assigned, and values that were read before. */
export async function sharing() {
  const [w, b] = variables();
  const optimizer = await createTfOptimizer(tf, [w, b], adam({ lr: 0.5 }));
  const apply = () => tf.tidy(() => optimizer.applyGradients({ [w.name]: tf.ones([5, 7]), [b.name]: tf.ones([7]) }));
  const first = (tensor: tf.Tensor) => tensor.data().then((values) => values[0]!);
  const start = await first(w);
  const clone = w.clone();
  const view = tf.reshape(w, [35]);
  apply();
  const afterOne = { w: await first(w), clone: await first(clone), view: await first(view) };
  tf.dispose([clone, view]);
  w.assign(tf.tidy(() => tf.fill([5, 7], 9)) as tf.Tensor2D);
  const assigned = await first(w);
  apply();
  const afterTwo = await first(w);
  const read = (await optimizer.optimizer.read())[w.name]![0];
  optimizer.dispose();
  const afterDispose = await first(w);
  tf.dispose([w, b]);
  return { start, afterOne, assigned, afterTwo, read, afterDispose };
}

/** What each wrong call says. */
export async function refusals() {
  const [w, b] = variables();
  const optimizer = await createTfOptimizer(tf, [w], adam());
  const said = async (call: () => unknown) => {
    try {
      await call();
      return "nothing";
    } catch (error) {
      return `${(error as Error).name}: ${(error as Error).message}`;
    }
  };
  const whole = tf.tidy(() => tf.variable(tf.tensor1d([1, 2], "int32")));
  const wrong: Readonly<Record<string, () => unknown>> = {
    none: () => createTfOptimizer(tf, [], adam()),
    number: () => createTfOptimizer(tf, [3 as unknown as tf.Variable], adam()),
    int32: () => createTfOptimizer(tf, [whole], adam()),
    replicas: () => createTfOptimizer(tf, [w], adam({ replicas: [{ lr: 1 }] })),
    library: () => createTfOptimizer({} as typeof tf, [w], adam()),
    stranger: () => optimizer.applyGradients({ [b.name]: b }),
    shape: () => optimizer.applyGradients({ [w.name]: b }),
  };
  const found: Record<string, string> = {};
  for (const [name, call] of Object.entries(wrong)) found[name] = await said(call);
  optimizer.dispose();
  found.disposed = await said(() => optimizer.applyGradients({ [w.name]: w }));
  tf.dispose([w, b, whole]);
  return found;
}

/** What is said of arguments of every kind, wherever there is one, but for errors of ours. */
export async function hostileComplaints() {
  const [w, b] = variables();
  const optimizer = await createTfOptimizer(tf, [w], adam());
  const create = async (...given: readonly unknown[]) => {
    const made = await createTfOptimizer(...(given as unknown as Parameters<typeof createTfOptimizer>));
    made.dispose();
  };
  const apply = (given: unknown) => optimizer.applyGradients(given as tf.NamedTensorMap);
  const calls = hostile.map((value) => [value] as const);
  const found = [
    ...(await complaints(
      "createTfOptimizer",
      create,
      calls.map(([value]) => [value, [w], adam()]),
    )),
    ...(await complaints(
      "createTfOptimizer",
      create,
      calls.map(([value]) => [tf, value, adam()]),
    )),
    ...(await complaints(
      "createTfOptimizer",
      create,
      calls.map(([value]) => [tf, [value], adam()]),
    )),
    ...(await complaints(
      "createTfOptimizer",
      create,
      calls.map(([value]) => [tf, [b], value]),
    )),
    ...(await complaints("applyGradients", apply, calls)),
    ...(await complaints(
      "applyGradients",
      apply,
      calls.map(([value]) => [[value]]),
    )),
    ...(await complaints(
      "applyGradients",
      apply,
      calls.map(([value]) => [[{ name: value, tensor: w }]]),
    )),
    ...(await complaints(
      "applyGradients",
      apply,
      calls.map(([value]) => [{ [w.name]: value }]),
    )),
  ];
  const gone = tf.tidy(() => tf.ones([5, 7]));
  gone.dispose();
  found.push(...(await complaints("applyGradients", apply, [[{ [w.name]: gone }]])));
  optimizer.dispose();
  tf.dispose([w, b]);
  return found;
}

/** Milliseconds of an update of `count` tensors of `each` numbers, medians of interleaved rounds: ours and TensorFlow.js' Adam. */
export async function times(count: number, each: number, rounds: number) {
  const backend = tf.backend() as unknown as { device: GPUDevice };
  const make = (prefix: string) =>
    Array.from({ length: count }, (_, i) =>
      tf.tidy(() => tf.variable(tf.ones([each]), true, `${prefix}${made++}.${i}`)),
    );
  const [ours, theirs] = [make("ours"), make("theirs")];
  const gradients = ours.map(() => tf.fill([each], 0.1));
  const byName = (list: readonly tf.Variable[]) => list.map(({ name }, i) => ({ name, tensor: gradients[i]! }));
  const optimizer = await createTfOptimizer(tf, ours, adamw());
  const adamOfTf = tf.train.adam();
  const timed = async (by: tf.Optimizer, list: readonly tf.Variable[]) => {
    const start = performance.now();
    for (let step = 0; step < 3; step++) by.applyGradients(byName(list));
    await list.at(-1)!.data();
    await backend.device.queue.onSubmittedWorkDone();
    return (performance.now() - start) / 3;
  };
  const all: { ours: number[]; theirs: number[] } = { ours: [], theirs: [] };
  for (let round = 0; round <= rounds; round++) {
    const [a, b] = [await timed(optimizer, ours), await timed(adamOfTf, theirs)];
    if (round === 0) continue;
    all.ours.push(a);
    all.theirs.push(b);
  }
  const median = (values: number[]) => values.sort((a, b) => a - b)[values.length >> 1]!;
  optimizer.dispose();
  adamOfTf.dispose();
  tf.dispose([...ours, ...theirs, ...gradients]);
  return { ours: median(all.ours), theirs: median(all.theirs) };
}
