// TensorFlow.js on its WebGPU backend: variables, one minimize a step inside which tfjs tidies up after itself. It has no
// AdamW; its Adam is the same but for the decay, which in the few steps that are compared changes less than rounding allows.
import { WebGPUBackend } from "@tensorflow/tfjs-backend-webgpu";
import * as tf from "@tensorflow/tfjs-core";
// Bundlers drop what registers itself and is not asked for by name.
import "@tensorflow/tfjs-core/dist/register_all_gradients";
import { oneHot, type Work } from "../network.ts";
import type { Runner } from "../suite.ts";

export async function load(work: Work): Promise<Runner> {
  tf.enableProdMode();
  if (!(await tf.setBackend("webgpu"))) throw new Error("its WebGPU backend does not start");
  const backend = tf.backend();
  if (!(backend instanceof WebGPUBackend)) throw new Error("its backend is not the one for WebGPU");
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
    async checkedStep() {
      start();
      return (await cost?.data())?.[0] ?? Number.NaN;
    },
    params: () => Promise.all(variables.map(async (variable) => Float32Array.from(await variable.data()))),
    destroy() {
      cost?.dispose();
      tf.dispose([inputs, labels, ...variables]);
      optimizer.dispose();
    },
  };
}
