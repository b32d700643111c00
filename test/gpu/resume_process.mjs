// One leg of a run in a process of its own, for the law of resuming: uses the built library, as a user would.
//   node resume_process.mjs BACKEND FROM TO CHECKPOINT|- OUT
import { readFileSync, writeFileSync } from "node:fs";
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

const [backend, from, to, checkpoint, out] = process.argv.slice(2);
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
const random = new Random(1);
const normal = (length) => Float32Array.from({ length }, () => random.normal());
const tensors = [
  { name: "w", shape: [33, 7], data: normal(231) },
  { name: "b", shape: [7], data: normal(7) },
  { name: "c", shape: [5], data: normal(5) },
  { name: "d", shape: [9], data: normal(9) },
];
async function create() {
  if (backend === "cpu") return createCpuOptimizer(tensors, config);
  const opened = await openWebGPU();
  if ("reason" in opened) throw new Error(opened.reason);
  const device = await requestDevice(opened.gpu);
  keep(device);
  return createOptimizer(device, tensors, config);
}
const optimizer = await create();
if (checkpoint !== "-") await loadCheckpoint(optimizer, readFileSync(checkpoint));
for (let step = 0; step < Number(to); step++) {
  const gradients = { w: normal(231), b: normal(7), c: normal(5), d: normal(9) };
  if (step < Number(from)) continue;
  optimizer.write("gradients", gradients);
  optimizer.step();
}
writeFileSync(out, await saveCheckpoint(optimizer));
process.exit();
