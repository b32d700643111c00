// A part of a run with the built library, as a user would have it, for the law of resuming. `node resume_process.mjs FOLDER` makes
// its first five steps on either engine in a process of its own, and leaves a checkpoint of each.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
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

async function openDevice() {
  const opened = await openWebGPU();
  if ("reason" in opened) throw new Error(opened.reason);
  const device = await requestDevice(opened.gpu);
  keep(device);
  return device;
}

/**
 * The checkpoint after steps `from` to `to` of the whole run.
 *
 * @param {string} backend
 * @param {number} from
 * @param {number} to
 * @param {{ device?: GPUDevice, checkpoint?: Uint8Array }} [options]
 */
export async function leg(backend, from, to, { device, checkpoint } = {}) {
  const random = new Random(1);
  const normal = (/** @type {number} */ length) => Float32Array.from({ length }, () => random.normal());
  const tensors = [
    { name: "w", shape: [33, 7], data: normal(231) },
    { name: "b", shape: [7], data: normal(7) },
    { name: "c", shape: [5], data: normal(5) },
    { name: "d", shape: [9], data: normal(9) },
  ];
  const optimizer =
    backend === "cpu"
      ? createCpuOptimizer(tensors, config)
      : await createOptimizer(device ?? (await openDevice()), tensors, config);
  if (checkpoint) await loadCheckpoint(optimizer, checkpoint);
  for (let step = 0; step < to; step++) {
    const gradients = { w: normal(231), b: normal(7), c: normal(5), d: normal(9) };
    if (step < from) continue;
    optimizer.write("gradients", gradients);
    optimizer.step();
  }
  const saved = await saveCheckpoint(optimizer);
  optimizer.destroy();
  return saved;
}

const [, script = "", folder = ""] = process.argv;
if (pathToFileURL(script).href === import.meta.url) {
  for (const backend of ["webgpu", "cpu"]) writeFileSync(join(folder, backend), await leg(backend, 0, 5));
  process.exit();
}
