// Reading GPU memory without waiting for it: a pool of small mappable buffers of one size. A copy is encoded into one,
// and its bytes arrive later as a promise, while further work is already submitted.
import { DeviceError } from "../errors.ts";

export class ReadbackPool {
  readonly #device: GPUDevice;
  readonly #size: number;
  readonly #label: string;
  readonly #all = new Set<GPUBuffer>();
  readonly #free: GPUBuffer[] = [];

  constructor(device: GPUDevice, size: number, label: string) {
    this.#device = device;
    this.#size = size;
    this.#label = label;
  }

  /** Makes a buffer ahead of time. */
  reserve(): void {
    this.#free.push(this.take());
  }

  /** A buffer to copy into; a new one only where all are still in flight. */
  take(): GPUBuffer {
    const free = this.#free.pop();
    if (free) return free;
    const buffer = this.#device.createBuffer({
      label: this.#label,
      size: this.#size,
      usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
    });
    this.#all.add(buffer);
    return buffer;
  }

  /** The bytes of a taken buffer once everything submitted so far has run; the buffer is free again after that. */
  async collect(buffer: GPUBuffer): Promise<ArrayBuffer> {
    const bytes = (await mapped(buffer)).slice(0);
    buffer.unmap();
    if (this.#all.has(buffer)) this.#free.push(buffer);
    return bytes;
  }

  destroy(): void {
    for (const buffer of this.#all) buffer.destroy();
    this.#all.clear();
    this.#free.length = 0;
  }
}

/** Parts of buffers, in bytes. */
export interface CopySource {
  readonly buffer: GPUBuffer;
  readonly offset: number;
  readonly bytes: number;
}

/** Copies several parts to the host in one submission. */
export async function readParts(device: GPUDevice, parts: readonly CopySource[]): Promise<readonly ArrayBuffer[]> {
  const staging = device.createBuffer({
    label: "readback",
    size: Math.max(
      4,
      parts.reduce((sum, { bytes }) => sum + bytes, 0),
    ),
    usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
  });
  try {
    const encoder = device.createCommandEncoder({ label: "readback" });
    let end = 0;
    const ends = parts.map(({ buffer, offset, bytes }) => {
      encoder.copyBufferToBuffer(buffer, offset, staging, end, bytes);
      end += bytes;
      return end;
    });
    device.queue.submit([encoder.finish()]);
    const all = await mapped(staging);
    return parts.map(({ bytes }, i) => all.slice(ends[i]! - bytes, ends[i]!));
  } finally {
    staging.destroy();
  }
}

/** What a buffer holds once everything submitted so far has run; gone when it is unmapped or destroyed. */
async function mapped(buffer: GPUBuffer): Promise<ArrayBuffer> {
  try {
    await buffer.mapAsync(GPUMapMode.READ);
    return buffer.getMappedRange();
  } catch (error) {
    throw new DeviceError(`reading back from the GPU failed: ${(error as Error).message}`, { cause: error });
  }
}
