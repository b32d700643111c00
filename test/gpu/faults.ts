// A device that can be made to fail, for tests: buffers that cannot be made, submissions that are refused.
import { countCalls } from "../../bench/counting.ts";
import { freshDevice } from "./setup.ts";

/** How a buffer fails: at once, or as an invalid buffer that only validation errors reveal. */
export type BufferFault = "throws" | "invalid";

export interface FaultyDevice {
  readonly device: GPUDevice;
  /** Buffers that were made and not destroyed. */
  readonly alive: ReadonlySet<GPUBuffer>;
  /** Errors that nobody's scope caught. */
  readonly uncaptured: string[];
  /** Lets the n-th buffer from now on fail (1 is the next); says whether it came to that. */
  failBuffer(n: number, fault: BufferFault): { readonly hit: boolean; stop(): void };
  /** Has submissions refused until it is stopped: those whose number, from 0 on, `which` names. */
  refuse(which?: (n: number) => boolean): { stop(): void };
}

export async function faultyDevice(): Promise<FaultyDevice> {
  const device = await freshDevice();
  const { alive } = countCalls(device);
  const uncaptured: string[] = [];
  device.addEventListener("uncapturederror", (event) =>
    uncaptured.push((event as GPUUncapturedErrorEvent).error.message),
  );
  const { createBuffer } = device;
  const { submit } = device.queue;
  const unusable = device.createBuffer({ size: 16, usage: GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST });
  unusable.destroy();
  return {
    device,
    alive,
    uncaptured,
    failBuffer(n, fault) {
      const state = { made: 0, hit: false };
      Object.defineProperty(device, "createBuffer", {
        configurable: true,
        value: (descriptor: GPUBufferDescriptor) => {
          if (++state.made !== n) return createBuffer.call(device, descriptor);
          state.hit = true;
          if (fault === "throws") throw new RangeError("no memory");
          return createBuffer.call(device, { ...descriptor, size: 2 ** 43, mappedAtCreation: false });
        },
      });
      return {
        get hit() {
          return state.hit;
        },
        stop: () => Object.defineProperty(device, "createBuffer", { configurable: true, value: createBuffer }),
      };
    },
    refuse(which = () => true) {
      let n = 0;
      Object.defineProperty(device.queue, "submit", {
        configurable: true,
        value: (commands: readonly GPUCommandBuffer[]) => {
          if (!which(n++)) return submit.call(device.queue, commands);
          const encoder = device.createCommandEncoder();
          encoder.clearBuffer(unusable);
          return submit.call(device.queue, [...commands, encoder.finish()]);
        },
      });
      return { stop: () => Object.defineProperty(device.queue, "submit", { configurable: true, value: submit }) };
    },
  };
}
