// Shows what a device draws: on a canvas with a WebGPU context or, where a software adapter cannot present to a canvas, by reading
// a texture back into a 2-D canvas.
import { DeviceError } from "../../base/errors.ts";
import { allocate } from "../../engines/gpu/allocate.ts";
import { isSoftware } from "../../engines/gpu/device.ts";
import { readParts } from "../../engines/gpu/readback.ts";
import { h } from "./elements.ts";

/** Something to draw: a pipeline, its bindings, and the number of vertices. */
export interface Draw {
  readonly pipeline: GPURenderPipeline;
  readonly bindGroup: GPUBindGroup;
  readonly vertices: number;
}

/** A square picture. */
export interface Screen {
  readonly canvas: HTMLCanvasElement;
  /** The format that pipelines draw to. */
  readonly format: GPUTextureFormat;
  /** Clears the picture and draws these; colours are multiplied by their alpha. */
  paint(draws: readonly Draw[]): Promise<void>;
  destroy(): void;
}

/** A square canvas with `side` pixels a side, hidden from screen readers. */
export function canvasOf(side: number, name: string): HTMLCanvasElement {
  return h("canvas", { width: side, height: side, class: name, "aria-hidden": "true" });
}

/** @param side Pixels of each side; a multiple of 64. */
export function createScreen(device: GPUDevice, side: number, name: string): Promise<Screen> {
  const canvas = canvasOf(side, name);
  return isSoftware(device) ? copiedScreen(device, canvas) : directScreen(device, canvas);
}

function encodeDraws(encoder: GPUCommandEncoder, view: GPUTextureView, draws: readonly Draw[]): void {
  const pass = encoder.beginRenderPass({
    colorAttachments: [{ view, loadOp: "clear", storeOp: "store", clearValue: [0, 0, 0, 0] }],
  });
  for (const { pipeline, bindGroup, vertices } of draws) {
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, bindGroup);
    pass.draw(vertices);
  }
  pass.end();
}

async function directScreen(device: GPUDevice, canvas: HTMLCanvasElement): Promise<Screen> {
  const format = navigator.gpu.getPreferredCanvasFormat();
  const context = canvas.getContext("webgpu");
  if (!context) throw new DeviceError("this browser has no WebGPU context for a canvas");
  context.configure({ device, format, alphaMode: "premultiplied" });
  return {
    canvas,
    format,
    async paint(draws) {
      const encoder = device.createCommandEncoder({ label: "screen" });
      encodeDraws(encoder, context.getCurrentTexture().createView(), draws);
      device.queue.submit([encoder.finish()]);
    },
    destroy: () => context.unconfigure(),
  };
}

async function copiedScreen(device: GPUDevice, canvas: HTMLCanvasElement): Promise<Screen> {
  const format = "rgba8unorm";
  const { width, height } = canvas;
  const bytes = 4 * width * height;
  const context = canvas.getContext("2d")!;
  const { RENDER_ATTACHMENT, COPY_SRC } = GPUTextureUsage;
  const { made, buffers } = await allocate(device, `a picture of ${width} by ${height} pixels`, (create) => ({
    texture: device.createTexture({ size: [width, height], format, usage: RENDER_ATTACHMENT | COPY_SRC }),
    copy: create("picture", bytes),
  }));
  const { texture, copy: buffer } = made;
  const view = texture.createView();
  return {
    canvas,
    format,
    async paint(draws) {
      const [pixels] = await readParts(device, [{ buffer, offset: 0, bytes }], (encoder) => {
        encodeDraws(encoder, view, draws);
        encoder.copyTextureToBuffer({ texture }, { buffer, bytesPerRow: 4 * width }, [width, height]);
      });
      context.putImageData(new ImageData(plain(new Uint8ClampedArray(pixels!)), width, height), 0, 0);
    },
    destroy() {
      texture.destroy();
      for (const each of buffers) each.destroy();
    },
  };
}

/** Pixels with colours that are no longer multiplied by their alpha. */
function plain(pixels: Uint8ClampedArray<ArrayBuffer>): Uint8ClampedArray<ArrayBuffer> {
  for (let i = 0; i < pixels.length; i += 4) {
    const alpha = pixels[i + 3]!;
    if (alpha === 0 || alpha === 255) continue;
    for (let k = i; k < i + 3; k++) pixels[k] = (pixels[k]! * 255) / alpha;
  }
  return pixels;
}
