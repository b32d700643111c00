// Points on a landscape on the GPU. A gradient is two dispatches whatever the number of points and coordinates: slopes and
// sums of terms chunk by chunk, then the sum of those. All replicas lie in the third dimension. Losses and norms come back
// through a pool of mapped buffers while later steps already run.

import points from "../../shaders/objectives/landscape.wgsl?raw";
import gradientDriver from "../../shaders/objectives/landscape_gradient.wgsl?raw";
import lossesDriver from "../../shaders/objectives/landscape_losses.wgsl?raw";
import total from "../../shaders/objectives/landscape_total.wgsl?raw";
import { chunkLength, type Segment } from "../arena.ts";
import { assemble, type Source, type SourcePart, snakeCase } from "../assemble.ts";
import { allocate, bytesOf } from "../gpu/allocate.ts";
import { grid, isSoftware } from "../gpu/device.ts";
import { compileKernel, type Dispatch, encodeDispatches, leavePass, mustBePass } from "../gpu/kernel.ts";
import type { GpuOptimizer } from "../gpu/optimizer.ts";
import { readParts } from "../gpu/readback.ts";
import { streamShape } from "../gpu/shapes.ts";
import type { Landscape } from "../landscapes/define.ts";
import { readOptimizer } from "../optimizer.ts";
import { type LandscapeObjective, pointsName, pointsOf } from "./landscape.ts";
import { firstAndEach, reportOf, type StepReport } from "./objective.ts";
import { mustHaveOptimizer, type Report, Reports } from "./report_gpu.ts";

/** Points on a landscape whose gradient can be encoded among a caller's own commands. */
export interface GpuLandscape extends LandscapeObjective {
  /** Encodes losses and gradients into the optimizer's gradient arena: two dispatches. */
  encode(pass: GPUComputePassEncoder): void;
}

/** Terms that one lane adds up where each point's loss is asked for. */
const pieceLength = 256;

/** A binding may begin at any multiple of so many bytes. */
const bindingAlignment = 256;

/** Fields of `Setting` before the landscape's own, all u32. */
const settingFields = ["dimension", "length", "stride", "points_first", "gradients_first"] as const;

/** The kernels of a landscape; those of one type differ in nothing but their setting. */
export interface LandscapeSources {
  readonly gradient: Source;
  readonly losses: Source;
}

export function landscapeSources({ type, kernel }: Pick<Landscape, "type" | "kernel">): LandscapeSources {
  const part = (file: string, text: string): SourcePart => ({ name: `shaders/objectives/${file}.wgsl`, text });
  const surface: SourcePart = { name: `shaders/landscapes/${snakeCase(type)}.wgsl`, text: kernel.wgsl };
  const header: SourcePart = { name: `the setting of ${type}`, text: settingText(Object.keys(kernel.constants)) };
  const parts = [header, part("landscape", points), surface];
  return {
    gradient: assemble(`${type} gradient`, [...parts, part("landscape_gradient", gradientDriver)]),
    losses: assemble(`${type} losses`, [...parts, part("landscape_losses", lossesDriver)]),
  };
}

