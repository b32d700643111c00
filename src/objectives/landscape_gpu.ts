// Points on a landscape on the GPU. A gradient is two dispatches whatever the number of points and coordinates: slopes and
// sums of terms chunk by chunk, then the sum of those. Replicas are the third dimension.
import points from "../../shaders/objectives/landscape.wgsl?raw";
import gradientDriver from "../../shaders/objectives/landscape_gradient.wgsl?raw";
import total from "../../shaders/objectives/landscape_total.wgsl?raw";
import { assemble, type Snippet, type Source, snakeCase } from "../base/assemble.ts";
import { allocate, bytesOf } from "../engines/gpu/allocate.ts";
import { grid } from "../engines/gpu/device.ts";
import { compileKernel, type Dispatch } from "../engines/gpu/kernel.ts";
import { joinConstants, streamShape } from "../engines/gpu/kernel_shapes.ts";
import type { GpuOptimizer } from "../engines/gpu/optimizer.ts";
import {
  file,
  joinSnippet,
  philoxSnippet,
  plainSumSnippet,
  totalSnippet,
  workgroupSnippet,
} from "../engines/stages/snippets.ts";
import { chunkLength, type Segment } from "../optimizer/arena.ts";
import { pointsName } from "./landscape.ts";
import type { Landscape } from "./landscapes/define.ts";
import { type GpuProgram, totalBytes } from "./program.ts";

/** A binding may start at any multiple of this many bytes. */
const bindingAlignment = 256;

/** Fields of `Setting` before the landscape's own, all u32. */
const settingFields = ["dimension", "length", "stride", "points_first", "gradients_first"] as const;

const joining = [workgroupSnippet, plainSumSnippet, joinSnippet];

/** The kernel of a landscape; those of one type differ only in their setting. */
export function landscapeSource({ type, kernel }: Pick<Landscape, "type" | "kernel">): Source {
  const { setting, surface } = surfaceSnippets({ type, kernel });
  return assemble(`${type} gradient`, [
    setting,
    file("objectives/landscape", points),
    ...(kernel.random ? [philoxSnippet] : []),
    surface,
    ...joining,
    file("objectives/landscape_gradient", gradientDriver),
  ]);
}

/** A landscape's part of a source: the struct of its setting, and `term` and `slope` of the coordinates `x(i)`. */
export function surfaceSnippets({ type, kernel }: Pick<Landscape, "type" | "kernel">) {
  return {
    setting: { name: `the setting of ${type}`, text: settingText(Object.keys(kernel.constants)) },
    surface: file(`landscapes/${snakeCase(type)}`, kernel.wgsl),
  } satisfies Readonly<Record<string, Snippet>>;
}

/** The setting of a landscape whose points are not in a buffer. */
export function surfaceSetting({ dimension, kernel }: Pick<Landscape, "dimension" | "kernel">): Uint8Array {
  return settingBytes(kernel, { dimension, length: dimension, stride: 0, points_first: 0, gradients_first: 0 });
}

export const landscapeTotalSource = assemble("landscape total", [
  ...joining,
  totalSnippet,
  file("objectives/landscape_total", total),
]);

/** The struct that {@link settingBytes} fills. */
function settingText(constants: readonly string[]): string {
  const fields = [
    ...settingFields.map((name) => `${name}: u32,`),
    ...constants.map((name) => `${snakeCase(name)}: f32,`),
    "numbers: array<f32>,",
  ];
  return `struct Setting {\n${fields.map((field) => `  ${field}\n`).join("")}}\n`;
}

type SettingFields = Readonly<Record<(typeof settingFields)[number], number>>;

function settingBytes({ constants, numbers }: Landscape["kernel"], fields: SettingFields): Uint8Array {
  const values = Object.values(constants);
  const first = settingFields.length + values.length;
  // An array in a buffer has at least one element.
  const bytes = new ArrayBuffer(4 * (first + Math.max(1, numbers.length)));
  new Uint32Array(bytes).set(settingFields.map((name) => fields[name]));
  const floats = new Float32Array(bytes);
  floats.set(values, settingFields.length);
  floats.set(numbers, first);
  return bytesOf(floats);
}

