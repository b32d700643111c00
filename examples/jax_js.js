// jax-js computes gradients, fallline updates jax-js' own arrays: nothing is read back. jax-js returns each gradient in a new
// array, so it is copied on the GPU: 8 bytes moved per parameter, beside the 28 of AdamW.
import { defaultDevice, getWebGPUDevice, init, numpy as np, tree, valueAndGrad } from "@jax-js/jax";
import { adamw, createOptimizer, external, schedules } from "fallline";

await init("webgpu");
defaultDevice("webgpu");
const device = getWebGPUDevice();

// A line through 200 points: y = 2 x₀ - 3 x₁ + 0.5.
const points = Array.from({ length: 200 }, (_, i) => [Math.sin(i), Math.cos(3 * i)]);
const x = np.array(points);
const y = np.array(points.map(([a, b]) => 2 * a - 3 * b + 0.5));
const params = { w: np.zeros([2]), b: np.zeros([1]) };
/**
 * @param {typeof params} parameters
 * @param {typeof x} inputs
 * @param {typeof y} targets
 */
const loss = ({ w, b }, inputs, targets) => np.square(np.dot(inputs, w).add(b).sub(targets)).mean();

// Where jax-js keeps the parameters; an array's `ref` is one more reference, which `gpuBuffer` consumes.
const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
/** @param {number} size @param {typeof x} array */
async function tensorOf(size, array) {
  const gradients = { buffer: device.createBuffer({ size: 4 * size, usage }) };
  return external({ shape: [size], params: { buffer: await array.ref.gpuBuffer() }, gradients });
}
const tensors = { w: await tensorOf(2, params.w), b: await tensorOf(1, params.b) };
const steps = 200;
const lr = schedules.cosine({ base: 0.1, steps });
const optimizer = await createOptimizer(device, tensors, adamw({ lr, weightDecay: 0 }));

for (let step = 0; step < steps; step++) {
  const [value, gradients] = valueAndGrad(loss)(tree.ref(params), x.ref, y.ref);
  value.dispose();
  const [ofW, ofB] = [await gradients.w.gpuBuffer(), await gradients.b.gpuBuffer()];
  const encoder = device.createCommandEncoder();
  encoder.copyBufferToBuffer(ofW, 0, tensors.w.external.gradients.buffer, 0, 8);
  encoder.copyBufferToBuffer(ofB, 0, tensors.b.external.gradients.buffer, 0, 4);
  optimizer.encode(encoder);
  device.queue.submit([encoder.finish()]);
}

// jax-js reads what fallline wrote.
const [w, b] = [await params.w.data(), await params.b.data()];
const said = `y = ${w[0].toFixed(2)} x₀ ${w[1].toFixed(2)} x₁ + ${b[0].toFixed(2)}`;
document.querySelector("output")?.replaceChildren(said); // → y = 2.00 x₀ -3.00 x₁ + 0.50
