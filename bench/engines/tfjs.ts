// TensorFlow.js on its WebGPU backend: variables, one minimize per step, inside which tfjs cleans up after itself. It has no
// AdamW; its Adam differs only in the decay, whose effect in the few steps compared is below the tolerance. Also its variables
// updated by `fallline/tfjs`.
import { WebGPUBackend } from "@tensorflow/tfjs-backend-webgpu";
import * as tf from "@tensorflow/tfjs-core";
// Bundlers drop modules that register themselves and are not imported by name.
import "@tensorflow/tfjs-core/dist/register_all_gradients";
import { createTfOptimizer } from "../../src/tfjs.ts";
import { answerOfProduct, bytesOfProduct, type Matrices, storedShapes } from "../matrices.ts";
import { answerOf, oneHot, type Work } from "../network.ts";
import { reading, type Wanted } from "../readings.ts";
import type { Runner } from "../suite.ts";
import {
  type Answering,
  answerOfUpdate,
  configOf,
  cutSamples,
  hypers,
  maxNormOf,
  stepBytesOf,
  type UpdateRole,
  type UpdateWork,
  valuesOf,
} from "../update.ts";
import { type Keep, keeping } from "./keeping.ts";

/** Its queue: a submission after every so many dispatches, and no wait before the end of a turn. */
const adamNote = "Adam: tfjs has no AdamW; it submits every 15 dispatches, and a turn's steps are waited for once";

let started = false;

/** Whether its backend has started in this page. */
export const hasStarted = () => started;

/** The watched backend, and whether its device was lost. */
let current: WebGPUBackend | undefined;
let lost = false;

/** One for all cases; the first call starts it, as does the first after its device was lost. */
async function backendOf(): Promise<WebGPUBackend> {
  tf.enableProdMode();
  started = true;
  if (lost) {
    // The lost backend would be returned forever; its factory makes another.
    const factory = tf.findBackendFactory("webgpu");
    tf.removeBackend("webgpu");
    tf.registerBackend("webgpu", factory);
    lost = false;
  }
  if (!(await tf.setBackend("webgpu"))) throw new Error("its WebGPU backend does not start");
  const backend = tf.backend();
  if (!(backend instanceof WebGPUBackend)) throw new Error("its backend is not for WebGPU");
  if (backend !== current) {
    current = backend;
    backend.device.lost.then(() => {
      lost = true;
    });
  }
  return backend;
}

/** Turns the tensor into a variable, which then owns its data. */
function variableOf(tensor: tf.Tensor): tf.Variable {
  const variable = tf.variable(tensor);
  tensor.dispose();
  return variable;
}

function waitOf(backend: WebGPUBackend): Pick<Runner, "wait"> {
  return {
    async wait() {
      // Its last dispatches stay in its own encoder until that is full.
      backend.ensureCommandEncoderReady();
      backend.endComputePassEncoder();
      backend.submitQueue();
      await backend.device.queue.onSubmittedWorkDone();
    },
  };
}

export const train = keeping(async (keep, work: Work) => {
  const backend = await backendOf();
  const { widths, batch, hypers } = work;
  const inputs = tf.tensor2d(work.inputs, [batch, widths[0]!]);
  const labels = tf.tensor2d(oneHot(work), [batch, widths[widths.length - 1]!]);
  const layers = work.layers.map(({ inputs: ins, outputs: outs, weight, bias }) => ({
    // A copy, because tfjs may keep the array it gets.
    weight: variableOf(tf.tensor2d(weight.slice(), [ins, outs])),
    bias: variableOf(tf.tensor1d(bias.slice())),
  }));
  const variables = layers.flatMap(({ weight, bias }) => [weight, bias]);
  keep({ destroy: () => tf.dispose([inputs, labels, ...variables]) });
  const optimizer = tf.train.adam(hypers.lr, hypers.beta1, hypers.beta2, hypers.eps);
  keep({ destroy: () => optimizer.dispose() });
  const loss = () => {
    let x: tf.Tensor2D = inputs;
    for (const [i, { weight, bias }] of layers.entries()) {
      const activation = i < layers.length - 1 ? "relu" : "linear";
      x = tf.fused.matMul({ a: x, b: weight, bias, activation }) as tf.Tensor2D;
    }
    return tf.losses.softmaxCrossEntropy<tf.Tensor2D, tf.Scalar>(labels, x);
  };
  let cost: tf.Scalar | null = null;
  keep({ destroy: () => cost?.dispose() });
  const start = () => {
    cost?.dispose();
    cost = optimizer.minimize(loss, true, variables);
  };
  return {
    device: backend.device,
    note: adamNote,
    step: start,
    async wait() {
      // Its last dispatches stay in its own encoder until that is full or something is read; the cost is read last.
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
  };
});

export const product = keeping(async (keep, work: Matrices) => {
  const backend = await backendOf();
  const { device } = backend;
  const shapes = storedShapes(work);
  const [a, b] = [tf.tensor2d(work.a, shapes.a), tf.tensor2d(work.b, shapes.b)];
  let c: tf.Tensor | undefined;
  keep({ destroy: () => tf.dispose(c ? [a, b, c] : [a, b]) });
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
  };
});

