// The submissions of an objective: one command buffer with one pass each, whose totals and control buffer come back through a
// pool of mapped buffers while later steps already run. Only submissions that ran are reported: the pool checks this, and an
// update must show in the control buffer.

import { DeviceError } from "../base/errors.ts";
import { stuckReplica } from "../engines/gpu/control.ts";
import { deviceLoss } from "../engines/gpu/device.ts";
import { type Dispatch, encodeDispatches } from "../engines/gpu/kernel.ts";
import type { GpuOptimizer } from "../engines/gpu/optimizer.ts";
import { ReadbackPool } from "../engines/gpu/readback.ts";
import type { Stats } from "../optimizer/optimizer.ts";
import { insideOf } from "../optimizer/shell.ts";
import type { Dataset } from "./data/dataset.ts";
import { rowsInOrder } from "./objective.ts";
import { createPipeline } from "./pipeline.ts";

/** The report of one submission. */
export interface Report {
  /** The totals. */
  readonly floats: Float32Array;
  /** Whether a replica was halted then, so that its totals are from an earlier one. */
  isHalted(replica: number): boolean;
  /** Each replica's stats after it, which the optimizer observes. */
  stats(): readonly Stats[];
}

export class Reports {
  readonly #optimizer: GpuOptimizer;
  readonly #totals: GPUBuffer;
  readonly #bytes: number;
  readonly #pool: ReadbackPool;
  readonly #accumulate: number;
  #destroyed = false;

  /** @param bytes How many bytes of `totals` are reported, a multiple of 4. */
  constructor(optimizer: GpuOptimizer, totals: GPUBuffer, bytes: number) {
    this.#optimizer = optimizer;
    this.#accumulate = insideOf(optimizer).plan.accumulate;
    this.#totals = totals;
    this.#bytes = bytes;
    this.#pool = new ReadbackPool(optimizer.device, bytes + 2 * optimizer.controlBytes, "report");
  }

  /** @throws DeviceError after `destroy`, of the objective or of its optimizer. */
  mustLive(call: string): void {
    if (this.#destroyed) throw new DeviceError(`${call}() was called on a destroyed objective`);
    mustHaveOptimizer(this.#optimizer, call);
  }

  /** Whether the caller has destroyed the objective, its optimizer or the device. */
  get #ended(): boolean {
    const { destroyed, device } = this.#optimizer;
    return this.#destroyed || destroyed || deviceLoss(device).info?.reason === "destroyed";
  }

  /**
   * A call of the objective. If it fails because of a later `destroy`, it need not be awaited: Node would otherwise end the
   * process over an unhandled rejection.
   *
   * @throws DeviceError as {@link mustLive} does.
   */
  answer<T>(call: string, work: () => Promise<T>): Promise<T> {
    const late = this.#ended;
    const begin = async () => {
      this.mustLive(call);
      return work();
    };
    const answered: Promise<T> = begin().catch((error: unknown) => {
      // It still rejects for callers who await it.
      if (!late && this.#ended) answered.catch(() => undefined);
      throw error;
    });
    return answered;
  }

  /**
   * Submits what `encode` encodes; resolves when it has run.
   *
   * @throws DeviceError if it did not run, or if an update in it left a replica where it was.
   */
  async submit(call: string, encode: (pass: GPUComputePassEncoder) => void): Promise<Report> {
    this.mustLive(call);
    const { control, controlBytes, replicas } = this.#optimizer;
    const { updates } = this.#optimizer;
    let [advances, pass]: [boolean, GPUComputePassEncoder | undefined] = [false, undefined];
    const bytes = await this.#pool.submit(
      (encoder, into) => {
        encoder.copyBufferToBuffer(control, 0, into, this.#bytes + controlBytes, controlBytes);
        pass = encoder.beginComputePass({ label: "fallline objective" });
        encode(pass);
        pass.end();
        advances = this.#optimizer.updates > updates;
        encoder.copyBufferToBuffer(this.#totals, 0, into, 0, this.#bytes);
        encoder.copyBufferToBuffer(control, 0, into, this.#bytes, controlBytes);
      },
      (bytes) => bytes.slice(0, this.#bytes + 2 * controlBytes),
      () => pass && this.#optimizer.markSubmitted(pass),
    );
    const words = new Uint32Array(bytes);
    const stride = controlBytes / replicas / 4;
    const [after, before] = [0, 1].map((copy) =>
      words.subarray((this.#bytes + copy * controlBytes) / 4).subarray(0, controlBytes / 4),
    );
    const stuck = advances ? stuckReplica(before!, after!, stride, this.#accumulate) : undefined;
    if (stuck !== undefined) {
      throw new DeviceError(
        `${call}() ran on the GPU, but its update was neither made nor skipped${replicas > 1 ? ` in replica ${stuck}` : ""}; its loss is not known`,
      );
    }
    return {
      floats: new Float32Array(bytes),
      isHalted: (replica) => words[this.#bytes / 4 + this.#optimizer.controlIndex("skip", { replica })] === 2,
      stats: () => this.#optimizer.observeControl(bytes, this.#bytes),
    };
  }

  /** Submits dispatches. */
  run(call: string, dispatches: readonly Dispatch[]): Promise<Report> {
    return this.submit(call, (pass) => encodeDispatches(pass, dispatches));
  }

  /**
   * Submits the dispatches for the rows of a data set, a batch at a time and a few at once, and reports each.
   *
   * @param write Writes the rows that the dispatches take.
   */
  async inBatches(
    { count }: Pick<Dataset, "count">,
    batch: number,
    write: (rows: Uint32Array) => void,
    dispatches: readonly Dispatch[],
    report: (report: Report) => void,
    onProgress: ((rows: number) => void) | undefined,
  ): Promise<void> {
    let done = 0;
    const pipeline = createPipeline(([one, rows]: readonly [Report, number]) => {
      report(one);
      done += rows;
      onProgress?.(done);
    });
    try {
      for (const rows of rowsInOrder(count, batch)) {
        await pipeline.start(async () => {
          this.mustLive("evaluate");
          write(rows);
          return [await this.run("evaluate", dispatches), rows.length];
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

/** @throws DeviceError if the owning optimizer is destroyed. */
export function mustHaveOptimizer({ destroyed }: GpuOptimizer, call: string): void {
  if (destroyed) throw new DeviceError(`${call}() was called on a destroyed optimizer`);
}
