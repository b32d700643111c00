// Records dispatches on the GPU, with the sizes and numbers that they take, until they are submitted together: alone, or with a read.

import type { FalllineError } from "../../base/errors.ts";
import type { Struct, Values } from "../../base/struct.ts";
import { failureOf, watched } from "./allocate.ts";
import { encodeDispatches, type Kernel } from "./kernel.ts";

/** Bindings start at multiples of it on every device; so do the sizes of each dispatch. */
export const bindingAlignment = 256;

/** A recorded operation: in a compute pass, or between passes. */
type Command =
  | { readonly pass: (pass: GPUComputePassEncoder) => void }
  | { readonly between: (encoder: GPUCommandEncoder) => void };

/** The buffers of a {@link Recorder}. */
export interface RecorderBuffers {
  /** The sizes of dispatches, one every 256 bytes; uniform. */
  readonly sizes: GPUBuffer;
  /** Numbers, float32. */
  readonly uploads: GPUBuffer;
}

export class Recorder {
  readonly #device: GPUDevice;
  readonly #buffers: RecorderBuffers;
  #commands: Command[] = [];
  readonly #sizes: Uint8Array<ArrayBuffer>;
  #sizeCount = 0;
  readonly #uploads: Float32Array<ArrayBuffer>;
  #uploadCount = 0;
  /** The device's errors about submissions that nothing was read from. */
  #troubles: Promise<FalllineError | undefined>[] = [];

  constructor(device: GPUDevice, buffers: RecorderBuffers) {
    this.#device = device;
    this.#buffers = buffers;
    this.#sizes = new Uint8Array(buffers.sizes.size);
    this.#uploads = new Float32Array(buffers.uploads.size / 4);
  }

  get isEmpty(): boolean {
    return this.#commands.length === 0;
  }

  /** Whether this many more dispatches and numbers go into one submission; a quarter of the sizes is left to those behind them. */
  fits(dispatches: number, uploads: number): boolean {
    const sizes = (this.#sizeCount + dispatches) * bindingAlignment;
    return sizes <= (3 / 4) * this.#sizes.length && this.#uploadCount + uploads <= this.#uploads.length;
  }

  /** Records commands in a compute pass, which may leave it with any pipeline and bindings. */
  pass(pass: (pass: GPUComputePassEncoder) => void): void {
    this.#commands.push({ pass });
  }

  /** Records commands between passes. */
  between(between: (encoder: GPUCommandEncoder) => void): void {
    this.#commands.push({ between });
  }

  dispatch(
    { pipeline, bind }: Kernel,
    buffers: readonly (GPUBuffer | GPUBufferBinding)[],
    workgroups: readonly [number, number, number?],
  ): void {
    const dispatch = { pipeline, bindGroup: bind(buffers), workgroups };
    this.pass((pass) => encodeDispatches(pass, [dispatch]));
  }

  /** The place of a dispatch's sizes. */
  sizes<F extends Struct>(struct: F, values: Partial<Values<F["fields"]>>): GPUBufferBinding {
    const offset = this.#sizeCount * bindingAlignment;
    this.#sizes.set(struct.encode([values]), offset);
    this.#sizeCount++;
    return { buffer: this.#buffers.sizes, offset, size: Math.ceil(struct.bytes / 16) * 16 };
  }

  /** The place of numbers that go to the device with the recorded operations, in elements. */
  upload(values: ArrayLike<number>): number {
    const first = this.#uploadCount;
    this.#uploads.set(values, first);
    this.#uploadCount += values.length;
    return first;
  }

  /** Submits the recorded operations, without reading anything. */
  submit(): void {
    const commands = this.take();
    const { thrown, trouble } = watched(this.#device, () => {
      const encoder = this.#device.createCommandEncoder({ label: "fallline vectors" });
      commands(encoder);
      this.#device.queue.submit([encoder.finish()]);
    });
    this.#troubles.push(trouble.then((said) => failureOf(this.#device, "operations on vectors", said, thrown)));
  }

  /** Takes the recorded operations, to be encoded before a read. */
  take(): (encoder: GPUCommandEncoder) => void {
    const { queue } = this.#device;
    const commands = this.#commands;
    const sizes = this.#sizes.slice(0, this.#sizeCount * bindingAlignment);
    const uploads = this.#uploads.slice(0, this.#uploadCount);
    this.clear();
    return (encoder) => {
      if (commands.length === 0) return;
      if (sizes.length > 0) queue.writeBuffer(this.#buffers.sizes, 0, sizes);
      if (uploads.length > 0) queue.writeBuffer(this.#buffers.uploads, 0, uploads);
      let pass: GPUComputePassEncoder | undefined;
      for (const command of commands) {
        if ("pass" in command) {
          pass ??= encoder.beginComputePass({ label: "fallline vectors" });
          command.pass(pass);
        } else {
          pass?.end();
          pass = undefined;
          command.between(encoder);
        }
      }
      pass?.end();
    };
  }

  /** The values read, if everything submitted before has run too. */
  async proven<T>(reading: Promise<T>): Promise<T> {
    const troubles = this.#troubles;
    this.#troubles = [];
    const found = await reading;
    for (const failure of await Promise.all(troubles)) if (failure) throw failure;
    return found;
  }

  /** Forgets the recorded operations. */
  clear(): void {
    this.#commands = [];
    this.#sizeCount = 0;
    this.#uploadCount = 0;
  }
}
