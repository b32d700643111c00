// A kernel: one compute pipeline compiled from an assembled source, and how its buffers are bound. Compile errors become
// sentences that name the rule or file and the line its author wrote.
import { locate, type Source } from "../../base/assemble.ts";
import { DeviceError } from "../../base/errors.ts";
import { readMade } from "../../base/options.ts";
import { troubleOf } from "./allocate.ts";

/** How each binding of group 0 is used, in the order of the bindings; a kernel may skip numbers. */
export type BindingUse = "read" | "write" | "uniform";

const bufferTypes = { read: "read-only-storage", write: "storage", uniform: "uniform" } as const;

export interface Kernel {
  readonly pipeline: GPUComputePipeline;
  /** Binds buffers (or parts of them) in the order of the bindings; undefined where there is none. */
  bind(buffers: readonly (GPUBuffer | GPUBufferBinding | undefined)[]): GPUBindGroup;
}

/** Kernels compiled for a device, by everything that distinguishes them. */
const compiled = new WeakMap<GPUDevice, Map<string, Promise<Kernel>>>();

/**
 * Compiles a kernel with its `override` constants, once per device for the same source and constants. After a failure it tries
 * again.
 *
 * @throws DeviceError that names the snippet of the source and its line.
 */
export function compileKernel(
  device: GPUDevice,
  source: Source,
  bindings: readonly (BindingUse | undefined)[],
  constants: Record<string, number>,
): Promise<Kernel> {
  const kernels = compiled.get(device) ?? new Map<string, Promise<Kernel>>();
  compiled.set(device, kernels);
  const key = JSON.stringify([source.name, source.code, bindings, Object.entries(constants).sort()]);
  const known = kernels.get(key);
  if (known) return known;
  const kernel = compile(device, source, bindings, constants);
  kernels.set(key, kernel);
  kernel.catch(() => kernels.delete(key));
  return kernel;
}

async function compile(
  device: GPUDevice,
  source: Source,
  bindings: readonly (BindingUse | undefined)[],
  constants: Record<string, number>,
): Promise<Kernel> {
  // Everything starts at once: messages about a source are requested only if no pipeline comes of it.
  device.pushErrorScope("validation");
  const module = device.createShaderModule({ label: source.name, code: source.code });
  const refused = troubleOf(device.popErrorScope());
  const layout = device.createBindGroupLayout({
    label: source.name,
    entries: bindings.flatMap((use, binding) =>
      use ? [{ binding, visibility: GPUShaderStage.COMPUTE, buffer: { type: bufferTypes[use] } }] : [],
    ),
  });
  let pipeline: GPUComputePipeline;
  try {
    pipeline = await device.createComputePipelineAsync({
      label: source.name,
      layout: device.createPipelineLayout({ bindGroupLayouts: [layout] }),
      compute: { module, entryPoint: "main", constants },
    });
  } catch (error) {
    const { messages } = await module.getCompilationInfo();
    const message = messages.find(({ type }) => type === "error");
    if (message) {
      const { snippet, line } = locate(source, message.lineNum);
      throw new DeviceError(`${source.name} does not compile: ${snippet}, line ${line}: ${message.message}`);
    }
    const { refusal } = await refused;
    if (refusal) throw new DeviceError(`${source.name} does not compile: ${refusal.message}`);
    throw new DeviceError(`${source.name} makes no valid pipeline: ${(error as Error).message}`, { cause: error });
  }
  return {
    pipeline,
    bind: (buffers) =>
      device.createBindGroup({
        label: source.name,
        layout,
        entries: buffers.flatMap((buffer, binding) =>
          buffer ? [{ binding, resource: "buffer" in buffer ? buffer : { buffer } }] : [],
        ),
      }),
  };
}

/** A dispatch, ready to be encoded again and again. */
export interface Dispatch {
  readonly pipeline: GPUComputePipeline;
  readonly bindGroup: GPUBindGroup;
  readonly workgroups: readonly [number, number, number?];
}

/** By device: a bind group without a buffer. */
const nothingBound = new WeakMap<GPUDevice, GPUBindGroup>();

/**
 * Makes sure that {@link leavePass} creates nothing. WebGPU cannot unset a pipeline, and not every implementation accepts null as
 * a bind group.
 */
export function prepareLeaving(device: GPUDevice): void {
  if (nothingBound.has(device)) return;
  const layout = device.createBindGroupLayout({ label: "nothing", entries: [] });
  const label = "fallline has encoded into this pass: set your own pipeline and bind group 0";
  nothingBound.set(device, device.createBindGroup({ label, layout, entries: [] }));
}

/**
 * Leaves a caller's pass such that a dispatch without the caller's own pipeline and bind group is an error, not our last kernel
 * again.
 */
export function leavePass(device: GPUDevice, pass: GPUComputePassEncoder): void {
  prepareLeaving(device);
  pass.setBindGroup(0, nothingBound.get(device)!);
}

/** @throws OptionError for anything but a pass into which dispatches can be encoded. */
export function mustBePass(pass: GPUComputePassEncoder): void {
  readMade("pass", pass, "an open GPUComputePassEncoder", { dispatchWorkgroups: "function" });
}

export function encodeDispatches(pass: GPUComputePassEncoder, dispatches: readonly Dispatch[]): void {
  for (const { pipeline, bindGroup, workgroups } of dispatches) {
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, bindGroup);
    pass.dispatchWorkgroups(...workgroups);
  }
}
