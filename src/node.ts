// `fallline/node`: a device in Node, found the way the command line finds it.
import { keep, openWebGPU } from "../scripts/webgpu.mjs";
import { DeviceError } from "./base/errors.ts";
import { readFeatures, requestDevice } from "./engines/gpu/device.ts";

/**
 * A device in Node, through npm `webgpu` (Dawn): the GPU's, or without a GPU driver an emulated one, by the SwiftShader of a
 * Chrome or Chromium on the machine. WebGPU's constants (`GPUBufferUsage` …) are global afterwards, and the device is kept until
 * the process ends or it is destroyed.
 *
 * ```js
 * import { requestNodeDevice } from "fallline/node";
 * const device = await requestNodeDevice();
 * ```
 *
 * @param features Requested besides those that `requestDevice` requests, if the adapter offers them; default none.
 * @throws DeviceError that says why there is no WebGPU and what to install; OptionError for `features` that are not names.
 */
export async function requestNodeDevice(features: readonly GPUFeatureName[] = []): Promise<GPUDevice> {
  readFeatures(features);
  const opened = await openWebGPU();
  if ("reason" in opened) throw new DeviceError(`no WebGPU here: ${opened.reason}`);
  const device = await requestDevice(opened.gpu, features);
  keep(device);
  return device;
}
