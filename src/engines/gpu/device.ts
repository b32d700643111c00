// Gets a device, finds out what it really is, and refuses early when it is too small.
import { DeviceError, refusal } from "../../base/errors.ts";
import { readArray, readMade, readString } from "../../base/options.ts";

/** The adapter that really runs, for people and for result files. */
export interface AdapterDescription {
  /** The vendor, such as "nvidia"; "" if the browser does not say. */
  readonly vendor: string;
  /** The architecture, such as "ampere"; "" if the browser does not say. */
  readonly architecture: string;
  /** The adapter's description; "" if the browser does not say. */
  readonly description: string;
  /** Whether it is an emulation on the CPU. */
  readonly software: boolean;
}

const softwareNames = /swiftshader|llvmpipe|lavapipe|softpipe|software|basic render|\bcpu\b/i;

/** @throws OptionError for anything but a GPUDevice. */
export function readDevice(device: GPUDevice): GPUDevice {
  const allowed = "a GPUDevice, such as requestDevice() gives";
  return readMade("device", device, allowed, { createBuffer: "function", limits: "object", queue: "object" });
}

/**
 * Some browsers reveal nothing about a device's adapter; it then counts as a GPU without a name.
 *
 * @throws OptionError for anything but a GPUAdapterInfo or undefined.
 */
export function describeAdapter(info: GPUAdapterInfo | undefined): AdapterDescription {
  if (info !== undefined && typeof info !== "object") {
    throw refusal("info", info, "a device's adapterInfo");
  }
  return described(info);
}

/** {@link describeAdapter} without its checks. */
export function described(info: GPUAdapterInfo | undefined): AdapterDescription {
  if (!info) return { vendor: "", architecture: "", description: "", software: false };
  const { vendor, architecture } = info;
  const description = info.description || info.device;
  const software = info.isFallbackAdapter || softwareNames.test(`${vendor} ${architecture} ${description}`);
  return { vendor, architecture, description, software };
}

/** One line for a terminal or a page: "SwiftShader driver (google swiftshader), a software adapter …". */
export function adapterLine(adapter: AdapterDescription): string {
  return lineOf(
    readMade("adapter", adapter, "what describeAdapter() gives", {
      vendor: "string",
      architecture: "string",
      description: "string",
      software: "boolean",
    }),
  );
}

/** {@link adapterLine} of a description made here. */
export function lineOf({ vendor, architecture, description, software }: AdapterDescription): string {
  const family = [vendor, architecture].filter(Boolean).join(" ");
  const name = description ? (family ? `${description} (${family})` : description) : family || "unnamed adapter";
  return software ? `${name}, a software adapter: it emulates a GPU on the CPU` : name;
}

/** Features that make some kernels faster, or that they need. */
const wantedFeatures = ["subgroups", "shader-f16"] as const satisfies readonly GPUFeatureName[];

/** @throws OptionError unless all are names. */
export function readFeatures(features: readonly GPUFeatureName[]): void {
  readArray("features", features, "names of features").forEach((feature, i) => {
    readString(`features[${i}]`, feature);
  });
}

/**
 * A device with the largest buffers and bindings that the adapter offers, and with its subgroups and float16, where it has them.
 * `features` are requested too, if the adapter offers them (`"timestamp-query"` …).
 *
 * @throws OptionError for anything but a GPU; DeviceError if there is no WebGPU or no adapter.
 */
export async function requestDevice(
  gpu: GPU | undefined = globalThis.navigator?.gpu,
  features: readonly GPUFeatureName[] = [],
): Promise<GPUDevice> {
  if (!gpu) {
    // Only browsers say whether a context is secure.
    const remedy =
      "isSecureContext" in globalThis
        ? "it needs a page from https or localhost and a browser with WebGPU: Chrome or Edge 113, Safari 26, Firefox 141 or later"
        : "in Node, pass create([]) of npm webgpu";
    throw new DeviceError(`WebGPU is not available here: navigator.gpu is missing; ${remedy}`);
  }
  readMade("gpu", gpu, "a GPU, such as navigator.gpu", { requestAdapter: "function" });
  readFeatures(features);
  const adapter = await gpu.requestAdapter({ powerPreference: "high-performance" });
  if (!adapter) throw new DeviceError("WebGPU found no adapter: requestAdapter() returned null");
  const { maxBufferSize, maxStorageBufferBindingSize } = adapter.limits;
  const device = await adapter.requestDevice({
    requiredLimits: { maxBufferSize, maxStorageBufferBindingSize },
    requiredFeatures: [...wantedFeatures, ...features].filter((feature) => adapter.features.has(feature)),
  });
  origins.set(device, [gpu, adapter]);
  return device;
}

/** Dawn for Node crashes the process when these are collected before the device. */
const origins = new WeakMap<GPUDevice, [GPU, GPUAdapter]>();

/** The limits that decide whether our buffers and kernels fit. */
export type LimitName =
  | "maxBufferSize"
  | "maxStorageBufferBindingSize"
  | "maxStorageBuffersPerShaderStage"
  | "maxComputeWorkgroupsPerDimension";

/** @throws DeviceError that names the limit, what is needed and for what. */
export function requireLimit(device: GPUDevice, limit: LimitName, needed: number, purpose: string): void {
  const offered = device.limits[limit];
  if (offered < needed) {
    throw new DeviceError(`${purpose} needs ${limit} >= ${needed}; this device has ${offered}`);
  }
}

/** Both limits that a storage buffer of `bytes` must fit. */
export function requireBuffer(device: GPUDevice, bytes: number, purpose: string): void {
  requireLimit(device, "maxBufferSize", bytes, purpose);
  requireLimit(device, "maxStorageBufferBindingSize", bytes, purpose);
}

export function isSoftware(device: GPUDevice): boolean {
  return described(device.adapterInfo).software;
}

/** The state of a device's loss; `reported` settles when it is lost. */
interface Loss {
  info?: GPUDeviceLostInfo;
  readonly reported: Promise<void>;
}

const losses = new WeakMap<GPUDevice, Loss>();

/**
 * Whether and why a device is known to be lost. Calls may fail shortly before the loss that causes it is reported: after a failure,
 * use {@link learnLoss}.
 */
export function deviceLoss(device: GPUDevice): Readonly<Loss> {
  // One listener per device: a promise keeps its listeners alive as long as the device.
  const known = losses.get(device);
  if (known) return known;
  const loss: Loss = {
    reported: device.lost.then((info) => {
      loss.info = info;
    }),
  };
  losses.set(device, loss);
  return loss;
}

/** Milliseconds after a failure within which the loss that caused it is reported. */
const lossDelay = 100;

/** After a failure: waits a moment for a loss of the device to be reported, and returns it; undefined if there is none. */
export async function learnLoss(device: GPUDevice): Promise<GPUDeviceLostInfo | undefined> {
  const loss = deviceLoss(device);
  if (!loss.info) {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, lossDelay);
    });
    await Promise.race([loss.reported, late]);
    clearTimeout(timer);
  }
  return loss.info;
}

/** How error messages describe a loss. */
export function lossText({ reason, message }: GPUDeviceLostInfo): string {
  return `the GPU device was lost (${reason}: ${message})`;
}

/** Workgroups for `count` pieces of work: along x, and along y too above the device's limit. */
export function grid(device: GPUDevice, count: number): [number, number] {
  const x = Math.min(count, device.limits.maxComputeWorkgroupsPerDimension);
  return [x, Math.ceil(count / x)];
}
