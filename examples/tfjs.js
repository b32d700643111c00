// TensorFlow.js computes the gradients, fallline updates its variables in place: a drop-in `tf.Optimizer` with AdamW, decay by group,
// a schedule and clipping. `tf.memory()` shows that no tensor is left over.
import "@tensorflow/tfjs-backend-webgpu";
import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-core/dist/register_all_gradients";
import { adamw, modifiers, schedules } from "fallline";
import { createTfOptimizer } from "fallline/tfjs";

await tf.setBackend("webgpu");
const steps = 16;
const x = tf.randomNormal([64, 4], 0, 1, "float32", 7);
const y = tf.tidy(() => tf.sin(tf.sum(x, 1, true)));
const [w1, b1, w2, b2] = [
  tf.variable(tf.randomNormal([4, 32], 0, 0.5, "float32", 1), true, "hidden/kernel"),
  tf.variable(tf.zeros([32]), true, "hidden/bias"),
  tf.variable(tf.randomNormal([32, 1], 0, 0.2, "float32", 2), true, "out/kernel"),
  tf.variable(tf.zeros([1]), true, "out/bias"),
];
const hidden = () => tf.relu(tf.add(tf.matMul(x, w1), b1));
const output = () => tf.add(tf.matMul(hidden(), w2), b2);
/** @type {() => tf.Scalar} */
const loss = () => tf.losses.meanSquaredError(y, output());

const config = adamw({
  lr: schedules.cosine({ base: 0.1, steps }),
  weightDecay: 0.01,
  groups: [{ params: "*/bias", weightDecay: 0 }],
  modifiers: [modifiers.clipGlobalNorm({ maxNorm: 1 })],
});
const optimizer = await createTfOptimizer(tf, [w1, b1, w2, b2], config);
const [first] = await tf.tidy(loss).data();
const before = tf.memory().numTensors;
for (let step = 0; step < steps; step++) optimizer.minimize(loss);
const kept = tf.memory().numTensors - before;
const [last] = await tf.tidy(loss).data();
const said = `${optimizer.iterations} steps, ${kept} tensors left over, the loss half or less: ${last < first / 2}`;
document.querySelector("output")?.replaceChildren(said); // → 16 steps, 0 tensors left over, the loss half or less: true
