// TensorFlow.js' layers are trained by `model.fit` with fallline as their optimizer: AdamW, decay by group, a schedule and clipping.
import * as tf from "@tensorflow/tfjs";
import "@tensorflow/tfjs-backend-webgpu";
import { adamw, modifiers, saveCheckpoint, schedules } from "fallline";
import { createTfOptimizer } from "fallline/tfjs";

await tf.setBackend("webgpu");
const hidden = tf.layers.dense({ units: 16, inputShape: [2], activation: "relu" });
const model = tf.sequential({ layers: [hidden, tf.layers.dense({ units: 1 })] });
const config = adamw({
  lr: schedules.cosine({ base: 0.05, steps: 20 }),
  groups: [{ params: "*bias*", weightDecay: 0 }], // variables have their TensorFlow.js names
  modifiers: [modifiers.clipGlobalNorm({ maxNorm: 1 })],
});
const optimizer = await createTfOptimizer(tf, model.trainableWeights, config);
model.compile({ optimizer, loss: "meanSquaredError" });

const x = tf.randomUniform([128, 2], -1, 1, "float32", 7);
const y = tf.tidy(() => tf.sum(x, 1, true));
const { history } = await model.fit(x, y, { epochs: 5, batchSize: 32, verbose: 0 });
const bytes = await saveCheckpoint(optimizer.optimizer); // the optimizer behind it

const [first, , , , last] = history.loss.map(Number);
const said = `${optimizer.iterations} steps, ${bytes.length > 0 ? "saved" : "lost"}, the loss half or less: ${last < first / 2}`;
document.querySelector("output")?.replaceChildren(said); // → 20 steps, saved, the loss half or less: true
