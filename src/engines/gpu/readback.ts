// Reading GPU memory without waiting for it: a copy is encoded into a small mappable buffer, and its bytes arrive later as a
// promise, while further work is already submitted. A submission that the device refuses throws nothing and leaves the old bytes
// in place, so every readback proves that its own submission ran: the queue writes a mark after the bytes, and the submission
// clears it.
import { DeviceError, type FalllineError } from "../../base/errors.ts";
import { createBuffer, failureOf, type Trouble, watched, wordsOf } from "./allocate.ts";
import { learnLoss, lossText } from "./device.ts";
import { nudged } from "./nudge.ts";

/** Marks of a staging buffer; each use clears one, and one write sets all of them. */
const markCount = 64;
const markBytes = 4 * markCount;

/** A mark before its submission has run. */
const unset = 0xffff_ffff;

/** A mappable buffer for some bytes, with marks after them. */
class Staging {
  readonly buffer: GPUBuffer;
  readonly #device: GPUDevice;
  readonly #bytes: number;
  /** Marks that are used up. */
  #used = markCount;
  #mapping: Promise<undefined> = Promise.resolve(undefined);
  #destroyed = false;

  /** @param buffer Of {@link stagingBytes} bytes, which can be mapped and copied to. */
  constructor(device: GPUDevice, bytes: number, buffer: GPUBuffer) {
    this.#device = device;
    this.#bytes = bytes;
    this.buffer = buffer;
  }

