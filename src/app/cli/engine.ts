// The engine a command runs on: WebGPU where Node has it, or the CPU reference if the user chooses it.
import { Option } from "commander";
import { DeviceError } from "../../base/errors.ts";
import type { Aliases } from "../../base/names.ts";
import { readName } from "../../base/words.ts";
import { keepChoices } from "../../engines/gpu/kernel_choices.ts";
import { requestNodeDevice } from "../../node.ts";
import { cpuEngine, type Engine, webgpuEngine } from "../../train/engine.ts";
import { choiceFile } from "./choice_file.ts";

const backends = ["webgpu", "cpu"] as const;
export type Backend = (typeof backends)[number];

/** `--backend`. @param standard The backend without the option; default WebGPU where there is one. */
export function backendOption(standard?: Backend): Option {
  const option = new Option(
    "--backend <name>",
    standard ? "what to run on" : "what to run on (default: webgpu, else cpu)",
  )
    .choices(backends)
    .argParser((word) => readName("backend", word, backends, backendAliases));
  return standard ? option.default(standard) : option;
}

/** Aliases of the backends. */
const backendAliases: Aliases<Backend> = { gpu: "webgpu", reference: "cpu", javascript: "cpu", js: "cpu" };

/** @throws DeviceError that says why there is no WebGPU here. */
export async function openEngine(backend: Backend): Promise<Engine> {
  return backend === "cpu" ? cpuEngine() : webgpuEngine(await openDevice());
}

/** @throws DeviceError that says why there is no WebGPU here. */
export async function openDevice(): Promise<GPUDevice> {
  const device = await requestNodeDevice();
  device.addEventListener("uncapturederror", (event) => {
    console.error(`fallline: GPU error: ${(event as GPUUncapturedErrorEvent).error.message}`);
    process.exitCode = 1;
  });
  keepChoices(device, choiceFile());
  return device;
}

/** WebGPU; if there is none and the user did not ask for it by name, the CPU reference, which is reported to `say`. */
export async function engineOrReference(backend: Backend | undefined, say: (line: string) => void): Promise<Engine> {
  try {
    return await openEngine(backend ?? "webgpu");
  } catch (error) {
    if (backend || !(error instanceof DeviceError)) throw error;
    say(`No WebGPU: using the CPU reference instead, several times slower (${error.message})`);
    return cpuEngine();
  }
}
