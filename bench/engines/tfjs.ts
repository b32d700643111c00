// TensorFlow.js on its WebGPU backend: variables, one minimize a step inside which tfjs tidies up after itself. It has no
// AdamW; its Adam is the same but for the decay, which in the few steps that are compared changes less than rounding allows.
import { WebGPUBackend } from "@tensorflow/tfjs-backend-webgpu";
import * as tf from "@tensorflow/tfjs-core";
// Bundlers drop what registers itself and is not asked for by name.
import "@tensorflow/tfjs-core/dist/register_all_gradients";
import { answerOfProduct, bytesOfProduct, type Matrices, storedShapes } from "../matrices.ts";
import { answerOf, oneHot, type Work } from "../network.ts";
import { reading, type Wanted } from "../readings.ts";
import type { Runner } from "../suite.ts";
import {
  type Answering,
  answerOfUpdate,
  cutWindows,
  hypers,
  maxNormOf,
  type UpdateRole,
  type UpdateWork,
  valuesOf,
} from "../update.ts";

let started = false;

/** Whether its backend was started in this page. */
export const hasStarted = () => started;

/** One for all cases; the first call starts it. */
async function backendOf(): Promise<WebGPUBackend> {
  tf.enableProdMode();
  started = true;
  if (!(await tf.setBackend("webgpu"))) throw new Error("its WebGPU backend does not start");
  const backend = tf.backend();
  if (!(backend instanceof WebGPUBackend)) throw new Error("its backend is not the one for WebGPU");
  return backend;
}

function waitOf(backend: WebGPUBackend): Pick<Runner, "wait"> {
  return {
    async wait() {
      // Its last dispatches lie in an encoder of its own until it is full.
      backend.ensureCommandEncoderReady();
      backend.endComputePassEncoder();
      backend.submitQueue();
      await backend.device.queue.onSubmittedWorkDone();
    },
  };
}

export async function train(work: Work): Promise<Runner> {
  const backend = await backendOf();
  const { widths, batch, hypers } = work;
  const inputs = tf.tensor2d(work.inputs, [batch, widths[0]!]);
  const labels = tf.tensor2d(oneHot(work), [batch, widths[widths.length - 1]!]);
  const layers = work.layers.map(({ inputs: ins, outputs: outs, weight, bias }) => ({
    // A copy, because tfjs may keep the array that it is given.
    weight: tf.variable(tf.tensor2d(weight.slice(), [ins, outs])),
    bias: tf.variable(tf.tensor1d(bias.slice())),
  }));
  const variables = layers.flatMap(({ weight, bias }) => [weight, bias]);
  const optimizer = tf.train.adam(hypers.lr, hypers.beta1, hypers.beta2, hypers.eps);
  const loss = () => {
    let x: tf.Tensor2D = inputs;
    for (const [i, { weight, bias }] of layers.entries()) {
      const activation = i < layers.length - 1 ? "relu" : "linear";
      x = tf.fused.matMul({ a: x, b: weight, bias, activation }) as tf.Tensor2D;
    }
    return tf.losses.softmaxCrossEntropy<tf.Tensor2D, tf.Scalar>(labels, x);
  };
  let cost: tf.Scalar | null = null;
  const start = () => {
    cost?.dispose();
    cost = optimizer.minimize(loss, true, variables);
  };
  return {
    device: backend.device,
    note: "Adam: tfjs has no AdamW",
    step: start,
    async wait() {
      // Its last dispatches lie in an encoder of its own until it is full or something is read; what is read comes last.
      await cost?.data();
    },
    answer: () =>
      answerOf(
        async () => {
          start();
          return (await cost?.data())?.[0] ?? Number.NaN;
        },
        () => Promise.all(variables.map(async (variable) => Float32Array.from(await variable.data()))),
      ),
    destroy() {
      cost?.dispose();
      tf.dispose([inputs, labels, ...variables]);
      optimizer.dispose();
    },
  };
}

