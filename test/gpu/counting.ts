// A device that counts what is asked of it: WebGPU calls by name, buffers alive, bytes written. It wraps nothing in
// proxies; it replaces methods on one device's own objects.
import { freshDevice } from "./setup.ts";

export interface Counts {
  dispatches: number;
  passes: number;
  submits: number;
  buffers: number;
  bindGroups: number;
  pipelines: number;
  shaderModules: number;
  encoders: number;
  copies: number;
  writes: number;
  bytesWritten: number;
}

const none: Counts = {
  dispatches: 0,
  passes: 0,
  submits: 0,
  buffers: 0,
  bindGroups: 0,
  pipelines: 0,
  shaderModules: 0,
  encoders: 0,
  copies: 0,
  writes: 0,
  bytesWritten: 0,
};

export interface CountingDevice {
  readonly device: GPUDevice;
  /** Labels of the buffers that were created and not destroyed. */
  readonly alive: ReadonlySet<GPUBuffer>;
  /** What `work` asked for. */
  count(work: () => unknown): Promise<Counts>;
}

export async function countingDevice(): Promise<CountingDevice> {
  const device = await freshDevice();
  const counts = { ...none };
  const alive = new Set<GPUBuffer>();
  const after = <T extends object, K extends keyof T>(
    object: T,
    method: K,
    note: (result: unknown, args: unknown[]) => void,
  ) => {
    const original = object[method] as (...args: unknown[]) => unknown;
    Object.defineProperty(object, method, {
      configurable: true,
      value: (...args: unknown[]) => {
        const result = original.apply(object, args);
        note(result, args);
        return result;
      },
    });
  };
  after(device, "createBuffer", (result) => {
    const buffer = result as GPUBuffer;
    counts.buffers++;
    alive.add(buffer);
    after(buffer, "destroy", () => alive.delete(buffer));
  });
  after(device, "createBindGroup", () => counts.bindGroups++);
  after(device, "createComputePipeline", () => counts.pipelines++);
  after(device, "createComputePipelineAsync", () => counts.pipelines++);
  after(device, "createShaderModule", () => counts.shaderModules++);
  after(device.queue, "submit", () => counts.submits++);
  after(device.queue, "writeBuffer", (_, [, , data, from, size]) => {
    if (from !== undefined || size !== undefined) throw new Error("count writes of a part of an array too");
    counts.writes++;
    counts.bytesWritten += (data as ArrayBufferView).byteLength;
  });
  after(device, "createCommandEncoder", (encoder) => {
    counts.encoders++;
    after(encoder as GPUCommandEncoder, "clearBuffer", () => counts.copies++);
    after(encoder as GPUCommandEncoder, "copyBufferToBuffer", () => counts.copies++);
    after(encoder as GPUCommandEncoder, "beginComputePass", (pass) => {
      counts.passes++;
      after(pass as GPUComputePassEncoder, "dispatchWorkgroups", () => counts.dispatches++);
      after(pass as GPUComputePassEncoder, "dispatchWorkgroupsIndirect", () => counts.dispatches++);
    });
  });
  return {
    device,
    alive,
    async count(work) {
      Object.assign(counts, none);
      await work();
      return { ...counts };
    },
  };
}
