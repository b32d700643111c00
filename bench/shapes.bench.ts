// The shapes of the update's kernels next to a kernel that streams the same bytes with the least arithmetic, as in
// docs/performance.md: `npx vitest bench --run shapes`. FALLLINE_ELEMENTS sets the number of parameters; default 2^20 + 1.
import { afterAll, bench, describe } from "vitest";
import { shapes } from "../src/engines/gpu/kernel_shapes.ts";
import { createShaped } from "../src/engines/gpu/optimizer.ts";
import { clipGlobalNorm } from "../src/modifiers/clip_global_norm.ts";
import { adamw } from "../src/rules/adam.ts";
import { device } from "../test/gpu/setup.ts";

const options = { warmupIterations: 2, iterations: 20, time: 0, warmupTime: 0 };
const length = Number(process.env.FALLLINE_ELEMENTS ?? 2 ** 20 + 1);

/** Reads p, g and two slots, writes p and the slots: the 28 bytes that AdamW moves per parameter. */
function streamKernel(lanes: number, vec4s: number): () => Promise<undefined> {
  const quads = Math.ceil(length / 4);
  const code = `
@group(0) @binding(0) var<storage, read_write> p: array<vec4f>;
@group(0) @binding(1) var<storage, read> g: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> s: array<vec4f>;
@compute @workgroup_size(${lanes})
fn main(
  @builtin(workgroup_id) at: vec3u,
  @builtin(num_workgroups) count: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let first = (at.y * count.x + at.x) * ${lanes * vec4s}u;
  for (var i = first + lane; i < min(first + ${lanes * vec4s}u, ${quads}u); i += ${lanes}u) {
    let gradient = g[i];
    p[i] += gradient;
    s[i] += gradient;
    s[i + ${quads}u] += gradient;
  }
}`;
  const module = device.createShaderModule({ code });
  const pipeline = device.createComputePipeline({ layout: "auto", compute: { module, entryPoint: "main" } });
  const buffers = [1, 1, 2].map((roles) =>
    device.createBuffer({ size: 16 * roles * quads, usage: GPUBufferUsage.STORAGE }),
  );
  afterAll(() => {
    for (const buffer of buffers) buffer.destroy();
  });
  const bindGroup = device.createBindGroup({
    layout: pipeline.getBindGroupLayout(0),
    entries: buffers.map((buffer, binding) => ({ binding, resource: { buffer } })),
  });
  const workgroups = Math.ceil(quads / (lanes * vec4s));
  const x = Math.min(workgroups, device.limits.maxComputeWorkgroupsPerDimension);
  return () => {
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, bindGroup);
    pass.dispatchWorkgroups(x, Math.ceil(workgroups / x));
    pass.end();
    device.queue.submit([encoder.finish()]);
    return device.queue.onSubmittedWorkDone();
  };
}

describe(`one step over ${length} parameters`, async () => {
  for (const lanes of [4, 16, 64]) bench(`stream, ${lanes} lanes`, streamKernel(lanes, 64), options);
  for (const shape of shapes) {
    for (const clipped of [false, true]) {
      const config = clipped ? adamw({ modifiers: [clipGlobalNorm({ maxNorm: 1 })] }) : adamw();
      const optimizer = await createShaped(device, [{ name: "w", shape: [length] }], config, shape);
      afterAll(() => optimizer.destroy());
      bench(
        `AdamW${clipped ? ", clip" : ""}, ${shape.name}`,
        async () => {
          optimizer.step();
          await device.queue.onSubmittedWorkDone();
        },
        options,
      );
    }
  }
});