export const landscapeTotalSource = assemble("landscape total", [
  { name: "shaders/objectives/landscape_total.wgsl", text: total },
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
  // An array in a buffer has one element at least.
  const bytes = new ArrayBuffer(4 * (first + Math.max(1, numbers.length)));
  new Uint32Array(bytes).set(settingFields.map((name) => fields[name]));
  const floats = new Float32Array(bytes);
  floats.set(values, settingFields.length);
  floats.set(numbers, first);
  return bytesOf(floats);
}

/**
 * Binds a landscape to a WebGPU optimizer that was made of `landscapeTensors`.
 *
 * @throws OptionError when they do not fit each other, DeviceError when the device is too small.
 */
export async function createGpuLandscape(optimizer: GpuOptimizer, landscape: Landscape): Promise<GpuLandscape> {
  readOptimizer(optimizer, "webgpu");
  mustHaveOptimizer(optimizer, "createGpuLandscape");
  const segment = pointsOf(optimizer.segments, landscape);
  const { device, replicas, control, controlBytes } = optimizer;
  const { length } = segment;
  const chunks = Math.ceil(length / chunkLength);
  const { workgroupSize, barriers } = streamShape(device);
  const partialBytes = replicas * chunks * (barriers ? 1 : workgroupSize) * 4;
  const [from, to] = [bound(optimizer, "params"), bound(optimizer, "gradients")];
  const sources = landscapeSources(landscape);
  const [gradientKernel, totalKernel] = await Promise.all([
    compileKernel(device, sources.gradient, ["read", "read", "write", "write", "read"], {
      workgroup_size: workgroupSize,
      barriers: Number(barriers),
      chunk_length: chunkLength,
      control_stride: controlBytes / replicas / 4,
      skip_index: optimizer.skipIndex(),
      loss_scale_index: optimizer.lossScaleIndex(),
    }),
    compileKernel(device, landscapeTotalSource, ["read", "write"], { lane_count: isSoftware(device) ? 1 : 64 }),
  ]);
  const setting = settingBytes(landscape.kernel, {
    dimension: landscape.dimension,
    length,
    stride: from.stride,
    points_first: from.first,
    gradients_first: to.first,
  });
  const { made, buffers } = await allocate(device, `${segment.shape[0]} points`, (create) => {
    const settings = create("landscape", setting.byteLength, setting);
    const partials = { buffer: create("partial losses", partialBytes), size: partialBytes };
    const totals = create("totals", 4 * replicas);
    const dispatches: readonly Dispatch[] = [
      {
        pipeline: gradientKernel.pipeline,
        bindGroup: gradientKernel.bind([from.range, settings, to.range, partials, control]),
        workgroups: [...grid(device, chunks), replicas],
      },
      {
        pipeline: totalKernel.pipeline,
        bindGroup: totalKernel.bind([partials, totals]),
        workgroups: [1, 1, replicas],
      },
    ];
    return { setting: settings, totals, dispatches };
  });
  return new Points(optimizer, landscape, segment, sources.losses, { ...made, buffers });
}

/** The points of all replicas, or their gradients, in one binding. */
interface Bound {
  readonly range: GPUBufferBinding;
  /** Elements before the first point: a caller's own buffer may hold them anywhere. */
  readonly first: number;
  /** Elements from a replica's to the next one's; 0 where there is only one. */
  readonly stride: number;
}

function bound(optimizer: GpuOptimizer, role: "params" | "gradients"): Bound {
  const { buffer, offset, size } = optimizer.binding(role, pointsName);
  const behind = offset % bindingAlignment;
  const bytes = optimizer.replicas === 1 ? 0 : optimizer.binding(role, pointsName, 1).offset - offset;
  return {
    range: { buffer, offset: offset - behind, size: size! + behind + bytes * (optimizer.replicas - 1) },
    first: behind / 4,
    stride: bytes / 4,
  };
}

interface Resources {
  readonly buffers: readonly GPUBuffer[];
  readonly setting: GPUBuffer;
  readonly totals: GPUBuffer;
  readonly dispatches: readonly Dispatch[];
}

class Points implements GpuLandscape {
  readonly #optimizer: GpuOptimizer;
  readonly #landscape: Landscape;
  readonly #segment: Segment;
  readonly #lossesSource: Source;
  readonly #resources: Resources;
  readonly #reports: Reports;
  /** What was last heard of each replica: of one that is halted, this stays. */
  readonly #losses: number[];

  constructor(
    optimizer: GpuOptimizer,
    landscape: Landscape,
    segment: Segment,
    lossesSource: Source,
    resources: Resources,
  ) {
    const { replicas } = optimizer;
    this.#optimizer = optimizer;
    this.#landscape = landscape;
    this.#segment = segment;
    this.#lossesSource = lossesSource;
    this.#resources = resources;
    this.#reports = new Reports(optimizer, resources.totals, 4 * replicas);
    this.#losses = Array.from({ length: replicas }, () => 0);
  }

  encode(pass: GPUComputePassEncoder): void {
    this.#reports.mustLive("encode");
    mustBePass(pass);
    encodeDispatches(pass, this.#resources.dispatches);
    leavePass(this.#optimizer.device, pass);
  }

  step(): Promise<StepReport> {
    return this.#reports.answer("step", async () => {
      const report = await this.#reports.submit("step", (pass) => {
        this.encode(pass);
        this.#optimizer.encode(pass);
      });
      const losses = this.#noteLosses(report);
      return firstAndEach(report.stats().map((each, replica) => reportOf(losses[replica]!, each)));
    });
  }

  gradient(): Promise<readonly number[]> {
    return this.#reports.answer("gradient", async () =>
      this.#noteLosses(await this.#reports.run("gradient", this.#resources.dispatches)),
    );
  }

  losses(replica = 0): Promise<Float32Array> {
    return this.#reports.answer("losses", () => this.#lossesOf(replica));
  }

  async #lossesOf(replica: number): Promise<Float32Array> {
    const { device } = this.#optimizer;
    // Refuses a replica that is not there.
    const { buffer, offset, size } = this.#optimizer.binding("params", pointsName, replica);
    const behind = offset % bindingAlignment;
    const { workgroupSize } = streamShape(device);
    const kernel = await compileKernel(device, this.#lossesSource, ["read", "read", "write"], {
      workgroup_size: workgroupSize,
      piece_length: pieceLength,
    });
    const count = this.#segment.shape[0]!;
    const pieces = Math.ceil(this.#landscape.dimension / pieceLength);
    const bytes = 4 * count * pieces;
    const { made, buffers } = await allocate(device, `the losses of ${count} points`, (create) => {
      const range = { buffer, offset: offset - behind, size: size! + behind };
      const losses = create("losses", bytes);
      return { losses, bindGroup: kernel.bind([range, this.#resources.setting, losses]) };
    });
    try {
      this.#reports.mustLive("losses");
      const workgroups = grid(device, Math.ceil((count * pieces) / workgroupSize));
      const [told] = await readParts(device, [{ buffer: made.losses, offset: 0, bytes }], (encoder) => {
        const pass = encoder.beginComputePass({ label: "fallline losses" });
        encodeDispatches(pass, [{ pipeline: kernel.pipeline, bindGroup: made.bindGroup, workgroups }]);
        pass.end();
      });
      const found = new Float32Array(told!);
      if (pieces === 1) return found;
      return Float32Array.from({ length: count }, (_, point) =>
        found.subarray(point * pieces, (point + 1) * pieces).reduce((sum, piece) => sum + piece, 0),
      );
    } finally {
      for (const each of buffers) each.destroy();
    }
  }

  destroy(): void {
    for (const buffer of this.#resources.buffers) buffer.destroy();
    this.#reports.destroy();
  }

  /** Each replica's mean loss; of one that is halted, the last before. */
  #noteLosses({ floats, isHalted }: Report): readonly number[] {
    this.#losses.forEach((_, r) => {
      if (!isHalted(r)) this.#losses[r] = floats[r]! / this.#segment.shape[0]!;
    });
    return [...this.#losses];
  }
}
