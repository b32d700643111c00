// onnxruntime-web computes the gradient from weights in a buffer that fallline updates, and leaves it in another. Nothing is copied.
import { adam, createOptimizer, external } from "fallline";
import * as ort from "onnxruntime-web/webgpu";

// gradient = transpose(input) · (input · weights - target), for an input of [4, 3] and weights of [3, 2].
const model = new URL("./gradient.onnx", import.meta.url).href;
const session = await ort.InferenceSession.create(model, { executionProviders: ["webgpu"] });
const device = await ort.env.webgpu.device; // exists once a session was created

const [rows, columns, outputs] = [4, 3, 2];
const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
const [params, gradients] = [1, 2].map(() => ({ buffer: device.createBuffer({ size: 4 * columns * outputs, usage }) }));
const tensors = { w: external({ shape: [columns, outputs], params, gradients }) };
const optimizer = await createOptimizer(device, tensors, adam({ lr: 0.1 }));

/** A tensor of onnxruntime-web on a buffer of the optimizer's. @param {GPUBuffer} buffer */
const on = (buffer) => ort.Tensor.fromGpuBuffer(buffer, { dataType: "float32", dims: [columns, outputs] });
// With these weights the targets are exact: 0, 1, … 5.
const input = Float32Array.from({ length: rows * columns }, (_, i) => Math.sin(i * i));
const target = Float32Array.from({ length: rows * outputs }, (_, i) => {
  const row = input.subarray(columns * Math.floor(i / outputs));
  return row[0] * (i % 2) + row[1] * (2 + (i % 2)) + row[2] * (4 + (i % 2));
});
const feeds = {
  input: new ort.Tensor("float32", input, [rows, columns]),
  target: new ort.Tensor("float32", target, [rows, outputs]),
  weights: on(params.buffer),
};
const fetches = { gradient: on(gradients.buffer) };
for (let step = 0; step < 300; step++) {
  await session.run(feeds, fetches);
  optimizer.step();
}

const { w } = await optimizer.read();
const said = [...w].map((value) => Math.abs(value).toFixed(1)).join(" ");
document.querySelector("output")?.replaceChildren(`the weights are ${said}`); // → the weights are 0.0 1.0 2.0 3.0 4.0 5.0
