// three.js computes gradients and could draw the points; fallline moves them in the buffer of their storage attribute. Nothing is
// copied.
import { adam, createOptimizer, external, requestDevice } from "fallline";
import { Fn, instanceIndex, storage, vec4 } from "three/tsl";
import { StorageBufferAttribute, WebGPURenderer } from "three/webgpu";

const device = await requestDevice();
const renderer = new WebGPURenderer({ device });
await renderer.init();

// Four floats each: attributes of three are padded to four in storage.
const count = 256;
const [points, slopes] = [1, 2].map(() => new StorageBufferAttribute(count, 4));
const [x, g] = [points, slopes].map((attribute) => storage(attribute, "vec4", count));
// The gradient of |x - (1, 2, 3, 0)|².
const pull = Fn(() => {
  g.element(instanceIndex).assign(
    x
      .element(instanceIndex)
      .sub(vec4(1, 2, 3, 0))
      .mul(2),
  );
})().compute(count);

// A storage attribute has a buffer once it was used; three.js' types leave out where it is kept.
await renderer.computeAsync(pull);
/** @type {{ get(attribute: StorageBufferAttribute): { buffer: GPUBuffer } }} */
const backend = Object(renderer.backend);
const [params, gradients] = [points, slopes].map((attribute) => ({ buffer: backend.get(attribute).buffer }));
const tensors = { points: external({ shape: [count, 4], params, gradients }) };
const optimizer = await createOptimizer(device, tensors, adam({ lr: 0.1 }));
for (let step = 0; step < 200; step++) {
  renderer.compute(pull);
  optimizer.step();
}

// three.js reads what fallline wrote.
const found = new Float32Array(await renderer.getArrayBufferAsync(points));
const last = [...found.subarray(-4)].map((value) => Math.abs(value).toFixed(1));
document.querySelector("output")?.replaceChildren(`the last of ${count} points is at ${last.join(" ")}`); // → the last of 256 points is at 1.0 2.0 3.0 0.0