export async function product(work: Matrices): Promise<Runner> {
  const backend = await backendOf();
  const { device } = backend;
  const shapes = storedShapes(work);
  const [a, b] = [tf.tensor2d(work.a, shapes.a), tf.tensor2d(work.b, shapes.b)];
  let c: tf.Tensor | undefined;
  const step = () => {
    c?.dispose();
    c = tf.matMul(a, b, work.transposeA, work.transposeB);
    return c;
  };
  return {
    device,
    bytes: bytesOfProduct(work),
    step() {
      step();
    },
    ...waitOf(backend),
    answer: async () => answerOfProduct(work, await step().data()),
    destroy() {
      c?.dispose();
      tf.dispose([a, b]);
    },
  };
}

const tensorsOf = (work: UpdateWork, role: UpdateRole) =>
  work.tensors.map(({ shape }, t) => tf.tensor(valuesOf(work, role, t), [...shape]));

/** Stacked, because its `addN` takes no more terms than a kernel has buffers. */
const globalNorm = (gradients: readonly tf.Tensor[]) =>
  tf.sqrt(tf.sum(tf.stack(gradients.map((g) => tf.sum(tf.square(g))))));

/** `applyGradients` with gradients that are ready; clipped as one does it there, since it has no clipping of its own. */
export async function update(work: UpdateWork): Promise<Runner> {
  const backend = await backendOf();
  const { device } = backend;
  const variables = tensorsOf(work, "params").map((tensor) => {
    const variable = tf.variable(tensor);
    tensor.dispose();
    return variable;
  });
  const gradients = tensorsOf(work, "gradients");
  const optimizer = tf.train.adam(hypers.lr, hypers.beta1, hypers.beta2, hypers.eps);
  const maxNorm = maxNormOf(work);
  let norm: tf.Tensor | undefined;
  const apply = (given: readonly tf.Tensor[]) =>
    optimizer.applyGradients(variables.map(({ name }, t) => ({ name, tensor: given[t]! })));
  const step = () => {
    if (!work.clip) return apply(gradients);
    norm?.dispose();
    norm = tf.tidy(() => {
      const found = globalNorm(gradients);
      const scale = tf.minimum(1, tf.div(maxNorm, tf.add(found, 1e-6)));
      apply(gradients.map((g) => tf.mul(g, scale)));
      return found;
    });
  };
  const answering: Answering = {
    step,
    ...(work.clip && { norm: async () => (await norm?.data())?.[0] ?? Number.NaN }),
    params: () => cutWindows(work, async (t) => Float32Array.from(await variables[t]!.data())),
  };
  return {
    device,
    note: "Adam: tfjs has no AdamW",
    step,
    ...waitOf(backend),
    answer: () => answerOfUpdate(answering),
    destroy() {
      norm?.dispose();
      tf.dispose([...variables, ...gradients]);
      optimizer.dispose();
    },
  };
}

export async function norm(work: UpdateWork): Promise<Runner> {
  const backend = await backendOf();
  const gradients = tensorsOf(work, "gradients");
  let found: tf.Tensor | undefined;
  const step = () => {
    found?.dispose();
    found = tf.tidy(() => globalNorm(gradients));
  };
  return {
    device: backend.device,
    step,
    ...waitOf(backend),
    async answer() {
      step();
      return { numbers: [(await found?.data())?.[0] ?? Number.NaN], values: [] };
    },
    destroy() {
      found?.dispose();
      tf.dispose(gradients);
    },
  };
}

/** It keeps what was read, so each time something else is computed before. */
export async function read(work: UpdateWork, wanted: Wanted): Promise<Runner> {
  const backend = await backendOf();
  const given = tensorsOf(work, wanted === "stats" ? "gradients" : "params");
  const { wait } = waitOf(backend);
  let made: tf.Tensor | undefined;
  const ready = async () => {
    made?.dispose();
    const fresh = tf.tidy(() => (wanted === "stats" ? globalNorm(given) : tf.add(given[0]!, 0)));
    made = fresh;
    await wait();
    return () => fresh.data<"float32">();
  };
  return {
    device: backend.device,
    ...reading(wanted, ready),
    destroy() {
      made?.dispose();
      tf.dispose(given);
    },
  };
}
