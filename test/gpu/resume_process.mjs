// Legs of runs on either engine in a process of its own, for the law of resuming: uses the built library, as a user would.
// Reads and writes the checkpoints BACKEND-NAME in FOLDER; "-" is none.
//   node resume_process.mjs FOLDER FROM TO LOAD SAVE ...
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  adamw,
  createCpuOptimizer,
  createOptimizer,
  loadCheckpoint,
  modifiers,
  muon,
  nadam,
  prodigy,
  requestDevice,
  saveCheckpoint,
  schedules,
} from "../../dist/lib/src/index.js";
import { Random } from "../../dist/lib/src/training.js";
import { keep, openWebGPU } from "../../scripts/webgpu.mjs";

const [folder, ...legs] = process.argv.slice(2);
const config = adamw({
  lr: schedules.cosine({ base: 0.1, steps: 8 }),
  weightDecay: 0.1,
  amsgrad: true,
  // Rules with memory of every kind; an odd step is in the middle of an accumulation.
  groups: [
    { params: "w", rule: muon, lr: 0.02 },
    { params: "c", rule: prodigy },
    { params: "d", rule: nadam },
  ],
  modifiers: [modifiers.clipGlobalNorm({ maxNorm: 1 }), modifiers.accumulate(2), modifiers.ema({ decay: 0.9 })],
  replicas: [{}, { lr: 0.05 }],
});
const normals = () => {
  const random = new Random(1);
  return (length) => Float32Array.from({ length }, () => random.normal());
};
const lengths = { w: 231, b: 7, c: 5, d: 9 };
const shapes = { w: [33, 7], b: [7], c: [5], d: [9] };

const opened = await openWebGPU();
if ("reason" in opened) throw new Error(opened.reason);
const device = await requestDevice(opened.gpu);
keep(device);
const backends = {
  cpu: (tensors) => createCpuOptimizer(tensors, config),
  webgpu: (tensors) => createOptimizer(device, tensors, config),
};

for (let leg = 0; leg < legs.length; leg += 4) {
  const [from, to, load, save] = legs.slice(leg, leg + 4);
  for (const [backend, create] of Object.entries(backends)) {
    const normal = normals();
    const draw = () => Object.fromEntries(Object.entries(lengths).map(([name, length]) => [name, normal(length)]));
    const start = draw();
    const optimizer = await create(Object.entries(shapes).map(([name, shape]) => ({ name, shape, data: start[name] })));
    const path = (name) => join(folder, `${backend}-${name}`);
    if (load !== "-") await loadCheckpoint(optimizer, readFileSync(path(load)));
    for (let step = 0; step < Number(to); step++) {
      const gradients = draw();
      if (step < Number(from)) continue;
      optimizer.write("gradients", gradients);
      optimizer.step();
    }
    writeFileSync(path(save), await saveCheckpoint(optimizer));
    optimizer.destroy();
  }
}
process.exit();
