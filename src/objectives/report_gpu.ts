// The submissions of an objective: one command buffer with one pass each, whose totals and control buffer come back through a
// pool of mapped buffers while later steps already run.
import type { Dataset } from "../data/dataset.ts";
import { DeviceError } from "../errors.ts";
import { type Dispatch, encodeDispatches } from "../gpu/kernel.ts";
import type { GpuOptimizer } from "../gpu/optimizer.ts";
import { ReadbackPool } from "../gpu/readback.ts";
import type { Stats } from "../optimizer.ts";
import { rowsInOrder } from "./objective.ts";
import { createPipeline } from "./pipeline.ts";

/** What one submission tells. */
export interface Report {
  /** The totals. */
  readonly floats: Float32Array;
  /** Whether a replica was halted then, so that its totals are of an earlier one. */
  isHalted(replica: number): boolean;
  /** Each replica's stats after it; the optimizer learns of them. */
  stats(): readonly Stats[];
}

export class Reports {
  readonly #optimizer: GpuOptimizer;
  readonly #totals: GPUBuffer;
  readonly #bytes: number;
  readonly #pool: ReadbackPool;
  #destroyed = false;

  /** @param bytes How much of `totals` is told, a multiple of 4. */
  constructor(optimizer: GpuOptimizer, totals: GPUBuffer, bytes: number) {
    this.#optimizer = optimizer;
    this.#totals = totals;
    this.#bytes = bytes;
    this.#pool = new ReadbackPool(optimizer.device, bytes + optimizer.controlBytes, "fallline report");
  }

  /** @throws DeviceError after `destroy`. */
  mustLive(call: string): void {
    if (this.#destroyed) throw new DeviceError(`${call}() was called on an objective that is destroyed`);
  }

  /** Submits what `encode` encodes; resolves when it has run. */
  async submit(encode: (pass: GPUComputePassEncoder) => void): Promise<Report> {
    const { device, control, controlBytes } = this.#optimizer;
    const encoder = device.createCommandEncoder({ label: "fallline objective" });
    const pass = encoder.beginComputePass({ label: "fallline objective" });
    encode(pass);
    pass.end();
    const staging = this.#pool.take();
    encoder.copyBufferToBuffer(this.#totals, 0, staging, 0, this.#bytes);
    encoder.copyBufferToBuffer(control, 0, staging, this.#bytes, controlBytes);
    device.queue.submit([encoder.finish()]);
    this.#optimizer.noteSubmitted(pass);
    const told = await this.#pool.collect(staging);
    const words = new Uint32Array(told);
    return {
      floats: new Float32Array(told),
      isHalted: (replica) => words[this.#bytes / 4 + this.#optimizer.skipIndex(replica)] === 2,
      stats: () => this.#optimizer.noteControl(told, this.#bytes),
    };
  }

  /** Submits dispatches. */
  run(dispatches: readonly Dispatch[]): Promise<Report> {
    return this.submit((pass) => encodeDispatches(pass, dispatches));
  }

  /**
   * Submits the dispatches for the rows of a data set, a batch at a time and a few at once, and hears of each.
   *
   * @param write Writes the rows that the dispatches take.
   */
  async inBatches(
    { count }: Pick<Dataset, "count">,
    batch: number,
    write: (rows: Uint32Array) => void,
    dispatches: readonly Dispatch[],
    hear: (report: Report) => void,
    onProgress: ((rows: number) => void) | undefined,
  ): Promise<void> {
    let done = 0;
    const pipeline = createPipeline(([report, rows]: readonly [Report, number]) => {
      hear(report);
      done += rows;
      onProgress?.(done);
    });
    try {
      for (const rows of rowsInOrder(count, batch)) {
        await pipeline.start(async () => {
          write(rows);
          return [await this.run(dispatches), rows.length];
        });
      }
      await pipeline.drain();
    } finally {
      await pipeline.close();
    }
  }

  destroy(): void {
    this.#destroyed = true;
    this.#pool.destroy();
  }
}
