// Counts the requests to a device: WebGPU calls by name, buffers alive, bytes written. It uses no proxies; it replaces methods on
// one device's own objects, and restores them on request.

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
  /** Through `writeBuffer`. */
  bytesWritten: number;
  /** In buffers created mapped. */
  bytesMapped: number;
  /**
   * Of the storage buffers bound by each dispatch, each once: the bytes moved by kernels that touch each buffer once as a whole.
   * NaN if a bind group was made before counting began.
   */
  bytesBound: number;
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
  bytesMapped: 0,
  bytesBound: 0,
};

export interface Counting {
  /** The buffers created since then and not destroyed. */
  readonly alive: ReadonlySet<GPUBuffer>;
  /** The requests made by `work`. */
  count(work: () => unknown): Promise<Counts>;
  /** Restores the device's own methods; open passes and encoders are still counted. */
  stop(): void;
}

/** Calls `note` after each call of a method, with its result and arguments; returns a function that undoes this. */
export function listen<T extends object, K extends keyof T>(
  object: T,
  method: K,
  note: (result: unknown, args: unknown[]) => void,
): () => void {
  const original = object[method] as (...args: unknown[]) => unknown;
  Object.defineProperty(object, method, {
    configurable: true,
    value: (...args: unknown[]) => {
      const result = original.apply(object, args);
      note(result, args);
      return result;
    },
  });
  return () => Reflect.deleteProperty(object, method);
}

/** Bytes of a `writeBuffer`, whose offset and size are in elements of a typed array, or else in bytes. */
function bytesOf(data: GPUAllowSharedBufferSource, from = 0, size?: number): number {
  const unit = "BYTES_PER_ELEMENT" in data ? Number(data.BYTES_PER_ELEMENT) : 1;
  return size === undefined ? data.byteLength - from * unit : size * unit;
}

/** Bytes of the storage buffers among a bind group's entries. */
function bytesBoundBy({ entries }: GPUBindGroupDescriptor): number {
  let bytes = 0;
  for (const { resource } of entries) {
    if (resource instanceof GPUBuffer) bytes += isStorage(resource) ? resource.size : 0;
    else if ("buffer" in resource && isStorage(resource.buffer)) {
      bytes += resource.size ?? resource.buffer.size - (resource.offset ?? 0);
    }
  }
  return bytes;
}

const isStorage = ({ usage }: GPUBuffer) =>
  (usage & GPUBufferUsage.STORAGE) !== 0 && (usage & GPUBufferUsage.UNIFORM) === 0;

export function countCalls(device: GPUDevice): Counting {
  const counts = { ...none };
  const alive = new Set<GPUBuffer>();
  const bound = new WeakMap<GPUBindGroup, number>();
  const undo = [
    listen(device, "createBuffer", (result, [descriptor]) => {
      const buffer = result as GPUBuffer;
      const { mappedAtCreation, size } = descriptor as GPUBufferDescriptor;
      counts.buffers++;
      if (mappedAtCreation) counts.bytesMapped += size;
      alive.add(buffer);
      listen(buffer, "destroy", () => alive.delete(buffer));
    }),
    listen(device, "createBindGroup", (result, [descriptor]) => {
      counts.bindGroups++;
      bound.set(result as GPUBindGroup, bytesBoundBy(descriptor as GPUBindGroupDescriptor));
    }),
    listen(device, "createComputePipeline", () => counts.pipelines++),
    listen(device, "createComputePipelineAsync", () => counts.pipelines++),
    listen(device, "createShaderModule", () => counts.shaderModules++),
    listen(device.queue, "submit", () => counts.submits++),
    listen(device.queue, "writeBuffer", (_, [, , data, from, size]) => {
      counts.writes++;
      counts.bytesWritten += bytesOf(
        data as GPUAllowSharedBufferSource,
        from as number | undefined,
        size as number | undefined,
      );
    }),
    listen(device, "createCommandEncoder", (encoder) => {
      counts.encoders++;
      listen(encoder as GPUCommandEncoder, "clearBuffer", () => counts.copies++);
      listen(encoder as GPUCommandEncoder, "copyBufferToBuffer", () => counts.copies++);
      listen(encoder as GPUCommandEncoder, "beginComputePass", (pass) => {
        counts.passes++;
        const set = new Map<number, GPUBindGroup>();
        const dispatched = () => {
          counts.dispatches++;
          for (const group of set.values()) counts.bytesBound += bound.get(group) ?? Number.NaN;
        };
        listen(pass as GPUComputePassEncoder, "setBindGroup", (_, [index, group]) => {
          if (group) set.set(index as number, group as GPUBindGroup);
          else set.delete(index as number);
        });
        listen(pass as GPUComputePassEncoder, "dispatchWorkgroups", dispatched);
        listen(pass as GPUComputePassEncoder, "dispatchWorkgroupsIndirect", dispatched);
      });
    }),
  ];
  return {
    alive,
    async count(work) {
      Object.assign(counts, none);
      await work();
      return { ...counts };
    },
    stop() {
      for (const each of undo) each();
    },
  };
}
