// Making buffers all or nothing: out-of-memory and validation errors become one DeviceError, and nothing is left behind.
import { DeviceError } from "../errors.ts";
import { requireBuffer } from "./device.ts";

/** Makes a storage buffer that can be copied from and to, or a uniform buffer, with contents or zeros. */
export type CreateBuffer = (
  label: string,
  bytes: number,
  contents?: Uint8Array,
  use?: "storage" | "uniform",
) => GPUBuffer;

export interface Allocation<T> {
  readonly made: T;
  /** Everything that was created, in order. */
  readonly buffers: readonly GPUBuffer[];
}

/**
 * Runs `build`, which makes buffers (and bind groups) without awaiting anything.
 *
 * @throws DeviceError that says what could not be held; every buffer is destroyed then.
 */
export async function allocate<T>(
  device: GPUDevice,
  purpose: string,
  build: (create: CreateBuffer) => T,
): Promise<Allocation<T>> {
  const buffers: GPUBuffer[] = [];
  const { STORAGE, UNIFORM, COPY_SRC, COPY_DST } = GPUBufferUsage;
  const create: CreateBuffer = (label, bytes, contents, use = "storage") => {
    requireBuffer(device, bytes, `the buffer "${label}"`);
    const buffer = device.createBuffer({
      label: `fallline ${label}`,
      // Copies and mappings want multiples of 4; a binding of nothing is none.
      size: Math.max(16, Math.ceil(bytes / 4) * 4),
      usage: use === "uniform" ? UNIFORM : STORAGE | COPY_SRC | COPY_DST,
      mappedAtCreation: contents !== undefined,
    });
    buffers.push(buffer);
    if (contents) {
      new Uint8Array(buffer.getMappedRange()).set(contents);
      buffer.unmap();
    }
    return buffer;
  };
  device.pushErrorScope("out-of-memory");
  device.pushErrorScope("validation");
  let made: T | undefined;
  let failure: Error | GPUError | null = null;
  try {
    made = build(create);
  } catch (error) {
    failure = error as Error;
  }
  try {
    const scoped = await Promise.all([device.popErrorScope(), device.popErrorScope()]);
    failure ??= scoped.find((error) => error !== null) ?? null;
  } catch (error) {
    failure ??= error as Error;
  }
  if (failure || made === undefined) {
    for (const buffer of buffers) buffer.destroy();
    throw new DeviceError(`the device could not hold ${purpose}: ${failure?.message}`, { cause: failure });
  }
  return { made, buffers };
}

/** The bytes of a typed array, without copying. */
export function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