function tensorsOf(keep: Keep, work: UpdateWork, role: UpdateRole, values = valuesOf): tf.Tensor[] {
  const tensors = work.tensors.map(({ shape }, t) => tf.tensor(values(work, role, t), [...shape]));
  keep({ destroy: () => tf.dispose(tensors) });
  return tensors;
}

/** Stacked, because its `addN` is limited to the number of buffers of a kernel. */
const globalNorm = (gradients: readonly tf.Tensor[]) =>
  tf.sqrt(tf.sum(tf.stack(gradients.map((g) => tf.sum(tf.square(g))))));

/** The same with AdamW by `fallline/tfjs`, which copies each gradient: 8 bytes per parameter. */
export const updateByFallline = keeping(async (keep, work: UpdateWork) => {
  const backend = await backendOf();
  const variables = tensorsOf(keep, work, "params").map(variableOf);
  keep({ destroy: () => tf.dispose(variables) });
  const gradients = tensorsOf(keep, work, "gradients");
  const optimizer = await createTfOptimizer(tf, variables, configOf(work));
  keep({ destroy: () => optimizer.dispose() });
  const given = variables.map(({ name }, t) => ({ name, tensor: gradients[t]! }));
  const step = () => optimizer.applyGradients(given);
  const bytes = stepBytesOf(work);
  return {
    device: backend.device,
    note: "fallline/tfjs: AdamW in the buffers of tfjs's variables",
    ...(bytes !== undefined && { bytes: bytes + 8 * work.n }),
    step,
    ...waitOf(backend),
    answer: () =>
      answerOfUpdate({
        step,
        params: () => cutSamples(work, async (t) => Float32Array.from(await variables[t]!.data())),
      }),
  };
});

/** `applyGradients` with ready-made gradients; clipped by hand, since it has no clipping of its own. */
export const update = keeping(async (keep, work: UpdateWork, values: typeof valuesOf = valuesOf) => {
  const backend = await backendOf();
  const { device } = backend;
  const variables = tensorsOf(keep, work, "params", values).map(variableOf);
  keep({ destroy: () => tf.dispose(variables) });
  const gradients = tensorsOf(keep, work, "gradients", values);
  const optimizer = tf.train.adam(hypers.lr, hypers.beta1, hypers.beta2, hypers.eps);
  keep({ destroy: () => optimizer.dispose() });
  const maxNorm = maxNormOf(work);
  let norm: tf.Tensor | undefined;
  keep({ destroy: () => norm?.dispose() });
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
    params: () => cutSamples(work, async (t) => Float32Array.from(await variables[t]!.data())),
  };
  return {
    device,
    note: adamNote,
    step,
    ...waitOf(backend),
    answer: () => answerOfUpdate(answering),
  };
});

export const norm = keeping(async (keep, work: UpdateWork) => {
  const backend = await backendOf();
  const gradients = tensorsOf(keep, work, "gradients");
  let found: tf.Tensor | undefined;
  keep({ destroy: () => found?.dispose() });
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
  };
});

/** It caches what was read, so something else is computed before each read. */
export const read = keeping(async (keep, work: UpdateWork, wanted: Wanted) => {
  const backend = await backendOf();
  const given = tensorsOf(keep, work, wanted === "stats" ? "gradients" : "params");
  const { wait } = waitOf(backend);
  let made: tf.Tensor | undefined;
  keep({ destroy: () => made?.dispose() });
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
  };
});
