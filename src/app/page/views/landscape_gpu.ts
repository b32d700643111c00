// The picture of a landscape on the GPU: the lines from the landscape's own WGSL, and the cloud from the optimizer's parameters,
// which never leave the device.
import cloudText from "../../../../shaders/page/cloud.wgsl?raw";
import contoursText from "../../../../shaders/page/contours.wgsl?raw";
import { assemble, type Source } from "../../../base/assemble.ts";
import { DeviceError } from "../../../base/errors.ts";
import { allocate, bytesOf } from "../../../engines/gpu/allocate.ts";
import type { GpuOptimizer } from "../../../engines/gpu/optimizer.ts";
import { pointsName } from "../../../objectives/landscape.ts";
import { surfaceSetting, surfaceSnippets } from "../../../objectives/landscape_gpu.ts";
import type { Landscape } from "../../../objectives/landscapes/define.ts";
import { createScreen, type Draw } from "../screen.ts";
import {
  cloudSide,
  endColor,
  endColors,
  type Flowing,
  type LandscapeMap,
  lineSide,
  linesOf,
  palette,
  sharesOf,
} from "./landscape_map.ts";
import type { Box } from "./landscape_runs.ts";

export const cloudSource = assemble("cloud", [{ name: "shaders/page/cloud.wgsl", text: cloudText }]);

export function contoursSource(landscape: Pick<Landscape, "type" | "kernel">): Source {
  const { setting, surface } = surfaceSnippets(landscape);
  return assemble(`${landscape.type} contours`, [
    setting,
    { name: "shaders/page/contours.wgsl", text: contoursText },
    surface,
  ]);
}

const flat = ([[left, right], [low, high]]: Box) => [left, right, low, high];

/** How strongly the ground darkens uphill. */
const shade = 0.12;

/** A map drawn by a device, on its own canvases. */
export async function createGpuMap(device: GPUDevice): Promise<LandscapeMap> {
  const below = await createScreen(device, cloudSide, "cloud");
  const above = await createScreen(device, lineSide, "lines");
  const pen = penOf(device, below.format);
  let buffers: readonly GPUBuffer[] = [];
  let drawing: readonly Draw[] = [];
  const dispose = () => {
    for (const each of buffers) each.destroy();
    drawing = [];
  };

  return {
    canvases: [below.canvas, above.canvas],
    async drawLines(landscape) {
      const pipeline = await pen(contoursSource(landscape), 2, "corner", "line", "triangle-list");
      const { levels } = linesOf(landscape);
      const numbers = Float32Array.from([...flat(landscape.domain), ...sharesOf("ink"), 1, shade, ...levels]);
      const setting = surfaceSetting(landscape);
      const { made, buffers: taken } = await allocate(device, "the lines of a landscape", (create) =>
        pipeline.bind([
          create("setting", setting.byteLength, setting),
          create("contours", numbers.byteLength, bytesOf(numbers)),
        ]),
      );
      await above.paint([{ pipeline: pipeline.pipeline, bindGroup: made, vertices: 3 }]);
      await device.queue.onSubmittedWorkDone();
      for (const buffer of taken) buffer.destroy();
    },
    async take({ optimizer, cloud, basins }: Flowing) {
      const { buffer, offset, size } = (optimizer as GpuOptimizer).binding("params", pointsName);
      const count = cloud.starts.length / 2;
      const bytes = new ArrayBuffer(64 + 16 * (endColors + 1));
      const [floats, words] = [new Float32Array(bytes), new Uint32Array(bytes)];
      const behind = offset % device.limits.minStorageBufferOffsetAlignment;
      floats.set([...flat(basins.domain), ...flat(basins.reach)]);
      words.set([cloud.columns, cloud.rows, count, basins.cells], 8);
      floats[12] = basins.arrived;
      words[13] = behind / 4;
      floats.set(
        palette().flatMap((each) => [...each, 1]),
        16,
      );
      const ends = new ArrayBuffer(16 * Math.max(1, basins.ends.length));
      for (const [i, [x, y]] of basins.ends.entries()) {
        new Float32Array(ends).set([x, y], 4 * i);
        new Uint32Array(ends)[4 * i + 2] = endColor(i);
      }
      const [ground, dots] = await Promise.all([
        pen(cloudSource, 4, "corner", "ground", "triangle-list"),
        pen(cloudSource, 4, "dot_at", "dot_color", "point-list"),
      ]);
      const { made, buffers: taken } = await allocate(device, `a picture of ${count} points`, (create) => {
        const bound = [
          { buffer, offset: offset - behind, size: size! + behind },
          create("cloud", bytes.byteLength, new Uint8Array(bytes)),
          create("nearest", basins.nearest.byteLength, bytesOf(basins.nearest)),
          create("ends", ends.byteLength, new Uint8Array(ends)),
        ];
        return [
          { pipeline: ground.pipeline, bindGroup: ground.bind(bound), vertices: 3 },
          { pipeline: dots.pipeline, bindGroup: dots.bind(bound), vertices: count },
        ];
      });
      dispose();
      buffers = taken;
      drawing = made;
    },
    drawCloud: () => below.paint(drawing),
    destroy() {
      dispose();
      for (const screen of [below, above]) screen.destroy();
    },
  };
}

interface Pen {
  readonly pipeline: GPURenderPipeline;
  bind(buffers: readonly (GPUBuffer | GPUBufferBinding)[]): GPUBindGroup;
}

/** Creates pipelines, each once, that draw from storage buffers over the current picture. */
function penOf(device: GPUDevice, format: GPUTextureFormat) {
  const known = new Map<string, Promise<Pen>>();
  return (
    source: Source,
    bindings: number,
    vertex: string,
    fragment: string,
    topology: GPUPrimitiveTopology,
  ): Promise<Pen> => {
    const key = `${source.name} ${vertex}`;
    const made = known.get(key) ?? make(source, bindings, vertex, fragment, topology);
    known.set(key, made);
    return made;
  };

  async function make(
    source: Source,
    bindings: number,
    vertex: string,
    fragment: string,
    topology: GPUPrimitiveTopology,
  ): Promise<Pen> {
    const module = device.createShaderModule({ label: source.name, code: source.code });
    const layout = device.createBindGroupLayout({
      label: source.name,
      entries: Array.from({ length: bindings }, (_, binding) => ({
        binding,
        visibility: GPUShaderStage.VERTEX | GPUShaderStage.FRAGMENT,
        buffer: { type: "read-only-storage" as const },
      })),
    });
    const over = { srcFactor: "one", dstFactor: "one-minus-src-alpha" } as const;
    try {
      const pipeline = await device.createRenderPipelineAsync({
        label: source.name,
        layout: device.createPipelineLayout({ bindGroupLayouts: [layout] }),
        vertex: { module, entryPoint: vertex },
        fragment: { module, entryPoint: fragment, targets: [{ format, blend: { color: over, alpha: over } }] },
        primitive: { topology },
      });
      return {
        pipeline,
        bind: (buffers) =>
          device.createBindGroup({
            label: source.name,
            layout,
            entries: buffers.map((buffer, binding) => ({
              binding,
              resource: "buffer" in buffer ? buffer : { buffer },
            })),
          }),
      };
    } catch (error) {
      throw new DeviceError(`${source.name} makes no valid pipeline: ${(error as Error).message}`, { cause: error });
    }
  }
}