/** The points of all replicas, or their gradients, in one binding. */
interface Bound {
  readonly range: GPUBufferBinding;
  /** Elements before the first point: a caller's own buffer may hold them anywhere. */
  readonly first: number;
  /** Elements from one replica's points to the next one's; 0 if there is only one. */
  readonly stride: number;
}

function bound(optimizer: GpuOptimizer, role: "params" | "gradients"): Bound {
  const { buffer, offset, size } = optimizer.binding(role, pointsName);
  const behind = offset % bindingAlignment;
  const bytes = optimizer.replicas === 1 ? 0 : optimizer.binding(role, pointsName, { replica: 1 }).offset - offset;
  return {
    range: { buffer, offset: offset - behind, size: size! + behind + bytes * (optimizer.replicas - 1) },
    first: behind / 4,
    stride: bytes / 4,
  };
}

/**
 * Makes everything of points on a landscape for one optimizer.
 *
 * @throws DeviceError if the device is too small.
 */
export async function bindLandscapeToGpu(
  optimizer: GpuOptimizer,
  landscape: Landscape,
  segment: Segment,
): Promise<GpuProgram> {
  const { device, replicas, control, controlBytes } = optimizer;
  const { length } = segment;
  const chunks = Math.ceil(length / chunkLength);
  const { workgroupSize, barriers } = streamShape(device);
  const partialBytes = replicas * chunks * (barriers ? 1 : workgroupSize) * 4;
  const [from, to] = [bound(optimizer, "params"), bound(optimizer, "gradients")];
  const source = landscapeSource(landscape);
  const slopes = (derive: boolean) =>
    compileKernel(device, source, ["read", "read", "write", "write", "read"], {
      workgroup_size: workgroupSize,
      barriers: Number(barriers),
      chunk_length: chunkLength,
      control_stride: controlBytes / replicas / 4,
      skip_index: optimizer.controlIndex("skip"),
      step_index: optimizer.controlIndex("step"),
      loss_scale_index: optimizer.controlIndex("lossScale"),
      derive: Number(derive),
    });
  const [gradientKernel, totalKernel] = await Promise.all([
    slopes(true),
    compileKernel(device, landscapeTotalSource, ["read", "write"], joinConstants(device)),
  ]);
  const setting = settingBytes(landscape.kernel, {
    dimension: landscape.dimension,
    length,
    stride: from.stride,
    points_first: from.first,
    gradients_first: to.first,
  });
  const count = segment.shape[0]!;
  const { made, buffers } = await allocate(device, `${count} points`, (create) => {
    const settings = create("landscape", setting.byteLength, setting);
    const partials = { buffer: create("partial losses", partialBytes), size: partialBytes };
    const totals = create("totals", totalBytes * replicas);
    const inputs = [from.range, settings, to.range, partials, control];
    const workgroups = [...grid(device, chunks), replicas] as const;
    const sums: Dispatch = {
      pipeline: totalKernel.pipeline,
      bindGroup: totalKernel.bind([partials, totals]),
      workgroups: [1, 1, replicas],
    };
    return { inputs, workgroups, sums, totals };
  });
  const { inputs, workgroups, sums, totals } = made;
  const { pipeline } = gradientKernel;
  return {
    buffers,
    rows: undefined,
    microBatches: [[{ pipeline, bindGroup: gradientKernel.bind(inputs), workgroups }, sums]],
    after: [],
    totals,
    hasPenalty: false,
    examples: count,
    async evaluation() {
      const kernel = await slopes(false);
      const terms = { pipeline: kernel.pipeline, bindGroup: kernel.bind(inputs), workgroups };
      return { dispatches: [terms, sums], buffers: [] };
    },
  };
}
