// TypeGPU's typed buffers, updated in place: it writes the gradients and reads the parameters. Nothing is copied.
import { adam, createOptimizer, external, requestDevice } from "fallline";
import tgpu from "typegpu";
import * as d from "typegpu/data";

const root = tgpu.initFromDevice({ device: await requestDevice() });
// Rows of vec3f would be padded to 16 bytes; f32, vec2f and vec4f are as they seem.
const [weights, slopes] = [1, 2].map(() => root.createBuffer(d.arrayOf(d.f32, 100)).$usage("storage"));
const [params, gradients] = [weights, slopes].map((typed) => ({ buffer: root.unwrap(typed) }));
const tensor = external({ shape: [100], params, gradients });
const optimizer = await createOptimizer(root.device, { w: tensor }, adam({ lr: 0.1 }));
for (let step = 0; step < 100; step++) {
  const w = await weights.read();
  slopes.write(w.map((value) => 2 * (value - 3))); // of Σ (w - 3)²
  optimizer.step();
}
const found = await weights.read();
document.querySelector("output")?.replaceChildren(`the last weight is ${found[99].toFixed(1)}`); // → the last weight is 3.0
