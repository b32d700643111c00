// The engine of the page: the GPU where there is one, with a new device after a loss, else the CPU reference.
import { DeviceError } from "../../base/errors.ts";
import { requestDevice } from "../../engines/gpu/device.ts";
import { cpuEngine, type Engine, webgpuEngine } from "../../train/engine.ts";

export interface Found {
  readonly engine: Engine;
  /** The device it draws with; null without a GPU. */
  readonly device: GPUDevice | null;
  /** Why there is no GPU; null where there is one. */
  readonly missing: string | null;
}

let current: Promise<Found> | undefined;

/** The current engine; a new one at first, and after the loss of its device. */
export function currentEngine(): Promise<Found> {
  current ??= open(1);
  return current;
}

/** A new engine in place of one whose device was lost. */
export function newEngine(): Promise<Found> {
  current = open(patience);
  return current;
}

/** How often a device is requested after a loss, with a wait in between: a browser restarts its GPU process first. */
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
