// jax-js on its WebGPU backend: the whole step, AdamW included, is one jitted function from state to next state; every array is
// handed over, so that nothing is copied and everything used up is freed.
import {
  blockUntilReady,
  defaultDevice,
  getWebGPUDevice,
  init,
  jit,
  nn,
  numpy as np,
  tree,
  valueAndGrad,
} from "@jax-js/jax";
import { answerOfProduct, bytesOfProduct, type Matrices, storedShapes } from "../matrices.ts";
import { answerOf, oneHot, type Work } from "../network.ts";
import { reading, type Wanted } from "../readings.ts";
import type { Runner } from "../suite.ts";
import {
  type Answering,
  answerOfUpdate,
  cutSamples,
  maxNormOf,
  type UpdateWork,
  hypers as updateHypers,
  valuesOf,
} from "../update.ts";
import { keeping } from "./keeping.ts";

/** Its own AdamW is not a package in the registry. */
const note =
  "AdamW written by hand in the jitted step; at most two steps are queued, since it submits nothing until waited for";

/** Steps of a jitted function that makes several: enough to share a call's cost, and few enough to be traced soon. */
const unrolled = 8;

/** Parameters and moments by tensor, and the powers of both betas. */
type State = { params: np.Array[]; m: np.Array[]; v: np.Array[]; powers: np.Array[] };

let started = false;

/** Whether its backend has started in this page. */
export const hasStarted = () => started;

let current: GPUDevice | undefined;
let lost = false;

/** The device of its backend, which the first call starts; it cannot start another. */
async function deviceOf(): Promise<GPUDevice> {
  started = true;
  if (lost) throw new Error("its device was lost, and it starts only once in a page");
  if (current) return current;
  if (!(await init("webgpu")).includes("webgpu")) throw new Error("its WebGPU backend does not start");
  defaultDevice("webgpu");
  current = getWebGPUDevice();
  current.lost.then(() => {
    lost = true;
  });
  return current;
}

/** Frees arrays, except those taken by a call that then threw: freeing them again would throw too. */
function free(arrays: readonly np.Array[]): void {
  for (const array of arrays) if (array.refCount > 0) array.dispose();
}

/**
 * A runner's step and wait. It submits nothing until someone waits, so each step waits for the previous one: one is always in
 * flight.
 */
function inTurn(
  device: GPUDevice,
  start: () => np.Array,
  startMany?: () => np.Array,
): Pick<Runner, "step" | "wait" | "together"> {
  let before: Promise<unknown> = Promise.resolve();
  const inOrder = (work: () => np.Array) => async () => {
    const ready = blockUntilReady(work()).then((made) => made.dispose());
    // The error goes to whoever awaits it; until then it must not count as unhandled.
    ready.catch(() => undefined);
    await before;
    before = ready;
  };
  return {
    step: inOrder(start),
    ...(startMany && { together: { steps: unrolled, start: inOrder(startMany) } }),
    async wait() {
      await before;
      await device.queue.onSubmittedWorkDone();
    },
  };
}

function firstState(tensors: readonly { data: Float32Array; shape: number[] }[]): State {
  return {
    params: tensors.map(({ data, shape }) => np.array(data, { shape })),
    m: tensors.map(({ shape }) => np.zeros(shape)),
    v: tensors.map(({ shape }) => np.zeros(shape)),
    powers: [np.array(1), np.array(1)],
  };
}

/** One step of AdamW, from the state and the gradients. */
function nextState(
  { lr, beta1, beta2, eps, weightDecay }: Readonly<Record<keyof Work["hypers"], number>>,
  state: State,
  gradients: readonly np.Array[],
): State {
  const [power1, power2] = [state.powers[0]!.mul(beta1), state.powers[1]!.mul(beta2)];
  const next: State = { params: [], m: [], v: [], powers: [power1.ref, power2.ref] };
  const scale1 = np.reciprocal(np.subtract(1, power1));
  const scale2 = np.reciprocal(np.subtract(1, power2));
  for (const [i, gradient] of gradients.entries()) {
    const m = state.m[i]!.mul(beta1).add(gradient.ref.mul(1 - beta1));
    const v = state.v[i]!.mul(beta2).add(np.square(gradient).mul(1 - beta2));
    const root = np.sqrt(v.ref.mul(scale2.ref)).add(eps);
    const update = m.ref.mul(scale1.ref).div(root).mul(lr);
    next.params.push(state.params[i]!.mul(1 - lr * weightDecay).sub(update));
    next.m.push(m);
    next.v.push(v);
  }
  scale1.dispose();
  scale2.dispose();
  return next;
}

