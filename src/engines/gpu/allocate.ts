// The one place that makes buffers and catches the device's errors: those of memory and validation become one DeviceError that
// names what could not be made, and nothing is left behind.
import { DeviceError, FalllineError } from "../../base/errors.ts";
import { learnLoss, lossText, requireBuffer, requireLimit } from "./device.ts";

/** The use of a buffer: by kernels, also for copies; for their sizes; or by the host, which reads what is copied there. */
export type BufferUse = "storage" | "uniform" | "readback";

/** Makes a buffer with contents or zeros. */
export type CreateBuffer = (label: string, bytes: number, contents?: Uint8Array, use?: BufferUse) => GPUBuffer;

export interface Allocation<T> {
  readonly made: T;
  /** Everything that was created, in order. */
  readonly buffers: readonly GPUBuffer[];
}

/** The messages of a device about some calls, by kind; empty if all went well. */
export interface Trouble {
  /** It ran out of memory. */
  readonly memory?: GPUError;
  /** It refused a call. */
  readonly refusal?: GPUError;
}

/** The outcome of {@link watched} calls. */
export interface Watched<T> {
  /** The result of the calls; undefined if something was thrown. */
  readonly made: T | undefined;
  readonly thrown: { readonly error: unknown } | undefined;
  readonly trouble: Promise<Trouble>;
}

/**
 * Runs `work`, which must not await anything, in error scopes of its own, so that a caller's scopes stay balanced and catch none
 * of our errors. What it throws is reported like everything else.
 */
export function watched<T>(device: GPUDevice, work: () => T): Watched<T> {
  device.pushErrorScope("out-of-memory");
  device.pushErrorScope("validation");
  let made: T | undefined;
  let thrown: Watched<T>["thrown"];
  try {
    made = work();
  } catch (error) {
    thrown = { error };
  }
  return { made, thrown, trouble: troubleOf(device.popErrorScope(), device.popErrorScope()) };
}

/** The messages of popped error scopes: validation first, then memory. */
export async function troubleOf(...scopes: readonly Promise<GPUError | null>[]): Promise<Trouble> {
  // A lost device may reject these, and then has no message.
  const [refusal, memory] = await Promise.all(scopes.map((scope) => scope.catch(() => null)));
  return { ...(memory ? { memory } : {}), ...(refusal ? { refusal } : {}) };
}

/** Makes a buffer; inside {@link watched}, which reports failure. */
export function createBuffer(
  device: GPUDevice,
  label: string,
  bytes: number,
  use: BufferUse = "storage",
  contents?: Uint8Array,
): GPUBuffer {
  const { STORAGE, UNIFORM, COPY_SRC, COPY_DST, MAP_READ } = GPUBufferUsage;
  const usages = { storage: STORAGE | COPY_SRC | COPY_DST, uniform: UNIFORM | COPY_DST, readback: MAP_READ | COPY_DST };
  const purpose = `the buffer "${label}"`;
  if (use === "readback") requireLimit(device, "maxBufferSize", bytes, purpose);
  else requireBuffer(device, bytes, purpose);
  const buffer = device.createBuffer({
    label: `fallline ${label}`,
    // Copies and mappings need multiples of 4, and a binding must not be empty.
    size: Math.max(16, Math.ceil(bytes / 4) * 4),
    usage: usages[use],
    mappedAtCreation: contents !== undefined,
  });
  if (!contents) return buffer;
  try {
    new Uint8Array(buffer.getMappedRange()).set(contents);
    buffer.unmap();
    return buffer;
  } catch (error) {
    buffer.destroy();
    throw error;
  }
}

/**
 * Runs `build`, which makes buffers (and bind groups) without awaiting anything.
 *
 * @throws DeviceError that says what did not fit or was refused; every buffer is destroyed then. Our own errors that `build`
 * throws pass through unchanged.
 */
export async function allocate<T>(
  device: GPUDevice,
  purpose: string,
  build: (create: CreateBuffer) => T,
): Promise<Allocation<T>> {
  const buffers: GPUBuffer[] = [];
  const create: CreateBuffer = (label, bytes, contents, use) => {
    const buffer = createBuffer(device, label, bytes, use, contents);
    buffers.push(buffer);
    return buffer;
  };
  const { made, thrown, trouble } = watched(device, () => ({ value: build(create) }));
  const failure = await failureOf(device, purpose, await trouble, thrown);
  if (made && !failure) return { made: made.value, buffers };
  for (const buffer of buffers) buffer.destroy();
  throw failure;
}

/**
 * Why something could not be made, if it could not: an error of our own that was thrown; else memory, since a lack of it causes
 * the other errors; else what the device refused.
 */
export async function failureOf(
  device: GPUDevice,
  purpose: string,
  { memory, refusal }: Trouble,
  thrown?: Watched<unknown>["thrown"],
): Promise<FalllineError | undefined> {
  if (thrown?.error instanceof FalllineError) return thrown.error;
  if (memory) {
    const reason = wordsOf(memory, "");
    const said = reason && ` (${reason})`;
    return new DeviceError(`the device could not hold ${purpose}: it is out of memory${said}`, { cause: memory });
  }
  if (refusal) {
    return new DeviceError(`the device refused a buffer or binding for ${purpose}: ${wordsOf(refusal, noReason)}`, {
      cause: refusal,
    });
  }
  if (!thrown) return undefined;
  const loss = await learnLoss(device);
  return new DeviceError(
    loss
      ? `${lossText(loss)} while ${purpose} was created`
      : `the device could not hold ${purpose}: ${wordsOf(thrown.error, noReason)}`,
    { cause: thrown.error },
  );
}

const noReason = "it gave no reason";

/** The first line of a message, or a substitute: some errors of WebGPU are empty. */
export function wordsOf(error: unknown, otherwise: string): string {
  const text = error instanceof Error || hasMessage(error) ? error.message : String(error);
  return text.split("\n")[0]?.trim() || otherwise;
}

function hasMessage(error: unknown): error is { readonly message: string } {
  return typeof Object(error).message === "string";
}

/** The bytes of a typed array, without copying. */
export function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
