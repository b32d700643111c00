// What the page runs on: the GPU where there is one, made anew once its device is lost, else the CPU reference.
import { DeviceError } from "../../base/errors.ts";
import { requestDevice } from "../../engines/gpu/device.ts";
import { cpuEngine, type Engine, webgpuEngine } from "../../train/engine.ts";

export interface Found {
  readonly engine: Engine;
  /** What it draws with; null where it is not the GPU. */
  readonly device: GPUDevice | null;
  /** Why it is not the GPU; null where it is. */
  readonly missing: string | null;
}

let current: Promise<Found> | undefined;

/** The engine there is; a new one at first, and where the device of the last was lost. */
export function currentEngine(): Promise<Found> {
  current ??= open(1);
  return current;
}

/** A new engine in place of one whose device was lost. */
export function newEngine(): Promise<Found> {
  current = open(patience);
  return current;
}

/** How often a device is asked for after a loss, and how long to wait in between: a browser restarts its GPU process first. */
const patience = 5;
const pauseMs = 500;

async function open(attempts: number): Promise<Found> {
  try {
    const device = await requestDevice();
    device.addEventListener("uncapturederror", (event) => {
      console.error(`uncaptured GPU error: ${(event as GPUUncapturedErrorEvent).error.message}`);
    });
    const found = { engine: webgpuEngine(device), device, missing: null };
    device.lost.then(async () => {
      if ((await current)?.engine === found.engine) current = undefined;
    });
    return found;
  } catch (error) {
    if (attempts > 1) {
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
      return open(attempts - 1);
    }
    if (error instanceof DeviceError) return { engine: cpuEngine(), device: null, missing: error.message };
    current = undefined;
    throw error;
  }
}