export const train = keeping(async (keep, work: Work) => {
  const device = await deviceOf();
  const { widths, batch, hypers } = work;
  const inputs = np.array(work.inputs.slice(), { shape: [batch, widths[0]!] });
  const labels = np.array(oneHot(work), { shape: [batch, widths[widths.length - 1]!] });
  keep({ destroy: () => free([inputs, labels]) });

  const lossOf = (params: np.Array[], x: np.Array, y: np.Array): np.Array => {
    for (let i = 0; i < params.length; i += 2) {
      x = np.dot(x, params[i]!).add(params[i + 1]!);
      if (i + 2 < params.length) x = nn.relu(x);
    }
    return nn
      .logSoftmax(x)
      .mul(y)
      .sum()
      .mul(-1 / batch);
  };

  type Made = { state: State; loss: np.Array };
  const once = (state: State, x: np.Array, y: np.Array): Made => {
    const [loss, gradients] = valueAndGrad(lossOf)(tree.ref(state.params), x, y);
    return { state: nextState(hypers, state, gradients), loss };
  };
  const step = jit(once);
  keep({ destroy: () => step.dispose() });
  const steps = jit((state: State, x: np.Array, y: np.Array): Made => {
    let made = once(state, x.ref, y.ref);
    for (let i = 1; i < unrolled; i++) {
      made.loss.dispose();
      made = once(made.state, x.ref, y.ref);
    }
    x.dispose();
    y.dispose();
    return made;
  });
  keep({ destroy: () => steps.dispose() });

  const tensors = work.layers.flatMap(({ inputs: ins, outputs: outs, weight, bias }) => [
    { data: weight, shape: [ins, outs] },
    { data: bias, shape: [outs] },
  ]);
  let state = firstState(tensors.map(({ data, shape }) => ({ data: data.slice(), shape })));
  keep({ destroy: () => free(tree.leaves(state)) });
  const startOf = (call: typeof step) => (): np.Array => {
    const made = call(state, inputs.ref, labels.ref);
    state = made.state;
    return made.loss;
  };
  const start = startOf(step);
  return {
    device,
    note,
    ...inTurn(device, start, startOf(steps)),
    answer: () =>
      answerOf(
        async () => (await start().data())[0] ?? Number.NaN,
        () => Promise.all(state.params.map(async (array) => Float32Array.from(await array.ref.data()))),
      ),
  };
});

export const product = keeping(async (keep, work: Matrices) => {
  const device = await deviceOf();
  const shapes = storedShapes(work);
  const a = np.array(work.a.slice(), { shape: shapes.a });
  const b = np.array(work.b.slice(), { shape: shapes.b });
  keep({ destroy: () => free([a, b]) });
  const multiply = jit((x: np.Array, y: np.Array) =>
    np.dot(work.transposeA ? np.transpose(x) : x, work.transposeB ? np.transpose(y) : y),
  );
  keep({ destroy: () => multiply.dispose() });
  const start = () => multiply(a.ref, b.ref);
  return {
    device,
    bytes: bytesOfProduct(work),
    ...inTurn(device, start),
    answer: async () => answerOfProduct(work, await start().data()),
  };
});

const gradientsOf = (work: UpdateWork, values = valuesOf) =>
  work.tensors.map(({ shape }, t) => np.array(values(work, "gradients", t), { shape: [...shape] }));

function globalNorm(gradients: readonly np.Array[]): np.Array {
  return np.sqrt(gradients.map((g) => np.sum(np.square(g))).reduce((sum, term) => sum.add(term)));
}

/** AdamW and clipping by hand, all tensors in one jitted function; the gradients are ready. */
export const update = keeping(async (keep, work: UpdateWork, values: typeof valuesOf = valuesOf) => {
  const device = await deviceOf();
  const gradients = gradientsOf(work, values);
  keep({ destroy: () => free(gradients) });
  const maxNorm = maxNormOf(work);
  type Made = { state: State; norms: np.Array[] };
  const once = (before: State, given: np.Array[]): Made => {
    if (!work.clip) return { state: nextState(updateHypers, before, given), norms: [] };
    const norm = globalNorm(tree.ref(given));
    const scale = np.minimum(1, np.reciprocal(norm.ref.add(1e-6)).mul(maxNorm));
    const clipped = given.map((g) => g.mul(scale.ref));
    scale.dispose();
    return { state: nextState(updateHypers, before, clipped), norms: [norm] };
  };
  const apply = jit(once);
  keep({ destroy: () => apply.dispose() });
  const applyMany = jit((before: State, given: np.Array[]): Made => {
    let made = once(before, tree.ref(given));
    for (let i = 1; i < unrolled; i++) {
      free(made.norms);
      made = once(made.state, tree.ref(given));
    }
    free(given);
    return made;
  });
  keep({ destroy: () => applyMany.dispose() });
  let state = firstState(work.tensors.map(({ shape }, t) => ({ data: values(work, "params", t), shape: [...shape] })));
  let norms: np.Array[] = [];
  keep({ destroy: () => free([...tree.leaves<np.Array>(state), ...norms]) });
  const startOf = (call: typeof apply) => () => {
    free(norms);
    const made = call(state, tree.ref(gradients));
    ({ state, norms } = made);
    // Waiting for any output of a jitted call submits all of it.
    return state.powers[0]!.ref;
  };
  const start = startOf(apply);
  const answering: Answering = {
    step: () => start().dispose(),
    ...(work.clip && { norm: async () => (await norms[0]!.ref.data())[0] ?? Number.NaN }),
    params: () => cutSamples(work, async (t) => Float32Array.from(await state.params[t]!.ref.data())),
  };
  return {
    device,
    note,
    ...inTurn(device, start, startOf(applyMany)),
    answer: () => answerOfUpdate(answering),
  };
});

export const norm = keeping(async (keep, work: UpdateWork) => {
  const device = await deviceOf();
  const gradients = gradientsOf(work);
  keep({ destroy: () => free(gradients) });
  const find = jit((given: np.Array[]) => globalNorm(given));
  keep({ destroy: () => find.dispose() });
  const start = () => find(tree.ref(gradients));
  return {
    device,
    ...inTurn(device, start),
    answer: async () => ({ numbers: [(await start().data())[0] ?? Number.NaN], values: [] }),
  };
});

export const read = keeping(async (keep, work: UpdateWork, wanted: Wanted) => {
  const device = await deviceOf();
  const params = () => np.array(valuesOf(work, "params", 0), { shape: [work.n] });
  const values = wanted === "stats" ? globalNorm(gradientsOf(work)) : params();
  keep({ destroy: () => free([values]) });
  // It takes nothing: its arguments are still ours.
  await blockUntilReady(values);
  return { device, ...reading(wanted, async () => () => values.ref.data()) };
});
