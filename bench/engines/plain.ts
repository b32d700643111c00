// Plain JavaScript: the typed-array loops of plain_loops.ts, which use nothing of ours.
import { answerOfProduct, bytesOfProduct, type Matrices } from "../matrices.ts";
import { answerOf, type Work } from "../network.ts";
import { columnsOf, createPlainNetwork, normOfAll, Products, rowsOf, updateAdamw } from "../plain_loops.ts";
import type { Runner } from "../suite.ts";
import {
  type Answering,
  answerOfUpdate,
  clipScale,
  cutSamples,
  hypers,
  maxNormOf,
  stepBytesOf,
  type UpdateWork,
  valuesOf,
} from "../update.ts";

export async function train(work: Work): Promise<Runner> {
  const network = createPlainNetwork(work);
  return {
    step() {
      network.step();
    },
    wait: async () => undefined,
    answer: () =>
      answerOf(
        async () => network.step(),
        async () => network.layers.flatMap(({ weight, bias }) => [weight.slice(), bias.slice()]),
      ),
    destroy() {
      // Only arrays were made, which are garbage-collected.
    },
  };
}

export async function product(work: Matrices): Promise<Runner> {
  const { m, n, k, transposeA, transposeB, a, b } = work;
  const products = new Products();
  const c = new Float32Array(m * n);
  // Lines of B are the columns of op(B).
  const lines = transposeA ? columnsOf(a, m) : rowsOf(a, m, k);
  const columns = transposeB ? rowsOf(b, n, k) : columnsOf(b, n);
  const step = () => products.multiply(c, lines, columns, k);
  return {
    bytes: bytesOfProduct(work),
    step,
    wait: async () => undefined,
    async answer() {
      step();
      return answerOfProduct(work, c);
    },
    destroy() {
      // Only arrays were made, which are garbage-collected.
    },
  };
}

export async function update(work: UpdateWork): Promise<Runner> {
  const maxNorm = maxNormOf(work);
  const tensors = work.tensors.map(({ length }, t) => ({
    params: valuesOf(work, "params", t),
    gradients: valuesOf(work, "gradients", t),
    m: new Float32Array(length),
    v: new Float32Array(length),
  }));
  const gradients = tensors.map((tensor) => tensor.gradients);
  let [steps, norm] = [0, 0];
  const step = () => {
    steps++;
    if (work.clip) norm = normOfAll(gradients);
    const scale = work.clip ? clipScale(norm, maxNorm) : 1;
    for (const { params, gradients, m, v } of tensors) updateAdamw(hypers, steps, params, gradients, m, v, scale);
  };
  const answering: Answering = {
    step,
    ...(work.clip && { norm: async () => norm }),
    params: () => cutSamples(work, (t) => tensors[t]!.params),
  };
  const bytes = stepBytesOf(work);
  return {
    ...(bytes !== undefined && { bytes }),
    step,
    wait: async () => undefined,
    answer: () => answerOfUpdate(answering),
    destroy() {
      // Only arrays were made, which are garbage-collected.
    },
  };
}

export async function norm(work: UpdateWork): Promise<Runner> {
  const gradients = work.tensors.map((_, t) => valuesOf(work, "gradients", t));
  let found = 0;
  const step = () => {
    found = normOfAll(gradients);
  };
  return {
    bytes: 4 * work.n,
    step,
    wait: async () => undefined,
    async answer() {
      step();
      return { numbers: [found], values: [] };
    },
    destroy() {
      // Only arrays were made, which are garbage-collected.
    },
  };
}