  /** Encodes the proof that the rest of this encoder has run; once each time the bytes are taken. */
  mark(encoder: GPUCommandEncoder): void {
    if (this.#used === markCount) {
      this.#device.queue.writeBuffer(this.buffer, this.#bytes, new Uint32Array(markCount).fill(unset));
      this.#used = 0;
    }
    encoder.clearBuffer(this.buffer, this.#bytes + 4 * this.#used, 4);
    this.#used++;
  }

  /** Starts to map it; called right after the submission, so that errors of both are reported together. */
  map(): void {
    this.#mapping = this.buffer.mapAsync(GPUMapMode.READ);
    // The failure is reported to whoever takes the bytes.
    this.#mapping.catch(() => undefined);
  }

  /**
   * The result of `read` on the bytes, once the submission that was marked and mapped last has run.
   *
   * @param trouble The device's message about it, if there is one.
   * @throws DeviceError if it did not run, or the bytes are gone.
   */
  async take<T>(read: (bytes: ArrayBuffer) => T, trouble: Promise<Trouble>): Promise<T> {
    const mark = this.#bytes + 4 * (this.#used - 1);
    try {
      await this.#mapping;
      const mapped = this.buffer.getMappedRange();
      if (new Uint32Array(mapped, mark, 1)[0] !== 0) throw refusalOf(await trouble);
      const taken = read(mapped);
      this.buffer.unmap();
      return taken;
    } catch (error) {
      if (error instanceof DeviceError) throw error;
      throw await this.#failure(error, await trouble);
    }
  }

  async #failure(error: unknown, { memory, refusal }: Trouble): Promise<FalllineError> {
    if (memory) return (await failureOf(this.#device, readbackOf(this.#bytes), { memory }))!;
    if (refusal) return refusalOf({ refusal });
    const loss = await learnLoss(this.#device);
    const reason = loss
      ? lossText(loss)
      : this.#destroyed
        ? "its owner was destroyed meanwhile"
        : wordsOf(error, "its buffer was destroyed or is invalid");
    return new DeviceError(`reading back from the GPU failed: ${reason}`, { cause: error });
  }

  destroy(): void {
    this.#destroyed = true;
    this.buffer.destroy();
  }
}

/** Size in bytes of the buffer of a {@link Staging} for this many bytes. */
export function stagingBytes(bytes: number): number {
  return bytes + markBytes;
}

const readbackOf = (bytes: number) => `a readback of ${bytes} bytes`;

function refusalOf({ refusal }: Trouble): DeviceError {
  const reason = refusal
    ? wordsOf(refusal, "it gave no reason")
    : "a buffer that it uses may be destroyed, mapped or invalid";
  return new DeviceError(`reading back from the GPU failed: the device refused the submission: ${reason}`, {
    cause: refusal,
  });
}

/** Staging buffers of one size, for repeated use. */
export class ReadbackPool {
  readonly #device: GPUDevice;
  readonly #bytes: number;
  readonly #label: string;
  readonly #all = new Set<Staging>();
  readonly #free: Staging[] = [];
  #mostFree: number;

  /**
   * @param reserved Buffers of {@link stagingBytes} bytes made ahead of time; the pool owns them from now on.
   * @param mostFree How many idle buffers it keeps.
   */
  constructor(
    device: GPUDevice,
    bytes: number,
    label: string,
    reserved: readonly GPUBuffer[] = [],
    mostFree = Number.POSITIVE_INFINITY,
  ) {
    this.#device = device;
    this.#bytes = bytes;
    this.#label = label;
    this.#mostFree = mostFree;
    for (const buffer of reserved) this.#free.push(this.#add(buffer));
  }

  /**
   * One to copy into; a new one only where all are still in flight.
   *
   * @throws DeviceError where there is no memory for it.
   */
  take(): Staging {
    const free = this.#free.pop();
    if (free) return free;
    try {
      return this.#add(createBuffer(this.#device, this.#label, stagingBytes(this.#bytes), "readback"));
    } catch (error) {
      if (error instanceof DeviceError) throw error;
      const reason = wordsOf(error, "it gave no reason");
      throw new DeviceError(`the device could not hold ${readbackOf(this.#bytes)}: ${reason}`, { cause: error });
    }
  }

  #add(buffer: GPUBuffer): Staging {
    const staging = new Staging(this.#device, this.#bytes, buffer);
    this.#all.add(staging);
    return staging;
  }

  /** Takes back a buffer that is no longer in flight, or was not used. */
  release(staging: Staging): void {
    if (!this.#all.has(staging)) return;
    if (this.#free.length < this.#mostFree) this.#free.push(staging);
    else this.#drop(staging);
  }

  #drop(staging: Staging): void {
    this.#all.delete(staging);
    staging.destroy();
  }

  /** Keeps none from now on: buffers in flight arrive, and are then destroyed. */
  retire(): void {
    this.#mostFree = 0;
    for (const staging of this.#free.splice(0)) this.#drop(staging);
  }

  /** The bytes of the submission just marked and made; the staging buffer is free again after that, or destroyed if it failed. */
  collect(staging: Staging): Promise<ArrayBuffer> {
    staging.map();
    return this.#collect(staging, (bytes) => bytes.slice(0, this.#bytes), Promise.resolve({}));
  }

  async #collect<T>(staging: Staging, read: (bytes: ArrayBuffer) => T, trouble: Promise<Trouble>): Promise<T> {
    try {
      const taken = await staging.take(read, trouble);
      this.release(staging);
      return taken;
    } catch (error) {
      this.#drop(staging);
      throw error;
    }
  }

  /**
   * Encodes and submits at once; resolves to the result of `read` on the copied bytes, which are gone afterwards, once everything
   * encoded has run. `submitted` is called right after the submission.
   *
   * @throws DeviceError if it did not run or cannot be read; anything that `encode` throws, before which nothing is submitted.
   */
  async submit<T>(
    encode: (encoder: GPUCommandEncoder, into: GPUBuffer) => void,
    read: (bytes: ArrayBuffer) => T,
    submitted?: () => void,
  ): Promise<T> {
    const device = this.#device;
    let staging: Staging | undefined;
    const { thrown, trouble } = watched(device, () => {
      staging = this.take();
      const encoder = device.createCommandEncoder({ label: `fallline ${this.#label}` });
      encode(encoder, staging.buffer);
      staging.mark(encoder);
      device.queue.submit([encoder.finish()]);
      submitted?.();
      staging.map();
    });
    // Somebody is waiting for it.
    if (staging && !thrown) return nudged(device, this.#collect(staging, read, trouble));
    if (staging) this.release(staging);
    throw await failureOf(device, readbackOf(this.#bytes), await trouble, thrown);
  }

  destroy(): void {
    for (const staging of this.#all) staging.destroy();
    this.#all.clear();
    this.#free.length = 0;
  }
}

/** Bytes of staging buffers kept for later readbacks of the same size. */
const mostKept = 2 ** 24;

/**
 * Keeps the staging buffers of readbacks, one of each size, the first ones that fit: making and clearing one takes as long as
 * copying into it.
 */
export class KeptStaging {
  readonly #device: GPUDevice;
  readonly #pools = new Map<number, ReadbackPool>();
  #left = mostKept;

  constructor(device: GPUDevice) {
    this.#device = device;
  }

  pool(bytes: number): ReadbackPool {
    const known = this.#pools.get(bytes);
    if (known) return known;
    const keeps = bytes <= this.#left;
    const pool = passingPool(this.#device, bytes, Number(keeps));
    if (keeps) {
      this.#pools.set(bytes, pool);
      this.#left -= bytes;
    }
    return pool;
  }

  destroy(): void {
    for (const pool of this.#pools.values()) pool.retire();
    this.#pools.clear();
  }
}

const passingPool = (device: GPUDevice, bytes: number, mostFree = 0) =>
  new ReadbackPool(device, bytes, "readback", [], mostFree);

/** Parts of buffers, in bytes. */
export interface CopySource {
  readonly buffer: GPUBuffer;
  readonly offset: number;
  readonly bytes: number;
}

/** Bytes of the largest staging buffer, marks included: every device allows as much. Larger ones are hard to place and to map. */
const largestStaging = 2 ** 28;

/** A part copied by one submission. */
interface Piece extends CopySource {
  /** Its place in the staging buffer, in bytes. */
  readonly at: number;
  /** Its place on the host. */
  readonly into: Uint8Array;
}

/**
 * Copies several parts to the host as they are now: in one submission, or in several consecutive ones where a buffer cannot hold
 * them all.
 *
 * @param before Encodes work that precedes them in the first submission, so that nothing is read if it did not run.
 * @param kept The source of staging buffers, which stay there; without it they are made and destroyed.
 * @throws DeviceError where the device refuses a submission or is lost.
 */
export async function readParts(
  device: GPUDevice,
  parts: readonly CopySource[],
  before?: (encoder: GPUCommandEncoder) => void,
  kept?: KeptStaging,
): Promise<readonly ArrayBuffer[]> {
  const most = Math.min(largestStaging, Math.floor(device.limits.maxBufferSize / 4) * 4) - markBytes;
  const submissions: Piece[][] = [[]];
  let at = 0;
  const taken = parts.map(({ buffer, offset, bytes: length }) => {
    const all = new Uint8Array(length);
    for (let from = 0; from < length; ) {
      if (at === most) {
        submissions.push([]);
        at = 0;
      }
      const bytes = Math.min(most - at, length - from);
      const into = all.subarray(from, from + bytes);
      submissions.at(-1)!.push({ buffer, offset: offset + from, bytes, at, into });
      from += bytes;
      at += bytes;
    }
    return all;
  });
  // All are submitted before the first is awaited, so that nothing comes between them.
  await Promise.all(
    submissions.map((pieces, i) => {
      const bytes = i < submissions.length - 1 ? most : at;
      return (kept?.pool(bytes) ?? passingPool(device, bytes)).submit(
        (encoder, staging) => {
          if (i === 0) before?.(encoder);
          for (const { buffer, offset, at, bytes } of pieces) {
            encoder.copyBufferToBuffer(buffer, offset, staging, at, bytes);
          }
        },
        (mapped) => {
          for (const { into, at, bytes } of pieces) into.set(new Uint8Array(mapped, at, bytes));
        },
      );
    }),
  );
  return taken.map(({ buffer }) => buffer);
}
