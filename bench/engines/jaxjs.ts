// jax-js on its WebGPU backend: the whole step, AdamW included, is one function under jit, which takes the state and gives
// the next; every array is handed over, so that nothing is copied and all that is spent is freed.
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
import { oneHot, type Work } from "../network.ts";
import type { Runner } from "../suite.ts";

/** Parameters and moments by tensor, and the powers of both betas. */
type State = { params: np.Array[]; m: np.Array[]; v: np.Array[]; powers: np.Array[] };

export async function load(work: Work): Promise<Runner> {
  if (!(await init("webgpu")).includes("webgpu")) throw new Error("its WebGPU backend does not start");
  defaultDevice("webgpu");
  const { widths, batch, hypers } = work;
  const { lr, beta1, beta2, eps, weightDecay } = hypers;
  const inputs = np.array(work.inputs.slice(), { shape: [batch, widths[0]!] });
  const labels = np.array(oneHot(work), { shape: [batch, widths[widths.length - 1]!] });

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

  const step = jit((state: State, x: np.Array, y: np.Array): { state: State; loss: np.Array } => {
    const [loss, gradients] = valueAndGrad(lossOf)(tree.ref(state.params), x, y);
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
    return { state: next, loss };
  });

  const tensors = work.layers.flatMap(({ inputs: ins, outputs: outs, weight, bias }) => [
    { data: weight, shape: [ins, outs] },
    { data: bias, shape: [outs] },
  ]);
  let state: State = {
    params: tensors.map(({ data, shape }) => np.array(data.slice(), { shape })),
    m: tensors.map(({ shape }) => np.zeros(shape)),
    v: tensors.map(({ shape }) => np.zeros(shape)),
    powers: [np.array(1), np.array(1)],
  };
  let before: Promise<unknown> = Promise.resolve();
  const start = (): np.Array => {
    const made = step(state, inputs.ref, labels.ref);
    state = made.state;
    return made.loss;
  };
  return {
    device: getWebGPUDevice(),
    note: "AdamW written by hand in the jitted step",
    async step() {
      // It submits nothing before it is waited for. So each step waits for the one before: one is always on its way.
      const ready = blockUntilReady(start()).then((loss) => loss.dispose());
      await before;
      before = ready;
    },
    async wait() {
      await before;
      await getWebGPUDevice().queue.onSubmittedWorkDone();
    },
    checkedStep: async () => (await start().data())[0] ?? Number.NaN,
    params: () => Promise.all(state.params.map(async (array) => Float32Array.from(await array.ref.data()))),
    destroy() {
      tree.dispose(state);
      inputs.dispose();
      labels.dispose();
      step.dispose();
    },
  };
}
